import { listAlerts } from "#server/alert/queries.ts"
import { asTenant } from "#server/db/tenant.ts"
import { getOrganization } from "#server/team/queries.ts"
import { findReadableTeams } from "#server/team/readable-teams.ts"
import { toCsv } from "../../lib/csv.ts"
import { guard } from "../../lib/guard.server.ts"
import { isoDay } from "../../lib/range.ts"
import { describeAlert, stateOf } from "./alert-list.server.ts"

const COLUMNS = [
  "id",
  "kind",
  "state",
  "severity",
  "has_data",
  "rung",
  "team",
  "title",
  "summary",
  "opened_at",
  "acknowledged_at",
  "acknowledged_by",
  "resolved_at",
  "resolved_by",
  "reopened",
  "grouped_under",
  "cause",
] as const

/** More rows than that are for a narrower filter. */
const ROWS_MAX = 20_000

/** The alerts of the list as it is filtered, all pages of it. */
export const loader = guard("alerts.read", async ({ viewer, request, context }) => {
  const now = context.now()
  const state = stateOf(new URL(request.url).searchParams)
  const { alerts, timeZone } = await asTenant(context.db, viewer.orgId, async (tx) => {
    const readable = await findReadableTeams(tx, viewer, now)
    return {
      alerts: (await listAlerts(tx, { readable, state, before: null, limit: ROWS_MAX })).map(describeAlert),
      timeZone: (await getOrganization(tx)).timeZone,
    }
  })
  const lines = alerts.map((alert) => [
    alert.id,
    alert.kind,
    alert.state,
    alert.severity,
    alert.hasData ? "yes" : "no",
    alert.rung,
    alert.team,
    alert.title,
    alert.summary,
    alert.openedAt.toISOString(),
    alert.acknowledgedAt?.toISOString() ?? null,
    alert.acknowledgedBy,
    alert.resolvedAt?.toISOString() ?? null,
    alert.resolvedByEmail,
    alert.reopened,
    alert.parentId,
    alert.cause,
  ])
  return new Response(toCsv(COLUMNS, lines), {
    headers: {
      "content-type": "text/csv; charset=utf-8",
      "content-disposition": `attachment; filename="belay-alerts-${isoDay(now, timeZone)}.csv"`,
    },
  })
})
