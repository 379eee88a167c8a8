import { Client, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js"
import { randomUUID } from "node:crypto"
import { type KyselyPlugin, type RawNode, sql } from "kysely"
import { expect } from "vitest"
import { asTenant } from "#server/db/tenant.ts"
import { loadPages } from "#server/pages.ts"
import { createAccount } from "#server/team/bootstrap.ts"
import { createIngestKey } from "#server/team/ingest-keys.ts"
import type { KeyScope } from "#server/team/key-scopes.ts"
import { CAPTURED_AT, openCookie, readFixture, startTestBelay, type TestBelay, test } from "../belay.ts"
import type { TestDatabase } from "../db.ts"
import { makeOrganization } from "../factories.ts"

async function makeKey(
  database: TestDatabase,
  orgId: string,
  fields: { scopes?: KeyScope[]; agentTool?: string } = {},
): Promise<{ id: string; key: string }> {
  const by = { orgId, occurredAt: CAPTURED_AT, actorId: null, actorEmail: null, requestId: "request" }
  const plain = { name: "CI", scopes: ["ingest" as const], teamId: null, agentTool: null, expiresAt: null }
  const made = await asTenant(database.app, orgId, (tx) => createIngestKey(tx, { ...plain, ...fields, by }))
  if (!made.ok) throw new Error(made.reason)
  return made
}

const bearer = (key: string) => ({ authorization: `Bearer ${key}` })
const countSignals = async (database: TestDatabase) =>
  (await sql`select from signal`.execute(database.owner)).rows.length

/** `Export` of logs over gRPC, with the metadata that follows the answer. */
async function exportLogs(belay: TestBelay, body: Buffer, key: string) {
  const client = new Client(new URL(belay.grpcUrl ?? "").host, credentials.createInsecure())
  const metadata = new Metadata()
  metadata.set("authorization", `Bearer ${key}`)
  const asBytes = (bytes: Buffer) => bytes
  try {
    return await new Promise<{ error: ServiceError | null; trailer: Metadata | undefined }>((resolve) => {
      let error: ServiceError | null = null
      const path = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
      const call = client.makeUnaryRequest(path, asBytes, asBytes, body, metadata, {}, (failure) => (error = failure))
      call.on("status", ({ metadata: trailer }) => resolve({ error, trailer }))
    })
  } finally {
    client.close()
  }
}

test("a key without the scope is answered 403 with the scope it lacks, on every transport", async ({
  belay,
  database,
}) => {
  const { key } = await makeKey(database, belay.orgId, { scopes: ["policy:read"] })
  const logs = await readFixture("captured/claude-16.logs.pb")
  const json = await belay.post("logs", "{}", { ...bearer(key), "content-type": "application/json" })
  expect([json.status, await json.json()]).toEqual([
    403,
    { code: status.PERMISSION_DENIED, message: expect.stringMatching(/scope ingest, or test/) },
  ])
  expect((await belay.post("logs", logs, bearer(key))).status).toBe(403)
  expect((await exportLogs(belay, logs, key)).error).toMatchObject({
    code: status.PERMISSION_DENIED,
    details: expect.stringMatching(/scope ingest/),
  })
  expect(await countSignals(database)).toBe(0)
})

test("a test key is answered as one that stores, partial success and all, and nothing is stored", async ({
  belay,
  database,
}) => {
  const { key } = await makeKey(database, belay.orgId, { scopes: ["test"] })
  const old = { timeUnixNano: "1600000000000000000", attributes: [] }
  const scope = { name: "com.anthropic.claude_code.events" }
  const body = JSON.stringify({ resourceLogs: [{ resource: {}, scopeLogs: [{ scope, logRecords: [old] }] }] })
  const headers = { "content-type": "application/json" }
  const tested = await belay.post("logs", body, { ...headers, ...bearer(key) })
  const real = await belay.post("logs", body, headers)
  expect([tested.status, await tested.json()]).toEqual([real.status, await real.json()])
  expect(real.headers.get("belay-test")).toBeNull()
  expect(tested.headers.get("belay-test")).toMatch(/nothing of this request was stored/)

  const logs = await readFixture("captured/claude-16.logs.pb")
  expect((await belay.post("logs", logs, bearer(key))).status).toBe(200)
  expect((await belay.post("logs", logs.subarray(0, 700), bearer(key))).status).toBe(400)
  const { error, trailer } = await exportLogs(belay, logs, key)
  expect([error, trailer?.get("belay-test")]).toEqual([null, [expect.stringMatching(/nothing/)]])
  for (const table of ["signal", "dimension", "unrecognized_item", "change", "signal_occurrence"]) {
    const rows = await sql`select from ${sql.table(table)}`.execute(database.owner)
    expect([table, rows.rows.length]).toEqual([table, 0])
  }
  // The first owner's own, and nobody else's.
  expect(await database.owner.selectFrom("developer_identity").select("kind").execute()).toEqual([{ kind: "email" }])
})

test("what another agent tool sends with a tool's key is refused item by item, and its own is kept", async ({
  belay,
  database,
}) => {
  const { key } = await makeKey(database, belay.orgId, { agentTool: "codex" })
  const headers = { ...bearer(key), "content-type": "application/json" }
  const refused = await belay.post("logs", await readFixture("captured/gemini-2.logs.json"), headers)
  const answer = (await refused.json()) as { partialSuccess: { rejectedLogRecords: string; errorMessage: string } }
  expect(refused.status).toBe(200)
  expect(Number(answer.partialSuccess.rejectedLogRecords)).toBeGreaterThan(0)
  expect(answer.partialSuccess.errorMessage).toMatch(/this ingest key is for codex only/)
  expect(await countSignals(database)).toBe(0)
  const own = await belay.post("logs", await readFixture("captured/codex-7.logs.pb"), bearer(key))
  expect([own.status, (await own.arrayBuffer()).byteLength]).toEqual([200, 0])
  expect(await countSignals(database)).toBeGreaterThan(0)
})

test("a key that is used too often is told when to come back, over HTTP and gRPC", async ({ database }) => {
  const belay = await startTestBelay(database, { ingestRequestsPerMinute: 2 })
  const logs = await readFixture("captured/claude-16.logs.pb")
  const { key } = await makeKey(database, belay.orgId)
  const answers = [1, 2, 3].map(() => belay.post("logs", logs, bearer(key)))
  const statuses = (await Promise.all(answers)).map((answer) => answer.status)
  expect(statuses.filter((code) => code === 200)).toHaveLength(2)
  expect(statuses.filter((code) => code === 429)).toHaveLength(1)
  const refused = await belay.post("logs", logs, bearer(key))
  expect(refused.headers.get("retry-after")).toMatch(/^\d+$/)
  const { error } = await exportLogs(belay, logs, key)
  expect(error).toMatchObject({ code: status.RESOURCE_EXHAUSTED })
  expect(error?.metadata.get("grpc-status-details-bin")[0]?.toString()).toContain("google.rpc.RetryInfo")
  await belay.close()
})

const WRONG_KEYS = 10_000
const SENDERS = 50

test("ten thousand wrong keys are throttled with few look-ups, while all good telemetry from the same address is stored", async ({
  database,
}) => {
  const told: string[] = []
  let lookUps = 0
  const countLookUps: KyselyPlugin = {
    transformQuery({ node }) {
      const text = (node as Partial<RawNode>).sqlFragments?.join("") ?? ""
      if (text.includes("belay_ingest_key_by_hash") || text.includes("belay_live_ingest_keys")) lookUps++
      return node
    },
    transformResult: async ({ result }) => result,
  }
  const belay = await startTestBelay(database, { tell: (line) => told.push(line), ingestPlugin: countLookUps })
  const statuses = new Map<number, number>()
  const keys = Array.from({ length: WRONG_KEYS }, (_, index) => `blk_wrong_${index}`)
  const flood = async () => {
    for (let key = keys.pop(); key !== undefined; key = keys.pop()) {
      const headers = { ...bearer(key), "content-type": "application/json" }
      const { status: code } = await belay.post("logs", "{}", headers)
      statuses.set(code, (statuses.get(code) ?? 0) + 1)
    }
  }
  const good: number[] = []
  const work = async () => {
    while (keys.length > 0) good.push((await belay.post("logs", oneSignal(good.length))).status)
  }
  // The good sender is one whose key this process has not seen before the flood.
  await Promise.all([...Array.from({ length: SENDERS }, flood), work()])
  const grpc = await exportLogs(belay, Buffer.alloc(0), "blk_wrong")
  await belay.close()

  expect(new Set(good)).toEqual(new Set([200]))
  expect(await countSignals(database)).toBe(good.length)
  expect(good.length).toBeGreaterThan(10)
  expect(Object.fromEntries(statuses)).toEqual({ 401: 100, 429: WRONG_KEYS - 100 })
  expect(grpc.error).toMatchObject({ code: status.RESOURCE_EXHAUSTED })
  // A hundred that were counted, those in hand when the network closed, the good key, and the list of keys.
  expect(lookUps).toBeLessThan(110)
  expect(told).toEqual([expect.stringContaining("Refused 100 wrong ingest keys from 127.0.0.1")])
})

/** A request that gives one signal; another one for every `index`. */
function oneSignal(index: number): Buffer<ArrayBuffer> {
  const text = (value: string) => Buffer.concat([Buffer.from([0x0a, value.length]), Buffer.from(value)])
  const wrap = (field: number, content: Buffer) =>
    Buffer.concat([Buffer.from([field * 8 + 2, ...varint(content.length)]), content])
  const attribute = (key: string, value: string) => wrap(6, Buffer.concat([text(key), wrap(2, text(value))]))
  const time = Buffer.alloc(9)
  time[0] = 0x09
  time.writeBigUInt64LE(BigInt(CAPTURED_AT.getTime() - index) * 1_000_000n, 1)
  const record = Buffer.concat([
    time,
    attribute("event.name", "api_request"),
    attribute("session.id", "s-1"),
    attribute("model", "claude-opus-4-5"),
  ])
  const scope = wrap(1, text("com.anthropic.claude_code.events"))
  return wrap(1, wrap(2, Buffer.concat([scope, wrap(2, record)])))
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) | 128, ...varint(Math.floor(value / 128))]
}

