import { type RawBuilder, sql } from "kysely"
import { type Rung, RUNGS } from "#sdk/ladder.ts"
import type { TenantTx } from "../db/tenant.ts"
import { disclosedCells, disclosedPieces, disclosureOf, MIN_GROUP_SIZE, regionsOf } from "../privacy/disclosure.ts"
import { bandOf, BUCKETS_PER_BAND, type Histogram, percentilesOf, shareAbove } from "../rollup/histogram.ts"
import {
  type FigureState,
  isByDay,
  type LadderScope,
  type PlacedTable,
  placedDays,
  type RawFigures,
  readFigures,
  stateOf,
  toHistogram,
  type Weeks,
  weeksOf,
} from "../rungs/figures.ts"
import { MEMBERSHIP } from "../rungs/membership.ts"
import { LATENCY_OBJECTIVES } from "../rungs/objectives.ts"
import { computeWilsonInterval } from "../rungs/wilson.ts"
import { type DecidedCell, type DoseBand, findThreshold, type Threshold } from "./threshold.ts"

export type LatencyScope = Omit<LadderScope, "ownDeveloperIds">

/** Latency in milliseconds, off by `LATENCY_RELATIVE_ERROR` at most; all are null unless it is shown. */
export interface Percentiles {
  readonly state: FigureState
  readonly p50Ms: number | null
  readonly p95Ms: number | null
  readonly p99Ms: number | null
  /** Values that were timed, of so many people. */
  readonly timed: number | null
  readonly people: number | null
}

/** Of a rung: until a suggestion was shown, a turn began to answer, a task or run was done. Sums the weeks that may be shown. */
export interface LatencyFigures extends Percentiles {
  readonly rung: Rung
  readonly weeks: Weeks
  /** Operations that took longer than the rung's objective, a ratio 0..1. */
  readonly lateShare: number | null
}

export interface LatencyBucket extends LatencyFigures {
  /** Midnight of the day, or of the week's Monday, in the given zone. */
  readonly bucketStart: Date
  /** How many took how long, by band `[fromMs, toMs)`, ascending; empty unless latency is shown. */
  readonly bands: readonly {
    readonly band: number
    readonly fromMs: number
    readonly toMs: number
    readonly count: number
  }[]
  /** Operations of the bucket, and whose; both null unless that is shown. */
  readonly useState: FigureState
  readonly operations: number | null
  readonly users: number | null
}

export interface Latency {
  /** Always four, lowest rung first. */
  readonly rungs: readonly LatencyFigures[]
  readonly previous: readonly LatencyFigures[]
  readonly bucket: "day" | "week"
  readonly buckets: readonly LatencyBucket[]
  /** By team and rung; a team's include its sub-teams'. Of the whole organization only. */
  readonly teams: readonly TeamLatency[]
  readonly previousTeams: readonly TeamLatency[]
}

export interface TeamLatency extends LatencyFigures {
  readonly teamId: string
}

/** Latency of every rung in a period and the previous one, by day or week, and by team. */
export async function getLatency(tx: TenantTx, scope: LatencyScope): Promise<Latency> {
  const rows = await readFigures(tx, { ...scope, ownDeveloperIds: null })
  const periodsOf = (isCurrent: boolean) => rows.filter((row) => row.by === "period" && row.is_current === isCurrent)
  const totalsOf = (isCurrent: boolean) =>
    RUNGS.map((rung) => {
      const row = periodsOf(isCurrent).find((candidate) => candidate.is_main && candidate.rung === rung)
      return row === undefined
        ? { ...NOTHING_TIMED, rung, weeks: { shown: 0, total: 0 }, lateShare: null }
        : toFigures(row)
    })
  const teamsOf = (isCurrent: boolean) =>
    periodsOf(isCurrent).flatMap((row) => (row.is_main ? [] : [{ ...toFigures(row), teamId: row.node_id }]))
  return {
    rungs: totalsOf(true),
    previous: totalsOf(false),
    bucket: isByDay({ ...scope, ownDeveloperIds: null }) ? "day" : "week",
    buckets: rows.flatMap((row) => (row.by === "bucket" ? [toBucket(row)] : [])),
    teams: teamsOf(true),
    previousTeams: teamsOf(false),
  }
}

export const NOTHING_TIMED: Percentiles = {
  state: "no_data",
  p50Ms: null,
  p95Ms: null,
  p99Ms: null,
  timed: null,
  people: null,
}

