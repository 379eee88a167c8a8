import { type AppLoadContext, data } from "@remix-run/node"
import { asTenant } from "#server/db/tenant.ts"
import { countCurrentIncidents } from "#server/detect/queries.ts"
import { LATENCY_OBJECTIVES } from "#server/rungs/objectives.ts"
import { getMoves } from "#server/rungs/move-queries.ts"
import { getLadder, listTeams } from "#server/rungs/queries.ts"
import { listDevelopersOf } from "#server/team/identities.ts"
import { getOrganization } from "#server/team/queries.ts"
import { findReadableTeams } from "#server/team/readable-teams.ts"
import { mayDo } from "#server/team/roles.ts"
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
    const readable = await findReadableTeams(tx, viewer, now)
    const teams = (await listTeams(tx)).filter((team) => readable.teamIds.includes(team.id))
    const own = await listDevelopersOf(tx, viewer.accountId)
    const range = parseRange(search, now, organization.timeZone)
    const isOwn = search.get("who") === "me" && own.length > 0
    const wanted = search.get("team")
    const found = teams.find((candidate) => candidate.id === wanted) ?? null
    // Another organization's team, one that is not theirs to read and one that never was are answered alike.
    if (wanted !== null && found === null) throw data("No such team", { status: 404 })
    const team = found ?? (readable.organization ? null : (teams[0] ?? null))
    if (team === null && !readable.organization && !isOwn) throw data(describeNothing(viewer), { status: 403 })
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

/** Why a viewer has no figures to read, and who changes that. */
function describeNothing(viewer: Viewer): string {
  return viewer.role === "manager"
    ? "You manage no team yet, so there are no figures to show you. An owner or admin says which teams you manage."
    : "You are in no team yet, so there are no team figures to show you. Your own are under Me."
}

/** When, as it ends a sentence. */
function describeRange({ from, to, preset, weeks }: Range, timeZone: string): string {
  if (preset !== null) return weeks === 1 ? "this week" : `in the last ${weeks} weeks`
  return `from ${formatDay(from, timeZone)} to ${formatDay(new Date(to.getTime() - 1), timeZone)}`
}

export type LadderData = Awaited<ReturnType<typeof loadLadder>>
