import { request as httpRequest } from "node:http"
import { gzipSync } from "node:zlib"
import { sql } from "kysely"
import { expect } from "vitest"
import type { TestDatabase } from "../db.ts"
import { CAPTURED_AT, readFixture, startTestBelay, type TestBelay, test } from "../belay.ts"

const JSON_TYPE = { "content-type": "application/json" }

async function countStored(database: TestDatabase): Promise<number> {
  const result = await sql<{ count: number }>`
    select (select count(*) from signal) + (select count(*) from dimension) + (select count(*) from unrecognized_item)
      + (select count(*) from signal_occurrence) + (select count(*) from change) as count`.execute(database.owner)
  return Number(result.rows[0]?.count)
}

/** One OTLP/JSON log record as Claude Code sends it, changed as a test wants. */
function logsBody(record: Record<string, unknown>): string {
  const attributes = [
    { key: "event.name", value: { stringValue: "api_request" } },
    { key: "session.id", value: { stringValue: "s-1" } },
    { key: "model", value: { stringValue: "claude-opus-4-5" } },
  ]
  const logRecord = { timeUnixNano: `${CAPTURED_AT.getTime()}000000`, attributes, ...record }
  const scope = { name: "com.anthropic.claude_code.events" }
  return JSON.stringify({ resourceLogs: [{ resource: {}, scopeLogs: [{ scope, logRecords: [logRecord] }] }] })
}

/** A request of nothing but spans of two bytes each. */
function emptySpans(mebibytes: number): Buffer {
  const spans = Buffer.alloc(mebibytes * 1024 * 1024, Buffer.from([0x12, 0x00]))
  const wrap = (field: number, content: Buffer) => {
    const length: number[] = []
    for (let rest = content.length; ; rest = Math.floor(rest / 128)) {
      length.push(rest < 128 ? rest : (rest % 128) | 128)
      if (rest < 128) break
    }
    return Buffer.concat([Buffer.from([field * 8 + 2, ...length]), content])
  }
  return wrap(1, wrap(2, spans))
}

interface BadRequest {
  readonly name: string
  readonly status: number
  readonly message: RegExp
  send(belay: TestBelay): Promise<Response>
}

const BAD_REQUESTS: readonly BadRequest[] = [
  {
    name: "truncated protobuf",
    status: 400,
    message: /truncated/,
    send: async (belay) => belay.post("logs", (await readFixture("captured/claude-16.logs.pb")).subarray(0, 900)),
  },
  {
    name: "bytes that are no protobuf",
    status: 400,
    message: /not an OTLP traces request/,
    send: (belay) => belay.post("traces", Buffer.alloc(64, 0xff)),
  },
  {
    name: "truncated JSON",
    status: 400,
    message: /JSON/,
    send: (belay) => belay.post("logs", logsBody({}).slice(0, -5), JSON_TYPE),
  },
  {
    name: "a wrong content type",
    status: 415,
    message: /application\/x-protobuf or application\/json/,
    send: (belay) => belay.post("logs", "hello", { "content-type": "text/plain" }),
  },
  {
    name: "an unknown content encoding",
    status: 415,
    message: /gzip/,
    send: (belay) => belay.post("logs", logsBody({}), { ...JSON_TYPE, "content-encoding": "br" }),
  },
  {
    name: "an unknown key",
    status: 401,
    message: /ingest key/,
    send: (belay) => belay.post("logs", logsBody({}), { ...JSON_TYPE, authorization: "Bearer blk_nobody" }),
  },
  {
    name: "no key",
    status: 401,
    message: /ingest key/,
    send: (belay) => belay.post("logs", logsBody({}), { ...JSON_TYPE, authorization: "" }),
  },
  {
    name: "a body of 100 MiB",
    status: 413,
    message: /16 MiB/,
    send: (belay) => belay.post("logs", Buffer.alloc(100 * 1024 * 1024), JSON_TYPE),
  },
  {
    name: "a gzip bomb",
    status: 413,
    message: /16 MiB/,
    send: (belay) =>
      belay.post("logs", gzipSync(Buffer.alloc(512 * 1024 * 1024)), { ...JSON_TYPE, "content-encoding": "gzip" }),
  },
  {
    name: "sixty megabytes of empty spans",
    status: 413,
    message: /500000 items/,
    send: (belay) => belay.post("traces", gzipSync(emptySpans(60)), { "content-encoding": "gzip" }),
  },
  {
    name: "a protobuf bomb",
    status: 413,
    message: /64 MiB/,
    send: (belay) => belay.post("traces", gzipSync(emptySpans(70)), { "content-encoding": "gzip" }),
  },
  {
    name: "broken gzip",
    status: 400,
    message: /gzip/,
    send: (belay) => belay.post("logs", "not gzip", { ...JSON_TYPE, "content-encoding": "gzip" }),
  },
  {
    name: "truncated gzip",
    status: 400,
    message: /gzip/,
    send: (belay) =>
      belay.post("logs", gzipSync(logsBody({})).subarray(0, 60), { ...JSON_TYPE, "content-encoding": "gzip" }),
  },
  {
    name: "metrics sent to traces as protobuf",
    status: 400,
    message: /not an OTLP traces request/,
    send: async (belay) => belay.post("traces", await readFixture("captured/claude-17.metrics.pb")),
  },
  {
    name: "metrics sent to traces as JSON",
    status: 400,
    message: /v1\/metrics/,
    send: async (belay) => belay.post("traces", await readFixture("captured/gemini-3.metrics.json"), JSON_TYPE),
  },
  {
    name: "traces sent to logs as protobuf",
    status: 400,
    message: /not an OTLP logs request/,
    send: async (belay) => belay.post("logs", await readFixture("captured/claude-15.traces.pb")),
  },
  {
    name: "invalid UTF-8 in protobuf",
    status: 400,
    message: /UTF-8/,
    send: async (belay) => {
      const body = Buffer.from(await readFixture("captured/claude-16.logs.pb"))
      body.fill(0xff, body.indexOf("claude_code.user_prompt"), body.indexOf("claude_code.user_prompt") + 4)
      return belay.post("logs", body)
    },
  },
  {
    name: "invalid UTF-8 in JSON",
    status: 400,
    message: /UTF-8/,
    send: (belay) =>
      belay.post(
        "logs",
        Buffer.concat([Buffer.from('{"resourceLogs":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}')]),
        JSON_TYPE,
      ),
  },
]

