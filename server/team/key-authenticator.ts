import { type Kysely, sql } from "kysely"
import { asTenant } from "../db/tenant.ts"
import type { DB } from "../db/types.ts"
import { createLane } from "../lane.ts"
import { hashIngestKey } from "./ingest-keys.ts"
import { type KeyScope, toKeyScopes } from "./key-scopes.ts"
import { countAttempt, createLeasedLimit } from "./rate-limit.ts"
import { createRecent } from "./recent.ts"

export interface LiveKey {
  readonly id: string
  readonly orgId: string
  readonly scopes: readonly KeyScope[]
  /** The only agent tool that may send with it; null for any. */
  readonly agentTool: string | null
}

export type Authentication =
  | { readonly ok: true; readonly key: LiveKey }
  | { readonly ok: false; readonly reason: "unknown" }
  /** From where it came, too many keys were wrong; or this key was used too often. */
  | { readonly ok: false; readonly reason: "too_many_wrong" | "too_many"; readonly retryAfterSeconds: number }

export type AuthenticateKey = (key: string, clientAddress: string | null) => Promise<Authentication>

/** The key of an `Authorization` value. Some exporters send the header's percent-encoding as it was configured. */
export function readBearer(authorization: string | undefined): string | null {
  return /^bearer(?: +|%20)(\S+)$/i.exec(authorization ?? "")?.[1] ?? null
}

/** How long an answer about a key is remembered; a revoked key works that much longer. */
const REMEMBERED_MS = 1000
/** Keys that were good, of which the least recently used is forgotten. Wrong ones are not remembered at all. */
const GOOD_MAX = 10_000
/** `last_used_at` is no more exact than this, so that a busy key does not write on every request. */
const LAST_USED_EVERY_MS = 60_000

const WINDOW_MS = 60_000
/** Wrong keys from one network in a minute. */
const WRONG_OF_NETWORK_MAX = 100
/** Wrong keys from everywhere in a minute, where a proxy hides who sends. */
const WRONG_BEHIND_PROXY_MAX = 1000
/** Networks that are remembered as closed. */
const CLOSED_MAX = 10_000
/** Unknown keys that are looked at at once, so that a flood of them leaves connections to the others. */
const UNKNOWN_AT_ONCE = 2
/** While a network is closed, the keys that exist are read this often at most. */
const LIVE_LIST_EVERY_MS = 5000

interface Found extends LiveKey {
  readonly expiresAt: number
}

interface Remembered {
  at: number
  found: Promise<Found | null>
}

export interface AuthenticatorOptions {
  readonly now: () => Date
  /** One line for the operator when a network is closed. */
  readonly tell: (line: string) => void
  /** Then every request comes from the proxy's address, which says nothing. */
  readonly isBehindProxy: boolean
  /** Of one key, over all processes. */
  readonly requestsPerMinute: number
}

/**
 * Answers whose key this is; takes the ingest role's database. Keys are found by their SHA-256 through an index, and no
 * secret is compared here.
 *
 * Wrong keys are counted per network over all processes. Past the limit the network is closed until the minute ends: its
 * unknown keys are refused without being looked up. Keys that exist still pass.
 */
