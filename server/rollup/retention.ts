import { type Kysely, sql } from "kysely"
import type { DB } from "../db/types.ts"
import { dayOf } from "../ingest/partitions.ts"

export const MINUTES_KEPT_DAYS = 2
/** 13 months, so that a month stands beside the same month of the year before. */
export const HOURS_KEPT_DAYS = 396
/** As long as the longest window of an error budget, and what is left of the day before it. */
export const TEAM_HOURS_KEPT_DAYS = 92
const DAYS_AHEAD = 3
/**
 * An operation is kept longer than signals may be late, as a late one counts its day again from all of that day's
 * operations.
 */
const OPERATIONS_KEPT_DAYS = 38

export function operationsKeptDays(retentionDays: number): number {
  return Math.max(retentionDays, OPERATIONS_KEPT_DAYS)
}

/** The first UTC day whose minutes are kept, `YYYY-MM-DD`: 48 hours and what is left of the day before. */
export function minutesFrom(now: Date): string {
  return dayOf(now, -MINUTES_KEPT_DAYS)
}

/**
 * Makes the partitions of the rollups that may be written to, and drops what is past retention: minutes after 48 hours,
 * hours, decisions and the use of models after 13 months, operations with the signals that they are made of. Days are kept. Takes the worker's database;
 * any number of processes may do this at once.
 */
export async function maintainRollups(
  db: Kysely<DB>,
  { now, retentionDays }: { now: Date; retentionDays: number },
): Promise<void> {
  const [minutes, hours] = [minutesFrom(now), dayOf(now, -HOURS_KEPT_DAYS)]
  await sql`
    select belay_make_rollup_partitions(${minutes}::date, ${hours}::date, ${dayOf(now, DAYS_AHEAD)}::date)`.execute(db)
  await sql`select belay_drop_rollup_partitions(${minutes}::date, ${hours}::date)`.execute(db)
  await db.transaction().execute(async (tx) => {
    const before = dayOf(now, -operationsKeptDays(retentionDays))
    // A day more, as days begin at other times in other zones.
    await sql`
      update rollup_state set operations_from = ${dayOf(new Date(before), 2)}::date
      where operations_from < ${dayOf(new Date(before), 2)}::date`.execute(tx)
    await sql`
      delete from decision_hour d using org o
      where d.org_id = o.id and d.hour < ${`${hours} 00:00:00+00`}::text::timestamptz`.execute(tx)
    await tx.deleteFrom("model_use").where("slot", "<", new Date(hours)).execute()
    await sql`delete from model_use_day where utc_day < ${hours}::text::date`.execute(tx)
    await tx.deleteFrom("operation").where("last_at", "<", new Date(before)).execute()
    const teamHours = dayOf(now, -TEAM_HOURS_KEPT_DAYS)
    await tx.deleteFrom("team_latency_minute").where("minute", "<", new Date(minutes)).execute()
    await tx.deleteFrom("team_latency_hour").where("hour", "<", new Date(teamHours)).execute()
    await sql`delete from counted_team_day where day < ${teamHours}::date - 2`.execute(tx)
    await tx.deleteFrom("session_branch").where("last_at", "<", new Date(before)).execute()
  })
}

/** Whether the rollups have all signals of every organization, so that the oldest may go. Takes the worker's database. */
export async function isAllCounted(db: Kysely<DB>): Promise<boolean> {
  const result = await sql<{ is_all: boolean }>`
    select not exists (
      select from org o left join rollup_state s on s.org_id = o.id where s.needs_rebuild is not false
    ) as is_all`.execute(db)
  return result.rows[0]?.is_all ?? false
}
