import { sql } from "kysely"
import { type Rung, RUNGS } from "#sdk/ladder.ts"
import type { TenantTx } from "../db/tenant.ts"
import { disclosureOf, type Family, MIN_GROUP_SIZE, NO_MIN_GROUP_SIZE } from "../privacy/disclosure.ts"
import { percentilesOf } from "../rollup/histogram.ts"
import { MEMBERSHIP } from "./membership.ts"
import { computeWilsonInterval, type Interval } from "./wilson.ts"

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

/** Each figure sums the weeks in which it may be shown. */
export interface LadderFigures {
  readonly rung: Rung
  readonly weeks: Record<Family, Weeks>
  /** People behind the signals; null when withheld. People whom no source named count as one. */
  readonly developers: number | null
  /** Of the people, the operations and the questions. */
  readonly volumeState: FigureState
  /** Suggestions, turns, tasks and runs; a sub-agent's work is part of its run. Null when withheld. */
  readonly operations: number | null
  /**
   * Human-decided: (accepted + modified) / presented, a ratio 0..1 of summed counts. `not_decidable`: there were
   * operations and nobody was seen to decide on any of them, because a rule or mode did or the source does not say.
   */
  readonly acceptance: number | null
  readonly acceptanceState: FigureState | "not_decidable"
  /** 95 % Wilson interval of the acceptance. */
  readonly interval: Interval | null
  readonly accepted: number | null
  /** Accepted + modified + rejected + ignored. */
  readonly presented: number | null
  readonly presentedDevelopers: number | null
  /** Until the human could use it, milliseconds: shown, first token, finish. Off by `LATENCY_RELATIVE_ERROR` at most. */
  readonly latencyP50Ms: number | null
  readonly latencyP95Ms: number | null
  readonly latencyState: FigureState
  readonly latencyCount: number | null
  /** Questions that a human answered, per operation. */
  readonly promptsPerOperation: number | null
}

export interface LadderBucket extends LadderFigures {
  /** Midnight of the day, or of the week's Monday, in the given zone. */
  readonly bucketStart: Date
}

export interface LadderRow extends LadderFigures {
  /** Names of the tools whose operations these are. */
  readonly agentTools: readonly string[]
}

export interface TeamFigures extends LadderFigures {
  readonly teamId: string
}

export interface Ladder {
  /** Always four, lowest rung first. */
  readonly rungs: LadderRow[]
  readonly previous: LadderFigures[]
  readonly bucket: "day" | "week"
  readonly buckets: LadderBucket[]
  /** Figures by team and rung; a team's include its sub-teams', and people in no team are in none. */
  readonly teams: TeamFigures[]
  readonly previousTeams: TeamFigures[]
  readonly freshness: LadderFreshness
}

/** Newest signal, and how many of them stand behind the figures. */
export interface LadderFreshness {
  readonly signals: number
  readonly lastObservedAt: Date | null
  readonly lastReceivedAt: Date | null
}

