import { type Kysely, type RawBuilder, sql, type Transaction } from "kysely"
import type { DB } from "../db/types.ts"
import { addArrivals, addDuplicates } from "./arrivals.ts"
import { addCells } from "./cells.ts"
import { addBranches, addCommits } from "./commits.ts"
import type { Counting } from "./counting.ts"
import { addDecisions } from "./decisions.ts"
import { addFirstTokens } from "./first-tokens.ts"
import { addModelUseDays, settleReservations } from "./model-use.ts"
import { addOperations } from "./operations.ts"
import { minutesFrom } from "./retention.ts"
import { addTeamLatency } from "./team-latency.ts"
import { emptyScratch, isObservedOn, makeScratch, SCRATCH_COLUMNS } from "./scratch.ts"

/** Signals that one step counts, more or less: enough for its statements to be worth their start, few enough to be quick. */
const STEP_ROWS = 200_000

export interface Step {
  readonly orgId: string
  readonly batches: number
  readonly signals: number
  /** UTC days whose partitions were written to, `YYYY-MM-DD`. */
  readonly days: readonly string[]
  /** Whether more was left than one step takes. */
  readonly isMoreLeft: boolean
}

/**
 * Counts what was committed since the last step, of one organization that nobody else is counting right now. Takes the
 * worker's database; null when there is nothing to do.
 *
 * What waits is in `signal_batch`, written by the transactions that stored it and removed by the one that counts it. So
 * every signal is counted once: whatever the order of commits, whoever dies in the middle, with any number of processes.
 */
export function countNext(db: Kysely<DB>, now: Date): Promise<Step | null> {
  // One snapshot for all of it, in which a batch waits or does not.
  return db
    .transaction()
    .setIsolationLevel("repeatable read")
    .execute(async (tx) => {
      const counting = await claimOrganization(tx, now)
      return counting === null ? null : countWaiting(counting)
    })
}

async function claimOrganization(tx: Transaction<DB>, now: Date): Promise<Counting | null> {
  const found = await sql<{ org_id: string; time_zone: string; days_from: string }>`
    select s.org_id, o.time_zone, s.operations_from::text as days_from
    from rollup_state s join org o on o.id = s.org_id
    where not s.needs_rebuild
      and exists (select from signal_batch b where b.org_id = s.org_id and (${IS_SETTLED}))
    order by s.counted_until nulls first limit 1
    for update of s skip locked`.execute(tx)
  const row = found.rows[0]
  return row === undefined
    ? null
    : {
        tx,
        orgId: row.org_id,
        timeZone: row.time_zone,
        minutesFrom: minutesFrom(now),
        daysFrom: row.days_from,
      }
}

/**
 * On one Postgres a commit is seen whole. On a cluster the coordinator's part shows a moment before the workers' do, so
 * that a batch is left alone for as long as that may take.
 */
const IS_SETTLED = sql`
  batch_id < (extract(epoch from now()) - 10) * 1e6 or not exists (select from pg_extension where extname = 'citus')`

/** Counts waiting batches of the organization, as many as one step takes; null when none waits. */
export async function countWaiting(counting: Counting): Promise<Step | null> {
  const { tx, orgId } = counting
  const batches = await takeBatches(counting, IS_SETTLED)
  if (batches.length === 0) return null
  await makeScratch(tx)
  const days = await readBatches(counting, batches)
  await addArrivals(counting)
  await addDuplicates(counting, batches)
  const counted = await count(counting)
  await addModelUseDays(counting)
  await settleReservations(counting)
  const ids = batches.map((batch) => batch.batch_id)
  await forgetRetractions(counting)
  const left = await sql<{ is_left: boolean }>`
    update rollup_state set counted_until = greatest(
      counted_until, to_timestamp((select max(id) from unnest(${ids}::int8[]) id) / 1e6)
    ), steps = steps + 1
    where org_id = ${orgId}::uuid
    returning exists (select from signal_batch where org_id = ${orgId}::uuid) as is_left`.execute(tx)
  return {
    orgId,
    batches: batches.length,
    signals: counted,
    days,
    isMoreLeft: left.rows[0]?.is_left ?? false,
  }
}

/**
 * Gives what waits to the detector alone, for a rebuild, which counts it together with all the rest. Returns the newest
 * batch; null when none waited.
 */
