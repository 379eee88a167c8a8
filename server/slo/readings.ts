import { type RawBuilder, sql } from "kysely"
import type { TenantTx } from "../db/tenant.ts"
import { disclosureOf, MIN_GROUP_SIZE } from "../privacy/disclosure.ts"
import { LATENCY_BUCKETS } from "../rollup/histogram.ts"
import { RUNGS, type Rung } from "#sdk/ladder.ts"
import { countSlow, type Readings, type Timed, type WindowName, WINDOWS } from "./burn.ts"
import { KIND_OF_RUNG, type Objective, type ObjectiveScope, scopeKey } from "./objectives.ts"

/** Of one scope: how often each latency bucket was met in each window. */
export type Histograms = ReadonlyMap<WindowName, Float64Array>

interface Cell {
  readonly rung: Rung
  readonly tool: string
  readonly model: string | null
  /** Teams that it is of, a sub-team's with the team above it; none where it is of everybody. */
  readonly teams: readonly string[]
  readonly age: number
  readonly buckets: string
  readonly counts: string
}

/** The signals that are an operation of their rung. */
const IS_TIMED = sql`(kind, rung) in (${sql.join(
  RUNGS.map((rung) => sql`(${sql.lit(KIND_OF_RUNG[rung])}::signal_kind, ${sql.lit(rung)}::rung)`),
)})`

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

/** Windows up to here are made of minutes; longer ones of hours. */
const MINUTES_MAX_MS = 2 * HOUR_MS
const BY_MINUTE = WINDOWS.filter(({ ms }) => ms <= MINUTES_MAX_MS)
const BY_HOUR = WINDOWS.filter(({ ms }) => ms > MINUTES_MAX_MS)

/**
 * The histograms of every window that ends at `at`, by `scopeKey`, of these scopes. Two queries, however many scopes,
 * and two more where some are of teams.
 *
 * A window begins with a whole minute, and from six hours on with a whole hour: it is that much longer than its name at
 * most. Late signals are in the window in which they were observed.
 */
export async function readHistograms(
  tx: TenantTx,
  { scopes, at }: { readonly scopes: readonly ObjectiveScope[]; readonly at: Date },
): Promise<ReadonlyMap<string, Histograms>> {
  const wanted = new Set(scopes.map(scopeKey))
  const read = new Map<string, Map<WindowName, Float64Array>>()
  const starts = (windows: typeof WINDOWS | readonly (typeof WINDOWS)[number][], unitMs: number) =>
    windows.map(({ ms }) => new Date(Math.floor((at.getTime() - ms) / unitMs) * unitMs))
  const teamIds = teamsOf(scopes)
  const sources = scopes.length > 0 && scopes.every(({ teamId }) => teamId !== null) ? [teamIds] : [null, teamIds]
  for (const of of sources) {
    if (of?.length === 0) continue
    const minutes = await readCells(tx, { of, time: "minute", starts: starts(BY_MINUTE, MINUTE_MS), at })
    const hours = await readCells(tx, { of, time: "hour", starts: starts(BY_HOUR, HOUR_MS), at })
    for (const [cells, windows] of [
      [minutes, BY_MINUTE],
      [hours, BY_HOUR],
    ] as const) {
      addCells(cells, windows)
    }
  }
  function addCells(cells: readonly Cell[], windows: typeof BY_MINUTE) {
    for (const cell of cells) {
      const keys = keysOf(cell).filter((key) => wanted.has(key))
      if (keys.length === 0) continue
      const buckets = cell.buckets.split(",").map(Number)
      const counts = cell.counts.split(",").map(Number)
      for (const key of keys) {
        let histograms = read.get(key)
        if (histograms === undefined) read.set(key, (histograms = emptyHistograms()))
        // What is in a window is in every longer one.
        for (const { name } of windows.slice(cell.age)) {
          const histogram = histograms.get(name)
          if (histogram === undefined) continue
          for (let at = 0; at < buckets.length; at++) {
            const bucket = buckets[at] ?? 0
            histogram[bucket] = (histogram[bucket] ?? 0) + (counts[at] ?? 0)
          }
        }
      }
    }
  }
  return read
}

