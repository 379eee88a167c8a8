import { sql } from "kysely"
import { expect } from "vitest"
import { type TestDatabase, test } from "../../test/db.ts"
import { makeOrganization, makeSignal, NOW, storeSignals } from "../../test/factories.ts"
import { openCopyClient } from "../db/copy-client.ts"
import { asTenant } from "../db/tenant.ts"
import type { Signal } from "./signal.ts"
import { openSignalStore } from "./signal-store.ts"

const at = (ms: number) => new Date(NOW.getTime() + ms)

/** A permission as a log record, and the span that knows how long the person took. */
const primary = () =>
  makeSignal({
    kind: "permission",
    sourceId: "log",
    outcome: "accepted",
    origin: "human",
    model: "m1",
    at: at(20),
    occurrence: { id: "tool 1", evidence: "primary" },
  })
const secondary = () =>
  makeSignal({
    kind: "permission",
    sourceId: "span",
    outcome: "rejected",
    waitMs: 6880,
    costUsd: 0.25,
    at: at(10),
    occurrence: { id: "tool 1", evidence: "secondary" },
  })

async function stored(database: TestDatabase) {
  const result = await sql<Record<string, unknown>>`
    select kind, outcome, origin, model, wait_ms, cost_usd::float8 as cost_usd, observed_at from signal_readable
    order by observed_at`.execute(database.owner)
  return result.rows
}

/** As another process of Belay does. */
async function storeElsewhere(database: TestDatabase, orgId: string, signals: readonly Signal[]): Promise<void> {
  const store = openSignalStore({ url: database.url, db: database.ingest, now: () => NOW })
  await store.store(orgId, { signals, unrecognized: [] })
  await store.close()
}

const MERGED = {
  kind: "permission",
  outcome: "accepted",
  origin: "human",
  model: "m1",
  wait_ms: 6880,
  cost_usd: 0.25,
  observed_at: at(20),
}

test.for([
  { name: "in one batch", batches: [[primary, secondary]] },
  { name: "the primary first", batches: [[primary], [secondary]] },
  { name: "the primary last", batches: [[secondary], [primary]] },
  { name: "each twice", batches: [[secondary], [primary], [primary], [secondary], [secondary, primary]] },
])("two reports of one event are one signal that knows what both knew: $name", async ({ batches }, { database }) => {
  const orgId = await makeOrganization(database)
  for (const batch of batches)
    await storeSignals(
      database,
      orgId,
      batch.map((make) => make()),
    )
  expect(await stored(database)).toEqual([MERGED])
})

test("two reports of one event that arrive at once are one signal", async ({ database }) => {
  const orgId = await makeOrganization(database)
  await Promise.all([primary, secondary, secondary, primary].map((make) => storeElsewhere(database, orgId, [make()])))
  expect(await stored(database)).toEqual([MERGED])
})

async function countSignals(database: TestDatabase): Promise<number> {
  const result = await sql<{ count: number }>`select count(*) as count from signal`.execute(database.owner)
  return Number(result.rows[0]?.count)
}

test("a batch that is sent again, in the same commit or a later one, is stored once", async ({ database }) => {
  const orgId = await makeOrganization(database)
  const signals = Array.from({ length: 50 }, () => makeSignal())
  await Promise.all(Array.from({ length: 8 }, () => storeSignals(database, orgId, signals)))
  await storeSignals(database, orgId, signals)
  expect(await countSignals(database)).toBe(50)
})

test("of a batch that is partly there the rest is stored, whether or not duplicates are expected", async ({
  database,
}) => {
  const orgId = await makeOrganization(database)
  const signals = Array.from({ length: 40 }, () => makeSignal())
  await storeSignals(database, orgId, signals.slice(0, 10))
  await storeSignals(database, orgId, signals.slice(0, 20))
  await storeSignals(database, orgId, signals.slice(15, 30))
  await storeSignals(database, orgId, signals.slice(30))
  expect(await countSignals(database)).toBe(40)
})

test("processes that store the same signals in another order at once store each once", async ({ database }) => {
  const orgId = await makeOrganization(database)
  const signals = Array.from({ length: 300 }, (_, index) => makeSignal({ person: `person${index % 3}` }))
  await Promise.all([
    storeElsewhere(database, orgId, signals),
    storeElsewhere(database, orgId, signals.toReversed()),
    storeElsewhere(database, orgId, signals.slice(100)),
  ])
  expect(await countSignals(database)).toBe(300)
})

