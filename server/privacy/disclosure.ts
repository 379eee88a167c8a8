import { type RawBuilder, sql } from "kysely"

/**
 * Figures that rest on the same people are shown or withheld together. `volume`: people with operations, operations,
 * questions; `acceptance`: whoever was presented something to decide; `latency`: whoever's operations were timed.
 */
export type Family = "volume" | "acceptance" | "latency"

/** k of the transaction's organization: figures of fewer people are withheld. */
export const MIN_GROUP_SIZE = sql<number>`(select min_group_size from org)`

/** For people's own figures, which are theirs to see. */
export const NO_MIN_GROUP_SIZE = sql<number>`1`

/**
 * Common table expressions that decide which figures may be shown. The only place that does; every figure that someone
 * sees of others joins with `disclosed_node` or `disclosed_day`.
 *
 * Reads a CTE `contribution (week, rung, family, day, top_team_id, sub_team_id, developer_id)`: who contributed to
 * what. `week` is the Monday on which it begins, `day` a day of it; the team ids are those of the day, both null for
 * people in no team, `sub_team_id` null for members of the top-level team itself. It has to hold the contributions of
 * the whole organization, whatever is asked for: what one team may show depends on its siblings.
 *
 * Gives, for every week, rung and family,
 * - `disclosed_node (…, node_id, people, is_visible)`: the organization (by its own id), top-level teams, sub-teams;
 * - `disclosed_day (…, day, people, is_visible)`: the organization's days.
 *
 * A node is visible when it has at least k people, its parent is visible, and what is left of the parent without its
 * visible children (withheld ones, direct members, people in no team) is nobody or at least k people. To make the
 * rest large enough the smallest children are withheld first. Visible days are held to the same within every group of
 * people that the visible teams tell apart. So the visible figures cut a week into groups of at least k people, and no
 * arithmetic over any of them, over any weeks, reaches a smaller one: docs/decisions/007-complementary-suppression.md.
 */
export function disclosureOf(minGroupSize: RawBuilder<number>) {
  const key = sql`week, rung, family`
  return sql`
    organization_size as (
      select ${key}, (select id from org) as node_id, count(distinct developer_id)::int as people
      from contribution group by ${key}
    ), disclosed_organization as (
      select ${key}, node_id, people, people >= ${minGroupSize} as is_visible from organization_size
    ), ${disclosedChildren({
      name: "top_team",
      of: sql`select c.*, o.node_id as parent_id, c.top_team_id as node_id from contribution c
        join disclosed_organization o using (${key}) where o.is_visible`,
      minGroupSize,
    })}, ${disclosedChildren({
      name: "sub_team",
      of: sql`select c.*, t.node_id as parent_id, c.sub_team_id as node_id from contribution c
        join disclosed_top_team t using (${key}) where t.node_id = c.top_team_id and t.is_visible`,
      minGroupSize,
    })}, disclosed_node as (
      select ${key}, node_id, people, is_visible from disclosed_organization
      union all select ${key}, node_id, people, is_visible from disclosed_top_team
      union all select ${key}, node_id, people, is_visible from disclosed_sub_team
    ), ${disclosedDays(minGroupSize)}`
}

/**
 * Which children of each parent are visible. They are put in order of size; `people_before` are those in no child or
 * in a smaller one, each counted once. They are the rest when all smaller children are withheld, and grow with the
 * order, so a child is visible when it is large enough and they are nobody or enough.
 */
function disclosedChildren(args: { name: string; of: RawBuilder<unknown>; minGroupSize: RawBuilder<number> }) {
  const key = sql`week, rung, family, parent_id`
  const order = sql`node_id is not null, people, node_id`
  const [member, placed, disclosed] = ["member_of", "placed", "disclosed"].map((step) => sql.id(`${step}_${args.name}`))
  return sql`
    ${member} as (
      select distinct ${key}, node_id, developer_id from (${args.of}) within_parent
    ), ${placed} as (
      select *, row_number() over (partition by ${key}, developer_id order by ${order}) = 1 as is_first
      from (select *, count(*) over (partition by ${key}, node_id) as people from ${member}) sized
    ), ${disclosed} as (
      select ${key}, node_id, people::int,
        people >= ${args.minGroupSize} and (people_before = 0 or people_before >= ${args.minGroupSize}) as is_visible
      from (
        select ${key}, node_id, people,
          coalesce(sum(count(*) filter (where is_first)) over (
            partition by ${key} order by ${order} rows between unbounded preceding and 1 preceding
          ), 0) as people_before
        from ${placed} group by ${key}, node_id, people
      ) ordered
      where node_id is not null
    )`
}

/**
 * Which days of the organization are visible. A region is a group of people that the visible teams of the week tell
 * apart. A day on which some region has too few people is withheld, and with it the smallest days, until the withheld
 * days together have enough people in every region.
 */
function disclosedDays(minGroupSize: RawBuilder<number>) {
  const key = sql`week, rung, family`
  return sql`
    day_member as (
      select distinct c.week, c.rung, c.family, c.day, c.developer_id,
        case when s.is_visible then s.node_id when t.is_visible then t.node_id else o.node_id end as region_id
      from contribution c
      join disclosed_organization o using (${key})
      left join disclosed_top_team t
        on (t.week, t.rung, t.family, t.node_id) = (c.week, c.rung, c.family, c.top_team_id)
      left join disclosed_sub_team s
        on (s.week, s.rung, s.family, s.node_id) = (c.week, c.rung, c.family, c.sub_team_id)
      where o.is_visible
    ), day_size as (
      select *, bool_or(region_people < ${minGroupSize}) over (partition by ${key}, day) as is_small
      from (
        select *, count(*) over (partition by ${key}, day) as people,
          count(*) over (partition by ${key}, day, region_id) as region_people
        from day_member
      ) counted
    ), day_place as (
      select *, row_number() over (partition by ${key}, region_id, developer_id order by place) = 1 as is_first
      from (
        select *, dense_rank() over (partition by ${key} order by is_small desc, people, day) as place from day_size
      ) ranked
    ), day_seen as (
      select *, count(*) filter (where is_first) over (partition by ${key}, region_id order by place) as people_until
      from day_place
    ), day_rest as (
      select *, min(place) filter (where people_until >= ${minGroupSize}) over (partition by ${key}, region_id) as enough_at
      from day_seen
    ), disclosed_day as (
      select ${key}, day, people::int, place > withheld_days as is_visible
      from (
        select ${key}, day, people, place,
          case when bool_or(is_small) over of_week
            then greatest(max(place) filter (where is_small) over of_week, max(enough_at) over of_week) else 0
          end as withheld_days
        from day_rest window of_week as (partition by ${key})
      ) placed
      group by ${key}, day, people, place, withheld_days
    )`
}