function emptyHistograms(): Map<WindowName, Float64Array> {
  return new Map(WINDOWS.map(({ name }) => [name, new Float64Array(LATENCY_BUCKETS)]))
}

function keysOf({ rung, tool, model, teams }: Pick<Cell, "rung" | "tool" | "model" | "teams">): readonly string[] {
  return (teams.length === 0 ? [null] : teams).flatMap((teamId) => [
    scopeKey({ rung, agentTool: null, model: null, teamId }),
    scopeKey({ rung, agentTool: tool, model: null, teamId }),
    ...(model === null
      ? []
      : [scopeKey({ rung, agentTool: null, model, teamId }), scopeKey({ rung, agentTool: tool, model, teamId })]),
  ])
}

function teamsOf(scopes: readonly ObjectiveScope[]): readonly string[] {
  return [...new Set(scopes.flatMap(({ teamId }) => teamId ?? []))]
}

/**
 * The rollup by the minute or the hour, as `c`, with the `team_id` that rows are of: of everybody, where it is null, or of
 * these teams and their sub-teams.
 */
function rollupOf(time: "minute" | "hour" | "day", of: readonly string[] | null) {
  if (of === null) return sql`(select *, null::uuid as team_id from ${sql.table(`signal_${time}`)} where ${IS_TIMED}) c`
  const table = sql.table(time === "minute" ? "team_latency_minute" : "team_latency_hour")
  return sql`(
    select * from ${table} where team_id in (
      select id from team where id = any(${of}::uuid[]) or parent_team_id = any(${of}::uuid[])
    )
  ) c`
}

/** Of the `team_id` of a row `c`. */
const TEAMS = sql`coalesce(
  (select array_remove(array[t.id, t.parent_team_id], null) from team t where t.id = c.team_id), '{}'
)`

/** `starts` descend; `age` is the place of the first that is not after the row. */
async function readCells(
  tx: TenantTx,
  args: {
    /** As `rollupOf` takes it. */
    readonly of: readonly string[] | null
    readonly time: "minute" | "hour"
    readonly starts: readonly Date[]
    readonly at: Date
  },
): Promise<readonly Cell[]> {
  const { of, starts, at } = args
  const time = sql.ref(args.time)
  const first = starts.at(-1) ?? at
  const age = sql.join(
    starts.map((start, index) => sql`when ${time} >= ${instant(start)} then ${sql.lit(index)}`),
    sql` `,
  )
  const result = await sql<Cell>`
    select c.rung, tool.value as tool, model.value as model, ${TEAMS} as teams, c.age,
      string_agg(c.bucket::text, ',') as buckets, string_agg(c.times::text, ',') as counts
    from (
      select rung, agent_tool_id, model_id, team_id, case ${age} end as age, h.bucket, sum(h.times) as times
      from ${rollupOf(args.time, of)} cross join unnest(latency_buckets, latency_counts) as h(bucket, times)
      where ${time} >= ${instant(first)} and ${time} <= ${instant(at)}
      group by rung, agent_tool_id, model_id, team_id, age, h.bucket
    ) c
    join dimension tool on tool.id = c.agent_tool_id
    left join dimension model on model.id = c.model_id
    group by c.rung, tool.value, model.value, c.team_id, c.age`.execute(tx)
  return result.rows
}

/** As a literal, so that the other partitions are left out before they are planned for. */
function instant(at: Date) {
  return sql`timestamptz ${sql.lit(at.toISOString())}`
}