export async function queueWaiting(counting: Counting): Promise<number | null> {
  const { tx } = counting
  let newest: number | null = null
  for (;;) {
    const batches = await takeBatches(counting, sql`true`)
    if (batches.length === 0) return newest
    await makeScratch(tx)
    await readBatches(counting, batches)
    await addArrivals(counting)
    await addDuplicates(counting, batches)
    await emptyScratch(tx)
    newest = batches.reduce((latest, batch) => Math.max(latest, batch.batch_id), newest ?? 0)
  }
}

interface WaitingBatch {
  readonly batch_id: number
  readonly days: readonly string[]
  readonly duplicates: number
}

/** Takes the oldest batches that wait, as many as one step counts. */
async function takeBatches({ tx, orgId }: Counting, condition: RawBuilder<unknown>): Promise<readonly WaitingBatch[]> {
  const taken = await sql<WaitingBatch>`
    delete from signal_batch where org_id = ${orgId}::uuid and batch_id in (
      select batch_id from (
        select batch_id, sum(rows) over (order by batch_id) - rows as rows_before
        from signal_batch where org_id = ${orgId}::uuid and (${condition})
      ) waiting where rows_before < ${STEP_ROWS}
    )
    returning batch_id, days::text[] as days, duplicates`.execute(tx)
  return taken.rows
}

/** Adds what is in the scratch table to every rollup. Returns how many rows that were. */
export async function count(counting: Counting): Promise<number> {
  const rows = await addCells(counting)
  await addOperations(counting)
  await addDecisions(counting)
  await addCommits(counting)
  await addBranches(counting)
  await addFirstTokens(counting)
  await addTeamLatency(counting)
  return rows
}

/** Fills the scratch table with the signals of these batches, and with those that they took out of the count. */
async function readBatches(
  { tx, orgId }: Counting,
  batches: readonly Pick<WaitingBatch, "batch_id" | "days">[],
): Promise<string[]> {
  const byDay = new Map<string, number[]>()
  for (const { batch_id, days } of batches) {
    for (const day of days) {
      const ids = byDay.get(day)
      if (ids === undefined) byDay.set(day, [batch_id])
      else ids.push(batch_id)
    }
  }
  const days = [...byDay.keys()].toSorted()
  for (const day of days) {
    const ids = byDay.get(day) ?? []
    // The range is for the index, which knows where in the table which batches are; the list says exactly which.
    await sql`
      insert into counted_signal (role, sign, batch_id, ${SCRATCH_COLUMNS})
      select 'current', 1, batch_id, ${SCRATCH_COLUMNS} from signal
      where ${isObservedOn(day)}
        and batch_id between ${Math.min(...ids)} and ${Math.max(...ids)}
        and batch_id = any(${ids}::int8[]) and org_id = ${orgId}::uuid`.execute(tx)
  }
  const ids = batches.map((batch) => batch.batch_id)
  // A row that was changed belongs to the batch that changed it. As it was, it still counts for its first batch, and
  // then against the one that changed it: either may be counted before the other.
  await sql`
    insert into counted_signal (role, sign, batch_id, ${SCRATCH_COLUMNS})
    select case when exists (
        select from signal_batch b where b.org_id = ${orgId}::uuid and b.batch_id = r.retracted_by
      ) then 'current' else 'past' end, 1, batch_id, ${SCRATCH_COLUMNS}
    from signal_retraction r where org_id = ${orgId}::uuid and batch_id = any(${ids}::int8[])
    union all
    select case when batch_id = any(${ids}::int8[]) then 'past' else 'counted' end, -1, retracted_by, ${SCRATCH_COLUMNS}
    from signal_retraction where org_id = ${orgId}::uuid and retracted_by = any(${ids}::int8[])`.execute(tx)
  return days
}

/** A retraction has done its work once both of its batches are counted. */
async function forgetRetractions({ tx, orgId }: Counting): Promise<void> {
  await sql`
    delete from signal_retraction r where org_id = ${orgId}::uuid and not exists (
      select from signal_batch b where b.org_id = ${orgId}::uuid and b.batch_id in (r.batch_id, r.retracted_by)
    )`.execute(tx)
}
