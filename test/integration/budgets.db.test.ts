import { expect } from "vitest"
import { z } from "zod"
import { POLICY_SCHEMA, type PolicyBudget, type PolicyDocument } from "#sdk/policy/document.ts"
import { openSignedBudgets } from "#sdk/policy/envelope.ts"
import { asTenant } from "#server/db/tenant.ts"
import { saveDraft } from "#server/policy/drafts.ts"
import { decideResponseSchema, budgetsSchema } from "#server/policy/http-schemas.ts"
import type { LayerTarget } from "#server/policy/layers.ts"
import { publishDraft } from "#server/policy/publish.ts"
import { recountAll } from "#server/spend/loop.ts"
import { createIngestKey } from "#server/team/ingest-keys.ts"
import { ADMIN, startTestBelay } from "../belay.ts"
import { type TestDatabase, test as databaseTest } from "../db.ts"
import { emailOf, joinTeam, makeSignal, makeTeam, storeAndCount } from "../factories.ts"

const ORGANIZATION: LayerTarget = { kind: "organization" }
const MODEL = "claude-opus-4-5"
const AT = new Date("2026-11-20T12:00:00Z")

// Closed before its database goes.
const test = databaseTest.extend("started", async ({ database }, { onCleanup }) => {
  const { close, ...started } = await start(database)
  onCleanup(close)
  return started
})

/** Two processes over one database, as a load balancer has them. */
async function start(database: TestDatabase) {
  const processes = [await startTestBelay(database, { now: AT }), await startTestBelay(database, { now: AT })]
  const [belay] = processes
  if (belay === undefined) throw new Error("nothing started")
  const { orgId } = belay
  const account = await database.owner
    .selectFrom("account")
    .select("id")
    .where("email", "=", ADMIN.email)
    .executeTakeFirstOrThrow()
  const by = { orgId, actorId: account.id, actorEmail: ADMIN.email, occurredAt: AT, requestId: "request" }
  const made = await asTenant(database.app, orgId, (tx) =>
    createIngestKey(tx, {
      name: "clients",
      scopes: ["policy:read"],
      teamId: null,
      agentTool: null,
      expiresAt: null,
      by,
    }),
  )
  const key = made.ok ? made.key : ""
  let turn = 0
  const ask = (path: string, { enduser, ...init }: RequestInit & { enduser?: string } = {}) =>
    fetch(`${processes[turn++ % processes.length]?.url}${path}`, {
      ...init,
      headers: {
        ...(init.headers as Record<string, string>),
        authorization: `Bearer ${key}`,
        ...(enduser !== undefined && { "belay-enduser": enduser }),
      },
    })
  const decide = async (body: object, enduser?: string) => {
    const answer = await ask("/v1/decide", {
      method: "POST",
      // Stores with clocks that stand still would number what they keep alike.
      body: JSON.stringify({ ...body, record: false }),
      ...(enduser !== undefined && { enduser }),
    })
    expect(answer.status).toBe(200)
    return decideResponseSchema.parse(await answer.json())
  }
  const publish = (target: LayerTarget, budgets: readonly PolicyBudget[]) =>
    asTenant(database.app, orgId, async (tx) => {
      const document: PolicyDocument = { schema: POLICY_SCHEMA, budgets: [...budgets] }
      await saveDraft(tx, { target, revision: null, document, by })
      return publishDraft(tx, { target, revision: 1, note: null, by })
    })
  return {
    orgId,
    ask,
    decide,
    publish,
    spend: async (costUsd: number, fields: Parameters<typeof makeSignal>[0] = {}) => {
      await storeAndCount(database, orgId, [
        makeSignal({ kind: "model_call", model: MODEL, at: AT, inputTokens: 1, costUsd, ...fields }),
      ])
      await recountAll(database, AT)
    },
    close: async () => {
      await Promise.all(processes.map((process) => process.close()))
    },
    advance: (ms: number) => {
      for (const process of processes) process.advance(ms)
    },
  }
}

const budget = (fields: Partial<PolicyBudget> = {}): PolicyBudget => ({
  id: "month",
  scope: "organization",
  period: "month",
  limit: { unit: "usd", amount: 10 },
  hard: "deny",
  ...fields,
})
const call = { action: { kind: "model", model: MODEL } }
/** 100,000 tokens in at 5 dollars a million and 20,000 out at 25: one dollar. */
const DOLLAR = { inputTokens: 100_000, maxOutputTokens: 20_000 }

