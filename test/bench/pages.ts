import { mkdtemp, rm } from "node:fs/promises"
import { availableParallelism, loadavg, tmpdir } from "node:os"
import path from "node:path"
import { parseArgs } from "node:util"
import { type Kysely, type KyselyPlugin, sql } from "kysely"
import { openDatabase } from "#server/db/client.ts"
import { startEmbeddedPostgres } from "#server/db/embedded.ts"
import { migrate } from "#server/db/migrate.ts"
import { asTenant } from "#server/db/tenant.ts"
import type { DB } from "#server/db/types.ts"
import { createMeter } from "#server/ingest/meter.ts"
import { dayOf, maintainPartitions } from "#server/ingest/partitions.ts"
import { openSignalStore } from "#server/ingest/signal-store.ts"
import { placeJoinedOperations } from "#server/outcomes/place.ts"
import { loadPages } from "#server/pages.ts"
import { rebuildNext } from "#server/rollup/rebuild.ts"
import { maintainRollups } from "#server/rollup/retention.ts"
import { startSelfTelemetry } from "#server/self-telemetry.ts"
import { serve } from "#server/serve.ts"
import { readAuthSecret } from "#server/sign-in/auth.ts"
import { openSession } from "#server/sign-in/sessions.ts"
import { ensureOrganization } from "#server/team/bootstrap.ts"

/**
 * `npm run bench:pages`: what each page asks of the database and how long its loaders take, for 2,000 people and 90 days,
 * beside `SELECT 1` in the same run. `first` is the first time that it is opened: of pages on weeks either of what was
 * prepared after the start, or of what nobody ever asked for; the others are given what was made then (`server/answers.ts`).
 * Queries and rows are of the first. How long all is prepared for the one organization is printed before.
 *
 * The rollups are counted from a sample of raw signals, by the code that counts them always: 4 million in place of 100.
 * Their rows are of people, days and places, which the sample fills, and not of signals: how many there are of each is
 * printed. What pages take of raw signals, which is the last 48 hours at most, is a twenty-fifth of what it would be.
 */
const { values: flags } = parseArgs({
  options: { quick: { type: "boolean", default: false }, signals: { type: "string" }, rounds: { type: "string" } },
})
const PEOPLE = 2000
const PEOPLE_PER_TEAM = 25
const DAYS = 90
const total = Number(flags.signals ?? (flags.quick ? 500_000 : 4_000_000))
const rounds = Number(flags.rounds ?? (flags.quick ? 7 : 20))
const BUDGET_MS = 150
const now = new Date()
/** What is standing: it is there before it is asked for. */
const PREPARED = ["/", "/usage", "/latency", "/outcomes"]
/** The same four weeks by their days, which is another question. */
const DAYS_OF_RANGE = `from=${dayOf(now, -21)}&to=${dayOf(now, 0)}`
/** Pages as an owner opens them, with the ranges that they offer. */
const PAGES = [
  ...PREPARED.flatMap((page) => [page, `${page}?${DAYS_OF_RANGE}`, `${page}?range=13w`]),
  "/incidents",
  "/alerts",
  "/alerts/rules",
  "/decisions",
  "/policy",
  "/policy/budgets",
  "/people",
  "/people/teams",
  "/connect",
  "/settings/ingest",
  "/settings/storage",
  "/audit",
]

const dataDir = await mkdtemp(path.join(tmpdir(), "belay-bench-"))
const postgres = await startEmbeddedPostgres({ dataDir, settings: { max_wal_size: "4GB" } })
try {
  await migrate(postgres.url)
  await run(postgres.url)
} finally {
  await postgres.stop()
  await rm(dataDir, { recursive: true, force: true })
}

