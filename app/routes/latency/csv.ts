import { data } from "@remix-run/node"
import type { LatencySplit, Percentiles } from "#server/latency/queries.ts"
import { toCsv } from "../../lib/csv.ts"
import { guard } from "../../lib/guard.server.ts"
import { isoDay } from "../../lib/range.ts"
import { loadLatency, type LatencyData } from "./load.server.ts"

type Cell = string | number | null
interface File {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly Cell[])[]
}

const PERCENTILES = ["people", "timed", "p50_ms", "p95_ms", "p99_ms"] as const

/** The figures of one chart as CSV. An empty field is no data, `withheld` is withheld. */
export const loader = guard("ladder.read", async ({ viewer, request, context }) => {
  const search = new URL(request.url).searchParams
  const latency = await loadLatency(viewer, search, context)
  const chart = search.get("chart") ?? "rungs"
  const toFile = FILES[chart]
  if (toFile === undefined) throw data("No such chart", { status: 404 })
  const { columns, rows } = toFile(latency)
  const name = `belay-latency-${chart}-${isoDay(latency.range.from, latency.timeZone)}.csv`
  return new Response(toCsv(columns, rows), {
    headers: {
      "content-type": "text/csv; charset=utf-8",
      "content-disposition": `attachment; filename="${name}"`,
    },
  })
})

const FILES: Record<string, (latency: LatencyData) => File> = {
  rungs: (latency) => ({
    columns: ["bucket_start", "rung", ...PERCENTILES, "late_share"],
    rows: latency.buckets.map((row) => [
      isoDay(row.bucketStart, latency.timeZone),
      row.rung,
      ...percentilesOf(row),
      fieldOf(row.lateShare, row.state),
    ]),
  }),
  distribution: (latency) => ({
    columns: ["bucket_start", "rung", "from_ms", "to_ms", "operations"],
    rows: ofRung(latency).flatMap((row) =>
      row.bands.map(({ fromMs, toMs, count }) => [
        isoDay(row.bucketStart, latency.timeZone),
        row.rung,
        fromMs,
        toMs === Infinity ? null : toMs,
        count,
      ]),
    ),
  }),
  dose: (latency) => ({
    columns: ["rung", "from_ms", "to_ms", "people", "accepted", "presented", "acceptance", "low", "high"],
    rows: latency.dose.bands.map((row) => [
      latency.rung,
      row.fromMs,
      row.toMs === Infinity ? null : row.toMs,
      row.people,
      row.accepted,
      row.presented,
      row.acceptance,
      row.interval.low,
      row.interval.high,
    ]),
  }),
  use: (latency) => ({
    columns: ["bucket_start", "rung", "people", "operations", "p95_ms"],
    rows: ofRung(latency).map((row) => [
      isoDay(row.bucketStart, latency.timeZone),
      row.rung,
      fieldOf(row.users, row.useState),
      fieldOf(row.operations, row.useState),
      fieldOf(row.p95Ms, row.state),
    ]),
  }),
  teams: (latency) => ({
    columns: ["team", "rung", ...PERCENTILES, "late_share"],
    rows: latency.byTeam.map((row) => [
      latency.teams.find(({ id }) => id === row.teamId)?.name ?? null,
      row.rung,
      ...percentilesOf(row),
      fieldOf(row.lateShare, row.state),
    ]),
  }),
  tools: (latency) => splitFile(latency, "agent_tool", latency.tools ?? []),
  models: (latency) => splitFile(latency, "model", latency.models ?? []),
  "first-token": (latency) =>
    splitFile(latency, "model", latency.firstTokens === null ? [] : [{ ...latency.firstTokens, name: "all" }]),
}

function ofRung(latency: LatencyData) {
  return latency.buckets.filter(({ rung }) => rung === latency.rung)
}

function splitFile(latency: LatencyData, column: string, splits: readonly LatencySplit[]): File {
  return {
    columns: ["week", "rung", column, ...PERCENTILES],
    rows: splits.flatMap((split) =>
      split.buckets.map((row) => [isoDay(row.week, latency.timeZone), latency.rung, split.name, ...percentilesOf(row)]),
    ),
  }
}

function fieldOf(value: number | null, state: string): Cell {
  return state === "withheld" ? "withheld" : value
}

function percentilesOf(row: Percentiles): readonly Cell[] {
  return [row.people, row.timed, row.p50Ms, row.p95Ms, row.p99Ms].map((value) => fieldOf(value, row.state))
}
