import { data } from "@remix-run/node"
import { toCsv } from "../../lib/csv.ts"
import { guard } from "../../lib/guard.server.ts"
import { isoDay } from "../../lib/range.ts"
import { type ChangesData, loadOutcomes, type OutcomesData } from "./load.server.ts"

type Cell = string | number | null
interface File {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly Cell[])[]
}

/** The figures of one chart as CSV. An empty field is no data, `withheld` is withheld. */
export const loader = guard("ladder.read", async ({ viewer, request, context }) => {
  const search = new URL(request.url).searchParams
  const outcomes = await loadOutcomes(viewer, search, context)
  const chart = search.get("chart") ?? "funnel"
  const file = FILES[chart]?.(outcomes)
  if (file === undefined) throw data("No such chart", { status: 404 })
  const name = `belay-outcomes-${chart}-${isoDay(outcomes.range.from, outcomes.timeZone)}.csv`
  return new Response(toCsv(file.columns, file.rows), {
    headers: {
      "content-type": "text/csv; charset=utf-8",
      "content-disposition": `attachment; filename="${name}"`,
    },
  })
})

const CHANGE_COLUMNS = {
  people: "people",
  changes: "changes",
  sized: "sized",
  within: "within_limit",
  unclear: "unclear",
  medianLines: "median_lines",
  verified: "verified",
  reviewed: "reviewed",
  medianWaitMinutes: "median_wait_minutes",
  approved: "approved",
  medianMinutesPer100Lines: "median_review_minutes_per_100_lines",
  rounds: "rounds",
  merged: "merged",
  mergedUnreviewed: "merged_without_review",
  mergedUnverified: "merged_without_evidence",
  reverted: "taken_back",
  abandoned: "closed_without_merging",
  accepted: "accepted_with_tool_calls",
  acceptedToolCalls: "tool_calls",
} as const satisfies Partial<Record<keyof ChangesData, string>>
const CHANGE_FIGURES = Object.keys(CHANGE_COLUMNS).flatMap((name) => (isFigure(name) ? [name] : []))

function isFigure(name: string): name is keyof typeof CHANGE_COLUMNS {
  return name in CHANGE_COLUMNS
}

const cellsOf = (row: ChangesData) => CHANGE_FIGURES.map((name) => row[name] ?? "withheld")

const FILES: Record<string, (outcomes: OutcomesData) => File> = {
  funnel: ({ funnels }) => ({
    columns: ["rung", "stage", "reached", "of_the_stage_before", "that_reached_it", "share", "low", "high"],
    rows: funnels.flatMap((funnel): Cell[][] =>
      funnel.state === "shown"
        ? funnel.stages.map(({ name, reached, step }) => [
            funnel.rung,
            name,
            reached,
            step?.whole ?? null,
            step?.part ?? null,
            step?.value ?? null,
            step?.interval.low ?? null,
            step?.interval.high ?? null,
          ])
        : [[funnel.rung, funnel.state === "withheld" ? "withheld" : null, null, null, null, null, null, null]],
    ),
  }),
  changes: ({ buckets, timeZone }) => ({
    columns: ["week", "rung", ...Object.values(CHANGE_COLUMNS)],
    rows: buckets.map((row) => [isoDay(row.week, timeZone), row.rung, ...cellsOf(row)]),
  }),
  loops: ({ loops }) => ({
    columns: ["rung", "people", "tasks", "loops", "share", "low", "high", "tokens", "usd"],
    rows: loops.map(({ rung, state, people, tasks, loops: count, share, burned }) => {
      const none = state === "withheld" ? "withheld" : null
      const orNone = (value: number | null) => value ?? (burned.state === "withheld" ? "withheld" : null)
      return [
        ...[rung, people ?? none, tasks ?? none, count ?? none],
        ...[share?.value ?? none, share?.interval.low ?? none, share?.interval.high ?? none],
        ...[orNone(burned.tokens), orNone(burned.usd)],
      ]
    }),
  }),
  teams: ({ byTeam, teams }) => ({
    columns: ["team", "rung", ...Object.values(CHANGE_COLUMNS)],
    // Of teams that the viewer may not read there is no name.
    rows: byTeam.flatMap((row) => {
      const team = teams.find(({ id }) => id === row.teamId)
      return team === undefined ? [] : [[team.name, row.rung, ...cellsOf(row)]]
    }),
  }),
}
