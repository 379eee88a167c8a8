import { sql } from "kysely"
import { expect } from "vitest"
import { loadPages } from "#server/pages.ts"
import { ADMIN, startTestBelay } from "../belay.ts"
import { expectAccessible } from "./axe.ts"
import { signInAs, test } from "./browser.ts"

test("what an admin did is in the log, verified, filtered and exported, and tampering shows", async ({
  database,
  page,
}) => {
  await page.goto("/connect")
  await page.getByRole("button", { name: "Make a key and fill in the snippets" }).click()
  await page.getByText("It is shown only now").waitFor()
  await page.goto("/keys")
  await page.getByRole("button", { name: "Revoke First key" }).click()
  await page.getByRole("button", { name: "Revoke “First key”" }).click()
  await page.getByText("1 key works, not used yet.").waitFor()

  await page.getByRole("link", { name: "Audit" }).click()
  const rows = page.getByRole("row")
  await rows.filter({ hasText: "key.revoke" }).getByText("First key").waitFor()
  await rows.filter({ hasText: "key.create" }).getByText(ADMIN.email).waitFor()
  await expectAccessible(page)

  await page.getByRole("button", { name: "Verify the chain" }).click()
  await page.getByText("The chain is whole: 2 entries.").waitFor()
  const head = await page.getByRole("status").locator("code").innerText()
  await page.getByLabel("Action").selectOption("key.create")
  await page.waitForURL(/action=key.create/)
  await rows.filter({ hasText: "key.revoke" }).waitFor({ state: "detached" })

  const exported = await page.request.get("/audit.jsonl")
  const entries = (await exported.text())
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { action: string; hash: string })
  expect(entries.map((entry) => entry.action)).toEqual(["audit.export", "key.revoke", "key.create"])
  expect(entries[1]?.hash).toBe(head)

  await sql`update audit_event set actor_email = 'someone@example.com' where sequence = 2`.execute(database.owner)
  await page.goto("/audit")
  await page.getByRole("button", { name: "Verify the chain" }).click()
  await page.getByRole("alert").getByText("Tampering found at entry 2").waitFor()
})

test("how far the log was sent on is told, and why it waits", async ({ chromium, database }) => {
  const belay = await startTestBelay(database, {
    pages: loadPages({ isDev: false }),
    auditEndpoint: "https://siem.example/v1/logs",
  })
  await database.worker
    .insertInto("audit_export")
    .values({
      org_id: belay.orgId,
      sequence: 1,
      sent_at: new Date(belay.now().getTime() - 7_200_000),
      failures: 1,
      error: "the endpoint answered 503",
      retry_at: new Date(belay.now().getTime() + 60_000),
    })
    .execute()
  const account = await database.owner.selectFrom("account").select("user_id").executeTakeFirstOrThrow()
  const context = await chromium.newContext({ baseURL: belay.url })
  await signInAs(context, belay, account.user_id)
  const page = await context.newPage()
  await page.goto("/audit")
  await page.getByText("Sent on to siem.example as OTLP logs: 1 of 0 entries, last 2 h ago.").waitFor()
  await page.getByText("Last error: the endpoint answered 503. What waits is kept and tried again in 1 min.").waitFor()
  await expectAccessible(page)
  // Cut off: an entry was sent on that is not here.
  await page.getByRole("button", { name: "Verify the chain" }).click()
  await page.getByRole("alert").getByText("Tampering found at entry 1").waitFor()
  await context.close()
  await belay.close()
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