function toFigures(row: RawFigures): LatencyFigures {
  const weeks = { shown: row.latency_weeks_shown, total: row.latency_weeks }
  const histogram = toHistogram(row)
  return {
    ...toPercentiles({ histogram, weeks, timed: row.timed, people: row.timed_developers }),
    rung: row.rung,
    weeks,
    lateShare: shareAbove(histogram, LATENCY_OBJECTIVES[row.rung].p95Ms),
  }
}

function toBucket(row: RawFigures): LatencyBucket {
  const bands = new Map<number, number>()
  for (const [bucket, count] of toHistogram(row)) {
    const band = Math.floor(bucket / BUCKETS_PER_BAND)
    bands.set(band, (bands.get(band) ?? 0) + count)
  }
  return {
    ...toFigures(row),
    bucketStart: row.bucket_start,
    bands: [...bands].map(([band, count]) => ({ band, ...bandOf(band), count })).toSorted((a, b) => a.band - b.band),
    useState: stateOf({ shown: row.volume_weeks_shown, total: row.volume_weeks }),
    operations: row.operations,
    users: row.developers,
  }
}

function toPercentiles(args: {
  histogram: Histogram
  weeks: Weeks
  timed: number | null
  people: number | null
}): Percentiles {
  const [p50 = null, p95 = null, p99 = null] = percentilesOf(args.histogram, [0.5, 0.95, 0.99]) ?? []
  return { state: stateOf(args.weeks), p50Ms: p50, p95Ms: p95, p99Ms: p99, timed: args.timed, people: args.people }
}

/** A cut of one rung's latency, over the period and by week. */
export interface LatencySplit extends Percentiles {
  /** The agent tool's or model's name; null where the source names none, where it is withheld, and of everything together. */
  readonly name: string | null
  readonly weeks: Weeks
  readonly previous: Percentiles
  readonly buckets: readonly (Percentiles & { readonly week: Date })[]
}

type SplitScope = Pick<LatencyScope, "from" | "to" | "now" | "timeZone"> & { readonly rung: Rung }

/**
 * Latency of the whole organization at one rung by agent tool, the most used first; the same operations as `getLatency`.
 * Those that are withheld are among them, as rows without figures.
 */
export function listToolLatency(tx: TenantTx, scope: SplitScope): Promise<readonly LatencySplit[]> {
  return readSplits(tx, scope, {
    table: "developer_day",
    piece: sql`d.agent_tool_id`,
    teamId: null,
    isByPiece: true,
  })
}

/**
 * How soon models begin to answer at one rung of the whole organization, the most used first: until a suggestion was shown,
 * or the first token of a turn or of a call of a model. By call and not by operation, which may use several models.
 */
export function listModelLatency(tx: TenantTx, scope: SplitScope): Promise<readonly LatencySplit[]> {
  return readSplits(tx, scope, { table: "first_token_day", piece: sql`d.model_id`, teamId: null, isByPiece: true })
}

/** The same of all models together, of a team or the organization; undefined where no source says. */
export async function getFirstTokens(
  tx: TenantTx,
  scope: SplitScope & { readonly teamId: string | null },
): Promise<LatencySplit | undefined> {
  const { teamId } = scope
  const found = await readSplits(tx, scope, { table: "first_token_day", piece: sql`0`, teamId, isByPiece: false })
  return found[0]
}

interface RawSplit {
  readonly piece_id: number
  readonly name: string | null
  readonly is_current: boolean
  /** Null for the period. */
  readonly week: Date | null
  readonly weeks: number
  readonly weeks_shown: number
  readonly timed: number | null
  readonly people: number | null
  readonly latency_buckets: readonly number[] | null
  readonly latency_counts: readonly number[] | null
}

