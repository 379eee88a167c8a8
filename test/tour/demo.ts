import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import path from "node:path"
import type { BrowserContextOptions, Page } from "playwright-core"
import { DEMO_ACCOUNTS } from "#server/demo/accounts.ts"
import { launchChromium } from "../browser/chromium.ts"
import { waitForTakeOver } from "../browser/take-over.ts"
import { spawnBelay } from "../spawn.ts"

export interface Demo {
  /** Of Chromium. */
  readonly version: string
  /** A page in a browser of its own, in which a person of this role is signed in. Whoever asks closes its context. */
  enter(role: Role, options?: BrowserContextOptions): Promise<Page>
}

export type Role = (typeof DEMO_ACCOUNTS)[number]["role"]

/** Starts the demo as a visitor does, and Chromium; both are gone when `work` is done. */
export async function withDemo(work: (demo: Demo) => Promise<void>): Promise<void> {
  const dataDir = await mkdtemp(path.join(tmpdir(), "belay-tour-"))
  const belay = await spawnBelay(dataDir, {}, ["--demo"])
  try {
    const browser = await launchChromium()
    try {
      const demo: Demo = {
        version: browser.version(),
        async enter(role, options = {}) {
          const context = await browser.newContext({ baseURL: belay.ready.url, ...options })
          await context.request.get(`/demo/enter?role=${role}&to=/glossary`)
          const page = await context.newPage()
          await waitForTakeOver(page)
          return page
        },
      }
      await waitForStories(demo)
      await work(demo)
    } finally {
      await browser.close()
    }
  } finally {
    await belay.end("SIGTERM")
    await rm(dataDir, { recursive: true, force: true })
  }
}

/** The detector goes through eight weeks behind the pages. */
async function waitForStories(demo: Demo): Promise<void> {
  const page = await demo.enter("manager")
  for (let tries = 0; tries < 100; tries++) {
    await page.goto("/incidents?state=any")
    if ((await page.locator('main a[href^="/incidents/"]').count()) > 2) break
    await page.waitForTimeout(2000)
  }
  await page.context().close()
}

/** A page of the tour. */
export interface Stop {
  /** Of its file. */
  readonly name: string
  readonly role: Role
  readonly path: string
  /** Goes on from the first link on that page whose address begins so. */
  readonly link?: string
}

/** Every page that somebody of the demo opens. */
export const STOPS: readonly Stop[] = [
  { name: "ladder", role: "manager", path: "/" },
  { name: "usage", role: "manager", path: "/usage" },
  { name: "latency", role: "manager", path: "/latency" },
  { name: "outcomes", role: "manager", path: "/outcomes" },
  { name: "outcomes-mine", role: "developer", path: "/outcomes/mine" },
  { name: "incidents", role: "manager", path: "/incidents" },
  { name: "incident", role: "manager", path: "/incidents", link: "/incidents/" },
  { name: "glossary", role: "manager", path: "/glossary" },
  { name: "digest", role: "manager", path: "/digest" },
  { name: "views", role: "manager", path: "/views" },
  { name: "alerts", role: "on-call", path: "/alerts" },
  { name: "alert", role: "on-call", path: "/alerts?state=any", link: "/alerts/" },
  { name: "alert-rules", role: "admin", path: "/alerts/rules" },
  { name: "alert-objective", role: "admin", path: "/alerts/objectives/new?rung=autocomplete" },
  { name: "alert-channels", role: "admin", path: "/alerts/channels" },
  { name: "policy", role: "admin", path: "/policy" },
  { name: "policy-organization", role: "admin", path: "/policy/organization" },
  { name: "policy-edit", role: "admin", path: "/policy/organization/edit" },
  { name: "policy-dry-run", role: "admin", path: "/policy/organization/dry-run" },
  { name: "policy-suggestions", role: "admin", path: "/policy/suggestions" },
  { name: "policy-exceptions", role: "admin", path: "/policy/exceptions" },
  { name: "policy-budgets", role: "admin", path: "/policy/budgets" },
  { name: "policy-clients", role: "admin", path: "/policy/clients" },
  { name: "policy-native", role: "admin", path: "/policy/native" },
  { name: "decisions", role: "admin", path: "/decisions" },
  { name: "me", role: "developer", path: "/me" },
  { name: "decisions-mine", role: "developer", path: "/decisions/mine" },
  { name: "connect", role: "admin", path: "/connect" },
  { name: "keys", role: "admin", path: "/keys" },
  { name: "people", role: "admin", path: "/people" },
  { name: "person", role: "admin", path: "/people", link: "/people/" },
  { name: "teams", role: "admin", path: "/people/teams" },
  { name: "identities", role: "admin", path: "/people/identities" },
  { name: "import", role: "admin", path: "/people/import" },
  { name: "audit", role: "admin", path: "/audit" },
  { name: "settings", role: "admin", path: "/settings" },
  { name: "settings-ingest", role: "admin", path: "/settings/ingest" },
  { name: "settings-storage", role: "admin", path: "/settings/storage" },
  { name: "settings-prices", role: "admin", path: "/settings/prices" },
  { name: "settings-webhooks", role: "admin", path: "/settings/webhooks" },
  { name: "account", role: "developer", path: "/account" },
]

/** Opens the page; false when there is none to go on to. */
export async function visit(page: Page, { path: at, link }: Stop): Promise<boolean> {
  await page.goto(at)
  if (link !== undefined) {
    const hrefs = await page
      .locator("main a")
      .evaluateAll((links) => links.map((one) => one.getAttribute("href") ?? ""))
    const found = hrefs.find((href) => href.startsWith(link) && /[0-9a-f]{8}-[0-9a-f-]{27}$/.test(href))
    if (found === undefined) return false
    await page.goto(found)
  }
  return true
}
