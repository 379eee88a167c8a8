import { randomUUID } from "node:crypto"
import { expect } from "vitest"
import { type TestDatabase, test } from "../../test/db.ts"
import {
  joinTeam,
  makeChange,
  makeIncident,
  makeOrganization,
  makeSignal,
  makeTeam,
  NOW,
  storeAndCount,
  storeSignals,
} from "../../test/factories.ts"
import { asTenant } from "../db/tenant.ts"
import { countAll } from "../rollup/loop.ts"
import { setObjective } from "../slo/commands.ts"
import { DEFAULT_OBJECTIVES } from "../slo/objectives.ts"
import { evaluateRules } from "./evaluate.ts"
import { findByRule } from "./rule-findings.ts"
import { DEFAULT_RULES } from "./rules.ts"

const minutes = (count: number) => new Date(NOW.getTime() + count * 60_000)

/** Turns of ten people in the minutes of a range, of which a share is slow. */
function turns(from: number, to: number, share: number, fields: { agentTool?: string } = {}) {
  const signals = []
  for (let minute = from; minute < to; minute++) {
    for (let person = 0; person < 10; person++) {
      const isSlow = person < share * 10
      signals.push(makeSignal({ at: minutes(minute), person: `p${person}`, latencyMs: isSlow ? 9000 : 300, ...fields }))
    }
  }
  return signals
}

async function addChannel({ owner }: TestDatabase, orgId: string): Promise<string> {
  const id = randomUUID()
  const channel = { kind: "webhook", name: "Hook", target: "https://example.com", is_private_allowed: false }
  await owner
    .insertInto("alert_channel")
    .values({ org_id: orgId, id, ...channel, is_enabled: true, made_at: NOW })
    .execute()
  await owner
    .insertInto("alert_route")
    .values({ org_id: orgId, id: randomUUID(), channel_id: id, made_at: NOW })
    .execute()
  return id
}

function listAlerts({ owner }: TestDatabase) {
  return owner
    .selectFrom("alert")
    .select(["kind", "subject", "state", "severity", "has_data as hasData", "parent_id as parentId", "id"])
    .orderBy("opened_at")
    .orderBy("kind")
    .execute()
}

async function listTold({ owner }: TestDatabase) {
  const rows = await owner
    .selectFrom("alert_delivery as d")
    .innerJoin("alert as a", "a.id", "d.alert_id")
    .select(["a.kind", "d.event"])
    .orderBy("d.sequence")
    .execute()
  return rows.map(({ kind, event }) => `${kind} ${event}`)
}

test("a latency that burns the budget pages once, by whichever process, stays when telemetry stops, and is over when it is fast again", async ({
  database,
  db,
}) => {
  const orgId = await makeOrganization(database)
  await addChannel(database, orgId)
  const evaluate = (at: Date) => evaluateRules(db, { orgId, at, isWhole: true })
  await storeAndCount(database, orgId, turns(-120, 0, 0))
  await evaluate(NOW)
  expect(await listAlerts(database)).toEqual([])

  await storeAndCount(database, orgId, turns(0, 60, 0.9))
  const both = await Promise.all([evaluate(minutes(60)), evaluate(minutes(60)), evaluate(minutes(60))])
  expect(both.filter((one) => one !== null).length).toBeGreaterThan(0)
  expect(await listAlerts(database)).toMatchObject([
    { kind: "latency", state: "open", severity: "page", hasData: true },
  ])

  // Whether calm or not is not known any more.
  await evaluate(minutes(200))
  expect(await listAlerts(database)).toMatchObject([{ state: "open", hasData: false }])
  await storeAndCount(database, orgId, turns(200, 280, 0))
  await evaluate(minutes(270))
  await evaluate(minutes(276))
  expect(await listAlerts(database)).toMatchObject([{ state: "resolved", severity: "page" }])
  expect(await listTold(database)).toEqual(["latency opened", "latency resolved"])
  const events = await database.owner.selectFrom("alert_event").select("kind").orderBy("sequence").execute()
  expect(events.map(({ kind }) => kind)).toEqual(["opened", "data_lost", "data_back", "resolved"])
})

