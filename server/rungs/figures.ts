import { type RawBuilder, sql } from "kysely"
import type { Rung } from "#sdk/ladder.ts"
import type { TenantTx } from "../db/tenant.ts"
import { disclosureOf, MIN_GROUP_SIZE, NO_MIN_GROUP_SIZE } from "../privacy/disclosure.ts"
import { MEMBERSHIP } from "./membership.ts"

/** Why a figure is there or not. `withheld`: it rests on fewer than k people, or would reveal such a group. */
export type FigureState = "shown" | "withheld" | "no_data"

export interface LadderScope {
  /** Inclusive; widened to the Monday on or before it. The previous period has as many weeks. */
  readonly from: Date
  /** Exclusive; widened to the Monday on or after it. */
  readonly to: Date
  /** The week in progress ends here. */
  readonly now: Date
  /** Members of this team and its sub-teams as of each operation's day; null for the whole organization. */
  readonly teamId: string | null
  /** Only these developers' own signals, shown to themselves: the privacy floor does not apply. Null for everyone. */
  readonly ownDeveloperIds: readonly string[] | null
  /** A team has weeks only, whatever is asked for. */
  readonly bucket: "day" | "week"
  /** IANA zone of the weeks, and of the days on which people were in a team. */
  readonly timeZone: string
}

/** Weeks with activity in a period, and in how many of them it may be shown. */
export interface Weeks {
  readonly shown: number
  readonly total: number
}

/** A team has weeks only, whatever is asked for. */
export function isByDay({ bucket, ownDeveloperIds, teamId }: LadderScope): boolean {
  return bucket === "day" && (ownDeveloperIds !== null || teamId === null)
}

/** The weeks of the period and of the previous one. */
export function weeksOf({ from, to, timeZone }: Pick<LadderScope, "from" | "to" | "timeZone">) {
  return sql`
    edge as (
      select
        date_trunc('week', ${from}::timestamptz at time zone ${timeZone}) as first_monday,
        date_trunc('week', (${to}::timestamptz - interval '1 microsecond') at time zone ${timeZone}) as last_monday
    ), week as (
      select
        monday at time zone ${timeZone} as week,
        (monday + interval '7 days') at time zone ${timeZone} as ends_at,
        monday::date as monday,
        monday >= first_monday as is_current
      from edge cross join generate_series(
        first_monday - (last_monday - first_monday) - interval '7 days', last_monday, interval '7 days'
      ) monday
    )`
}

export interface PlacedTable {
  readonly table: string
  /** Besides those that all of them have; the table is `d`. */
  readonly columns: RawBuilder<unknown>
  /** Which of its rows; all of them by default. */
  readonly only?: RawBuilder<unknown>
  /** Of the expression. */
  readonly name?: string
}

const DEVELOPER_DAY: PlacedTable = {
  table: "developer_day",
  columns: sql`d.operations, d.accepted, d.presented, d.prompts, d.timed, d.latency_buckets, d.latency_counts`,
}

/**
 * A common table expression `placed_day (week, is_current, rung, day, top_team_id, sub_team_id, developer_id,
 * agent_tool_id, …)`: the rows of a rollup by day and developer in the weeks of `weeksOf`, whose they are, and the team that
 * person was in on that day. Needs `MEMBERSHIP`.
 */
export function placedDays(
  { ownDeveloperIds, now, timeZone }: Pick<LadderScope, "ownDeveloperIds" | "now" | "timeZone">,
  { table, columns, only = sql`true`, name = "placed_day" }: PlacedTable,
) {
  const own = ownDeveloperIds === null ? sql`true` : sql`d.developer_id = any(${ownDeveloperIds}::uuid[])`
  return sql`
    ${sql.id(name)} as (
      select
        w.week, w.is_current, d.rung, d.day::timestamp at time zone ${timeZone} as day, team.top_team_id, team.sub_team_id,
        person.id as developer_id, d.agent_tool_id, ${columns}
      from week w
      join ${sql.table(table)} d on d.day >= w.monday and d.day < w.monday + 7
        and d.day <= (${now}::timestamptz at time zone ${timeZone})::date
      -- An identity that was found to be someone's is counted as theirs.
      join lateral (
        select coalesce(max(merged_into_id::text)::uuid, d.developer_id) as id
        from developer where id = d.developer_id
      ) person on true
      left join membership team
        on team.developer_id = person.id and d.day >= team.valid_from and (team.valid_to is null or d.day < team.valid_to)
      where ${own} and ${only}
    )`
}

