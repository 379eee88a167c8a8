import { sql } from "kysely"
import type { TenantTx } from "../db/tenant.ts"
import { disclosureOf, MIN_GROUP_SIZE } from "../privacy/disclosure.ts"
import { type FigureState, type LadderScope, stateOf, weeksOf } from "../rungs/figures.ts"
import { MEMBERSHIP } from "../rungs/membership.ts"

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
      select week, 'autocomplete'::rung as rung, 'volume' as family, day::timestamp at time zone ${timeZone} as day,
        top_team_id, sub_team_id, developer_id
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
