import { sql } from "kysely"
import type { Counting } from "./counting.ts"
import { HISTOGRAM_OF_CELLS } from "./histogram.ts"
import { IS_ACCEPTED, IS_PRESENTED, IS_PROMPT } from "./measures.ts"

/**
 * Queues what arrived for the detector, by the hour in which it was stored: the tables `arrived_*`.
 *
 * That hour is the one of a signal's batch, which is when its correction came when it was corrected. Rows only add up,
 * and what a correction takes back comes as rows of its own. So what the detector sees of an hour does not depend on how
 * steps cut the batches.
 */
export async function addArrivals(counting: Counting): Promise<void> {
  await addSuggestions(counting)
  await addOperations(counting)
  await addPresence(counting)
  await addDelivery(counting)
}

/** Hours since 1970, of the batch that a signal came with or that took it back. */
const ARRIVED = sql`batch_id / 3600000000`
const ARRIVED_HOUR = sql`to_timestamp(arrived * 3600)`
const PLACE = sql.raw(`developer_id, agent_tool_id, agent_version_id, model_id, language_id, mode_id`)
/** They are of no work in particular. */
const STANDS_ALONE = sql`kind in ('session', 'presence', 'mode_change')`

async function addSuggestions({ tx, orgId }: Counting): Promise<void> {
  await sql`
    insert into arrived_suggestion (org_id, arrived_hour, hour, ${PLACE}, units, presented, accepted, errors,
      latency_buckets, latency_counts)
    select ${orgId}::uuid, ${ARRIVED_HOUR}, hour, ${PLACE}, sum(units), sum(presented), sum(accepted), sum(errors),
      ${HISTOGRAM_OF_CELLS}
    from (
      select ${ARRIVED} as arrived, date_trunc('hour', observed_at) as hour, ${PLACE},
        belay_latency_bucket(case when kind in ('suggestion', 'turn') then latency_ms end) as bucket,
        sum(sign)::integer as times,
        coalesce(sum(sign) filter (where kind in ('suggestion', 'turn', 'task', 'run')), 0) as units,
        coalesce(sum(sign) filter (where ${IS_PRESENTED}), 0) as presented,
        coalesce(sum(sign) filter (where ${IS_ACCEPTED}), 0) as accepted,
        coalesce(sum(sign) filter (where error is not null), 0) as errors
      from counted_signal
      where rung = 'autocomplete' and kind <> 'outcome' and not ${STANDS_ALONE}
      group by arrived, hour, ${PLACE}, bucket
    ) cell
    group by arrived, hour, ${PLACE}`.execute(tx)
}

const ACTIONS_MAX = 20
const IS_LATE = sql`kind = 'outcome'`
const ENDS = sql`kind in ('turn', 'task', 'run')`