test("signals that wait to be counted are no silence, and a narrower objective is told of by the wider", async ({
  database,
  db,
}) => {
  const orgId = await makeOrganization(database)
  await addChannel(database, orgId)
  const chat = DEFAULT_OBJECTIVES.find(({ rung }) => rung === "chat")
  if (chat === undefined) throw new Error("there is a default for chat")
  const by = { orgId, actorId: null, actorEmail: null, occurredAt: NOW, requestId: randomUUID() }
  await asTenant(db, orgId, (tx) =>
    setObjective(tx, { objective: { ...chat, id: null, agentTool: "claude-code" }, by }),
  )
  const teamId = await makeTeam(database, orgId, "Payments")
  for (let person = 0; person < 10; person++) {
    await joinTeam(database, { orgId, person: `p${person}`, teamId, from: "2026-01-01" })
  }
  const set = await asTenant(db, orgId, (tx) => setObjective(tx, { objective: { ...chat, id: null, teamId }, by }))
  await storeAndCount(database, orgId, turns(-60, 0, 0.9))
  await evaluateRules(db, { orgId, at: NOW, isWhole: false })
  const alerts = await listAlerts(database)
  expect(alerts).toHaveLength(3)
  const wide = alerts.find(({ subject }) => subject === chat.id)
  expect(alerts.flatMap(({ subject, parentId }) => (subject === chat.id ? [] : parentId))).toEqual([wide?.id, wide?.id])
  // A team's is the team's, so that its routes take it.
  const ofTeam = await database.owner
    .selectFrom("alert")
    .select(["subject", "facts"])
    .where("team_id", "=", teamId)
    .execute()
  expect(ofTeam).toEqual([
    { subject: set.ok && set.id, facts: expect.objectContaining({ teamName: "Payments", requests: 300 }) },
  ])
  expect(await listTold(database)).toEqual(["latency opened"])

  // Counted until an hour ago at most, so nothing is known to be calm.
  await storeSignals(database, orgId, turns(0, 1, 0))
  await database.owner.updateTable("rollup_state").set({ counted_until: NOW }).execute()
  await evaluateRules(db, { orgId, at: minutes(120), isWhole: false })
  expect((await listAlerts(database)).map(({ state, hasData }) => ({ state, hasData }))).toEqual([
    { state: "open", hasData: true },
    { state: "open", hasData: true },
    { state: "open", hasData: true },
  ])
  await countAll(database.worker, NOW)
})

test("each other rule fires from what it reads, and not for a person or for too few", async ({ database, db }) => {
  const orgId = await makeOrganization(database)
  const { owner } = database
  const teamId = await makeTeam(database, orgId, "Payments")
  await makeIncident(database, { orgId, teamId, people: 8 })
  await makeIncident(database, { orgId, people: 3 })
  const developer = await owner.selectFrom("developer").select("id").executeTakeFirstOrThrow()
  await makeIncident(database, { orgId, developerId: developer.id })

  const layer = await owner
    .insertInto("policy_layer")
    .values({ org_id: orgId, kind: "organization" })
    .returning("id")
    .executeTakeFirstOrThrow()
  for (const [subjectId, people] of [
    [orgId, 20],
    [teamId, 4],
  ] as const) {
    const budget = { org_id: orgId, layer_id: layer.id, budget_id: "b", subject_id: subjectId, unit: "usd" }
    const period = { starts_at: minutes(-600), ends_at: minutes(600), spent: 80, unpriced_tokens: 0, counted_at: NOW }
    await owner
      .insertInto("budget_period")
      .values({ ...budget, ...period, people })
      .execute()
    for (const threshold of [0.5, 0.75]) {
      await owner
        .insertInto("budget_crossing")
        .values({ ...budget, starts_at: period.starts_at, threshold, crossed_at: NOW })
        .execute()
    }
  }
  const weekly = [1, 2, 3, 4].flatMap((week) =>
    Array.from({ length: 25 }, (_, index) =>
      makeSignal({ at: minutes(-60 - week * 7 * 24 * 60), person: `p${index % 6}`, agentTool: "codex" }),
    ),
  )
  const alone = [1, 2, 3, 4].flatMap((week) =>
    Array.from({ length: 25 }, () => makeSignal({ at: minutes(-60 - week * 7 * 24 * 60), agentTool: "opencode" })),
  )
  await storeAndCount(database, orgId, [...weekly, ...alone])
  await owner
    .insertInto("ingest_minute")
    .values({
      org_id: orgId,
      minute: minutes(-3),
      process_id: randomUUID(),
      requests: 200,
      signals: 100,
      duplicates: 0,
      late: 0,
      refused: { too_large: 20, bad_body: 10 },
      rejected: {},
      folded: {},
      queue_times: [],
      commit_times: [],
    })
    .execute()
  const client = { org_id: orgId, agent_tool: "claude-code", state: "in_force", first_seen_at: NOW, seen_at: NOW }
  await owner
    .insertInto("policy_client")
    .values(
      Array.from({ length: 10 }, (_, index) => ({
        ...client,
        id: `c${index}`,
        version: index < 3 ? 2 : 1,
        canary_effect: index === 0 ? "allow" : "deny",
        canary_at: NOW,
      })),
    )
    .execute()
  await owner
    .insertInto("policy_release")
    .values({ org_id: orgId, version: 2, released_at: minutes(-90), cause: "published" })
    .execute()

  await evaluateRules(db, { orgId, at: NOW, isWhole: true })
  const alerts = await owner.selectFrom("alert").select(["kind", "severity", "facts", "team_id as teamId"]).execute()
  expect(alerts.toSorted((a, b) => (a.kind < b.kind ? -1 : 1))).toEqual([
    {
      kind: "budget",
      severity: "ticket",
      teamId: null,
      facts: expect.objectContaining({ threshold: 0.75, spent: 80, layer: "organization" }),
    },
    {
      kind: "canary",
      severity: "page",
      teamId: null,
      facts: { kind: "canary", clients: 1, agentTools: ["claude-code"] },
    },
    {
      kind: "coverage",
      severity: "ticket",
      teamId: null,
      facts: { kind: "coverage", clients: 10, current: 3, version: 2 },
    },
    { kind: "incident", severity: "ticket", teamId, facts: expect.objectContaining({ people: 8 }) },
    {
      kind: "ingest_errors",
      severity: "ticket",
      teamId: null,
      facts: { kind: "ingest_errors", minutes: 15, requests: 200, refused: 30 },
    },
    {
      kind: "silence",
      severity: "ticket",
      teamId: null,
      facts: { kind: "silence", agentTool: "codex", hours: 2, usual: 25 },
    },
  ])

  await owner.updateTable("incident").set({ state: "recovered" }).execute()
  await evaluateRules(db, { orgId, at: minutes(1), isWhole: false })
  const incident = () => owner.selectFrom("alert").select("state").where("kind", "=", "incident").execute()
  expect(await incident()).toEqual([{ state: "open" }])
  await evaluateRules(db, { orgId, at: minutes(2), isWhole: true })
  expect(await incident()).toEqual([{ state: "resolved" }])
})

