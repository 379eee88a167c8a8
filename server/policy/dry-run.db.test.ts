import { expect } from "vitest"
import type { PolicyDocument, PolicyRule } from "#sdk/policy/document.ts"
import { type TestDatabase, test } from "../../test/db.ts"
import { joinTeam, makeOrganization, makeSignal, makeTeam, NOW, storeAndCount } from "../../test/factories.ts"
import { asTenant } from "../db/tenant.ts"
import type { Signal } from "../ingest/signal.ts"
import { saveDraft } from "./drafts.ts"
import { type DryRun, type DryRunArgs, type DryRunStep, runDryRun } from "./dry-run.ts"
import { publishDraft } from "./publish.ts"

const ORGANIZATION = { kind: "organization" } as const

const deny = (id: string, pattern: string, more: Partial<PolicyRule> = {}): PolicyRule => ({
  id,
  effect: "deny",
  action: "shell",
  pattern,
  ...more,
})
const allow = (id: string, pattern: string): PolicyRule => ({ id, effect: "allow", action: "shell", pattern })
const withRules = (rules: PolicyRule[], defaults?: "allow" | "ask"): PolicyDocument => ({
  schema: "belay.policy/1",
  permissions: { rules, ...(defaults !== undefined && { defaults: { shell: defaults } }) },
})

/** One of each of so many people. */
function each(people: number, fields: Parameters<typeof makeSignal>[0], from = 0): Signal[] {
  return Array.from({ length: people }, (_, index) =>
    makeSignal({ person: `p${from + index}`, rung: "agent", repository: "acme/shop", ...fields }),
  )
}
const decided = (people: number, action: string, fields: Parameters<typeof makeSignal>[0] = {}, from = 0) =>
  each(
    people,
    { kind: "policy_decision", action, policyEffect: "allow", policyBecause: "unset", policyVersion: 1, ...fields },
    from,
  )
const asked = (people: number, action: string, fields: Parameters<typeof makeSignal>[0] = {}) =>
  each(people, { kind: "permission", action, outcome: "accepted", origin: "human", ...fields })

async function dryRun(
  database: TestDatabase,
  orgId: string,
  document: PolicyDocument,
  args: Partial<DryRunArgs> = {},
): Promise<DryRun> {
  const steps: DryRunStep[] = []
  const period = { from: new Date("2026-11-14T00:00:00Z"), to: new Date(NOW.getTime() + 1), timeZone: "UTC", now: NOW }
  for await (const step of runDryRun(database.app, { orgId, target: ORGANIZATION, document, ...period, ...args })) {
    steps.push(step)
  }
  const last = steps.at(-1)
  if (last?.kind !== "done") throw new Error("the dry run did not end")
  return last.result
}

const totalsOf = ({ totals }: DryRun) =>
  totals
    .map(({ judged, change, count, people }) => `${judged} ${change} ${count ?? "withheld"} by ${people ?? "withheld"}`)
    .toSorted()

async function publish(database: TestDatabase, orgId: string, document: PolicyDocument) {
  const account = await database.owner
    .insertInto("account")
    .values({ org_id: orgId, email: "admin@example.com", name: "Admin", role: "admin" })
    .returning("id")
    .executeTakeFirstOrThrow()
  const by = { orgId, actorId: account.id, actorEmail: "admin@example.com", occurredAt: NOW, requestId: "request" }
  await asTenant(database.app, orgId, async (tx) => {
    await saveDraft(tx, { target: ORGANIZATION, revision: null, document, by })
    await publishDraft(tx, { target: ORGANIZATION, revision: 1, note: null, by })
  })
}

test("a draft stops calls and spares questions, by rule, team, rung and action", async ({ database }) => {
  const orgId = await makeOrganization(database)
  const teamId = await makeTeam(database, orgId, "Payments")
  for (let index = 0; index < 10; index++) {
    await joinTeam(database, { orgId, person: `p${index}`, teamId, from: "2026-01-01" })
  }
  await storeAndCount(database, orgId, [
    ...decided(6, "git push"),
    ...decided(7, "ls"),
    ...asked(5, "npm test"),
    ...asked(5, "npm test"),
    ...asked(5, "git push", { outcome: "rejected" }),
    // Nobody was asked, and it was too long ago.
    ...asked(9, "npm test", { origin: "mode" }),
    ...asked(9, "npm test", { at: new Date("2026-11-10T12:00:00Z") }),
  ])
  const result = await dryRun(database, orgId, withRules([deny("no-push", "git push *"), allow("tests", "npm test *")]))
  expect(totalsOf(result)).toEqual([
    "calls denied 6 by 6",
    "calls unchanged 7 by 7",
    "prompts refused 5 by 5",
    "prompts spared 10 by 5",
  ])
  const rows = result.rows.filter(({ change }) => change === "denied").map(({ by, value, count }) => [by, value, count])
  expect(rows.toSorted((a, b) => (String(a) < String(b) ? -1 : 1))).toEqual([
    ["action", "git push", 6],
    ["rule", "no-push", 6],
    ["rung", "agent", 6],
    ["team", "Payments", 6],
  ])
  expect(result.withheld).toEqual([])
  // Of a team in which nobody is, nothing changes.
  const other = { kind: "team", teamId: await makeTeam(database, orgId, "Search") } as const
  expect(
    totalsOf(await dryRun(database, orgId, withRules([deny("no-push", "git push *")]), { target: other })),
  ).toEqual(["calls unchanged 13 by 7", "prompts unchanged 15 by 5"])
})

