import { expect } from "vitest"
import { loadPages } from "#server/pages.ts"
import type { Mail } from "#server/mail/mailer.ts"
import { ADMIN, CAPTURED_AT, startTestBelay } from "../belay.ts"
import { joinTeam, makeSignal, makeTeam, storeAndCount } from "../factories.ts"
import { totp } from "../sign-in.ts"
import { expectGoodOnPhone } from "./axe.ts"
import { test } from "./browser.ts"

const NEW_PASSWORD = "staple battery horse"

test("an invitation lets its person in once, with a password that they type twice", async ({ page, openAs }) => {
  await page.goto("/people")
  await page.getByLabel("E-mail", { exact: true }).fill("ada@example.com")
  await page.getByRole("button", { name: "Add" }).click()
  const shown = page.getByRole("status").filter({ hasText: "shown only now" })
  const link = await shown.locator("code").innerText()

  const invited = await openAs(null)
  await invited.goto(`${link}x`)
  await invited.getByRole("heading", { name: "This link does not work" }).waitFor()
  await expectGoodOnPhone(invited)
  await invited.goto(link)
  await invited.getByLabel("Name").fill("Ada Lovelace")
  await invited.getByLabel("Password").fill(NEW_PASSWORD)
  await invited.getByLabel("Once more").fill("something else")
  await invited.getByRole("button", { name: "Join" }).click()
  await invited.getByText("The two are not the same.").waitFor()
  await expectGoodOnPhone(invited)
  await invited.getByLabel("Once more").fill(NEW_PASSWORD)
  await invited.getByRole("button", { name: "Join" }).click()
  await invited.getByRole("heading", { name: "Me", exact: true }).waitFor()

  const late = await openAs(null)
  expect((await late.goto(link))?.status()).toBe(404)
  await late.getByRole("heading", { name: "This link does not work" }).waitFor()
  await page.goto("/people")
  await page.getByRole("row").filter({ hasText: "Ada Lovelace" }).getByText("signs in").waitFor()
})

test("a second factor is asked for once a code proved it, and a recovery code takes its place once", async ({
  page,
  openAs,
}) => {
  await page.goto("/account")
  const section = page.getByRole("region", { name: "Second factor" })
  await section.getByLabel("Your password").fill("not the password")
  await section.getByRole("button", { name: "Set it up" }).click()
  await page.getByRole("alert").getByText("That is not your password").waitFor()
  await section.getByLabel("Your password").fill(ADMIN.password)
  await section.getByRole("button", { name: "Set it up" }).click()
  const secret = await section.locator("form code").innerText()
  const code = () => totp(`otpauth://totp/belay?secret=${secret}`, new Date())
  await section.getByLabel("Code that the app shows").fill("not-six")
  await section.getByRole("button", { name: "Turn it on" }).click()
  // The QR code and the key stay for another try.
  await section.getByText("That code is not right.").waitFor()
  expect(await section.locator("form code").innerText()).toBe(secret)
  await expectGoodOnPhone(page)
  await section.getByLabel("Code that the app shows").fill(code())
  await section.getByRole("button", { name: "Turn it on" }).click()
  await section.getByText("The second factor is on.").waitFor()
  const recoveryCodes = await section.getByRole("listitem").allInnerTexts()
  expect(recoveryCodes).toHaveLength(10)

  const elsewhere = await openAs(null)
  const enterPassword = async () => {
    await elsewhere.goto("/sign-in?to=%2Fkeys")
    await elsewhere.getByLabel("E-mail").fill(ADMIN.email)
    await elsewhere.getByLabel("Password").fill(ADMIN.password)
    await elsewhere.getByRole("button", { name: "Sign in" }).click()
    await elsewhere.getByRole("heading", { name: "Second factor" }).waitFor()
  }
  await enterPassword()
  await elsewhere.getByLabel("Code").fill("not-six")
  await elsewhere.getByRole("button", { name: "Sign in" }).click()
  await elsewhere.getByRole("alert").getByText("That code is not right.").waitFor()
  await expectGoodOnPhone(elsewhere)
  await elsewhere.getByLabel("Code").fill(code())
  await elsewhere.getByRole("button", { name: "Sign in" }).click()
  await elsewhere.waitForURL("**/keys")

  const enterRecoveryCode = async () => {
    await elsewhere.context().clearCookies()
    await enterPassword()
    await elsewhere.getByRole("link", { name: "Use a recovery code" }).click()
    await elsewhere.getByLabel("Recovery code").fill(recoveryCodes[0] ?? "")
    await elsewhere.getByRole("button", { name: "Sign in" }).click()
  }
  await enterRecoveryCode()
  await elsewhere.waitForURL("**/keys")
  await enterRecoveryCode()
  await elsewhere.getByRole("alert").getByText("That code is not right.").waitFor()
})

