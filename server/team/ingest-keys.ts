import { createHash, randomBytes } from "node:crypto"
import { type Kysely, sql } from "kysely"
import { type AuditActor, recordAudit } from "../audit/commands.ts"
import { asTenant, type TenantTx } from "../db/tenant.ts"
import type { DB } from "../db/types.ts"

/** Characters of a key that are kept in the clear, so that people can tell keys apart. */
const PREFIX_LENGTH = 10

export function generateIngestKey(): string {
  return `blk_${randomBytes(24).toString("base64url")}`
}

export function hashIngestKey(key: string): Buffer {
  return createHash("sha256").update(key).digest()
}

export function prefixOf(key: string): string {
  return key.slice(0, PREFIX_LENGTH)
}

/** Makes a key and returns it; it cannot be read again. */
export async function createIngestKey(tx: TenantTx, args: { name: string; by: AuditActor }) {
  const key = generateIngestKey()
  const row = await tx
    .insertInto("ingest_key")
    .values({ org_id: args.by.orgId, name: args.name, prefix: prefixOf(key), key_hash: hashIngestKey(key) })
    .returning("id")
    .executeTakeFirstOrThrow()
  const after = { name: args.name, prefix: prefixOf(key) }
  await recordAudit(tx, { ...args.by, action: "key.create", targetKind: "ingest_key", targetId: row.id, after })
  return { id: row.id, key }
}

/** The organization's keys, newest first, without the keys themselves. */
export function listIngestKeys(tx: TenantTx) {
  return tx
    .selectFrom("ingest_key")
    .select([
      "id",
      "name",
      "prefix",
      "created_at as createdAt",
      "last_used_at as lastUsedAt",
      "revoked_at as revokedAt",
    ])
    .orderBy("created_at", "desc")
    .execute()
}

/** False when there is no such live key. Every process stops accepting it within a second. */
export async function revokeIngestKey(tx: TenantTx, args: { id: string; by: AuditActor }): Promise<boolean> {
  const revoked = await tx
    .updateTable("ingest_key")
    .set({ revoked_at: args.by.occurredAt })
    .where("id", "=", args.id)
    .where("revoked_at", "is", null)
    .returning(["name", "prefix"])
    .executeTakeFirst()
  if (revoked === undefined) return false
  await recordAudit(tx, {
    ...args.by,
    action: "key.revoke",
    targetKind: "ingest_key",
    targetId: args.id,
    before: revoked,
  })
  return true
}

/** How long an answer about a key is remembered; a revoked key works that much longer. */
const REMEMBERED_MS = 1000
const REMEMBERED_MAX = 10_000
/** `last_used_at` is no more exact than this, so that a busy key does not write on every request. */
const LAST_USED_EVERY_MS = 60_000

/** Answers which organization a key belongs to; takes the ingest role's database. */
export function createKeyAuthenticator(db: Kysely<DB>, now: () => Date): (key: string) => Promise<string | null> {
  const remembered = new Map<string, { at: number; found: Promise<{ id: string; org_id: string } | null> }>()
  const lastUsed = new Map<string, number>()

  async function find(key: string) {
    const result = await sql<{ id: string; org_id: string }>`
      select * from belay_ingest_key_by_hash(${hashIngestKey(key)})`.execute(db)
    return result.rows[0] ?? null
  }

  async function markUsed(id: string, orgId: string, at: number): Promise<void> {
    if (at - (lastUsed.get(id) ?? 0) < LAST_USED_EVERY_MS) return
    lastUsed.set(id, at)
    await asTenant(db, orgId, (tx) =>
      tx
        .updateTable("ingest_key")
        .set({ last_used_at: new Date(at) })
        .where("id", "=", id)
        .execute(),
    )
  }

  return async (key) => {
    const at = now().getTime()
    const known = remembered.get(key)
    const isFresh = known !== undefined && at - known.at < REMEMBERED_MS
    if (!isFresh) {
      if (remembered.size >= REMEMBERED_MAX) remembered.clear()
      remembered.set(key, { at, found: find(key) })
    }
    try {
      const found = (await remembered.get(key)?.found) ?? null
      if (found === null) return null
      await markUsed(found.id, found.org_id, at)
      return found.org_id
    } catch (error) {
      remembered.delete(key)
      throw error
    }
  }
}
