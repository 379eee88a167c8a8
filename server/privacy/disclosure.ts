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
  return sql`
    ${piecesBesideTeams("piece", { minGroupSize, from: sql`select * from piece_contribution` })}, disclosed_piece as materialized (
      select week, rung, family, piece_id, people, is_visible from piece_candidate
    )`
}

/**
 * Common table expressions up to `<name>_candidate (week, rung, family, piece_id, people, place, is_visible)`: the rule of
 * `disclosedPieces` for the pieces of one cut, the largest first. The visible ones are those up to a place. A set that parts two
 * pieces of which the regions have k people each leaves at least as many, and only the other sets are counted out.
 */
function piecesBesideTeams(name: string, args: { minGroupSize: RawBuilder<number>; from: RawBuilder<unknown> }) {
  const key = sql`week, rung, family`
  const all = sql.lit((1 << PIECES_MAX) - 1)
  const step = (what: string) => sql.id(`${name}_${what}`)
  const [given, member, size, person, group] = [
    step("given"),
    step("member"),
    step("size"),
    step("person"),
    step("group"),
  ]
  const [mover, slot, tie, open, cut] = [step("mover"), step("slot"), step("tie"), step("open"), step("cut")]
  const [shown, candidate] = [step("shown"), step("candidate")]
  const rest = sql.lit(PIECES_MAX + 1)
  const isOfSet = (place: string) => sql`chosen >> (${sql.ref(place)} - 1) & 1`
  return sql`
    ${given} as (${args.from}), ${member} as (${regionsOf(`${name}_given`)}), ${size} as (
      select *, row_number() over (partition by ${key} order by people desc, piece_id)::int as place
      from (
        select ${key}, piece_id, count(distinct developer_id)::int as people from ${member} group by ${key}, piece_id
      ) sized
    ), ${person} as (
      select ${key}, region_id, developer_id,
        bit_or(case when place <= ${sql.lit(PIECES_MAX)} then 1 << (place - 1) else 0 end) as bits,
        bool_or(place > ${sql.lit(PIECES_MAX)}) as has_rest
      from ${member} join ${size} using (${key}, piece_id) group by ${key}, region_id, developer_id
    ), ${group} as materialized (
      select ${key}, region_id, bits, has_rest, count(*) as people from ${person} group by ${key}, region_id, bits, has_rest
    ), ${mover} as materialized (
      select ${key}, count(*) as people
      from (select ${key} from ${person} group by ${key}, developer_id having count(*) > 1) mover group by ${key}
    ), ${slot} as materialized (
      select ${key}, region_id, place, sum(people) as people
      from ${group} cross join generate_series(1, ${rest}) as place
      where case when place = ${rest} then has_rest else bits >> (place - 1) & 1 = 1 end
      group by ${key}, region_id, place
    ), ${tie} as materialized (
      -- A set with the one piece and without the other leaves so many at least.
      select ${key}, a.place as own_place, b.place as other_place
      from ${slot} a join ${slot} b using (${key}, region_id) left join ${mover} m using (${key})
      where a.place < b.place
      group by ${key}, a.place, b.place, m.people
      having sum(least(a.people, b.people)) - coalesce(m.people, 0) >= ${args.minGroupSize}
    ), ${open} as materialized (
      select ${key}, chosen
      from (select ${key}, max(place) as pieces from ${size} group by ${key}) counted
      cross join lateral generate_series(1, (1 << least(pieces, ${sql.lit(PIECES_MAX)})) - 1) as chosen
      where not exists (
        select from ${tie} t where (t.week, t.rung, t.family) = (counted.week, counted.rung, counted.family)
          and ${isOfSet("own_place")} <> ${isOfSet("other_place")}
      )
    ), ${cut} as (
      select ${key}, chosen, sum(least(inside, outside)) as people
      from (
        select ${key}, chosen, region_id,
          coalesce(sum(people) filter (where bits & chosen <> 0), 0) as inside,
          coalesce(sum(people) filter (where bits & ~chosen & ${all} <> 0 or has_rest), 0) as outside
        from ${open} join ${group} using (${key})
        group by ${key}, chosen, region_id
      ) of_region
      group by ${key}, chosen
    ), ${shown} as materialized (
      select ${key}, ${largestSafe(sql`min(chosen) filter (
        where c.people > 0 and c.people - coalesce(m.people, 0) < ${args.minGroupSize}
      )`)} as shown
      from ${cut} c left join ${mover} m using (${key}) group by ${key}
    ), ${candidate} as materialized (
      select ${key}, piece_id, people, place, place <= coalesce(shown, place) and people >= ${args.minGroupSize} as is_visible
      from ${size} left join ${shown} using (${key})
    )`
}

