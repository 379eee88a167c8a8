import { type RawBuilder, sql } from "kysely"
import type { Counting } from "./counting.ts"
import { ADD_HISTOGRAM, HISTOGRAM_OF_CELLS } from "./histogram.ts"
import { type Measure, MEASURES, TIMED_MS } from "./measures.ts"
import { addModelUse, removeEmptyModelUse } from "./model-use.ts"

const named = (measures: readonly Measure[]) => sql.join(measures.map((measure) => sql.ref(measure.name)))
/** Measures of a group of signals, each with its sign. */
const counted = sql.join(
  MEASURES.map(({ name, type, of }) => sql`coalesce(sum(sign * ${of}), 0)::${sql.raw(type)} as ${sql.ref(name)}`),
)
/** Measures of a group of cells, and under their own names. */
const renamed = (measures: readonly Measure[]) =>
  sql.join(measures.map(({ name, type }) => sql`sum(${sql.ref(name)})::${sql.raw(type)} as ${sql.ref(name)}`))
const summed = (measures: readonly Measure[]) =>
  sql.join(measures.map(({ name, type }) => sql`sum(${sql.ref(name)})::${sql.raw(type)}`))

/** A rollup of what signals count, and how its rows are found. */
interface Rollup {
  readonly table: string
  /** In the order of the primary key, without the organization. */
  readonly key: readonly string[]
  readonly measures: readonly Measure[]
}

const DIMENSIONS = ["kind", "rung", "agent_tool_id", "model_id"]
const NARROW = MEASURES.filter(({ name }) => name === "signals" || name === "errors")
const MINUTE: Rollup = {
  table: "signal_minute",
  key: ["minute", ...DIMENSIONS],
  measures: NARROW,
}
const HOUR: Rollup = { table: "signal_hour", key: ["hour", ...DIMENSIONS], measures: MEASURES }
const DAY: Rollup = { table: "signal_day", key: ["day", ...DIMENSIONS], measures: MEASURES }
const LATENCY_HOUR: Rollup = { table: "latency_hour", key: ["hour", "kind", "rung"], measures: NARROW }
const USAGE: Rollup = {
  table: "developer_usage_day",
  key: ["day", "developer_id", "rung", "agent_tool_id", "model_id"],
  measures: MEASURES,
}

export const CELL_ROLLUPS: readonly Rollup[] = [MINUTE, HOUR, DAY, LATENCY_HOUR, USAGE]

/** Kinds whose latency is watched by the minute: what a human waits for. */
const IS_WATCHED = sql`kind in ('suggestion', 'turn', 'task', 'run', 'model_call')`

/**
 * Adds the counted signals to the rollups that are sums over signals. One pass makes cells, which are fewer: a minute,
 * person, kind, rung, tool, model and latency bucket each; the rollups are sums of those. Returns how many signals were
 * counted.
 */
export async function addCells(counting: Counting): Promise<number> {
  const { tx, timeZone, minutesFrom, daysFrom } = counting
  await makeCells(counting)
  const places = sql`(
    select *, date_trunc('hour', minute) as hour, (minute at time zone ${timeZone})::date as day from counted_place
  ) place`
  await addTo(
    counting,
    MINUTE,
    sql`(
    select * from counted_place
    where ${IS_WATCHED} and minute >= (${`${minutesFrom} 00:00:00+00`}::text)::timestamptz
  ) place`,
  )
  await addTo(counting, HOUR, places)
  await addTo(counting, DAY, sql`(select * from ${places} where day >= (${daysFrom}::text)::date) whole`)
  await addTo(counting, LATENCY_HOUR, places)
  await sql`
    insert into developer_usage_day as r (org_id, ${keyOf(USAGE)}, ${named(MEASURES)})
    select ${counting.orgId}::uuid, day, developer_id, rung, agent_tool_id, model_id, ${summed(MEASURES)}
    from (select *, (minute at time zone ${timeZone})::date as day from counted_cell) cell
    where day >= (${daysFrom}::text)::date
    group by day, developer_id, rung, agent_tool_id, model_id order by day, developer_id, rung, agent_tool_id, model_id
    on conflict (org_id, ${keyOf(USAGE)}) do update set ${additions(MEASURES)}`.execute(tx)
  await addModelUse(counting)

  const result = await sql<{ rows: number; has_returns: boolean }>`
    select count(*) as rows, coalesce(bool_or(sign < 0), false) as has_returns from counted_signal`.execute(tx)
  const { rows = 0, has_returns: hasReturns = false } = result.rows[0] ?? {}
  if (hasReturns) {
    await removeEmpty(counting)
    await removeEmptyModelUse(counting)
  }
  return rows
}