/** The weeks of the period and of the previous one. */
function weeksOf({ from, to, timeZone }: LadderScope) {
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

/**
 * Operations by the day on which they began, whose they were, and the team that person was in on that day. A week is the
 * same whatever the range: days are counted whole, whenever the last of an operation came.
 */
function daysOf({ ownDeveloperIds, now, timeZone }: LadderScope) {
  const own = ownDeveloperIds === null ? sql`true` : sql`d.developer_id = any(${ownDeveloperIds}::uuid[])`
  return sql`
    ${MEMBERSHIP}, placed_day as (
      select
        w.week, w.is_current, d.rung, d.day::timestamp at time zone ${timeZone} as day, team.top_team_id, team.sub_team_id,
        person.id as developer_id, d.agent_tool_id, d.operations, d.accepted, d.presented, d.prompts, d.timed,
        d.latency_buckets, d.latency_counts
      from week w
      join developer_day d on d.day >= w.monday and d.day < w.monday + 7
        and d.day <= (${now}::timestamptz at time zone ${timeZone})::date
      -- An identity that was found to be someone's is counted as theirs.
      join lateral (
        select coalesce(max(merged_into_id::text)::uuid, d.developer_id) as id
        from developer where id = d.developer_id
      ) person on true
      left join membership team
        on team.developer_id = person.id and d.day >= team.valid_from and (team.valid_to is null or d.day < team.valid_to)
      where ${own}
    ), person_day as (
      select
        week, is_current, rung, day, top_team_id, sub_team_id, developer_id, agent_tool_id,
        sum(operations)::int as operations,
        sum(accepted)::int as accepted,
        sum(presented)::int as presented,
        sum(prompts)::int as prompts,
        sum(timed)::int as timed
      from placed_day
      group by week, is_current, rung, day, top_team_id, sub_team_id, developer_id, agent_tool_id
    ), timed_day as (
      select week, is_current, rung, day, top_team_id, sub_team_id, bucket, sum(times)::int as times
      from placed_day cross join unnest(latency_buckets, latency_counts) cell (bucket, times)
      group by week, is_current, rung, day, top_team_id, sub_team_id, bucket
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

interface RawFigures {
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
  readonly latency_buckets: readonly number[] | null
  readonly latency_counts: readonly number[] | null
}

/**
 * The figures of every rung in a period and the previous one, by day or week, and by team, from one pass over the
 * days of developers. What may not be shown does not leave the database.
 */
export async function getLadder(tx: TenantTx, scope: LadderScope): Promise<Ladder> {
  const isOwn = scope.ownDeveloperIds !== null
  const byDay = scope.bucket === "day" && (isOwn || scope.teamId === null)
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
        sum(timed) filter (where latency)::int as timed
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

  const periods = (isCurrent: boolean) =>
    result.rows.filter((row) => row.by === "period" && row.is_current === isCurrent)
  const totals = (isCurrent: boolean) =>
    RUNGS.map((rung) => {
      const row = periods(isCurrent).find((candidate) => candidate.is_main && candidate.rung === rung)
      return row === undefined
        ? { ...emptyFigures(rung), agentTools: [] }
        : { ...toFigures(row), agentTools: row.agent_tools }
    })
  const teams = (isCurrent: boolean) =>
    periods(isCurrent).flatMap((row) => (row.is_main ? [] : [{ ...toFigures(row), teamId: row.node_id }]))
  return {
    rungs: totals(true),
    previous: totals(false),
    bucket: byDay ? "day" : "week",
    buckets: result.rows.flatMap((row) =>
      row.by === "bucket" ? [{ ...toFigures(row), bucketStart: row.bucket_start }] : [],
    ),
    teams: teams(true),
    previousTeams: teams(false),
    freshness: await getFreshness(tx, scope),
  }
}

function stateOf({ shown, total }: Weeks): FigureState {
  if (shown > 0) return "shown"
  return total > 0 ? "withheld" : "no_data"
}

function toFigures(row: RawFigures): LadderFigures {
  const weeks = {
    volume: { shown: row.volume_weeks_shown, total: row.volume_weeks },
    acceptance: { shown: row.acceptance_weeks_shown, total: row.acceptance_weeks },
    latency: { shown: row.latency_weeks_shown, total: row.latency_weeks },
  }
  const acceptanceState = stateOf(weeks.acceptance)
  const [p50 = null, p95 = null] = percentilesOf(toHistogram(row), [0.5, 0.95]) ?? []
  const isDecided = row.accepted !== null && row.presented !== null
  return {
    rung: row.rung,
    weeks,
    developers: row.developers,
    volumeState: stateOf(weeks.volume),
    operations: row.operations,
    acceptance: isDecided ? row.accepted / row.presented : null,
    interval: isDecided ? computeWilsonInterval(row.accepted, row.presented) : null,
    acceptanceState: acceptanceState === "no_data" ? "not_decidable" : acceptanceState,
    accepted: row.accepted,
    presented: weeks.acceptance.total === 0 ? 0 : row.presented,
    presentedDevelopers: row.presented_developers,
    latencyP50Ms: p50,
    latencyP95Ms: p95,
    latencyState: stateOf(weeks.latency),
    latencyCount: weeks.latency.total === 0 ? 0 : row.timed,
    promptsPerOperation: row.prompts === null || !row.operations ? null : row.prompts / row.operations,
  }
}

function toHistogram({ latency_buckets: buckets, latency_counts: counts }: RawFigures): ReadonlyMap<number, number> {
  return new Map((buckets ?? []).map((bucket, index) => [bucket, counts?.[index] ?? 0]))
}

const NO_WEEKS: Weeks = { shown: 0, total: 0 }

function emptyFigures(rung: Rung): LadderFigures {
  return {
    rung,
    weeks: { volume: NO_WEEKS, acceptance: NO_WEEKS, latency: NO_WEEKS },
    developers: 0,
    volumeState: "no_data",
    operations: 0,
    acceptance: null,
    acceptanceState: "no_data",
    interval: null,
    accepted: null,
    presented: 0,
    presentedDevelopers: null,
    latencyP50Ms: null,
    latencyP95Ms: null,
    latencyState: "no_data",
    latencyCount: 0,
    promptsPerOperation: null,
  }
}

/** That telemetry arrives, and how much of it, is said whoever it is from. */
async function getFreshness(tx: TenantTx, scope: LadderScope): Promise<LadderFreshness> {
  const { ownDeveloperIds: own, now, timeZone } = scope
  const isOwn = sql`developer_id = any(${own ?? []}::uuid[])`
  const counted = own === null ? sql`signal_day where true` : sql`developer_usage_day where ${isOwn}`
  const result = await sql<LadderFreshness>`
    with ${weeksOf(scope)}, counted as (
      select coalesce(sum(signals), 0)::int as signals, max(day) as last_day
      from ${counted} and day >= (select min(monday) from week where is_current)
        and day < (select max(monday) + 7 from week)
    )
    select counted.signals, newest.observed_at as "lastObservedAt", newest.received_at as "lastReceivedAt"
    from counted left join lateral (
      select observed_at, received_at from signal
      -- Looked for in the partitions of its day only. What is not counted yet is newer, if it is somebody's at all.
      where observed_at >= coalesce(counted.last_day::timestamp at time zone ${timeZone}, (select min(week) from week where is_current))
        and observed_at < (select least(max(ends_at), ${now}::timestamptz) from week)
        and ${own === null ? sql`true` : isOwn}
      order by observed_at desc limit 1
    ) newest on true`.execute(tx)
  return result.rows[0] ?? { signals: 0, lastObservedAt: null, lastReceivedAt: null }
}

/** Teams of the organization by name, each top-level team followed by its sub-teams. */
export function listTeams(tx: TenantTx) {
  return tx
    .selectFrom("team as t")
    .leftJoin("team as parent", "parent.id", "t.parent_team_id")
    .select(["t.id", "t.name", "parent.id as parentId", "parent.name as parentName"])
    .orderBy(sql`coalesce(parent.name, t.name)`)
    .orderBy(sql`parent.name is not null`)
    .orderBy("t.name")
    .execute()
}