test("a session ended elsewhere lets nobody in any more, and a new password ends the others", async ({
  page,
  openAs,
}) => {
  const elsewhere = await openAs(null)
  const signIn = async (password: string) => {
    await elsewhere.goto("/sign-in")
    await elsewhere.getByLabel("E-mail").fill(ADMIN.email)
    await elsewhere.getByLabel("Password").fill(password)
    await elsewhere.getByRole("button", { name: "Sign in" }).click()
  }
  const isOut = async () => {
    await elsewhere.goto("/account")
    await elsewhere.getByRole("heading", { name: "Sign in to Belay" }).waitFor()
  }
  await signIn(ADMIN.password)
  await elsewhere.getByRole("navigation", { name: "Pages", exact: true }).waitFor()
  await page.goto("/account")
  await page.getByRole("button", { name: /^End the session of Chrome on/ }).click()
  await page.getByText("1 session ended.").waitFor()
  await isOut()

  await signIn(ADMIN.password)
  await elsewhere.getByRole("navigation", { name: "Pages", exact: true }).waitFor()
  const password = page.getByRole("region", { name: "Password" })
  await password.getByLabel("Your password").fill(ADMIN.password)
  await password.getByLabel("A new one").fill(NEW_PASSWORD)
  await password.getByRole("button", { name: "Change the password" }).click()
  await page.getByText("Your password is changed.").waitFor()
  await isOut()
  await signIn(ADMIN.password)
  await elsewhere.getByRole("alert").getByText("E-mail or password is not right.").waitFor()
  await signIn(NEW_PASSWORD)
  await elsewhere.getByRole("navigation", { name: "Pages", exact: true }).waitFor()
})

test("a forgotten password is a matter for an owner where Belay sends no mail", async ({ anonymous: page }) => {
  await page.goto("/sign-in")
  await expectGoodOnPhone(page)
  await page.getByRole("link", { name: "Forgot your password?" }).click()
  await page.getByText("This Belay sends no e-mail. Ask an owner or admin").waitFor()
  expect(await page.getByRole("textbox").count()).toBe(0)
  await expectGoodOnPhone(page)
})

test("a forgotten password is set anew through a mailed link, and the answer is the same for strangers", async ({
  chromium,
  database,
}) => {
  const sent: Mail[] = []
  const mailer = { send: async (mail: Mail) => void sent.push(mail) }
  const belay = await startTestBelay(database, { pages: loadPages({ isDev: false }), mailer })
  const context = await chromium.newContext({ baseURL: belay.url })
  const page = await context.newPage()
  for (const email of ["stranger@example.com", ADMIN.email]) {
    await page.goto("/sign-in/forgot")
    await page.getByLabel("E-mail").fill(email)
    await page.getByRole("button", { name: "Send a link" }).click()
    await page.getByText("If there is an account of this address, a link is on its way.").waitFor()
  }
  await expectGoodOnPhone(page)
  expect(sent.map((mail) => mail.to)).toEqual([ADMIN.email])
  const link = /http\S+\/link\/\S+/.exec(sent[0]?.text ?? "")?.[0] ?? ""
  await page.goto(link)
  await page.getByLabel("Password").fill(NEW_PASSWORD)
  await page.getByLabel("Once more").fill(NEW_PASSWORD)
  await page.getByRole("button", { name: "Set the password" }).click()
  await page.getByRole("heading", { name: "Trust ladder" }).waitFor()
  await context.close()
  await belay.close()
})

