import { expect } from "vitest"
import { makeTeam } from "../factories.ts"
import { readFixture } from "../belay.ts"
import { expectAccessible } from "./axe.ts"
import { test } from "./browser.ts"

test("a key is made for a team and a tool, shown once, rotated with an overlap and revoked", async ({
  belay,
  database,
  page,
}) => {
  await makeTeam(database, belay.orgId, "Checkout")
  await page.goto("/keys")
  await page.getByText("1 key works, not used yet.").waitFor()
  await page.getByRole("button", { name: "Make a key" }).click()
  await page.getByLabel("Name").fill("CI of Checkout")
  await page.getByRole("combobox", { name: "Team" }).selectOption("Checkout")
  await page.getByLabel("Agent tool").fill("claude-code")
  await page.getByRole("checkbox", { name: /^Test/ }).check()
  await page.getByRole("button", { name: "Make the key" }).click()
  await page.getByRole("alert").getByText("either stores what it is sent or only tests").waitFor()
  await page.getByRole("checkbox", { name: /^Test/ }).uncheck()
  await page.getByRole("button", { name: "Make the key" }).click()
  const shown = page.getByRole("status", { name: "The new key" })
  await shown.waitFor()
  const key = await shown.locator("code").first().innerText()
  const row = page.getByRole("row").filter({ hasText: "CI of Checkout" })
  await row.getByText("Checkout · claude-code only").waitFor()
  const send = async (withKey: string) => {
    const body = await readFixture("captured/claude-16.logs.pb")
    return (await belay.post("logs", body, { authorization: `Bearer ${withKey}` })).status
  }
  expect([key.startsWith("blk_"), await send(key)]).toEqual([true, 200])

  await page.goto("/keys")
  expect(await page.getByText(key).count()).toBe(0)
  await row.getByText("just now").first().waitFor()
  await page.getByRole("button", { name: "Rotate CI of Checkout" }).click()
  await page.getByLabel("The old key stops").selectOption("in 7 days")
  await page.getByRole("button", { name: "Make the new key" }).click()
  await shown.waitFor()
  const newKey = await shown.locator("code").first().innerText()
  await row
    .filter({ hasText: "stops in 7 days" })
    .getByText(`replaced by ${newKey.slice(0, 10)}`)
    .waitFor()
  await row.filter({ hasText: `replaces ${key.slice(0, 10)}` }).waitFor()
  expect(await send(newKey)).toBe(200)

  await row.filter({ hasText: "stops in 7 days" }).getByRole("button", { name: "Revoke CI of Checkout" }).click()
  await page.getByRole("button", { name: "Revoke “CI of Checkout”" }).click()
  await row.filter({ hasText: "stops in 7 days" }).waitFor({ state: "detached" })
  await page.getByRole("link", { name: "Ended" }).click()
  await page.getByRole("row").filter({ hasText: "revoked" }).getByText(key.slice(0, 10)).waitFor()
  await page.getByRole("link", { name: "All" }).click()
  await page.getByRole("row").filter({ hasText: "First key" }).waitFor()
  await page.getByLabel("Search keys").fill("checkout")
  await page.waitForURL(/q=checkout/)
  await page.getByRole("row").filter({ hasText: "First key" }).waitFor({ state: "detached" })
  expect(await row.count()).toBe(2)
})

test("an author makes a test key, by keyboard alone, and sees no other", async ({ belay, database, page }) => {
  await database.owner.updateTable("account").set({ role: "author" }).where("org_id", "=", belay.orgId).execute()
  await page.goto("/connect")
  await page.getByRole("link", { name: "make a test key" }).click()
  await page.getByRole("heading", { name: "No test keys yet" }).waitFor()
  await page.getByRole("button", { name: "Make a key" }).focus()
  await page.keyboard.press("Enter")
  await page.getByRole("dialog", { name: "Make a key" }).waitFor()
  await page.keyboard.type("My agent")
  await page.keyboard.press("Enter")
  await page.getByRole("status", { name: "The new key" }).getByText("nothing it sends is stored").waitFor()
  // The key is told before the table is loaded anew.
  await page.getByRole("row").filter({ hasText: "My agent" }).waitFor()
  expect(await page.getByRole("cell", { name: "First key" }).count()).toBe(0)
  expect(await page.getByRole("row").count()).toBe(2)
})

test.for(["light", "dark"] as const)(
  "the keys have no accessibility violation in %s",
  async (colorScheme, { page }) => {
    await page.emulateMedia({ colorScheme })
    await page.setViewportSize({ width: 360, height: 780 })
    await page.goto("/keys")
    await expectAccessible(page)
    await page.getByRole("button", { name: "Rotate First key" }).click()
    await page.getByRole("alertdialog").waitFor()
    await expectAccessible(page)
    await page.getByRole("button", { name: "Make the new key" }).click()
    await page.getByRole("status", { name: "The new key" }).waitFor()
    await expectAccessible(page)
    await page.getByRole("button", { name: "Make a key" }).click()
    await page.getByRole("dialog").waitFor()
    await expectAccessible(page)
    await page.keyboard.press("Escape")
    // Nothing reaches past the side of a phone.
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360)
    await page.goto("/keys?state=ended")
    await page.getByText("No key is like that.").waitFor()
    await expectAccessible(page)
  },
)
