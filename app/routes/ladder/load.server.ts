import type { AppLoadContext } from "@remix-run/node"
import { asTenant } from "#server/db/tenant.ts"
import { LATENCY_OBJECTIVES } from "#server/rungs/objectives.ts"
import { getLadder, listTeams } from "#server/rungs/queries.ts"
import { getOrganization, listOwnDevelopers } from "#server/team/queries.ts"
import type { Viewer } from "#server/sign-in/sessions.ts"
import { parseRange, previousRange } from "../../lib/range.ts"
import { describeLadder } from "./sentence.ts"

/** Past this many days a point stands for a week. */
const DAILY_UP_TO_DAYS = 14

/** Everything the ladder shows for the range, team and people that the URL names. */
export async function loadLadder(viewer: Viewer, search: URLSearchParams, context: AppLoadContext) {
  const now = context.now()
  return asTenant(context.db, viewer.orgId, async (tx) => {
    const organization = await getOrganization(tx)
    const teams = await listTeams(tx)
    const own = await listOwnDevelopers(tx, viewer.email)
    const range = parseRange(search, now, organization.timeZone)
    const team = teams.find((candidate) => candidate.id === search.get("team")) ?? null
    const isOwn = search.get("who") === "me" && own.length > 0
    const bucket = range.days > DAILY_UP_TO_DAYS ? ("week" as const) : ("day" as const)
    const ladder = await getLadder(tx, {
      previousFrom: previousRange(range).from,
      from: range.from,
      to: range.to,
      teamId: isOwn ? null : (team?.id ?? null),
      ownDeveloperIds: isOwn ? own : null,
      bucket,
      timeZone: organization.timeZone,
    })
    const period = range.preset === null ? range.label : `the last ${range.label}`
    return {
      now,
      timeZone: organization.timeZone,
      minGroupSize: organization.minGroupSize,
      range,
      bucket,
      teams,
      teamId: team?.id ?? null,
      hasOwn: own.length > 0,
      isOwn,
      sentence: describeLadder(ladder, teams, period),
      rungs: ladder.rungs.toReversed(),
      previous: ladder.previous,
      buckets: ladder.buckets,
      byTeam: ladder.teams,
      previousByTeam: ladder.previousTeams,
      freshness: ladder.freshness,
      objectives: LATENCY_OBJECTIVES,
    }
  })
}

export type LadderData = Awaited<ReturnType<typeof loadLadder>>