/** What an objective's windows hold; nothing where nothing was read. */
export function readingsOf(objective: Objective, histograms: Histograms | undefined): Readings {
  const timed = (name: WindowName): Timed => {
    const counts = histograms?.get(name)
    return counts === undefined ? { requests: 0, slow: 0 } : countSlow(counts, objective.thresholdMs)
  }
  const [five, thirty, hour, two, six, day, three] = WINDOWS.map(({ name }) => timed(name)) as [
    Timed,
    Timed,
    Timed,
    Timed,
    Timed,
    Timed,
    Timed,
  ]
  return { "5 min": five, "30 min": thirty, "1 h": hour, "2 h": two, "6 h": six, "1 day": day, "3 days": three }
}

/** Days whose people stand behind a scope. */
const PEOPLE_DAYS = 7

/**
 * The scopes, by `scopeKey`, of which figures may be shown: at least k people used them in the last 7 days, and whoever
 * worked at the rung outside of them are nobody or at least k, so that nothing can be told of those by subtraction; the
 * same within the tool and within the model where a scope has both.
 *
 * Two sibling scopes that overlap in few people cannot be subtracted, as what they share is shown nowhere else than in a
 * scope that is held to this as well. Scopes of teams: `findShownTeams`.
 */
export async function findShownScopes(
  tx: TenantTx,
  { scopes, at }: { readonly scopes: readonly ObjectiveScope[]; readonly at: Date },
): Promise<ReadonlySet<string>> {
  const shownTeams = await findShownTeams(tx, { scopes: scopes.filter(({ teamId }) => teamId !== null), at })
  const ofAll = scopes.filter(({ teamId }) => teamId === null)
  const distinct = [...new Map(ofAll.map((scope) => [scopeKey(scope), scope]))]
  if (distinct.length === 0) return shownTeams
  const result = await sql<{ key: string }>`
    with used as (
      select distinct u.rung, tool.value as tool, coalesce(model.value, '') as model, u.developer_id
      from developer_usage_day u
      join dimension tool on tool.id = u.agent_tool_id left join dimension model on model.id = u.model_id
      where u.day > (${at}::timestamptz at time zone (select time_zone from org))::date - ${sql.lit(PEOPLE_DAYS)}
    ), counted as (
      -- In how many places of a scope a person was; a null tool or model is every one.
      select rung, tool, model, developer_id, count(*) as places from used
      group by grouping sets ((rung, developer_id), (rung, tool, developer_id), (rung, model, developer_id),
        (rung, tool, model, developer_id))
    ), held as (
      select *,
        max(places) filter (where tool is null and model is null) over (partition by rung, developer_id) as in_rung,
        max(places) filter (where model is null) over (partition by rung, developer_id, tool) as in_tool,
        max(places) filter (where tool is null) over (partition by rung, developer_id, model) as in_model
      from counted
    ), size as materialized (
      select rung, tool, model, count(*) as people,
        count(*) filter (where places = in_rung) as only_of_rung,
        count(*) filter (where tool is not null and places = in_tool) as only_of_tool,
        count(*) filter (where model is not null and places = in_model) as only_of_model
      from held group by rung, tool, model
    ), wanted as (
      select * from unnest(
        ${distinct.map(([key]) => key)}::text[], ${distinct.map(([, { rung }]) => rung)}::text[]::rung[],
        ${distinct.map(([, { agentTool }]) => agentTool)}::text[], ${distinct.map(([, { model }]) => model)}::text[]
      ) as w(key, rung, tool, model)
    )
    select w.key
    from wanted w
    join size s on s.rung = w.rung and coalesce(s.tool, '') = coalesce(w.tool, '')
      and coalesce(s.model, '*') = coalesce(w.model, '*')
    join size r on r.rung = w.rung and r.tool is null and r.model is null
    left join size t on t.rung = w.rung and t.tool = w.tool and t.model is null
    left join size m on m.rung = w.rung and m.tool is null and m.model = w.model
    where s.people >= ${MIN_GROUP_SIZE}
      and ${isNobodyOrEnough(sql`r.people - s.only_of_rung`)}
      and ${isNobodyOrEnough(sql`coalesce(t.people - s.only_of_tool, 0)`)}
      and ${isNobodyOrEnough(sql`coalesce(m.people - s.only_of_model, 0)`)}`.execute(tx)
  return new Set([...result.rows.map(({ key }) => key), ...shownTeams])
}

