import { expect } from "vitest"
import { asTenant } from "#server/db/tenant.ts"
import { placeJoinedOperations } from "#server/outcomes/place.ts"
import { CAPTURED_AT } from "../belay.ts"
import { joinTeam, makeChange, makeSignal, makeTeam, storeAndCount } from "../factories.ts"
import { expectGoodOnPhone } from "./axe.ts"
import { test } from "./browser.ts"

const PEOPLE = ["ada", "ben", "chen", "dana", "eli", "fay"]
const DAY_MS = 86_400_000

const suggestions = (latencyMs: number, daysAgo: number, accepted: number) =>
  PEOPLE.flatMap((person) =>
    Array.from({ length: 20 }, (_, index) =>
      makeSignal({
        person,
        kind: "suggestion",
        rung: "autocomplete",
        agentTool: "copilot",
        model: "mini",
        latencyMs,
        outcome: index < accepted ? "accepted" : "rejected",
        origin: "human",
        at: new Date(CAPTURED_AT.getTime() - daysAgo * DAY_MS),
      }),
    ),
  )

test("latency is answered in a sentence, with its threshold, tools, tables and files, and one click leads to the team", async ({
  belay,
  database,
  page,
}) => {
  const { orgId } = belay
  await page.goto("/latency")
  await page.getByRole("heading", { name: "Nothing was timed in this period" }).waitFor()

  const teamId = await makeTeam(database, orgId, "Checkout")
  for (const person of PEOPLE) await joinTeam(database, { orgId, person, teamId, from: "2026-01-01" })
  await storeAndCount(database, orgId, [...suggestions(100, 10, 9), ...suggestions(500, 2, 3)])
  await page.goto("/latency")
  await page.getByText(/Autocomplete p95 latency is .* times its objective of 200 ms\./).waitFor()
  await page.getByText(/Threshold seen: from about \d+ ms on, 15 % is accepted; below, 45 %\./).waitFor()
  await page.getByRole("figure", { name: "By agent tool" }).getByRole("link", { name: "copilot" }).waitFor()
  await page.getByRole("figure", { name: "By model" }).getByRole("link", { name: "mini" }).waitFor()

  const dose = page.getByRole("figure", { name: "Acceptance by latency" })
  await dose.getByRole("button", { name: "Acceptance by latency", exact: true }).focus()
  await dose.getByRole("tooltip").getByText("95 % Wilson intervals").waitFor()
  await dose.getByText("Show as a table").click()
  expect(await dose.getByRole("row").allTextContents()).toContainEqual(expect.stringMatching(/15 %± [\d.]+1206$/))
  const file = await page.request.get((await dose.getByRole("link", { name: "as CSV" }).getAttribute("href")) ?? "")
  expect((await file.text()).split("\r\n")[1]).toMatch(/^autocomplete,[\d.]+,[\d.]+,6,54,120,0.45,/)
  const picture = page.waitForEvent("download")
  await dose.getByRole("button", { name: "as PNG" }).click()
  expect((await picture).suggestedFilename()).toBe("belay-acceptance-by-latency.png")

  // The cells of the distribution are gone through by keyboard.
  const spread = page.getByRole("figure", { name: "Distribution over time" })
  await spread.getByRole("application").focus()
  await page.keyboard.press("ArrowLeft")
  await spread.getByText(/week of 16 Nov, .* of 120 suggestions by 6 people/).waitFor()
  await expectGoodOnPhone(page)

  await page.getByRole("link", { name: /Checkout/ }).click()
  await page.waitForURL(/team=/)
  await page.getByText("cut by team as well, the groups would be too small to show").waitFor()
  await page.getByRole("link", { name: "glossary" }).click()
  await page.getByText("Maximally selected chi-square", { exact: false }).waitFor()
})

test("use is told by week, tool and model, with unused seats and budgets", async ({ belay, database, page }) => {
  const { orgId } = belay
  const teamId = await makeTeam(database, orgId, "Checkout")
  const idle = PEOPLE.map((person) => `${person}2`)
  for (const person of [...PEOPLE, ...idle]) await joinTeam(database, { orgId, person, teamId, from: "2026-01-01" })
  const at = new Date(CAPTURED_AT.getTime() - DAY_MS)
  await storeAndCount(
    database,
    orgId,
    PEOPLE.flatMap((person) => [
      makeSignal({ person, at }),
      makeSignal({
        person,
        at,
        kind: "model_call",
        rung: "agent",
        model: "opus",
        mode: "plan",
        language: "go",
        inputTokens: 90,
        costUsd: 0.5,
      }),
    ]),
  )
  await page.goto("/usage?range=1w")
  await page.getByText("6 people used agents this week: 50 % of 12 seats, 6 unused.").waitFor()
  const models = page.getByRole("figure", { name: "Spend by model" })
  await models.getByText("$3.00 in the range.").waitFor()
  await page.getByText("6 people active in four weeks.").waitFor()
  await page.getByText("of no merged change it is known what its tasks cost").waitFor()
  await page.getByText("No data: to compare, two models need merged changes").waitFor()
  await page.getByRole("figure", { name: "Operations by agent tool" }).getByText("Chat · claude-code").waitFor()
  await page.getByText("No budget is in force.").waitFor()
  await page.getByRole("group", { name: "By" }).getByRole("link", { name: "Mode" }).click()
  const work = page.getByRole("figure", { name: "Operations by mode" })
  await work.getByText("Chat · not named").waitFor()
  await work.getByRole("group", { name: "Figure" }).getByRole("link", { name: "Cost" }).click()
  await page.waitForURL(/by=mode.*measure=cost/)
  await work.getByRole("listitem").filter({ hasText: "Agent · plan" }).getByText("$3.00").waitFor()
  await work.getByText("Show as a table").click()
  expect(await work.getByRole("row").allTextContents()).toEqual([
    "RungModeOperationsChangePeopleTokensCost",
    "Agentplan66540$3.00",
    "Chatnot named66no datano data",
  ])
  const csv = await page.request.get((await work.getByRole("link", { name: "as CSV" }).getAttribute("href")) ?? "")
  expect((await csv.text()).split("\r\n").slice(0, 2)).toEqual([
    "rung,mode,people,operations,operations_before,tokens,usd,usd_before,unpriced_tokens",
    "agent,plan,6,6,,540,3,,0",
  ])
  const file = await page.request.get("/usage.csv?range=1w&chart=people")
  expect(await file.text()).toBe("week,active,unused\r\n2026-11-16,6,6\r\n")
  await expectGoodOnPhone(page)
  await page.getByRole("combobox", { name: "Team" }).selectOption({ label: "Checkout" })
  await page.getByText("cut by team as well, the groups would be too small to show").waitFor()
  await page.getByRole("combobox", { name: "Compared with" }).selectOption({ label: "All teams" })
  await page.getByText("Of seats 50 % are in use in the week of 16 Nov, ±0 pts against all teams.").waitFor()
  await expectGoodOnPhone(page)
})