async function readSplits(
  tx: TenantTx,
  scope: SplitScope,
  by: { table: string; piece: RawBuilder<unknown>; teamId: string | null; isByPiece: boolean },
): Promise<readonly LatencySplit[]> {
  const placed: PlacedTable = {
    table: by.table,
    columns: sql`${by.piece} as piece_id, d.timed, d.latency_buckets, d.latency_counts`,
    only: sql`d.rung = ${scope.rung} and d.timed > 0`,
  }
  const node = by.teamId === null ? sql`(select id from org)` : sql`${by.teamId}::uuid`
  const isOfNode = by.teamId === null ? sql`true` : sql`${node} in (top_team_id, sub_team_id)`
  const shown = by.isByPiece
    ? sql`${disclosedPieces(MIN_GROUP_SIZE)}, shown as (select week, piece_id, is_visible from disclosed_piece)`
    : sql`shown as (select week, 0 as piece_id, is_visible from disclosed_node where node_id = ${node})`
  const found = await sql<RawSplit>`
    with ${weeksOf(scope)}, ${MEMBERSHIP}, ${placedDays({ ...scope, ownDeveloperIds: null }, placed)},
    piece_contribution as (
      select distinct week, rung, 'latency' as family, week as day, top_team_id, sub_team_id, developer_id, piece_id
      from placed_day
    ), contribution as (
      select distinct week, rung, family, day, top_team_id, sub_team_id, developer_id from piece_contribution
    ), ${disclosureOf(MIN_GROUP_SIZE)}, ${shown}, seen as (
      select p.*, coalesce(s.is_visible, false) as is_visible
      from placed_day p left join shown s using (week, piece_id)
      where ${isOfNode}
    ), figure as (
      select piece_id, is_current, week, count(distinct week)::int as weeks,
        count(distinct week) filter (where is_visible)::int as weeks_shown,
        sum(timed) filter (where is_visible)::int as timed,
        nullif(count(distinct developer_id) filter (where is_visible), 0)::int as people
      from seen group by grouping sets ((piece_id, is_current), (piece_id, is_current, week))
    ), timed_figure as (
      select piece_id, is_current, week, array_agg(bucket order by bucket) as latency_buckets,
        array_agg(times order by bucket) as latency_counts
      from (
        select piece_id, is_current, week, bucket, sum(times)::int as times
        from seen cross join unnest(latency_buckets, latency_counts) cell (bucket, times)
        where is_visible
        group by grouping sets ((piece_id, is_current, bucket), (piece_id, is_current, week, bucket))
      ) cell
      group by piece_id, is_current, week
    )
    select f.*, t.latency_buckets, t.latency_counts, case when f.timed is not null then d.value end as name
    from figure f
    left join timed_figure t on (t.piece_id, t.is_current) = (f.piece_id, f.is_current) and t.week is not distinct from f.week
    left join dimension d on d.id = f.piece_id
    order by f.week`.execute(tx)

  const toSplit = (rows: readonly RawSplit[]): LatencySplit => {
    const period = (isCurrent: boolean) => rows.find((row) => row.week === null && row.is_current === isCurrent)
    const current = period(true)
    return {
      ...splitOf(current),
      name: current?.name ?? null,
      weeks: { shown: current?.weeks_shown ?? 0, total: current?.weeks ?? 0 },
      previous: splitOf(period(false)),
      buckets: rows.flatMap((row) =>
        row.week === null || !row.is_current ? [] : [{ ...splitOf(row), week: row.week }],
      ),
    }
  }
  return [...Map.groupBy(found.rows, (row) => row.piece_id).values()]
    .map(toSplit)
    .filter((split) => split.weeks.total > 0)
    .toSorted((a, b) => (b.timed ?? 0) - (a.timed ?? 0) || (a.name ?? "").localeCompare(b.name ?? ""))
}

function splitOf(row: RawSplit | undefined): Percentiles {
  if (row === undefined) return NOTHING_TIMED
  const weeks = { shown: row.weeks_shown, total: row.weeks }
  return toPercentiles({ histogram: toHistogram(row), weeks, timed: row.timed, people: row.people })
}

/** What people decided, by how long they had waited for it. */
export interface DoseResponse {
  /** Of the decisions on timed operations. */
  readonly state: FigureState
  /** Ascending; bands of which nothing may be shown are not among them. */
  readonly bands: readonly DoseBand[]
  /** Weeks by group of people and band with decisions, and of those the ones that may be shown. Only these are summed. */
  readonly cells: Weeks
  readonly threshold: Threshold
}

/**
 * Acceptance at one rung by band of latency, of a team or the organization.
 *
 * Bands are a level of the tree below the teams: each is shown of a visible team, or of what is left beside the visible
 * ones, week by week, and the organization's sum those.
 */
