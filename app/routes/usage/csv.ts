import { data } from "@remix-run/node"
import { toCsv } from "../../lib/csv.ts"
import { guard } from "../../lib/guard.server.ts"
import { isoDay } from "../../lib/range.ts"
import { loadUsage, type UsageData } from "./load.server.ts"

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
  const file = FILES[chart]?.(usage)
  if (file === undefined) throw data("No such chart", { status: 404 })
  const name = `belay-usage-${chart}-${isoDay(usage.range.from, usage.timeZone)}.csv`
  return new Response(toCsv(file.columns, file.rows), {
    headers: {
      "content-type": "text/csv; charset=utf-8",
      "content-disposition": `attachment; filename="${name}"`,
    },
  })
})

const orWithheld = (value: Cell): Cell => value ?? "withheld"

const FILES: Record<string, (usage: UsageData) => File> = {
  people: ({ weeks, timeZone }) => ({
    columns: ["week", "active", "unused"],
    rows: weeks.map(({ week, active, unused }) => [isoDay(week, timeZone), orWithheld(active), orWithheld(unused)]),
  }),
  tools: ({ tools }) => ({
    columns: ["rung", "agent_tool", "people", "operations"],
    rows: (tools ?? []).map((row) => [
      row.rung,
      orWithheld(row.name),
      orWithheld(row.people),
      orWithheld(row.operations),
    ]),
  }),
  models: ({ models }) => ({
    columns: ["model", "people", "calls", "tokens", "usd", "unpriced_tokens"],
    rows: (models ?? []).map((row) => [
      row.state === "withheld" ? "withheld" : row.name,
      orWithheld(row.people),
      orWithheld(row.calls),
      orWithheld(row.tokens),
      orWithheld(row.usd),
      orWithheld(row.unpricedTokens),
    ]),
  }),
}
