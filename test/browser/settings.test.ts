import { expect } from "vitest"
import { createCodeHost, delivery, readWebhook } from "../code-host.ts"
import { makeSignal, makeTeam, storeAndCount } from "../factories.ts"
import { expectGoodOnPhone } from "./axe.ts"
import { test } from "./browser.ts"

test("settings are saved and said, and a group below three people is refused by the page and by the server", async ({
  page,
}) => {
  await page.goto("/settings")
  const groupSize = page.getByLabel("Fewest people behind a figure (k)")
  await groupSize.fill("2")
  await page.getByRole("button", { name: "Save the settings" }).click()
  expect(await groupSize.evaluate((input: HTMLInputElement) => input.validity.rangeUnderflow)).toBe(true)
  await groupSize.evaluate((input) => input.removeAttribute("min"))
  await page.getByRole("button", { name: "Save the settings" }).click()
  await page.getByText("Never below 3.").waitFor()
  await expectGoodOnPhone(page)

  await groupSize.fill("7")
  await page.getByLabel("Time zone").selectOption("Europe/Berlin")
  await page.getByRole("button", { name: "Save the settings" }).click()
  await page.getByText("Example: days begin in Europe/Berlin, figures of fewer than 7 people are withheld.").waitFor()
})

test("a group of the identity provider is mapped and unmapped, and what was typed survives a refusal", async ({
  belay,
  database,
  page,
}) => {
  await makeTeam(database, belay.orgId, "Platform")
  await page.goto("/settings")
  const group = page.getByLabel("Group", { exact: true })
  const map = page.getByRole("button", { name: "Map the group" })
  await group.fill("eng-all")
  await page.getByLabel("Gives the role").selectOption("Developer")
  await map.click()
  await page.getByText("It counts from the next sign-in of eng-all on.").waitFor()
  expect(await group.inputValue()).toBe("")

  await group.fill("eng-platform")
  await map.click()
  await page.getByRole("alert").getByText("Choose a role, a team or both.").waitFor()
  expect(await group.inputValue()).toBe("eng-platform")
  await page.getByLabel("Puts in the team").selectOption("Platform")
  await map.click()
  const row = page.getByRole("row").filter({ hasText: "eng-platform" })
  await row.getByText("Platform", { exact: true }).waitFor()
  await expectGoodOnPhone(page)
  await page.getByRole("button", { name: "Remove the mapping of eng-platform" }).click()
  await page.getByRole("alertdialog").getByRole("button", { name: "Remove" }).click()
  await row.waitFor({ state: "detached" })
})

test("storage says what is kept and for how long, first without telemetry and then with some", async ({
  belay,
  database,
  page,
}) => {
  await page.goto("/settings")
  await page.getByRole("link", { name: "Storage", exact: true }).click()

  await page.getByText("After the first full day of telemetry a forecast stands here.").waitFor()
  await page.getByText("Figures are being counted anew from the signals.").waitFor()
  await expectGoodOnPhone(page)

  const yesterday = new Date(belay.now().getTime() - 86_400_000)
  await storeAndCount(
    database,
    belay.orgId,
    Array.from({ length: 1500 }, () => makeSignal({ at: yesterday })),
  )
  await page.reload()
  await page.getByText(/At the pace of the last full days that is [\d.]+ [kM]B a year from now\./).waitFor()
  await page.getByText(/All signals are counted; the newest came/).waitFor()
  const row = page.getByRole("row").filter({ hasText: "Signals, as they came" })
  await row.getByText("30 days").waitFor()
  await expectGoodOnPhone(page)
})

test("a webhook is made, its secret shown once, and what comes in with it stands below", async ({ page }) => {
  await page.goto("/settings")
  await page.getByRole("link", { name: "Webhooks", exact: true }).click()
  await page.getByText("No pull or merge request was told of in the last 30 days.").waitFor()
  await page.getByText("Nothing has come in with a right signature.").waitFor()
  await page.getByRole("button", { name: "Make a webhook for GitHub" }).click()
  const secret = (await page.getByText(/^blw_/).textContent()) ?? ""
  const url = (await page.getByText(/\/webhooks\/github\//).textContent()) ?? ""
  await expectGoodOnPhone(page)

  const host = createCodeHost("github", url, secret)
  const pull = await readWebhook("github-pull_request")
  expect(await host.deliver(delivery("ping", { zen: "Words" }))).toBe(202)
  expect(await host.deliver(delivery("pull_request", pull))).toBe(202)
  expect(await host.deliver(delivery("pull_request", pull), "wrong")).toBe(401)
  await page.reload()
  await page.getByText("Of 1 pull or merge request in the last 30 days 1 is joined to agent work; 0 are not.").waitFor()
  await page.getByRole("row").filter({ hasText: "pull_request" }).getByText("Kept 1 event").waitFor()
  await page.getByRole("row").filter({ hasText: "ping" }).getByText("Nothing to keep").waitFor()
  await page.getByText("1 delivery refused for a wrong signature").waitFor()
  expect(await page.getByText(/^blw_/).count()).toBe(0)
  await expectGoodOnPhone(page)

  await page.getByRole("button", { name: "Make a new secret for GitHub" }).click()
  await page.getByRole("alertdialog").getByRole("button", { name: "Make a new secret" }).click()
  await page.getByText("the one before still works").waitFor()
  expect(await page.getByText(/^blw_/).textContent()).not.toBe(secret)
  expect(await host.deliver(delivery("ping", {}))).toBe(202)
})
