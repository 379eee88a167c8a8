import { once } from "node:events"
import { createServer, type IncomingHttpHeaders, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { sql } from "kysely"
import { expect } from "vitest"
import { type TestDatabase, test as databaseTest } from "../../test/db.ts"
import { makeOrganization, NOW } from "../../test/factories.ts"
import { asTenant } from "../db/tenant.ts"
import { decodeJson } from "../ingest/otlp/json.ts"
import type { Attributes } from "../ingest/otlp/types.ts"
import { recordAudit } from "./commands.ts"
import { type AuditExportOptions, exportAudit, parseHeaders, toLogsUrl } from "./export.ts"
import { getAuditExport, listAuditEntries, verifyAudit } from "./queries.ts"

interface Answer {
  readonly status: number
  readonly headers?: Record<string, string>
  readonly body?: unknown
}

interface Received {
  readonly sequence: unknown
  readonly orgId: unknown
  readonly eventName: string
  readonly attributes: Attributes
  readonly timeUnixNano: bigint
}

/** The endpoint of a SIEM: it keeps what it answers 2xx to. */
interface Siem {
  readonly url: string
  readonly kept: Received[]
  readonly requests: IncomingHttpHeaders[]
  readonly texts: string[]
  /** What the next requests are answered with, in turn; then 200. */
  readonly answers: Answer[]
  stop(): Promise<void>
  start(): Promise<void>
}

const test = databaseTest.extend("siem", async ({}, { onCleanup }): Promise<Siem> => {
  const siem = { url: "", kept: [] as Received[], requests: [] as IncomingHttpHeaders[], texts: [] as string[] }
  const answers: Answer[] = []
  let server: Server | null = null
  let port = 0
  const start = async () => {
    server = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on("data", (chunk: Buffer) => chunks.push(chunk))
      request.on("end", () => {
        const body = Buffer.concat(chunks)
        const answer = answers.shift() ?? { status: 200, body: {} }
        siem.requests.push(request.headers)
        siem.texts.push(body.toString())
        if (answer.status === 200) siem.kept.push(...read(body))
        response.writeHead(answer.status, { "content-type": "application/json", ...answer.headers })
        response.end(JSON.stringify(answer.body ?? {}))
      })
    }).listen(port, "127.0.0.1")
    await once(server, "listening")
    port = (server.address() as AddressInfo).port
    siem.url = `http://127.0.0.1:${port}/v1/logs`
  }
  const stop = async () => {
    server?.closeAllConnections()
    await new Promise((resolve) => (server === null ? resolve(null) : server.close(resolve)))
    server = null
  }
  await start()
  onCleanup(stop)
  return Object.assign(siem, { answers, start, stop })
})

/** As Belay itself reads OTLP. */
function read(body: Buffer): Received[] {
  const request = decodeJson("logs", body)
  if (request.signal !== "logs") throw new Error("not logs")
  return request.groups.flatMap(({ resource, items }) =>
    items.map(({ attributes, eventName, timeUnixNano }) => ({
      sequence: attributes.get("belay.audit.sequence"),
      orgId: resource.get("belay.org.id"),
      eventName,
      attributes,
      timeUnixNano,
    })),
  )
}

async function record(database: TestDatabase, orgId: string, count: number, action = "key.create"): Promise<void> {
  await asTenant(database.app, orgId, async (tx) => {
    for (let index = 0; index < count; index++) {
      await recordAudit(tx, {
        orgId,
        occurredAt: NOW,
        actorEmail: "ada@example.com",
        action,
        targetKind: "ingest_key",
        targetId: "a-key",
        after: { name: "CI", live: true },
      })
    }
  })
}

function exporter(database: TestDatabase, siem: Siem, clock: { now: Date } = { now: NOW }) {
  const told: string[] = []
  const options: AuditExportOptions = {
    db: database.worker,
    url: siem.url,
    headers: { authorization: "Splunk secret" },
    now: () => clock.now,
    tell: (line) => told.push(line),
  }
  return { run: () => exportAudit(options), told }
}

