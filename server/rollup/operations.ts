import { type RawBuilder, sql } from "kysely"
import { ADD_HISTOGRAM, BUCKETS_PER_BAND, HISTOGRAM_OF_CELLS } from "./histogram.ts"
import { IS_ACCEPTED, IS_PRESENTED, IS_PROMPT } from "./measures.ts"
import { IS_CALL } from "./model-use.ts"
import { SCRATCH_COLUMNS } from "./scratch.ts"
import type { Counting } from "./counting.ts"
import { addSuggestedWork, insertWork } from "./work.ts"

/**
 * Adds the counted signals to `operation`, and to `developer_day`, `latency_decision_day` and `work_day` what that changes.
 *
 * What signals of an operation say together is folded one by one, in any order: sums, the highest, the first. Only where
 * a signal that was counted has changed since is an operation folded anew from all of its signals. Suggestions are no
 * rows of `operation`: there are too many of them, and each is an operation by itself.
 */
export async function addOperations(counting: Counting): Promise<void> {
  await foldOperations(counting)
  await touchDays(counting)
  await mergeOperations(counting)
  await touchDays(counting)
  await countDays(counting)
  await addSuggestions(counting)
}

const FIELDS = sql.raw(
  `operation_id, developer_id, agent_tool_id, rung, parent_operation_id, started_at, asked_at, last_at, signals,
   first_ms, whole_ms, accepted, presented, prompts, tool_calls_seen, tool_calls_said, calls, cost_usd,
   open_input_tokens, open_cached_tokens, open_output_tokens, model_id, other_model_id, provider_id, other_provider_id,
   session_id, repository_id, other_repository_id, mode_id, other_mode_id, language_id, other_language_id, tokens,
   tool_calls_failed`,
)

/**
 * What one operation's signals say together; of rows with the columns of a signal. First by person, as most operations
 * have one, and telling whose it is costs more than the rest.
 */
function foldOf(orgId: string, signals: RawBuilder<unknown>) {
  return sql`
    select
      ${orgId}::uuid as org_id,
      operation_id,
      -- Some tools name the person on one kind of record only; whoever is named anywhere did the whole.
      coalesce(
        max(developer_id::text) filter (where developer_id <> nobody.id), min(developer_id::text)
      )::uuid as developer_id,
      max(agent_tool_id), max(rung), max(parent_operation_id), min(started_at), min(asked_at), max(last_at),
      sum(signals)::integer, max(first_ms), max(whole_ms), sum(accepted)::integer, sum(presented)::integer,
      sum(prompts)::integer, sum(tool_calls_seen)::integer, max(tool_calls_said),
      sum(calls)::integer, sum(cost_usd)::numeric(16, 6), sum(open_input_tokens)::bigint, sum(open_cached_tokens)::bigint,
      sum(open_output_tokens)::bigint, min(model_id), max(other_model_id), min(provider_id), max(other_provider_id),
      max(session_id), min(repository_id), max(other_repository_id), min(mode_id), max(other_mode_id), min(language_id),
      max(other_language_id), sum(tokens)::bigint, sum(tool_calls_failed)::integer
    from (
      select
        operation_id,
        developer_id,
        max(agent_tool_id) as agent_tool_id,
        max(rung) as rung,
        max(parent_operation_id) as parent_operation_id,
        min(observed_at) as started_at,
        min(observed_at) filter (where kind = 'start') as asked_at,
        max(observed_at) as last_at,
        count(*) as signals,
        max(latency_ms) filter (where kind in ('suggestion', 'turn')) as first_ms,
        max(duration_ms) filter (where kind in ('turn', 'task', 'run')) as whole_ms,
        count(*) filter (where ${IS_ACCEPTED}) as accepted,
        count(*) filter (where ${IS_PRESENTED}) as presented,
        count(*) filter (where ${IS_PROMPT}) as prompts,
        count(*) filter (where kind = 'tool_call') as tool_calls_seen,
        max(tool_calls) filter (where kind in ('turn', 'task', 'run')) as tool_calls_said,
        count(*) filter (where ${IS_CALL}) as calls,
        coalesce(sum(cost_usd) filter (where ${IS_CALL}), 0) as cost_usd,
        coalesce(sum(input_tokens) filter (where ${IS_CALL} and cost_usd is null), 0) as open_input_tokens,
        -- Not more than all of them, whatever the source says.
        coalesce(sum(least(cached_tokens, coalesce(input_tokens, 0)))
          filter (where ${IS_CALL} and cost_usd is null and cached_tokens is not null), 0) as open_cached_tokens,
        coalesce(sum(output_tokens) filter (where ${IS_CALL} and cost_usd is null), 0) as open_output_tokens,
        min(coalesce(model_id, 0)) filter (where ${IS_CALL}) as model_id,
        max(coalesce(model_id, 0)) filter (where ${IS_CALL}) as other_model_id,
        min(coalesce(provider_id, 0)) filter (where ${IS_CALL}) as provider_id,
        max(coalesce(provider_id, 0)) filter (where ${IS_CALL}) as other_provider_id,
        max(session_id) as session_id,
        min(repository_id) as repository_id,
        max(repository_id) as other_repository_id,
        min(mode_id) as mode_id,
        max(mode_id) as other_mode_id,
        min(language_id) as language_id,
        max(language_id) as other_language_id,
        coalesce(sum(coalesce(input_tokens, 0) + coalesce(output_tokens, 0)) filter (where ${IS_CALL}), 0) as tokens,
        count(*) filter (where kind = 'tool_call' and error is not null) as tool_calls_failed
      from ${signals}
      where ${IS_OF_OPERATION}
      group by operation_id, developer_id
    ) of_person cross join (
      select id from developer where org_id = ${orgId}::uuid and is_unattributed
    ) nobody
    group by operation_id`
}

