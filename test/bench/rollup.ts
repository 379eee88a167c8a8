import { mkdtemp, rm } from "node:fs/promises"
import { availableParallelism, loadavg, tmpdir } from "node:os"
import path from "node:path"
import { parseArgs } from "node:util"
import { type Kysely, sql } from "kysely"
import { openDatabase } from "#server/db/client.ts"
import { startEmbeddedPostgres } from "#server/db/embedded.ts"
import { migrate } from "#server/db/migrate.ts"
import { asTenant } from "#server/db/tenant.ts"
import type { DB } from "#server/db/types.ts"
import { dayOf, maintainPartitions } from "#server/ingest/partitions.ts"
import { rebuildNext } from "#server/rollup/rebuild.ts"
import { listHourLatency } from "#server/rollup/queries.ts"
import { maintainRollups } from "#server/rollup/retention.ts"
import { countNext } from "#server/rollup/step.ts"
import { createOrganization } from "#server/team/bootstrap.ts"

/**
 * `npm run bench:rollup`: what counting costs beside storing, and what reading the rollups takes beside asking the signals.
 *
 * Fills 30 days with signals by SQL (1,000 people in 50 teams, 12 models of which everyone uses two, 5 tools, four rungs; of ten signals six are suggestions and
 * four belong to operations of ten), rebuilds the rollups from them, then stores and counts further batches of ten minutes.
 */
const { values: flags } = parseArgs({
  options: { quick: { type: "boolean", default: false }, signals: { type: "string" }, rounds: { type: "string" } },
})
const DAYS = 30
const total = Number(flags.signals ?? (flags.quick ? 600_000 : 20_000_000))
const rounds = Number(flags.rounds ?? 3)
const perDay = Math.round(total / DAYS)
const batchRows = Math.min(200_000, perDay)
const now = new Date()

const dataDir = await mkdtemp(path.join(tmpdir(), "belay-bench-"))
const postgres = await startEmbeddedPostgres({ dataDir, settings: { max_wal_size: "4GB" } })
try {
  await migrate(postgres.url)
  const open = (role: string | null) =>
    openDatabase({ url: postgres.url, max: 1, applicationName: "bench", ...(role !== null && { role }) })
  const [owner, worker, app] = [open(null), open("belay_worker"), open("belay_app")]
  try {
    await run(owner.kysely, worker.kysely, app.kysely)
  } finally {
    await Promise.all([owner, worker, app].map((handle) => handle.close()))
  }
} finally {
  await postgres.stop()
  await rm(dataDir, { recursive: true, force: true })
}

