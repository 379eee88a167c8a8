import { data } from "@remix-run/node"
import type { ChangeCost } from "#server/usage/cost-queries.ts"
import { toCsv } from "../../lib/csv.ts"
import { guard } from "../../lib/guard.server.ts"
import { isoDay } from "../../lib/range.ts"
import { loadUsage, type UsageData } from "./load.server.ts"
import { nameOfWork, WORK_CUTS, type WorkCut, workRowsOf } from "./work-rows.ts"

type Cell = string | number | null
interface File {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly Cell[])[]
}

/** The figures of one chart as CSV. `withheld` is withheld. */
export const loader = guard("ladder.read", async ({ viewer, request, context }) => {
  const search = new URL(request.url).searchParams
  const usage = await loadUsage(viewer, search, context)
  const chart = search.get("chart") ?? "people"
  const by = WORK_CUTS.find(({ name }) => name === search.get("by"))?.name ?? "agent_tool"
  const file = FILES[chart]?.(usage, by)
  if (file === undefined) throw data("No such chart", { status: 404 })
  const name = `belay-usage-${chart === "work" ? `work-by-${by}` : chart}-${isoDay(usage.range.from, usage.timeZone)}.csv`
  return new Response(toCsv(file.columns, file.rows), {
    headers: {
      "content-type": "text/csv; charset=utf-8",
      "content-disposition": `attachment; filename="${name}"`,
    },
  })
})

const orWithheld = (value: Cell): Cell => value ?? "withheld"

function costCells(cost: ChangeCost | null): readonly Cell[] {
  if (cost === null) return Array.from({ length: 8 }, () => "withheld")
  const { people, closed, merged, standing, usd, perStanding, interval } = cost
  return [people, closed, merged, standing, usd, perStanding, interval?.low ?? null, interval?.high ?? null]
}

const FILES: Record<string, (usage: UsageData, by: WorkCut) => File> = {
  people: ({ weeks, timeZone }) => ({
    columns: ["week", "active", "unused"],
    rows: weeks.map(({ week, active, unused }) => [isoDay(week, timeZone), orWithheld(active), orWithheld(unused)]),
  }),
  days: ({ days, timeZone }) => ({
    columns: ["day", "active"],
    rows: (days ?? []).map(({ day, active }) => [isoDay(day, timeZone), orWithheld(active)]),
  }),
  changes: ({ costs }) => ({
    columns: [
      "rung",
      "model",
      "size",
      "people",
      "closed",
      "merged",
      "standing",
      "usd",
      "usd_per_standing",
      "low",
      "high",
    ],
    rows: [
      ...(costs?.rungs ?? []).flatMap((row) =>
        row.state === "no_data" ? [] : [[row.rung, "all", "all", ...costCells(row.cost)]],
      ),
      ...(costs?.models ?? []).map((row) => [
        row.rung,
        row.state === "withheld" ? "withheld" : row.hasSeveral ? "several" : row.name,
        row.state === "withheld" ? "withheld" : row.isEasy ? "easy" : "other",
        ...costCells(row.cost),
      ]),
    ],
  }),
  work: ({ work }, by) => ({
    columns: [
      "rung",
      by === "rung" ? "all" : by,
      "people",
      "operations",
      "operations_before",
      "tokens",
      "usd",
      "usd_before",
      "unpriced_tokens",
    ],
    rows: workRowsOf(work, by).map((row) => {
      const { spend, spendState } = row
      const orNone = (value: Cell | undefined): Cell => value ?? (spendState === "no_data" ? null : "withheld")
      return [
        row.rung,
        row.state !== "shown" ? "withheld" : by === "rung" ? "all" : nameOfWork(row),
        orWithheld(row.people),
        orWithheld(row.operations),
        row.previous,
        orNone(spend?.tokens),
        orNone(spend?.usd),
        spend?.previousUsd ?? null,
        orNone(spend?.unpricedTokens),
      ]
    }),
  }),
  teams: ({ spendByTeam, teams }) => ({
    columns: ["team", "people", "calls", "tokens", "usd", "usd_before"],
    // Of teams that the viewer may not read there is no name.
    rows: (spendByTeam ?? []).flatMap((row) => {
      const team = teams.find(({ id }) => id === row.teamId)
      return team === undefined
        ? []
        : [
            [
              team.name,
              orWithheld(row.people),
              orWithheld(row.calls),
              orWithheld(row.tokens),
              orWithheld(row.usd),
              row.previousUsd,
            ],
          ]
    }),
  }),
  models: ({ models }) => ({
    columns: ["model", "people", "calls", "tokens", "usd", "unpriced_tokens", "usd_before"],
    rows: (models ?? []).map((row) => [
      row.state === "withheld" ? "withheld" : row.name,
      orWithheld(row.people),
      orWithheld(row.calls),
      orWithheld(row.tokens),
      orWithheld(row.usd),
      orWithheld(row.unpricedTokens),
      row.previousUsd,
    ]),
  }),
}
