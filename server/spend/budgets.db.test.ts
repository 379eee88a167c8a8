import { randomUUID } from "node:crypto"
import { sql } from "kysely"
import { expect } from "vitest"
import { POLICY_SCHEMA, type PolicyBudget } from "#sdk/policy/document.ts"
import { type TestDatabase, test } from "../../test/db.ts"
import { joinTeam, makeOrganization, makeSignal, makeTeam, NOW, storeAndCount } from "../../test/factories.ts"
import { asTenant, type TenantTx } from "../db/tenant.ts"
import type { SignalFields } from "../ingest/signal.ts"
import { findByRule } from "../alert/rule-findings.ts"
import { DEFAULT_RULES } from "../alert/rules.ts"
import { saveDraft } from "../policy/drafts.ts"
import type { LayerTarget } from "../policy/layers.ts"
import { publishDraft } from "../policy/publish.ts"
import { countAll } from "../rollup/loop.ts"
import { verifyRollups } from "../rollup/rebuild.ts"
import { createAccount } from "../team/bootstrap.ts"
import { recountAll } from "./loop.ts"
import { listPrices, setPrice } from "./price-table.ts"
import { calendarOf } from "./periods.ts"
import { getUse, listUnpricedModels } from "./use.ts"

const ORGANIZATION: LayerTarget = { kind: "organization" }

async function makeOffice(database: TestDatabase) {
  const orgId = await makeOrganization(database)
  const { accountId } = await createAccount(database.owner, {
    orgId,
    email: `ada.${orgId}@example.org`,
    name: "Ada",
    role: "admin",
    password: "x".repeat(12),
  })
  const by = { orgId, actorId: accountId, actorEmail: "ada@example.org", occurredAt: NOW, requestId: "request" }
  const work = <T>(of: (tx: TenantTx) => Promise<T>) => asTenant(database.app, orgId, of)
  const publish = (target: LayerTarget, budgets: readonly PolicyBudget[]) =>
    work(async (tx) => {
      await saveDraft(tx, { target, revision: null, document: { schema: POLICY_SCHEMA, budgets: [...budgets] }, by })
      return publishDraft(tx, { target, revision: 1, note: null, by })
    })
  const recount = (now = NOW) => recountAll(database, now)
  const periods = async () => {
    const rows = await database.owner
      .selectFrom("budget_period")
      .select(["budget_id as id", "subject_id as subject", "people", sql<number>`spent::float8`.as("spent")])
      .select(["starts_at as startsAt", "unpriced_tokens as unpriced"])
      .orderBy("budget_id")
      .orderBy("spent")
      .execute()
    return rows
  }
  return { orgId, by, work, publish, recount, periods }
}

const budget = (fields: Partial<PolicyBudget> & Pick<PolicyBudget, "id">): PolicyBudget => ({
  scope: "organization",
  period: "month",
  limit: { unit: "usd", amount: 100 },
  hard: "deny",
  ...fields,
})

const call = (at: string, fields: Partial<SignalFields> & { person?: string } = {}) =>
  makeSignal({ kind: "model_call", at: new Date(at), model: "claude-opus-4-5-20251101", ...fields })

const tokens = (inputTokens: number, outputTokens = 0) => ({ inputTokens, outputTokens })

