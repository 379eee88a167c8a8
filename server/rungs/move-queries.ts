import { sql } from "kysely"
import { type Rung, RUNGS } from "#sdk/ladder.ts"
import type { TenantTx } from "../db/tenant.ts"
import { disclosureOf, MIN_GROUP_SIZE } from "../privacy/disclosure.ts"
import { MEMBERSHIP } from "./membership.ts"
import {
  type Disruption,
  findMoves,
  type Forcing,
  type Move,
  MOVE_CLASSES,
  type MoveClass,
  type RungWork,
  type Standing,
  standingsOf,
} from "./moves.ts"
import type { FigureState, Weeks } from "./figures.ts"

export interface MoveScope {
  /** Inclusive; widened to the Monday on or before it. */
  readonly from: Date
  /** Exclusive; widened to the Monday on or after it. */
  readonly to: Date
  readonly now: Date
  /** Members of this team and its sub-teams on the day of the move; null for the whole organization. */
  readonly teamId: string | null
  /** IANA zone of the weeks and days. */
  readonly timeZone: string
}

/** Moves of at least k people. */
export interface WeekMoves {
  /** Midnight of the week's Monday in the zone. */
  readonly week: Date
  readonly from: Rung
  readonly to: Rung
  readonly class: MoveClass
  readonly moves: number
  readonly people: number
}

export interface ClassMoves {
  readonly class: MoveClass
  /** `no_data`: nobody had an operating rung. */
  readonly state: FigureState
  /** Kinds of move (from, to) by week: with moves, and of those the ones that may be shown. Only these are summed. */
  readonly cells: Weeks
  /** 0 when nobody of a group that may be shown moved so; null when withheld or no data. */
  readonly moves: number | null
  readonly people: number | null
  /** Median calendar days between fall and recovery; null for the other classes. */
  readonly recoveredAfterDays: number | null
}

export interface Moves {
  /** By week, rung left, rung reached and class; those that are withheld are not here. */
  readonly weeks: readonly WeekMoves[]
  /** One for each class. */
  readonly classes: readonly ClassMoves[]
}

const DAY_MS = 86_400_000

interface RawMoves {
  readonly week: Date | null
  readonly from: Rung | null
  readonly to: Rung | null
  readonly class: MoveClass
  readonly cells: number
  readonly cells_shown: number
  readonly moves: number | null
  readonly people: number | null
  readonly recovered_after_days: number | null
}

/**
 * Moves between operating rungs per week, with their class. What a move is, `findMoves` says, of whole days only: today
 * is not over. It takes the whole history of every developer, so that a week's moves are the same whatever the range.
 *
 * A kind of move (week, from, to, class) rests on the people who made it, and is shown or withheld as any other figure.
 * That nobody moved is told of the people who had an operating rung in that week.
 */