const BAND_KEY = sql.raw(`day, developer_id, rung, agent_tool_id, band`)

/** What becomes of the work comes days later and is no part of doing it. */
const IS_OF_OPERATION = sql`operation_id is not null and rung <> 'autocomplete' and kind <> 'outcome'`

/** Into `counted_operation`, and into `touched_operation` which they are and whose rung may change with them. */
async function foldOperations({ tx, orgId }: Counting): Promise<void> {
  await sql`
    insert into touched_operation
    select operation_id, true from counted_signal
    where role = 'counted' and ${IS_OF_OPERATION} group by operation_id`.execute(tx)
  await sql`
    insert into counted_operation
    ${foldOf(
      orgId,
      sql`(
        select * from counted_signal
        where role = 'current' and operation_id not in (select operation_id from touched_operation)
      ) current`,
    )}`.execute(tx)
  const recounted = await sql<{ from_at: string | null; to_at: string | null }>`
    select min(at)::text as from_at, max(at)::text as to_at from (
      select observed_at as at from counted_signal
      where operation_id in (select operation_id from touched_operation)
      union all
      select unnest(array[started_at, last_at]) from operation
      where org_id = ${orgId}::uuid and operation_id in (select operation_id from touched_operation)
    ) seen`.execute(tx)
  const { from_at: from = null, to_at: to = null } = recounted.rows[0] ?? {}
  if (from !== null && to !== null) {
    // As text, since a Date has no microseconds. Rows of batches that wait are counted with those.
    await sql`
      insert into counted_operation
      ${foldOf(
        orgId,
        sql`(
          select ${SCRATCH_COLUMNS} from signal s
          where org_id = ${orgId}::uuid
            and observed_at between (${from}::text)::timestamptz and (${to}::text)::timestamptz
            and operation_id in (select operation_id from touched_operation where is_recounted)
            and batch_id not in (select batch_id from signal_batch where org_id = ${orgId}::uuid)
        ) known`,
      )}`.execute(tx)
  }
  await sql`
    insert into touched_operation
    select operation_id, false from counted_operation
    where operation_id not in (select operation_id from touched_operation)`.execute(tx)
}

