import { readFile } from "node:fs/promises"
import path from "node:path"
import type { KyselyPlugin } from "kysely"
import { openDatabase } from "#server/db/client.ts"
import type { PageServer } from "#server/http.ts"
import { createMeter, type IngestMeter } from "#server/ingest/meter.ts"
import { maintainPartitions } from "#server/ingest/partitions.ts"
import { countAll } from "#server/rollup/loop.ts"
import { maintainRollups } from "#server/rollup/retention.ts"
import { openSignalStore } from "#server/ingest/signal-store.ts"
import { startSelfTelemetry } from "#server/self-telemetry.ts"
import { type Served, serve } from "#server/serve.ts"
import type { Mailer } from "#server/mail/mailer.ts"
import { type IdentityProvider, readAuthSecret } from "#server/sign-in/auth.ts"
import { openSession } from "#server/sign-in/sessions.ts"
import { ensureOrganization, type FirstStart } from "#server/team/bootstrap.ts"
import { type TestDatabase, test as databaseTest } from "./db.ts"

export const ADMIN = { email: "admin@example.com", password: "correct horse battery" }
export const INGEST_KEY = "blk_test_key_0123456789abcdefgh"

/** The captured runs were made a little before this. */
export const CAPTURED_AT = new Date("2026-11-20T20:30:00Z")

const FIXTURES = path.join(import.meta.dirname, "fixtures/otlp")

export interface TestBelay extends Served {
  readonly meter: IngestMeter
  readonly orgId: string
  readonly now: () => Date
  /** Brings the rollups up to what came in. */
  count(): Promise<void>
  /** Lets time pass. Sessions and codes of authenticator apps go by the machine's own clock. */
  advance(ms: number): void
  /** Sends a body as an OTLP exporter does. */
  post(signal: string, body: BodyInit, headers?: Record<string, string>): Promise<Response>
  /** Sends a recorded request: `captured/claude-16.logs.pb`. */
  postFixture(file: string): Promise<Response>
}

/** Serves Belay over a test's database, with one organization, one key and time standing still until it is advanced. */
export async function startTestBelay(
  database: TestDatabase,
  options: {
    now?: Date
    pages?: Promise<PageServer>
    identityProvider?: IdentityProvider
    mailer?: Mailer
    onError?: (message: string, error: unknown) => void
    tell?: (line: string) => void
    publicUrl?: string
    ingestRequestsPerMinute?: number
    auditEndpoint?: string
    metricsToken?: string
    selfOtlp?: { endpoint: string; headers: Record<string, string> }
    /** Sees every query of the way in. */
    ingestPlugin?: KyselyPlugin
  } = {},
): Promise<TestBelay> {
  let now = options.now ?? CAPTURED_AT
  await maintainPartitions(database.worker, { now, retentionDays: 30 })
  await maintainRollups(database.worker, { now, retentionDays: 30 })
  const first: FirstStart = await ensureOrganization(database.owner, {
    name: "Example",
    isDemo: false,
    adminEmail: ADMIN.email,
    adminPassword: ADMIN.password,
    ingestKey: INGEST_KEY,
  })
  const app = openDatabase({ url: database.url, role: "belay_app", max: 5, applicationName: "belay_app" })
  const ingest = openDatabase({ url: database.url, role: "belay_ingest", max: 5, applicationName: "belay_ingest" })
  const auth = openDatabase({ url: database.url, role: "belay_auth", max: 3, applicationName: "belay_auth" })
  const meter = createMeter(() => now)
  const store = openSignalStore({ url: database.url, db: ingest.kysely, now: () => now, meter })
  const selfTelemetry = startSelfTelemetry({
    meter,
    token: options.metricsToken ?? null,
    isBehindProxy: options.publicUrl !== undefined,
    otlp: options.selfOtlp ?? null,
    version: "0.0.0",
    tell: options.tell ?? ((line) => console.error(line)),
  })
  const served = await serve({
    app,
    auth,
    authSecret: await readAuthSecret(auth.kysely, undefined),
    identityProvider: options.identityProvider ?? null,
    mailer: options.mailer ?? null,
    ingest: options.ingestPlugin ? { ...ingest, kysely: ingest.kysely.withPlugin(options.ingestPlugin) } : ingest,
    store,
    meter,
    selfTelemetry,
    pages: options.pages ?? Promise.resolve({ build: () => Promise.reject(new Error("this test has no pages")) }),
    host: "127.0.0.1",
    port: 0,
    otlpPort: 0,
    grpcPort: 0,
    auditEndpoint: options.auditEndpoint ?? null,
    retentionDays: 30,
    demoOrgId: null,
    // A test looks for what it has just sent.
    answerAge: { freshMs: 0, staleMs: 0, timesMade: 0 },
    now: () => now,
    tell: options.tell ?? ((line) => console.error(line)),
    ...(options.publicUrl !== undefined && { publicUrl: options.publicUrl }),
    ingestRequestsPerMinute: options.ingestRequestsPerMinute ?? 120_000,
    log: options.onError ?? ((message, error) => console.error(message, error)),
  })
  const post = (signal: string, body: BodyInit, headers: Record<string, string> = {}) =>
    fetch(`${served.otlpUrl}/v1/${signal}`, {
      method: "POST",
      body,
      headers: { "content-type": "application/x-protobuf", authorization: `Bearer ${INGEST_KEY}`, ...headers },
    })
  return {
    ...served,
    meter,
    orgId: first.orgId,
    now: () => now,
    count: () => countAll(database.worker, now),
    advance(ms) {
      now = new Date(now.getTime() + ms)
    },
    post,
    async postFixture(file) {
      const signal = /\.(traces|logs|metrics)\./.exec(file)?.[1] ?? "logs"
      const contentType = file.endsWith(".pb") ? "application/x-protobuf" : "application/json"
      return post(signal, await readFixture(file), { "content-type": contentType })
    },
    async close() {
      await served.close()
      await selfTelemetry.close()
      await store.close()
      await Promise.all([app.close(), auth.close(), ingest.close()])
    },
  }
}

/** The `Cookie` header of a new session of this user. */
export async function openCookie(belay: Served, userId: string): Promise<string> {
  const headers = await openSession(belay.signIn, userId)
  return headers
    .getSetCookie()
    .map((cookie) => cookie.split(";")[0])
    .join("; ")
}

export function readFixture(file: string): Promise<Buffer<ArrayBuffer>> {
  return readFile(path.join(FIXTURES, file))
}

/** `test` with Belay served over a database of its own. */
export const test = databaseTest.extend("belay", async ({ database }, { onCleanup }): Promise<TestBelay> => {
  const belay = await startTestBelay(database)
  onCleanup(() => belay.close())
  return belay
})