test("signals of several days are stored in one commit, each in the partition of its day", async ({ database }) => {
  const orgId = await makeOrganization(database)
  const day = 86_400_000
  await storeSignals(
    database,
    orgId,
    [0, -day, -2 * day, 0].map((ms) => makeSignal({ at: at(ms) })),
  )
  const result = await sql`
    select tableoid::regclass::text as partition, count(*)::int as count from signal group by 1 order by 1`.execute(
    database.owner,
  )
  expect(result.rows).toEqual([
    { partition: "signal_20261118", count: 1 },
    { partition: "signal_20261119", count: 1 },
    { partition: "signal_20261120", count: 2 },
  ])
})

test("a batch that cannot be stored costs only itself, not those it shares a commit with", async ({ database }) => {
  const orgId = await makeOrganization(database)
  await sql`alter table signal add constraint no_swearing check (action <> 'swear')`.execute(database.owner)
  const results = await Promise.allSettled(
    ["one", "swear", "two"].map((action) => storeSignals(database, orgId, [makeSignal({ action })])),
  )
  expect(results.map((result) => result.status)).toEqual(["fulfilled", "rejected", "fulfilled"])
  expect(await countSignals(database)).toBe(2)
})

test("a batch of one organization cannot be stored as another's, even by whoever has the connection", async ({
  database,
}) => {
  const [theirs, ours] = [await makeOrganization(database), await makeOrganization(database)]
  await storeSignals(database, ours, [makeSignal()])
  const client = await openCopyClient({
    url: database.url,
    role: "belay_ingest",
    applicationName: "test",
    connectTimeoutMs: 1000,
  })
  const refused = async (statements: string, message: RegExp) => {
    await expect(
      client.copy(`begin; set local belay.org_id = '${ours}'; set local belay.batch_id = '1'; ${statements}`, []),
    ).rejects.toThrow(message)
    await client.copy("rollback", [])
  }
  try {
    await refused("copy signal_20261120 from stdin", /permission denied/)
    await refused("copy signal_20261120 (org_id, kind) from stdin", /permission denied/)
    await refused(`insert into signal_20261120 (org_id) values ('${theirs}')`, /permission denied/)
    await refused(
      `insert into signal (org_id, developer_id, observed_at, signal_id, kind, rung, agent_tool_id)
       select '${theirs}', developer_id, observed_at, gen_random_uuid(), kind, rung, agent_tool_id from signal`,
      /row-level security/,
    )
    await refused("select from signal_20261120", /permission denied/)
    await refused("update signal_20261120 set kind = 'turn'", /permission denied/)
    await refused("delete from signal_20261120", /permission denied/)
    // A transaction for nobody has nobody to write for.
    await expect(client.copy("copy signal_20261120 (kind) from stdin", [[]])).resolves.toEqual(["COPY 0"])
    await expect(client.copy("copy signal_20261120 (kind) from stdin", [[Buffer.from("turn\n")]])).rejects.toThrow(
      /type uuid: ""/,
    )
  } finally {
    await client.close()
  }
  const owners = await sql`select distinct org_id from signal`.execute(database.owner)
  expect(owners.rows).toEqual([{ org_id: ours }])
})

test("a record without an operation belongs to its session's latest prompt, in whichever batch that came", async ({
  database,
}) => {
  const orgId = await makeOrganization(database)
  const prompt = (operationId: string, ms: number, sessionId = "s1") =>
    makeSignal({ kind: "start", operationId, sessionId, at: at(ms) })
  const call = (ms: number, sessionId: string | null = "s1") =>
    makeSignal({ kind: "model_call", operationId: null, sessionId, at: at(ms) })
  await storeSignals(database, orgId, [prompt("first", 1000), prompt("second", 2000), prompt("other", 1500, "s2")])
  await storeSignals(database, orgId, [call(500), call(1800), call(9000), call(9001, "s3"), call(9002, null)])
  await storeSignals(database, orgId, [
    makeSignal({ kind: "task", rung: "orchestration", operationId: "agent 1", sessionId: "s1", at: at(9500) }),
    makeSignal({ kind: "session", operationId: null, sessionId: "s1", at: at(9600) }),
    // It says what comes next, not what the prompt before it was.
    makeSignal({ kind: "mode_change", rung: "orchestration", operationId: null, sessionId: "s1", at: at(9650) }),
    // What was asked for is nobody's part, least of all its own.
    makeSignal({ kind: "task", rung: "agent", operationId: "second", sessionId: "s1", at: at(9700) }),
    makeSignal({ kind: "task", rung: "orchestration", operationId: "second", sessionId: "s1", at: at(9800) }),
  ])
  const rows = await sql`
    select kind, operation_id, parent_operation_id from signal where kind <> 'start' order by observed_at`.execute(
    database.owner,
  )
  expect(rows.rows).toEqual([
    { kind: "model_call", operation_id: null, parent_operation_id: null },
    { kind: "model_call", operation_id: "first", parent_operation_id: null },
    { kind: "model_call", operation_id: "second", parent_operation_id: null },
    { kind: "model_call", operation_id: null, parent_operation_id: null },
    { kind: "model_call", operation_id: null, parent_operation_id: null },
    { kind: "task", operation_id: "agent 1", parent_operation_id: "second" },
    { kind: "session", operation_id: null, parent_operation_id: null },
    { kind: "mode_change", operation_id: null, parent_operation_id: null },
    { kind: "task", operation_id: "second", parent_operation_id: null },
    { kind: "task", operation_id: "second", parent_operation_id: null },
  ])
})