/** Whose days have to be counted again: those of the touched operations, of what they are part of and of their parts. */
async function touchDays({ tx, orgId, timeZone }: Counting): Promise<void> {
  await sql`
    insert into touched_day
    select distinct o.developer_id, (o.started_at at time zone ${timeZone})::date
    from operation o
    where o.org_id = ${orgId}::uuid and o.operation_id in (
      select operation_id from touched_operation
      union
      select parent_operation_id from counted_operation where parent_operation_id is not null
      union
      select p.parent_operation_id from operation p
      where p.org_id = ${orgId}::uuid and p.parent_operation_id is not null
        and p.operation_id in (select operation_id from touched_operation)
      union
      select c.operation_id from operation c
      where c.org_id = ${orgId}::uuid and c.parent_operation_id in (select operation_id from touched_operation)
    )`.execute(tx)
}

async function mergeOperations({ tx, orgId }: Counting): Promise<void> {
  const nobody = sql`select id from developer where org_id = ${orgId}::uuid and is_unattributed`
  await sql`
    delete from operation o
    where org_id = ${orgId}::uuid
      and operation_id in (select operation_id from touched_operation where is_recounted)`.execute(tx)
  await sql`
    insert into operation as o (org_id, ${FIELDS})
    select org_id, ${FIELDS} from counted_operation order by operation_id
    on conflict (org_id, operation_id) do update set
      developer_id = case
        when o.developer_id = excluded.developer_id then o.developer_id
        when excluded.developer_id = (${nobody}) then o.developer_id
        when o.developer_id = (${nobody}) then excluded.developer_id
        else greatest(o.developer_id, excluded.developer_id)
      end,
      agent_tool_id = greatest(o.agent_tool_id, excluded.agent_tool_id),
      rung = greatest(o.rung, excluded.rung),
      parent_operation_id = greatest(o.parent_operation_id, excluded.parent_operation_id),
      started_at = least(o.started_at, excluded.started_at),
      asked_at = least(o.asked_at, excluded.asked_at),
      last_at = greatest(o.last_at, excluded.last_at),
      signals = o.signals + excluded.signals,
      first_ms = greatest(o.first_ms, excluded.first_ms),
      whole_ms = greatest(o.whole_ms, excluded.whole_ms),
      accepted = o.accepted + excluded.accepted,
      presented = o.presented + excluded.presented,
      prompts = o.prompts + excluded.prompts,
      tool_calls_seen = o.tool_calls_seen + excluded.tool_calls_seen,
      tool_calls_said = greatest(o.tool_calls_said, excluded.tool_calls_said),
      calls = o.calls + excluded.calls,
      cost_usd = o.cost_usd + excluded.cost_usd,
      open_input_tokens = o.open_input_tokens + excluded.open_input_tokens,
      open_cached_tokens = o.open_cached_tokens + excluded.open_cached_tokens,
      open_output_tokens = o.open_output_tokens + excluded.open_output_tokens,
      model_id = least(o.model_id, excluded.model_id),
      other_model_id = greatest(o.other_model_id, excluded.other_model_id),
      provider_id = least(o.provider_id, excluded.provider_id),
      other_provider_id = greatest(o.other_provider_id, excluded.other_provider_id),
      session_id = greatest(o.session_id, excluded.session_id),
      repository_id = least(o.repository_id, excluded.repository_id),
      other_repository_id = greatest(o.other_repository_id, excluded.other_repository_id),
      mode_id = least(o.mode_id, excluded.mode_id),
      other_mode_id = greatest(o.other_mode_id, excluded.other_mode_id),
      language_id = least(o.language_id, excluded.language_id),
      other_language_id = greatest(o.other_language_id, excluded.other_language_id),
      tokens = o.tokens + excluded.tokens,
      tool_calls_failed = o.tool_calls_failed + excluded.tool_calls_failed`.execute(tx)
}

