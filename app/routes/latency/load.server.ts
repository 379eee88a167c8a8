import type { AppLoadContext } from "@remix-run/node"
import { type Rung, RUNGS } from "#sdk/ladder.ts"
import { asTenant } from "#server/db/tenant.ts"
import {
  getDoseResponse,
  getFirstTokens,
  getLatency,
  type LatencyFigures,
  listMarkedChanges,
  listModelLatency,
  listToolLatency,
} from "#server/latency/queries.ts"
import { LATENCY_OBJECTIVES } from "#server/rungs/objectives.ts"
import { getFreshness } from "#server/rungs/queries.ts"
import type { Viewer } from "#server/sign-in/sessions.ts"
import { mayDo } from "#server/team/roles.ts"
import { getCoverage } from "#server/usage/queries.ts"
import { describeRange, readScope } from "../../lib/scope.server.ts"
import { describeLatency } from "./sentence.ts"

/** Past this many weeks a point stands for a week. */
const DAILY_UP_TO_WEEKS = 2

/** Everything the page on latency shows for the range, team, rung, tool and model that the URL names. */
export async function loadLatency(viewer: Viewer, search: URLSearchParams, context: AppLoadContext) {
  const now = context.now()
  return asTenant(context.db, viewer.orgId, async (tx) => {
    const { organization, readable, teams, team, range } = await readScope(tx, { viewer, search, now, isOwn: false })
    const { timeZone } = organization
    const teamId = team?.id ?? null
    const scope = { from: range.from, to: range.to, now, teamId, timeZone }
    const bucket = range.weeks > DAILY_UP_TO_WEEKS ? "week" : "day"
    const latency = await getLatency(tx, { ...scope, bucket })
    const rung = RUNGS.find((name) => name === search.get("rung")) ?? slowestOf(latency.rungs)
    const ofRung = { ...scope, rung }
    // Teams are not cut by tool and model as well.
    const tools = teamId === null ? await listToolLatency(tx, ofRung) : null
    const models = teamId === null ? await listModelLatency(tx, ofRung) : null
    const chosen = (name: string, splits: typeof tools) =>
      splits?.find((split) => split.name !== null && split.name === search.get(name))?.name ?? null
    return {
      now,
      timeZone,
      minGroupSize: organization.minGroupSize,
      range,
      teams,
      teamId,
      teamName: team?.name ?? null,
      canReadOrganization: readable.organization,
      rung,
      tool: chosen("tool", tools),
      model: chosen("model", models),
      sentence: describeLatency(latency, teams, describeRange(range, timeZone)),
      bucket: latency.bucket,
      rungs: latency.rungs,
      previous: latency.previous,
      buckets: latency.buckets,
      byTeam: latency.teams,
      previousByTeam: latency.previousTeams,
      tools,
      models,
      // A suggestion begins when it is shown, which the other figures say.
      firstTokens: rung === "autocomplete" ? null : ((await getFirstTokens(tx, ofRung)) ?? null),
      dose: await getDoseResponse(tx, ofRung),
      changes: await listMarkedChanges(tx, range),
      canAlert: mayDo(viewer.role, "alert_rules.manage"),
      coverage: await getCoverage(tx, scope),
      freshness: await getFreshness(tx, { ...scope, ownDeveloperIds: null }),
      objectives: LATENCY_OBJECTIVES,
    }
  })
}

/** The rung that is furthest past its objective, or nearest to it. */
function slowestOf(rungs: readonly LatencyFigures[]): Rung {
  const timesOf = (row: LatencyFigures) => (row.p95Ms === null ? -1 : row.p95Ms / LATENCY_OBJECTIVES[row.rung].p95Ms)
  return rungs.toSorted((a, b) => timesOf(b) - timesOf(a))[0]?.rung ?? "autocomplete"
}

export type LatencyData = Awaited<ReturnType<typeof loadLatency>>