const stateOf = (database: TestDatabase, orgId: string) => asTenant(database.app, orgId, getAuditExport)
const verify = (database: TestDatabase, orgId: string) => asTenant(database.app, orgId, (tx) => verifyAudit(tx, orgId))
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1)
const sequencesOf = (siem: Siem, orgId: string) =>
  siem.kept.filter((entry) => entry.orgId === orgId).map((entry) => entry.sequence)

test("an entry arrives as a log record by OpenTelemetry's conventions, with everything it holds", async ({
  database,
  siem,
}) => {
  const orgId = await makeOrganization(database)
  await record(database, orgId, 1)
  await record(database, orgId, 1, "session.sign_in_failed")
  await exporter(database, siem).run()
  const entries = await asTenant(database.app, orgId, (tx) =>
    listAuditEntries(tx, { beforeSequence: null, action: null, limit: 10 }),
  )
  const [first] = siem.kept
  expect(first).toMatchObject({ eventName: "key.create", timeUnixNano: BigInt(NOW.getTime()) * 1_000_000n })
  expect(Object.fromEntries(first?.attributes ?? [])).toEqual({
    "event.name": "key.create",
    "user.email": "ada@example.com",
    "belay.audit.sequence": 1,
    "belay.audit.target.kind": "ingest_key",
    "belay.audit.target.id": "a-key",
    "belay.audit.after": '{"live":true,"name":"CI"}',
    "belay.audit.request_id": entries[1]?.requestId,
    "belay.audit.hash": entries[1]?.hash,
  })
  const severities = [...(siem.texts[0] ?? "").matchAll(/"severityText":"(\w+)"/g)].map((match) => match[1])
  expect(severities).toEqual(["INFO", "WARN"])
  expect(siem.requests[0]).toMatchObject({ authorization: "Splunk secret", "content-type": "application/json" })
})

test("every organization's entries arrive in order, in as many requests as it takes, and once", async ({
  database,
  siem,
}) => {
  const [many, few] = [await makeOrganization(database), await makeOrganization(database)]
  await record(database, many, 1100)
  await record(database, few, 2)
  const { run } = exporter(database, siem)
  await run()
  await run()
  expect(sequencesOf(siem, many)).toEqual(upTo(1100))
  expect(sequencesOf(siem, few)).toEqual([1, 2])
  expect(siem.requests).toHaveLength(4)
  expect(await stateOf(database, few)).toMatchObject({ total: 2, cursor: { sequence: 2, sentAt: NOW, error: null } })
})

test("while the endpoint is down entries wait, and after that none is missing", async ({ database, siem }) => {
  const orgId = await makeOrganization(database)
  const clock = { now: NOW }
  const { run, told } = exporter(database, siem, clock)
  await record(database, orgId, 1)
  await run()
  await siem.stop()
  await record(database, orgId, 2)
  await run()
  expect(await stateOf(database, orgId)).toMatchObject({
    total: 3,
    cursor: { sequence: 1, error: expect.stringContaining("ECONNREFUSED"), retryAt: new Date(NOW.getTime() + 5000) },
  })
  await siem.start()
  // Not before its time.
  await run()
  expect(sequencesOf(siem, orgId)).toEqual([1])
  clock.now = new Date(NOW.getTime() + 5000)
  await run()
  expect(sequencesOf(siem, orgId)).toEqual([1, 2, 3])
  expect((await stateOf(database, orgId)).cursor).toMatchObject({ sequence: 3, error: null, retryAt: null })
  expect(told).toEqual([expect.stringContaining("could not be sent on"), expect.stringContaining("again")])
})

