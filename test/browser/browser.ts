import { existsSync } from "node:fs"
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core"
import type { AccountRole } from "#server/db/types.ts"
import { loadPages } from "#server/pages.ts"
import { createAccount } from "#server/team/bootstrap.ts"
import { ADMIN, openCookie, startTestBelay, type TestBelay } from "../belay.ts"
import { test as databaseTest } from "../db.ts"

/** The shell first: the same engine without a browser's window around it, which costs a third less. */
const CANDIDATES = [
  "/usr/bin/chromium-headless-shell",
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/usr/bin/google-chrome-stable",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
]

function findChromium(): string {
  const given = process.env["CHROMIUM_PATH"]
  const found = given ?? CANDIDATES.find((candidate) => existsSync(candidate))
  if (found !== undefined && existsSync(found)) return found
  throw new Error(
    "The browser tests need Chromium. Install it (Debian: apt-get install chromium-headless-shell) or set CHROMIUM_PATH to one.",
  )
}

/** Headless, without calls home: tests do not reach past this machine. */
const QUIET = [
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
]

/** Chromium refuses its sandbox to root. */
const SANDBOX = process.getuid?.() === 0 ? ["--no-sandbox"] : []

/** `test` with the built pages over a database of its own, and a page that is signed in as the first admin. */
export const test = databaseTest
  .extend("chromium", { scope: "worker" }, async ({}, { onCleanup }): Promise<Browser> => {
    const browser = await chromium.launch({ executablePath: findChromium(), args: [...QUIET, ...SANDBOX] })
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

/**
 * Going to an address, and again to where one is, ends when React has taken the page over: what is chosen before that is
 * the browser's alone. A page without scripts is there at once.
 */
async function waitForTakeOver(page: Page): Promise<void> {
  await page.addInitScript(() => {
    addEventListener("belay:taken-over", () => document.documentElement.setAttribute("data-taken-over", ""), {
      once: true,
    })
  })
  const isTakenOver = () =>
    document.querySelector("link[rel=modulepreload]") === null || document.querySelector("[data-taken-over]") !== null
  const goto = page.goto.bind(page)
  const reload = page.reload.bind(page)
  page.goto = async (...args) => {
    const response = await goto(...args)
    await page.waitForFunction(isTakenOver)
    return response
  }
  page.reload = async (...args) => {
    const response = await reload(...args)
    await page.waitForFunction(isTakenOver)
    return response
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
