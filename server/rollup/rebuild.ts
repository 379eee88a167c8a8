import { type Kysely, sql, type Transaction } from "kysely"
import type { DB } from "../db/types.ts"
import { CELL_ROLLUPS } from "./cells.ts"
import type { Counting } from "./counting.ts"
import { remakeModelUseDays } from "./model-use.ts"
import { minutesFrom } from "./retention.ts"
import { dayOfInstant, emptyScratch, isObservedOn, makeScratch, SCRATCH_COLUMNS } from "./scratch.ts"
import { count, countWaiting, queueWaiting } from "./step.ts"

/** The database's `public` tables that a rebuild makes, with the column by which their rows are in time. */
const REBUILT = [
  ...CELL_ROLLUPS.map((rollup) => ({ table: rollup.table, time: rollup.key[0] ?? "" })),
  { table: "model_use", time: "slot" },
  { table: "operation", time: "started_at" },
  { table: "developer_day", time: "day" },
  { table: "latency_decision_day", time: "day" },
  { table: "first_token_day", time: "day" },
  { table: "work_day", time: "day" },
  { table: "decision_hour", time: "hour" },
  { table: "operation_commit", time: "observed_at" },
  { table: "session_branch", time: "first_at" },
  { table: "team_latency_minute", time: "minute" },
  { table: "team_latency_hour", time: "hour" },
] as const

/** Those and what is made of them. */
const COMPARED = [...REBUILT.map(({ table }) => table), "model_use_day"] as const

/**
 * Counts all signals of an organization anew whose rollups ask for it: a new one, one that moved to another time zone.
 * Takes the worker's database; answers the organization, or null when none asks.
 */
export function rebuildNext(db: Kysely<DB>, now: Date): Promise<string | null> {
  return inSnapshot(db, async (tx) => {
    await sql`
      insert into rollup_state (org_id) select id from org o
      where not exists (select from rollup_state s where s.org_id = o.id) on conflict do nothing`.execute(tx)
    const found = await sql<{ org_id: string; time_zone: string }>`
      select s.org_id, o.time_zone from rollup_state s join org o on o.id = s.org_id
      where s.needs_rebuild order by s.org_id limit 1 for update of s skip locked`.execute(tx)
    const row = found.rows[0]
    if (row === undefined) return null
    const counting = { tx, orgId: row.org_id, timeZone: row.time_zone, minutesFrom: minutesFrom(now) }
    await rebuild(counting)
    await tx.updateTable("rollup_state").set({ needs_rebuild: false }).where("org_id", "=", row.org_id).execute()
    return row.org_id
  })
}

/** How the rows of a table differ from those of a rebuild. */
export interface Difference {
  readonly table: string
  /** Rows that were compared. */
  readonly rows: number
  /** Rows of the one that are not in the other. */
  readonly wrong: number
  readonly missing: number
}

/**
 * Rebuilds an organization's rollups and compares: what differs was counted wrongly. Nothing changes unless `isRepair`.
 * What waits to be counted is counted first. Whoever counts the organization meanwhile waits.
 */
export async function verifyRollups(
  db: Kysely<DB>,
  orgId: string,
  options: { now: Date; isRepair: boolean },
): Promise<readonly Difference[]> {
  let differences: readonly Difference[] = []
  await inSnapshot(db, async (tx) => {
    const found = await sql<{ time_zone: string; needs_rebuild: boolean; days_from: string }>`
      select o.time_zone, s.needs_rebuild, s.operations_from::text as days_from from rollup_state s join org o on o.id = s.org_id
      where s.org_id = ${orgId}::uuid for update of s`.execute(tx)
    const row = found.rows[0]
    if (row === undefined) throw new Error(`organization ${orgId} has no rollups yet`)
    const counting = {
      tx,
      orgId,
      timeZone: row.time_zone,
      minutesFrom: minutesFrom(options.now),
      daysFrom: row.days_from,
    }
    if (row.needs_rebuild) await rebuild(counting)
    while ((await countWaiting(counting)) !== null);
    // Older minutes are there until their partition is dropped.
    for (const table of ["signal_minute", "team_latency_minute"]) {
      await sql`
        delete from ${sql.table(table)}
        where org_id = ${orgId}::uuid and minute < ${dayOfInstant(counting.minutesFrom)}`.execute(tx)
    }
    for (const table of COMPARED) {
      await sql`
        create temporary table ${sql.id(`was_${table}`)} on commit drop as
        select * from ${sql.table(table)} where org_id = ${orgId}::uuid`.execute(tx)
    }
    await rebuild(counting)
    differences = await compare(counting)
    if (!options.isRepair) throw new RolledBack()
  }).catch((error: unknown) => {
    if (!(error instanceof RolledBack)) throw error
  })
  return differences
}

