import { evaluateAll } from "#server/alert/loop.ts"
import { asTenant } from "#server/db/tenant.ts"
import { setManagedTeams } from "#server/team/people.ts"
import { CAPTURED_AT } from "../belay.ts"
import { joinTeam, makeIncident, makeSignal, makeTeam, storeAndCount } from "../factories.ts"
import { expectAccessible } from "./axe.ts"
import { test } from "./browser.ts"

const PEOPLE = ["ada", "ben", "chen", "dana", "eli", "fay"]
const DAY_MS = 86_400_000
const dayAgo = (days: number) => new Date(CAPTURED_AT.getTime() - days * DAY_MS)

const suggestions = (latencyMs: number, daysAgo: number, accepted: number) =>
  PEOPLE.flatMap((person) =>
    Array.from({ length: 10 }, (_, index) =>
      makeSignal({
        person,
        kind: "suggestion",
        rung: "autocomplete",
        agentTool: "copilot",
        latencyMs,
        outcome: index < accepted ? "accepted" : "rejected",
        origin: "human",
        at: dayAgo(daysAgo),
      }),
    ),
  )

test("a manager's Monday leads from the ladder over the team, its latency and its incident to the alert, and back", async ({
  belay,
  database,
  openAs,
}) => {
  const { orgId } = belay
  const teamId = await makeTeam(database, orgId, "Checkout")
  for (const person of PEOPLE) await joinTeam(database, { orgId, person, teamId, from: "2026-01-01" })
  await storeAndCount(database, orgId, [...suggestions(120, 10, 5), ...suggestions(480, 2, 2)])
  const slowSince = dayAgo(2)
  await makeIncident(database, {
    orgId,
    teamId,
    rung: "autocomplete",
    openedAt: slowSince,
    cause: "latency",
    causes: [{ cause: "latency", share: 0.9, reasons: ["began_before_loss"], exposed: null }],
    people: 6,
    peopleAffected: 6,
  })
  await evaluateAll({ worker: database.worker, app: database.app }, belay.now())

  const page = await openAs({ email: "manager@example.com", role: "manager" })
  const account = await database.owner
    .selectFrom("account")
    .select("id")
    .where("email", "=", "manager@example.com")
    .executeTakeFirstOrThrow()
  const by = { orgId, actorId: null, actorEmail: null, occurredAt: slowSince, requestId: "request" }
  await asTenant(database.app, orgId, (tx) => setManagedTeams(tx, { accountId: account.id, teamIds: [teamId], by }))

  await page.goto("/?range=1w")
  await page
    .getByText(/^Checkout: autocomplete p95 latency rose from \d+ ms to \d+ ms, past its objective of 200 ms;/)
    .waitFor()
  await page.locator("main").getByRole("link", { name: "Checkout" }).click()
  await page.waitForURL(/team=/)
  const rung = page.getByRole("list", { name: "Rungs, highest first" }).getByRole("listitem").last()
  await rung.getByText("past 200 ms").waitFor()
  await rung.getByRole("link", { name: /^p95/ }).click()
  await page.waitForURL(/latency\?.*rung=autocomplete/)
  await page
    .getByText(/[Aa]utocomplete p95 latency .* objective of 200 ms/)
    .first()
    .waitFor()
  await page.getByRole("figure", { name: "Acceptance by latency" }).waitFor()

  await page.goBack()
  await rung.getByRole("link", { name: "1 incident at autocomplete" }).click()
  await page.waitForURL(/incidents\?rung=autocomplete/)
  const list = page.getByRole("list", { name: "Incidents, newest first" })
  await list.getByRole("link", { name: /Checkout/ }).click()
  await page.waitForURL(/incidents\/[0-9a-f-]{36}$/)
  await page.getByText(/Checkout .* since .*Probably: /).waitFor()
  await expectAccessible(page)

  await page.getByRole("navigation", { name: "Look further" }).getByRole("link", { name: "Alert" }).click()
  await page.waitForURL(/alerts\//)
  await page
    .getByRole("heading", { name: /Checkout|[Aa]utocomplete/ })
    .first()
    .waitFor()
  const acknowledge = page.getByRole("button", { name: "Acknowledge" })
  await acknowledge.click()
  await acknowledge.waitFor({ state: "detached" })
  await page
    .locator("main")
    .getByRole("link", { name: /incident/i })
    .first()
    .click()
  await page.waitForURL(/incidents\//)
})