/** How many pieces, the largest, have no set that tells too much: of the first such set the smallest piece is its highest bit. */
function largestSafe(firstUnsafe: RawBuilder<unknown>) {
  const firsts = Array.from({ length: PIECES_MAX - 1 }, (_, place) => sql.lit(2 << place))
  return sql`coalesce(width_bucket(${firstUnsafe}, array[${sql.join(firsts)}]), ${sql.lit(PIECES_MAX)})`
}

/**
 * Common table expressions `disclosed_<cut> (week, rung, family, piece_id, people, is_visible)` of several cuts of the same
 * figures into pieces, after `disclosureOf`. Reads a CTE `cut_contribution`, which is `contribution` with a `<cut>_id` for each.
 *
 * Each cut is held against the teams, as by `disclosedPieces`, and against each of the cuts before it, which therefore show as
 * much with it as without: sums over some visible pieces of the one less sums over some of the other leave what is in exactly one
 * of the two, which is nobody or at least k people. Here people with work on both sides are the rule, so that who is
 * left is counted exactly, for every two sets.
 */
export function disclosedCuts(minGroupSize: RawBuilder<number>, cuts: readonly string[]) {
  return sql.join(
    cuts.map((cut, index) => {
      const from = sql`select *, ${sql.ref(`${cut}_id`)} as piece_id from cut_contribution`
      const earlier = cuts.slice(0, index)
      const besides = earlier.map((other) => sql.id(`${cut}_beside_${other}`))
      const shown = besides.map((beside) => sql`, ${beside}.shown`)
      return sql`${piecesBesideTeams(cut, { minGroupSize, from })}, ${sql.join(
        earlier.map((other) => sql`${besideCut(cut, other, minGroupSize)}, `),
        sql``,
      )}${sql.id(`disclosed_${cut}`)} as materialized (
        select week, rung, family, piece_id, people, place,
          is_visible and place <= least(${sql.lit(PIECES_MAX)}${sql.join(shown, sql``)}) as is_visible
        from ${sql.id(`${cut}_candidate`)}
        ${sql.join(
          besides.map((beside) => sql`left join ${beside} using (week, rung, family)`),
          sql` `,
        )}
      )`
    }),
    sql`, `,
  )
}

/** The visible pieces of a cut, and what is in none of them. */
const PLACES = PIECES_MAX + 1
const ALL_PLACES = (1 << PLACES) - 1

/**
 * Common table expressions up to `<cut>_beside_<other> (week, rung, family, shown)`: how many candidates of a cut may be shown
 * beside the visible pieces of another; none when all may. A person is a set of the cells where they have work, a bit for each
 * pair of places. What is left by two sets is the people in some cells. Where a cell of at least k people is among these it is
 * enough, so that only sets are counted out that have both pieces of each such cell, or neither.
 */
