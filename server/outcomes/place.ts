import { sql } from "kysely"
import type { TenantTx } from "../db/tenant.ts"

/** What joins are looked at again: operations are not kept longer than that. */
const KNOWN_WITHIN_MS = 38 * 86_400_000
/** A task's signals come within that long, so that what it is said to be is looked at no more. */
const GROWS_WITHIN_MS = 3 * 86_400_000

/** Of calls of models, in a task and its parts. */
const SUMS = ["calls", "cost_usd", "open_input_tokens", "open_cached_tokens", "open_output_tokens"] as const
const LEAST = ["model_id", "provider_id"] as const
const GREATEST = ["other_model_id", "other_provider_id"] as const

/**
 * Keeps of the operations of which something became known whose they are, at which rung they ran and since when, as
 * `joined_operation`: what becomes of work is known when the operations themselves are kept no more. An operation that is
 * not counted yet waits. Returns how many rows are new or changed.
 */
export async function placeJoinedOperations(tx: TenantTx, { now }: { readonly now: Date }): Promise<number> {
  const since = (ms: number) => sql`${new Date(now.getTime() - ms)}::timestamptz`
  // Of a task with its parts. Whoever handed work to agents stands on orchestration, as on the ladder.
  const parts = sql`
    cross join lateral (
      select max(c.rung) filter (where c.rung = 'orchestration') as rung, coalesce(sum(c.signals), 0)::int as signals,
        coalesce(sum(greatest(c.tool_calls_said, c.tool_calls_seen)), 0)::int as tool_calls,
        coalesce(sum(c.calls), 0)::int as calls, coalesce(sum(c.cost_usd), 0) as cost_usd,
        coalesce(sum(c.open_input_tokens), 0)::int8 as open_input_tokens,
        coalesce(sum(c.open_cached_tokens), 0)::int8 as open_cached_tokens,
        coalesce(sum(c.open_output_tokens), 0)::int8 as open_output_tokens,
        min(c.model_id) as model_id, max(c.other_model_id) as other_model_id,
        min(c.provider_id) as provider_id, max(c.other_provider_id) as other_provider_id
      from operation c where c.org_id = t.org_id and c.parent_operation_id = t.operation_id
    ) parts`
  const result = await sql`
    with wanted as (
      select operation_id from (
        select operation_id from change_operation where joined_at >= ${since(KNOWN_WITHIN_MS)}
        union select operation_id from late_outcome where received_at >= ${since(KNOWN_WITHIN_MS)}
      ) known
      where not exists (select from joined_operation j where j.operation_id = known.operation_id)
      union all
      select j.operation_id
      from joined_operation j join operation t on t.org_id = j.org_id and t.operation_id = j.task_id ${parts}
      where j.started_at >= ${since(GROWS_WITHIN_MS)} and j.signals <> t.signals + parts.signals
    )
    insert into joined_operation as j (org_id, operation_id, task_id, developer_id, agent_tool_id, rung, started_at,
      tool_calls, signals, ${sql.join([...SUMS, ...LEAST, ...GREATEST].map((name) => sql.ref(name)))})
    select o.org_id, o.operation_id, t.operation_id, t.developer_id, t.agent_tool_id, greatest(t.rung, parts.rung),
      t.started_at,
      case when t.tool_calls_said is not null or t.tool_calls_seen + parts.tool_calls > 0
        then greatest(t.tool_calls_said, t.tool_calls_seen + parts.tool_calls) end,
      t.signals + parts.signals, ${sql.join([
        ...SUMS.map((name) => sql`t.${sql.ref(name)} + parts.${sql.ref(name)}`),
        ...LEAST.map((name) => sql`least(t.${sql.ref(name)}, parts.${sql.ref(name)})`),
        ...GREATEST.map((name) => sql`greatest(t.${sql.ref(name)}, parts.${sql.ref(name)})`),
      ])}
    from wanted w
    join operation o on o.operation_id = w.operation_id
    left join operation whole on whole.org_id = o.org_id and whole.operation_id = o.parent_operation_id
    join operation t on t.org_id = o.org_id and t.operation_id = coalesce(whole.operation_id, o.operation_id) ${parts}
    on conflict (org_id, operation_id) do update set
      task_id = excluded.task_id, developer_id = excluded.developer_id, agent_tool_id = excluded.agent_tool_id,
      rung = excluded.rung, started_at = excluded.started_at, tool_calls = excluded.tool_calls,
      signals = excluded.signals, ${sql.join(
        [...SUMS, ...LEAST, ...GREATEST].map((name) => sql`${sql.ref(name)} = excluded.${sql.ref(name)}`),
      )}`.execute(tx)
  return Number(result.numAffectedRows ?? 0)
}
