import { sql } from "kysely"
import { type Rung, RUNGS } from "#sdk/ladder.ts"
import type { TenantTx } from "../db/tenant.ts"
import { computeWilsonInterval, type Interval } from "./wilson.ts"

/** Why a figure is there or not. `withheld`: fewer than k people are behind it. */
export type FigureState = "shown" | "withheld" | "no_data"

export interface LadderScope {
  /** Start of the period that this one is compared with; inclusive. */
  readonly previousFrom: Date
  /** Inclusive; the previous period ends here. */
  readonly from: Date
  /** Exclusive. */
  readonly to: Date
  /** Members of this team as of each operation's day; null for the whole organization. */
  readonly teamId: string | null
  /** Only these developers' own signals, shown to themselves: the privacy floor does not apply. Null for everyone. */
  readonly ownDeveloperIds: readonly string[] | null
  readonly bucket: "day" | "week"
  /** IANA zone of the buckets and of the days on which people were in a team. */
  readonly timeZone: string
}

export interface LadderFigures {
  readonly rung: Rung
  /** People behind the signals; null when withheld. People whom no source named count as one. */
  readonly developers: number | null
  readonly developersState: FigureState
  /**
   * Suggestions, turns, tasks and runs; a sub-agent's work is part of its run. Null when withheld, which the volume
   * of the whole organization never is: it says that telemetry arrives, not what a person did.
   */
  readonly operations: number | null
  readonly operationsState: FigureState
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
  /** Until the human could use it, milliseconds: shown, first token, finish. */
  readonly latencyP50Ms: number | null
  readonly latencyP95Ms: number | null
  readonly latencyState: FigureState
  readonly latencyCount: number | null
  /** Questions that a human answered, per operation. */
  readonly promptsPerOperation: number | null
}