function besideCut(cut: string, other: string, minGroupSize: RawBuilder<number>) {
  const key = sql`week, rung, family`
  const step = (what: string) => sql.id(`${cut}_${other}_${what}`)
  const [person, mask, large, bound, left] = [step("person"), step("mask"), step("large"), step("bound"), step("left")]
  const beside = sql.id(`${cut}_beside_${other}`)
  const placeOf = (piece: string) => sql`case when ${sql.ref(`${piece}.is_visible`)}
    then ${sql.ref(`${piece}.place`)} - 1 else ${sql.lit(PIECES_MAX)} end`
  const places = Array.from({ length: PLACES }, (_, place) => place)
  const cutRows = places.map((row) => {
    const within = sql`case when theirs >> ${sql.lit(row)} & 1 = 1 then chosen # ${sql.lit(ALL_PLACES)} else chosen end`
    return sql`((${within})::int8 << ${sql.lit(row * PLACES)})`
  })
  /** Of their pieces those that have a cell of at least k people with one of a set of ours. */
  const tiedRows = (set: RawBuilder<unknown>) =>
    places.map(
      (row) =>
        sql`(case when large_cells >> ${sql.lit(row * PLACES)} & ${set} <> 0 then ${sql.lit(1 << row)} else 0 end)`,
    )
  return sql`
    ${person} as (
      select x.week, x.rung, x.family, x.developer_id,
        bit_or(1::int8 << (${placeOf("theirs")}) * ${sql.lit(PLACES)} + (${placeOf("own")})) as cells
      from cut_contribution x
      join ${sql.id(`${cut}_candidate`)} own
        on (own.week, own.rung, own.family, own.piece_id) = (x.week, x.rung, x.family, ${sql.ref(`x.${cut}_id`)})
      join ${sql.id(`disclosed_${other}`)} theirs
        on (theirs.week, theirs.rung, theirs.family, theirs.piece_id) = (x.week, x.rung, x.family, ${sql.ref(`x.${other}_id`)})
      group by x.week, x.rung, x.family, x.developer_id
    ), ${mask} as materialized (
      select ${key}, cells, count(*) as people from ${person} group by ${key}, cells
    ), ${large} as materialized (
      select ${key}, bit_or(1::int8 << cell) filter (where people >= ${minGroupSize}) as cells
      from (
        select ${key}, cell, sum(people) as people
        from ${mask} cross join generate_series(0, ${sql.lit(PLACES * PLACES - 1)}) as cell
        where cells >> cell & 1 = 1 group by ${key}, cell
      ) counted
      group by ${key}
    ), ${bound} as materialized (
      select ${key}, own_pieces, coalesce(their_pieces, 0) as their_pieces, coalesce(cells, 0) as large_cells
      from (
        select ${key}, count(*)::int as own_pieces from ${sql.id(`${cut}_candidate`)} where is_visible group by ${key}
      ) own
      left join (
        select ${key}, count(*)::int as their_pieces from ${sql.id(`disclosed_${other}`)} where is_visible group by ${key}
      ) theirs using (${key})
      left join ${large} using (${key})
    ), ${left} as materialized (
      select ${key}, chosen, (${sql.join(cutRows, sql` | `)}) as left_cells
      from (
        select *, (${sql.join(tiedRows(sql`chosen`), sql` | `)}) as tied_in,
          (${sql.join(tiedRows(sql`(chosen # ${sql.lit(ALL_PLACES)})`), sql` | `)}) as tied_out
        from ${bound} cross join lateral generate_series(1, (1 << own_pieces) - 1) as chosen
      ) own
      -- The last bit is what is in none of the visible pieces, and is at the end of all places.
      cross join lateral (
        select (drawn & ((1 << their_pieces) - 1)) | ((drawn >> their_pieces) << ${sql.lit(PIECES_MAX)}) as theirs
        from generate_series(0, (2 << their_pieces) - 1) as drawn
      ) set_of_theirs
      where tied_in & tied_out = 0 and theirs & tied_in = tied_in and theirs & tied_out = 0
    ), ${beside} as materialized (
      select ${key}, ${largestSafe(sql`min(chosen) filter (where people > 0 and people < ${minGroupSize})`)} as shown
      from (
        select ${key}, chosen, left_cells, sum(people) filter (where cells & left_cells <> 0) as people
        from ${left} join ${mask} using (${key}) group by ${key}, chosen, left_cells
      ) counted
      group by ${key}
    )`
}