test.for(BAD_REQUESTS)("$name is answered with $status and changes nothing", async (bad, { belay, database }) => {
  const response = await bad.send(belay)
  expect(response.status).toBe(bad.status)
  expect(await response.text()).toMatch(bad.message)
  expect(await countStored(database)).toBe(0)
  // The process lives and takes what is good.
  expect((await belay.postFixture("captured/claude-16.logs.pb")).status).toBe(200)
})

const REFUSED_RECORDS = [
  { name: "of 1970", record: { timeUnixNano: "1000000000" }, message: /last 30 days/ },
  { name: "of 2100", record: { timeUnixNano: "4102444800000000000" }, message: /last 30 days/ },
  {
    name: "with 10,000 attributes",
    record: {
      attributes: Array.from({ length: 10_000 }, (_, index) => ({ key: `a${index}`, value: { intValue: "1" } })),
    },
    message: /512 attributes/,
  },
] as const

test.for(REFUSED_RECORDS)(
  "a record $name is refused by partial success and stored nowhere",
  async (refused, { belay, database }) => {
    const response = await belay.post("logs", logsBody(refused.record), JSON_TYPE)
    expect(response.status).toBe(200)
    const { partialSuccess } = (await response.json()) as { partialSuccess: Record<string, string> }
    expect(partialSuccess["rejectedLogRecords"]).toBe("1")
    expect(partialSuccess["errorMessage"]).toMatch(refused.message)
    expect(await countStored(database)).toBe(0)
  },
)

test("an error has the encoding of its request", async ({ belay }) => {
  const json = await belay.post("logs", "{", JSON_TYPE)
  expect(json.headers.get("content-type")).toBe("application/json")
  expect(await json.json()).toMatchObject({ code: 3, message: expect.stringContaining("JSON") })

  const protobuf = await belay.post("logs", Buffer.alloc(8, 0xff))
  expect(protobuf.headers.get("content-type")).toBe("application/x-protobuf")
  // google.rpc.Status: field 1 varint 3, field 2 the message.
  const status = Buffer.from(await protobuf.arrayBuffer())
  expect([...status.subarray(0, 3)]).toEqual([0x08, 3, 0x12])
})

test("other methods are answered with what to use", async ({ belay }) => {
  const response = await fetch(`${belay.otlpUrl}/v1/logs`)
  expect([response.status, response.headers.get("allow")]).toEqual([405, "POST"])
})

test("an empty request is a success", async ({ belay }) => {
  expect(await (await belay.post("traces", "{}", JSON_TYPE)).text()).toBe("{}")
  expect((await belay.post("traces", Buffer.alloc(0))).status).toBe(200)
})

test("a chunked, gzipped body with a charset is taken on either port", async ({ belay, database }) => {
  for (const base of [belay.otlpUrl, belay.url]) {
    const status = await new Promise((resolve, reject) => {
      const request = httpRequest(`${base}/v1/logs`, {
        method: "POST",
        headers: {
          "content-type": "application/json; charset=utf-8",
          "content-encoding": "gzip",
          "transfer-encoding": "chunked",
          authorization: "bearer blk_test_key_0123456789abcdefgh",
        },
      })
      request.on("response", (response) => resolve(response.resume().statusCode)).on("error", reject)
      const body = gzipSync(logsBody({}))
      request.write(body.subarray(0, 20))
      request.end(body.subarray(20))
    })
    expect(status).toBe(200)
  }
  const stored = await sql`select from signal`.execute(database.owner)
  expect(stored.rows).toHaveLength(1)
})

test("one bad record does not cost the good ones", async ({ belay, database }) => {
  const good = JSON.parse(logsBody({}))
  const bad = JSON.parse(logsBody({ timeUnixNano: "1" }))
  good.resourceLogs.push(...bad.resourceLogs)
  const response = await belay.post("logs", JSON.stringify(good), JSON_TYPE)
  expect(await response.json()).toMatchObject({ partialSuccess: { rejectedLogRecords: "1" } })
  expect((await sql`select from signal`.execute(database.owner)).rows).toHaveLength(1)
})

test("without a database nothing is acknowledged and the sender is asked to come back", async ({ database }) => {
  const errors: string[] = []
  const belay = await startTestBelay(database, { onError: (message) => errors.push(message) })
  await sql`revoke all on signal, signal_20261120 from belay_ingest`.execute(database.owner)
  const response = await belay.postFixture("captured/claude-16.logs.pb")
  await belay.close()
  expect([response.status, response.headers.get("retry-after")]).toEqual([503, "5"])
  expect(errors).toEqual(["ingest failed"])
})

test("what the database refuses is not asked for again", async ({ database }) => {
  const errors: string[] = []
  const belay = await startTestBelay(database, { onError: (message) => errors.push(message) })
  await sql`alter table signal add constraint nothing_fits check (session_id is null)`.execute(database.owner)
  const response = await belay.postFixture("captured/claude-16.logs.pb")
  await belay.close()
  expect([response.status, response.headers.get("retry-after")]).toEqual([400, null])
  expect(errors).toEqual(["ingest failed"])
})