class RolledBack extends Error {}

async function compare({ tx, orgId }: Pick<Counting, "tx" | "orgId">): Promise<readonly Difference[]> {
  const differences: Difference[] = []
  for (const table of COMPARED) {
    const now = sql`select * from ${sql.table(table)} where org_id = ${orgId}::uuid`
    const was = sql`select * from ${sql.table(`was_${table}`)}`
    const result = await sql<Omit<Difference, "table">>`
      select (select count(*) from (${was}) w) as rows,
        (select count(*) from (${was} except ${now}) w) as wrong,
        (select count(*) from (${now} except ${was}) m) as missing`.execute(tx)
    const row = result.rows[0]
    if (row !== undefined) differences.push({ table, ...row })
  }
  return differences
}

/**
 * Makes the organization's rollups again from the signals that there are. What rests on signals that are kept no longer
 * stays as it is: days that began before the first partition, and operations that did.
 */
async function rebuild(counting: Omit<Counting, "daysFrom">): Promise<void> {
  const { tx, orgId, timeZone } = counting
  const partitions = await sql<{ first_day: string; whole_day: string }>`
    select first_day::text as first_day,
      -- The first midnight in the zone at or after the first one in UTC.
      ((first_day::timestamp at time zone 'UTC' - interval '1 microsecond') at time zone ${timeZone})::date + 1 as whole_day
    from (
      select min(day)::date as first_day
      from (
        select substring(c.relname from '[0-9]{8}$') as day
        from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'signal'::regclass
      ) partition
    ) kept`.execute(tx)
  const range = partitions.rows[0]
  if (range === undefined) return
  // The detector has had what was counted before.
  const newest = await queueWaiting({ ...counting, daysFrom: range.whole_day })
  const daysFrom = range.whole_day
  const daysFromAt = sql`(${daysFrom}::text::date::timestamp at time zone ${timeZone})`
  for (const { table, time } of REBUILT) {
    const from =
      time === "day"
        ? sql`${daysFrom}::text::date`
        : // Their hours are of the zone, and begin with its days.
          time === "started_at" || table === "decision_hour"
          ? daysFromAt
          : dayOfInstant(range.first_day)
    await sql`delete from ${sql.table(table)} where org_id = ${orgId}::uuid and ${sql.ref(time)} >= ${from}`.execute(tx)
  }
  await makeScratch(tx)
  const days = await sql<{ day: string }>`
    select distinct (observed_at at time zone 'UTC')::date::text as day from signal where org_id = ${orgId}::uuid`.execute(
    tx,
  )
  for (const { day } of days.rows.toSorted((a, b) => (a.day < b.day ? -1 : 1))) {
    await sql`
      insert into counted_signal (role, sign, ${SCRATCH_COLUMNS})
      select 'current', 1, ${SCRATCH_COLUMNS} from signal
      where org_id = ${orgId}::uuid and ${isObservedOn(day)}`.execute(tx)
    await sql`
      update counted_signal set role = 'past'
      where observed_at < ${daysFromAt} or operation_id in (
        select operation_id from operation where org_id = ${orgId}::uuid and started_at < ${daysFromAt}
      )`.execute(tx)
    await count({ ...counting, daysFrom })
    await emptyScratch(tx)
  }
  await remakeModelUseDays(counting)
  await sql`
    update rollup_state set counted_until = greatest(
      counted_until, to_timestamp(${newest}::int8 / 1e6)
    ), steps = steps + 1 where org_id = ${orgId}::uuid`.execute(tx)
  await tx.deleteFrom("signal_retraction").where("org_id", "=", orgId).execute()
}

/** Forgets an organization's rollups, which are then made again. Takes the owner's database. */
export async function forgetRollups(db: Kysely<DB>, orgId: string): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await sql`
      insert into rollup_state (org_id) values (${orgId}::uuid)
      on conflict (org_id) do update set needs_rebuild = true`.execute(tx)
    for (const { table } of REBUILT)
      await sql`delete from ${sql.table(table)} where org_id = ${orgId}::uuid`.execute(tx)
  })
}

function inSnapshot<T>(db: Kysely<DB>, work: (tx: Transaction<DB>) => Promise<T>): Promise<T> {
  return db.transaction().setIsolationLevel("repeatable read").execute(work)
}