export interface LadderBucket extends LadderFigures {
  /** Start of a day in the given zone, or of seven days. */
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
  readonly buckets: LadderBucket[]
  /** Figures by team and rung; people in no team are in none. */
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

/** Days of the zone, or weeks that end where the period ends, so that no week is a partial one. */
function bucketOf(scope: LadderScope) {
  return scope.bucket === "day"
    ? sql`date_trunc('day', o.started_at, ${scope.timeZone})`
    : sql`date_bin('7 days', o.started_at, ${scope.to})`
}

/**
 * One operation per row, on its rung: the highest that its own signals prove, or its parent's when that is higher.
 * `latency_ms` is what the rung times: until shown or first token below `agent`, until done from there on. Where no
 * signal says how long an operation took it is the time from its prompt to its last signal.
 */
function operationsOf(scope: LadderScope) {
  const own = scope.ownDeveloperIds === null ? sql`true` : sql`s.developer_id = any(${scope.ownDeveloperIds}::uuid[])`
  const inTeam = scope.teamId === null ? sql`true` : sql`team.team_id = ${scope.teamId}::uuid`
  return sql`
    unattributed as (
      select id from developer where is_unattributed
    ), own_rung as (
      select
        operation_id,
        -- Some tools name the person on one kind of record only; whoever is named anywhere did the whole.
        coalesce(
          max(developer_id::text) filter (where developer_id <> (select id from unattributed)), max(developer_id::text)
        )::uuid as developer_id,
        max(agent_tool_id) as agent_tool_id,
        max(rung) as rung,
        max(parent_operation_id) as parent_operation_id,
        max(latency_ms) filter (where kind in ('suggestion', 'turn')) as first_ms,
        max(duration_ms) filter (where kind in ('turn', 'task', 'run')) as whole_ms,
        min(observed_at) as started_at,
        case when bool_or(kind = 'start') and count(*) > 1
          then extract(epoch from max(observed_at) - min(observed_at) filter (where kind = 'start')) * 1000
        end as span_ms,
        count(*) filter (where kind in ('suggestion', 'turn', 'task', 'run', 'edit')
          and outcome in ('accepted', 'modified') and origin = 'human') as accepted,
        count(*) filter (where kind in ('suggestion', 'turn', 'task', 'run', 'edit')
          and (outcome in ('accepted', 'modified', 'rejected') and origin = 'human'
            or outcome = 'ignored' and origin in ('human', 'dismissed', 'timeout'))) as presented,
        count(*) filter (where kind = 'permission' and origin in ('human', 'dismissed', 'timeout')) as prompts
      from signal s
      where observed_at >= ${scope.previousFrom} and observed_at < ${scope.to} and operation_id is not null and ${own}
      group by operation_id
    ), delegating as (
      -- Whoever hands work to agents stands on orchestration, in whichever batch the agents reported.
      select parent_operation_id as operation_id, max(rung) as rung
      from own_rung where rung = 'orchestration' group by parent_operation_id
    ), operation as (
      select
        o.developer_id, o.agent_tool_id, team.team_id, o.accepted, o.presented, o.prompts,
        o.started_at >= ${scope.from} as is_current,
        ${bucketOf(scope)} as bucket_start,
        o.parent_operation_id is null as is_root,
        greatest(o.rung, p.rung, d.rung) as rung,
        case
          when greatest(o.rung, p.rung, d.rung) in ('autocomplete', 'chat') then o.first_ms
          else coalesce(o.whole_ms, o.span_ms)
        end as latency_ms
      from own_rung o
      left join own_rung p on p.operation_id = o.parent_operation_id
      left join delegating d on d.operation_id = o.operation_id
      left join team_member team
        on team.developer_id = o.developer_id
        and (o.started_at at time zone ${scope.timeZone})::date >= team.valid_from
        and (team.valid_to is null or (o.started_at at time zone ${scope.timeZone})::date < team.valid_to)
      where ${inTeam}
    )`
}

interface RawFigures {
  rung: Rung
  is_current: boolean
  by: "rung" | "bucket" | "team"
  bucket_start: Date | null
  team_id: string | null
  agent_tools: string[]
  developers: number
  operations: number
  accepted: number | null
  presented: number
  presented_developers: number | null
  prompts: number | null
  latency_p50_ms: number | null
  latency_p95_ms: number | null
  latency_count: number
}

/**
 * The figures of every rung in a period and the one before it, by day or week, and by team, from one pass over the
 * signals. Groups under the organization's k come out of the database as null.
 */
export async function getLadder(tx: TenantTx, scope: LadderScope): Promise<Ladder> {
  // A person's own figures are theirs to see.
  const k = scope.ownDeveloperIds === null ? sql`(select min_group_size from org)` : sql`1`
  // Team volumes could be taken from each other until a single person is left; the organization's could not.
  const volumeFloor = scope.teamId === null ? sql`case when by = 'team' then ${k} else 1 end` : k
  const result = await sql<RawFigures>`
    with ${operationsOf(scope)}, figure as (
      select
        rung, is_current,
        case when grouping(bucket_start) = 0 then 'bucket' when grouping(team_id) = 0 then 'team' else 'rung' end as by,
        bucket_start, team_id,
        array_agg(distinct agent_tool_id) as agent_tool_ids,
        count(distinct developer_id)::int as developers,
        count(*) filter (where is_root)::int as operations,
        sum(accepted)::int as accepted,
        sum(presented)::int as presented,
        count(distinct developer_id) filter (where presented > 0)::int as presented_developers,
        sum(prompts)::int as prompts,
        percentile_cont(0.5) within group (order by latency_ms) filter (where is_root) as latency_p50_ms,
        percentile_cont(0.95) within group (order by latency_ms) filter (where is_root) as latency_p95_ms,
        count(latency_ms) filter (where is_root)::int as latency_count,
        count(distinct developer_id) filter (where is_root and latency_ms is not null)::int as latency_developers
      from operation
      group by grouping sets ((rung, is_current), (rung, is_current, bucket_start), (rung, is_current, team_id))
    )
    select
      rung, is_current, by, bucket_start, team_id,
      case when by = 'rung' and developers >= ${volumeFloor} then array(
        select d.value from dimension d where d.id = any(agent_tool_ids) order by d.value
      ) else '{}' end as agent_tools,
      case when developers >= ${k} then developers else ${WITHHELD} end as developers,
      case when developers >= ${volumeFloor} then operations else ${WITHHELD} end as operations,
      case when presented = 0 or presented_developers >= ${k} then presented else ${WITHHELD} end as presented,
      case when presented_developers >= ${k} then presented_developers end as presented_developers,
      case when presented_developers >= ${k} then accepted end as accepted,
      case when developers >= ${k} then prompts end as prompts,
      case when latency_count = 0 or latency_developers >= ${k} then latency_count else ${WITHHELD} end as latency_count,
      case when latency_developers >= ${k} then latency_p50_ms end as latency_p50_ms,
      case when latency_developers >= ${k} then latency_p95_ms end as latency_p95_ms
    from figure
    order by rung, bucket_start`.execute(tx)

  const totals = (isCurrent: boolean) =>
    RUNGS.map((rung) => {
      const row = result.rows.find((r) => r.by === "rung" && r.rung === rung && r.is_current === isCurrent)
      return row === undefined
        ? { ...emptyFigures(rung), agentTools: [] }
        : { ...toFigures(row), agentTools: row.agent_tools }
    })
  const teams = (isCurrent: boolean) =>
    result.rows.flatMap((row) =>
      row.by === "team" && row.team_id !== null && row.is_current === isCurrent
        ? [{ ...toFigures(row), teamId: row.team_id }]
        : [],
    )
  return {
    rungs: totals(true),
    previous: totals(false),
    buckets: result.rows.flatMap((row) =>
      row.by === "bucket" && row.bucket_start !== null && row.is_current
        ? [{ ...toFigures(row), bucketStart: row.bucket_start }]
        : [],
    ),
    teams: teams(true),
    previousTeams: teams(false),
    freshness: await getFreshness(tx, scope),
  }
}

/** In the rows of the database -1 stands for a withheld count, so that it cannot be mistaken for an absent one. */
const WITHHELD = -1

function stateOf(count: number): FigureState {
  if (count === WITHHELD) return "withheld"
  return count === 0 ? "no_data" : "shown"
}

function shown(count: number): number | null {
  return count === WITHHELD ? null : count
}

function toFigures(row: RawFigures): LadderFigures {
  const presentedState = stateOf(row.presented)
  return {
    rung: row.rung,
    developers: shown(row.developers),
    developersState: stateOf(row.developers),
    operations: shown(row.operations),
    operationsState: stateOf(row.operations),
    acceptance: presentedState === "shown" && row.accepted !== null ? row.accepted / row.presented : null,
    interval: row.accepted === null ? null : computeWilsonInterval(row.accepted, row.presented),
    acceptanceState: presentedState === "no_data" ? "not_decidable" : presentedState,
    accepted: row.accepted,
    presented: shown(row.presented),
    presentedDevelopers: row.presented_developers,
    latencyP50Ms: row.latency_p50_ms,
    latencyP95Ms: row.latency_p95_ms,
    latencyState: stateOf(row.latency_count),
    latencyCount: shown(row.latency_count),
    promptsPerOperation: row.prompts === null || row.operations <= 0 ? null : row.prompts / row.operations,
  }
}

function emptyFigures(rung: Rung): LadderFigures {
  return {
    rung,
    developers: 0,
    developersState: "no_data",
    operations: 0,
    operationsState: "no_data",
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

async function getFreshness(tx: TenantTx, scope: LadderScope): Promise<LadderFreshness> {
  const row = await tx
    .selectFrom("signal")
    .where("observed_at", ">=", scope.from)
    .where("observed_at", "<", scope.to)
    .$if(scope.ownDeveloperIds !== null, (query) =>
      query.where(sql<boolean>`developer_id = any(${scope.ownDeveloperIds}::uuid[])`),
    )
    .select([
      sql<number>`count(*)::int`.as("signals"),
      sql<Date | null>`max(observed_at)`.as("lastObservedAt"),
      sql<Date | null>`max(received_at)`.as("lastReceivedAt"),
    ])
    .executeTakeFirstOrThrow()
  return row
}

/** Teams of the organization, by name. */
export function listTeams(tx: TenantTx) {
  return tx.selectFrom("team").select(["id", "name"]).orderBy("name").execute()
}
