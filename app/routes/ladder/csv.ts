import { isoDay } from "../../lib/range.ts"
import { guard } from "../../lib/guard.server.ts"
import { loadLadder } from "./load.server.ts"

const COLUMNS = [
  "bucket_start",
  "rung",
  "developers",
  "operations",
  "accepted",
  "presented",
  "acceptance",
  "latency_p50_ms",
  "latency_p95_ms",
  "questions_per_operation",
] as const

/** The ladder's figures by day or week as CSV. An empty field is no data, `withheld` is withheld. */
export const loader = guard("ladder.read", async ({ viewer, request, context }) => {
  const ladder = await loadLadder(viewer, new URL(request.url).searchParams, context)
  const field = (value: number | null, state: string) => (state === "withheld" ? "withheld" : (value ?? ""))
  const lines = ladder.buckets.map((bucket) =>
    [
      isoDay(bucket.bucketStart, ladder.timeZone),
      bucket.rung,
      field(bucket.developers, bucket.volumeState),
      field(bucket.operations, bucket.volumeState),
      field(bucket.accepted, bucket.acceptanceState),
      field(bucket.presented, bucket.acceptanceState),
      field(bucket.acceptance, bucket.acceptanceState),
      field(bucket.latencyP50Ms, bucket.latencyState),
      field(bucket.latencyP95Ms, bucket.latencyState),
      field(bucket.promptsPerOperation, bucket.volumeState),
    ].join(","),
  )
  return new Response(`${[COLUMNS.join(","), ...lines].join("\r\n")}\r\n`, {
    headers: {
      "content-type": "text/csv; charset=utf-8",
      "content-disposition": `attachment; filename="belay-ladder-${isoDay(ladder.range.from, ladder.timeZone)}.csv"`,
    },
  })
})
