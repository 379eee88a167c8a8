import fc from "fast-check"
import { sql } from "kysely"
import { expect } from "vitest"
import { type TestDatabase, test } from "../../test/db.ts"
import { makeOrganization, makeSignal, NOW, storeSignals } from "../../test/factories.ts"
import type { Signal } from "../ingest/signal.ts"
import { countAll } from "./loop.ts"
import { verifyRollups } from "./rebuild.ts"
import { maintainPartitions } from "../ingest/partitions.ts"
import { isAllCounted, maintainRollups } from "./retention.ts"
import { countNext } from "./step.ts"

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

const differencesOf = async (database: TestDatabase, orgId: string) =>
  (await verifyRollups(database.worker, orgId, { now: NOW, isRepair: false })).filter(
    (table) => table.wrong + table.missing > 0,
  )

/** The organization asks for a rebuild at first, which would hide what steps do. */
async function startCounting(database: TestDatabase, orgId: string): Promise<void> {
  await countAll(database.worker, NOW)
  expect(await database.worker.selectFrom("rollup_state").select(["org_id", "needs_rebuild"]).execute()).toContainEqual(
    {
      org_id: orgId,
      needs_rebuild: false,
    },
  )
}

test("signals are summed by minute, hour and day, and a re-sent batch adds nothing", async ({ database }) => {
  const orgId = await makeOrganization(database)
  await startCounting(database, orgId)
  const call = (minutesAgo: number, latencyMs: number) =>
    makeSignal({
      kind: "model_call",
      rung: "agent",
      model: "opus",
      at: new Date(NOW.getTime() - minutesAgo * MINUTE_MS),
      latencyMs,
      inputTokens: 1000,
      costUsd: 0.25,
    })
  const signals = [call(0, 100), call(0, 105), call(70, 2000), call(60 * 24 * 3, 10)]
  await storeSignals(database, orgId, signals)
  await storeSignals(database, orgId, signals)
  await countAll(database.worker, NOW)
  const sums = async (table: string) =>
    (
      await sql<{ signals: number }>`
        select signals, (select sum(n) from unnest(latency_counts) n)::int as timed from ${sql.table(table)} order by 1, 2`.execute(
        database.owner,
      )
    ).rows.map((row) => Object.values(row))
  // The oldest is past the 48 hours for which minutes are kept.
  expect(await sums("signal_minute")).toEqual([
    [1, 1],
    [2, 2],
  ])
  expect(await sums("signal_hour")).toEqual([
    [1, 1],
    [1, 1],
    [2, 2],
  ])
  expect(await sums("signal_day")).toEqual([
    [1, 1],
    [3, 3],
  ])
  const usage = await database.owner
    .selectFrom("developer_usage_day")
    .select(["input_tokens", "cost_usd"])
    .orderBy("input_tokens")
    .execute()
  expect(usage).toEqual([
    { input_tokens: 1000, cost_usd: "0.250000" },
    { input_tokens: 3000, cost_usd: "0.750000" },
  ])
  expect(await differencesOf(database, orgId)).toEqual([])
})

test("an operation is of the mode, language and model that it has one of, and goes in circles when its tools fail", async ({
  database,
}) => {
  const orgId = await makeOrganization(database)
  await startCounting(database, orgId)
  const task = (operationId: string, fields: Parameters<typeof makeSignal>[0] = {}) =>
    makeSignal({ kind: "task", rung: "agent", operationId, ...fields })
  const tools = (operationId: string, failed: number, fine: number) =>
    Array.from({ length: failed + fine }, (_, index) =>
      makeSignal({ kind: "tool_call", rung: "agent", operationId, error: index < failed ? "other" : null }),
    )
  const call = (operationId: string, model: string, costUsd: number | null) =>
    makeSignal({ kind: "model_call", rung: "agent", operationId, model, inputTokens: 90, outputTokens: 10, costUsd })
  await storeSignals(database, orgId, [
    task("one", { mode: "plan", language: "go" }),
    ...tools("one", 5, 5),
    call("one", "opus", 0.5),
    call("one", "opus", null),
    task("several", { mode: "plan", language: "go" }),
    task("several", { mode: "code", language: null }),
    ...tools("several", 5, 6),
    call("several", "opus", 0.5),
    call("several", "haiku", 0.25),
    ...tools("few", 4, 0),
    makeSignal({ kind: "suggestion", rung: "autocomplete", language: "rust", mode: null }),
  ])
  await countAll(database.worker, NOW)
  const names = async (id: number) =>
    id <= 0
      ? id
      : (await database.owner.selectFrom("dimension").select("value").where("id", "=", id).executeTakeFirstOrThrow())
          .value
  const rows = await database.owner
    .selectFrom("work_day")
    .selectAll()
    .orderBy("is_loop")
    .orderBy("rung")
    .orderBy("calls")
    .execute()
  const told = await Promise.all(
    rows.map(async (row) => [
      ...[
        await names(row.model_id),
        await names(row.mode_id),
        await names(row.language_id),
        row.is_loop,
        row.operations,
      ],
      ...[row.with_tools, row.calls, row.tokens, row.cost_usd, row.open_input_tokens, row.open_output_tokens],
    ]),
  )
  expect(told).toEqual([
    [0, 0, "rust", false, 1, 0, 0, 0, "0.000000", 0, 0],
    [0, 0, 0, false, 1, 1, 0, 0, "0.000000", 0, 0],
    [-1, -1, "go", false, 1, 1, 2, 200, "0.750000", 0, 0],
    ["opus", "plan", "go", true, 1, 1, 2, 200, "0.500000", 90, 10],
  ])
  expect(await differencesOf(database, orgId)).toEqual([])
})

