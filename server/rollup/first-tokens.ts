import { sql } from "kysely"
import type { Counting } from "./counting.ts"
import { ADD_HISTOGRAM, HISTOGRAM_OF_CELLS } from "./histogram.ts"

const KEY = sql.raw(`day, developer_id, rung, agent_tool_id, model_id`)

/**
 * Adds the cells of signals that say how soon a suggestion, a turn or a call of a model began to `first_token_day`. By the
 * signal's own model: an operation may have several.
 */
export async function addFirstTokens({ tx, orgId, timeZone, daysFrom }: Counting): Promise<void> {
  await sql`
    insert into first_token_day as r (org_id, ${KEY}, timed, latency_buckets, latency_counts)
    select ${orgId}::uuid, ${KEY}, sum(times), ${HISTOGRAM_OF_CELLS}
    from (
      select (minute at time zone ${timeZone})::date as day, developer_id, rung, agent_tool_id, model_id, bucket,
        sum(times)::integer as times
      from counted_cell
      where bucket is not null and kind in ('suggestion', 'turn', 'model_call')
        and (minute at time zone ${timeZone})::date >= (${daysFrom}::text)::date
      group by 1, 2, 3, 4, 5, 6
    ) cell
    group by ${KEY} order by ${KEY}
    on conflict (org_id, ${KEY}) do update set timed = r.timed + excluded.timed, ${ADD_HISTOGRAM}`.execute(tx)
  await sql`
    delete from first_token_day where org_id = ${orgId}::uuid and timed = 0
      and day in (select (observed_at at time zone ${timeZone})::date from counted_signal where sign < 0)`.execute(tx)
}