test("the wait doubles with every failure, and is as long as the endpoint asks", async ({ database, siem }) => {
  const orgId = await makeOrganization(database)
  await record(database, orgId, 1)
  const clock = { now: NOW }
  const { run } = exporter(database, siem, clock)
  const date = new Date(NOW.getTime() + 600_000).toUTCString()
  siem.answers.push(
    { status: 503 },
    { status: 500 },
    { status: 429, headers: { "retry-after": "120" } },
    { status: 503, headers: { "retry-after": date } },
    { status: 401 },
  )
  const waits: number[] = []
  for (let attempt = 0; attempt < 5; attempt++) {
    await run()
    const { cursor } = await stateOf(database, orgId)
    const retryAt = cursor?.retryAt ?? clock.now
    waits.push((retryAt.getTime() - clock.now.getTime()) / 1000)
    clock.now = retryAt
  }
  // The date is ten minutes after the first attempt, 135 s before the fourth.
  expect(waits).toEqual([5, 10, 120, 465, 80])
  expect((await stateOf(database, orgId)).cursor?.error).toBe("the endpoint answered 401")
  await run()
  expect(sequencesOf(siem, orgId)).toEqual([1])
})

test("two processes at once send each entry once", async ({ database, siem }) => {
  const orgId = await makeOrganization(database)
  await record(database, orgId, 700)
  const processes = [exporter(database, siem), exporter(database, siem)]
  await Promise.all(processes.map((process) => process.run()))
  await Promise.all(processes.map((process) => process.run()))
  expect(sequencesOf(siem, orgId)).toEqual(upTo(700))
})

test("a process that dies after sending leaves the entries to be sent again, never unsent", async ({
  database,
  siem,
}) => {
  const orgId = await makeOrganization(database)
  await record(database, orgId, 2)
  await sql`revoke insert on audit_export from belay_worker`.execute(database.owner)
  await expect(exporter(database, siem).run()).rejects.toThrow(/permission denied/)
  await sql`grant insert on audit_export to belay_worker`.execute(database.owner)
  await exporter(database, siem).run()
  expect(sequencesOf(siem, orgId)).toEqual([1, 2, 1, 2])
  await record(database, orgId, 1)
  await exporter(database, siem).run()
  expect(sequencesOf(siem, orgId).at(-1)).toBe(3)
})

test("what the endpoint takes and does not keep is counted and told, and not sent again", async ({
  database,
  siem,
}) => {
  const orgId = await makeOrganization(database)
  await record(database, orgId, 2)
  siem.answers.push({ status: 200, body: { partialSuccess: { rejectedLogRecords: "1", errorMessage: "too long" } } })
  const { run } = exporter(database, siem)
  await run()
  await run()
  expect(siem.requests).toHaveLength(1)
  expect((await stateOf(database, orgId)).cursor).toMatchObject({
    sequence: 2,
    refused: 1,
    error: "the endpoint did not keep 1 of them: too long",
  })
})

test("entries that were sent on and then cut off are missed, and a log written anew is told apart", async ({
  database,
  siem,
}) => {
  const orgId = await makeOrganization(database)
  await record(database, orgId, 5)
  await exporter(database, siem).run()
  expect(await verify(database, orgId)).toMatchObject({ ok: true, entries: 5, witnessed: 5 })
  await sql`delete from audit_event where sequence > 3`.execute(database.owner)
  expect(await verify(database, orgId)).toEqual({
    ok: false,
    sequence: 4,
    problem: "the log ends here, although entries up to 5 were sent on",
  })
  // Whole by its own hashes, but another log.
  await record(database, orgId, 2, "key.revoke")
  expect(await verify(database, orgId)).toEqual({
    ok: false,
    sequence: 5,
    problem: "the entry is not the one that was sent on",
  })
})

test("the application cannot move the cursor", async ({ database }) => {
  const orgId = await makeOrganization(database)
  const write = asTenant(database.app, orgId, (tx) =>
    tx.insertInto("audit_export").values({ org_id: orgId, sequence: 9 }).execute(),
  )
  await expect(write).rejects.toThrow(/permission denied/)
})

test("settings are read as OpenTelemetry's own exporters read theirs", () => {
  expect(parseHeaders("Authorization=Bearer%20a%3Db, x-scope = t=1,")).toEqual({
    Authorization: "Bearer a=b",
    "x-scope": "t=1",
  })
  expect(() => parseHeaders("no header")).toThrow(/name=value/)
  expect(["https://siem.example", "https://siem.example/services/otlp?x=1"].map(toLogsUrl)).toEqual([
    "https://siem.example/v1/logs",
    "https://siem.example/services/otlp?x=1",
  ])
})
