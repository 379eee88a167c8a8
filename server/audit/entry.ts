import { createHash } from "node:crypto"

/** JSON that a change is described in. Never a secret, never a password. */
export type Described = { readonly [name: string]: string | number | boolean | null }

/** One thing that somebody did. */
export interface AuditEntry {
  /** 1 for the first of an organization, without gaps. */
  readonly sequence: number
  readonly occurredAt: Date
  /** Null when nobody was signed in. */
  readonly actorId: string | null
  readonly actorEmail: string | null
  /** `key.create`, `session.sign_in_failed`, … */
  readonly action: string
  readonly targetKind: string
  readonly targetId: string | null
  readonly before: Described | null
  readonly after: Described | null
  readonly reason: string | null
  readonly requestId: string
}

export interface ChainedEntry extends AuditEntry {
  /** In hex: what makes a copy of the log comparable with it. */
  readonly hash: string
}

/** What stands before the first entry. */
export const FIRST_HASH = Buffer.alloc(32)

/**
 * SHA-256 over the hash of the entry before and this entry as JSON with its keys in a fixed order, so that no entry can
 * be changed, removed or put in without all that follow it. Times are in milliseconds, as they are stored.
 */
export function hashEntry(previousHash: Uint8Array, orgId: string, entry: AuditEntry): Buffer {
  const fields = [
    orgId,
    entry.sequence,
    entry.occurredAt.toISOString(),
    entry.actorId,
    entry.actorEmail,
    entry.action,
    entry.targetKind,
    entry.targetId,
    canonical(entry.before),
    canonical(entry.after),
    entry.reason,
    entry.requestId,
  ]
  return createHash("sha256").update(previousHash).update(JSON.stringify(fields)).digest()
}

/** Postgres keeps the keys of jsonb in an order of its own. */
function canonical(described: Described | null): readonly (readonly [string, unknown])[] | null {
  return described === null ? null : Object.entries(described).toSorted(([a], [b]) => (a < b ? -1 : 1))
}
