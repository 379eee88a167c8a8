import type { AppLoadContext } from "@remix-run/node"
import { asTenant } from "#server/db/tenant.ts"
import { countCurrentIncidents } from "#server/detect/queries.ts"
import { LATENCY_OBJECTIVES } from "#server/rungs/objectives.ts"
import { getMoves } from "#server/rungs/move-queries.ts"
import { getLadder } from "#server/rungs/queries.ts"
import { listDevelopersOf } from "#server/team/identities.ts"
import { mayDo } from "#server/team/roles.ts"
import type { Viewer } from "#server/sign-in/sessions.ts"
import { describeRange, readScope } from "../../lib/scope.server.ts"
import { describeLadder } from "./sentence.ts"

/** Past this many weeks a point stands for a week. */
const DAILY_UP_TO_WEEKS = 2

/** Everything the ladder shows for the range, team and people that the URL names. */
export async function loadLadder(viewer: Viewer, search: URLSearchParams, context: AppLoadContext) {
  const now = context.now()
  return asTenant(context.db, viewer.orgId, async (tx) => {
    const own = await listDevelopersOf(tx, viewer.accountId)
    const isOwn = search.get("who") === "me" && own.length > 0
    const scope = await readScope(tx, { viewer, search, now, isOwn })
    const { organization, readable, teams, team, range } = scope
    const ladder = await getLadder(tx, {
      from: range.from,
      to: range.to,
      now,
      teamId: isOwn ? null : (team?.id ?? null),
      ownDeveloperIds: isOwn ? own : null,
      bucket: range.weeks > DAILY_UP_TO_WEEKS ? "week" : "day",
      timeZone: organization.timeZone,
    })
    const viewerOfIncidents = { readable, ownDeveloperIds: own }
    const incidents =
      mayDo(viewer.role, "incidents.read") && !isOwn
        ? await countCurrentIncidents(tx, { viewer: viewerOfIncidents, teamId: team?.id ?? null })
        : []
    const { from, to } = range
    // One's own are under Me. The CSV file has none.
    const moves = isOwn
      ? null
      : await getMoves(tx, { from, to, now, teamId: team?.id ?? null, timeZone: organization.timeZone })
    return {
      now,
      timeZone: organization.timeZone,
      minGroupSize: organization.minGroupSize,
      range,
      bucket: ladder.bucket,
      teams,
      canReadOrganization: readable.organization,
      teamId: team?.id ?? null,
      hasOwn: own.length > 0,
      isOwn,
      sentence: describeLadder(ladder, teams, describeRange(range, organization.timeZone)),
      rungs: ladder.rungs.toReversed(),
      previous: ladder.previous,
      buckets: ladder.buckets,
      byTeam: ladder.teams,
      previousByTeam: ladder.previousTeams,
      incidents,
      freshness: ladder.freshness,
      moves,
      objectives: LATENCY_OBJECTIVES,
    }
  })
}

export type LadderData = Awaited<ReturnType<typeof loadLadder>>
