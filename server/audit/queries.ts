import type { Kysely } from "kysely"
import type { TenantTx } from "../db/tenant.ts"
import type { DB } from "../db/types.ts"
import { type AuditEntry, type ChainedEntry, type Described, FIRST_HASH, hashEntry } from "./entry.ts"

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
): Promise<ChainedEntry[]> {
  const rows = await tx
    .selectFrom("audit_event")
    .select([...COLUMNS, "hash"])
    .$if(args.beforeSequence !== null, (query) => query.where("sequence", "<", args.beforeSequence ?? 0))
    .$if(args.action !== null, (query) => query.where("action", "=", args.action ?? ""))
    .orderBy("sequence", "desc")
    .limit(args.limit)
    .execute()
  return rows.map(toChainedEntry)
}

/** An organization's entries after a sequence number, oldest first, with their hashes. Takes the worker's database. */
export async function listEntriesAfter(
  db: Kysely<DB>,
  args: { orgId: string; sequence: number; limit: number },
): Promise<ChainedEntry[]> {
  const rows = await db
    .selectFrom("audit_event")
    .select([...COLUMNS, "hash"])
    .where("org_id", "=", args.orgId)
    .where("sequence", ">", args.sequence)
    .orderBy("sequence")
    .limit(args.limit)
    .execute()
  return rows.map(toChainedEntry)
}

/** How far the log was sent on, null when none of it was; `total` is its last entry. */
export async function getAuditExport(tx: TenantTx) {
  const cursor = await tx
    .selectFrom("audit_export")
    .select(["sequence", "sent_at as sentAt", "refused", "error", "retry_at as retryAt"])
    .executeTakeFirst()
  const last = await tx
    .selectFrom("audit_event")
    .select("sequence")
    .orderBy("sequence", "desc")
    .limit(1)
    .executeTakeFirst()
  return { cursor: cursor ?? null, total: last?.sequence ?? 0 }
}

/** The actions that were ever recorded, by name. */
export async function listAuditActions(tx: TenantTx): Promise<string[]> {
  const rows = await tx.selectFrom("audit_event").select("action").distinct().orderBy("action").execute()
  return rows.map((row) => row.action)
}

export type Verification =
  | {
      readonly ok: true
      readonly entries: number
      /** Hash of the newest entry in hex; null when there is none. */
      readonly head: string | null
      /** Up to which entry a cut would have been noticed, because it was sent on; null when none was. */
      readonly witnessed: number | null
    }
  | { readonly ok: false; readonly sequence: number; readonly problem: string }

const PAGE = 1000

/**
 * Walks an organization's log from its first entry and finds the first that was changed, removed or put in.
 *
 * A chain alone does not show that its newest entries were cut off, or that all of it was written anew. What was sent on
 * shows it: the last entry that was, and its hash, are compared. For entries after that one, and against someone who may
 * write to every table, only a copy elsewhere helps: the endpoint's, an export, or a `head` that was noted.
 */
export async function verifyAudit(db: Kysely<DB> | TenantTx, orgId: string): Promise<Verification> {
  // Read first: what is sent on meanwhile was there before.
  const sent = await db
    .selectFrom("audit_export")
    .select(["sequence", "hash"])
    .where("org_id", "=", orgId)
    .executeTakeFirst()
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
      if (row.sequence === sent?.sequence && sent.hash !== null && !row.hash.equals(sent.hash)) {
        return { ok: false, sequence: row.sequence, problem: "the entry is not the one that was sent on" }
      }
      previousHash = row.hash
      sequence = row.sequence
    }
    if (rows.length < PAGE) break
  }

  if (sent !== undefined && sent.sequence > sequence) {
    const problem = `the log ends here, although entries up to ${sent.sequence} were sent on`
    return { ok: false, sequence: sequence + 1, problem }
  }
  const head = sequence === 0 ? null : Buffer.from(previousHash).toString("hex")
  const witnessed = sent !== undefined && sent.sequence > 0 ? sent.sequence : null
  return { ok: true, entries: sequence, head, witnessed }
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

function toChainedEntry(row: Row & { hash: Buffer }): ChainedEntry {
  return { ...toEntry(row), hash: row.hash.toString("hex") }
}

/** What was written through `recordAudit` is an object of plain values. */
function toDescribed(value: unknown): Described | null {
  return typeof value === "object" && value !== null ? (value as Described) : null
}