test("the source's cost counts, else the price of the day; what has no price is named with its tokens", async ({
  database,
}) => {
  const { orgId, work, by } = await makeOffice(database)
  await storeAndCount(database, orgId, [
    call("2026-11-19T10:00:00Z", { ...tokens(1_000_000, 100_000), costUsd: 1.25 }),
    // 200,000 × 5 + 800,000 × 0.5 + 100,000 × 25 = 3.9 dollars.
    call("2026-11-19T10:01:00Z", { ...tokens(1_000_000, 100_000), cachedTokens: 800_000 }),
    call("2026-11-20T10:00:00Z", { ...tokens(1_000_000) }),
    call("2026-11-20T10:00:00Z", { ...tokens(500, 7), model: "our-own" }),
    // An agent's own sum of a turn, and a task's of its calls: not another time.
    makeSignal({ kind: "context", costUsd: 50, at: new Date("2026-11-20T10:00:00Z") }),
    makeSignal({ kind: "task", ...tokens(9_000_000), at: new Date("2026-11-20T10:00:00Z") }),
    // A turn that sums its calls, of a source that has no signal for each.
    makeSignal({ ...tokens(2_000_000), model: "claude-opus-4-5", at: new Date("2026-11-20T10:00:00Z") }),
  ])
  const period = calendarOf("UTC").periodAt("month", NOW)
  const scope = { period, timeZone: "UTC", subject: { kind: "organization" as const, id: orgId } }
  const read = () => work((tx) => getUse(tx, scope))
  expect(await read()).toEqual({ usd: 1.25 + 3.9 + 5 + 10, tokens: 5_200_507, unpricedTokens: 507, people: 1 })
  const from = new Date("2026-11-01T00:00:00Z")
  expect(await work((tx) => listUnpricedModels(tx, from))).toEqual([
    { model: "our-own", provider: null, calls: 1, tokens: 507, lastAt: new Date("2026-11-20T10:00:00Z") },
  ])
  const own = {
    model: "our-own",
    provider: "*",
    price: { inputUsd: 2, outputUsd: 0, cachedUsd: null, cacheWriteUsd: null },
  }
  const opus = { ...own, model: "claude-opus-4-5", provider: "anthropic" }
  await work(async (tx) => {
    expect(await setPrice(tx, { ...own, validFrom: "2026-11-20", by })).toBe(true)
    expect(await setPrice(tx, { ...own, validFrom: "2026-11-20", by })).toBe(false)
    // Of the 20th alone: the call of the 19th keeps its price.
    await setPrice(tx, { ...opus, validFrom: "2026-11-20", by })
  })
  expect(await read()).toEqual({ usd: 1.25 + 3.9 + 2 + 4 + 0.001, tokens: 5_200_507, unpricedTokens: 0, people: 1 })
  expect(await work((tx) => listUnpricedModels(tx, from))).toEqual([])
  // Of several changes in one instant, the last counts.
  for (const price of [own.price, null, own.price, null, own.price, null]) {
    await work((tx) => setPrice(tx, { ...own, model: "another", validFrom: "2026-11-20", price, by }))
    const listed = (await work((tx) => listPrices(tx, by.occurredAt))).find(({ model }) => model === "another")
    expect(listed?.price ?? null).toEqual(price)
  }
  const audit = await database.owner.selectFrom("audit_event").select("action").where("org_id", "=", orgId).execute()
  const all = audit.map(({ action }) => action)
  expect(all.filter((action) => action === "price.set")).toHaveLength(5)
  expect(all.filter((action) => action === "price.reset")).toHaveLength(3)
})

test("days begin in the organization's zone or the budget's own, and late signals count where they belong", async ({
  database,
}) => {
  const { orgId, publish, recount, periods } = await makeOffice(database)
  await database.owner.updateTable("org").set({ time_zone: "Europe/Berlin" }).where("id", "=", orgId).execute()
  await publish(ORGANIZATION, [
    budget({ id: "berlin-day", period: "day" }),
    budget({ id: "berlin-week", period: "week" }),
    budget({ id: "delhi-day", period: "day", timeZone: "Asia/Kolkata" }),
  ])
  // NOW is Friday the 20th at noon. Berlin's day begins at 23:00 of the 19th, Delhi's at 18:30.
  const paid = (at: string, costUsd: number) => call(at, { costUsd, ...tokens(1) })
  await storeAndCount(database, orgId, [
    paid("2026-11-19T18:29:59Z", 1),
    paid("2026-11-19T18:30:00Z", 2),
    paid("2026-11-19T22:59:59Z", 4),
    paid("2026-11-19T23:00:00Z", 8),
    paid("2026-11-15T22:59:59Z", 16),
    paid("2026-11-15T23:00:00Z", 32),
  ])
  await recount()
  const spent = async () => Object.fromEntries((await periods()).map(({ id, spent }) => [id, spent]))
  expect(await spent()).toEqual({ "berlin-day": 8, "berlin-week": 47, "delhi-day": 14 })
  // Three days late, and before the day that runs.
  await storeAndCount(database, orgId, [paid("2026-11-17T10:00:00Z", 64)])
  await recount()
  expect(await spent()).toEqual({ "berlin-day": 8, "berlin-week": 111, "delhi-day": 14 })
})

