import { randomUUID } from "node:crypto"
import { sql } from "kysely"
import type { TenantTx } from "../db/tenant.ts"
import { type AuditEntry, FIRST_HASH, hashEntry } from "./entry.ts"

/** Who did it, when, and in which request. */
export type AuditActor = Pick<AuditEntry, "actorId" | "actorEmail" | "occurredAt" | "requestId"> & {
  readonly orgId: string
}

type AuditRecord = Pick<AuditEntry, "occurredAt" | "action" | "targetKind"> &
  Partial<Omit<AuditEntry, "occurredAt" | "action" | "targetKind" | "sequence">> & { readonly orgId: string }

/** Appends to the organization's audit log, in the transaction of the change that it describes. */
export async function recordAudit(tx: TenantTx, record: AuditRecord): Promise<void> {
  const { orgId, ...given } = record
  // One writer at a time in an organization: each entry holds the hash of the one before.
  await sql`select pg_advisory_xact_lock(hashtext('belay_audit'), hashtext(${orgId}))`.execute(tx)
  const last = await tx
    .selectFrom("audit_event")
    .select(["sequence", "hash"])
    .orderBy("sequence", "desc")
    .limit(1)
    .executeTakeFirst()
  const previousHash = last?.hash ?? FIRST_HASH
  const entry: AuditEntry = {
    actorId: null,
    actorEmail: null,
    targetId: null,
    before: null,
    after: null,
    reason: null,
    requestId: randomUUID(),
    ...given,
    sequence: (last?.sequence ?? 0) + 1,
  }
  await tx
    .insertInto("audit_event")
    .values({
      org_id: orgId,
      sequence: entry.sequence,
      occurred_at: entry.occurredAt,
      actor_id: entry.actorId,
      actor_email: entry.actorEmail,
      action: entry.action,
      target_kind: entry.targetKind,
      target_id: entry.targetId,
      before: entry.before,
      after: entry.after,
      reason: entry.reason,
      request_id: entry.requestId,
      previous_hash: previousHash,
      hash: hashEntry(previousHash, orgId, entry),
    })
    .execute()
}
