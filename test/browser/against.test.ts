import { expect } from "vitest"
import { CAPTURED_AT } from "../belay.ts"
import { joinTeam, makeSignal, makeTeam, storeAndCount } from "../factories.ts"
import { expectAccessible, expectGoodOnPhone } from "./axe.ts"
import { test } from "./browser.ts"

test("a team is compared with another on the ladder, the address keeps it, and the next page tells the same", async ({
  belay,
  database,
  page,
}) => {
  const { orgId } = belay
  const members = {
    Checkout: ["ada", "ben", "chen", "dana", "eli", "fay"],
    Payments: ["ira", "jo", "kim", "lee", "max"],
  }
  const at = new Date(CAPTURED_AT.getTime() - 2 * 86_400_000)
  const signals = await Promise.all(
    Object.entries(members).map(async ([name, people]) => {
      const teamId = await makeTeam(database, orgId, name)
      for (const person of people) await joinTeam(database, { orgId, person, teamId, from: "2026-01-01" })
      const isFast = name === "Checkout"
      return people.flatMap((person) =>
        Array.from({ length: 20 }, (_, index) =>
          makeSignal({
            person,
            at,
            kind: "suggestion",
            rung: "autocomplete",
            origin: "human",
            latencyMs: isFast ? 100 : 900,
            outcome: index < (isFast ? 15 : 5) ? "accepted" : "rejected",
          }),
        ),
      )
    }),
  )
  await storeAndCount(database, orgId, signals.flat())

  await page.goto("/?range=1w")
  await page.getByRole("combobox", { name: "Team" }).selectOption({ label: "Checkout" })
  await page.waitForURL(/team=/)
  const against = page.getByRole("combobox", { name: "Compared with" })
  await expect
    .poll(() => against.getByRole("option").allTextContents())
    .toEqual(["The period before", "All teams", "Payments"])
  await against.selectOption({ label: "Payments" })
  await page.waitForURL(/against=/)
  const autocomplete = page
    .getByRole("listitem")
    .filter({ has: page.getByRole("heading", { name: "Autocomplete" }) })
    .first()
  await autocomplete.getByText("+50 pts against Payments", { exact: true }).waitFor()
  await autocomplete.getByText(/against Payments: 9\d\d ms/).waitFor()
  await expectAccessible(page)

  await page.reload()
  await autocomplete.getByText("+50 pts against Payments").waitFor()
  expect(await against.locator("option:checked").textContent()).toBe("Payments")
  await page.getByRole("button", { name: "Compared with" }).focus()
  await page.getByRole("tooltip").getByText("Only what does not grow with a team is compared").waitFor()
  await expectGoodOnPhone(page)

  await autocomplete.getByRole("link", { name: /p95/ }).click()
  await page.waitForURL(/\/latency\?.*against=/)
  await page.getByText(/against Payments: 9\d\d ms/).waitFor()
  await expectGoodOnPhone(page)

  await against.selectOption({ label: "The period before" })
  await page.getByText(/against Payments/).waitFor({ state: "detached" })
  expect(new URL(page.url()).searchParams.get("against")).toBeNull()
})

test("whom it may not compare with a page says in words, with the way on", async ({ page }) => {
  await page.goto("/usage?against=nobody")
  await page.getByRole("alert").getByText("whose figures are not yours to read").waitFor()
  await expectAccessible(page)
})