/**
 * Counts the touched days again from their operations.
 *
 * An operation stands on its own rung, or on its parent's when that is higher; whoever handed work to agents stands on
 * orchestration. It is timed until the first token below `agent` and until it was done from there on: where no signal
 * says how long that took, from its prompt to its last signal. A part's time is in its whole's.
 */
async function countDays({ tx, orgId, timeZone, daysFrom }: Counting): Promise<void> {
  await sql`delete from touched_day where day < (${daysFrom}::text)::date`.execute(tx)
  await sql`
    delete from developer_day d
    where org_id = ${orgId}::uuid and rung <> 'autocomplete'
      and (developer_id, day) in (select developer_id, day from touched_day)`.execute(tx)
  await sql`
    delete from latency_decision_day d
    where org_id = ${orgId}::uuid and rung <> 'autocomplete'
      and (developer_id, day) in (select developer_id, day from touched_day)`.execute(tx)
  await sql`
    delete from work_day d
    where org_id = ${orgId}::uuid and rung <> 'autocomplete'
      and (developer_id, day) in (select developer_id, day from touched_day)`.execute(tx)
  // All at once, as finding the operations is most of the work.
  await sql`
    with timed as materialized (
      select *, belay_latency_bucket(timed_ms::real) as bucket from (${operationsOf({ orgId, timeZone })}) placed
    ), decision as (
      insert into latency_decision_day (org_id, ${BAND_KEY}, accepted, presented)
      select ${orgId}::uuid, day, developer_id, rung, agent_tool_id, bucket / ${BUCKETS_PER_BAND}::int as band,
        sum(accepted), sum(presented)
      from timed where bucket is not null and presented > 0
      group by day, developer_id, rung, agent_tool_id, band
    ), work as (${insertWork(orgId)})
    insert into developer_day (org_id, day, developer_id, rung, agent_tool_id, operations, ran, accepted, presented, prompts,
      timed, latency_buckets, latency_counts)
    select ${orgId}::uuid, day, developer_id, rung, agent_tool_id,
      sum(operations), sum(ran), sum(accepted), sum(presented), sum(prompts), coalesce(sum(times) filter (where bucket is not null), 0),
      ${HISTOGRAM_OF_CELLS}
    from (
      select day, developer_id, rung, agent_tool_id, bucket, count(*)::integer as times,
        count(*) filter (where is_whole) as operations, count(*) filter (where is_whole and has_run) as ran,
        sum(accepted) as accepted, sum(presented) as presented, sum(prompts) as prompts
      from timed
      group by day, developer_id, rung, agent_tool_id, bucket
    ) cell
    group by day, developer_id, rung, agent_tool_id
    order by day, developer_id, rung, agent_tool_id`.execute(tx)
}

/** Operations that began on the touched days, each on its rung, with what of it is timed. */
function operationsOf({ orgId, timeZone }: Pick<Counting, "orgId" | "timeZone">) {
  return sql`
    select *, case
      when not is_whole then null
      when rung in ('autocomplete', 'chat') then first_ms
      else coalesce(whole_ms, span_ms)
    end as timed_ms
    from (
      select t.day, t.developer_id, o.agent_tool_id, o.accepted, o.presented, o.prompts, o.first_ms, o.whole_ms,
        (o.started_at at time zone 'UTC')::date as utc_day, o.model_id, o.other_model_id, o.provider_id, o.other_provider_id,
        o.mode_id, o.other_mode_id, o.language_id, o.other_language_id, o.tool_calls_seen, o.tool_calls_failed, o.calls,
        o.tokens, o.cost_usd, o.open_input_tokens, o.open_cached_tokens, o.open_output_tokens,
        o.parent_operation_id is null as is_whole,
        o.signals > 1 or o.asked_at is null or exists (
          select from operation c where c.org_id = ${orgId}::uuid and c.parent_operation_id = o.operation_id
        ) as has_run,
        greatest(o.rung, p.rung, case when exists (
          select from operation c
          where c.org_id = ${orgId}::uuid and c.parent_operation_id = o.operation_id and c.rung = 'orchestration'
        ) then 'orchestration'::rung end) as rung,
        case when o.signals > 1 then extract(epoch from o.last_at - o.asked_at) * 1000 end as span_ms
      from (select distinct developer_id, day from touched_day) t
      join operation o on o.org_id = ${orgId}::uuid and o.developer_id = t.developer_id
        and o.started_at >= t.day::timestamp at time zone ${timeZone}
        and o.started_at < (t.day + 1)::timestamp at time zone ${timeZone}
      left join operation p on p.org_id = ${orgId}::uuid and p.operation_id = o.parent_operation_id
    ) placed`
}