test("a day's use has the prices of both UTC days that it has part in, before and after a change of zone is counted", async ({
  database,
}) => {
  const { orgId, work, by } = await makeOffice(database)
  const setZone = (zone: string) =>
    database.owner.updateTable("org").set({ time_zone: zone }).where("id", "=", orgId).execute()
  await setZone("Asia/Tokyo")
  const own = { model: "our-own", provider: "*" }
  const price = (inputUsd: number) => ({ inputUsd, outputUsd: 0, cachedUsd: null, cacheWriteUsd: null })
  await work(async (tx) => {
    await setPrice(tx, { ...own, validFrom: "2026-11-01", price: price(1), by })
    await setPrice(tx, { ...own, validFrom: "2026-11-20", price: price(10), by })
  })
  const used = (at: string) => call(at, { ...tokens(1_000_000), model: "our-own" })
  // The first count is a rebuild. Tokyo's 20th begins at 15:00 of the 19th in UTC.
  await storeAndCount(database, orgId, [used("2026-11-19T14:59:00Z"), used("2026-11-19T15:00:00Z")])
  await storeAndCount(database, orgId, [used("2026-11-19T23:59:00Z"), used("2026-11-20T00:00:00Z")])
  const subject = { kind: "organization" as const, id: orgId }
  const spent = async (timeZone: string) => {
    const period = calendarOf(timeZone).periodAt("day", NOW)
    return (await work((tx) => getUse(tx, { period, timeZone, subject }))).usd
  }
  expect([await spent("Asia/Tokyo"), await spent("UTC")]).toEqual([12, 10])
  const days = () =>
    database.owner
      .selectFrom("model_use_day")
      .select([sql<string>`day::text`.as("day"), sql<string>`utc_day::text`.as("utc"), "calls"])
      .orderBy("day")
      .orderBy("utc_day")
      .execute()
  const tokyo = [
    { day: "2026-11-19", utc: "2026-11-19", calls: 1 },
    { day: "2026-11-20", utc: "2026-11-19", calls: 2 },
    { day: "2026-11-20", utc: "2026-11-20", calls: 1 },
  ]
  expect(await days()).toEqual(tokyo)
  expect(
    (await verifyRollups(database.worker, orgId, { now: NOW, isRepair: false })).find(
      ({ table }) => table === "model_use_day",
    ),
  ).toMatchObject({ rows: 3, wrong: 0, missing: 0 })

  await setZone("Europe/Berlin")
  await database.owner.updateTable("rollup_state").set({ needs_rebuild: true }).execute()
  // Berlin's 20th begins at 23:00.
  expect([await spent("Europe/Berlin"), await days()]).toEqual([11, tokyo])
  await storeAndCount(database, orgId, [])
  expect(await spent("Europe/Berlin")).toBe(11)
  expect(await days()).toEqual([
    { day: "2026-11-19", utc: "2026-11-19", calls: 2 },
    { day: "2026-11-20", utc: "2026-11-19", calls: 1 },
    { day: "2026-11-20", utc: "2026-11-20", calls: 1 },
  ])
})

test("a day of 25 hours has all of them", async ({ database }) => {
  const { orgId, work } = await makeOffice(database)
  const paid = (at: string, costUsd: number) => call(at, { costUsd, ...tokens(1) })
  await storeAndCount(database, orgId, [
    paid("2026-11-01T03:59:00Z", 1),
    paid("2026-11-01T04:00:00Z", 2),
    paid("2026-11-01T05:30:00Z", 4),
    paid("2026-11-01T06:30:00Z", 8),
    paid("2026-11-02T04:59:00Z", 16),
    paid("2026-11-02T05:00:00Z", 32),
  ])
  const period = calendarOf("America/New_York").periodAt("day", new Date("2026-11-01T12:00:00Z"))
  const subject = { kind: "organization" as const, id: orgId }
  expect(await work((tx) => getUse(tx, { period, timeZone: "UTC", subject }))).toMatchObject({ usd: 30 })
})

