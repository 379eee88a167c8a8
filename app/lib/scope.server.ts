import { data } from "@remix-run/node"
import type { TenantTx } from "#server/db/tenant.ts"
import { listTeams } from "#server/rungs/queries.ts"
import { getOrganization } from "#server/team/queries.ts"
import { findReadableTeams, type Reader } from "#server/team/readable-teams.ts"
import { type Against, ALL_TEAMS, NOT_COMPARABLE } from "./against.ts"
import { formatDay } from "./format.ts"
import { parseRange, type Range } from "./range.ts"

/**
 * The range and team that the URL names, of those that the viewer may read; refuses what they may not. `isOwn` is for people
 * who look at their own figures, whatever the team.
 */
export async function readScope(
  tx: TenantTx,
  { viewer, search, now, isOwn }: { viewer: Reader; search: URLSearchParams; now: Date; isOwn: boolean },
) {
  const organization = await getOrganization(tx)
  const readable = await findReadableTeams(tx, viewer, now)
  const teams = (await listTeams(tx)).filter((team) => readable.teamIds.includes(team.id))
  const wanted = search.get("team")
  const found = teams.find((candidate) => candidate.id === wanted) ?? null
  // Another organization's team, one that is not theirs to read and one that never was are answered alike.
  if (wanted !== null && found === null) throw data("No such team", { status: 404 })
  const team = found ?? (readable.organization ? null : (teams[0] ?? null))
  if (team === null && !readable.organization && !isOwn) throw data(describeNothing(viewer), { status: 403 })
  return { organization, readable, teams, team, range: parseRange(search, now, organization.timeZone) }
}

/** Whom the URL compares that team with; null for the period before, and for a team with itself. Refuses what they may not read. */
export function readAgainst(
  search: URLSearchParams,
  { readable, teams, team }: Pick<Awaited<ReturnType<typeof readScope>>, "readable" | "teams" | "team">,
): Against | null {
  const wanted = search.get("against")
  if (wanted === null || wanted === (team?.id ?? ALL_TEAMS)) return null
  if (wanted === ALL_TEAMS && readable.organization) return { teamId: null, name: "all teams" }
  const found = teams.find(({ id }) => id === wanted)
  if (found === undefined) throw data(NOT_COMPARABLE, { status: 404 })
  return { teamId: found.id, name: found.name }
}

/** Why a viewer has no figures to read, and who changes that. */
function describeNothing(viewer: Reader): string {
  return viewer.role === "manager"
    ? "You manage no team yet, so there are no figures to show you. An owner or admin says which teams you manage."
    : "You are in no team yet, so there are no team figures to show you. Your own are under Me."
}

/** When, as it ends a sentence. */
export function describeRange({ from, to, preset, weeks }: Range, timeZone: string): string {
  if (preset !== null) return weeks === 1 ? "this week" : `in the last ${weeks} weeks`
  return `from ${formatDay(from, timeZone)} to ${formatDay(new Date(to.getTime() - 1), timeZone)}`
}
