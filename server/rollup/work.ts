import { sql } from "kysely"
import type { Counting } from "./counting.ts"
import { IS_CALL } from "./model-use.ts"

const KEY = sql.raw(
  `day, utc_day, developer_id, rung, agent_tool_id, model_id, provider_id, mode_id, language_id, is_loop`,
)
const FIGURES = sql.raw(
  `operations, with_tools, calls, tokens, cost_usd, open_input_tokens, open_cached_tokens, open_output_tokens`,
)
/** In place of the id of what an operation has several of. */
export const SEVERAL = -1

/** The one that an operation has: 0 where no signal names one. */
function oneOf(column: "model_id" | "provider_id" | "mode_id" | "language_id") {
  return sql`case when ${sql.ref(column)} = ${sql.ref(`other_${column}`)} then ${sql.ref(column)}
    when ${sql.ref(column)} is null then 0 else ${sql.lit(SEVERAL)} end`
}

/** Failed tool calls of a loop, at least: fewer are how an agent finds its way. */
export const LOOP_FAILURES = 5
/**
 * An agent that goes in circles: its tools failed several times and as often as they worked. No agent tells of a loop itself in its
 * telemetry, nor of what it called a tool with.
 */
const IS_LOOP = sql`tool_calls_failed >= ${sql.lit(LOOP_FAILURES)} and tool_calls_failed * 2 >= tool_calls_seen`

/**
 * A statement that adds operations to `work_day`, of a relation `timed` with `operation`'s columns, the days and the rung. Its rows
 * of those days have to be gone.
 */
export function insertWork(orgId: string) {
  return sql`
    insert into work_day (org_id, ${KEY}, ${FIGURES})
    select ${orgId}::uuid, day, utc_day, developer_id, rung, agent_tool_id, ${oneOf("model_id")}, ${oneOf("provider_id")},
      ${oneOf("mode_id")}, ${oneOf("language_id")}, ${IS_LOOP},
      count(*) filter (where is_whole), count(*) filter (where tool_calls_seen > 0), sum(calls), sum(tokens), sum(cost_usd),
      sum(open_input_tokens), sum(open_cached_tokens), sum(open_output_tokens)
    from timed group by 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 order by 2, 4, 5, 6, 7, 8, 9, 10, 11, 3`
}

/** Adds suggestions to `work_day` as they come. */
export async function addSuggestedWork({ tx, orgId, timeZone, daysFrom }: Counting): Promise<void> {
  await sql`
    insert into work_day as r (org_id, ${KEY}, ${FIGURES})
    select ${orgId}::uuid, (observed_at at time zone ${timeZone})::date, (observed_at at time zone 'UTC')::date, developer_id, rung,
      agent_tool_id, coalesce(model_id, 0), coalesce(provider_id, 0), coalesce(mode_id, 0), coalesce(language_id, 0), false,
      coalesce(sum(sign) filter (where operation_id is not null and kind in ('suggestion', 'turn', 'task', 'run')), 0), 0,
      coalesce(sum(sign) filter (where ${IS_CALL}), 0),
      coalesce(sum(sign * (coalesce(input_tokens, 0) + coalesce(output_tokens, 0))) filter (where ${IS_CALL}), 0),
      coalesce(sum(sign * cost_usd) filter (where ${IS_CALL}), 0),
      coalesce(sum(sign * input_tokens) filter (where ${IS_CALL} and cost_usd is null), 0),
      coalesce(sum(sign * least(cached_tokens, coalesce(input_tokens, 0)))
        filter (where ${IS_CALL} and cost_usd is null and cached_tokens is not null), 0),
      coalesce(sum(sign * output_tokens) filter (where ${IS_CALL} and cost_usd is null), 0)
    from counted_signal
    where rung = 'autocomplete' and (observed_at at time zone ${timeZone})::date >= (${daysFrom}::text)::date
      and (${IS_CALL} or operation_id is not null and kind in ('suggestion', 'turn', 'task', 'run'))
    group by 2, 3, 4, 5, 6, 7, 8, 9, 10
    order by 2, 4, 5, 6, 7, 8, 9, 10, 3
    on conflict (org_id, ${KEY}) do update set
      operations = r.operations + excluded.operations,
      calls = r.calls + excluded.calls,
      tokens = r.tokens + excluded.tokens,
      cost_usd = r.cost_usd + excluded.cost_usd,
      open_input_tokens = r.open_input_tokens + excluded.open_input_tokens,
      open_cached_tokens = r.open_cached_tokens + excluded.open_cached_tokens,
      open_output_tokens = r.open_output_tokens + excluded.open_output_tokens`.execute(tx)
  await sql`
    delete from work_day
    where org_id = ${orgId}::uuid and rung = 'autocomplete' and (operations, calls) = (0, 0)
      and day in (select (observed_at at time zone ${timeZone})::date from counted_signal where sign < 0)`.execute(tx)
}
