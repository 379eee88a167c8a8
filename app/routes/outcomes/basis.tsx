import { Basis } from "../../ui/basis.tsx"
import type { OutcomesData } from "./load.server.ts"

export function OutcomesBasis({ outcomes, parts = [] }: { outcomes: OutcomesData; parts?: readonly string[] }) {
  const { coverage, freshness, now, timeZone } = outcomes
  return <Basis {...{ parts, coverage, now, timeZone }} lastReceivedAt={freshness.lastReceivedAt} />
}
