import { type RawBuilder, sql } from "kysely"
import type { Counting } from "./counting.ts"

/** Of a permission, what the policy said is in the decision before it. */
const ofDecision = (column: string) => sql`case when kind = 'policy_decision' then ${sql.ref(column)} end`
/** Of a decision, nobody was asked. */
const ofPrompt = (column: string) => sql`case when kind = 'permission' then ${sql.ref(column)} end`

/** Columns of a case, and what of a signal each is. */
const CASE: readonly (readonly [column: string, of: RawBuilder<unknown>])[] = [
  ["kind", sql`kind`],
  ["rung", sql`rung`],
  ["agent_tool_id", sql`agent_tool_id`],
  ["mode_id", sql`mode_id`],
  ["surface", sql`surface`],
  ["repository_id", sql`repository_id`],
  ["action", sql`action`],
  ["effect", ofDecision("policy_effect")],
  ["because", ofDecision("policy_because")],
  ["rule", ofDecision("policy_rule")],
  ["layer", ofDecision("policy_layer")],
  ["policy_version", ofDecision("policy_version")],
  ["outcome", ofPrompt("outcome")],
  ["origin", ofPrompt("origin")],
]

const COLUMNS = sql.join(CASE.map(([column]) => sql.ref(column)))
const VALUES = sql.join(CASE.map(([column, of]) => sql`${of} as ${sql.ref(column)}`))
/** The same case has the same id, whenever it is counted. */
const CASE_ID = sql`md5(row(${COLUMNS})::text)::uuid`

/** Adds the counted decisions and permission prompts to `decision_hour`, with what is new to `decision_case`. */
export async function addDecisions({ tx, orgId, timeZone, daysFrom }: Counting): Promise<void> {
  const counted = sql`(
    select sign, developer_id, observed_at, ${VALUES} from counted_signal where kind in ('policy_decision', 'permission')
  ) counted`
  await sql`
    insert into decision_case (org_id, id, ${COLUMNS})
    select distinct ${orgId}::uuid, ${CASE_ID}, ${COLUMNS} from ${counted}
    on conflict do nothing`.execute(tx)
  await sql`
    insert into decision_hour as r (org_id, hour, developer_id, case_id, signals)
    select ${orgId}::uuid, hour, developer_id, case_id, sum(sign)
    from (
      select date_trunc('hour', observed_at, ${timeZone}) as hour, developer_id, ${CASE_ID} as case_id, sign from ${counted}
    ) placed
    where (hour at time zone ${timeZone})::date >= (${daysFrom}::text)::date
    group by hour, developer_id, case_id having sum(sign) <> 0
    order by hour, developer_id, case_id
    on conflict (org_id, hour, developer_id, case_id) do update set signals = r.signals + excluded.signals`.execute(tx)
  await sql`
    delete from decision_hour where org_id = ${orgId}::uuid and signals = 0 and hour in (
      select date_trunc('hour', observed_at, ${timeZone}) from counted_signal where sign < 0
    )`.execute(tx)
}
