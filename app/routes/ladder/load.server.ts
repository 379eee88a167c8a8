import { asTenant } from "#server/db/tenant.ts"
import { countCurrentIncidents } from "#server/detect/queries.ts"
import { LATENCY_OBJECTIVES } from "#server/rungs/objectives.ts"
import { getMoves } from "#server/rungs/move-queries.ts"
import { getLadder } from "#server/rungs/queries.ts"
import { listDevelopersOf } from "#server/team/identities.ts"
import { mayDo } from "#server/team/roles.ts"
import type { Viewer } from "#server/sign-in/sessions.ts"
import { putBeside } from "../../lib/against.ts"
import { describeRange, readAgainst, readScope } from "../../lib/scope.server.ts"
import { questionOfWeeks, type WeeksAsked, type WeeksContext } from "../../lib/weeks-answer.server.ts"
import { describeLadder } from "./sentence.ts"

/** Past this many weeks a point stands for a week. */
const DAILY_UP_TO_WEEKS = 2

/** Everything the ladder shows for the range, team and people that the URL names. */
export async function loadLadder(viewer: Viewer, search: URLSearchParams, context: WeeksContext) {
  const now = context.now()
  const { organization, readable, teams, team, range, own, isOwn, against, incidents } = await asTenant(
    context.db,
    viewer.orgId,
    async (tx) => {
      const ownIds = await listDevelopersOf(tx, viewer.accountId)
      const asksForOwn = search.get("who") === "me" && ownIds.length > 0
      const scope = await readScope(tx, { viewer, search, now, isOwn: asksForOwn })
      const viewerOfIncidents = { readable: scope.readable, ownDeveloperIds: ownIds }
      const isToldOfIncidents = mayDo(viewer.role, "incidents.read") && !asksForOwn
      return {
        ...scope,
        own: ownIds,
        isOwn: asksForOwn,
        // One's own stand beside nobody's.
        against: asksForOwn ? null : readAgainst(search, scope),
        incidents: isToldOfIncidents
          ? await countCurrentIncidents(tx, { viewer: viewerOfIncidents, teamId: scope.team?.id ?? null })
          : [],
      }
    },
  )
  const { timeZone } = organization
  const teamId = team?.id ?? null
  const asked = { orgId: viewer.orgId, search, timeZone }
  const [{ ladder, moves }, other] = await Promise.all([
    isOwn
      ? {
          ladder: await asTenant(context.db, viewer.orgId, (tx) =>
            getLadder(tx, {
              from: range.from,
              to: range.to,
              now,
              timeZone,
              bucket: bucketOf(range.weeks),
              teamId: null,
              ownDeveloperIds: own,
            }),
          ),
          // One's own are under Me. The CSV file has none.
          moves: null,
        }
      : getLadderAnswer(context, { ...asked, teamId }),
    against === null ? null : getLadderAnswer(context, { ...asked, teamId: against.teamId }),
  ])
  return {
    now,
    timeZone,
    minGroupSize: organization.minGroupSize,
    range,
    bucket: ladder.bucket,
    teams,
    canReadOrganization: readable.organization,
    teamId,
    hasOwn: own.length > 0,
    isOwn,
    sentence: describeLadder(ladder, teams, describeRange(range, timeZone)),
    rungs: ladder.rungs.toReversed(),
    against,
    previous: putBeside(ladder, other?.ladder).previous,
    buckets: ladder.buckets,
    byTeam: ladder.teams,
    previousByTeam: ladder.previousTeams,
    incidents,
    freshness: ladder.freshness,
    moves,
    objectives: LATENCY_OBJECTIVES,
  }
}

function bucketOf(weeks: number): "day" | "week" {
  return weeks > DAILY_UP_TO_WEEKS ? "week" : "day"
}

/** Figures and moves of the ladder, as they are kept. */
export function ladderQuestion(of: WeeksAsked) {
  return questionOfWeeks({ ...of, page: "ladder" }, async (tx, scope) => ({
    ladder: await getLadder(tx, { ...scope, bucket: bucketOf(scope.weeks), ownDeveloperIds: null }),
    moves: await getMoves(tx, scope),
  }))
}

export function getLadderAnswer(
  context: Pick<WeeksContext, "answers" | "now">,
  of: Omit<Parameters<typeof ladderQuestion>[0], "now">,
) {
  return context.answers.get(ladderQuestion({ ...of, now: context.now() }))
}

export type LadderData = Awaited<ReturnType<typeof loadLadder>>