async function addOperations({ tx, orgId }: Counting): Promise<void> {
  await sql`
    insert into arrived_operation (org_id, arrived_hour, operation_id, is_retracted, ${PLACE}, outcome, outcome_at,
      signals, rung, parent_operation_id, first_at, last_at, has_ended, presented, accepted, prompts, denied, errors,
      edits, out_of_scope, tool_calls, tool_calls_told, compactions, context_files, latency_ms, duration_ms,
      is_interrupted, out_of_scope_actions, error_actions)
    select ${orgId}::uuid, ${ARRIVED_HOUR}, operation_id, is_retracted, ${PLACE}, late_outcome, outcome_at,
      signals, rung, parent_operation_id, first_at, last_at, has_ended, presented, accepted, prompts, denied, errors,
      edits, out_of_scope, tool_calls, tool_calls_told, compactions, context_files, latency_ms, duration_ms,
      is_interrupted, ${firstOf("out_of_scope_actions")}, ${firstOf("error_actions")}
    from (
      select ${ARRIVED} as arrived, operation_id, sign < 0 as is_retracted, ${PLACE},
        case when ${IS_LATE} and outcome in ('merged', 'abandoned', 'reverted') then outcome end as late_outcome,
        max(observed_at) filter (where ${IS_LATE} and outcome in ('merged', 'abandoned', 'reverted')) as outcome_at,
        count(*) as signals,
        max(rung) as rung,
        max(parent_operation_id) as parent_operation_id,
        min(observed_at) filter (where not ${IS_LATE}) as first_at,
        max(observed_at) filter (where not ${IS_LATE}) as last_at,
        bool_or(${ENDS}) as has_ended,
        count(*) filter (where ${IS_PRESENTED}) as presented,
        count(*) filter (where ${IS_ACCEPTED}) as accepted,
        count(*) filter (where ${IS_PROMPT}) as prompts,
        count(*) filter (where ${IS_PROMPT} and outcome = 'rejected') as denied,
        count(*) filter (where error is not null) as errors,
        count(*) filter (where kind = 'edit') as edits,
        count(*) filter (where path_scope = 'out_of_scope') as out_of_scope,
        count(*) filter (where kind = 'tool_call') as tool_calls,
        coalesce(sum(tool_calls) filter (where ${ENDS}), 0) as tool_calls_told,
        count(*) filter (where kind = 'context' and action in ('compact', 'compaction')) as compactions,
        max(context_files) as context_files,
        max(latency_ms) filter (where ${ENDS}) as latency_ms,
        max(duration_ms) filter (where ${ENDS}) as duration_ms,
        bool_or(coalesce(action = 'interrupt' or error = 'interrupted', false)) as is_interrupted,
        array_agg(action) filter (where path_scope = 'out_of_scope' and action is not null) as out_of_scope_actions,
        array_agg(action) filter (where error is not null and action is not null) as error_actions
      from counted_signal
      where operation_id is not null and rung <> 'autocomplete' and not ${STANDS_ALONE}
      group by arrived, operation_id, is_retracted, ${PLACE}, late_outcome
    ) part`.execute(tx)
}

/** The first of a list by name: those of several rows together have the first of all. */
function firstOf(column: string) {
  const actions = sql.ref(column)
  return sql`
    case when cardinality(${actions}) > ${ACTIONS_MAX}
      then array(select action from unnest(${actions}) action order by action limit ${ACTIONS_MAX}) else ${actions} end`
}

async function addPresence({ tx, orgId }: Counting): Promise<void> {
  await sql`
    insert into arrived_presence (org_id, arrived_hour, hour, developer_id, active_ms)
    select ${orgId}::uuid, ${ARRIVED_HOUR}, hour, developer_id, active_ms
    from (
      select ${ARRIVED} as arrived, date_trunc('hour', observed_at) as hour, developer_id,
        sum(sign * round(duration_ms)::bigint) filter (where kind = 'presence') as active_ms
      from counted_signal
      where kind <> 'outcome' and (sign > 0 or kind = 'presence')
      group by arrived, hour, developer_id
    ) seen`.execute(tx)
}

async function addDelivery({ tx, orgId }: Counting): Promise<void> {
  await sql`
    insert into arrived_delivery (org_id, arrived_hour, signals, late, duplicates)
    select ${orgId}::uuid, ${ARRIVED_HOUR}, signals, late, 0
    from (
      select ${ARRIVED} as arrived, sum(sign) as signals,
        coalesce(sum(sign) filter (
          where not ${IS_LATE} and observed_at < to_timestamp(batch_id / 1e6) - interval '2 hours'
        ), 0) as late
      from counted_signal group by arrived
    ) delivered`.execute(tx)
}

/** Queues how many signals of these batches had been stored before. */
export async function addDuplicates(
  { tx, orgId }: Counting,
  batches: readonly { readonly batch_id: number; readonly duplicates: number }[],
): Promise<void> {
  const repeated = batches.filter((batch) => batch.duplicates > 0)
  if (repeated.length === 0) return
  await sql`
    insert into arrived_delivery (org_id, arrived_hour, signals, late, duplicates)
    select ${orgId}::uuid, ${ARRIVED_HOUR}, 0, 0, duplicates
    from (
      select ${ARRIVED} as arrived, sum(duplicates) as duplicates
      from unnest(${repeated.map((batch) => batch.batch_id)}::int8[], ${repeated.map((batch) => batch.duplicates)}::int4[])
        as batch(batch_id, duplicates)
      group by arrived
    ) delivered`.execute(tx)
}