test("days begin in the organization's zone, also on the day on which the clocks change", async ({ database }) => {
  const orgId = await makeOrganization(database)
  await database.owner.updateTable("org").set({ time_zone: "Europe/Berlin" }).where("id", "=", orgId).execute()
  await startCounting(database, orgId)
  const at = (text: string) => makeSignal({ at: new Date(text) })
  await storeSignals(database, orgId, [
    // Summer time ended on 25 October 2026 at 01:00 UTC: that day has 25 hours.
    at("2026-10-24T21:59:00Z"),
    at("2026-10-24T22:01:00Z"),
    at("2026-10-25T22:59:00Z"),
    at("2026-10-25T23:01:00Z"),
  ])
  await countAll(database.worker, NOW)
  const days = await sql`select day::text as day, signals from signal_day order by day`.execute(database.owner)
  expect(days.rows).toEqual([
    { day: "2026-10-24", signals: 1 },
    { day: "2026-10-25", signals: 2 },
    { day: "2026-10-26", signals: 1 },
  ])
  const operations = await sql`select day::text as day, operations from developer_day order by day`.execute(
    database.owner,
  )
  expect(operations.rows).toEqual(
    days.rows.map((row) => ({ day: (row as { day: string }).day, operations: (row as { signals: number }).signals })),
  )
})

test("two processes at once count every signal once", async ({ database }) => {
  const orgs = [await makeOrganization(database), await makeOrganization(database)]
  for (const orgId of orgs) await startCounting(database, orgId)
  for (const orgId of orgs) {
    for (let batch = 0; batch < 5; batch++) {
      await storeSignals(database, orgId, [makeSignal({ operationId: "shared" }), makeSignal()])
    }
  }
  await Promise.all(Array.from({ length: 4 }, () => countAll(database.worker, NOW).catch(() => {})))
  await countAll(database.worker, NOW)
  const rows = await database.owner
    .selectFrom("operation")
    .select(["org_id", "signals"])
    .where("operation_id", "=", "shared")
    .execute()
  expect(rows.toSorted((a, b) => (a.org_id < b.org_id ? -1 : 1))).toEqual(
    orgs.toSorted().map((org_id) => ({ org_id, signals: 5 })),
  )
  for (const orgId of orgs) expect(await differencesOf(database, orgId)).toEqual([])
})

test("signals are only dropped once they are counted, and what was counted of them stays", async ({ database }) => {
  const orgId = await makeOrganization(database)
  const old = new Date(NOW.getTime() - 20 * 24 * HOUR_MS)
  await storeSignals(database, orgId, [makeSignal({ at: old }), makeSignal({ at: old, rung: "autocomplete" })])
  const upkeep = async (now: Date) => {
    const mayDrop = await isAllCounted(database.worker)
    await maintainPartitions(database.worker, { now, retentionDays: 30, mayDrop })
    await maintainRollups(database.worker, { now, retentionDays: 30 })
    return (await sql`select from signal`.execute(database.owner)).rows.length
  }
  const later = new Date(NOW.getTime() + 30 * 24 * HOUR_MS)
  expect(await upkeep(later)).toBe(2)
  await countAll(database.worker, NOW)
  expect(await upkeep(later)).toBe(0)
  // A rebuild has nothing to make those days from, and leaves them.
  await verifyRollups(database.worker, orgId, { now: later, isRepair: true })
  const days = await database.owner.selectFrom("developer_day").select(["rung", "operations"]).orderBy("rung").execute()
  expect(days).toEqual([
    { rung: "autocomplete", operations: 1 },
    { rung: "chat", operations: 1 },
  ])
})

