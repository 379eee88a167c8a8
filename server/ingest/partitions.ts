import { type Kysely, sql } from "kysely"
import type { DB } from "../db/types.ts"

/** Telemetry may be this old when it arrives. */
const DAYS_BACK = 31
/** Partitions made ahead, so that a night without Belay's background loop loses nothing. */
const DAYS_AHEAD = 7

/**
 * Makes the daily partitions of `signal` that may be written to and drops those past retention. Takes the worker's
 * database; any number of processes may do this at once. With `mayDrop` false nothing is dropped, whatever its age.
 */
export async function maintainPartitions(
  db: Kysely<DB>,
  args: { now: Date; retentionDays: number; mayDrop?: boolean },
): Promise<{ made: number; dropped: number }> {
  const made = await sql<{ count: number }>`
    select belay_make_signal_partitions(${dayOf(args.now, -DAYS_BACK)}::date, ${dayOf(args.now, DAYS_AHEAD)}::date) as count`.execute(
    db,
  )
  const dropped =
    args.mayDrop === false
      ? { rows: [] }
      : await sql<{ count: number }>`
          select belay_drop_signal_partitions(${dayOf(args.now, -args.retentionDays)}::date) as count`.execute(db)
  // An occurrence matters as long as its second report may still come in.
  await db
    .deleteFrom("signal_occurrence")
    .where("observed_at", "<", new Date(dayOf(args.now, -DAYS_BACK - 1)))
    .execute()
  return { made: made.rows[0]?.count ?? 0, dropped: dropped.rows[0]?.count ?? 0 }
}

/** The UTC day that many days from now, `YYYY-MM-DD`. */
export function dayOf(now: Date, offsetDays: number): string {
  return new Date(now.getTime() + offsetDays * 86_400_000).toISOString().slice(0, 10)
}