test("use is the team's in which a person was then, a person's wherever they were; sub-teams count for their team", async ({
  database,
}) => {
  const { orgId, publish, recount, periods } = await makeOffice(database)
  const [old, next] = [await makeTeam(database, orgId, "Old"), await makeTeam(database, orgId, "Next")]
  const part = await makeTeam(database, orgId, "Part", next)
  await joinTeam(database, { orgId, person: "ada", teamId: old, from: "2026-01-01", to: "2026-11-10" })
  await joinTeam(database, { orgId, person: "ada", teamId: part, from: "2026-11-10" })
  await joinTeam(database, { orgId, person: "bob", teamId: next, from: "2026-01-01" })
  await publish(ORGANIZATION, [budget({ id: "teams", scope: "team" }), budget({ id: "people", scope: "person" })])
  await publish({ kind: "team", teamId: part }, [budget({ id: "part", scope: "team" })])
  await storeAndCount(database, orgId, [
    call("2026-11-09T23:59:00Z", { person: "ada", costUsd: 1 }),
    call("2026-11-10T00:00:00Z", { person: "ada", costUsd: 2 }),
    call("2026-11-12T00:00:00Z", { person: "bob", costUsd: 4 }),
    call("2026-11-12T00:00:00Z", { person: "eve", costUsd: 8 }),
  ])
  await recount()
  const found = (await periods()).map(({ id, subject, spent, people }) => [id, subject, spent, people])
  expect(found.filter(([id]) => id !== "people")).toEqual([
    ["part", part, 2, 1],
    ["teams", old, 1, 1],
    ["teams", next, 6, 2],
  ])
  expect(found.filter(([id]) => id === "people").map(([, , spent]) => spent)).toEqual([3, 4, 8])
})

test("thresholds are noted once a period, with the time at which they were first seen", async ({ database }) => {
  const { orgId, publish, recount } = await makeOffice(database)
  await publish(ORGANIZATION, [budget({ id: "month", limit: { unit: "tokens", amount: 1000 } })])
  const crossings = async () => {
    const rows = await database.owner
      .selectFrom("budget_crossing")
      .select([sql<number>`threshold::float8`.as("threshold"), "crossed_at as at"])
      .orderBy("threshold")
      .execute()
    return rows.map(({ threshold, at }) => [threshold, at])
  }
  const later = new Date(NOW.getTime() + 60_000)
  await storeAndCount(database, orgId, [call("2026-11-20T10:00:00Z", tokens(700, 60))])
  await recount()
  expect(await crossings()).toEqual([
    [0.5, NOW],
    [0.75, NOW],
  ])
  await storeAndCount(database, orgId, [call("2026-11-20T11:00:00Z", tokens(240))])
  await recount(later)
  await recount(new Date(later.getTime() + 60_000))
  expect(await crossings()).toEqual([
    [0.5, NOW],
    [0.75, NOW],
    [0.9, later],
    [1, later],
  ])
})

test("a budget that will not last is told of before it is used up, and not of too few people", async ({ database }) => {
  const { orgId, work, publish, recount } = await makeOffice(database)
  const few = await makeTeam(database, orgId, "Few")
  await publish(ORGANIZATION, [
    budget({ id: "month", limit: { unit: "tokens", amount: 25_000 } }),
    budget({ id: "wide", limit: { unit: "tokens", amount: 90_000 } }),
    budget({ id: "teams", scope: "team", limit: { unit: "tokens", amount: 10 } }),
  ])
  // 1,000 a day for three weeks: 30,000 by the end of the month.
  const days = Array.from({ length: 22 }, (_, index) => new Date(Date.UTC(2026, 9, 30 + index, 10)))
  await storeAndCount(
    database,
    orgId,
    days.flatMap((at) =>
      [1, 2, 3, 4, 5].map((person) => call(at.toISOString(), { person: `p${person}`, ...tokens(200) })),
    ),
  )
  await joinTeam(database, { orgId, person: "p1", teamId: few, from: "2026-01-01" })
  await recount()
  const { budget_forecast: rule } = DEFAULT_RULES
  const find = (at: Date) => work((tx) => findByRule(tx, rule, { orgId, at }))
  const found = (await find(NOW)).map((one) => [one.subject.split(" ")[1], one.verdict])
  expect(Object.fromEntries(found)).toEqual({ month: "firing", wide: "calm", teams: "unknown" })
  const firing = (await find(NOW)).find(({ verdict }) => verdict === "firing")
  expect(firing).toMatchObject({ facts: { limit: 25_000, unit: "tokens", budgetId: "month" } })
  expect(firing?.verdict === "firing" && firing.facts.kind === "budget_forecast" && firing.facts.expected).toBeCloseTo(
    30_000,
    -3,
  )
})

