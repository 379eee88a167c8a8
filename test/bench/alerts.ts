import { randomUUID } from "node:crypto"
import { mkdtemp, rm } from "node:fs/promises"
import { availableParallelism, loadavg, tmpdir } from "node:os"
import path from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { parseArgs } from "node:util"
import { sql } from "kysely"
import { setChannel } from "#server/alert/commands.ts"
import { evaluateRules } from "#server/alert/evaluate.ts"
import { startAlerts } from "#server/alert/loop.ts"
import { type OpenedDatabase, openDatabase } from "#server/db/client.ts"
import { startEmbeddedPostgres } from "#server/db/embedded.ts"
import { migrate } from "#server/db/migrate.ts"
import { asTenant } from "#server/db/tenant.ts"
import { maintainPartitions } from "#server/ingest/partitions.ts"
import { openSignalStore } from "#server/ingest/signal-store.ts"
import { openQueue } from "#server/jobs/queue.ts"
import { countAll, startRollups } from "#server/rollup/loop.ts"
import { maintainRollups } from "#server/rollup/retention.ts"
import { DEFAULT_OBJECTIVES } from "#server/slo/objectives.ts"
import { createOrganization } from "#server/team/bootstrap.ts"
import { makeSignal } from "../factories.ts"
import { startReceiver } from "../receiver.ts"

/**
 * `npm run bench:alerts`: how long it takes to evaluate 10,000 latency objectives of one organization, and from the commit
 * of the signals that cross the line until the notification is received, while 1,000 signals a second come in.
 */
const { values: flags } = parseArgs({ options: { quick: { type: "boolean", default: false } } })
const OBJECTIVES = 10_000
const EVALUATION_INTERVAL_MS = 5000
const [TOOLS, MODELS] = [10, 60]
const rounds = flags.quick ? 3 : 7
const crossings = flags.quick ? 10 : 30
const now = () => new Date()
const log = (message: string, error: unknown) => console.error(message, error)
const SECRET = "a secret of all processes in a benchmark"

const dataDir = await mkdtemp(path.join(tmpdir(), "belay-bench-"))
const postgres = await startEmbeddedPostgres({ dataDir })
const opened: OpenedDatabase[] = []
try {
  await migrate(postgres.url)
  const open = (role: string | null, max: number) => {
    const database = openDatabase({ url: postgres.url, max, applicationName: "bench", ...(role !== null && { role }) })
    opened.push(database)
    return database.kysely
  }
  const roles = {
    owner: open(null, 2),
    app: open("belay_app", 4),
    ingest: open("belay_ingest", 4),
    worker: open("belay_worker", 4),
  }
  await maintainPartitions(roles.worker, { now: now(), retentionDays: 30 })
  await maintainRollups(roles.worker, { now: now(), retentionDays: 30 })
  console.log(
    `Alerts: ${OBJECTIVES.toLocaleString("en")} objectives; node ${process.version}, ${availableParallelism()} cores, load before ${loadavg()[0]?.toFixed(2)}.`,
  )
  const evaluated = await timeEvaluation(roles)
  const notified = await timeNotification(roles)
  const percentile = (values: readonly number[], share: number) =>
    values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(share * values.length))] ?? Number.NaN
  const figures = {
    evaluation_ms_p50: Math.round(percentile(evaluated, 0.5)),
    evaluation_ms_max: Math.round(Math.max(...evaluated)),
    notification_s_p50: Number((percentile(notified, 0.5) / 1000).toFixed(2)),
    notification_s_p95: Number((percentile(notified, 0.95) / 1000).toFixed(2)),
    notifications: notified.length,
  }
  console.table(figures)
  const ratios = { evaluation_vs_interval: figures.evaluation_ms_max / EVALUATION_INTERVAL_MS }
  console.log(JSON.stringify({ bench: "alerts", ratios, figures }))
} finally {
  await Promise.all(opened.map((one) => one.close()))
  await postgres.stop()
  await rm(dataDir, { recursive: true, force: true })
}

type Roles = Record<"owner" | "app" | "ingest" | "worker", OpenedDatabase["kysely"]>

