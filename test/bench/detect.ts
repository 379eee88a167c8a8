import { mkdtemp, rm } from "node:fs/promises"
import { availableParallelism, loadavg, tmpdir } from "node:os"
import path from "node:path"
import { parseArgs } from "node:util"
import { type Kysely, sql } from "kysely"
import { openDatabase } from "#server/db/client.ts"
import { startEmbeddedPostgres } from "#server/db/embedded.ts"
import { migrate } from "#server/db/migrate.ts"
import type { DB } from "#server/db/types.ts"
import { detectAllWith } from "#server/detect/loop.ts"
import { DETECTOR } from "#server/detect/step.ts"
import { createOrganization } from "#server/team/bootstrap.ts"

/**
 * `npm run bench:detect`: what the detector's step takes for a large organization, beside its database, and whether that
 * grows with what it has seen.
 *
 * Fills what arrived, by SQL, hour by hour of working weeks: everyone works in 20 places (tool and version, model,
 * language, mode), in two of them each hour, and ends a task every other hour. Takes a step a day, and one an hour on the
 * last days of the third and of the last week, which are timed.
 */
const { values: flags } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    people: { type: "string" },
    weeks: { type: "string" },
  },
})
const people = Number(flags.people ?? (flags.quick ? 250 : 5000))
const weeks = Number(flags.weeks ?? 8)
const EARLY_WEEK = 3
const PLACES_EACH = 20
const PEOPLE_PER_TEAM = 25
const WORKING_HOURS = { from: 8, to: 17 }
const [HOUR_MS, DAY_MS, MINUTE_MS] = [3_600_000, 86_400_000, 60_000]
const MONDAY = Date.parse("2026-03-02T00:00:00Z")

const dataDir = await mkdtemp(path.join(tmpdir(), "belay-bench-"))
const postgres = await startEmbeddedPostgres({ dataDir, settings: { max_wal_size: "4GB" } })
try {
  await migrate(postgres.url)
  const open = (role: string | null) =>
    openDatabase({ url: postgres.url, max: 2, applicationName: "bench", ...(role !== null && { role }) })
  const [owner, worker] = [open(null), open("belay_worker")]
  try {
    await run(owner.kysely, worker.kysely)
  } finally {
    await Promise.all([owner.close(), worker.close()])
  }
} finally {
  await postgres.stop()
  await rm(dataDir, { recursive: true, force: true })
}

interface Steps {
  /** Seconds of each step of an hour, and of that in the detector itself. */
  readonly whole: number[]
  readonly observing: number[]
}

async function run(owner: Kysely<DB>, worker: Kysely<DB>): Promise<void> {
  console.log(
    `Detection: ${people.toLocaleString("en")} people in ${people * PLACES_EACH} places, ${weeks} weeks; node ${process.version}, ${availableParallelism()} cores, load before ${loadavg()[0]?.toFixed(2)}.`,
  )
  const orgId = await createOrganization(owner, { name: "Bench", isDemo: false })
  await populate(owner, orgId)
  let observedMs = 0
  let series = 0
  const detector: typeof DETECTOR = {
    ...DETECTOR,
    observe(state, ...args) {
      const startedAt = performance.now()
      const found = DETECTOR.observe(state, ...args)
      observedMs += performance.now() - startedAt
      series = Math.max(series, state.series.size)
      return found
    },
  }
  const zones = new Map()
  const detectUntil = async (at: number) => {
    const startedAt = performance.now()
    observedMs = 0
    const steps = await detectAllWith(detector, { db: worker, now: new Date(at + MINUTE_MS), zones })
    const findings = steps.reduce((sum, step) => sum + step.findings, 0)
    return { seconds: (performance.now() - startedAt) / 1000, observing: observedMs / 1000, findings }
  }
  const timed = new Map<number, Steps>()
  let findings = 0
  for (let day = 0; day < weeks * 7; day++) {
    const midnight = MONDAY + day * DAY_MS
    const week = Math.floor(day / 7) + 1
    const weekday = day % 7
    if (weekday < 5) {
      await fill(owner, orgId, midnight)
      await sql`analyze arrived_suggestion, arrived_operation, arrived_presence, arrived_delivery`.execute(owner)
    }
    if (weekday === 4 && (week === EARLY_WEEK || week === weeks)) {
      findings += (await detectUntil(midnight + WORKING_HOURS.from * HOUR_MS)).findings
      const steps: Steps = { whole: [], observing: [] }
      for (let hour = WORKING_HOURS.from + 1; hour <= WORKING_HOURS.to; hour++) {
        const step = await detectUntil(midnight + hour * HOUR_MS)
        steps.whole.push(step.seconds)
        steps.observing.push(step.observing)
        findings += step.findings
      }
      timed.set(week, steps)
    }
    const whole = await detectUntil(midnight + DAY_MS)
    findings += whole.findings
    if (weekday === 4) console.log(`week ${week}: its Friday in ${whole.seconds.toFixed(2)} s`)
  }
  await report(owner, timed, { series, findings })
}