/**
 * Operations by the day on which they began, whose they were, and the team that person was in on that day. A week is the
 * same whatever the range: days are counted whole, whenever the last of an operation came.
 */
function daysOf(scope: LadderScope) {
  // Without days each person's week is one row, a fifth of what there would be to sort and to count.
  const day = isByDay(scope) ? sql`day` : sql`week`
  return sql`
    ${MEMBERSHIP}, ${placedDays(scope, DEVELOPER_DAY)}, person_day as (
      select
        week, is_current, rung, ${day} as day, top_team_id, sub_team_id, developer_id, agent_tool_id,
        sum(operations)::int as operations,
        sum(accepted)::int as accepted,
        sum(presented)::int as presented,
        sum(prompts)::int as prompts,
        sum(timed)::int as timed
      from placed_day
      group by week, is_current, rung, ${day}, top_team_id, sub_team_id, developer_id, agent_tool_id
    ), timed_day as (
      select week, is_current, rung, ${day} as day, top_team_id, sub_team_id, bucket, sum(times)::int as times
      from placed_day cross join unnest(latency_buckets, latency_counts) cell (bucket, times)
      group by week, is_current, rung, ${day}, top_team_id, sub_team_id, bucket
    ), contribution as (
      select week, rung, family, day, top_team_id, sub_team_id, developer_id
      from person_day cross join lateral (
        values ('volume', true), ('acceptance', presented > 0), ('latency', timed > 0)
      ) part (family, is_theirs)
      where is_theirs
    )`
}

/** By week and rung, which families may be shown of each node, and of each bucket. */
function shownOf(byDay: boolean) {
  const families = sql`
    bool_or(is_visible) filter (where family = 'volume') as volume,
    bool_or(is_visible) filter (where family = 'acceptance') as acceptance,
    bool_or(is_visible) filter (where family = 'latency') as latency`
  return sql`
    node_shown as (
      select week, rung, node_id, ${families} from disclosed_node group by week, rung, node_id
    ), bucket_shown as (
      ${
        byDay
          ? sql`select week, rung, (select id from org) as node_id, day as bucket_start, ${families}
              from disclosed_day group by week, rung, day`
          : sql`select *, week as bucket_start from node_shown`
      }
    )`
}

export interface RawFigures {
  readonly by: "period" | "bucket"
  readonly is_main: boolean
  readonly is_current: boolean
  readonly node_id: string
  readonly bucket_start: Date
  readonly rung: Rung
  readonly agent_tools: string[]
  readonly volume_weeks: number
  readonly volume_weeks_shown: number
  readonly acceptance_weeks: number
  readonly acceptance_weeks_shown: number
  readonly latency_weeks: number
  readonly latency_weeks_shown: number
  readonly developers: number | null
  readonly operations: number | null
  readonly prompts: number | null
  readonly accepted: number | null
  readonly presented: number | null
  readonly presented_developers: number | null
  readonly timed: number | null
  readonly timed_developers: number | null
  readonly latency_buckets: readonly number[] | null
  readonly latency_counts: readonly number[] | null
}

