import { type RawBuilder, sql } from "kysely"
import type { TenantTx } from "../db/tenant.ts"
import { disclosedPieces, disclosureOf, MIN_GROUP_SIZE } from "../privacy/disclosure.ts"
import { type FigureState, type LadderScope, placedDays, stateOf, type Weeks, weeksOf } from "../rungs/figures.ts"
import { MEMBERSHIP } from "../rungs/membership.ts"
import { priceNames } from "../spend/price-table.ts"
import { usedOf } from "../spend/use.ts"

export type UsageScope = Omit<LadderScope, "ownDeveloperIds" | "bucket">

export interface Coverage {
  /** `no_data`: nobody was in a team. */
  readonly state: FigureState
  /** Working days (Monday to Friday) of people in a team as of each; null unless it is shown. */
  readonly eligibleDays: number | null
  /** Of those the ones on which a signal was theirs. */
  readonly seenDays: number | null
}

/**
 * How much of the work that could have been seen was: days of people in a team, of the working days of the period that have
 * begun, and of those the days on which any signal came from the person. Of weeks in which the people in teams may be shown.
 */
export async function getCoverage(tx: TenantTx, scope: UsageScope): Promise<Coverage> {
  const { now, timeZone, teamId } = scope
  const node = teamId === null ? sql`(select id from org)` : sql`${teamId}::uuid`
  const isOfNode = teamId === null ? sql`true` : sql`${node} in (s.top_team_id, s.sub_team_id)`
  const found = await sql<{ weeks: number; weeks_shown: number; eligible: number | null; seen: number | null }>`
    with ${weeksOf(scope)}, ${MEMBERSHIP}, seat as (
      select w.week, day::date as day, m.developer_id, m.top_team_id, m.sub_team_id
      from week w
      cross join generate_series(w.monday, least(w.monday + 4, (${now}::timestamptz at time zone ${timeZone})::date), '1 day') day
      join membership m on day::date >= m.valid_from and (m.valid_to is null or day::date < m.valid_to)
      where w.is_current
    ), contribution as (
      select distinct week, 'autocomplete'::rung as rung, 'volume' as family, week as day, top_team_id, sub_team_id, developer_id
      from seat
    ), ${disclosureOf(MIN_GROUP_SIZE)}, seen as (
      select distinct coalesce(d.merged_into_id, d.id) as developer_id, u.day
      from developer_usage_day u join developer d on d.id = u.developer_id
      where u.day >= (select min(monday) from week where is_current) and u.day < (select max(monday) + 7 from week)
    )
    select
      count(distinct s.week)::int as weeks, count(distinct s.week) filter (where n.is_visible)::int as weeks_shown,
      nullif(count(*) filter (where n.is_visible), 0)::int as eligible,
      case when bool_or(n.is_visible) then count(seen.day) filter (where n.is_visible) end::int as seen
    from seat s
    left join disclosed_node n on n.week = s.week and n.node_id = ${node}
    left join seen on seen.developer_id = s.developer_id and seen.day = s.day
    where ${isOfNode}`.execute(tx)
  const row = found.rows[0]
  return {
    state: stateOf({ shown: row?.weeks_shown ?? 0, total: row?.weeks ?? 0 }),
    eligibleDays: row?.eligible ?? null,
    seenDays: row?.seen ?? null,
  }
}

/** People in a team in one week, and who of them used agents deliberately. */
export interface WeekSeats {
  /** Midnight of the week's Monday in the zone. */
  readonly week: Date
  readonly state: FigureState
  /** Who accepted a suggestion, or had a turn, a task or a run; null unless shown. */
  readonly active: number | null
  /** Who did not. Null when withheld: fewer than k people, or what would tell of such a group; 0 is nobody. */
  readonly unused: number | null
}

/**
 * Common table expressions `placed_day` of everyone's days and `seat (week, developer_id, top_team_id, sub_team_id)`: who was
 * in a team on any day of a week that has begun, in the last of those teams.
 */
function seatsOf(scope: Pick<UsageScope, "from" | "to" | "now" | "timeZone">) {
  const { now, timeZone } = scope
  return sql`
    ${weeksOf(scope)}, ${MEMBERSHIP},
    ${placedDays(
      { now, timeZone, ownDeveloperIds: null },
      { table: "developer_day", columns: sql`d.operations, d.accepted` },
    )}, seat as (
      select distinct on (w.week, m.developer_id) w.week, m.developer_id, m.top_team_id, m.sub_team_id
      from week w join membership m on (m.valid_to is null or m.valid_to > w.monday)
        and m.valid_from < least(w.monday + 7, (${now}::timestamptz at time zone ${timeZone})::date + 1)
      where w.is_current
      order by w.week, m.developer_id, m.valid_from desc
    )`
}

/** Of a day `p` of `placed_day`: that something was accepted, or asked of an agent. */
const IS_DELIBERATE = sql`(p.accepted > 0 or (p.rung <> 'autocomplete' and p.operations > 0))`

