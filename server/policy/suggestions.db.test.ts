import { sql } from "kysely"
import { expect } from "vitest"
import { type TestDatabase, test } from "../../test/db.ts"
import { makeOrganization, makeSignal, NOW, storeAndCount } from "../../test/factories.ts"
import { asTenant } from "../db/tenant.ts"
import type { Signal } from "../ingest/signal.ts"
import { getDraft } from "./drafts.ts"
import { findLayer } from "./layers.ts"
import { approveSuggestion, dismissSuggestion, listSuggestions } from "./suggestions.ts"

const DAY_MS = 86_400_000

/** A question to each of so many people on each of these days ago. */
function ask(people: number, daysAgo: readonly number[], fields: Parameters<typeof makeSignal>[0] = {}): Signal[] {
  return daysAgo.flatMap((days) =>
    Array.from({ length: people }, (_, index) =>
      makeSignal({
        person: `p${index}`,
        kind: "permission",
        rung: "agent",
        action: "npm test",
        repository: "acme/shop",
        outcome: "accepted",
        origin: "human",
        at: new Date(NOW.getTime() - days * DAY_MS),
        ...fields,
      }),
    ),
  )
}

/** Signals of last month came in then. */
const openLastMonth = ({ owner }: TestDatabase) =>
  sql`select belay_make_signal_partitions('2026-10-01', '2026-10-31')`.execute(owner)

const list = (database: TestDatabase, orgId: string) =>
  asTenant(database.app, orgId, (tx) => listSuggestions(tx, NOW)).then((found) =>
    found.map(({ id, redundantPrompts, people }) => [id, redundantPrompts, people]),
  )

test("what people approved before and were asked again makes a rule, when it is harmless and enough people", async ({
  database,
}) => {
  const orgId = await makeOrganization(database)
  await openLastMonth(database)
  await storeAndCount(database, orgId, [
    // The first question of all was due; the two after it were not.
    ...ask(5, [1, 2, 3]),
    // In another repository nobody had approved it.
    ...ask(6, [1], { repository: "acme/site" }),
    ...ask(4, [1, 2, 3], { action: "git status" }),
    ...ask(9, [1, 2, 3], { action: "git push" }),
    ...ask(9, [1, 2, 3], { action: "kubectl get" }),
    ...ask(9, [1, 2, 3], { action: "Bash" }),
    // Nobody was asked.
    ...ask(9, [1, 2, 3], { action: "ls", origin: "rule" }),
    // Approved longer ago than counts.
    ...ask(9, [1], { action: "npm ls" }),
    ...ask(9, [33], { action: "npm ls" }),
    ...ask(9, [1, 2, 3], { action: "tsc" }),
    ...ask(9, [4], { action: "tsc", outcome: "rejected" }),
  ])
  expect(await list(database, orgId)).toEqual([["npm test acme/shop", 10, 5]])
})

test("within an hour the first approval makes the others redundant, and one before the period counts", async ({
  database,
}) => {
  const orgId = await makeOrganization(database)
  await openLastMonth(database)
  await storeAndCount(database, orgId, [...ask(5, [1, 1, 1]), ...ask(5, [20, 40], { action: "git status" })])
  expect(await list(database, orgId)).toEqual([
    ["npm test acme/shop", 10, 5],
    ["git status acme/shop", 5, 5],
  ])
})

test("an approved one is in the draft and suggested no more, a dismissed one is remembered", async ({ database }) => {
  const orgId = await makeOrganization(database)
  const account = await database.owner
    .insertInto("account")
    .values({ org_id: orgId, email: "admin@example.com", name: "Admin", role: "admin" })
    .returning("id")
    .executeTakeFirstOrThrow()
  const by = { orgId, actorId: account.id, actorEmail: "admin@example.com", occurredAt: NOW, requestId: "request" }
  await storeAndCount(database, orgId, [...ask(5, [1, 2]), ...ask(5, [1, 2], { action: "git status" })])
  await asTenant(database.app, orgId, async (tx) => {
    const [first, second] = await listSuggestions(tx, NOW)
    expect(first).toMatchObject({ id: "git status acme/shop", risk: "read_only", isDismissed: false })
    await dismissSuggestion(tx, { id: "git status acme/shop", isDismissed: true, by })
    expect((await listSuggestions(tx, NOW))[0]).toMatchObject({ id: "git status acme/shop", isDismissed: true })
    expect(second).toMatchObject({ id: "npm test acme/shop", risk: "workspace" })
    expect(await approveSuggestion(tx, { id: "npm test acme/shop", by })).toEqual({ ok: true })
    expect(await approveSuggestion(tx, { id: "npm test acme/shop", by })).toEqual({ ok: false, reason: "gone" })
    const layer = await findLayer(tx, { kind: "organization" })
    expect((await getDraft(tx, layer?.id ?? ""))?.document.permissions?.rules).toEqual([
      {
        id: "allow-npm-test-acme-shop",
        effect: "allow",
        action: "shell",
        pattern: "npm test *",
        when: { repository: ["acme/shop"] },
        reason: "5 people approved it again 5 times in 30 days",
      },
    ])
    await dismissSuggestion(tx, { id: "git status acme/shop", isDismissed: false, by })
    expect((await listSuggestions(tx, NOW)).map(({ id, isDismissed }) => [id, isDismissed])).toEqual([
      ["git status acme/shop", false],
    ])
  })
  const audit = await database.owner.selectFrom("audit_event").select("action").orderBy("sequence").execute()
  expect(audit.map(({ action }) => action)).toEqual([
    "policy.suggestion_dismiss",
    "policy.draft_save",
    "policy.suggestion_restore",
  ])
})