/** What `getLadder` answers, as the database says it: from one pass over the days of developers. */
export async function readFigures(tx: TenantTx, scope: LadderScope): Promise<readonly RawFigures[]> {
  const isOwn = scope.ownDeveloperIds !== null
  const byDay = isByDay(scope)
  const main = scope.teamId === null || isOwn ? sql`(select id from org)` : sql`${scope.teamId}::uuid`
  const withTeams = scope.teamId === null && !isOwn
  const bucketStart = byDay ? sql`r.day` : sql`r.week`
  const families = sql`
    coalesce(volume, false) as volume, coalesce(acceptance, false) as acceptance, coalesce(latency, false) as latency`
  /** A relation's rows once for each node and once for their bucket, and what of them may be shown there. */
  const placed = (relation: string) => sql`
    select 'period' as by, n.node_id, (select min(week) from week) as bucket_start, r.*, ${families}
    from ${sql.table(relation)} r
    cross join lateral (values ((select id from org)), (r.top_team_id), (r.sub_team_id)) n (node_id)
    left join node_shown shown on (shown.week, shown.rung, shown.node_id) = (r.week, r.rung, n.node_id)
    where ${withTeams ? sql`n.node_id is not null` : sql`n.node_id = ${main}`}
    union all
    select 'bucket', n.node_id, ${bucketStart}, r.*, ${families}
    from ${sql.table(relation)} r
    cross join lateral (values ((select id from org)), (r.top_team_id), (r.sub_team_id)) n (node_id)
    left join bucket_shown shown
      on (shown.week, shown.rung, shown.node_id, shown.bucket_start) = (r.week, r.rung, n.node_id, ${bucketStart})
    where n.node_id = ${main} and r.is_current`
  const key = sql`by, is_current, node_id, bucket_start, rung`
  const result = await sql<RawFigures>`
    with ${weeksOf(scope)}, ${daysOf(scope)},
    ${disclosureOf(isOwn ? NO_MIN_GROUP_SIZE : MIN_GROUP_SIZE)}, ${shownOf(byDay)},
    figure as (
      select
        ${key},
        array_agg(distinct agent_tool_id) filter (where volume) as agent_tool_ids,
        count(distinct week)::int as volume_weeks,
        count(distinct week) filter (where volume)::int as volume_weeks_shown,
        count(distinct week) filter (where presented > 0)::int as acceptance_weeks,
        count(distinct week) filter (where acceptance)::int as acceptance_weeks_shown,
        count(distinct week) filter (where timed > 0)::int as latency_weeks,
        count(distinct week) filter (where latency)::int as latency_weeks_shown,
        nullif(count(distinct developer_id) filter (where volume), 0)::int as developers,
        sum(operations) filter (where volume)::int as operations,
        sum(prompts) filter (where volume)::int as prompts,
        sum(accepted) filter (where acceptance)::int as accepted,
        sum(presented) filter (where acceptance)::int as presented,
        nullif(count(distinct developer_id) filter (where acceptance and presented > 0), 0)::int as presented_developers,
        sum(timed) filter (where latency)::int as timed,
        nullif(count(distinct developer_id) filter (where latency and timed > 0), 0)::int as timed_developers
      from (${placed("person_day")}) person_day group by ${key}
    ), timed_figure as (
      select ${key}, array_agg(bucket order by bucket) as latency_buckets, array_agg(times order by bucket) as latency_counts
      from (
        select ${key}, bucket, sum(times)::int as times
        from (${placed("timed_day")}) timed where latency group by ${key}, bucket
      ) cell
      group by ${key}
    )
    select
      figure.*, latency_buckets, latency_counts, node_id = ${main} as is_main,
      case when by = 'period' and node_id = ${main} then array(
        select d.value from dimension d where d.id = any(agent_tool_ids) order by d.value
      ) else '{}' end as agent_tools
    from figure
    left join timed_figure using (${key})
    order by bucket_start, rung`.execute(tx)
  return result.rows
}

export function stateOf({ shown, total }: Weeks): FigureState {
  if (shown > 0) return "shown"
  return total > 0 ? "withheld" : "no_data"
}

export function toHistogram({
  latency_buckets: buckets,
  latency_counts: counts,
}: Pick<RawFigures, "latency_buckets" | "latency_counts">): ReadonlyMap<number, number> {
  return new Map((buckets ?? []).map((bucket, index) => [bucket, counts?.[index] ?? 0]))
}
