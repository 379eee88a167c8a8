import { hash, randomBytes } from "node:crypto"
import { sql } from "kysely"
import { type AuditActor, recordAudit } from "../audit/commands.ts"
import type { Described } from "../audit/entry.ts"
import type { TenantTx } from "../db/tenant.ts"
import { type KeyScope, toKeyScopes } from "./key-scopes.ts"

/** Characters of a key that are kept in the clear, so that people can tell keys apart. */
const PREFIX_LENGTH = 10

export function generateIngestKey(): string {
  return `blk_${randomBytes(24).toString("base64url")}`
}

export function hashIngestKey(key: string): Buffer {
  return hash("sha256", key, "buffer")
}

export function prefixOf(key: string): string {
  return key.slice(0, PREFIX_LENGTH)
}

interface NewKey {
  readonly name: string
  readonly scopes: readonly KeyScope[]
  /** Whose key it is, for display; it puts nobody into the team. */
  readonly teamId: string | null
  /** The only agent tool that may send with it. */
  readonly agentTool: string | null
  readonly expiresAt: Date | null
}

export type MadeKey =
  | { readonly ok: true; readonly id: string; readonly key: string }
  | { readonly ok: false; readonly reason: "no_such_team" }

/** Makes a key and returns it; it cannot be read again. */
export async function createIngestKey(tx: TenantTx, args: NewKey & { by: AuditActor }): Promise<MadeKey> {
  const { by, teamId } = args
  if (teamId !== null) {
    // A foreign key does not know about tenants.
    const team = await tx.selectFrom("team").select("id").where("id", "=", teamId).executeTakeFirst()
    if (team === undefined) return { ok: false, reason: "no_such_team" }
  }
  return { ok: true, ...(await insertKey(tx, args, { by, replacesId: null })) }
}

async function insertKey(tx: TenantTx, made: NewKey, args: { by: AuditActor; replacesId: string | null }) {
  const { by, replacesId } = args
  const key = generateIngestKey()
  const row = await tx
    .insertInto("ingest_key")
    .values({
      org_id: by.orgId,
      name: made.name,
      prefix: prefixOf(key),
      key_hash: hashIngestKey(key),
      scopes: sql`${made.scopes}::text[]`,
      team_id: made.teamId,
      agent_tool: made.agentTool,
      created_by: by.actorEmail,
      created_at: by.occurredAt,
      expires_at: made.expiresAt,
      replaces_id: replacesId,
    })
    .returning("id")
    .executeTakeFirstOrThrow()
  const after = { ...describe(made), prefix: prefixOf(key), replaces: replacesId }
  await recordAudit(tx, { ...by, action: "key.create", targetKind: "ingest_key", targetId: row.id, after })
  return { id: row.id, key }
}

function describe(key: NewKey): Described {
  return {
    name: key.name,
    scopes: key.scopes.join(" "),
    team: key.teamId,
    tool: key.agentTool,
    expires: key.expiresAt?.toISOString() ?? null,
  }
}

export type ListedKey = Awaited<ReturnType<typeof listIngestKeys>>[number]

/**
 * The organization's keys, newest first, without the keys themselves; only those that have no other scope than `scopes`.
 * `lastUsedAt` is exact to a minute.
 */
export async function listIngestKeys(tx: TenantTx, scopes: readonly KeyScope[]) {
  const rows = await tx
    .selectFrom("ingest_key as k")
    .leftJoin("team as t", "t.id", "k.team_id")
    .leftJoin("ingest_key as before", "before.id", "k.replaces_id")
    .leftJoin("ingest_key as successor", "successor.replaces_id", "k.id")
    .where(sql<boolean>`k.scopes <@ ${scopes}::text[]`)
    .select([
      "k.id",
      "k.name",
      "k.prefix",
      "k.scopes",
      "t.name as team",
      "k.agent_tool as agentTool",
      "k.created_at as createdAt",
      "k.created_by as createdBy",
      "k.expires_at as expiresAt",
      "k.last_used_at as lastUsedAt",
      "k.revoked_at as revokedAt",
      "before.prefix as replaces",
      "successor.prefix as replacedBy",
    ])
    .orderBy("k.created_at", "desc")
    .orderBy("k.id")
    .execute()
  return rows.map((row) => ({ ...row, scopes: toKeyScopes(row.scopes) }))
}

