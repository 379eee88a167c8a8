import type { Browser, BrowserContext, Page } from "playwright-core"
import type { AccountRole } from "#server/db/types.ts"
import { loadPages } from "#server/pages.ts"
import { createAccount } from "#server/team/bootstrap.ts"
import { ADMIN, openCookie, startTestBelay, type TestBelay } from "../belay.ts"
import { test as databaseTest } from "../db.ts"
import { launchChromium } from "./chromium.ts"
import { waitForTakeOver } from "./take-over.ts"

/** `test` with the built pages over a database of its own, and a page that is signed in as the first admin. */
export const test = databaseTest
  .extend("chromium", { scope: "worker" }, async ({}, { onCleanup }): Promise<Browser> => {
    const browser = await launchChromium()
    onCleanup(() => browser.close())
    return browser
  })
  .extend("belay", async ({ database }, { onCleanup }): Promise<TestBelay> => {
    const belay = await startTestBelay(database, { pages: loadPages({ isDev: false }) })
    onCleanup(() => belay.close())
    return belay
  })
  .extend("context", async ({ chromium: browser, belay }, { onCleanup }): Promise<BrowserContext> => {
    const context = await browser.newContext({ baseURL: belay.url, viewport: { width: 1280, height: 900 } })
    onCleanup(() => context.close())
    return context
  })
  .extend("anonymous", async ({ context }): Promise<Page> => watch(await context.newPage()))
  .extend("page", async ({ context, belay, database }): Promise<Page> => {
    const account = await database.owner.selectFrom("account").select("user_id").executeTakeFirstOrThrow()
    await signInAs(context, belay, account.user_id)
    return watch(await context.newPage())
  })

  .extend("openAs", async ({ chromium: browser, belay, database }, { onCleanup }): Promise<OpenAs> => {
    const contexts: BrowserContext[] = []
    onCleanup(async () => {
      for (const context of contexts) await context.close()
    })
    return async (person) => {
      const context = await browser.newContext({ baseURL: belay.url, viewport: { width: 1280, height: 900 } })
      contexts.push(context)
      if (person !== null) {
        const values = { orgId: belay.orgId, password: ADMIN.password, ...person }
        await signInAs(context, belay, (await createAccount(database.owner, values)).userId)
      }
      return watch(await context.newPage())
    }
  })

/** A page in a browser of its own, signed in as a new person of this address and role, or as nobody. */
type OpenAs = (person: { email: string; role: AccountRole } | null) => Promise<Page>

/** Gives the browser a session of this user. */
export async function signInAs(context: BrowserContext, belay: TestBelay, userId: string | null): Promise<void> {
  if (userId === null) throw new Error("This person cannot sign in.")
  for (const pair of (await openCookie(belay, userId)).split("; ")) {
    const [name = "", value = ""] = pair.split("=")
    await context.addCookies([{ name, value, url: belay.url }])
  }
}

/** What the page prints as an error fails the test, as it does on the server. */
async function watch(page: Page): Promise<Page> {
  await waitForTakeOver(page)
  page.on("pageerror", (error) => {
    // Remix leaves the answer of a navigation that another one overtook without anybody to await it.
    if (error.name !== "AbortError") console.error("in the page:", error)
  })
  page.on("console", (message) => {
    // Chromium reports every answer past 400 as an error; tests look at those themselves.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) {
      console.error("in the page:", message.text())
    }
  })
  return page
}
