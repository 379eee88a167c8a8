import { type AuditActor, recordAudit } from "../audit/commands.ts"
import type { TenantTx } from "../db/tenant.ts"

/** How long an owner may look, in minutes. */
export const BREAK_GLASS_MINUTES = [15, 60, 240] as const
export const REASON_LENGTH_MIN = 10

export interface BreakGlass {
  readonly id: string
  readonly openedByEmail: string
  readonly reason: string
  readonly openedAt: Date
  readonly expiresAt: Date
  readonly closedAt: Date | null
}

/**
 * Opens a person's own data to an owner, for a reason and a limited time. It is in the audit log, and on the person's
 * page from the same moment. Null when there is no such person.
 */
export async function openBreakGlass(
  tx: TenantTx,
  args: { accountId: string; reason: string; minutes: number; by: AuditActor & { actorId: string } },
): Promise<{ id: string; email: string; expiresAt: Date } | null> {
  const { accountId, reason, minutes, by } = args
  const person = await tx.selectFrom("account").select("email").where("id", "=", accountId).executeTakeFirst()
  if (person === undefined) return null
  const expiresAt = new Date(by.occurredAt.getTime() + minutes * 60_000)
  const row = await tx
    .insertInto("break_glass")
    .values({
      org_id: by.orgId,
      account_id: accountId,
      opened_by: by.actorId,
      reason,
      opened_at: by.occurredAt,
      expires_at: expiresAt,
    })
    .returning("id")
    .executeTakeFirstOrThrow()
  await recordAudit(tx, {
    ...by,
    action: "break_glass.open",
    targetKind: "account",
    targetId: accountId,
    reason,
    after: { until: expiresAt.toISOString() },
  })
  return { id: row.id, email: person.email, expiresAt }
}

/** The access that is open to this owner now; null when there is none. Looking is in the audit log each time. */
export async function useBreakGlass(
  tx: TenantTx,
  args: { accountId: string; by: AuditActor & { actorId: string } },
): Promise<BreakGlass | null> {
  const { accountId, by } = args
  const open = (await listBreakGlass(tx, accountId, by.actorId)).find(
    (access) => access.closedAt === null && access.expiresAt > by.occurredAt,
  )
  if (open === undefined) return null
  const target = { targetKind: "account", targetId: accountId }
  await recordAudit(tx, { ...by, action: "break_glass.view", ...target, reason: open.reason })
  return open
}

/** Ends what is open to this owner, before its time. False when nothing is. */
export async function closeBreakGlass(
  tx: TenantTx,
  args: { accountId: string; by: AuditActor & { actorId: string } },
): Promise<boolean> {
  const { accountId, by } = args
  const closed = await tx
    .updateTable("break_glass")
    .set({ closed_at: by.occurredAt })
    .where("account_id", "=", accountId)
    .where("opened_by", "=", by.actorId)
    .where("closed_at", "is", null)
    .where("expires_at", ">", by.occurredAt)
    .returning("id")
    .execute()
  if (closed.length === 0) return false
  await recordAudit(tx, { ...by, action: "break_glass.close", targetKind: "account", targetId: accountId })
  return true
}

/** Every access to a person's data there was, the newest first; only one owner's when given. */
export function listBreakGlass(tx: TenantTx, accountId: string, openedBy: string | null = null): Promise<BreakGlass[]> {
  return tx
    .selectFrom("break_glass as b")
    .innerJoin("account as o", "o.id", "b.opened_by")
    .select(["b.id", "o.email as openedByEmail", "b.reason", "b.opened_at as openedAt", "b.expires_at as expiresAt"])
    .select("b.closed_at as closedAt")
    .where("b.account_id", "=", accountId)
    .$if(openedBy !== null, (query) => query.where("b.opened_by", "=", openedBy))
    .orderBy("b.opened_at", "desc")
    .execute()
}

/** That the person was told by e-mail. */
export async function markTold(tx: TenantTx, id: string, at: Date): Promise<void> {
  await tx.updateTable("break_glass").set({ told_at: at }).where("id", "=", id).execute()
}
