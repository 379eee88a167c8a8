import { expect } from "vitest"
import type { Origin, Outcome, Rung } from "#sdk/ladder.ts"
import { ADMIN, CAPTURED_AT } from "../belay.ts"
import { joinTeam, makeSignal, makeTeam, storeAndCount } from "../factories.ts"
import { expectAccessible } from "./axe.ts"
import { test } from "./browser.ts"

const PEOPLE = ["ada", "ben", "chen", "dana", "eli", "fay"]
const DAY_MS = 86_400_000

function decided(rung: Rung, outcome: Outcome, daysAgo: number, origin: Origin = "human") {
  const at = new Date(CAPTURED_AT.getTime() - daysAgo * DAY_MS)
  return PEOPLE.map((person) => makeSignal({ person, rung, outcome, origin, at, latencyMs: 150, durationMs: 90_000 }))
}

test("captured runs are on the ladder, and withheld while one person stands behind them", async ({ belay, page }) => {
  for (const file of ["claude-16.logs.pb", "codex-7.logs.pb", "gemini-2.logs.json", "qwen-8.logs.json"]) {
    await belay.postFixture(`captured/${file}`)
  }
  await belay.count()
  await page.goto("/")
  const agent = page.getByRole("listitem").filter({ has: page.getByRole("heading", { name: "Agent" }) })
  await agent.getByText("Tasks").waitFor()
  await agent.getByText("withheld: rests on fewer than 5 people, or would reveal such a group").first().waitFor()
  expect(await agent.getByText("claude-code").count()).toBe(0)
  await page.getByText("No run in this period").waitFor()
})

test("figures, their interval and what they rest on are shown for enough people", async ({ belay, database, page }) => {
  await storeAndCount(database, belay.orgId, [
    ...decided("chat", "accepted", 1),
    ...decided("chat", "accepted", 2),
    ...decided("chat", "rejected", 3),
    ...decided("agent", "accepted", 1, "rule"),
  ])
  await page.goto("/?range=1w")
  const chat = page.getByRole("listitem").filter({ has: page.getByRole("heading", { name: "Chat" }) })
  await chat.getByText("claude-code").waitFor()
  await chat.getByText("67 %").waitFor()
  await chat.getByText("18 decisions by 6 people").waitFor()
  await chat.getByText("within 2 s").waitFor()
  const agent = page.getByRole("listitem").filter({ has: page.getByRole("heading", { name: "Agent" }) })
  await agent.getByText("not decidable from this source").waitFor()
  await page.getByText("Show as a table").click()
  expect(await page.getByRole("table").last().getByRole("row").allTextContents()).toContainEqual(
    expect.stringMatching(/^19 Nov.*100 %/),
  )
})

test("the sentence tells the team that lost trust, and the team is one click away", async ({
  belay,
  database,
  page,
}) => {
  const { orgId } = belay
  const teamId = await makeTeam(database, orgId, "Checkout")
  for (const person of PEOPLE) await joinTeam(database, { orgId, person, teamId, from: "2026-01-01" })
  const slow = (daysAgo: number, latencyMs: number) =>
    PEOPLE.flatMap((person) =>
      [1, 2, 3].map(() =>
        makeSignal({
          person,
          rung: "autocomplete",
          kind: "suggestion",
          latencyMs,
          at: new Date(CAPTURED_AT.getTime() - daysAgo * DAY_MS),
        }),
      ),
    )
  await storeAndCount(database, orgId, [...slow(10, 120), ...slow(2, 480)])
  await page.goto("/?range=1w")
  // Told from a histogram, so off by 4.9 % at most.
  const [from, to] = ["(11[5-9]|12[0-5])", "(4[6-9][0-9]|50[0-3])"]
  await page
    .getByText(
      new RegExp(
        `Checkout: autocomplete p95 latency rose from ${from} ms to ${to} ms, past its objective of 200 ms\\.`,
      ),
    )
    .waitFor()
  await page.getByRole("link", { name: "Checkout" }).click()
  await page.waitForURL(/team=/)
  await page
    .getByLabel("Team")
    .getByRole("option", { name: "Checkout" })
    .and(page.locator(":checked"))
    .waitFor({ state: "attached" })
})

