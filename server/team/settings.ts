import { type AuditActor, recordAudit } from "../audit/commands.ts"
import type { TenantTx } from "../db/tenant.ts"
import type { AccountRole } from "../db/types.ts"

export const GROUP_SIZE_MIN = 3
export const GROUP_SIZE_MAX = 50

export interface Settings {
  readonly name: string
  /** IANA zone in which days begin. */
  readonly timeZone: string
  /** k: figures of fewer people are withheld. */
  readonly minGroupSize: number
  /** For people whom the identity provider vouches for and no group maps; null lets only mapped groups in. */
  readonly ssoDefaultRole: AccountRole | null
  /** Whether a second person reviews every change of a policy. */
  readonly policyNeedsReview: boolean
}

export function getSettings(tx: TenantTx): Promise<Settings> {
  return tx
    .selectFrom("org")
    .select(["name", "time_zone as timeZone", "min_group_size as minGroupSize", "sso_default_role as ssoDefaultRole"])
    .select("policy_needs_review as policyNeedsReview")
    .executeTakeFirstOrThrow()
}

/** Saves the settings and says in the audit log what changed; nothing changed is nothing said. */
export async function saveSettings(tx: TenantTx, settings: Settings, by: AuditActor): Promise<void> {
  const before = await getSettings(tx)
  const changed = (Object.keys(before) as (keyof Settings)[]).filter((name) => before[name] !== settings[name])
  if (changed.length === 0) return
  await tx
    .updateTable("org")
    .set({
      name: settings.name,
      time_zone: settings.timeZone,
      min_group_size: settings.minGroupSize,
      sso_default_role: settings.ssoDefaultRole,
      policy_needs_review: settings.policyNeedsReview,
    })
    .where("id", "=", by.orgId)
    .execute()
  if (changed.includes("timeZone")) {
    // Days begin at other times now: those whose signals are kept are counted anew.
    await tx.updateTable("rollup_state").set({ needs_rebuild: true }).where("org_id", "=", by.orgId).execute()
  }
  const pick = (from: Settings) => Object.fromEntries(changed.map((name) => [name, from[name]]))
  await recordAudit(tx, {
    ...by,
    action: "settings.change",
    targetKind: "org",
    targetId: by.orgId,
    before: pick(before),
    after: pick(settings),
  })
}

export interface GroupMapping {
  readonly id: string
  readonly name: string
  readonly role: AccountRole | null
  readonly teamId: string | null
  readonly team: string | null
}

/** What members of the identity provider's groups become when they sign in. */
export function listGroupMappings(tx: TenantTx): Promise<GroupMapping[]> {
  return tx
    .selectFrom("sso_group as g")
    .leftJoin("team as t", "t.id", "g.team_id")
    .select(["g.id", "g.name", "g.role", "g.team_id as teamId", "t.name as team"])
    .orderBy("g.name")
    .execute()
}

/** Maps a group, or maps it anew. False when there is no such team. */
export async function mapGroup(
  tx: TenantTx,
  args: { name: string; role: AccountRole | null; teamId: string | null; by: AuditActor },
): Promise<boolean> {
  const { name, role, teamId, by } = args
  const team =
    teamId === null ? null : await tx.selectFrom("team").select("name").where("id", "=", teamId).executeTakeFirst()
  if (team === undefined) return false
  const before = (await listGroupMappings(tx)).find((group) => group.name === name)
  await tx
    .insertInto("sso_group")
    .values({ org_id: by.orgId, name, role, team_id: teamId })
    .onConflict((conflict) => conflict.columns(["org_id", "name"]).doUpdateSet({ role, team_id: teamId }))
    .execute()
  await recordAudit(tx, {
    ...by,
    action: "settings.map_group",
    targetKind: "sso_group",
    targetId: name,
    before: before === undefined ? null : { role: before.role, team: before.team },
    after: { role, team: team?.name ?? null },
  })
  return true
}

export async function unmapGroup(tx: TenantTx, args: { id: string; by: AuditActor }): Promise<boolean> {
  const before = (await listGroupMappings(tx)).find((group) => group.id === args.id)
  if (before === undefined) return false
  await tx.deleteFrom("sso_group").where("id", "=", args.id).execute()
  await recordAudit(tx, {
    ...args.by,
    action: "settings.unmap_group",
    targetKind: "sso_group",
    targetId: before.name,
    before: { role: before.role, team: before.team },
  })
  return true
}