test("the time of an event is kept to the microsecond and numbers that cannot be are left out", async ({
  database,
}) => {
  const orgId = await makeOrganization(database)
  const observedUnixNano = BigInt(NOW.getTime()) * 1_000_000n + 123_456_789n
  await storeSignals(database, orgId, [
    makeSignal({
      observedUnixNano,
      latencyMs: -5,
      durationMs: Number.NaN,
      inputTokens: 1e15,
      costUsd: Infinity,
      linesAdded: -3,
    }),
  ])
  const result = await sql`
    select observed_at::text as observed_at, latency_ms, duration_ms, input_tokens, cost_usd, lines_added from signal`.execute(
    database.owner,
  )
  expect(result.rows).toEqual([
    {
      observed_at: "2026-11-20 12:00:00.123456+00",
      latency_ms: null,
      duration_ms: null,
      input_tokens: 2_147_483_647,
      cost_usd: null,
      lines_added: 0,
    },
  ])
})

test("one person is one developer, whichever process meets them first, and is stored without their address", async ({
  database,
}) => {
  const orgId = await makeOrganization(database)
  const people = Array.from({ length: 20 }, (_, index) => `person${index}`)
  await Promise.all(
    Array.from({ length: 4 }, () =>
      storeSignals(
        database,
        orgId,
        people.map((person) => makeSignal({ person })),
      ),
    ),
  )
  const developers = await database.owner
    .selectFrom("developer")
    .select("pseudonym")
    .where("is_unattributed", "=", false)
    .execute()
  expect(developers).toHaveLength(20)
  const identities = await sql<{ text: string }>`select row_to_json(i)::text as text from developer_identity i`.execute(
    database.owner,
  )
  expect(identities.rows.map((row) => row.text).join()).not.toMatch(/person|example/)
})

test("a new version of an agent tool is a change, dated by its first signal", async ({ database }) => {
  const orgId = await makeOrganization(database)
  await storeSignals(database, orgId, [
    makeSignal({ agentVersion: "2.0.0", at: at(5000) }),
    makeSignal({ agentVersion: "2.0.0", at: at(1000) }),
  ])
  await storeSignals(database, orgId, [makeSignal({ agentVersion: "2.0.0", at: at(9000) })])
  const changes = await database.owner.selectFrom("change").select(["kind", "subject", "occurred_at"]).execute()
  expect(changes).toEqual([{ kind: "agent_version", subject: "claude-code 2.0.0", occurred_at: at(1000) }])
})

test("what is not recognized is counted by name, and past a thousand names together", async ({ database, db }) => {
  const orgId = await makeOrganization(database)
  const send = (from: number, count: number) =>
    database.store.store(orgId, {
      signals: [],
      unrecognized: Array.from({ length: count }, (_, index) => ({
        dialect: "codex",
        signal: "traces" as const,
        name: `span ${from + index}`,
        count: 2,
      })),
    })
  await send(0, 1000)
  await send(0, 1)
  await send(1000, 5)
  const items = await asTenant(db, orgId, (tx) =>
    tx
      .selectFrom("unrecognized_item")
      .select(["name", "count"])
      .where("name", "in", ["span 0", "span 1", "(other)"])
      .orderBy("name")
      .execute(),
  )
  expect(items).toEqual([
    { name: "(other)", count: 10 },
    { name: "span 0", count: 4 },
    { name: "span 1", count: 2 },
  ])
})

test("what someone sends after they were removed is not the removed one's, a minute later", async ({ database }) => {
  const orgId = await makeOrganization(database)
  let now = NOW
  const store = openSignalStore({ url: database.url, db: database.ingest, now: () => now })
  const send = () => store.store(orgId, { signals: [makeSignal()], unrecognized: [] })
  await send()
  const { developer_id: before } = await database.owner
    .selectFrom("signal")
    .select("developer_id")
    .executeTakeFirstOrThrow()
  await database.owner.deleteFrom("developer_identity").execute()
  await database.owner.updateTable("developer").set({ pseudonym: "gone-1" }).where("id", "=", before).execute()
  now = at(60_000)
  await send()
  await store.close()
  const senders = await database.owner.selectFrom("signal").select("developer_id").distinct().execute()
  expect(senders).toHaveLength(2)
})
