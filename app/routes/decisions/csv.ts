import { toCsv } from "../../lib/csv.ts"
import { guard } from "../../lib/guard.server.ts"
import { isoDay } from "../../lib/range.ts"
import { loadDecisions } from "./load.server.ts"
import { describeWhy, standingOf } from "./words.ts"

const COLUMNS = [
  "from",
  "decided",
  "because",
  "rule",
  "layer",
  "policy_version",
  "enforced",
  "action",
  "agent_tool",
  "rung",
  "decisions",
  "people",
  "why",
  "rule_text",
] as const

/** More rows than that are for a narrower filter. */
const ROWS_MAX = 20_000

/** The decisions of the log as it is filtered, all pages of it; what is withheld there is not in it either. */
export const loader = guard("decisions.read", async ({ viewer, request, context }) => {
  const search = new URL(request.url).searchParams
  search.delete("page")
  const { rows, now, timeZone } = await loadDecisions(viewer, search, context, ROWS_MAX)
  const lines = rows.map((row) => [
    row.bucketStart.toISOString(),
    row.effect,
    row.because,
    row.rule,
    row.layer,
    row.policyVersion,
    { in_force: "yes", older: "by an older version", none: "no" }[standingOf(row)],
    row.action,
    row.agentTool,
    row.rung,
    row.decisions,
    row.people,
    describeWhy(row),
    row.ruleThen?.text ?? null,
  ])
  return new Response(toCsv(COLUMNS, lines), {
    headers: {
      "content-type": "text/csv; charset=utf-8",
      "content-disposition": `attachment; filename="belay-decisions-${isoDay(now, timeZone)}.csv"`,
    },
  })
})