test("the use of models is a function of the signals: corrected, taken back and rebuilt it is the same", async ({
  database,
}) => {
  const { orgId } = await makeOffice(database)
  const occurrence = { id: "once", evidence: "secondary" as const }
  await storeAndCount(database, orgId, [
    call("2026-11-20T10:00:00Z", { ...tokens(100, 10), occurrence }),
    call("2026-11-20T10:20:00Z", tokens(5)),
  ])
  // The better report of the same call takes its place.
  await storeAndCount(database, orgId, [
    call("2026-11-20T10:00:01Z", { ...tokens(100, 10), costUsd: 0.5, occurrence: { id: "once", evidence: "primary" } }),
  ])
  const rows = await database.owner
    .selectFrom("model_use")
    .select(["calls", "input_tokens as input", "open_calls as open", sql<number>`cost_usd::float8`.as("usd")])
    .orderBy("slot")
    .execute()
  expect(rows).toEqual([
    { calls: 1, input: 100, open: 0, usd: 0.5 },
    { calls: 1, input: 5, open: 1, usd: 0 },
  ])
  const differences = await verifyRollups(database.worker, orgId, { now: NOW, isRepair: false })
  expect(differences.filter(({ table }) => table.startsWith("model_use"))).toEqual([
    { table: "model_use", rows: 2, wrong: 0, missing: 0 },
    { table: "model_use_day", rows: 1, wrong: 0, missing: 0 },
  ])
})

test("a signal settles one reservation of its operation, the oldest first, and the next count lets go of it", async ({
  database,
}) => {
  const { orgId, publish, recount, work } = await makeOffice(database)
  await publish(ORGANIZATION, [budget({ id: "month" })])
  // The first count of an organization is a rebuild.
  await storeAndCount(database, orgId, [])
  await recount()
  const [period] = await database.owner.selectFrom("budget_period").selectAll().execute()
  if (period === undefined) throw new Error("nothing was counted")
  const reserve = (at: string, operation: string | null, expires = "2026-11-20T13:00:00Z") =>
    database.owner
      .insertInto("budget_reservation")
      .values({
        org_id: orgId,
        id: randomUUID(),
        layer_id: period.layer_id,
        budget_id: period.budget_id,
        subject_id: period.subject_id,
        unit: "usd",
        starts_at: period.starts_at,
        amount: 1,
        operation_id: operation,
        reserved_at: new Date(at),
        expires_at: new Date(expires),
      })
      .execute()
  await reserve("2026-11-20T11:00:00Z", "task-1")
  await reserve("2026-11-20T11:10:00Z", "task-1")
  await reserve("2026-11-20T11:10:00Z", "task-2")
  await reserve("2026-11-20T11:10:00Z", null)
  await reserve("2026-11-20T11:10:00Z", null, "2026-11-20T12:00:00Z")
  const settled = async () => {
    const rows = await work((tx) =>
      tx
        .selectFrom("budget_reservation")
        .select(["operation_id as of", "reserved_at as at", "settled_at as settled"])
        .orderBy("reserved_at")
        .orderBy("operation_id")
        .execute(),
    )
    return rows.map(({ of, at, settled }) => [of, at.toISOString().slice(11, 16), settled !== null])
  }
  await storeAndCount(database, orgId, [
    call("2026-11-20T11:05:00Z", { operationId: "task-1", costUsd: 1 }),
    // From before anything was reserved for it.
    call("2026-11-20T11:05:00Z", { operationId: "task-2", costUsd: 1 }),
  ])
  expect(await settled()).toEqual([
    ["task-1", "11:00", true],
    ["task-1", "11:10", false],
    ["task-2", "11:10", false],
    [null, "11:10", false],
    [null, "11:10", false],
  ])
  await recount()
  expect(await settled()).toEqual([
    ["task-1", "11:10", false],
    ["task-2", "11:10", false],
    [null, "11:10", false],
  ])
  // Counting again settles nothing again.
  await database.owner.updateTable("rollup_state").set({ needs_rebuild: true }).execute()
  await countAll(database.worker, NOW)
  expect((await settled()).map(([, , is]) => is)).toEqual([false, false, false])
})
