import { mkdir, readFile, writeFile } from "node:fs/promises"
import type { Server } from "node:http"
import path from "node:path"
import type { Config } from "./config.ts"
import type { AppContext } from "./context.ts"
import { openDatabase } from "./db/client.ts"
import { startEmbeddedPostgres } from "./db/embedded.ts"
import { migrate } from "./db/migrate.ts"
import { DEMO_ORGANIZATION, startDemo } from "./demo/demo.ts"
import { createAppServer, createOtlpServer, listen } from "./http.ts"
import { openArrivals } from "./ingest/arrivals.ts"
import { createOtlpReceiver } from "./ingest/http.ts"
import { createInterner } from "./ingest/intern.ts"
import { maintainPartitions } from "./ingest/partitions.ts"
import { type Batch, storeBatch } from "./ingest/store.ts"
import { loadPages } from "./pages.ts"
import { ensureOrganization, type FirstStart } from "./team/bootstrap.ts"
import { createKeyAuthenticator } from "./team/ingest-keys.ts"

export interface Belay {
  readonly url: string
  readonly otlpUrl: string
  /** Stops taking requests, finishes those in hand, and stops the embedded database. */
  stop(): Promise<void>
}

const PARTITION_UPKEEP_MS = 60 * 60 * 1000
/** Requests in hand get this long to finish at a stop. */
const STOP_GRACE_MS = 10_000

/** Starts everything: database, migrations, first organization, servers and background loops. */
export async function startBelay(config: Config, mode: { isDemo: boolean; isDev: boolean }): Promise<Belay> {
  const now = () => new Date()
  const log = (message: string, error: unknown) => console.error(`${message}:`, error)
  const dataDir = path.resolve(mode.isDemo ? path.join(config.BELAY_DATA_DIR, "demo") : config.BELAY_DATA_DIR)
  const closers: (() => Promise<unknown>)[] = []
  const stop = async () => {
    for (const close of closers.splice(0).toReversed()) await close()
  }

  try {
    const pagesReady = loadPages(mode)
    // Whoever fails first is reported; this one must not be an unhandled rejection meanwhile.
    pagesReady.catch(() => {})

    let databaseUrl = config.DATABASE_URL
    if (databaseUrl === undefined) {
      const embedded = await startEmbeddedPostgres({ dataDir })
      closers.push(() => embedded.stop())
      databaseUrl = embedded.url
    }
    await migrate(databaseUrl)

    const open = (role: string | undefined, max: number) => {
      const opened = openDatabase({ url: databaseUrl, ...(role && { role }), max, applicationName: role ?? "belay" })
      closers.push(() => opened.close())
      return opened
    }
    const owner = open(undefined, 2)
    const app = open("belay_app", 10)
    const ingest = open("belay_ingest", 6)
    const worker = open("belay_worker", 2)

    const maintain = () => maintainPartitions(worker.kysely, { now: now(), retentionDays: config.BELAY_RETENTION_DAYS })
    await maintain()
    const upkeep = setInterval(
      () => maintain().catch((error) => log("partition upkeep failed", error)),
      PARTITION_UPKEEP_MS,
    )
    closers.push(async () => clearInterval(upkeep))

    const first = await ensureOrganization(owner.kysely, {
      name: mode.isDemo ? DEMO_ORGANIZATION : "My organization",
      isDemo: mode.isDemo,
      adminEmail: config.BELAY_ADMIN_EMAIL,
      adminPassword: config.BELAY_ADMIN_PASSWORD,
      ingestKey: config.BELAY_INGEST_KEY,
    })
    const ingestKey = await rememberIngestKey(dataDir, first.ingestKey)

    const arrivals = await openArrivals(app.sql, { now, log })
    closers.push(() => arrivals.close())
    const interner = createInterner(ingest.kysely)
    const store = (orgId: string, batch: Batch) => storeBatch(ingest.kysely, interner, orgId, batch)
    const receiver = createOtlpReceiver({
      authenticate: createKeyAuthenticator(ingest.kysely, now),
      store,
      onStored: (orgId, signals) => arrivals.announce(orgId, signals),
      now,
      log,
    })

    if (mode.isDemo) {
      const demo = await startDemo({ orgId: first.orgId, owner: owner.kysely, store, arrivals, now, log })
      closers.push(() => demo.stop())
    }

    const otlpServer = createOtlpServer(receiver)
    const otlpUrl = `http://${config.HOST}:${await listen(otlpServer, config.OTLP_PORT, config.HOST)}`
    closers.push(() => closeServer(otlpServer))

    const pages = await pagesReady
    if (pages.close) closers.push(pages.close)
    // The pages need to know where they are served, which for port 0 is known once the port is bound.
    const context: AppContext = {
      db: app.kysely,
      now,
      otlpUrl,
      get publicUrl() {
        return url
      },
      demoOrgId: mode.isDemo ? first.orgId : null,
    }
    const appServer = createAppServer({ context, receiver, arrivals, pages })
    const bound = await listen(appServer, config.PORT, config.HOST)
    const url = config.BELAY_URL ?? `http://${config.HOST}:${bound}`
    closers.push(() => closeServer(appServer))

    announce(config, mode, { url, otlpUrl, ingestKey, databaseUrl, first, dataDir })
    return { url, otlpUrl, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** The first key is kept beside the embedded database, readable by its owner only, so that a restart can name it. */
async function rememberIngestKey(dataDir: string, created: string | null): Promise<string | null> {
  const file = path.join(dataDir, "ingest-key")
  if (created === null)
    return readFile(file, "utf8").then(
      (text) => text.trim(),
      () => null,
    )
  await mkdir(dataDir, { recursive: true })
  await writeFile(file, `${created}\n`, { mode: 0o600 })
  return created
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const deadline = setTimeout(() => server.closeAllConnections(), STOP_GRACE_MS)
    server.close(() => {
      clearTimeout(deadline)
      resolve()
    })
    server.closeIdleConnections()
  })
}

function announce(
  config: Config,
  mode: { isDemo: boolean },
  started: {
    url: string
    otlpUrl: string
    ingestKey: string | null
    databaseUrl: string
    first: FirstStart
    dataDir: string
  },
): void {
  const { url, otlpUrl, ingestKey, databaseUrl, first } = started
  const admin = { email: first.adminEmail, password: first.adminPassword ?? config.BELAY_ADMIN_PASSWORD ?? null }
  if (config.BELAY_READY === "json") {
    console.log(JSON.stringify({ ready: true, url, otlpUrl, ingestKey, databaseUrl, admin }))
    return
  }
  console.log(`\nBelay is ready: ${url}`)
  if (mode.isDemo) return
  console.log(`  OTLP/HTTP:   ${otlpUrl}`)
  if (first.adminPassword !== null) {
    console.log(`  Sign in as:  ${admin.email}`)
    console.log(`  Password:    ${first.adminPassword}   (shown this once)`)
  }
  if (first.ingestKey !== null) console.log(`  Ingest key:  ${first.ingestKey}`)
  else console.log(`  Ingest keys: ${url}/connect`)
}
