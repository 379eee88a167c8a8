import { plural } from "../../lib/format.ts"
import { Basis } from "../../ui/basis.tsx"
import { OPERATION_WORDS } from "../ladder/rungs.ts"
import type { LatencyData } from "./load.server.ts"

/** What every chart of the section rests on. */
export function RungBasis({ latency, parts }: { latency: LatencyData; parts?: readonly string[] }) {
  const row = latency.rungs.find(({ rung }) => rung === latency.rung)
  const own =
    row?.timed == null
      ? []
      : [plural(row.people ?? 0, "person", "people"), plural(row.timed, OPERATION_WORDS[latency.rung])]
  return (
    <Basis
      parts={parts ?? own}
      coverage={latency.coverage}
      lastReceivedAt={latency.freshness.lastReceivedAt}
      now={latency.now}
      timeZone={latency.timeZone}
    />
  )
}