/** `counted_cell`, and `counted_place`: the same without the person. Whether there is an operation is for suggestions. */
async function makeCells({ tx }: Counting): Promise<void> {
  const measures = named(MEASURES)
  await sql`
    create temporary table if not exists counted_cell on commit delete rows as
    select observed_at as minute, developer_id, kind, rung, agent_tool_id, model_id, true as has_operation,
      0::smallint as bucket, 0 as times, ${measures}
    from developer_usage_day cross join (select now() as observed_at, 'turn'::signal_kind as kind) empty with no data`.execute(
    tx,
  )
  await sql`
    create temporary table if not exists counted_place on commit delete rows as
    select minute, kind, rung, agent_tool_id, model_id, bucket, times, ${measures} from counted_cell with no data`.execute(
    tx,
  )
  await sql`truncate counted_cell, counted_place`.execute(tx)
  await sql`
    insert into counted_cell (minute, developer_id, kind, rung, agent_tool_id, model_id, has_operation, bucket, times, ${measures})
    select date_trunc('minute', observed_at), developer_id, kind, rung, agent_tool_id, coalesce(model_id, 0),
      operation_id is not null, belay_latency_bucket(${TIMED_MS}), sum(sign), ${counted}
    from counted_signal group by 1, 2, 3, 4, 5, 6, 7, 8`.execute(tx)
  await sql`
    insert into counted_place (minute, kind, rung, agent_tool_id, model_id, bucket, times, ${measures})
    select minute, kind, rung, agent_tool_id, model_id, bucket, sum(times), ${summed(MEASURES)}
    from counted_cell group by 1, 2, 3, 4, 5, 6`.execute(tx)
}

const keyOf = (rollup: Rollup) => sql.join(rollup.key.map((column) => sql.ref(column)))

function additions(measures: readonly Measure[]): RawBuilder<unknown> {
  return sql.join(measures.map(({ name }) => sql`${sql.ref(name)} = r.${sql.ref(name)} + excluded.${sql.ref(name)}`))
}

/** Adds cells to a rollup. Its rows are made in the order of its key, so that new ones lie together. */
async function addTo({ tx, orgId }: Counting, rollup: Rollup, cells: RawBuilder<unknown>): Promise<void> {
  const key = keyOf(rollup)
  const { measures } = rollup
  await sql`
    insert into ${sql.table(rollup.table)} as r (org_id, ${key}, ${named(measures)}, latency_buckets, latency_counts)
    select ${orgId}::uuid, ${key}, ${summed(measures)}, ${HISTOGRAM_OF_CELLS}
    from (
      select ${key}, bucket, sum(times)::integer as times, ${renamed(measures)} from ${cells} group by ${key}, bucket
    ) bucketed
    group by ${key} order by ${key}
    on conflict (org_id, ${key}) do update set ${additions(measures)}, ${ADD_HISTOGRAM}`.execute(tx)
}

/** Rows of which everything was taken back, as counting anew would not make them. */
async function removeEmpty({ tx, orgId, timeZone }: Counting): Promise<void> {
  const returned = sql`select observed_at from counted_signal where sign < 0`
  await sql`
    delete from signal_minute where org_id = ${orgId}::uuid and signals = 0
      and minute in (select date_trunc('minute', observed_at) from (${returned}) r)`.execute(tx)
  for (const table of ["signal_hour", "latency_hour"]) {
    await sql`
      delete from ${sql.table(table)} where org_id = ${orgId}::uuid and signals = 0
        and hour in (select date_trunc('hour', observed_at) from (${returned}) r)`.execute(tx)
  }
  for (const table of ["signal_day", "developer_usage_day"]) {
    await sql`
      delete from ${sql.table(table)} where org_id = ${orgId}::uuid and signals = 0
        and day in (select (observed_at at time zone ${timeZone})::date from (${returned}) r)`.execute(tx)
  }
}
