import { expect } from "vitest"
import { POLICY_SCHEMA, type PolicyDocument } from "#sdk/policy/document.ts"
import { asTenant } from "#server/db/tenant.ts"
import { saveDraft } from "#server/policy/drafts.ts"
import { publishDraft } from "#server/policy/publish.ts"
import { recountAll } from "#server/spend/loop.ts"
import { ADMIN } from "../belay.ts"
import { joinTeam, makeSignal, makeTeam, storeAndCount } from "../factories.ts"
import { expectGoodOnPhone } from "./axe.ts"
import { test } from "./browser.ts"

test("budgets show how they stand for groups, and tell nothing of fewer than five people", async ({
  belay,
  database,
  page,
}) => {
  await page.goto("/policy/budgets", { waitUntil: "networkidle" })
  await page.getByText("No budget is in force", { exact: true }).waitFor()
  await expectGoodOnPhone(page)

  const { orgId } = belay
  const [large, small] = [await makeTeam(database, orgId, "Large"), await makeTeam(database, orgId, "Small")]
  const people = Array.from({ length: 12 }, (_, index) => `person-${index}`)
  for (const [index, person] of people.entries()) {
    await joinTeam(database, { orgId, person, teamId: index < 8 ? large : small, from: "2026-01-01" })
  }
  const document: PolicyDocument = {
    schema: POLICY_SCHEMA,
    budgets: [
      { id: "all", scope: "organization", period: "month", limit: { unit: "usd", amount: 100 }, hard: "warn" },
      { id: "team", scope: "team", period: "week", limit: { unit: "usd", amount: 10 }, hard: "deny" },
      { id: "own", scope: "person", period: "month", limit: { unit: "usd", amount: 2 }, hard: "ask" },
    ],
  }
  const account = await database.owner
    .selectFrom("account")
    .select("id")
    .where("email", "=", ADMIN.email)
    .executeTakeFirstOrThrow()
  const by = { orgId, actorId: account.id, actorEmail: ADMIN.email, occurredAt: belay.now(), requestId: "request" }
  await asTenant(database.app, orgId, async (tx) => {
    const target = { kind: "organization" } as const
    await saveDraft(tx, { target, revision: null, document, by })
    await publishDraft(tx, { target, revision: 1, note: null, by })
  })
  await storeAndCount(
    database,
    orgId,
    people.map((person) => makeSignal({ person, kind: "model_call", inputTokens: 1000, costUsd: 1, model: "our-own" })),
  )
  await recountAll(database, belay.now())
  await page.reload()
  const card = (name: string) => page.getByRole("listitem").filter({ has: page.getByRole("heading", { name }) })
  await card("Example all").getByText("$12.00").waitFor()
  // Small has four people, and what is left of the organization without Large is those four.
  expect(await card("Large team").getByText("withheld").count()).toBe(1)
  expect(await card("Small team").getByText("withheld").count()).toBe(1)
  await card("Each person own").getByText("12 people").waitFor()
  await page.getByText("no forecast: fewer than two weeks of use").first().waitFor()
  await expectGoodOnPhone(page)
})

test("a price is added for what has none, found again, and taken back", async ({ belay, database, page }) => {
  await storeAndCount(database, belay.orgId, [
    makeSignal({ kind: "model_call", model: "our-own", inputTokens: 500, outputTokens: 7 }),
  ])
  await page.goto("/settings/prices", { waitUntil: "networkidle" })
  await page.getByText("1 model used in the last 30 days has no price.").waitFor()
  await page.getByRole("link", { name: "Add a price of our-own" }).click()
  await page.getByLabel("Input, $", { exact: true }).fill("2")
  await page.getByLabel("Output, $").fill("8")
  await page.getByLabel("Counts from").fill("2026-11-01")
  await expectGoodOnPhone(page)
  await page.getByRole("button", { name: "Save the price" }).click()
  await page.getByText(/our-own at any provider costs \$2\.00 in and \$8\.00 out/).waitFor()
  await page.getByText("Every model used in the last 30 days has a cost or a price.").waitFor()
  await page.getByLabel("Model or provider").fill("our-own")
  await page.getByRole("button", { name: "Search" }).click()
  await page.waitForURL((url) => url.search === "?q=our-own")
  // What is open from before has the same button, and goes away with the dialog that it opens.
  await page.getByRole("button", { name: "Back to what Belay ships" }).waitFor({ state: "detached" })
  await page.getByRole("link", { name: "Change the price of our-own at any provider" }).click()
  await page.getByRole("button", { name: "Back to what Belay ships" }).click()
  await page.getByRole("alertdialog").getByRole("button", { name: "Take it back" }).click()
  await page.getByText("1 model used in the last 30 days has no price.").waitFor()
  await expectGoodOnPhone(page)
})
