import { sql } from "kysely"
import { expect, vi } from "vitest"
import { ADMIN } from "../belay.ts"
import { expectAccessible } from "./axe.ts"
import { test } from "./browser.ts"

test("nobody sees a page without signing in, and signing in leads to the page that was asked for", async ({
  anonymous: page,
}) => {
  await page.goto("/connect?tool=codex")
  await page.getByRole("heading", { name: "Sign in to Belay" }).waitFor()
  await expectAccessible(page)
  await page.getByLabel("E-mail").fill(ADMIN.email)
  await page.getByLabel("Password").fill("not the password")
  await page.getByRole("button", { name: "Sign in" }).click()
  await page.getByRole("alert").getByText("E-mail or password is not right.").waitFor()

  await page.getByLabel("Password").fill(ADMIN.password)
  await page.getByRole("button", { name: "Sign in" }).click()
  await page.waitForURL("**/connect?tool=codex")

  await page.getByRole("button", { name: "Sign out" }).first().click()
  await page.getByRole("heading", { name: "Sign in to Belay" }).waitFor()
  await page.goto("/")
  await page.getByRole("heading", { name: "Sign in to Belay" }).waitFor()
})

test("live events and figures are not for strangers", async ({ anonymous: page, belay }) => {
  expect((await page.request.get("/events/arrivals")).status()).toBe(401)
  const csv = await page.request.get("/ladder.csv", { maxRedirects: 0 })
  expect(csv.status()).toBe(302)
  // There is no way around signing in outside demo mode.
  expect((await page.request.get("/demo/enter?role=admin&to=/")).status()).toBe(404)
  expect((await page.request.get(`${belay.url}/sign-in?to=//evil.example`)).status()).toBe(200)
})

test("a form from another site changes nothing", async ({ page, belay }) => {
  const response = await page.request.post("/connect", {
    headers: { origin: "https://evil.example" },
    form: { intent: "create", name: "Stolen" },
  })
  expect(response.status()).toBe(403)
  await page.goto(`${belay.url}/connect`)
  expect(await page.getByRole("cell", { name: "Stolen" }).count()).toBe(0)
})

test("a page runs no script but its own", async ({ anonymous: page }) => {
  const first = await page.goto("/sign-in")
  const policy = first?.headers()["content-security-policy"] ?? ""
  expect(policy).toMatch(/script-src 'self' 'nonce-[A-Za-z0-9+/=]{24}'(;|$)/)
  expect((await page.goto("/sign-in"))?.headers()["content-security-policy"]).not.toBe(policy)

  const printed = vi.spyOn(console, "error").mockImplementation(() => {})
  const blocked = page.evaluate(
    () =>
      new Promise<string>((resolve) => {
        document.addEventListener("securitypolicyviolation", (event) => resolve(event.effectiveDirective))
        const script = document.createElement("script")
        script.textContent = "document.title = 'taken over'"
        document.body.append(script)
      }),
  )
  expect(await blocked).toBe("script-src-elem")
  expect(await page.title()).toBe("Sign in · Belay")
  expect(printed).toHaveBeenCalledWith("in the page:", expect.stringContaining("Content Security Policy"))
})

test("a page that is not there says so inside the frame, with a way back", async ({ page }) => {
  expect((await page.goto("/nowhere"))?.status()).toBe(404)
  await page.getByRole("alert").getByText("There is no such page").waitFor()
  await page.getByRole("link", { name: "Go to the ladder" }).click()
  await page.getByRole("heading", { name: "Trust ladder" }).waitFor()
  await page.getByRole("navigation", { name: "Pages" }).waitFor()
})

test("a page that cannot be loaded says so without details, with the id under which they are printed", async ({
  page,
  database,
}) => {
  const printed = vi.spyOn(console, "error").mockImplementation(() => {})
  await sql`revoke select on signal from belay_app`.execute(database.owner)
  const response = await page.goto("/")
  const requestId = response?.headers()["x-request-id"] ?? "none"
  expect(response?.status()).toBe(500)
  await page.getByRole("alert").getByText(requestId).waitFor()
  expect(await page.locator("body").innerText()).not.toMatch(/permission denied|signal|\.ts/)
  expect(printed).toHaveBeenCalledWith(`request ${requestId} failed:`, expect.anything())
})

test("what is typed while a page is taken over stays typed, and the page works", async ({ page, context }) => {
  const devtools = await context.newCDPSession(page)
  await devtools.send("Emulation.setCPUThrottlingRate", { rate: 4 })
  for (let load = 0; load < 2; load++) {
    await page.goto("/people", { waitUntil: "commit" })
    const search = page.getByLabel("Name or e-mail")
    await search.focus()
    await page.keyboard.type("nobody of that name", { delay: 20 })
    // An error in the page fails the test; one that was given up for good would not search, nor one that forgot a
    // choice made before it was taken over.
    await page.getByRole("search", { name: "Find people" }).getByLabel("Role").selectOption("Auditor")
    await page.waitForURL(/find=nobody\+of\+that\+name&role=auditor/)
  }
})