export async function getMoves(tx: TenantTx, scope: MoveScope): Promise<Moves> {
  const { timeZone, teamId } = scope
  const histories = await readHistories(tx, { ...scope, developerIds: null })
  // Which days exactly, the database says.
  const isNear = ({ day }: { day: number }) =>
    day * DAY_MS > scope.from.getTime() - 9 * DAY_MS && day * DAY_MS < scope.to.getTime() + 9 * DAY_MS
  const made = histories.flatMap(({ developer, work, disruptions }) => [
    ...findMoves(work, disruptions)
      .filter(isNear)
      .map((move) => ({ ...move, developer })),
    ...standingsOf(work).flatMap(({ day, operating }) =>
      operating === null || !isNear({ day }) ? [] : [{ developer, day }],
    ),
  ])
  const main = teamId === null ? sql`(select id from org)` : sql`${teamId}::uuid`
  const result = await sql<RawMoves & { standing: number; standing_shown: number }>`
    with ${MEMBERSHIP}, edge as (
      select
        date_trunc('week', ${scope.from}::timestamptz at time zone ${timeZone})::date as first_day,
        date_trunc('week', (${scope.to}::timestamptz - interval '1 microsecond') at time zone ${timeZone})::date + 7 as end_day
    ), made as (
      select developer as developer_id, date '1970-01-01' + day as day, "from", "to", class, "recoveredAfterDays" as recovered_after
      from jsonb_to_recordset(${sql.val(JSON.stringify(made))}::text::jsonb)
        as made (developer uuid, day integer, "from" rung, "to" rung, class text, "recoveredAfterDays" integer)
    ), contribution as (
      select
        date_trunc('week', made.day::timestamp) at time zone ${timeZone} as week,
        -- Of a standing: any rung, as there is one figure.
        coalesce("from", 'autocomplete') as rung,
        coalesce("to" || ' ' || class, 'standing') as family,
        made.day::timestamp at time zone ${timeZone} as day,
        team.top_team_id, team.sub_team_id, made.developer_id, "from", "to", class, recovered_after
      from made
      join edge on made.day >= edge.first_day and made.day < edge.end_day
      left join membership team on team.developer_id = made.developer_id
        and made.day >= team.valid_from and (team.valid_to is null or made.day < team.valid_to)
    ), ${disclosureOf(MIN_GROUP_SIZE)}, placed as (
      select c.*, ((c.week, c.rung, c.family) in (
        select week, rung, family from disclosed_node where is_visible and node_id = ${main}
      )) is true as is_visible
      from contribution c
      where ${teamId === null ? sql`true` : sql`${main} in (c.top_team_id, c.sub_team_id)`}
    )
    select
      week, "from", "to", class,
      count(distinct (week, rung, family))::int as cells,
      count(distinct (week, rung, family)) filter (where is_visible)::int as cells_shown,
      count(*) filter (where is_visible)::int as moves,
      count(distinct developer_id) filter (where is_visible)::int as people,
      percentile_cont(0.5) within group (order by recovered_after) filter (where is_visible)::float8 as recovered_after_days
    from placed
    group by grouping sets ((week, "from", "to", class), (class))
    having grouping(week) = 1 or (bool_or(is_visible) and class is not null)
    order by week, "from", "to", class`.execute(tx)

  const standing = result.rows.find((row) => row.week === null && row.class === null)
  const isStandingShown = (standing?.cells_shown ?? 0) > 0
  return {
    weeks: result.rows.flatMap(({ week, from, to, moves, people, ...row }) =>
      week === null || from === null || to === null
        ? []
        : [{ week, from, to, class: row.class, moves: moves ?? 0, people: people ?? 0 }],
    ),
    classes: MOVE_CLASSES.map((name): ClassMoves => {
      const row = result.rows.find((candidate) => candidate.week === null && candidate.class === name)
      const cells = { shown: row?.cells_shown ?? 0, total: row?.cells ?? 0 }
      if (cells.shown > 0 && row !== undefined) {
        const { moves, people } = row
        return { class: name, state: "shown", cells, moves, people, recoveredAfterDays: row.recovered_after_days }
      }
      const nothing = { class: name, cells, recoveredAfterDays: null }
      if (cells.total === 0 && isStandingShown) return { ...nothing, state: "shown", moves: 0, people: 0 }
      const isAnything = cells.total > 0 || standing !== undefined
      return { ...nothing, state: isAnything ? "withheld" : "no_data", moves: null, people: null }
    }),
  }
}

/** A move of one person, to be shown to that person. */
export interface OwnMove extends Omit<Move, "day"> {
  /** Midnight of the day in the zone. */
  readonly at: Date
}

export interface OwnRung {
  /** On the last day that is over; null when it is not known yet. */
  readonly operating: Rung | null
  /** 1 (autocomplete) to 4 (orchestration), over the last 5 active days; null without any. */
  readonly gravity: number | null
  /** Active days that are over, the more the surer. */
  readonly activeDays: number
  /** Newest first. */
  readonly moves: readonly OwnMove[]
}

/** The operating rung and the last moves of one person, who may have several developers' ids. For that person's eyes only. */
export async function getOwnRung(
  tx: TenantTx,
  args: { developerIds: readonly string[]; now: Date; timeZone: string; limit: number },
): Promise<OwnRung> {
  const histories = await readHistories(tx, args)
  const work = histories.flatMap((history) => history.work)
  const disruptions = histories.flatMap((history) => history.disruptions)
  const standings = standingsOf(work)
  const last: Standing | undefined = standings.at(-1)
  const moves = findMoves(work, disruptions).toReversed().slice(0, args.limit)
  const midnights = await sql<{ at: Date }>`
    select (date '1970-01-01' + day)::timestamp at time zone ${args.timeZone} as at
    from unnest(${moves.map((move) => move.day)}::int[]) with ordinality as days (day, place) order by place`.execute(
    tx,
  )
  return {
    operating: last?.operating ?? null,
    gravity: last?.gravity ?? null,
    activeDays: standings.length,
    moves: moves.flatMap(({ day: _day, ...move }, index) => {
      const at = midnights.rows[index]?.at
      return at === undefined ? [] : [{ ...move, at }]
    }),
  }
}