async function run(url: string): Promise<void> {
  const open = (role: string | null) =>
    openDatabase({ url, max: 5, applicationName: role ?? "bench", ...(role !== null && { role }) })
  const [owner, worker, app, ingest, auth] = [
    open(null),
    open("belay_worker"),
    open("belay_app"),
    open("belay_ingest"),
    open("belay_auth"),
  ]
  const meter = createMeter(() => now)
  const store = openSignalStore({ url, db: ingest.kysely, now: () => now, meter })
  const tell = (line: string) => console.error(line)
  const selfTelemetry = startSelfTelemetry({ meter, token: null, isBehindProxy: false, otlp: null, version: "0", tell })
  let queries = 0
  const counting: KyselyPlugin = {
    transformQuery({ node }) {
      queries++
      return node
    },
    transformResult: ({ result }) => Promise.resolve(result),
  }
  try {
    const { orgId } = await fillAll(owner.kysely, worker.kysely, app.kysely)
    const served = await serve({
      worker: worker.kysely,
      app: { ...app, kysely: app.kysely.withPlugin(counting) },
      auth,
      authSecret: await readAuthSecret(auth.kysely, undefined),
      identityProvider: null,
      mailer: null,
      ingest,
      store,
      meter,
      selfTelemetry,
      pages: loadPages({ isDev: false }),
      host: "127.0.0.1",
      port: 0,
      otlpPort: 0,
      grpcPort: 0,
      auditEndpoint: null,
      retentionDays: DAYS,
      demoOrgId: null,
      now: () => now,
      ingestRequestsPerMinute: 1000,
      log: (message, error) => console.error(message, error),
      tell,
    })
    try {
      const account = await owner.kysely
        .selectFrom("account")
        .select("user_id")
        .where("org_id", "=", orgId)
        .executeTakeFirstOrThrow()
      if (account.user_id === null) throw new Error("the first account cannot sign in")
      const headers = await openSession(served.signIn, account.user_id)
      const cookie = headers
        .getSetCookie()
        .map((one) => one.split(";")[0])
        .join("; ")
      const prepared = await waitUntilQuiet(owner.kysely)
      console.log(`prepared in ${(prepared / 1000).toFixed(1)} s: ${PREPARED.join(", ")}`)
      await measure(owner.kysely, {
        prepared,
        ask: (page) => fetch(new URL(toData(page), served.url), { headers: { cookie } }),
        takeQueries() {
          const asked = queries
          queries = 0
          return asked
        },
      })
    } finally {
      await served.close()
    }
  } finally {
    await selfTelemetry.close()
    await store.close()
    await Promise.all([owner, worker, app, ingest, auth].map((handle) => handle.close()))
  }
}

/** Where the loaders of a page answer without the page. */
function toData(page: string): string {
  const [pathname = "", search] = page.split("?")
  return `${pathname === "/" ? "/_root" : pathname}.data${search === undefined ? "" : `?${search}`}`
}

/** Waits until the application has not asked the database anything for a while. Gives when it last did, from now on. */
async function waitUntilQuiet(owner: Kysely<DB>): Promise<number> {
  const started = performance.now()
  let busyAt = started
  for (let quiet = 0; quiet < 10; quiet++) {
    await new Promise((resolve) => setTimeout(resolve, 50))
    const { rows } = await sql<{ busy: boolean }>`
      select exists (select from pg_stat_activity where application_name = 'belay_app' and state <> 'idle') as busy`.execute(
      owner,
    )
    if (!rows[0]?.busy) continue
    quiet = -1
    busyAt = performance.now()
  }
  return busyAt - started
}

interface Asking {
  /** How long that took after the start, milliseconds. */
  readonly prepared: number
  readonly ask: (page: string) => Promise<Response>
  /** How many queries there were since the last time. */
  readonly takeQueries: () => number
}