/** Whether the organization has a key that agents can send with. */
export async function hasIngestKey(tx: TenantTx, now: Date): Promise<boolean> {
  const found = await tx
    .selectFrom("ingest_key")
    .select("id")
    .where(sql<boolean>`scopes @> array['ingest']`)
    .where("revoked_at", "is", null)
    .where((eb) => eb.or([eb("expires_at", "is", null), eb("expires_at", ">", now)]))
    .limit(1)
    .executeTakeFirst()
  return found !== undefined
}

/** A live key that has no other scope than `scopes`, locked until the transaction ends. */
function findLiveKey(tx: TenantTx, args: { id: string; scopes: readonly KeyScope[]; now: Date }) {
  return tx
    .selectFrom("ingest_key")
    .selectAll()
    .where("id", "=", args.id)
    .where("revoked_at", "is", null)
    .where((eb) => eb.or([eb("expires_at", "is", null), eb("expires_at", ">", args.now)]))
    .where(sql<boolean>`scopes <@ ${args.scopes}::text[]`)
    .forUpdate()
    .executeTakeFirst()
}

/**
 * Makes a successor with the same name, scopes, team, tool and length of life, and lets the old key live for `overlapMs`
 * more, or until it expires if that is sooner. With 0 the old key is revoked.
 *
 * `not_found` when there is no live key of these scopes, or it was rotated before.
 */
export async function rotateIngestKey(
  tx: TenantTx,
  args: { id: string; overlapMs: number; scopes: readonly KeyScope[]; by: AuditActor },
): Promise<{ ok: true; name: string; scopes: readonly KeyScope[]; key: string } | { ok: false; reason: "not_found" }> {
  const { id, overlapMs, by } = args
  const now = by.occurredAt
  const old = await findLiveKey(tx, { id, scopes: args.scopes, now })
  if (old === undefined) return { ok: false, reason: "not_found" }
  const successor = await tx.selectFrom("ingest_key").select("id").where("replaces_id", "=", id).executeTakeFirst()
  if (successor !== undefined) return { ok: false, reason: "not_found" }

  const lifeMs = old.expires_at === null ? null : old.expires_at.getTime() - old.created_at.getTime()
  const scopes = toKeyScopes(old.scopes)
  const made = await insertKey(
    tx,
    {
      name: old.name,
      scopes,
      teamId: old.team_id,
      agentTool: old.agent_tool,
      expiresAt: lifeMs === null ? null : new Date(now.getTime() + lifeMs),
    },
    { by, replacesId: id },
  )
  const stopsAt = new Date(Math.min(now.getTime() + overlapMs, old.expires_at?.getTime() ?? Infinity))
  const stops = overlapMs === 0 ? { revoked_at: now } : { expires_at: stopsAt }
  await tx.updateTable("ingest_key").set(stops).where("id", "=", id).execute()
  await recordAudit(tx, {
    ...by,
    action: "key.rotate",
    targetKind: "ingest_key",
    targetId: id,
    before: { name: old.name, prefix: old.prefix, expires: old.expires_at?.toISOString() ?? null },
    after: { replacedBy: made.id, stops: stopsAt.toISOString() },
  })
  return { ok: true, name: old.name, scopes, key: made.key }
}

/** False when there is no such live key of these scopes. Every process stops accepting it within a second. */
export async function revokeIngestKey(
  tx: TenantTx,
  args: { id: string; scopes: readonly KeyScope[]; by: AuditActor },
): Promise<boolean> {
  const { id, scopes, by } = args
  const key = await findLiveKey(tx, { id, scopes, now: by.occurredAt })
  if (key === undefined) return false
  await tx.updateTable("ingest_key").set({ revoked_at: by.occurredAt }).where("id", "=", id).execute()
  await recordAudit(tx, {
    ...by,
    action: "key.revoke",
    targetKind: "ingest_key",
    targetId: id,
    before: { name: key.name, prefix: key.prefix, revoked: null },
    after: { revoked: by.occurredAt.toISOString() },
  })
  return true
}
