import { sql, type Transaction } from "kysely"
import type { DB } from "../db/types.ts"
import type { Roster } from "./contract.ts"
import { createOffsets } from "./time-zone.ts"

/** Offsets by zone; one takes some time to make and is the same for everybody. */
export type Zones = Map<string, (at: number) => number>

/** Who is where in an organization, and has been. Days begin in the organization's own zone. */
export async function readRoster(
  tx: Transaction<DB>,
  { orgId, timeZone, zones }: { orgId: string; timeZone: string; zones: Zones },
): Promise<Roster> {
  const teams = await tx
    .selectFrom("team")
    .select(["id", "time_zone as timeZone"])
    .where("org_id", "=", orgId)
    .orderBy("id")
    .execute()
  const members = await sql<{ developer: string; team: string; from: number; to: number | null }>`
    select developer_id as developer, team_id as team,
      (extract(epoch from valid_from::timestamp at time zone ${timeZone}) * 1000)::float8 as from,
      (extract(epoch from valid_to::timestamp at time zone ${timeZone}) * 1000)::float8 as to
    from team_member where org_id = ${orgId}::uuid order by valid_from`.execute(tx)
  const nobody = await tx
    .selectFrom("developer")
    .select("id")
    .where("org_id", "=", orgId)
    .where("is_unattributed", "=", true)
    .executeTakeFirst()
  const memberships = new Map<string, { team: string; from: number; to: number | null }[]>()
  for (const { developer, ...membership } of members.rows) {
    const known = memberships.get(developer)
    if (known === undefined) memberships.set(developer, [membership])
    else known.push(membership)
  }
  return {
    teams: teams.map((team) => ({ id: team.id, offsetMinutes: offsetsOf(team.timeZone ?? timeZone, zones) })),
    memberships,
    unattributed: nobody?.id ?? null,
  }
}

function offsetsOf(timeZone: string, zones: Zones): (at: number) => number {
  const known = zones.get(timeZone)
  if (known !== undefined) return known
  const offsets = createOffsets(timeZone)
  zones.set(timeZone, offsets)
  return offsets
}
