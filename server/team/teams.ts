import { sql } from "kysely"
import { type AuditActor, recordAudit } from "../audit/commands.ts"
import type { TenantTx } from "../db/tenant.ts"

export interface TeamNode {
  readonly id: string
  readonly name: string
  readonly parentId: string | null
  /** IANA zone of its working hours; null is the organization's. */
  readonly timeZone: string | null
  /** People who are in it today, those of its sub-teams not counted. */
  readonly members: number
  /** Whether anybody ever was: then it cannot be deleted, because past figures name it. */
  readonly hasHistory: boolean
  readonly managers: number
}

/** The teams in the order of their tree: each top-level team by name, then its sub-teams by name. */
export async function listTeamTree(tx: TenantTx, today: string): Promise<TeamNode[]> {
  const rows = await tx
    .selectFrom("team as t")
    .leftJoin("team as p", "p.id", "t.parent_team_id")
    .select(["t.id", "t.name", "t.parent_team_id as parentId", "t.time_zone as timeZone"])
    .select([
      sql<number>`(select count(*)::int from team_member m where m.team_id = t.id
        and m.valid_from <= ${today}::date and (m.valid_to is null or m.valid_to > ${today}::date))`.as("members"),
      sql<boolean>`exists (select from team_member m where m.team_id = t.id)`.as("hasHistory"),
      sql<number>`(select count(*)::int from team_manager g where g.team_id = t.id)`.as("managers"),
    ])
    .orderBy(sql`lower(coalesce(p.name, t.name))`)
    .orderBy("t.parent_team_id", (order) => order.asc().nullsFirst())
    .orderBy(sql`lower(t.name)`)
    .execute()
  return rows
}

export type TeamChanged =
  | { readonly ok: true; readonly id: string }
  | { readonly ok: false; readonly reason: "not_found" | "name_taken" | "too_deep" | "in_use" }

/** Makes a team, on the top level or as a part of a top-level team. */
export async function createTeam(
  tx: TenantTx,
  args: { name: string; parentId: string | null; by: AuditActor },
): Promise<TeamChanged> {
  const { name, parentId, by } = args
  const refused = await refuseParent(tx, parentId)
  if (refused !== null) return refused
  const row = await tx
    .insertInto("team")
    .values({ org_id: by.orgId, name, parent_team_id: parentId })
    .onConflict((conflict) => conflict.columns(["org_id", "name"]).doNothing())
    .returning("id")
    .executeTakeFirst()
  if (row === undefined) return { ok: false, reason: "name_taken" }
  await recordAudit(tx, { ...by, action: "team.create", ...target(row.id), after: { name, parent: parentId } })
  return { ok: true, id: row.id }
}

/** Renames a team, puts it elsewhere in the tree, its past with it, or says in which zone it works. */
export async function changeTeam(
  tx: TenantTx,
  args: { id: string; name: string; parentId: string | null; timeZone: string | null; by: AuditActor },
): Promise<TeamChanged> {
  const { id, name, parentId, timeZone, by } = args
  const before = await findTeam(tx, id)
  if (before === undefined) return { ok: false, reason: "not_found" }
  const refused = parentId === before.parent_team_id ? null : await refuseParent(tx, parentId, id)
  if (refused !== null) return refused
  const sameName = await tx
    .selectFrom("team")
    .select("id")
    .where("name", "=", name)
    .where("id", "<>", id)
    .executeTakeFirst()
  if (sameName !== undefined) return { ok: false, reason: "name_taken" }
  if (name === before.name && parentId === before.parent_team_id && timeZone === before.time_zone) {
    return { ok: true, id }
  }
  await tx
    .updateTable("team")
    .set({ name, parent_team_id: parentId, time_zone: timeZone })
    .where("id", "=", id)
    .execute()
  await recordAudit(tx, {
    ...by,
    action: "team.change",
    ...target(id),
    before: { name: before.name, parent: before.parent_team_id, timeZone: before.time_zone },
    after: { name, parent: parentId, timeZone },
  })
  return { ok: true, id }
}

/** Deletes a team that nobody was ever in and that has no parts. */
export async function deleteTeam(tx: TenantTx, args: { id: string; by: AuditActor }): Promise<TeamChanged> {
  const { id, by } = args
  const before = await findTeam(tx, id)
  if (before === undefined) return { ok: false, reason: "not_found" }
  const used = await sql<{ is_used: boolean }>`
    select exists (select from team_member where team_id = ${id}::uuid)
      or exists (select from team where parent_team_id = ${id}::uuid) as is_used`.execute(tx)
  if (used.rows[0]?.is_used !== false) return { ok: false, reason: "in_use" }
  await tx.deleteFrom("team").where("id", "=", id).execute()
  await recordAudit(tx, { ...by, action: "team.delete", ...target(id), before: { name: before.name } })
  return { ok: true, id }
}

async function refuseParent(tx: TenantTx, parentId: string | null, ownId?: string): Promise<TeamChanged | null> {
  if (parentId === null) return null
  const parent = await findTeam(tx, parentId)
  if (parent === undefined) return { ok: false, reason: "not_found" }
  if (parent.parent_team_id !== null || parentId === ownId) return { ok: false, reason: "too_deep" }
  if (ownId === undefined) return null
  const part = await tx.selectFrom("team").select("id").where("parent_team_id", "=", ownId).executeTakeFirst()
  return part === undefined ? null : { ok: false, reason: "too_deep" }
}

function findTeam(tx: TenantTx, id: string) {
  return tx
    .selectFrom("team")
    .select(["name", "parent_team_id", "time_zone"])
    .where("id", "=", id)
    .forUpdate()
    .executeTakeFirst()
}

function target(teamId: string) {
  return { targetKind: "team", targetId: teamId }
}