/** An organization whose rollups are filled as two hours of minutes and three days of hours of 600 scopes are. */
async function timeEvaluation({ owner, app }: Roles): Promise<number[]> {
  const orgId = await createOrganization(owner, { name: "Many rules", isDemo: false })
  await sql`
    insert into dimension (org_id, kind, value)
    select ${orgId}::uuid, 'agent_tool'::dimension_kind, 'tool' || n from generate_series(1, ${TOOLS}::int) n
    union all select ${orgId}::uuid, 'model'::dimension_kind, 'model' || n from generate_series(1, ${MODELS}::int) n`.execute(
    owner,
  )
  await sql`
    insert into latency_objective (org_id, id, rung, agent_tool, model, threshold_ms, target, window_days, requests_min,
      is_enabled, changed_at)
    select ${orgId}::uuid, gen_random_uuid(), 'chat'::rung, 'tool' || (1 + n % ${TOOLS}::int), 'model' || (1 + n / ${TOOLS}::int % ${MODELS}::int),
      1000 + n, 0.95, 30, 30, true, now()
    from generate_series(1, ${OBJECTIVES}::int) n`.execute(owner)
  const places = sql`
    (select id as tool from dimension where org_id = ${orgId}::uuid and kind = 'agent_tool') t
    cross join (select id as model from dimension where org_id = ${orgId}::uuid and kind = 'model') m`
  const histogram = sql`array[60, 65, 68, 70, 73, 75, 78, 80]::smallint[], array[1, 3, 6, 9, 8, 5, 2, 1]::integer[]`
  await sql`
    insert into signal_minute (org_id, minute, kind, rung, agent_tool_id, model_id, signals, errors, latency_buckets, latency_counts)
    select ${orgId}::uuid, date_trunc('minute', now()) - n * interval '1 minute', 'turn'::signal_kind, 'chat'::rung, tool, model, 35, 0, ${histogram}
    from generate_series(0, 125) n cross join ${places}`.execute(owner)
  await sql`
    insert into signal_hour
    select ${orgId}::uuid, date_trunc('hour', now()) - n * interval '1 hour', 'turn'::signal_kind, 'chat'::rung, tool, model, 35, 0, 0, 0, 0, 0, 0, 0,
      0, 0, 0, 0, 0, 0, 0, ${histogram}
    from generate_series(0, 73) n cross join ${places}`.execute(owner)
  await sql`
    with person as (
      insert into developer (org_id, pseudonym) select ${orgId}::uuid, 'p' || n from generate_series(1, 1000) n returning id
    )
    insert into developer_usage_day
    select ${orgId}::uuid, now()::date, p.id, 'chat'::rung, tool, model, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
    from person p cross join lateral (select * from ${places} where p.id is not null order by random() limit 20) used`.execute(
    owner,
  )
  await sql`analyze`.execute(owner)
  const times: number[] = []
  for (let round = 0; round < rounds; round++) {
    const startedAt = performance.now()
    const done = await evaluateRules(app, { orgId, at: now(), isWhole: true })
    times.push(performance.now() - startedAt)
    if (done === null || done.findings < OBJECTIVES) throw new Error("not everything was evaluated")
  }
  console.log(`evaluated in ${times.map((ms) => `${Math.round(ms)} ms`).join(", ")}`)
  return times
}

/** Each crossing is of an objective of its own: a model that answers slowly from its first request on. */
async function timeNotification({ owner, app, ingest, worker }: Roles): Promise<number[]> {
  const orgId = await createOrganization(owner, { name: "Quick", isDemo: false })
  const chat = DEFAULT_OBJECTIVES.find(({ rung }) => rung === "chat")
  if (chat === undefined) throw new Error("there is a default for chat")
  await sql`
    insert into latency_objective (org_id, id, rung, model, threshold_ms, target, window_days, requests_min, is_enabled, changed_at)
    select ${orgId}::uuid, gen_random_uuid(), 'chat'::rung, 'slow-' || n, 2000, 0.95, 30, 30, true, now()
    from generate_series(1, ${crossings}::int) n
    -- The one of the whole rung would speak for all of them.
    union all select ${orgId}::uuid, ${chat.id}::uuid, 'chat'::rung, null, 2000, 0.95, 30, 30, false, now()`.execute(
    owner,
  )
  const store = openSignalStore({ url: postgres.url, db: ingest, now })
  const notifiedAt = new Map<string, number>()
  const receiver = await startReceiver(({ body }) => {
    const model = /"model":"(slow-\d+)"/.exec(body)?.[1]
    if (model !== undefined && !notifiedAt.has(model)) notifiedAt.set(model, performance.now())
  })
  const by = { orgId, actorId: null, actorEmail: null, occurredAt: now(), requestId: randomUUID() }
  const settings = { url: receiver.url, secret: "a secret of a webhook" }
  const channel = {
    id: null,
    kind: "webhook" as const,
    name: "Bench",
    settings,
    isPrivateAllowed: true,
    isEnabled: true,
  }
  await asTenant(app, orgId, (tx) => setChannel(tx, { channel, secret: SECRET, by }))
  await countAll(worker, now())
  const rollups = startRollups({ db: worker, now, log })
  const queue = await openQueue({ url: postgres.url, log })
  const publicUrl = () => "http://127.0.0.1"
  const alerts = await startAlerts({ worker, app, queue, secret: SECRET, mailer: null, publicUrl, now, log })
  const done = new AbortController()
  const traffic = (async () => {
    while (!done.signal.aborted) {
      const signals = Array.from({ length: 500 }, (_, index) =>
        makeSignal({ at: now(), person: `p${index % 100}`, model: "fast", latencyMs: 300 }),
      )
      await Promise.all([store.store(orgId, { signals, unrecognized: [] }), sleep(500)])
    }
  })()
  const committedAt = new Map<string, number>()
  try {
    for (let crossing = 1; crossing <= crossings; crossing++) {
      await sleep(1000 + Math.random() * 1000)
      const model = `slow-${crossing}`
      const signals = Array.from({ length: 40 }, (_, index) =>
        makeSignal({ at: now(), person: `p${index % 10}`, model, latencyMs: 9000 }),
      )
      await store.store(orgId, { signals, unrecognized: [] })
      committedAt.set(model, performance.now())
    }
    for (let waited = 0; notifiedAt.size < crossings && waited < 60; waited++) await sleep(1000)
  } finally {
    done.abort()
    await traffic
    await alerts.stop()
    await queue.stop()
    await rollups.stop()
    await store.close()
    await receiver.close()
  }
  if (notifiedAt.size < crossings) throw new Error(`only ${notifiedAt.size} of ${crossings} were told of`)
  return [...notifiedAt].map(([model, at]) => at - (committedAt.get(model) ?? at))
}
