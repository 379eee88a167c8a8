import { type RawBuilder, sql } from "kysely"
import type { Rung } from "#sdk/ladder.ts"
import { disclosureOf, MIN_GROUP_SIZE } from "../privacy/disclosure.ts"
import type { LadderScope } from "../rungs/figures.ts"
import { NO_PRICES, type PricedNames, priceRows } from "../spend/price-table.ts"

/** Of tasks and changes, which have weeks only. */
export type WorkScope = Pick<LadderScope, "from" | "to" | "now" | "teamId" | "timeZone">

/** Rungs whose operations are tasks: one agent's, and several agents'. Below them nothing is merged. */
export const TASK_RUNGS = ["agent", "orchestration"] as const satisfies readonly Rung[]
export type TaskRung = (typeof TASK_RUNGS)[number]

/** Whether a rung is one of them. */
export function isTaskRung(column: string) {
  return sql<boolean>`${sql.ref(column)} in ('agent', 'orchestration')`
}

const IN_RANGE = (column: RawBuilder<unknown>, now: Date) => sql`
  ${column} >= (select min(week) from week) and ${column} < (select max(ends_at) from week) and ${column} <= ${now}::timestamptz`

/** Whose work it was, and the team that person was in on the day of it; of rows `r` with `at` and `developer_id`. */
function placedIn(timeZone: string, relation: string) {
  const day = sql`(r.at at time zone ${timeZone})::date`
  return sql`
    from ${sql.table(relation)} r
    join week w on r.at >= w.week and r.at < w.ends_at
    -- An identity that was found to be someone's is counted as theirs.
    join lateral (
      select coalesce(max(merged_into_id::text)::uuid, r.developer_id) as id from developer where id = r.developer_id
    ) person on true
    left join membership team on team.developer_id = person.id
      and ${day} >= team.valid_from and (team.valid_to is null or ${day} < team.valid_to)`
}

const PLACE = (timeZone: string) => sql`
  w.week, w.is_current, r.rung, (r.at at time zone ${timeZone})::date::timestamp at time zone ${timeZone} as day,
  team.top_team_id, team.sub_team_id, person.id as developer_id`

/**
 * A common table expression `placed_task`: tasks that began in the weeks of `weeksOf` and of which something became known, by
 * their changes or by another system. Each stage has when it was first reached in any of them. Needs `MEMBERSHIP`.
 */
export function placedTasks({ now, timeZone }: WorkScope) {
  return sql`
    task_fact as (
      select j.task_id, j.developer_id, j.rung, j.started_at, least(c.checked_at, c.approved_at) as verified_at,
        c.first_review_at as reviewed_at, c.merged_at, c.abandoned_at, c.reverted_at
      from joined_operation j
      join change_operation o on o.org_id = j.org_id and o.operation_id = j.operation_id
      join change_request c on (c.org_id, c.provider, c.repository, c.number) = (o.org_id, o.provider, o.repository, o.number)
      where ${IN_RANGE(sql`j.started_at`, now)}
      union all
      select j.task_id, j.developer_id, j.rung, j.started_at, null, null,
        case when l.outcome = 'merged' then l.occurred_at end, case when l.outcome = 'abandoned' then l.occurred_at end,
        case when l.outcome = 'reverted' then l.occurred_at end
      from joined_operation j join late_outcome l on l.org_id = j.org_id and l.operation_id = j.operation_id
      where ${IN_RANGE(sql`j.started_at`, now)} and starts_with(l.source_id, 'reported:')
    ), known_task as (
      select task_id, max(developer_id::text)::uuid as developer_id, max(rung) as rung, min(started_at) as at,
        min(verified_at) as verified_at, min(reviewed_at) as reviewed_at, min(merged_at) as merged_at,
        min(abandoned_at) as abandoned_at, min(reverted_at) as reverted_at
      from task_fact group by task_id
    ), placed_task as (
      select ${PLACE(timeZone)}, r.task_id, r.verified_at, r.reviewed_at, r.merged_at, r.abandoned_at, r.reverted_at
      ${placedIn(timeZone, "known_task")} where ${isTaskRung("r.rung")}
    )`
}

/**
 * A common table expression `placed_change`: changes that were opened in the weeks of `weeksOf` and have tasks' work in them,
 * on the highest rung of those. A change counts for the person whose task in it began first: sums over people stay sums.
 * `tool_calls` are those of its tasks, null where no signal tells of any. `usd` is what those cost with the given prices, of a
 * task in several changes a part of it; null where one's cost is not known. `model_id` is the model of all of their calls,
 * null when there were several. Needs `MEMBERSHIP`.
 */
