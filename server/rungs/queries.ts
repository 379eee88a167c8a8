import { sql } from "kysely"
import { type Rung, RUNGS } from "#sdk/ladder.ts"
import type { TenantTx } from "../db/tenant.ts"
import type { Family } from "../privacy/disclosure.ts"
import { percentilesOf } from "../rollup/histogram.ts"
import {
  type FigureState,
  isByDay,
  type LadderScope,
  type RawFigures,
  readFigures,
  stateOf,
  toHistogram,
  type Weeks,
  weeksOf,
} from "./figures.ts"
import { computeWilsonInterval, type Interval } from "./wilson.ts"

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

/**
 * The figures of every rung in a period and the previous one, by day or week, and by team. What may not be shown does not
 * leave the database.
 */
export async function getLadder(tx: TenantTx, scope: LadderScope): Promise<Ladder> {
  const rows = await readFigures(tx, scope)
  const periods = (isCurrent: boolean) => rows.filter((row) => row.by === "period" && row.is_current === isCurrent)
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
    bucket: isByDay(scope) ? "day" : "week",
    buckets: rows.flatMap((row) => (row.by === "bucket" ? [{ ...toFigures(row), bucketStart: row.bucket_start }] : [])),
    teams: teams(true),
    previousTeams: teams(false),
    freshness: await getFreshness(tx, scope),
  }
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
export async function getFreshness(
  tx: TenantTx,
  scope: Pick<LadderScope, "from" | "to" | "now" | "timeZone" | "ownDeveloperIds">,
): Promise<LadderFreshness> {
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
