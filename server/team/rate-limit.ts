import { createHash } from "node:crypto"
import { type Kysely, sql } from "kysely"
import type { DB } from "../db/types.ts"
import { createRecent } from "./recent.ts"

export interface Limit {
  /** What is limited, for example `sign-in of ada@example.com`; only its hash is stored. */
  readonly bucket: string
  readonly attemptsMax: number
  readonly windowMs: number
}

export type Attempt =
  | { readonly ok: true }
  /** `isFirstRefused`: the limit was reached just now, which is worth a line in a log. */
  | { readonly ok: false; readonly retryAfterSeconds: number; readonly isFirstRefused: boolean }

/** Counts an attempt in its fixed window, over all processes, and says whether it is within the limit. */
export async function countAttempt(db: Kysely<DB>, limit: Limit, now: Date): Promise<Attempt> {
  const count = await add(db, limit, now, 1)
  if (count <= limit.attemptsMax) return { ok: true }
  return { ...refuseUntilWindowEnd(limit, now), isFirstRefused: count === limit.attemptsMax + 1 }
}

function refuseUntilWindowEnd(limit: Window, now: Date) {
  const windowEnd = windowStart(limit, now) + limit.windowMs
  const retryAfterSeconds = Math.ceil((windowEnd - now.getTime()) / 1000)
  return { ok: false as const, retryAfterSeconds, isFirstRefused: false }
}

/** Takes back an attempt that turned out to be welcome. It is counted first all the same, so that many at once cannot pass. */
export async function forgiveAttempt(db: Kysely<DB>, limit: Limit, now: Date): Promise<void> {
  await add(db, limit, now, -1)
}

/** What one account may ask of pages and API in a minute, for what is counted at all: writes, and streams it opens. */
export function limitOfAccount(accountId: string): Limit {
  return { bucket: `requests of account ${accountId}`, attemptsMax: 600, windowMs: 60_000 }
}

/** Buckets whose lease is remembered; a forgotten one leases anew. */
const LEASES_MAX = 10_000
/** Attempts taken from the database at once; fewer near the limit, so that no process sits on the last of them. */
const LEASE_MAX = 500
const LEASE_SHARE = 10

interface Lease {
  readonly windowStart: number
  /** Attempts this process may still make without asking. */
  left: number
  /** Attempts that were leased in the window by all processes, when last heard of. */
  leased: number
  /** The window's attempts are all given out. */
  isSpent: boolean
  asking: Promise<void> | null
}

/**
 * Like `countAttempt` for what happens often: attempts are taken from the database in blocks. The limit holds over all
 * processes; a process may refuse while another still has some of its block left.
 */
export function createLeasedLimit(
  db: Kysely<DB>,
  limit: Omit<Limit, "bucket">,
): (bucket: string, now: Date) => Promise<Attempt> {
  const leases = createRecent<Lease>(LEASES_MAX)

  async function extend(lease: Lease, bucket: string, now: Date): Promise<void> {
    const wanted = Math.floor((limit.attemptsMax - lease.leased) / LEASE_SHARE)
    const block = Math.min(Math.max(wanted, 1), LEASE_MAX)
    lease.leased = await add(db, { ...limit, bucket }, now, block)
    const granted = Math.min(block, Math.max(0, limit.attemptsMax - (lease.leased - block)))
    lease.left += granted
    lease.isSpent = granted === 0
  }

  return async (bucket, now) => {
    const start = windowStart(limit, now)
    let lease = leases.get(bucket)
    if (lease?.windowStart !== start) {
      lease = { windowStart: start, left: 0, leased: 0, isSpent: false, asking: null }
      leases.set(bucket, lease)
    }
    const current = lease
    while (current.left === 0 && !current.isSpent) {
      current.asking ??= extend(current, bucket, now).finally(() => (current.asking = null))
      await current.asking
    }
    if (current.left === 0) return refuseUntilWindowEnd(limit, now)
    current.left--
    return { ok: true }
  }
}

async function add(db: Kysely<DB>, limit: Limit, now: Date, howMany: number): Promise<number> {
  const bucket = createHash("sha256").update(limit.bucket).digest()
  const result = await sql<{ count: number }>`
    select belay_count_attempt(${bucket}, ${new Date(windowStart(limit, now))}, ${howMany}) as count`.execute(db)
  return result.rows[0]?.count ?? 0
}

type Window = Pick<Limit, "windowMs">

function windowStart(limit: Window, now: Date): number {
  return Math.floor(now.getTime() / limit.windowMs) * limit.windowMs
}

/** No limit's window is longer. */
const WINDOW_MAX_MS = 60 * 60_000

/** Removes the windows that are over. Takes the worker's database. */
export async function forgetAttempts(db: Kysely<DB>, now: Date): Promise<void> {
  await sql`select belay_forget_attempts(${new Date(now.getTime() - WINDOW_MAX_MS)})`.execute(db)
}
