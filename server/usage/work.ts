import { type RawBuilder, sql } from "kysely"
import type { TenantTx } from "../db/tenant.ts"
import { type LadderScope, placedDays, weeksOf } from "../rungs/figures.ts"
import { MEMBERSHIP } from "../rungs/membership.ts"
import { type PricedNames, priceNames, priceRows } from "../spend/price-table.ts"

type WeeksScope = Pick<LadderScope, "from" | "to" | "now" | "timeZone">

/** The prices that may count in the weeks of a range and in those before. */
export async function pricesOf(tx: TenantTx, scope: WeeksScope): Promise<PricedNames> {
  const edges = await sql<{ from: Date }>`with ${weeksOf(scope)} select min(week) as "from" from week`.execute(tx)
  return priceNames(tx, edges.rows[0]?.from ?? scope.from)
}

/**
 * Common table expressions up to `work (week, is_current, rung, day, top_team_id, sub_team_id, developer_id, …, operations,
 * with_tools, calls, tokens, usd, unpriced_tokens)`: operations with what they took, by person and week and by the columns of
 * `work_day` that `by` names. `day` is the week.
 */
export function workOf(scope: WeeksScope, prices: PricedNames, by: RawBuilder<unknown>) {
  const { now, timeZone } = scope
  const columns = sql`d.utc_day, d.model_id, d.provider_id, d.mode_id, d.language_id, d.is_loop, d.operations, d.with_tools, d.calls,
    d.tokens, d.cost_usd, d.open_input_tokens, d.open_cached_tokens, d.open_output_tokens`
  const at = sql`d.utc_day::timestamp at time zone 'UTC'`
  return sql`
    ${weeksOf(scope)}, ${MEMBERSHIP}, ${priceRows(prices)}, ${placedDays({ now, timeZone, ownDeveloperIds: null }, { table: "work_day", columns })}, work_piece as (
      select week, is_current, rung, top_team_id, sub_team_id, developer_id, ${by}, operations, with_tools, calls, tokens,
        cost_usd + coalesce(((open_input_tokens - open_cached_tokens) * input_usd + open_cached_tokens * cached_usd
          + open_output_tokens * output_usd) / 1000000, 0) as usd,
        case when input_usd is null then open_input_tokens + open_output_tokens else 0 end as unpriced_tokens
      from placed_day d
      left join price p on (p.model_id, p.provider_id) = (d.model_id, d.provider_id)
        and ${at} >= p.valid_from and ${at} < p.valid_until
    ), work as materialized (
      select week, is_current, rung, week as day, top_team_id, sub_team_id, developer_id, ${by}, sum(operations)::int as operations,
        sum(with_tools)::int as with_tools, sum(calls)::int as calls, sum(tokens)::int8 as tokens, sum(usd) as usd,
        sum(unpriced_tokens)::int8 as unpriced_tokens
      from work_piece
      group by week, is_current, rung, top_team_id, sub_team_id, developer_id, ${by}
    )`
}
