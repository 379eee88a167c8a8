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
      of: sql`select c.*, (select id from org) as parent_id, c.top_team_id as node_id from contribution c
        where ${isVisible("disclosed_organization")}`,
      minGroupSize,
    })}, ${disclosedChildren({
      name: "sub_team",
      of: sql`select c.*, c.top_team_id as parent_id, c.sub_team_id as node_id from contribution c
        where ${isVisible("disclosed_top_team", "top_team_id")}`,
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
      select distinct ${key}, day, developer_id, region_id from (${regionsOf("contribution")}) placed
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

/** The group of people, told apart by the visible teams, to which a row with a week, rung, family and teams belongs. */
export function regionsOf(relation: string) {
  return sql`
    select c.*,
      case when ${isVisible("disclosed_sub_team", "sub_team_id")} then c.sub_team_id
        when ${isVisible("disclosed_top_team", "top_team_id")} then c.top_team_id
        else (select id from org) end as region_id
    from ${sql.table(relation)} c
    where ${isVisible("disclosed_organization")}`
}

/**
 * Whether the node of a row `c` is visible. Looked up in a hash: the planner takes these expressions for a row each, and
 * would join them by going through all of one for each row of the other.
 */
function isVisible(
  nodes: "disclosed_organization" | "disclosed_top_team" | "disclosed_sub_team",
  node?: "top_team_id" | "sub_team_id",
) {
  const key = sql`c.week, c.rung, c.family`
  return node === undefined
    ? sql`((${key}) in (select week, rung, family from ${sql.table(nodes)} where is_visible)) is true`
    : sql`((${key}, ${sql.ref(`c.${node}`)}) in (
        select week, rung, family, node_id from ${sql.table(nodes)} where is_visible
      )) is true`
}

/**
 * Common table expression `disclosed_cell (week, rung, family, region_id, cell_id, people, is_visible)`, after
 * `disclosureOf`: cuts of every region along another line, as a level of the tree below the teams. Reads a CTE
 * `cell_contribution`, which is `contribution` with a `cell_id`, null for what is never shown apart.
 *
 * A cell is visible when it has at least k people, and what is left of its region is nobody or at least k people. A figure
 * of a node sums the visible cells of the regions in it: `region_id` is the organization's, a team's or a sub-team's id.
 */
export function disclosedCells(minGroupSize: RawBuilder<number>) {
  return sql`
    cell_member as (${regionsOf("cell_contribution")}), ${disclosedChildren({
      name: "cell_of_region",
      of: sql`select week, rung, family, developer_id, region_id as parent_id, cell_id as node_id from cell_member`,
      minGroupSize,
    })}, disclosed_cell as materialized (
      select week, rung, family, parent_id as region_id, node_id as cell_id, people, is_visible
      from disclosed_cell_of_region
    )`
}

/** Pieces beyond so many, the smallest, are not told apart: every set of them is looked at. */
const PIECES_MAX = 6

/**
 * Common table expression `disclosed_piece (week, rung, family, piece_id, people, is_visible)`, after `disclosureOf`: which
 * pieces of the whole organization (agent tools, models) are visible beside its teams. No team is shown by pieces. Reads a
 * CTE `piece_contribution`, which is `contribution` with a `piece_id`.
 *
 * Teams and pieces cut the same people twice, and sums over some of the ones less sums over some of the others leave what
 * is in exactly one of the two. For a set of pieces the least that can be left is, of every region, the smaller of those
 * within the set and those without. That is nobody or at least k people for every set of the visible pieces, for which the
 * smallest are withheld. People of several regions in a week are not counted on. docs/decisions/023-pieces.md has why no
 * other arithmetic leaves less.
 */
export function disclosedPieces(minGroupSize: RawBuilder<number>) {
  const key = sql`week, rung, family`
  const all = sql.lit((1 << PIECES_MAX) - 1)
  return sql`
    piece_member as (${regionsOf("piece_contribution")}), piece_size as (
      select *, row_number() over (partition by ${key} order by people desc, piece_id)::int as place
      from (
        select ${key}, piece_id, count(distinct developer_id)::int as people from piece_member group by ${key}, piece_id
      ) sized
    ), piece_person as (
      select ${key}, region_id, developer_id,
        bit_or(case when place <= ${sql.lit(PIECES_MAX)} then 1 << (place - 1) else 0 end) as bits,
        bool_or(place > ${sql.lit(PIECES_MAX)}) as has_rest
      from piece_member join piece_size using (${key}, piece_id) group by ${key}, region_id, developer_id
    ), piece_group as (
      select ${key}, region_id, bits, has_rest, count(*) as people from piece_person group by ${key}, region_id, bits, has_rest
    ), piece_cut as (
      select ${key}, shown, chosen, sum(least(inside, outside)) as people
      from (
        select ${key}, shown, chosen, region_id,
          coalesce(sum(people) filter (where bits & chosen <> 0), 0) as inside,
          coalesce(sum(people) filter (where bits & ~chosen & ${all} <> 0 or has_rest), 0) as outside
        from piece_group
        cross join generate_series(1, ${sql.lit(PIECES_MAX)}) as shown
        cross join lateral generate_series(1, (1 << shown) - 1) as chosen
        group by ${key}, shown, chosen, region_id
      ) of_region
      group by ${key}, shown, chosen
    ), piece_mover as (
      select ${key}, count(*) as people
      from (select ${key} from piece_person group by ${key}, developer_id having count(*) > 1) mover group by ${key}
    ), piece_shown as (
      select ${key}, max(shown) filter (where is_safe) as shown
      from (
        select ${key}, shown, bool_and(c.people = 0 or c.people - coalesce(m.people, 0) >= ${minGroupSize}) as is_safe
        from piece_cut c left join piece_mover m using (${key}) group by ${key}, shown
      ) counted
      group by ${key}
    ), disclosed_piece as materialized (
      select ${key}, piece_id, people, coalesce(place <= shown, false) and people >= ${minGroupSize} as is_visible
      from piece_size left join piece_shown using (${key})
    )`
}
