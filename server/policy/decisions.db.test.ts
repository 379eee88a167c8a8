import { expect } from "vitest"
import { type TestDatabase, test } from "../../test/db.ts"
import { joinTeam, makeOrganization, makeSignal, makeTeam, NOW, storeAndCount } from "../../test/factories.ts"
import { asTenant } from "../db/tenant.ts"
import type { Signal } from "../ingest/signal.ts"
import { type DecisionScope, describeRules, listDecisions, listOwnDecisions } from "./decisions.ts"
import { saveDraft } from "./drafts.ts"
import { publishDraft } from "./publish.ts"

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** A decision of each of so many people: `p0`, `p1`, … */
function decide(people: number, fields: Parameters<typeof makeSignal>[0] = {}, from = 0): Signal[] {
  return Array.from({ length: people }, (_, index) =>
    makeSignal({
      person: `p${from + index}`,
      kind: "policy_decision",
      rung: "agent",
      action: "git push",
      policyEffect: "deny",
      policyBecause: "rule",
      policyRule: "no-push",
      policyLayer: "organization",
      policyVersion: 1,
      ...fields,
    }),
  )
}

const SCOPE: DecisionScope & { offset: number; limit: number } = {
  from: new Date("2026-11-14T00:00:00Z"),
  to: new Date(NOW.getTime() + HOUR_MS),
  timeZone: "UTC",
  teamId: null,
  bucket: "day",
  filter: {},
  offset: 0,
  limit: 50,
}

const list = (database: TestDatabase, orgId: string, scope: Partial<typeof SCOPE> = {}) =>
  asTenant(database.app, orgId, (tx) => listDecisions(tx, { ...SCOPE, ...scope }))

test("decisions are counted by day, and those of fewer than five people are left out", async ({ database }) => {
  const orgId = await makeOrganization(database)
  const yesterday = new Date(NOW.getTime() - DAY_MS)
  await storeAndCount(database, orgId, [
    ...decide(5),
    ...decide(6, { at: yesterday, policyEffect: "ask", policyRule: "ask-push" }),
    ...decide(4, { action: "rm", policyRule: "no-rm" }),
  ])
  const page = await list(database, orgId)
  expect(page).toMatchObject({ total: 2, denied: 5, asked: 6, allowed: 0, withheldBuckets: 1 })
  expect(page.rows).toMatchObject([
    {
      bucketStart: new Date("2026-11-20T00:00:00Z"),
      effect: "deny",
      because: "rule",
      rule: "no-push",
      layer: "organization",
      policyVersion: 1,
      versionInForce: null,
      action: "git push",
      agentTool: "claude-code",
      rung: "agent",
      decisions: 5,
      people: 5,
    },
    { bucketStart: new Date("2026-11-19T00:00:00Z"), effect: "ask", decisions: 6, people: 6 },
  ])
  expect(JSON.stringify(page)).not.toContain("rm")
  // A filter takes whole kinds away, and does not tell that there is one that is withheld.
  expect(await list(database, orgId, { filter: { action: "RM" } })).toMatchObject({ total: 0, withheldBuckets: 0 })
  for (const filter of [
    { effect: "ask" },
    { rule: "ask-push", agentTool: "claude-code", rung: "agent", because: "rule" },
  ] as const) {
    expect(await list(database, orgId, { filter })).toMatchObject({ total: 1, denied: 0, asked: 6 })
  }
  expect(await list(database, orgId, { offset: 1 })).toMatchObject({ total: 2, rows: [{ effect: "ask" }] })
})

test("no two figures tell of a smaller group: not a team beside the whole, not hours beside their day", async ({
  database,
}) => {
  const orgId = await makeOrganization(database)
  const teamId = await makeTeam(database, orgId, "Payments")
  for (let index = 0; index < 6; index++) {
    await joinTeam(database, { orgId, person: `p${index}`, teamId, from: "2026-01-01" })
  }
  const earlier = new Date(NOW.getTime() - 2 * HOUR_MS)
  // Six of the team and two others: the whole less the team would be those two.
  await storeAndCount(database, orgId, [
    ...decide(8),
    ...decide(10, { action: "ls", at: earlier }),
    ...decide(10, { action: "ls" }, 5),
  ])
  const rows = async (scope: Partial<typeof SCOPE>) =>
    (await list(database, orgId, scope)).rows.map(({ action, decisions, people }) => [action, decisions, people])
  expect(await rows({})).toEqual([
    ["ls", 20, 15],
    ["git push", 8, 8],
  ])
  expect(await rows({ teamId })).toEqual([["ls", 7, 6]])
  // The earlier hour is of six of the team and four others, the later one of one of the team and nine others.
  expect(await rows({ bucket: "hour" })).toEqual([["git push", 8, 8]])
})

test("of a rule that decided is known what it said then, and by whom", async ({ database }) => {
  const orgId = await makeOrganization(database)
  const account = await database.owner
    .insertInto("account")
    .values({ org_id: orgId, email: "admin@example.com", name: "Admin", role: "admin" })
    .returning("id")
    .executeTakeFirstOrThrow()
  const by = { orgId, actorId: account.id, actorEmail: "admin@example.com", occurredAt: NOW, requestId: "request" }
  const target = { kind: "organization" } as const
  const publish = (reason: string) =>
    asTenant(database.app, orgId, async (tx) => {
      const rule = { id: "no-push", effect: "deny", action: "shell", pattern: "git push *", reason } as const
      const document = { schema: "belay.policy/1", permissions: { rules: [rule] } } as const
      await saveDraft(tx, { target, revision: null, document: { ...document, permissions: { rules: [rule] } }, by })
      await publishDraft(tx, { target, revision: 1, note: null, by })
    })
  await publish("It is Friday")
  await publish("It is Monday")
  const rule = { rule: "no-push", layer: "organization" as const }
  const told = await asTenant(database.app, orgId, (tx) =>
    describeRules(tx, [
      { ...rule, policyVersion: 1 },
      { ...rule, policyVersion: 2 },
      { ...rule, rule: "no-such", policyVersion: 2 },
    ]),
  )
  expect(told.map(({ reason, layerVersion }) => [reason, layerVersion])).toEqual([
    ["It is Friday", 1],
    ["It is Monday", 2],
  ])
})

test("people see their own decisions one by one, two days of them at a time", async ({ database }) => {
  const orgId = await makeOrganization(database)
  await storeAndCount(database, orgId, [
    ...decide(2),
    ...decide(1, { at: new Date(NOW.getTime() - 6 * DAY_MS), policyRule: "older" }),
  ])
  const people = await database.owner
    .selectFrom("decision_hour")
    .select(["developer_id as id"])
    .where("hour", "<", new Date(NOW.getTime() - DAY_MS))
    .execute()
  const own = (before: Date) =>
    asTenant(database.app, orgId, (tx) =>
      listOwnDecisions(tx, { developerIds: people.map(({ id }) => id), before, limit: 50 }),
    )
  const newest = await own(new Date(NOW.getTime() + 1))
  expect(newest.decisions.map(({ rule }) => rule)).toEqual(["no-push"])
  const earlier = await own(newest.earlierBefore ?? NOW)
  expect(earlier.decisions.map(({ rule }) => rule)).toEqual(["older"])
  expect(earlier.earlierBefore).toBeNull()
})
