import type { AppLoadContext } from "@remix-run/node"
import { asTenant } from "#server/db/tenant.ts"
import { LATENCY_OBJECTIVES } from "#server/rungs/objectives.ts"
import { getLadder, listTeams } from "#server/rungs/queries.ts"
import { getOrganization, listOwnDevelopers } from "#server/team/queries.ts"
import type { Viewer } from "#server/sign-in/sessions.ts"
import { formatDay } from "../../lib/format.ts"
import { parseRange, type Range } from "../../lib/range.ts"
import { describeLadder } from "./sentence.ts"

/** Past this many weeks a point stands for a week. */
const DAILY_UP_TO_WEEKS = 2

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
    const ladder = await getLadder(tx, {
      from: range.from,
      to: range.to,
      now,
      teamId: isOwn ? null : (team?.id ?? null),
      ownDeveloperIds: isOwn ? own : null,
      bucket: range.weeks > DAILY_UP_TO_WEEKS ? "week" : "day",
      timeZone: organization.timeZone,
    })
    return {
      now,
      timeZone: organization.timeZone,
      minGroupSize: organization.minGroupSize,
      range,
      bucket: ladder.bucket,
      teams,
      teamId: team?.id ?? null,
      hasOwn: own.length > 0,
      isOwn,
      sentence: describeLadder(ladder, teams, describeRange(range, organization.timeZone)),
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

/** When, as it ends a sentence. */
function describeRange({ from, to, preset, weeks }: Range, timeZone: string): string {
  if (preset !== null) return weeks === 1 ? "this week" : `in the last ${weeks} weeks`
  return `from ${formatDay(from, timeZone)} to ${formatDay(new Date(to.getTime() - 1), timeZone)}`
}

export type LadderData = Awaited<ReturnType<typeof loadLadder>>
