import { randomUUID } from "node:crypto"
import { mkdir, readFile, writeFile } from "node:fs/promises"
import path from "node:path"
import { startAlerts } from "./alert/loop.ts"
import { startAuditExport, toLogsUrl } from "./audit/export.ts"
import { type Config, readIdentityProvider, readSelfOtlp } from "./config.ts"
import { openDatabase } from "./db/client.ts"
import { startConfiguredPostgres } from "./db/configured.ts"
import { migrate } from "./db/migrate.ts"
import { DEMO_OWNER } from "./demo/accounts.ts"
import { DEMO_ORGANIZATION, loadDemo, startTrickle } from "./demo/demo.ts"
import { startDetection } from "./detect/loop.ts"
import { forgetMinutes, startMeterLog } from "./ingest/meter-log.ts"
import { createMeter } from "./ingest/meter.ts"
import { maintainPartitions } from "./ingest/partitions.ts"
import { openSignalStore } from "./ingest/signal-store.ts"
import { startDigests } from "./digest/loop.ts"
import { openQueue } from "./jobs/queue.ts"
import { loadPages } from "./pages.ts"
import { startOutcomes } from "./outcomes/settle.ts"
import { createMailer } from "./mail/mailer.ts"
import { countAll, startRollups } from "./rollup/loop.ts"
import { isAllCounted, maintainRollups } from "./rollup/retention.ts"
import { startSelfTelemetry } from "./self-telemetry.ts"
import { startBudgets } from "./spend/loop.ts"
import { serve } from "./serve.ts"
import { readAuthSecret } from "./sign-in/auth.ts"
import { forgetSignIns } from "./sign-in/sessions.ts"
import { forgetAttempts } from "./team/rate-limit.ts"
import { ensureOrganization, type FirstStart } from "./team/bootstrap.ts"

export interface Belay {
  /** Takes no new requests, finishes those in hand, and stops the embedded database. */
  stop(): Promise<void>
}

const UPKEEP_MS = 60 * 60 * 1000
const AUDIT_EXPORT_EVERY_MS = 2000
const METER_LOG_EVERY_MS = 5000