/** Suggestions are counted as they come, from the cells: each is an operation, and its own minute is when it began. */
async function addSuggestions(counting: Counting): Promise<void> {
  const { tx, orgId, timeZone, daysFrom } = counting
  await sql`
    insert into developer_day as r (org_id, day, developer_id, rung, agent_tool_id, operations, ran, accepted, presented,
      prompts, timed, latency_buckets, latency_counts)
    select ${orgId}::uuid, day, developer_id, 'autocomplete', agent_tool_id,
      sum(operations), sum(operations), sum(accepted), sum(presented), sum(prompts), coalesce(sum(times) filter (where bucket is not null), 0),
      ${HISTOGRAM_OF_CELLS}
    from (
      select (minute at time zone ${timeZone})::date as day, developer_id, agent_tool_id,
        case when kind in ('suggestion', 'turn') then bucket end as bucket,
        sum(times)::integer as times,
        coalesce(sum(times) filter (where kind in ('suggestion', 'turn', 'task', 'run')), 0) as operations,
        sum(accepted) as accepted, sum(presented) as presented, sum(prompts) as prompts
      from counted_cell
      where has_operation and rung = 'autocomplete' and (minute at time zone ${timeZone})::date >= (${daysFrom}::text)::date
      group by 1, 2, 3, 4
    ) cell
    group by day, developer_id, agent_tool_id
    having (sum(operations), sum(accepted), sum(presented), sum(prompts)) <> (0, 0, 0, 0) or count(bucket) > 0
    order by day, developer_id, agent_tool_id
    on conflict (org_id, day, developer_id, rung, agent_tool_id) do update set
      operations = r.operations + excluded.operations,
      ran = r.ran + excluded.ran,
      accepted = r.accepted + excluded.accepted,
      presented = r.presented + excluded.presented,
      prompts = r.prompts + excluded.prompts,
      timed = r.timed + excluded.timed,
      ${ADD_HISTOGRAM}`.execute(tx)
  await sql`
    delete from developer_day
    where org_id = ${orgId}::uuid and rung = 'autocomplete' and (operations, accepted, presented, prompts, timed) = (0, 0, 0, 0, 0)
      and day in (select (observed_at at time zone ${timeZone})::date from counted_signal where sign < 0)`.execute(tx)
  await sql`
    insert into latency_decision_day as r (org_id, ${BAND_KEY}, accepted, presented)
    select ${orgId}::uuid, (minute at time zone ${timeZone})::date as day, developer_id, 'autocomplete', agent_tool_id,
      bucket / ${BUCKETS_PER_BAND}::int as band, sum(accepted), sum(presented)
    from counted_cell
    where has_operation and rung = 'autocomplete' and kind in ('suggestion', 'turn') and bucket is not null
      and (minute at time zone ${timeZone})::date >= (${daysFrom}::text)::date
    group by day, developer_id, agent_tool_id, band having (sum(accepted), sum(presented)) <> (0, 0)
    order by day, developer_id, agent_tool_id, band
    on conflict (org_id, ${BAND_KEY}) do update set
      accepted = r.accepted + excluded.accepted, presented = r.presented + excluded.presented`.execute(tx)
  await sql`
    delete from latency_decision_day
    where org_id = ${orgId}::uuid and rung = 'autocomplete' and presented = 0
      and day in (select (observed_at at time zone ${timeZone})::date from counted_signal where sign < 0)`.execute(tx)
  await addSuggestedWork(counting)
}