/**
 * Seats by week, the oldest first: everyone who was in a team on any of its days that have begun, in the last of those
 * teams. That an agent tool was open, or a suggestion was shown, is no use.
 */
export async function listWeekSeats(tx: TenantTx, scope: UsageScope): Promise<readonly WeekSeats[]> {
  const { teamId } = scope
  const node = teamId === null ? sql`(select id from org)` : sql`${teamId}::uuid`
  const isOfNode = teamId === null ? sql`true` : sql`${node} in (c.top_team_id, c.sub_team_id)`
  const found = await sql<WeekSeats>`
    with ${seatsOf(scope)}, used as (
      select distinct week, developer_id from placed_day p where ${IS_DELIBERATE}
    ), contribution as (
      select s.week, 'autocomplete'::rung as rung, case when u.week is null then 'unused' else 'active' end as family,
        s.week as day, s.top_team_id, s.sub_team_id, s.developer_id
      from seat s left join used u using (week, developer_id)
    ), ${disclosureOf(MIN_GROUP_SIZE)}, counted as (
      select c.week, count(*) filter (where c.family = 'active')::int as active,
        count(*) filter (where c.family = 'unused')::int as unused,
        bool_or(n.is_visible) filter (where c.family = 'active') as is_active_shown,
        bool_or(n.is_visible) filter (where c.family = 'unused') as is_unused_shown
      from contribution c
      left join disclosed_node n on (n.week, n.rung, n.family, n.node_id) = (c.week, c.rung, c.family, ${node})
      where ${isOfNode} group by c.week
    )
    select week, case when is_active_shown then 'shown' else 'withheld' end as state,
      case when is_active_shown then active end as active,
      case when is_active_shown and (unused = 0 or is_unused_shown) then unused end as unused
    from counted order by week`.execute(tx)
  return found.rows
}

/** Who used agents deliberately on each day of a seat that they had in its week; of a relation `active_day`. */
function activeDaysOf(scope: Pick<UsageScope, "from" | "to" | "now" | "timeZone">) {
  return sql`
    ${seatsOf(scope)}, contribution as (
      select distinct s.week, 'autocomplete'::rung as rung, 'active' as family, p.day, s.top_team_id, s.sub_team_id,
        s.developer_id
      from seat s join placed_day p using (week, developer_id)
      where ${IS_DELIBERATE}
    ), ${disclosureOf(MIN_GROUP_SIZE)}`
}

/** Active people of one day, of the whole organization: teams have weeks only. */
export interface ActiveDay {
  /** Its midnight in the zone. */
  readonly day: Date
  readonly state: FigureState
  /** Null unless shown. */
  readonly active: number | null
}

/** People who used agents deliberately by day, the oldest first; days on which nobody did are not among them. */
export async function listActiveDays(tx: TenantTx, scope: Omit<UsageScope, "teamId">): Promise<readonly ActiveDay[]> {
  const found = await sql<ActiveDay>`
    with ${activeDaysOf(scope)}
    select c.day, case when d.is_visible then 'shown' else 'withheld' end as state, case when d.is_visible then d.people end as active
    from (select distinct week, day from contribution) c left join disclosed_day d using (week, day) order by c.day`.execute(
    tx,
  )
  return found.rows
}

/** People who used agents deliberately in any week of the period, each counted once; of the weeks that may be shown. */
export async function getActivePeople(
  tx: TenantTx,
  scope: UsageScope,
): Promise<{ readonly state: FigureState; readonly active: number | null; readonly weeks: Weeks }> {
  const node = scope.teamId === null ? sql`(select id from org)` : sql`${scope.teamId}::uuid`
  const isOfNode = scope.teamId === null ? sql`true` : sql`${node} in (c.top_team_id, c.sub_team_id)`
  const found = await sql<{ active: number; shown: number; total: number }>`
    with ${activeDaysOf(scope)}
    select count(distinct c.developer_id) filter (where n.is_visible)::int as active,
      count(distinct c.week) filter (where n.is_visible)::int as shown, count(distinct c.week)::int as total
    from contribution c left join disclosed_node n on n.week = c.week and n.node_id = ${node}
    where ${isOfNode}`.execute(tx)
  const { active, ...weeks } = found.rows[0] ?? { active: 0, shown: 0, total: 0 }
  const state = stateOf(weeks)
  return { state, active: state === "shown" ? active : null, weeks }
}

/** What is told of more weeks of one period than of the other would look like growth, or like a fall. */
export function hasAsManyWeeks(isVisible: RawBuilder<unknown>) {
  return sql`count(distinct week) filter (where ${isVisible} and not is_current)
    = count(distinct week) filter (where ${isVisible} and is_current)`
}

const HAS_AS_MANY_WEEKS = hasAsManyWeeks(sql`is_visible`)

/** What calls of one model took, of the whole organization. */
export interface ModelSpend {
  /** Null when withheld, and where sources name none. */
  readonly name: string | null
  readonly state: FigureState
  readonly calls: number | null
  readonly tokens: number | null
  /** As budgets count it: what sources say, and by the price table of the day what others cost. */
  readonly usd: number | null
  readonly unpricedTokens: number | null
  readonly people: number | null
  /** `usd` of the period before; null unless as many weeks of it as of this one may be shown. */
  readonly previousUsd: number | null
}