test("of twenty callers at once, over two processes, as many are let through as the budget has room for", async ({
  started,
  database,
}) => {
  const { decide, publish, spend } = started
  await publish(ORGANIZATION, [budget({ limit: { unit: "usd", amount: 10.5 } })])
  await spend(4)
  const answers = await Promise.all(Array.from({ length: 20 }, () => decide({ ...call, call: DOLLAR })))
  const allowed = answers.filter(({ effect }) => effect === "allow")
  // 4 are spent, 6.5 left: seven calls, the last of which goes past the limit by half its cost.
  expect(allowed).toHaveLength(7)
  expect(new Set(allowed.map(({ reservation }) => reservation?.id)).size).toBe(7)
  const reserved = await database.owner.selectFrom("budget_reservation").select("amount").execute()
  expect(reserved.map(({ amount }) => Number(amount))).toEqual([1, 1, 1, 1, 1, 1, 1])
  for (const answer of answers.filter(({ effect }) => effect !== "allow")) {
    expect(answer).toMatchObject({ effect: "deny", ruleId: "budgets.month", reservation: null })
    expect(answer.budgets).toEqual([
      expect.objectContaining({ spent: null, reserved: null, state: "withheld", threshold: 1, effect: "deny" }),
    ])
  }
})

test("what was reserved is let go of once its signal is counted, so that nothing counts twice", async ({ started }) => {
  const { decide, publish, spend, advance } = started
  await publish(ORGANIZATION, [budget({ scope: "person" })])
  await spend(1)
  const me = emailOf("ada")
  const stands = async () => (await decide({ action: { kind: "read", path: "x" } }, me)).budgets[0]
  const first = await decide({ ...call, call: { ...DOLLAR, operationId: "task-7" } }, me)
  expect(first).toMatchObject({ effect: "allow", reservation: { expiresAt: "2026-11-20T12:10:00.000Z" } })
  expect(first.budgets).toEqual([
    {
      id: "month",
      layer: "organization",
      scope: "person",
      unit: "usd",
      spent: 1,
      reserved: 0,
      limit: 10,
      threshold: null,
      effect: "allow",
      state: "counted",
      resetsAt: "2026-12-01T00:00:00.000Z",
      timeZone: "UTC",
    },
  ])
  expect(await stands()).toMatchObject({ spent: 1, reserved: 1 })
  // It cost more than was thought.
  await spend(3, { operationId: "task-7", at: new Date(AT.getTime() + 1000) })
  expect(await stands()).toMatchObject({ spent: 4, reserved: 0 })
  // Of a call without an operation the reservation ends by itself.
  await decide({ ...call, call: { ...DOLLAR, seconds: 60 } }, me)
  expect(await stands()).toMatchObject({ spent: 4, reserved: 1 })
  advance(60_000)
  expect(await stands()).toMatchObject({ spent: 4, reserved: 0 })
})

test("a budget warns, asks or denies, at its thresholds and for whoever it is for", async ({ started, database }) => {
  const { decide, publish, spend, orgId } = started
  const teamId = await makeTeam(database, orgId, "Payments")
  await joinTeam(database, { orgId, person: "ada", teamId, from: "2026-01-01" })
  await publish(ORGANIZATION, [
    budget({ id: "warns", scope: "person", hard: "warn", limit: { unit: "usd", amount: 4 } }),
    budget({ id: "asks", scope: "person", hard: "ask", limit: { unit: "tokens", amount: 150 } }),
  ])
  await spend(3.2, { inputTokens: 60, outputTokens: 20 })
  const me = emailOf("ada")
  const command = { action: { kind: "shell", command: "ls" } }
  const warned = await decide(command, me)
  expect(warned).toMatchObject({ effect: "allow" })
  expect(warned.warnings.map(({ ruleId, share }) => [ruleId, Math.round(share * 100)])).toEqual([
    ["budgets.warns", 80],
    ["budgets.asks", 53],
  ])
  expect(warned.budgets.map(({ id, threshold, effect }) => [id, threshold, effect])).toEqual([
    ["warns", 0.75, "allow"],
    ["asks", 0.5, "allow"],
  ])
  await spend(3, { inputTokens: 70, outputTokens: 0 })
  expect(await decide(command, me)).toMatchObject({ effect: "ask", ruleId: "budgets.asks" })
  expect((await decide(command, me)).budgets.map(({ effect }) => effect)).toEqual(["warn", "ask"])
  await publish({ kind: "team", teamId }, [budget({ id: "team", scope: "team", limit: { unit: "usd", amount: 6 } })])
  expect(await decide(command, me)).toMatchObject({ effect: "deny", ruleId: "budgets.team", layer: "team" })
  // Another has used nothing, and is in no team.
  expect(await decide(command, emailOf("bob"))).toMatchObject({ effect: "ask" })
})