export function createKeyAuthenticator(db: Kysely<DB>, options: AuthenticatorOptions): AuthenticateKey {
  const good = createRecent<Remembered>(GOOD_MAX)
  const lastUsed = createRecent<number>(GOOD_MAX)
  const closedUntil = createRecent<number>(CLOSED_MAX)
  const inLane = createLane(UNKNOWN_AT_ONCE)
  const takeRequest = createLeasedLimit(db, { attemptsMax: options.requestsPerMinute, windowMs: WINDOW_MS })
  let live: { at: number; hashes: ReadonlySet<string> } = { at: -Infinity, hashes: new Set() }

  async function lookUp(hash: Buffer): Promise<Found | null> {
    const result = await sql<{
      id: string
      org_id: string
      scopes: string[]
      agent_tool: string | null
      expires_at: Date | null
    }>`select * from belay_ingest_key_by_hash(${hash})`.execute(db)
    const row = result.rows[0]
    if (row === undefined) return null
    return {
      id: row.id,
      orgId: row.org_id,
      scopes: toKeyScopes(row.scopes),
      agentTool: row.agent_tool,
      expiresAt: row.expires_at?.getTime() ?? Infinity,
    }
  }

  /** A key that was good when it was last seen. */
  async function findKnown(name: string, hash: Buffer, at: number): Promise<Found | null> {
    const known = good.get(name)
    if (known === undefined) return null
    if (at - known.at >= REMEMBERED_MS) Object.assign(known, { at, found: lookUp(hash) })
    try {
      const found = await known.found
      if (found !== null && found.expiresAt > at) return found
      good.delete(name)
      return null
    } catch (error) {
      // It stays one that was good, to be looked up again.
      known.at = -Infinity
      throw error
    }
  }

  /** Where the network is closed, whether the key is one that exists all the same. */
  async function isLive(name: string, at: number): Promise<boolean> {
    if (at - live.at >= LIVE_LIST_EVERY_MS) {
      const result = await sql<{ key_hash: Buffer }>`
        select key_hash from belay_live_ingest_keys(${new Date(at)})`.execute(db)
      live = { at, hashes: new Set(result.rows.map((row) => toName(row.key_hash))) }
    }
    return live.hashes.has(name)
  }

  async function findUnknown(name: string, hash: Buffer, at: number, clientAddress: string | null) {
    const network = options.isBehindProxy || clientAddress === null ? null : networkOf(clientAddress)
    const bucket = network === null ? "wrong ingest keys" : `wrong ingest keys from ${network}`
    const closed = closedUntil.get(bucket) ?? 0
    if (at < closed && !(await isLive(name, at))) return tooManyWrong(closed, at)

    const found = await lookUp(hash)
    if (found !== null && found.expiresAt > at) {
      good.set(name, { at, found: Promise.resolve(found) })
      return { ok: true as const, found }
    }
    const attemptsMax = network === null ? WRONG_BEHIND_PROXY_MAX : WRONG_OF_NETWORK_MAX
    const attempt = await countAttempt(db, { bucket, attemptsMax, windowMs: WINDOW_MS }, new Date(at))
    if (attempt.ok) return { ok: false as const, reason: "unknown" as const }
    const until = at + attempt.retryAfterSeconds * 1000
    if (at >= (closedUntil.get(bucket) ?? 0)) {
      closedUntil.set(bucket, until)
      options.tell(
        `Refused ${attemptsMax} wrong ingest keys from ${network ?? "everywhere"} within a minute; more of them get 429 until ${new Date(until).toISOString()}.`,
      )
    }
    return tooManyWrong(until, at)
  }

  async function markUsed(found: Found, at: number): Promise<void> {
    if (at - (lastUsed.get(found.id) ?? -Infinity) < LAST_USED_EVERY_MS) return
    lastUsed.set(found.id, at)
    await asTenant(db, found.orgId, (tx) =>
      tx
        .updateTable("ingest_key")
        .set({ last_used_at: new Date(at) })
        .where("id", "=", found.id)
        .execute(),
    )
  }

  return async (key, clientAddress) => {
    const at = options.now().getTime()
    const hash = hashIngestKey(key)
    const name = toName(hash)
    let found = await findKnown(name, hash, at)
    if (found === null) {
      const looked = await inLane(() => findUnknown(name, hash, at, clientAddress))
      if (!looked.ok) return looked
      found = looked.found
    }
    const attempt = await takeRequest(`requests of ingest key ${found.id}`, new Date(at))
    if (!attempt.ok) return { ok: false, reason: "too_many", retryAfterSeconds: attempt.retryAfterSeconds }
    await markUsed(found, at)
    return { ok: true, key: found }
  }
}

function tooManyWrong(until: number, at: number) {
  const retryAfterSeconds = Math.ceil((until - at) / 1000)
  return { ok: false as const, reason: "too_many_wrong" as const, retryAfterSeconds }
}

function toName(hash: Buffer): string {
  return hash.toString("base64")
}

/** What one sender has at hand: an IPv4 address, or the 64 bits of an IPv6 address that name its network. */
export function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (mapped !== undefined || !address.includes(":")) return mapped ?? address
  const [head = "", tail = ""] = address.split("::", 2)
  const groups = head.split(":").filter((group) => group !== "")
  const missing = address.includes("::") ? 8 - groups.length - tail.split(":").length : 0
  const all = [...groups, ...Array.from({ length: Math.max(0, missing) }, () => "0"), ...tail.split(":")]
  return `${all
    .slice(0, 4)
    .map((group) => group || "0")
    .join(":")}::/64`
}