test("teams are a tree in the filter and in the table, and a partly withheld figure says so", async ({
  belay,
  database,
  page,
}) => {
  const { orgId } = belay
  const commerce = await makeTeam(database, orgId, "Commerce")
  const checkout = await makeTeam(database, orgId, "Checkout", commerce)
  const payments = await makeTeam(database, orgId, "Payments", commerce)
  const others = PEOPLE.map((person) => `${person}2`)
  for (const person of PEOPLE) await joinTeam(database, { orgId, person, teamId: checkout, from: "2026-01-01" })
  for (const person of others) await joinTeam(database, { orgId, person, teamId: payments, from: "2026-01-01" })
  const turns = (people: readonly string[], daysAgo: number) =>
    people.map((person) => makeSignal({ person, at: new Date(CAPTURED_AT.getTime() - daysAgo * DAY_MS) }))
  await storeAndCount(database, orgId, [
    ...turns([...PEOPLE, ...others], 1),
    // Next to a team of two, Checkout would give them away.
    ...turns([...PEOPLE, ...others.slice(0, 2)], 8),
  ])
  await page.goto("/")
  const team = page.getByRole("combobox", { name: "Team" })
  expect(await team.locator("optgroup").getAttribute("label")).toBe("Commerce")
  expect(await team.getByRole("option").allTextContents()).toEqual([
    "All teams",
    "All of Commerce",
    "Checkout",
    "Payments",
  ])
  const row = page.getByRole("row", { name: "Commerce, Checkout" })
  await row.getByText("1 of 2 weeks; the rest is withheld").waitFor()
  await team.selectOption({ label: "All of Commerce" })
  await page.waitForURL(new RegExp(commerce))
  const chat = page.getByRole("listitem").filter({ has: page.getByRole("heading", { name: "Chat" }) })
  await chat.getByText("20", { exact: true }).waitFor()
  await team.selectOption({ label: "Checkout" })
  await chat.getByText("1 of 2 weeks").first().waitFor()
  await expectAccessible(page)
})

test("the range is in the URL, by preset and by days", async ({ belay, database, page }) => {
  await storeAndCount(database, belay.orgId, decided("chat", "accepted", 10))
  await page.goto("/?range=1w")
  await page.getByRole("heading", { name: "No signals in this period" }).waitFor()
  await page.getByRole("link", { name: "4 weeks" }).click()
  await page.getByText("6 decisions by 6 people").waitFor()
  await page.getByLabel("First day").fill("2026-11-11")
  await page.getByLabel("First day").blur()
  await page.waitForURL(/from=2026-11-11/)
  // Widened to the week.
  await page.getByText("No rung moved from 9 Nov to 20 Nov").waitFor()
  expect(await page.getByLabel("First day").inputValue()).toBe("2026-11-09")
  await page.getByText("6 decisions by 6 people").waitFor()
})

test("one's own signals are shown to oneself although one is alone", async ({ belay, database, page }) => {
  const person = ADMIN.email.split("@")[0] ?? ""
  await storeAndCount(database, belay.orgId, [
    makeSignal({ person, outcome: "accepted", origin: "human", at: new Date(CAPTURED_AT.getTime() - DAY_MS) }),
  ])
  await page.goto("/?range=1w")
  await page.getByText("withheld").first().waitFor()
  await page.getByRole("link", { name: "See only mine" }).click()
  await page.getByText("1 decision by 1 person").waitFor()
})

test("the CSV has the figures of the page", async ({ belay, database, page }) => {
  await storeAndCount(database, belay.orgId, decided("chat", "accepted", 1))
  await page.goto("/?range=1w")
  const response = await page.request.get("/ladder.csv?range=1w")
  expect(response.headers()["content-disposition"]).toContain("belay-ladder-")
  const [header, line] = (await response.text()).split("\r\n")
  expect(header).toMatch(/^bucket_start,rung,developers,operations/)
  expect(line).toMatch(/^2026-11-19,chat,6,6,6,6,1,1(4[3-9]|5[0-7])(\.\d+)?,1(4[3-9]|5[0-7])(\.\d+)?,0$/)
})

test.for(["light", "dark"] as const)(
  "the pages have no accessibility violation in %s",
  async (colorScheme, { belay, database, page }) => {
    await storeAndCount(database, belay.orgId, [...decided("chat", "accepted", 1), ...decided("agent", "rejected", 2)])
    await page.emulateMedia({ colorScheme })
    for (const path of ["/?range=1w", "/?range=8w", "/connect", "/nowhere"]) {
      await page.goto(path)
      await expectAccessible(page)
    }
  },
)