test("outcomes say where review falls behind, beside how far tasks came, and list nobody's changes but one's own", async ({
  belay,
  database,
  page,
}) => {
  const { orgId } = belay
  await page.goto("/outcomes")
  await page.getByRole("heading", { name: "Nothing is known to have become of any task" }).waitFor()

  const teamId = await makeTeam(database, orgId, "Checkout")
  for (const person of PEOPLE) await joinTeam(database, { orgId, person, teamId, from: "2026-01-01" })
  const at = new Date(CAPTURED_AT.getTime() - 2 * DAY_MS)
  const when = (hours: number) => new Date(at.getTime() + hours * 3_600_000).toISOString()
  const tasks = PEOPLE.flatMap((person) => ["agent", "orchestration"].map((rung) => `${person} ${rung}`))
  await storeAndCount(
    database,
    orgId,
    PEOPLE.flatMap((person) => [
      makeSignal({ person, kind: "task", rung: "agent", operationId: `${person} agent`, toolCalls: 4, at }),
      makeSignal({ person, kind: "run", rung: "orchestration", operationId: `${person} orchestration`, at }),
      ...Array.from({ length: 6 }, () =>
        makeSignal({ person, kind: "tool_call", rung: "agent", operationId: `${person} agent`, error: "other", at }),
      ),
    ]),
  )
  for (const [index, operation] of tasks.entries()) {
    const isRun = operation.endsWith("orchestration")
    await makeChange(database, orgId, {
      operations: [operation],
      opened_at: when(1),
      merged_at: when(4),
      lines_added: isRun ? 900 : 90,
      lines_removed: 0,
      ...(isRun && index > 2 ? {} : { first_review_at: when(2), approved_at: when(3) }),
    })
  }
  for (let more = 0; more < 10; more++) await makeChange(database, orgId, { opened_at: when(1) })
  await asTenant(database.app, orgId, (tx) => placeJoinedOperations(tx, { now: CAPTURED_AT }))

  await page.goto("/outcomes?range=1w")
  await page
    .getByText("trailer (certain) about 55 %, commit id (certain) about 0 %, session and branch (likely)")
    .waitFor()
  await page
    .getByText(
      "Orchestration: 83 % of what was opened this week and merged had no review; 100 % of it is larger than one sitting's review.",
    )
    .waitFor()
  const funnel = page.getByRole("figure", { name: "How far tasks come" })
  await funnel.getByRole("region", { name: "Orchestration" }).getByText("breaks here").waitFor()
  await funnel.getByRole("button", { name: "How far tasks come", exact: true }).focus()
  await funnel.getByRole("tooltip").getByText("Planned: one began").waitFor()
  await funnel.getByText("Show as a table").click()
  expect(await funnel.getByRole("row").allTextContents()).toContainEqual(
    expect.stringMatching(/^AgentMerged66 of 6100 %± /),
  )
  const debt = page.getByRole("figure", { name: "Throughput and review debt" })
  const file = await page.request.get((await debt.getByRole("link", { name: "as CSV" }).getAttribute("href")) ?? "")
  const [columns = "", agent = ""] = (await file.text()).split("\r\n")
  expect(columns).toMatch(/^week,rung,people,changes,sized,within_limit,/)
  expect(agent).toMatch(/^2026-11-16,agent,6,6,6,6,/)
  const loops = page.getByRole("figure", { name: "Loops" })
  await loops.getByText("6 of 6 tasks").waitFor()
  await loops.getByText("What they burned: no data, no source says what they took.").waitFor()
  const burned = await page.request.get((await loops.getByRole("link", { name: "as CSV" }).getAttribute("href")) ?? "")
  expect((await burned.text()).split("\r\n").slice(1)).toEqual([
    expect.stringMatching(/^agent,6,6,6,1,0\.\d+,1,,$/),
    "orchestration,,,,,,,,",
    "",
  ])
  await expectGoodOnPhone(page)
  await page.getByRole("link", { name: "Checkout" }).first().click()
  await page.waitForURL(/team=/)
  await page.getByRole("combobox", { name: "Compared with" }).selectOption({ label: "All teams" })
  await debt.getByText("against all teams: 83 %").waitFor()
  await page.getByRole("figure", { name: "Evidence and rework" }).getByText("against all teams: 0 %").first().waitFor()
  await expectGoodOnPhone(page)
  await page.getByRole("link", { name: "Your own changes" }).click()
  await page.getByText("No change is known to have your agents’ work in it.").waitFor()
  expect(await page.getByText("acme/shop").count()).toBe(0)
})