/**
 * The same of scopes of teams: of the people whose latency counts to a team, and for each tool and model by itself, teams
 * are shown as everywhere (`disclosureOf`), so that no sum or difference of teams tells of few. Within the team whoever
 * worked at the rung outside of the scope's tool and model are nobody or at least k as well.
 */
async function findShownTeams(
  tx: TenantTx,
  { scopes, at }: { readonly scopes: readonly ObjectiveScope[]; readonly at: Date },
): Promise<ReadonlySet<string>> {
  const distinct = [...new Map(scopes.map((scope) => [scopeKey(scope), scope]))]
  if (distinct.length === 0) return new Set()
  const outside = (tool: RawBuilder<unknown>, model: RawBuilder<unknown>) =>
    isNobodyOrEnough(sql`(
      select count(distinct u.developer_id) from used u
      where u.rung = w.rung and w.team_id in (u.top_team_id, u.sub_team_id)
        and u.tool = coalesce(${tool}, u.tool) and u.model = coalesce(${model}, u.model)
        and not (u.tool = coalesce(w.tool, u.tool) and u.model = coalesce(w.model, u.model))
    )`)
  const result = await sql<{ key: string }>`
    with wanted as (
      select * from unnest(
        ${distinct.map(([key]) => key)}::text[], ${distinct.map(([, { rung }]) => rung)}::text[]::rung[],
        ${distinct.map(([, { agentTool }]) => agentTool)}::text[], ${distinct.map(([, { model }]) => model)}::text[],
        ${distinct.map(([, { teamId }]) => teamId)}::text[]::uuid[]
      ) as w(key, rung, tool, model, team_id)
    ), used as materialized (
      select distinct u.day, u.rung, tool.value as tool, coalesce(model.value, '') as model, c.person_id as developer_id,
        coalesce(t.parent_team_id, t.id) as top_team_id, case when t.parent_team_id is not null then t.id end as sub_team_id
      from developer_usage_day u
      join counted_team_day c on (c.org_id, c.day, c.developer_id) = (u.org_id, u.day, u.developer_id)
      left join team t on t.id = c.team_id
      join dimension tool on tool.id = u.agent_tool_id left join dimension model on model.id = u.model_id
      where u.day > (${at}::timestamptz at time zone (select time_zone from org))::date - ${sql.lit(PEOPLE_DAYS)}
    ), contribution as (
      select date '1970-01-05' as week, u.rung, f.family, u.day, u.top_team_id, u.sub_team_id, u.developer_id
      from (select distinct rung, tool, model, concat(tool, E'\\n', model) as family from wanted) f
      join used u on u.rung = f.rung and u.tool = coalesce(f.tool, u.tool) and u.model = coalesce(f.model, u.model)
    ), ${disclosureOf(MIN_GROUP_SIZE)}
    select w.key from wanted w
    join disclosed_node n on n.rung = w.rung and n.family = concat(w.tool, E'\\n', w.model) and n.node_id = w.team_id
    where n.is_visible and ${outside(sql`null`, sql`null`)} and ${outside(sql`w.tool`, sql`null`)}
      and ${outside(sql`null`, sql`w.model`)}`.execute(tx)
  return new Set(result.rows.map(({ key }) => key))
}

function isNobodyOrEnough(people: RawBuilder<unknown>) {
  return sql`(${people} = 0 or ${people} >= ${MIN_GROUP_SIZE})`
}