/** Starts everything: database, migrations, first organization, servers and background loops. */
export async function startBelay(config: Config, mode: { isDemo: boolean; isDev: boolean }): Promise<Belay> {
  const now = () => new Date()
  const tell = (line: string) => console.error(line)
  const log = (message: string, error: unknown) => console.error(`${message}:`, error)
  const dataDir = path.resolve(config.BELAY_DATA_DIR, mode.isDemo ? "demo" : ".")
  const closers: (() => Promise<unknown>)[] = []
  const stop = async () => {
    for (const close of closers.splice(0).toReversed()) await close()
  }

  try {
    const pages = loadPages(mode).then((loaded) => {
      if (loaded.close) closers.unshift(loaded.close)
      return loaded
    })
    // It is awaited once the servers start; until then a failure must not count as unhandled.
    pages.catch(() => {})

    const { url, stop: stopPostgres } = await startConfiguredPostgres({
      databaseUrl: config.DATABASE_URL,
      dataDir,
      log: tell,
    })
    closers.push(stopPostgres)
    await migrate(url)

    const open = (role: string | null, max: number) => {
      const opened = openDatabase({ url, max, applicationName: role ?? "belay", ...(role !== null && { role }) })
      closers.push(() => opened.close())
      return opened
    }
    const owner = open(null, 2)
    const app = open("belay_app", 10)
    const auth = open("belay_auth", 4)
    const ingest = open("belay_ingest", 6)
    const worker = open("belay_worker", 4)
    const meter = createMeter(now)
    const store = openSignalStore({ url, db: ingest.kysely, now, meter })
    closers.push(() => store.close())
    const selfTelemetry = startSelfTelemetry({
      meter,
      token: config.BELAY_METRICS_TOKEN ?? null,
      isBehindProxy: config.BELAY_URL !== undefined,
      otlp: readSelfOtlp(config),
      version: await readVersion(),
      tell,
    })
    closers.push(() => selfTelemetry.close())

    const maintain = async () => {
      const retention = { now: now(), retentionDays: config.BELAY_RETENTION_DAYS }
      // What no rollup has yet is not dropped: an older Belay kept signals longer and counted none.
      const mayDrop = await isAllCounted(worker.kysely)
      await maintainPartitions(worker.kysely, { ...retention, mayDrop })
      await maintainRollups(worker.kysely, retention)
      await forgetAttempts(worker.kysely, now())
      await forgetSignIns(worker.kysely, now())
      await forgetMinutes(worker.kysely, now())
    }
    await maintain()
    const isBackgroundOn = config.BELAY_BACKGROUND_WORK === "on"
    if (isBackgroundOn) {
      const upkeep = setInterval(() => {
        maintain().catch((error: unknown) => log("upkeep failed", error))
      }, UPKEEP_MS)
      closers.push(async () => clearInterval(upkeep))
    }

    const processId = randomUUID()
    closers.push(startMeterLog({ db: worker.kysely, meter, processId, now, log, everyMs: METER_LOG_EVERY_MS }))

    const auditEndpoint = config.BELAY_AUDIT_OTLP_ENDPOINT
    if (auditEndpoint !== undefined) {
      const headers = config.BELAY_AUDIT_OTLP_HEADERS ?? {}
      const url = toLogsUrl(auditEndpoint)
      closers.push(
        startAuditExport({ db: worker.kysely, url, headers, now, tell, log, everyMs: AUDIT_EXPORT_EVERY_MS }),
      )
    }

    const first = await ensureOrganization(owner.kysely, {
      name: mode.isDemo ? DEMO_ORGANIZATION : "My organization",
      isDemo: mode.isDemo,
      adminEmail: mode.isDemo ? DEMO_OWNER : config.BELAY_ADMIN_EMAIL,
      adminPassword: config.BELAY_ADMIN_PASSWORD,
      ingestKey: config.BELAY_INGEST_KEY,
    })
    const ingestKey = await rememberIngestKey(dataDir, first.ingestKey)
    if (mode.isDemo) {
      // Its history did not arrive just now, so it is not counted as if it had.
      const historyUrl = new URL(url)
      // Its many small commits need not be on disk one by one: what a crash loses is made again.
      historyUrl.searchParams.set("options", "-c synchronous_commit=off")
      const openStore = (clock: () => Date) => openSignalStore({ url: historyUrl.href, db: ingest.kysely, now: clock })
      await loadDemo({ orgId: first.orgId, owner: owner.kysely, openStore, now })
      // Its pages shall not be empty at first.
      await countAll(worker.kysely, now())
    }
    if (isBackgroundOn) {
      const rollups = startRollups({ db: worker.kysely, now, log })
      closers.push(() => rollups.stop())
      meter.watch({ rollupLagSeconds: () => rollups.lagSeconds() })
      const budgets = startBudgets({ worker: worker.kysely, app: app.kysely, now, log })
      closers.push(() => budgets.stop())
      const outcomes = startOutcomes({ worker: worker.kysely, app: app.kysely, store, now, log })
      closers.push(() => outcomes.stop())
    }

    const authSecret = await readAuthSecret(auth.kysely, config.BELAY_SECRET)
    const mailer =
      config.BELAY_SMTP_URL === undefined ? null : createMailer(config.BELAY_SMTP_URL, config.BELAY_MAIL_FROM)
    const served = await serve({
      app,
      auth,
      authSecret,
      identityProvider: readIdentityProvider(config),
      mailer,
      ingest,
      worker: worker.kysely,
      store,
      meter,
      selfTelemetry,
      pages,
      host: config.HOST,
      port: config.PORT,
      otlpPort: config.OTLP_PORT,
      grpcPort: config.OTLP_GRPC_PORT,
      publicUrl: config.BELAY_URL,
      ingestRequestsPerMinute: config.BELAY_INGEST_REQUESTS_PER_MINUTE,
      auditEndpoint: auditEndpoint ?? null,
      retentionDays: config.BELAY_RETENTION_DAYS,
      demoOrgId: mode.isDemo ? first.orgId : null,
      now,
      log,
      tell,
    })
    closers.push(() => served.close())
    if (isBackgroundOn) {
      // After the pages: what it has not seen yet, of weeks in the demo, keeps nobody waiting.
      const detection = startDetection({ db: worker.kysely, now, tell, log })
      closers.push(() => detection.stop())
      const queue = await openQueue({ url, log })
      closers.push(() => queue.stop())
      const alerts = await startAlerts({
        worker: worker.kysely,
        app: app.kysely,
        queue,
        secret: authSecret,
        mailer,
        publicUrl: () => served.url,
        now,
        log,
      })
      closers.push(() => alerts.stop())
      const digests = await startDigests({
        worker: worker.kysely,
        app: app.kysely,
        queue,
        secret: authSecret,
        mailer,
        publicUrl: () => served.url,
        now,
        log,
      })
      closers.push(() => digests.stop())
    }
    if (mode.isDemo) closers.push(startTrickle({ orgId: first.orgId, db: app.kysely, served, meter, now, log }))

    announce(config, mode, {
      url: served.url,
      otlpUrl: served.otlpUrl,
      grpcUrl: served.grpcUrl,
      ingestKey,
      databaseUrl: url,
      first,
    })
    return { stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function readVersion(): Promise<string> {
  const { version } = JSON.parse(await readFile(path.join(import.meta.dirname, "../package.json"), "utf8")) as {
    version: string
  }
  return version
}

/** The first key is kept beside the data, readable by its owner only, so that a restart can name it. */
async function rememberIngestKey(dataDir: string, created: string | null): Promise<string | null> {
  const file = path.join(dataDir, "ingest-key")
  if (created === null) {
    return readFile(file, "utf8").then(
      (text) => text.trim(),
      () => null,
    )
  }
  await mkdir(dataDir, { recursive: true })
  await writeFile(file, `${created}\n`, { mode: 0o600 })
  return created
}

function announce(
  config: Config,
  mode: { isDemo: boolean },
  started: {
    url: string
    otlpUrl: string
    grpcUrl: string | null
    ingestKey: string | null
    databaseUrl: string
    first: FirstStart
  },
): void {
  const { url, otlpUrl, grpcUrl, ingestKey, databaseUrl, first } = started
  const admin = { email: first.adminEmail, password: first.adminPassword ?? config.BELAY_ADMIN_PASSWORD ?? null }
  if (config.BELAY_READY === "json") {
    console.log(JSON.stringify({ ready: true, url, otlpUrl, grpcUrl, ingestKey, databaseUrl, admin }))
    return
  }
  console.log(`\nBelay is ready: ${url}`)
  if (mode.isDemo) {
    console.log("  The figures are invented. Press Ctrl+C to stop.")
    return
  }
  console.log(`  OTLP/HTTP    ${otlpUrl}`)
  if (grpcUrl !== null) console.log(`  OTLP/gRPC    ${grpcUrl}`)
  console.log(`  Ingest key   ${ingestKey ?? `make one on ${url}/connect`}`)
  if (first.adminPassword !== null) {
    console.log(`  Sign in as   ${admin.email}`)
    console.log(`  Password     ${first.adminPassword}   (shown this once)`)
  }
}