/** What calls of models took, of a team's people with its sub-teams'. */
export interface TeamSpend {
  readonly teamId: string
  readonly state: FigureState
  /** Null unless shown, like what follows; of the weeks that may be shown. */
  readonly usd: number | null
  readonly tokens: number | null
  readonly calls: number | null
  readonly people: number | null
  readonly weeks: Weeks
  /** `usd` of the period before; null unless as many weeks of it as of this one may be shown. */
  readonly previousUsd: number | null
}

export interface Spend {
  /** The dearest first; of the whole organization. */
  readonly models: readonly ModelSpend[]
  /** The dearest first: the same use, cut by teams. */
  readonly teams: readonly TeamSpend[]
}

type SpendRow = Omit<ModelSpend, "state"> &
  Weeks &
  ({ readonly of: "model"; readonly teamId: null } | { readonly of: "team"; readonly teamId: string })

/**
 * Calls, tokens and cost by model and by team, of the weeks that may be shown. In one, as both are of what people spent on each
 * model in a week in the team that they were in: there are five days to a week, and all that is asked of them is asked of these.
 */
export async function getSpend(tx: TenantTx, scope: Omit<UsageScope, "teamId">): Promise<Spend> {
  const { timeZone } = scope
  const edges = await sql<{ startsAt: Date; endsAt: Date }>`
    with ${weeksOf(scope)}
    select min(week) as "startsAt", max(ends_at) as "endsAt" from week`.execute(tx)
  const [period] = edges.rows
  if (period === undefined) throw new Error("a range has weeks")
  const prices = await priceNames(tx, period.startsAt)
  const found = await sql<SpendRow>`
    with ${weeksOf(scope)}, ${usedOf({ period, timeZone }, prices)}, spent_week as materialized (
      select w.week, w.is_current, 'autocomplete'::rung as rung, 'spend' as family, w.week as day, u.*
      from (
        select date_trunc('week', day::timestamp)::date as monday, top_team_id, sub_team_id, person_id as developer_id,
          model_id, sum(calls) as calls, sum(usd) as usd, sum(tokens) as tokens, sum(unpriced_tokens) as unpriced_tokens
        from used
        group by 1, top_team_id, sub_team_id, person_id, model_id
      ) u
      join week w on w.monday = u.monday
    ), piece_contribution as (
      select week, rung, family, day, top_team_id, sub_team_id, developer_id, model_id as piece_id from spent_week
    ), contribution as (
      select distinct week, rung, family, day, top_team_id, sub_team_id, developer_id from spent_week
    ), ${disclosureOf(MIN_GROUP_SIZE)}, ${disclosedPieces(MIN_GROUP_SIZE)}, placed as (
      select p.*, 'model' as of, p.model_id as piece_id, null::uuid as team_id, coalesce(s.is_visible, false) as is_visible
      from spent_week p left join disclosed_piece s on (s.week, s.piece_id) = (p.week, p.model_id)
      union all
      select p.*, 'team', null, n.team_id, coalesce(s.is_visible, false)
      from spent_week p
      cross join lateral (values (p.top_team_id), (p.sub_team_id)) n (team_id)
      left join disclosed_node s on (s.week, s.node_id) = (p.week, n.team_id)
      where n.team_id is not null
    ), figure as (
      select of, piece_id, team_id,
        sum(calls) filter (where is_visible and is_current)::int8 as calls,
        sum(tokens) filter (where is_visible and is_current)::int8 as tokens,
        sum(usd) filter (where is_visible and is_current)::float8 as usd,
        sum(unpriced_tokens) filter (where is_visible and is_current)::int8 as unpriced_tokens,
        nullif(count(distinct developer_id) filter (where is_visible and is_current), 0)::int as people,
        count(distinct week) filter (where is_visible and is_current)::int as shown,
        count(distinct week) filter (where is_current)::int as total,
        case when ${HAS_AS_MANY_WEEKS} and bool_or(is_visible and is_current)
          then sum(usd) filter (where is_visible and not is_current)::float8 end as previous_usd
      from placed group by of, piece_id, team_id having bool_or(is_current)
    )
    select of, team_id as "teamId", case when shown > 0 then d.value end as name, calls, tokens, usd,
      unpriced_tokens as "unpricedTokens", people, previous_usd as "previousUsd", shown, total
    from figure f left join dimension d on d.id = f.piece_id
    order by usd desc nulls last, name, team_id`.execute(tx)
  const models: ModelSpend[] = []
  const teams: TeamSpend[] = []
  for (const { of, teamId, name, shown, total, unpricedTokens, ...figures } of found.rows) {
    const weeks = { shown, total }
    const state = stateOf(weeks)
    if (of === "team") teams.push({ teamId, state, weeks, ...figures })
    else models.push({ name, state, unpricedTokens, ...figures })
  }
  return { models, teams }
}