test("verify finds a row that was counted wrongly, and repairs it when asked", async ({ database }) => {
  const orgId = await makeOrganization(database)
  await storeSignals(database, orgId, [makeSignal()])
  await countAll(database.worker, NOW)
  await database.owner.updateTable("signal_day").set({ signals: 7 }).execute()
  expect(await differencesOf(database, orgId)).toEqual([{ table: "signal_day", rows: 1, wrong: 1, missing: 1 }])
  await verifyRollups(database.worker, orgId, { now: NOW, isRepair: true })
  expect(await differencesOf(database, orgId)).toEqual([])
})

/** One observation, and in which batch it comes. */
interface Sent {
  readonly batch: number
  readonly signal: Signal
}

/** Events reported twice, operations with parts, people named late, late signals: all that makes counting hard. */
const sent: fc.Arbitrary<readonly Sent[]> = fc
  .array(
    fc.record({
      batch: fc.nat({ max: 7 }),
      operation: fc.option(fc.nat({ max: 5 })),
      parent: fc.option(fc.nat({ max: 5 })),
      kind: fc.constantFrom(
        "start",
        "turn",
        "task",
        "run",
        "model_call",
        "tool_call",
        "edit",
        "permission",
        "suggestion",
        "policy_decision",
      ),
      action: fc.option(fc.constantFrom("git push", "ls")),
      policyEffect: fc.option(fc.constantFrom("allow", "deny")),
      repository: fc.option(fc.constantFrom("acme/shop", "acme/site")),
      rung: fc.constantFrom("autocomplete", "chat", "agent", "orchestration"),
      model: fc.option(fc.constantFrom("opus", "haiku")),
      mode: fc.option(fc.constantFrom("plan", "code")),
      language: fc.option(fc.constantFrom("go", "rust")),
      error: fc.option(fc.constant("timeout")),
      inputTokens: fc.option(fc.constant(100)),
      costUsd: fc.option(fc.constant(0.25)),
      person: fc.option(fc.constantFrom("ada", "ben")),
      hoursAgo: fc.nat({ max: 60 }),
      latencyMs: fc.option(fc.integer({ min: 0, max: 1_000_000 })),
      outcome: fc.option(fc.constantFrom("accepted", "rejected", "ignored")),
      origin: fc.option(fc.constantFrom("human", "rule", "timeout")),
      event: fc.option(fc.nat({ max: 6 })),
      evidence: fc.constantFrom("primary", "secondary"),
    }),
    { minLength: 1, maxLength: 40 },
  )
  .map((drawn) =>
    drawn.map(({ batch, operation, parent, person, hoursAgo, event, evidence, latencyMs, ...fields }, index) => ({
      batch,
      signal: {
        ...makeSignal({
          ...(fields as Parameters<typeof makeSignal>[0]),
          at: new Date(NOW.getTime() - hoursAgo * HOUR_MS - index),
          operationId: operation === null ? null : `operation ${operation}`,
          parentOperationId: parent === null || parent === operation ? null : `operation ${parent}`,
          latencyMs,
          durationMs: latencyMs === null ? null : latencyMs * 2,
          occurrence: event === null ? null : { id: `event ${event}`, evidence },
          ...(person === null ? { identity: null } : { person }),
        }),
      },
    })),
  )

test("in whatever order signals come and steps are taken, the rollups are those of a rebuild", async ({ database }) => {
  await fc.assert(
    fc.asyncProperty(sent, fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }), async (signals, steps) => {
      const orgId = await makeOrganization(database)
      await startCounting(database, orgId)
      for (let batch = 0; batch < 8; batch++) {
        const own = signals.filter((item) => item.batch === batch).map((item) => item.signal)
        if (own.length > 0) await storeSignals(database, orgId, own)
        if (steps[batch] === true) await countNext(database.worker, NOW)
      }
      await countAll(database.worker, NOW)
      expect(await differencesOf(database, orgId)).toEqual([])
      const left = await sql`select 1 from signal_retraction where org_id = ${orgId}::uuid`.execute(database.owner)
      expect(left.rows).toEqual([])
    }),
    { numRuns: 12 },
  )
})
