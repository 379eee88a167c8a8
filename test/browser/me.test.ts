import { expect } from "vitest"
import { emailOf, makeSignal, NOW, storeAndCount } from "../factories.ts"
import { expectGoodOnPhone } from "./axe.ts"
import { test } from "./browser.ts"

const MINUTE_MS = 60_000
const REASON = "Ticket 812: the figures look wrong to them"

test("everybody sees their own figures and signals and nobody else's", async ({ belay, database, openAs }) => {
  const ada = await openAs({ email: emailOf("ada"), role: "developer" })
  await ada.goto("/me")
  await ada.getByText("No agent of yours has reported in these weeks.").waitFor()
  await ada.getByRole("link", { name: "Connect an agent" }).waitFor()
  await expectGoodOnPhone(ada)

  await storeAndCount(database, belay.orgId, [
    makeSignal({ person: "ada", outcome: "accepted", origin: "human", latencyMs: 1200 }),
    makeSignal({ person: "bea", agentTool: "codex" }),
    makeSignal({ person: "bea", agentTool: "codex", at: new Date(NOW.getTime() - MINUTE_MS) }),
  ])
  await ada.goto("/me")
  await ada.getByText("You stand on chat: 1 turn in four weeks").waitFor()
  const signals = ada.getByRole("table", { name: "Own signals" })
  expect(await signals.getByRole("row").count()).toBe(2)
  await signals.getByText("accepted by human").waitFor()
  expect(await signals.getByText("codex").count()).toBe(0)
  await ada.getByText("Nobody but you saw these data.").waitFor()
  await expectGoodOnPhone(ada)
  await ada.getByRole("link", { name: "your changes" }).click()
  await ada.getByText("No change is known to have your agents’ work in it.").waitFor()

  // An auditor, who may see no figures, has a page of their own too, without a way to pages that are not theirs.
  const auditor = await openAs({ email: "auditor@example.com", role: "auditor" })
  await auditor.goto("/me")
  await auditor.getByText("No agent of yours has reported in these weeks.").waitFor()
  expect(await auditor.getByRole("link", { name: "Connect" }).count()).toBe(0)
})

test("an identity is claimed by its value, and given back", async ({ belay, database, openAs }) => {
  const laptop = { identity: { kind: "installation" as const, value: "laptop-7" } }
  await storeAndCount(database, belay.orgId, [makeSignal(laptop)])
  const ada = await openAs({ email: emailOf("ada"), role: "developer" })
  await ada.goto("/me")
  await ada.getByLabel("Identity").fill("laptop-8")
  await ada.getByRole("button", { name: "It is mine" }).click()
  const refusal = ada.getByRole("alert").getByText("No unclaimed telemetry names this identity.")
  await refusal.waitFor()
  expect(await refusal.evaluate((notice) => notice.getBoundingClientRect().top < innerHeight)).toBe(true)
  await ada.getByLabel("Identity").fill("laptop-7")
  await ada.getByRole("button", { name: "It is mine" }).click()
  await ada.getByText("You stand on chat: 1 turn in four weeks").waitFor()
  await expectGoodOnPhone(ada)
  await ada.getByRole("button", { name: /^Not mine/ }).click()
  await ada.getByText("No agent of yours has reported in these weeks.").waitFor()
})

test("an owner sees a person's own data only for a reason and a time, and the person reads both", async ({
  belay,
  database,
  page,
  openAs,
}) => {
  const ada = await openAs({ email: emailOf("ada"), role: "developer" })
  await storeAndCount(database, belay.orgId, [makeSignal({ person: "ada" })])
  await page.goto("/people")
  await page.getByRole("link", { name: emailOf("ada") }).click()
  await page.getByRole("heading", { name: "Break glass" }).waitFor()
  const address = page.url()
  expect((await page.goto(`${address}/data`))?.status()).toBe(404)
  await page.getByRole("alert").getByText("Nothing is open to you here").waitFor()
  await expectGoodOnPhone(page)
  await page.getByRole("link", { name: "Go to the person" }).click()
  await page.getByRole("button", { name: "Open their own data" }).click()
  await page.getByLabel("Reason").fill(REASON)
  await expectGoodOnPhone(page)
  await page.getByRole("button", { name: "Open it and tell them" }).click()
  await page.getByText("They stand on chat: 1 turn in four weeks").waitFor()
  await expectGoodOnPhone(page)

  await ada.goto("/me")
  await ada.getByText("admin@example.com can see this page too, until 20 Nov 2026, 20:45.").waitFor()
  expect(await ada.getByText(REASON).count()).toBe(2)
  await ada.getByText("admin@example.com looked at these data").waitFor()
  await expectGoodOnPhone(ada)

  belay.advance(14 * MINUTE_MS)
  expect((await page.reload())?.status()).toBe(200)
  belay.advance(MINUTE_MS)
  expect((await page.reload())?.status()).toBe(404)
  await page.getByRole("alert").getByText("Nothing is open to you here").waitFor()
  await ada.goto("/me")
  await ada.getByText("Only you see this page.").waitFor()
  expect(await ada.getByText(REASON).count()).toBe(1)
})