async function measure(owner: Kysely<DB>, { prepared, ask, takeQueries }: Asking): Promise<void> {
  const floor: number[] = []
  for (let round = 0; round < rounds * 5; round++) floor.push(await timed(() => sql`select 1`.execute(owner)))
  const results: {
    page: string
    queries: number
    rowsRead: number | null
    raw: number | null
    /** Of what is standing: it may not have fitted into the time that there was. */
    wasReady: boolean
    first: number
    p50: number
    p95: number
  }[] = []
  for (const page of PAGES) {
    const load = async () => {
      const response = await ask(page)
      const body = await response.text()
      if (response.status !== 200) throw new Error(`${page} answers ${response.status}: ${body.slice(0, 300)}`)
    }
    takeQueries()
    const before = await readRows(owner)
    const first = await timed(load)
    const queries = takeQueries()
    const after = await readRows(owner)
    const times: number[] = []
    takeQueries()
    for (let round = 0; round < rounds; round++) times.push(await timed(load))
    // Of a kept answer no more is asked the first time than later.
    const wasReady = PREPARED.includes(page) && queries <= Math.ceil(takeQueries() / rounds)
    const [p50, p95] = [quantile(times, 0.5), quantile(times, 0.95)]
    // Postgres' counters start anew now and then, and what a page read is not known then.
    const rowsRead = after.all >= before.all ? after.all - before.all : null
    const raw = after.raw >= before.raw ? after.raw - before.raw : null
    results.push({ page, queries, rowsRead, raw, wasReady, first, p50, p95 })
    console.log(
      `${page.padEnd(42)} ${String(queries).padStart(4)} queries ${(rowsRead?.toLocaleString("en") ?? "unknown").padStart(11)} rows read, ${raw?.toLocaleString("en") ?? "unknown"} of signals   first ${first.toFixed(0).padStart(5)} ms${wasReady ? " (prepared)" : "           "}   p50 ${p50.toFixed(0).padStart(5)} ms   p95 ${p95.toFixed(0).padStart(5)} ms${p95 > BUDGET_MS ? "   over the budget" : ""}`,
    )
  }
  const select1 = quantile(floor, 0.5)
  console.log(`SELECT 1${" ".repeat(35)}p50 ${select1.toFixed(2)} ms, p95 ${quantile(floor, 0.95).toFixed(2)} ms`)
  const slowestFirst = (isPrepared: boolean) =>
    Math.max(...results.flatMap(({ wasReady, first }) => (wasReady === isPrepared ? [first] : [])))
  const slowest = results.toSorted((a, b) => b.p95 - a.p95)[0]
  const report = {
    bench: "pages",
    ratios: {
      slowest_p95_vs_budget: round((slowest?.p95 ?? NaN) / BUDGET_MS),
      slowest_prepared_first_vs_budget: round(slowestFirst(true) / BUDGET_MS),
      slowest_never_asked_vs_budget: round(slowestFirst(false) / BUDGET_MS),
      slowest_p50_vs_select_1: round((slowest?.p50 ?? NaN) / select1),
    },
    figures: {
      signals: total,
      people: PEOPLE,
      days: DAYS,
      prepared_ms: round(prepared),
      over_budget: results.filter(({ p95 }) => p95 > BUDGET_MS).map(({ page }) => page),
      pages: Object.fromEntries(
        results.map(({ page, first, p50, p95, ...of }) => [
          page,
          { ...of, first_ms: round(first), p50_ms: round(p50), p95_ms: round(p95) },
        ]),
      ),
      load_after: round(loadavg()[0] ?? NaN),
    },
    run: { quick: flags.quick, rounds },
  }
  console.log(`\n${JSON.stringify(report)}`)
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN
}

/** Rows that were read of all tables so far, and of those the ones of raw signals. */
async function readRows(owner: Kysely<DB>): Promise<{ readonly all: number; readonly raw: number }> {
  // What a connection has read is told of at the latest when it has been idle for a while.
  await new Promise((resolve) => setTimeout(resolve, 1500))
  const { rows } = await sql<{ all: number; raw: number }>`
    select sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::float8 as all,
      coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) filter (where relname ~ '^signal_(p?[0-9]|default)'), 0)::float8 as raw
    from pg_stat_user_tables`.execute(owner)
  return rows[0] ?? { all: NaN, raw: NaN }
}