test("another organization's key answers over HTTP as one that is not there, and an author reaches test keys only", async ({
  database,
}) => {
  const belay = await startTestBelay(database, { pages: loadPages({ isDev: false }) })
  const foreign = await makeKey(database, await makeOrganization(database))
  const storing = await makeKey(database, belay.orgId)
  const testing = await makeKey(database, belay.orgId, { scopes: ["test"] })
  const signInAs = async (role: "admin" | "author") => {
    const email = `${role}@example.org`
    const { orgId } = belay
    const { userId } = await createAccount(database.owner, { orgId, email, role, password: "not used here" })
    const cookie = await openCookie(belay, userId)
    return (fields: Record<string, string>) =>
      fetch(`${belay.url}/keys.data`, {
        method: "POST",
        headers: { cookie },
        body: new URLSearchParams(fields),
      })
  }
  const [admin, author] = [await signInAs("admin"), await signInAs("author")]
  const answer = async (sending: Promise<Response>) => {
    const response = await sending
    return [response.status, await response.text()]
  }
  for (const intent of ["revoke", "rotate"]) {
    const about = (id: string) => ({ intent, id, overlapHours: "0" })
    const missing = await answer(admin(about(randomUUID())))
    expect(missing[0]).toBe(404)
    expect(await answer(admin(about(foreign.id)))).toEqual(missing)
    expect(await answer(author(about(storing.id)))).toEqual(missing)
  }
  const create = (scope: string) => author({ intent: "create", name: "Mine", scope })
  expect([(await create("ingest")).status, (await create("policy:read")).status]).toEqual([403, 403])
  expect((await create("test")).status).toBe(200)
  expect((await author({ intent: "revoke", id: testing.id })).status).toBe(200)
  const teamOfOthers = await database.owner
    .insertInto("team")
    .values({ org_id: await makeOrganization(database), name: "Theirs" })
    .returning("id")
    .executeTakeFirstOrThrow()
  const bound = await admin({ intent: "create", name: "Bound", scope: "ingest", teamId: teamOfOthers.id })
  expect(bound.status).toBe(404)
  expect((await belay.post("logs", "{}", { ...bearer(storing.key), "content-type": "application/json" })).status).toBe(
    200,
  )
  await belay.close()
})

