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
  NOTHING_TIMED,
} from "#server/latency/queries.ts"
import { LATENCY_OBJECTIVES } from "#server/rungs/objectives.ts"
import { getFreshness } from "#server/rungs/queries.ts"
import type { Viewer } from "#server/sign-in/sessions.ts"
import { mayDo } from "#server/team/roles.ts"
import { getCoverage } from "#server/usage/queries.ts"
import { putBeside } from "../../lib/against.ts"
import { describeRange, readAgainst, readScope } from "../../lib/scope.server.ts"
import { questionOfWeeks, type WeeksAsked, type WeeksContext } from "../../lib/weeks-answer.server.ts"
import { describeLatency } from "./sentence.ts"

/** Past this many weeks a point stands for a week. */
const DAILY_UP_TO_WEEKS = 2

/** Everything the page on latency shows for the range, team, rung, tool and model that the URL names. */
export async function loadLatency(viewer: Viewer, search: URLSearchParams, context: WeeksContext) {
  const now = context.now()
  const { organization, readable, teams, team, range, against, changes } = await asTenant(
    context.db,
    viewer.orgId,
    async (tx) => {
      const found = await readScope(tx, { viewer, search, now, isOwn: false })
      return { ...found, against: readAgainst(search, found), changes: await listMarkedChanges(tx, found.range) }
    },
  )
  const { timeZone } = organization
  const teamId = team?.id ?? null
  const wanted = RUNGS.find((name) => name === search.get("rung")) ?? null
  const ask = (of: string | null, ofRung: Rung | null) =>
    getLatencyAnswer(context, { orgId: viewer.orgId, search, teamId: of, timeZone, rung: ofRung })
  const { latency, rung, tools, models, firstTokens, ...more } = await ask(teamId, wanted)
  // The slowest rung of this team may not be the slowest of the other.
  const other = against === null ? null : await ask(against.teamId, rung)
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
    against,
    rungs: latency.rungs,
    previous: putBeside(latency, other?.latency).previous,
    buckets: latency.buckets,
    byTeam: latency.teams,
    previousByTeam: latency.previousTeams,
    tools,
    models,
    firstTokens:
      firstTokens === null || other === null
        ? firstTokens
        : { ...firstTokens, previous: other.firstTokens ?? NOTHING_TIMED },
    ...more,
    changes,
    canAlert: mayDo(viewer.role, "alert_rules.manage"),
    objectives: LATENCY_OBJECTIVES,
  }
}

/** What the page on latency asks of weeks, as it is kept. Without a rung it is the slowest. */
export function latencyQuestion(of: WeeksAsked & { rung: Rung | null }) {
  const { rung, ...asked } = of
  const isOfAll = of.teamId === null
  return questionOfWeeks({ ...asked, page: "latency", choices: { rung } }, async (tx, scope) => {
    const bucket = scope.weeks > DAILY_UP_TO_WEEKS ? "week" : "day"
    const latency = await getLatency(tx, { ...scope, bucket })
    const ofRung = { ...scope, rung: rung ?? slowestOf(latency.rungs) }
    return {
      latency,
      rung: ofRung.rung,
      // Teams are not cut by tool and model as well.
      tools: isOfAll ? await listToolLatency(tx, ofRung) : null,
      models: isOfAll ? await listModelLatency(tx, ofRung) : null,
      // A suggestion begins when it is shown, which the other figures say.
      firstTokens: ofRung.rung === "autocomplete" ? null : ((await getFirstTokens(tx, ofRung)) ?? null),
      dose: await getDoseResponse(tx, ofRung),
      coverage: await getCoverage(tx, scope),
      freshness: await getFreshness(tx, { ...scope, ownDeveloperIds: null }),
    }
  })
}

export function getLatencyAnswer(
  context: Pick<WeeksContext, "answers" | "now">,
  of: Omit<Parameters<typeof latencyQuestion>[0], "now">,
) {
  return context.answers.get(latencyQuestion({ ...of, now: context.now() }))
}

/** The rung that is furthest past its objective, or nearest to it. */
function slowestOf(rungs: readonly LatencyFigures[]): Rung {
  const timesOf = (row: LatencyFigures) => (row.p95Ms === null ? -1 : row.p95Ms / LATENCY_OBJECTIVES[row.rung].p95Ms)
  return rungs.toSorted((a, b) => timesOf(b) - timesOf(a))[0]?.rung ?? "autocomplete"
}

export type LatencyData = Awaited<ReturnType<typeof loadLatency>>
