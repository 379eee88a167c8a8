import { sql } from "kysely"
import { expect } from "vitest"
import { ADMIN } from "../belay.ts"
import { expectAccessible } from "./axe.ts"
import { test } from "./browser.ts"

test("what an admin did is in the log, verified, filtered and exported, and tampering shows", async ({
  database,
  page,
}) => {
  await page.goto("/connect")
  await page.getByRole("button", { name: "Make a key and fill in the snippets" }).click()
  await page.getByText("It is shown only now").waitFor()
  await page.getByRole("button", { name: "Revoke First key" }).click()
  await page.getByRole("button", { name: "Revoke “First key”" }).click()
  await page.getByText(/revoked/).waitFor()

  await page.getByRole("link", { name: "Audit" }).click()
  const rows = page.getByRole("row")
  await rows.filter({ hasText: "key.revoke" }).getByText("First key").waitFor()
  await rows.filter({ hasText: "key.create" }).getByText(ADMIN.email).waitFor()
  await expectAccessible(page)

  await page.getByRole("button", { name: "Verify the chain" }).click()
  await page.getByText("The chain is whole: 2 entries.").waitFor()
  await page.getByLabel("Action").selectOption("key.create")
  await page.waitForURL(/action=key.create/)
  await rows.filter({ hasText: "key.revoke" }).waitFor({ state: "detached" })

  const exported = await page.request.get("/audit.jsonl")
  const entries = (await exported.text())
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { action: string })
  expect(entries.map((entry) => entry.action)).toEqual(["audit.export", "key.revoke", "key.create"])

  await sql`update audit_event set actor_email = 'someone@example.com' where sequence = 2`.execute(database.owner)
  await page.goto("/audit")
  await page.getByRole("button", { name: "Verify the chain" }).click()
  await page.getByRole("alert").getByText("Tampering found at entry 2").waitFor()
})

test("signing in, failing to and signing out are recorded", async ({ anonymous: page, database }) => {
  await page.goto("/sign-in")
  await page.getByLabel("E-mail").fill(ADMIN.email)
  await page.getByLabel("Password").fill("not the password")
  await page.getByRole("button", { name: "Sign in" }).click()
  await page.getByRole("alert").waitFor()
  await page.getByLabel("Password").fill(ADMIN.password)
  await page.getByRole("button", { name: "Sign in" }).click()
  await page.getByRole("button", { name: "Sign out" }).first().click()
  await page.getByRole("heading", { name: "Sign in to Belay" }).waitFor()
  const events = await database.owner.selectFrom("audit_event").select("action").orderBy("sequence").execute()
  expect(events.map((event) => event.action)).toEqual(["session.sign_in_failed", "session.sign_in", "session.sign_out"])
})