test("an account that changes things hundreds of times a minute is told to wait, others are not", async ({
  database,
}) => {
  const belay = await startTestBelay(database, { pages: loadPages({ isDev: false }) })
  const cookies = await Promise.all(
    ["ada", "ben"].map(async (name) => {
      const email = `${name}@example.org`
      const { orgId } = belay
      const { userId } = await createAccount(database.owner, { orgId, email, role: "admin", password: "not used here" })
      return openCookie(belay, userId)
    }),
  )
  const [ada = "", ben = ""] = cookies
  const write = (cookie: string) =>
    fetch(`${belay.url}/keys.data`, { method: "POST", headers: { cookie }, body: new URLSearchParams({ intent: "x" }) })
  for (let count = 0; count < 600; count += 50) await Promise.all(Array.from({ length: 50 }, () => write(ada)))
  const refused = await write(ada)
  expect([refused.status, await refused.text()]).toEqual([429, expect.stringMatching(/Try again in \d+ s/)])
  const live = await fetch(`${belay.url}/events/arrivals`, { headers: { cookie: ada } })
  expect([live.status, live.headers.get("retry-after")]).toEqual([429, expect.stringMatching(/^\d+$/)])
  expect((await fetch(`${belay.url}/keys`, { headers: { cookie: ada } })).status).toBe(200)
  expect((await write(ben)).status).toBe(422)
  await belay.close()
})