async function fillAll(owner: Kysely<DB>, worker: Kysely<DB>, app: Kysely<DB>): Promise<{ orgId: string }> {
  console.log(
    `Pages: ${total.toLocaleString("en")} signals of ${PEOPLE.toLocaleString("en")} people over ${DAYS} days, for 100 million; node ${process.version}, ${availableParallelism()} cores, load before ${loadavg()[0]?.toFixed(2)}.`,
  )
  await maintainPartitions(worker, { now, retentionDays: DAYS })
  await sql`select belay_make_signal_partitions(${dayOf(now, -DAYS)}::text::date, ${dayOf(now, 1)}::text::date)`.execute(
    worker,
  )
  await maintainRollups(worker, { now, retentionDays: DAYS })
  const { orgId } = await ensureOrganization(owner, {
    name: "Bench",
    isDemo: false,
    adminEmail: "owner@example.com",
    adminPassword: "correct horse battery",
    ingestKey: "blk_bench_key_0123456789abcdefgh",
  })
  await populate(owner, orgId)
  const filled = await timed(async () => {
    for (let ago = DAYS - 1; ago >= 0; ago--) await fill(owner, { orgId, ago })
  })
  await sql`analyze signal`.execute(owner)
  const rebuilt = await timed(() => rebuildNext(worker, now))
  await fillChanges(owner, orgId)
  await asTenant(app, orgId, (tx) => placeJoinedOperations(tx, { now }))
  await sql`vacuum analyze`.execute(owner)
  console.log(`filled in ${(filled / 1000).toFixed(0)} s, counted in ${(rebuilt / 1000).toFixed(0)} s`)
  const tables = await sql<{ name: string; rows: number }>`
    select c.relname as name, c.reltuples::float8 as rows from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'r' and n.nspname = 'public' and c.reltuples > 10000 and c.relname !~ '^signal_(p?[0-9]|occurrence)'
    order by 2 desc`.execute(owner)
  for (const { name, rows } of tables.rows)
    console.log(`  ${name.padEnd(26)} ${rows.toLocaleString("en").padStart(12)} rows`)
  console.log("")
  return { orgId }
}

async function populate(owner: Kysely<DB>, orgId: string): Promise<void> {
  const teams = Math.ceil(PEOPLE / PEOPLE_PER_TEAM)
  await sql`
    insert into team (org_id, name) select ${orgId}::uuid, 'team ' || n from generate_series(0, ${teams - 1}::int) n`.execute(
    owner,
  )
  await sql`
    insert into developer (id, org_id, pseudonym)
    select md5('person ' || n)::uuid, ${orgId}::uuid, 'person ' || n from generate_series(0, ${PEOPLE - 1}::int) n`.execute(
    owner,
  )
  await sql`
    insert into team_member (org_id, developer_id, team_id, valid_from)
    select ${orgId}::uuid, md5('person ' || n)::uuid, t.id, ${dayOf(now, -400)}::text::date
    from generate_series(0, ${PEOPLE - 1}::int) n join team t on t.name = 'team ' || n / ${PEOPLE_PER_TEAM}::int`.execute(
    owner,
  )
  for (const [kind, count] of Object.entries({ agent_tool: 5, model: 12, mode: 6, language: 8 })) {
    await sql`
      insert into dimension (org_id, kind, value)
      select ${orgId}::uuid, ${kind}::dimension_kind, ${kind}::text || ' ' || n from generate_series(0, ${count - 1}::int) n`.execute(
      owner,
    )
  }
}

