import type { Kysely } from "kysely"
import type { TenantTx } from "../db/tenant.ts"
import type { DB } from "../db/types.ts"
import { type AuditEntry, type Described, FIRST_HASH, hashEntry } from "./entry.ts"

const COLUMNS = [
  "sequence",
  "occurred_at as occurredAt",
  "actor_id as actorId",
  "actor_email as actorEmail",
  "action",
  "target_kind as targetKind",
  "target_id as targetId",
  "before",
  "after",
  "reason",
  "request_id as requestId",
] as const

/** Entries before a sequence number, newest first; null starts at the newest. */
export async function listAuditEntries(
  tx: TenantTx,
  args: { beforeSequence: number | null; action: string | null; limit: number },
): Promise<AuditEntry[]> {
  const rows = await tx
    .selectFrom("audit_event")
    .select(COLUMNS)
    .$if(args.beforeSequence !== null, (query) => query.where("sequence", "<", args.beforeSequence ?? 0))
    .$if(args.action !== null, (query) => query.where("action", "=", args.action ?? ""))
    .orderBy("sequence", "desc")
    .limit(args.limit)
    .execute()
  return rows.map(toEntry)
}

/** The actions that were ever recorded, by name. */
export async function listAuditActions(tx: TenantTx): Promise<string[]> {
  const rows = await tx.selectFrom("audit_event").select("action").distinct().orderBy("action").execute()
  return rows.map((row) => row.action)
}

export type Verification =
  | { readonly ok: true; readonly entries: number }
  | { readonly ok: false; readonly sequence: number; readonly problem: string }

const PAGE = 1000

/**
 * Walks an organization's log from its first entry and finds the first that was changed, removed or put in. That the
 * newest entries were cut off does not show in a chain alone: keep the count, or the last hash, somewhere else.
 */
export async function verifyAudit(db: Kysely<DB> | TenantTx, orgId: string): Promise<Verification> {
  let previousHash: Uint8Array = FIRST_HASH
  let sequence = 0
  for (;;) {
    const rows = await db
      .selectFrom("audit_event")
      .select([...COLUMNS, "previous_hash", "hash"])
      .where("org_id", "=", orgId)
      .where("sequence", ">", sequence)
      .orderBy("sequence")
      .limit(PAGE)
      .execute()
    for (const row of rows) {
      if (row.sequence !== sequence + 1) {
        return { ok: false, sequence: sequence + 1, problem: "the entry is missing" }
      }
      const expected = hashEntry(previousHash, orgId, toEntry(row))
      if (!row.previous_hash.equals(previousHash) || !row.hash.equals(expected)) {
        return { ok: false, sequence: row.sequence, problem: "the entry is not what was recorded" }
      }
      previousHash = row.hash
      sequence = row.sequence
    }
    if (rows.length < PAGE) return { ok: true, entries: sequence }
  }
}

type Row = Omit<AuditEntry, "before" | "after"> & { before: unknown; after: unknown }

function toEntry(row: Row): AuditEntry {
  const { sequence, occurredAt, actorId, actorEmail, action, targetKind, targetId, reason, requestId } = row
  return {
    sequence,
    occurredAt,
    actorId,
    actorEmail,
    action,
    targetKind,
    targetId,
    before: toDescribed(row.before),
    after: toDescribed(row.after),
    reason,
    requestId,
  }
}

/** What was written through `recordAudit` is an object of plain values. */
function toDescribed(value: unknown): Described | null {
  return typeof value === "object" && value !== null ? (value as Described) : null
}