interface History {
  readonly developer: string
  readonly work: readonly RungWork[]
  readonly disruptions: readonly Disruption[]
}

/**
 * Days before today of everybody who is somebody, or of one person, by person: an identity that was found to be someone's
 * is counted as theirs. With what happened to them: a change of agent version is theirs when they ever used the tool.
 */
async function readHistories(
  tx: TenantTx,
  args: { developerIds: readonly string[] | null; now: Date; timeZone: string },
): Promise<History[]> {
  const { developerIds, timeZone } = args
  const own = developerIds === null ? sql`true` : sql`d.developer_id = any(${developerIds}::uuid[])`
  const today = sql`(${args.now}::timestamptz at time zone ${timeZone})::date`
  const days = await sql<{
    developer: string
    tools: readonly string[]
    days: readonly number[]
    rungs: readonly number[]
    operations: readonly number[]
    accepted: readonly number[]
  }>`
    select developer,
      array(select distinct t.value from dimension t where t.id = any(array_agg(distinct agent_tool_id))) as tools,
      array_agg(day) as days, array_agg(rung) as rungs, array_agg(operations) as operations, array_agg(accepted) as accepted
    from (
      select coalesce(person.merged_into_id, person.id) as developer, d.agent_tool_id, d.day - date '1970-01-01' as day,
        array_position(enum_range(null::rung), d.rung) as rung, d.operations, d.accepted
      from developer_day d join developer person on person.id = d.developer_id
      where ${own} and d.day < ${today} and not person.is_unattributed
    ) day
    group by developer order by developer`.execute(tx)
  const disruptions = await readDisruptions(tx, args)
  return days.rows.map((row) => ({
    developer: row.developer,
    work: row.days.flatMap((day, index) => {
      const rung = RUNGS[(row.rungs[index] ?? 0) - 1]
      return rung === undefined
        ? []
        : [{ day, rung, operations: row.operations[index] ?? 0, accepted: row.accepted[index] ?? 0 }]
    }),
    disruptions: disruptions.filter(
      ({ developer, tool }) =>
        (developer === null || developer === row.developer) && (tool === null || row.tools.includes(tool)),
    ),
  }))
}

/** What happened to whom: to one person or everybody, and of these to who uses one tool or to all. */
async function readDisruptions(tx: TenantTx, { now, timeZone }: { now: Date; timeZone: string }) {
  const result = await sql<{
    kind: Exclude<Forcing, "absence">
    developer: string | null
    tool: string | null
    from: number
    to: number
  }>`
    with happened as (
      select 'new_team' as kind, developer_id, null as tool, valid_from as from_day, valid_from as to_day
      from (
        select developer_id, team_id, valid_from, lag(team_id) over (partition by developer_id order by valid_from) as before
        from team_member
      ) stay where before <> team_id
      union all
      select case kind when 'policy' then 'policy_change' else 'client_upgrade' end, null,
        case kind when 'agent_version' then split_part(subject, ' ', 1) end, day, day
      from (select *, (occurred_at at time zone ${timeZone})::date as day from change) changed
      where kind in ('policy', 'agent_version')
      union all
      select 'outage', coalesce(i.developer_id, m.developer_id), split_part(i.client, '@', 1),
        (i.started_at at time zone ${timeZone})::date,
        (coalesce(i.closed_at, ${now}::timestamptz) at time zone ${timeZone})::date
      from incident i
      left join team t on t.id = i.team_id or t.parent_team_id = i.team_id
      left join team_member m on m.team_id = t.id
      where i.kind = 'data_quality' and (i.team_id is null or m.developer_id is not null)
    )
    select kind, coalesce(d.merged_into_id, h.developer_id) as developer, tool,
      from_day - date '1970-01-01' as from, to_day - date '1970-01-01' as to
    from happened h left join developer d on d.id = h.developer_id`.execute(tx)
  return result.rows
}