async function report(
  owner: Kysely<DB>,
  timed: ReadonlyMap<number, Steps>,
  { series, findings }: { readonly series: number; readonly findings: number },
): Promise<void> {
  const middle = (values: readonly number[] = []) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN
  const [early, late] = [timed.get(EARLY_WEEK), timed.get(weeks)]
  const state = await sql<{ bytes: number }>`
    select sum(octet_length(data))::float8 as bytes from detector_memory`.execute(owner)
  const round = (value: number) => Math.round(value * 1000) / 1000
  const figures = {
    places: people * PLACES_EACH,
    people,
    series,
    step_early_s: round(middle(early?.whole)),
    step_late_s: round(middle(late?.whole)),
    observe_early_s: round(middle(early?.observing)),
    observe_late_s: round(middle(late?.observing)),
    state_mb: round((state.rows[0]?.bytes ?? 0) / 1e6),
    rss_max_mb: Math.round(process.resourceUsage().maxRSS / 1024),
    findings,
  }
  console.log(
    `a step of one working hour, week ${EARLY_WEEK}   ${figures.step_early_s} s, ${figures.observe_early_s} s in the detector`,
  )
  console.log(
    `the same, week ${weeks}                   ${figures.step_late_s} s, ${figures.observe_late_s} s in the detector`,
  )
  console.log(
    `${series.toLocaleString("en")} series; memory at most ${figures.rss_max_mb} MB; state saved in ${figures.state_mb} MB; ${findings} findings`,
  )
  const ratios = { late_vs_early: round(figures.step_late_s / figures.step_early_s) }
  console.log(`\n${JSON.stringify({ bench: "detect", ratios, figures, run: { quick: flags.quick, weeks } })}`)
}

/** People, teams, and names of places: kind by kind, so that the n-th of a kind is found by its name. */
async function populate(owner: Kysely<DB>, orgId: string): Promise<void> {
  await sql`
    insert into team (org_id, name)
    select ${orgId}::uuid, 'team ' || n from generate_series(0, ${Math.ceil(people / PEOPLE_PER_TEAM) - 1}::int) n`.execute(
    owner,
  )
  await sql`
    insert into developer (org_id, pseudonym)
    select ${orgId}::uuid, 'person ' || n from generate_series(0, ${people - 1}::int) n`.execute(owner)
  await sql`
    insert into team_member (org_id, developer_id, team_id, valid_from)
    select ${orgId}::uuid, d.id, t.id, '2026-01-01'
    from generate_series(0, ${people - 1}::int) n
    join developer d on d.pseudonym = 'person ' || n
    join team t on t.name = 'team ' || n / ${PEOPLE_PER_TEAM}::int`.execute(owner)
  const names = { agent_tool: 4, agent_version: 5, model: 10, language: 10, mode: 3 }
  for (const [kind, count] of Object.entries(names)) {
    await sql`
      insert into dimension (org_id, kind, value)
      select ${orgId}::uuid, ${kind}::dimension_kind, n::text from generate_series(0, ${count - 1}::int) n`.execute(
      owner,
    )
  }
}

/** What arrived on a day, as the rollups queue it. */
async function fill(owner: Kysely<DB>, orgId: string, midnight: number): Promise<void> {
  const hours = sql`
    generate_series(${WORKING_HOURS.from}::int, ${WORKING_HOURS.to - 1}::int) h
    cross join lateral (select to_timestamp(${midnight}::float8 / 1000) + h * interval '1 hour' as hour) at`
  const idOf = (kind: string, modulo: number, divisor: number) => sql`(
    select id from dimension where kind = ${kind}::dimension_kind and value = ((place / ${divisor}::int) % ${modulo}::int)::text
  )`
  const place = sql`
    ${idOf("agent_tool", 4, 1)}, ${idOf("agent_version", 5, 1)}, ${idOf("model", 10, 3)}, ${idOf("language", 10, 7)},
    ${idOf("mode", 3, 11)}`
  const PLACE = sql.raw(`agent_tool_id, agent_version_id, model_id, language_id, mode_id`)
  const numbered = sql`(select id, substring(pseudonym from 8)::int as n from developer where pseudonym like 'person %') d`
  // Two of a person's places in an hour.
  const visited = sql`
    cross join generate_series(0, 1) k
    cross join lateral (
      select d.n * 7 + (h * 2 + k + extract(day from hour)::int) % ${PLACES_EACH}::int as place,
        abs(hashint8(d.n::int8 * 1000003 + extract(epoch from hour)::int8 + k)) as noise
    ) drawn`
  await sql`
    insert into arrived_suggestion (org_id, arrived_hour, hour, developer_id, ${PLACE}, units, presented, accepted,
      errors, latency_buckets, latency_counts)
    select ${orgId}::uuid, hour, hour, d.id, ${place}, 15, 15, 2 + noise % 5, 0, '{48,52,56}', '{5,8,2}'
    from ${numbered} cross join ${hours} ${visited}`.execute(owner)
  await sql`
    insert into arrived_operation (org_id, arrived_hour, operation_id, is_retracted, developer_id, ${PLACE}, signals,
      rung, first_at, last_at, has_ended, presented, accepted, prompts, denied, errors, edits, out_of_scope, tool_calls,
      tool_calls_told, compactions, context_files, latency_ms, duration_ms, is_interrupted)
    select ${orgId}::uuid, hour, d.n || ' ' || hour, false, d.id, ${place}, 12,
      (array['chat', 'agent', 'orchestration'])[1 + noise % 3]::rung, hour, hour + interval '10 minutes', true, 1,
      (noise % 10 < 7)::int, noise % 3, 0, (noise % 7 = 0)::int, 4, (noise % 31 = 0)::int, 12, 12, 0, 8,
      1000 + noise % 1000, 600000, false
    from ${numbered} cross join ${hours} ${visited} where k = 0 and (d.n + h) % 2 = 0`.execute(owner)
  await sql`
    insert into arrived_presence (org_id, arrived_hour, hour, developer_id)
    select ${orgId}::uuid, hour, hour, d.id from ${numbered} cross join ${hours}`.execute(owner)
  await sql`
    insert into arrived_delivery (org_id, arrived_hour, signals, late, duplicates)
    select ${orgId}::uuid, hour, ${people * 36}::int, 0, 0 from ${hours}`.execute(owner)
}