test("what is not known is asked about: whose use it is, and what a call costs", async ({ started }) => {
  const { decide, publish, spend } = started
  await publish(ORGANIZATION, [budget({ scope: "person" })])
  await spend(1)
  const unknown = await decide({ action: { kind: "shell", command: "ls" } })
  expect(unknown).toMatchObject({ effect: "ask", because: "unsure", budgets: [{ state: "unknown", effect: "ask" }] })
  const unpriced = { action: { kind: "model", model: "our-own" } }
  expect(await decide(unpriced, emailOf("ada"))).toMatchObject({
    effect: "ask",
    because: "unsure",
    budgets: [{ state: "no_price", spent: 1 }],
  })
  await spend(20)
  expect(await decide(unpriced, emailOf("ada"))).toMatchObject({ effect: "deny", because: "rule" })
})

test("without a word of its size a call is thought to be as large as the mean of the last days", async ({
  started,
}) => {
  const { decide, publish, spend } = started
  await publish(ORGANIZATION, [budget({ scope: "person", limit: { unit: "tokens", amount: 1_000_000 } })])
  const me = emailOf("ada")
  const reserved = async () => (await decide({ action: { kind: "read", path: "x" } }, me)).budgets[0]?.reserved
  await spend(0, { inputTokens: 3000, outputTokens: 500, model: `${MODEL}-20251101` })
  await decide(call, me)
  expect(await reserved()).toBe(3500)
  await decide({ action: { kind: "model", model: "gpt-5" } }, me)
  expect(await reserved()).toBe(3500 + 11_000)
})

const signedSchema = z.object({
  organization: z.string(),
  subject: z.string(),
  keys: z.array(z.object({ id: z.string(), publicKey: z.string() })),
  bundle: z.object({ version: z.int() }),
})

test("clients that decide by themselves are told how their budgets stand, and of fewer than k others the threshold", async ({
  started,
}) => {
  const { ask, publish, spend } = started
  const me = emailOf("ada")
  expect((await ask("/v1/policy/budgets", { enduser: me })).status).toBe(404)
  await publish(ORGANIZATION, [budget({ id: "own", scope: "person" }), budget({ id: "all" })])
  await spend(8)
  const answer = await ask("/v1/policy/budgets", { enduser: me })
  const { budgets, asOf, envelope } = budgetsSchema.parse(await answer.json())
  expect(asOf).toBe(AT.toISOString())
  expect(budgets.map(({ id, spent, used, state }) => [id, spent, used, state])).toEqual([
    ["own", 8, 8, "counted"],
    ["all", null, 7.5, "withheld"],
  ])
  // Signed for whoever asked, with the key of their policy.
  const { payload } = z.object({ payload: z.string() }).parse(await (await ask("/v1/policy", { enduser: me })).json())
  const { organization, subject, keys, bundle } = signedSchema.parse(
    JSON.parse(Buffer.from(payload, "base64url").toString()),
  )
  const opened = openSignedBudgets(envelope, { keys, policy: { organization, subject }, before: null })
  expect(opened).toMatchObject({ ok: true, budgets: { asOf, version: bundle.version, subject } })
  expect(opened.ok && opened.budgets.budgets.map(({ used }) => used)).toEqual([8, 7.5])
  const etag = answer.headers.get("etag") ?? ""
  expect((await ask("/v1/policy/budgets", { enduser: me, headers: { "if-none-match": etag } })).status).toBe(304)
  expect(
    z.object({ paths: z.record(z.string(), z.unknown()) }).parse(await (await ask("/v1/openapi.json")).json()).paths,
  ).toHaveProperty(["/v1/policy/budgets"])
})