export function placedChanges({ now, timeZone }: WorkScope, prices: PricedNames = NO_PRICES) {
  const key = sql`provider, repository, number`
  return sql`
    ${priceRows(prices)}, change_task as (
      select distinct on (${key}, task_id) ${key}, c.opened_at, j.task_id, j.rung, j.developer_id, j.started_at, j.tool_calls,
        j.model_id, j.other_model_id,
        case
          when j.calls = 0 then null
          when j.open_input_tokens + j.open_output_tokens = 0 then j.cost_usd
          else j.cost_usd + ((j.open_input_tokens - j.open_cached_tokens) * p.input_usd + j.open_cached_tokens * p.cached_usd
            + j.open_output_tokens * p.output_usd) / 1000000
        end / (
          select count(distinct (b.provider, b.repository, b.number)) from joined_operation a
          join change_operation b on b.org_id = a.org_id and b.operation_id = a.operation_id
          where a.org_id = j.org_id and a.task_id = j.task_id
        ) as usd
      from change_request c
      join change_operation o using (org_id, provider, repository, number)
      join joined_operation j on j.org_id = c.org_id and j.operation_id = o.operation_id
      left join price p on p.model_id = j.model_id and p.model_id = j.other_model_id
        and p.provider_id = j.provider_id and p.provider_id = j.other_provider_id
        and j.started_at >= p.valid_from and j.started_at < p.valid_until
      where ${IN_RANGE(sql`c.opened_at`, now)} and ${isTaskRung("j.rung")}
    ), known_change as (
      select ${key}, opened_at as at, max(rung) as rung, (array_agg(developer_id order by started_at, task_id))[1] as developer_id,
        count(*)::int as tasks, sum(tool_calls)::int as tool_calls,
        case when bool_and(usd is not null) then sum(usd)::float8 end as usd,
        case when min(model_id) = max(other_model_id) then min(model_id) end as model_id
      from change_task group by ${key}, opened_at
    ), placed_change as (
      select ${PLACE(timeZone)}, r.tasks, r.tool_calls, r.usd, r.model_id, c.*
      ${placedIn(timeZone, "known_change")}
      join change_request c using (provider, repository, number)
    )`
}

/**
 * Common table expressions `contribution`, what `disclosureOf` gives and `node_shown`: by week, rung and node, which families of `relation` may be shown. A family is the people with a row that meets its condition.
 */
export function shownFamilies(relation: string, families: Readonly<Record<string, RawBuilder<unknown>>>) {
  const names = Object.keys(families)
  const parts = Object.entries(families).map(([name, isTheirs]) => sql`(${sql.lit(name)}, ${isTheirs})`)
  return sql`
    contribution as (
      select distinct week, rung, family, day, top_team_id, sub_team_id, developer_id
      from ${sql.table(relation)} cross join lateral (values ${sql.join(parts)}) part (family, is_theirs) where is_theirs
    ), ${disclosureOf(MIN_GROUP_SIZE)}, node_shown as (
      select week as shown_week, rung as shown_rung, node_id as shown_node, ${sql.join(
        names.map(
          (name) =>
            sql`coalesce(bool_or(is_visible) filter (where family = ${sql.lit(name)}), false) as ${sql.id(`is_${name}_shown`)}`,
        ),
      )}
      from disclosed_node group by week, rung, node_id
    )`
}

/** Rows of a relation once for each node that they are in, with what of the node and week may be shown. */
export function atNodes(relation: string, teamId: string | null) {
  return sql`
    select n.node_id, n.node_id = ${mainNode(teamId)} as is_main, r.*, s.*
    from ${sql.table(relation)} r
    cross join lateral (values ((select id from org)), (r.top_team_id), (r.sub_team_id)) n (node_id)
    left join node_shown s on (s.shown_week, s.shown_rung, s.shown_node) = (r.week, r.rung, n.node_id)
    where ${teamId === null ? sql`n.node_id is not null` : sql`n.node_id = ${mainNode(teamId)}`}`
}

/** The team that is asked for, or the organization. */
function mainNode(teamId: string | null) {
  return teamId === null ? sql`(select id from org)` : sql`${teamId}::uuid`
}