export async function getDoseResponse(
  tx: TenantTx,
  scope: SplitScope & { readonly teamId: string | null },
): Promise<DoseResponse> {
  const everyone = { ...scope, ownDeveloperIds: null }
  const isInNode =
    scope.teamId === null
      ? sql`true`
      : sql`d.region_id in (select id from team where ${scope.teamId}::uuid in (id, parent_team_id))`
  const found = await sql<{
    week: Date | null
    band: number
    is_visible: boolean
    people: number
    accepted: number
    presented: number
  }>`
    with ${weeksOf(scope)}, ${MEMBERSHIP},
    ${placedDays(everyone, {
      table: "developer_day",
      columns: sql`d.accepted, d.presented`,
      only: sql`d.rung = ${scope.rung}`,
    })},
    ${placedDays(everyone, {
      table: "latency_decision_day",
      columns: sql`d.band, d.accepted, d.presented`,
      name: "decided_day",
      only: sql`d.rung = ${scope.rung}`,
    })}, decided_in as (
      select week, is_current, rung, 'acceptance' as family, top_team_id, sub_team_id, developer_id, band,
        sum(accepted) as accepted, sum(presented) as presented
      from decided_day
      group by week, is_current, rung, top_team_id, sub_team_id, developer_id, band
    ), cell_contribution as (
      select week, rung, family, top_team_id, sub_team_id, developer_id, band as cell_id from decided_in
      union all
      -- What was decided on and not timed is left of the acceptance that the ladder shows.
      select week, ${scope.rung}::rung, 'acceptance', top_team_id, sub_team_id, developer_id, null
      from (
        select week, top_team_id, sub_team_id, developer_id, presented from placed_day
        union all
        select week, top_team_id, sub_team_id, developer_id, -presented from decided_in
      ) balance
      group by week, top_team_id, sub_team_id, developer_id having sum(presented) > 0
    ), contribution as (
      select distinct week, rung, family, week as day, top_team_id, sub_team_id, developer_id from cell_contribution
    ), ${disclosureOf(MIN_GROUP_SIZE)}, ${disclosedCells(MIN_GROUP_SIZE)}, seen as (
      select d.*, coalesce(c.is_visible, false) as is_visible
      from (${regionsOf("decided_in")}) d
      left join disclosed_cell c on (c.week, c.rung, c.family, c.region_id, c.cell_id) = (d.week, d.rung, d.family, d.region_id, d.band)
      where d.is_current and ${isInNode}
    )
    select week, band, bool_and(is_visible) as is_visible,
      count(distinct developer_id) filter (where is_visible)::int as people,
      coalesce(sum(accepted) filter (where is_visible), 0)::int as accepted,
      coalesce(sum(presented) filter (where is_visible), 0)::int as presented
    from seen
    group by grouping sets ((band), (week, region_id, band))
    order by band, week`.execute(tx)

  const cells = found.rows.filter((row) => row.week !== null)
  const shown: readonly DecidedCell[] = cells.filter((cell) => cell.is_visible)
  const weeks = { shown: shown.length, total: cells.length }
  // Withheld as a whole, the organization or the team has no region.
  const state = cells.length === 0 && (await hasDecided(tx, scope)) ? "withheld" : stateOf(weeks)
  return {
    state,
    cells: weeks,
    threshold: findThreshold(shown),
    bands: found.rows.flatMap(({ week, band, people, accepted, presented }) => {
      const interval = computeWilsonInterval(accepted, presented)
      if (week !== null || interval === null) return []
      return [{ band, ...bandOf(band), people, accepted, presented, acceptance: accepted / presented, interval }]
    }),
  }
}

/** Whether anybody decided on anything that was timed; no secret, as withheld is not no data. */
async function hasDecided(tx: TenantTx, scope: SplitScope & { readonly teamId: string | null }): Promise<boolean> {
  const isOfNode = scope.teamId === null ? sql`true` : sql`${scope.teamId}::uuid in (top_team_id, sub_team_id)`
  const found = await sql`
    with ${weeksOf(scope)}, ${MEMBERSHIP},
    ${placedDays(
      { ...scope, ownDeveloperIds: null },
      { table: "latency_decision_day", columns: sql`d.band`, only: sql`d.rung = ${scope.rung}` },
    )}
    select from placed_day where is_current and ${isOfNode} limit 1`.execute(tx)
  return found.rows.length > 0
}

/** Something that changed and may be why latency did. */
export interface MarkedChange {
  readonly kind: string
  readonly subject: string
  readonly at: Date
}

const MARKED_KINDS = ["agent_version", "model", "model_server", "infrastructure", "policy"]
const MARKS_MAX = 20

/** Changes of agent tools, models, servers and policies in `[from, to)`, the oldest first. */
export function listMarkedChanges(
  tx: TenantTx,
  { from, to }: { readonly from: Date; readonly to: Date },
): Promise<readonly MarkedChange[]> {
  return tx
    .selectFrom("change")
    .select(["kind", "subject", "occurred_at as at"])
    .where("kind", "in", MARKED_KINDS)
    .where("occurred_at", ">=", from)
    .where("occurred_at", "<", to)
    .orderBy("occurred_at")
    .orderBy("subject")
    .limit(MARKS_MAX)
    .execute()
}