/** How many were timed and slow over each objective's own window, in whole days of the organization's zone; by id. */
export async function readBudgets(
  tx: TenantTx,
  { objectives, at }: { readonly objectives: readonly Objective[]; readonly at: Date },
): Promise<ReadonlyMap<string, Timed>> {
  if (objectives.length === 0) return new Map()
  const longest = Math.max(...objectives.map(({ windowDays }) => windowDays))
  const zone = sql`(select time_zone from org)`
  const teamIds = teamsOf(objectives)
  const rowsOf = (days: RawBuilder<unknown>) =>
    sql<Omit<Cell, "age"> & { daysAgo: number }>`
    select c.rung, tool.value as tool, model.value as model, ${TEAMS} as teams, today.day - c.day as "daysAgo",
      array_to_string(latency_buckets, ',') as buckets, array_to_string(latency_counts, ',') as counts
    from (select (${at}::timestamptz at time zone ${zone})::date as day) today
    join ${days} on c.day > today.day - ${longest}::int and c.day <= today.day
    join dimension tool on tool.id = c.agent_tool_id left join dimension model on model.id = c.model_id`.execute(tx)
  const ofAll = await rowsOf(rollupOf("day", null))
  // Of teams there are hours, in which a day begins to the hour.
  const ofTeams =
    teamIds.length === 0
      ? []
      : (
          await rowsOf(sql`(
            select (c.hour at time zone ${zone})::date as day, c.* from ${rollupOf("hour", teamIds)}
            where c.hour > ${at}::timestamptz - make_interval(days => ${longest}::int + 1)
          ) c`)
        ).rows
  const byScope = Map.groupBy(objectives, scopeKey)
  const totals = new Map(objectives.map(({ id }) => [id, new Float64Array(LATENCY_BUCKETS)]))
  for (const row of [...ofAll.rows, ...ofTeams]) {
    if (row.buckets === "") continue
    const buckets = row.buckets.split(",").map(Number)
    const counts = row.counts.split(",").map(Number)
    for (const objective of keysOf(row).flatMap((key) => byScope.get(key) ?? [])) {
      const total = totals.get(objective.id)
      if (total === undefined || row.daysAgo >= objective.windowDays) continue
      for (let at = 0; at < buckets.length; at++) {
        const bucket = buckets[at] ?? 0
        total[bucket] = (total[bucket] ?? 0) + (counts[at] ?? 0)
      }
    }
  }
  return new Map(
    objectives.map((objective) => [
      objective.id,
      countSlow(totals.get(objective.id) ?? new Float64Array(LATENCY_BUCKETS), objective.thresholdMs),
    ]),
  )
}

/** How many were timed and slow in each minute or hour of a range in which something was, by its start in milliseconds. */
export async function readSlowCounts(
  tx: TenantTx,
  args: {
    readonly objective: Objective
    readonly table: "minute" | "hour"
    /** Inclusive. */
    readonly from: Date
    /** Exclusive. */
    readonly to: Date
  },
): Promise<ReadonlyMap<number, Timed>> {
  const { objective, table, from, to } = args
  const time = sql.ref(table)
  const of = objective.teamId === null ? null : [objective.teamId]
  const isOf = (column: string, name: string | null) =>
    name === null ? sql`true` : sql`${sql.ref(column)} in (select id from dimension where value = ${name})`
  const result = await sql<{ at: number; buckets: string; counts: string }>`
    select at, string_agg(bucket::text, ',') as buckets, string_agg(times::text, ',') as counts
    from (
      select (extract(epoch from ${time}) * 1000)::float8 as at, h.bucket, sum(h.times) as times
      from ${rollupOf(table, of)} cross join unnest(latency_buckets, latency_counts) as h(bucket, times)
      where ${time} >= ${instant(from)} and ${time} < ${instant(to)}
        and rung = ${objective.rung}::rung and ${isOf("agent_tool_id", objective.agentTool)}
        and ${isOf("model_id", objective.model)}
      group by ${time}, h.bucket
    ) cell
    group by at`.execute(tx)
  return new Map(
    result.rows.map(({ at, buckets, counts }) => {
      const histogram = new Float64Array(LATENCY_BUCKETS)
      const times = counts.split(",").map(Number)
      for (const [index, bucket] of buckets.split(",").entries()) histogram[Number(bucket)] = times[index] ?? 0
      return [at, countSlow(histogram, objective.thresholdMs)]
    }),
  )
}