test("what hangs on arguments, paths or facts that are not on record cannot be told", async ({ database }) => {
  const orgId = await makeOrganization(database)
  await storeAndCount(database, orgId, [
    ...decided(5, "git push"),
    ...decided(5, "Edit"),
    ...decided(5, "cargo build"),
    ...decided(5, "npm test"),
    ...decided(5, "Something Odd"),
  ])
  const result = await dryRun(
    database,
    orgId,
    withRules([
      deny("no-force", "git push --force *"),
      deny("no-infra", "infra/**", { action: "edit" }),
      deny("not-here", "npm test *", { when: { isolated: false } }),
    ]),
  )
  expect(totalsOf(result)).toEqual(["calls cannot_tell 20 by 5", "calls unchanged 5 by 5"])
  const actions = result.rows.filter(({ by }) => by === "action").map(({ value }) => value)
  expect(actions.toSorted((a, b) => (String(a) < String(b) ? -1 : 1))).toEqual([
    "Edit",
    "Something Odd",
    "git push",
    "npm test",
  ])
  // An allow that may match leaves open what the default would have said.
  const strict = withRules([allow("only-main", "git push origin main"), allow("build", "cargo build *")], "ask")
  expect(totalsOf(await dryRun(database, orgId, strict))).toEqual([
    "calls asked 5 by 5",
    "calls cannot_tell 10 by 5",
    "calls unchanged 10 by 5",
  ])
})

test("what was decided otherwise than its name tells had more to it, and cannot be told", async ({ database }) => {
  const orgId = await makeOrganization(database)
  await publish(database, orgId, withRules([deny("no-rm", "rm *")]))
  await storeAndCount(database, orgId, [
    // `ls; rm -rf build` is on record as ls.
    ...decided(5, "ls", { policyEffect: "deny", policyBecause: "rule", policyRule: "no-rm" }),
    ...decided(6, "rm", { policyEffect: "deny", policyBecause: "rule", policyRule: "no-rm" }),
  ])
  const result = await dryRun(database, orgId, withRules([deny("no-ls", "ls *")]))
  expect(totalsOf(result)).toEqual(["calls allowed 6 by 6", "calls cannot_tell 5 by 5"])
  expect(result.rows.filter(({ by, change }) => by === "rule" && change === "allowed")).toMatchObject([
    { value: "no-rm", count: 6 },
  ])
  // The same document again changes nothing.
  expect(totalsOf(await dryRun(database, orgId, withRules([deny("no-rm", "rm *")])))).toEqual([
    "calls unchanged 11 by 6",
  ])
})

test("what fewer than five people are behind is withheld, with what would tell of them", async ({ database }) => {
  const orgId = await makeOrganization(database)
  const draft = withRules([deny("no-push", "git push *"), deny("no-rm", "rm *")])
  await storeAndCount(database, orgId, [...decided(4, "git push"), ...decided(20, "ls")])
  // What is left of the whole without the four is withheld as well, or the difference would be theirs.
  const few = await dryRun(database, orgId, draft)
  expect(totalsOf(few)).toEqual(["calls denied withheld by withheld", "calls unchanged withheld by withheld"])
  expect(few.rows).toEqual([])
  await storeAndCount(database, orgId, [...decided(5, "rm", {}, 6), ...decided(8, "rm", {}, 20)])
  const more = await dryRun(database, orgId, draft)
  expect(totalsOf(more)).toEqual(["calls denied 17 by 17", "calls unchanged 20 by 20"])
  // One rule stopped thirteen people; the four of the other would be the rest.
  expect(more.rows.filter(({ by }) => by === "rule")).toEqual([])
  expect(more.withheld).toContain("calls denied rule")
})

test("who stops reading stops the work", async ({ database }) => {
  const orgId = await makeOrganization(database)
  await storeAndCount(database, orgId, Array.from({ length: 150 }, (_, index) => decided(1, `tool-${index}`)).flat())
  const steps = runDryRun(database.app, {
    orgId,
    target: ORGANIZATION,
    document: withRules([deny("no", "ls *")]),
    from: new Date("2026-11-14T00:00:00Z"),
    to: new Date(NOW.getTime() + 1),
    timeZone: "UTC",
    now: NOW,
  })
  expect((await steps.next()).value).toEqual({ kind: "judging", judged: 0, total: 150 })
  expect((await steps.next()).value).toEqual({ kind: "judging", judged: 100, total: 150 })
  await steps.return(undefined)
  expect(await steps.next()).toEqual({ done: true, value: undefined })
})
