import { type ClientRequest, request as httpRequest } from "node:http"
import { sql } from "kysely"
import { expect } from "vitest"
import { asTenant } from "#server/db/tenant.ts"
import { createIngestKey } from "#server/team/ingest-keys.ts"
import { CAPTURED_AT, INGEST_KEY, startTestBelay, type TestBelay, test } from "../belay.ts"
import type { TestDatabase } from "../db.ts"

const MIB = 1024 * 1024

/** A log record of a session, in a body of its own. */
function bodyOf(session: string): string {
  const attributes = [
    { key: "event.name", value: { stringValue: "api_request" } },
    { key: "session.id", value: { stringValue: session } },
  ]
  const logRecords = [{ timeUnixNano: `${CAPTURED_AT.getTime()}000000`, attributes }]
  const scopeLogs = [{ scope: { name: "com.anthropic.claude_code.events" }, logRecords }]
  return JSON.stringify({ resourceLogs: [{ resource: {}, scopeLogs }] })
}

async function post(belay: TestBelay, session: string, key = INGEST_KEY, bytes = 0) {
  const response = await belay.post("logs", bodyOf(session).padEnd(bytes), {
    "content-type": "application/json",
    authorization: `Bearer ${key}`,
  })
  await response.text()
  return { status: response.status, retryAfter: response.headers.get("retry-after") }
}

async function makeKey(database: TestDatabase, orgId: string): Promise<string> {
  const by = { orgId, occurredAt: CAPTURED_AT, actorId: null, actorEmail: null, requestId: "request" }
  const fields = { name: "CI", scopes: ["ingest" as const], teamId: null, agentTool: null, expiresAt: null }
  const made = await asTenant(database.app, orgId, (tx) => createIngestKey(tx, { ...fields, by }))
  if (!made.ok) throw new Error(made.reason)
  return made.key
}

async function sessionsOf(database: TestDatabase): Promise<string[]> {
  const result = await sql<{ session_id: string }>`select session_id from signal order by 1`.execute(database.owner)
  return result.rows.map((row) => row.session_id)
}

test("while the database does not take what waits, its sender is asked to come back, and nothing acknowledged is lost", async ({
  database,
}) => {
  const now = new Date(CAPTURED_AT)
  const belay = await startTestBelay(database, { now })
  const otherKey = await makeKey(database, belay.orgId)
  expect((await post(belay, "before")).status).toBe(200)

  const locked = Promise.withResolvers<void>()
  const unlock = Promise.withResolvers<void>()
  const lock = database.owner.transaction().execute(async (tx) => {
    await sql`lock table signal in access exclusive mode`.execute(tx)
    locked.resolve()
    await unlock.promise
  })
  await locked.promise
  const waiting = post(belay, "waiting")
  await untilSomebodyWaits(database)
  now.setTime(now.getTime() + 5001)
  expect(await post(belay, "refused")).toEqual({ status: 503, retryAfter: "5" })
  // Of the other key nothing waits for that long.
  const others = post(belay, "other", otherKey)
  unlock.resolve()
  await lock
  expect([await waiting, await others].map((answer) => answer.status)).toEqual([200, 200])
  expect((await post(belay, "after")).status).toBe(200)
  await belay.close()
  expect(await sessionsOf(database)).toEqual(["after", "before", "other", "waiting"])
})

/** The lock's holder aside, one connection of Belay's waits for it. */
async function untilSomebodyWaits(database: TestDatabase): Promise<void> {
  for (;;) {
    const result = await sql`select from pg_locks where not granted`.execute(database.app)
    if (result.rows.length > 0) return
  }
}

test("a key that fills its share of the memory gets 429 while another's telemetry is stored", async ({
  belay,
  database,
}) => {
  const otherKey = await makeKey(database, belay.orgId)
  const hanging: ClientRequest[] = []
  let answer = await post(belay, "first", INGEST_KEY, MIB)
  // Announced bodies count before they are here.
  while (answer.status === 200 && hanging.length < 100) {
    hanging.push(announce(belay, MIB))
    // So that it is there before the next one, most of the time.
    await fetch(`${belay.otlpUrl}/healthz`)
    answer = await post(belay, "more", INGEST_KEY, MIB)
  }
  expect(answer).toEqual({ status: 429, retryAfter: "5" })
  expect(hanging.length).toBeGreaterThan(5)
  expect((await post(belay, "other", otherKey)).status).toBe(200)
  for (const request of hanging) request.destroy()
  expect(await sessionsOf(database)).toEqual(["first", "more", "other"])
})

/** A request that says how long its body is and does not send it. */
function announce(belay: TestBelay, length: number): ClientRequest {
  const request = httpRequest(`${belay.otlpUrl}/v1/logs`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "content-length": length,
      authorization: `Bearer ${INGEST_KEY}`,
    },
  })
  request.on("error", () => {})
  request.flushHeaders()
  return request
}
