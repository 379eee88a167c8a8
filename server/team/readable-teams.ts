import { sql } from "kysely"
import type { TenantTx } from "../db/tenant.ts"
import type { AccountRole } from "../db/types.ts"
import { getToday } from "./queries.ts"

/** An account, or a key that reads analytics. */
export type Reader = { readonly accountId: string; readonly role: AccountRole } | { readonly role: "api" }

/** Roles that read the figures of the whole organization. */
const READ_EVERYTHING: readonly AccountRole[] = ["owner", "admin", "on-call"]

export interface Readable {
  /** Whether the figures of the organization as a whole are open, and with them every team's. */
  readonly organization: boolean
  /** Teams whose figures are open. */
  readonly teamIds: readonly string[]
}

/**
 * Whose figures a viewer may read. A manager: of the teams they manage and their sub-teams, and of the organization
 * when that is all of it. A developer: of the team they are in today.
 */
export async function findReadableTeams(tx: TenantTx, viewer: Reader, now: Date): Promise<Readable> {
  const teams = await tx.selectFrom("team").select(["id", "parent_team_id as parentId"]).execute()
  const everything = { organization: true, teamIds: teams.map((team) => team.id) }
  if (viewer.role === "api" || READ_EVERYTHING.includes(viewer.role)) return everything
  if (viewer.role === "manager") {
    const managed = await tx
      .selectFrom("team_manager")
      .select("team_id")
      .where("account_id", "=", viewer.accountId)
      .execute()
    const ids = new Set(managed.map((row) => row.team_id))
    const isManaged = (team: (typeof teams)[number]) =>
      ids.has(team.id) || (team.parentId !== null && ids.has(team.parentId))
    const isAll = teams.length > 0 && teams.every((team) => team.parentId !== null || ids.has(team.id))
    return isAll ? everything : { organization: false, teamIds: teams.filter(isManaged).map((team) => team.id) }
  }
  if (viewer.role !== "developer") return { organization: false, teamIds: [] }
  const today = await getToday(tx, now)
  const membership = await tx
    .selectFrom("team_member as m")
    .innerJoin("account as a", "a.developer_id", "m.developer_id")
    .select("m.team_id")
    .where("a.id", "=", viewer.accountId)
    .where(sql<boolean>`m.valid_from <= ${today}::date and (m.valid_to is null or m.valid_to > ${today}::date)`)
    .executeTakeFirst()
  return { organization: false, teamIds: membership === undefined ? [] : [membership.team_id] }
}
