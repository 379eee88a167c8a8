import { createHash } from "node:crypto"
import { type Kysely, sql } from "kysely"
import type { DB } from "../db/types.ts"

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
  const windowEnd = windowStart(limit, now) + limit.windowMs
  const retryAfterSeconds = Math.ceil((windowEnd - now.getTime()) / 1000)
  return { ok: false, retryAfterSeconds, isFirstRefused: count === limit.attemptsMax + 1 }
}

/** Takes back an attempt that turned out to be welcome. It is counted first all the same, so that many at once cannot pass. */
export async function forgiveAttempt(db: Kysely<DB>, limit: Limit, now: Date): Promise<void> {
  await add(db, limit, now, -1)
}

async function add(db: Kysely<DB>, limit: Limit, now: Date, howMany: number): Promise<number> {
  const bucket = createHash("sha256").update(limit.bucket).digest()
  const result = await sql<{ count: number }>`
    select belay_count_attempt(${bucket}, ${new Date(windowStart(limit, now))}, ${howMany}) as count`.execute(db)
  return result.rows[0]?.count ?? 0
}

function windowStart(limit: Limit, now: Date): number {
  return Math.floor(now.getTime() / limit.windowMs) * limit.windowMs
}

/** Windows that ended longer ago than any limit lasts. Takes the worker's database. */
export async function forgetAttempts(db: Kysely<DB>, now: Date): Promise<void> {
  await sql`select belay_forget_attempts(${new Date(now.getTime() - 86_400_000)})`.execute(db)
}