async function run(owner: Kysely<DB>, worker: Kysely<DB>, app: Kysely<DB>): Promise<void> {
  console.log(
    `Rollups: ${total.toLocaleString("en")} signals over ${DAYS} days; node ${process.version}, ${availableParallelism()} cores, load before ${loadavg()[0]?.toFixed(2)}.`,
  )
  await maintainPartitions(worker, { now, retentionDays: DAYS })
  await maintainRollups(worker, { now, retentionDays: DAYS })
  const orgId = await createOrganization(owner, { name: "Bench", isDemo: false })
  await sql`
    insert into developer (org_id, id, pseudonym)
    select ${orgId}::uuid, md5('person ' || n)::uuid, 'person ' || n from generate_series(0, 999) n`.execute(owner)
  await sql`
    with made as (
      insert into team (org_id, name) select ${orgId}::uuid, 'team ' || n from generate_series(0, 49) n returning id, name
    )
    insert into team_member (org_id, developer_id, team_id, valid_from)
    select ${orgId}::uuid, md5('person ' || n)::uuid, made.id, '2020-01-01'
    from generate_series(0, 999) n join made on made.name = 'team ' || n % 50`.execute(owner)
  const filled = await timed(async () => {
    for (let ago = DAYS; ago >= 1; ago--)
      await fill(owner, { orgId, day: dayOf(now, -ago), rows: perDay, first: ago * 1e8 })
  })
  await sql`analyze signal`.execute(owner)
  console.log(`filled in ${seconds(filled)}`)
  const rebuilt = await timed(() => rebuildNext(worker, now))
  await sql`analyze`.execute(owner)
  console.log(`rebuilt in ${seconds(rebuilt)}: ${((rebuilt / total) * 1000).toFixed(2)} us a signal\n`)

  const range = { from: new Date(dayOf(now, -DAYS)), to: now }
  const results: Record<string, number[]> = { store: [], count: [], rollup: [], raw: [] }
  let answers: [number, number] = [0, 0]
  for (let round = 0; round < rounds; round++) {
    const batchId = Date.now() * 1000
    results["store"]?.push(
      await timed(() =>
        fill(owner, {
          orgId,
          day: dayOf(now, -1),
          rows: batchRows,
          first: 9e9 + round * batchRows,
          batchId,
          span: "10 minutes",
        }),
      ),
    )
    results["count"]?.push(await timed(() => countNext(worker, now)))
    await sql`select belay_summarize_signal_batches(array[${dayOf(now, -1)}::date])`.execute(worker)
    const kinds = ["suggestion", "turn", "model_call"] as const
    results["rollup"]?.push(
      await timed(async () => {
        answers[0] = (await asTenant(app, orgId, (tx) => listHourLatency(tx, { ...range, kinds }))).length
      }),
    )
    // It takes half a minute, and is the same each time.
    if (round > 0 && !flags.quick) continue
    results["raw"]?.push(
      await timed(async () => {
        const exact = await asTenant(app, orgId, (tx) =>
          sql`
            select date_trunc('hour', observed_at) as hour, rung,
              percentile_cont(array[0.5, 0.95, 0.99]) within group (order by latency_ms)
            from signal where observed_at >= ${range.from} and observed_at < ${range.to} and kind in ('suggestion', 'turn', 'model_call')
            group by 1, 2`.execute(tx),
        )
        answers[1] = exact.rows.length
      }),
    )
  }
  if (answers[0] !== answers[1]) throw new Error(`the rollups answer ${answers[0]} hours, the signals ${answers[1]}`)

  const middle = (name: string) =>
    (results[name] ?? []).toSorted((a, b) => a - b)[(results[name]?.length ?? 0) >> 1] ?? NaN
  const us = (name: string) => (middle(name) / batchRows) * 1000
  const sizes = await sql<{ name: string; bytes: number }>`
    select name, sum(bytes)::float8 as bytes from belay_table_sizes() group by name order by 2 desc`.execute(owner)
  console.log(`store ${batchRows} signals      ${us("store").toFixed(2)} us a signal (SQL, made in the database)`)
  console.log(`count them               ${us("count").toFixed(2)} us a signal`)
  console.log(`p50/p95/p99 of every hour and rung over ${DAYS} days (${answers[0]} rows):`)
  console.log(`  from the rollups       ${middle("rollup").toFixed(1)} ms`)
  console.log(`  from the signals       ${middle("raw").toFixed(0)} ms, exact`)
  for (const { name, bytes } of sizes.rows) {
    console.log(
      `  ${name.padEnd(22)} ${(bytes / 1e6).toFixed(1).padStart(9)} MB  ${(bytes / total).toFixed(2)} bytes a signal`,
    )
  }
  const round = (value: number, digits: number) => Number(value.toFixed(digits))
  const report = {
    bench: "rollup",
    ratios: {
      raw_vs_rollup_query: round(middle("raw") / middle("rollup"), 1),
      count_vs_store: round(middle("count") / middle("store"), 2),
    },
    figures: {
      signals: total,
      rollup_query_ms: round(middle("rollup"), 1),
      raw_query_ms: round(middle("raw"), 0),
      count_us_per_signal: round(us("count"), 2),
      rebuild_us_per_signal: round((rebuilt / total) * 1000, 2),
      load_after: round(loadavg()[0] ?? NaN, 2),
    },
    run: { quick: flags.quick, rounds, batchRows },
  }
  console.log(`\n${JSON.stringify(report)}`)
}

/** Signals spread over a day, made by the database itself. */
async function fill(
  owner: Kysely<DB>,
  args: { orgId: string; day: string; rows: number; first: number; batchId?: number; span?: string },
): Promise<void> {
  const { orgId, day, rows, first, batchId, span = "1 day" } = args
  await owner.transaction().execute(async (tx) => {
    await sql`set local belay.batch_id = ${sql.lit(String(batchId ?? 0))}`.execute(tx)
    await sql`
      insert into signal (org_id, developer_id, observed_at, signal_id, kind, rung, operation_id, agent_tool_id, model_id,
        outcome, origin, latency_ms, duration_ms, input_tokens, output_tokens)
      select ${orgId}::uuid, md5('person ' || person)::uuid, ${day}::text::timestamptz + n * (${span}::text::interval / ${rows}::int),
        md5((${first}::float8 + n)::text)::uuid,
        (case when is_suggestion then 'suggestion' when n % 10 = 7 then 'turn' when n % 10 = 8 then 'tool_call' else 'model_call' end)::signal_kind,
        (case when is_suggestion then 'autocomplete' when n / 10 % 4 = 0 then 'orchestration' when n / 10 % 2 = 0 then 'chat' else 'agent' end)::rung,
        case when is_suggestion then 's' || (${first}::float8 + n) else 'o' || (${first}::float8 + n / 25) end,
        1 + person % 5, 10 + (person % 6) * 2 + (n / 10 % 7 = 0)::int,
        (case when is_suggestion then (array['accepted', 'rejected', 'ignored'])[1 + n % 3] end)::outcome,
        (case when is_suggestion then 'human' end)::origin,
        exp(5 + 1.2 * (random() + random() + random() - 1.5)), exp(8 + random()), 1000 + n % 500, 50 + n % 50
      from (
        select n, n % 10 < 6 as is_suggestion, case when n % 10 < 6 then n % 1000 else n / 25 % 1000 end as person
        from generate_series(0, ${rows - 1}::int) n
      ) made`.execute(tx)
    if (batchId === undefined) return
    await sql`
      insert into signal_batch (org_id, batch_id, rows, days)
      values (${orgId}::uuid, ${batchId}, ${rows}, array[${day}::text::date])`.execute(tx)
  })
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await work()
  return performance.now() - started
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
