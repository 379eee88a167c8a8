import { Basis } from "../../ui/basis.tsx"
import type { UsageData } from "./load.server.ts"

export function UsageBasis({ usage, parts = [] }: { usage: UsageData; parts?: readonly string[] }) {
  const { coverage, freshness, now, timeZone } = usage
  return <Basis {...{ parts, coverage, now, timeZone }} lastReceivedAt={freshness.lastReceivedAt} />
}