/** A day's signals, made by the database: everyone has two models, modes and languages and a tool, and works at two rungs or more. */
async function fill(owner: Kysely<DB>, { orgId, ago }: { orgId: string; ago: number }): Promise<void> {
  const rows = Math.round(total / DAYS)
  const day = dayOf(now, -ago)
  // The day that runs is filled up to now.
  const span = ago === 0 ? `${Math.max(1, Math.floor((now.getTime() % 86_400_000) / 60_000))} minutes` : "1 day"
  await owner.transaction().execute(async (tx) => {
    await sql`set local belay.batch_id = '0'`.execute(tx)
    await sql`
      insert into signal (org_id, developer_id, observed_at, signal_id, kind, rung, operation_id, agent_tool_id, model_id,
        outcome, origin, latency_ms, duration_ms, input_tokens, output_tokens, cost_usd, mode_id, language_id)
      select ${orgId}::uuid, md5('person ' || person)::uuid,
        ${day}::text::timestamptz + n * (${span}::text::interval / ${rows}::int),
        md5(${day}::text || ' ' || n)::uuid,
        (case when is_suggestion then 'suggestion' when n % 10 = 7 then 'task' when n % 10 = 8 then 'tool_call' else 'model_call' end)::signal_kind,
        (case when is_suggestion then 'autocomplete' when n / 10 % 4 = 0 then 'orchestration' when n / 10 % 2 = 0 then 'chat' else 'agent' end)::rung,
        case when is_suggestion then 's ' || ${day}::text || ' ' || n else 'o ' || ${day}::text || ' ' || n / 10 end,
        tool.id, model.id,
        (case when is_suggestion then (array['accepted', 'rejected', 'ignored'])[1 + n % 3] end)::outcome,
        (case when is_suggestion then 'human' end)::origin,
        exp(5 + 1.2 * (random() + random() + random() - 1.5)), exp(8 + random()), 1000 + n % 500, 50 + n % 50,
        case when n % 10 in (6, 9) then 0.01 end,
        case when is_suggestion then null else mode.id end, language.id
      from (
        select n, n % 10 < 6 as is_suggestion, case when n % 10 < 6 then n * 7 + n / 10 else n / 10 * 13 end % ${PEOPLE}::int as person
        from generate_series(0, ${rows - 1}::int) n
      ) made
      join (select id, row_number() over (order by id) - 1 as nth from dimension where kind = 'agent_tool') tool
        on tool.nth = person % 5
      join (select id, row_number() over (order by id) - 1 as nth from dimension where kind = 'model') model
        on model.nth = (person % 6) * 2 + (n / 10 % 7 = 0)::int
      join (select id, row_number() over (order by id) - 1 as nth from dimension where kind = 'mode') mode
        on mode.nth = (person % 5 + (n / 10 % 5 = 0)::int) % 6
      join (select id, row_number() over (order by id) - 1 as nth from dimension where kind = 'language') language
        on language.nth = (person % 7 + (n / 10 % 3 = 0)::int) % 8`.execute(tx)
  })
}

/** A fifth of the work at the upper rungs went into a change each, most of which were reviewed and merged. */
async function fillChanges(owner: Kysely<DB>, orgId: string): Promise<void> {
  await owner.transaction().execute(async (tx) => {
    await sql`
      create temporary table chosen on commit drop as
      select row_number() over (order by operation_id)::int as n, operation_id, rung, last_at as at from operation
      where rung in ('agent', 'orchestration') and abs(hashtext(operation_id)) % 5 = 0`.execute(tx)
    await sql`
      insert into change_request (org_id, provider, repository, number, branch, commit_ids, opened_at, first_review_at,
        approved_at, reviews, rounds, checked_at, failed_checks, closed_at, merged_at, lines_added, lines_removed,
        files_changed, file_kinds, updated_at)
      select ${orgId}::uuid, 'github', 'repository ' || n % 200, n, '', '{}', at, reviewed, reviewed,
        (n % 5 > 0)::int, n % 3, at, 0, merged, merged, n % 700, n % 90, 3, '{"source": 3}', at
      from (
        select *, case when n % 5 > 0 then at + interval '3 hours' end as reviewed,
          case when n % 9 > 0 then at + interval '5 hours' end as merged
        from chosen
      ) made`.execute(tx)
    await sql`
      insert into change_operation (org_id, provider, repository, number, operation_id, evidence, rung, joined_at)
      select ${orgId}::uuid, 'github', 'repository ' || n % 200, n, operation_id, 'trailer', rung, at from chosen`.execute(
      tx,
    )
  })
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await work()
  return performance.now() - started
}