test("fewer people than usual that are heard from are told of, and not how few", async ({ database, db }) => {
  const orgId = await makeOrganization(database)
  const rule = DEFAULT_RULES.telemetry_coverage
  const find = () => asTenant(db, orgId, (tx) => findByRule(tx, rule, { orgId, at: NOW }))
  const week = (weeks: number, people: number) =>
    Array.from({ length: people }, (_, index) =>
      makeSignal({ at: minutes(-(weeks * 7 + 2) * 24 * 60), person: `p${index}` }),
    )
  await storeAndCount(database, orgId, [...week(1, 10), ...week(2, 12)])
  expect(await find()).toMatchObject([{ verdict: "unknown" }])
  await storeAndCount(database, orgId, [...week(3, 11), ...week(4, 10), ...week(0, 3)])
  expect(await find()).toMatchObject([{ verdict: "firing", facts: { people: null, usual: 11 } }])
  await storeAndCount(database, orgId, week(0, 6))
  expect(await find()).toMatchObject([{ verdict: "firing", facts: { people: 6, usual: 11 } }])
  await storeAndCount(database, orgId, week(0, 8))
  expect(await find()).toMatchObject([{ verdict: "calm" }])
})

test("orchestration that outruns review is told of, and not of too few people", async ({ database, db }) => {
  const orgId = await makeOrganization(database)
  const rule = DEFAULT_RULES.reviewability
  const find = () => asTenant(db, orgId, (tx) => findByRule(tx, rule, { orgId, at: NOW }))
  expect(await find()).toMatchObject([{ verdict: "unknown" }])
  const developers = await database.owner
    .insertInto("developer")
    .values([1, 2, 3, 4, 5].map((person) => ({ org_id: orgId, pseudonym: `person ${person}` })))
    .returning("id")
    .execute()
  const merge = async (from: number, to: number, people: number, reviewedAt: string | undefined) => {
    for (let number = from; number < to; number++) {
      const work = { org_id: orgId, operation_id: `o${number}`, task_id: `o${number}`, agent_tool_id: 1, signals: 1 }
      const developer_id = developers[number % people]?.id ?? ""
      await database.owner
        .insertInto("joined_operation")
        .values({ ...work, developer_id, rung: "orchestration", started_at: minutes(-100) })
        .execute()
      const times = { opened_at: minutes(-90).toISOString(), merged_at: minutes(-30).toISOString() }
      const review = reviewedAt === undefined ? {} : { first_review_at: reviewedAt }
      await makeChange(database, orgId, { number, operations: [`o${number}`], ...times, ...review })
    }
  }
  await merge(0, 8, 5, minutes(-60).toISOString())
  await merge(8, 12, 4, undefined)
  expect(await find()).toMatchObject([{ verdict: "calm" }])
  // Looked at after it was merged is not reviewed before.
  await merge(12, 20, 5, minutes(-10).toISOString())
  expect(await find()).toMatchObject([{ verdict: "firing", facts: { merged: 20, unreviewed: 12 } }])
})

test("what is silenced is told of when the silence ends, if it is not over by then", async ({ database, db }) => {
  const orgId = await makeOrganization(database)
  await addChannel(database, orgId)
  await database.owner
    .insertInto("alert_silence")
    .values({ org_id: orgId, id: randomUUID(), reason: "Move", starts_at: NOW, ends_at: minutes(10), made_at: NOW })
    .execute()
  await makeIncident(database, { orgId })
  await evaluateRules(db, { orgId, at: minutes(1), isWhole: true })
  expect(await listAlerts(database)).toMatchObject([{ kind: "incident", state: "open" }])
  expect(await listTold(database)).toEqual([])
  await evaluateRules(db, { orgId, at: minutes(10), isWhole: true })
  expect(await listTold(database)).toEqual(["incident opened"])
})