test("the palette goes by keyboard to what a role may open, chooses a theme, and gives back the focus", async ({
  page,
  openAs,
}) => {
  await page.goto("/glossary")
  const open = page.getByRole("button", { name: "Find a page, team or action" })
  const typed = page.getByRole("combobox", { name: /^Page, team/ })
  await open.focus()
  await page.keyboard.press("Control+k")
  await page.getByRole("option", { name: "Alert rules" }).waitFor()
  expect(await page.getByRole("option", { selected: true }).innerText()).toBe("Ladder")
  await page.keyboard.press("ArrowUp")
  expect(await page.getByRole("option", { selected: true }).innerText()).toBe("Sign out")
  await expectGoodOnPhone(page)
  await typed.fill("no such thing")
  await page.getByText("Nothing of yours is called that.").waitFor()
  await page.keyboard.press("Escape")
  await typed.waitFor({ state: "detached" })
  expect(await open.evaluate((element) => element === document.activeElement)).toBe(true)

  await open.click()
  await typed.fill("dark")
  await page.keyboard.press("Enter")
  await page.waitForFunction(() => document.documentElement.dataset["theme"] === "dark")
  await page.getByRole("button", { name: "Theme: dark" }).waitFor()
  await page.keyboard.press("Control+k")
  await typed.fill("rul al")
  await page.getByRole("option", { name: "Alert rules" }).waitFor()
  await page.keyboard.press("Enter")
  await page.waitForURL("**/alerts/rules")

  const author = await openAs({ email: "author@example.org", role: "author" })
  await author.goto("/keys")
  await author.keyboard.press("Control+k")
  await author.getByRole("option", { name: "Your account" }).waitFor()
  await author.getByRole("combobox").fill("rules")
  expect(await author.getByRole("option").allInnerTexts()).not.toContain("Alert rules")
})

test("a page with its filters is kept under a name, shared, found by others, renamed and deleted", async ({
  page,
  openAs,
}) => {
  await page.goto("/latency?range=8w&rung=chat")
  await page.getByRole("button", { name: "Views" }).click()
  await page.getByText("None yet.").waitFor()
  await page.getByLabel("Save this page with its filters as").fill("Slow chats")
  await page.getByLabel("Everyone in the organization sees it.").check()
  await expectGoodOnPhone(page)
  await page.getByRole("button", { name: "Save this view" }).click()
  await page.getByRole("link", { name: "Slow chats" }).waitFor()
  await page.getByLabel("Save this page with its filters as").fill("slow chats")
  await page.getByRole("button", { name: "Save this view" }).click()
  await page.getByText("Another of your views has this name.").waitFor()
  await page.keyboard.press("Escape")

  const other = await openAs({ email: "on-call@example.org", role: "on-call" })
  await other.goto("/glossary")
  await other.keyboard.press("Control+k")
  await other.getByRole("combobox").fill("slow")
  await other.getByRole("option", { name: /^Slow chats, shared by / }).click()
  await other.waitForURL("**/latency?range=8w&rung=chat")

  await page.goto("/views")
  await page.getByText("1 view of yours, and 0 views that others share.").waitFor()
  await expectGoodOnPhone(page)
  await page.getByRole("button", { name: "Change Slow chats" }).click()
  await page.getByLabel("Name").fill("Chats")
  await page.getByLabel("Everyone in the organization sees it.").uncheck()
  await page.getByRole("button", { name: "Save" }).click()
  await page.getByText("Saved Chats.").waitFor()
  await other.goto("/views")
  await other.getByText("No view is saved yet.").waitFor()
  await page.getByRole("button", { name: "Delete Chats" }).click()
  await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click()
  await page.getByText("No view is saved yet.").waitFor()
  await page.goto("/audit")
  for (const action of ["view.share", "view.unshare"]) await page.getByRole("cell", { name: action }).waitFor()
})

test("the weekly digest is shown as it would be sent, and wanted by a click", async ({ page, belay, database }) => {
  const { orgId } = belay
  await page.goto("/digest")
  await page.getByText("There is nothing to say of last week").waitFor()
  const teamId = await makeTeam(database, orgId, "Checkout")
  const at = new Date(CAPTURED_AT.getTime() - 7 * 86_400_000)
  const people = ["ada", "ben", "chen", "dana", "eli"]
  for (const person of people) await joinTeam(database, { orgId, person, teamId, from: "2026-01-01" })
  await storeAndCount(
    database,
    orgId,
    people.map((person) => makeSignal({ person, at })),
  )
  await page.goto("/digest")
  await page.getByText("Checkout works up to chat: 5 turns by 5 people").waitFor()
  await expectGoodOnPhone(page)
  await page.getByRole("button", { name: "Send it to me on Mondays" }).click()
  await page.getByText("You get the digest on Mondays.").waitFor()
  await page.getByText("On Mondays from 7:00 (UTC) the week before goes to admin@example.com.").waitFor()
  await page.getByRole("button", { name: "Stop sending it to me" }).click()
  await page.getByText("You do not get the digest.").waitFor()
})
