import type { ServerBuild } from "@remix-run/node"
import { expect } from "vitest"
import type { AccountRole } from "#server/db/types.ts"
import { loadPages } from "#server/pages.ts"
import { createAccount } from "#server/team/bootstrap.ts"
import { mayDo, type Permission } from "#server/team/roles.ts"
import { openCookie, startTestBelay } from "../belay.ts"
import { test } from "../db.ts"

const ROLES: readonly AccountRole[] = ["owner", "admin", "manager", "on-call", "developer", "author", "auditor"]

type Requirement = Permission | "signed_in" | "public"

interface Endpoint {
  readonly method: "GET" | "POST"
  readonly path: string
  readonly requires: Requirement | undefined
  /** A layout has no address of its own: what it answers comes with the pages inside it. */
  readonly isLayout: boolean
}

/** Every loader and action of the built pages, with what it declares. */
async function listEndpoints(): Promise<Endpoint[]> {
  const { build } = await loadPages({ isDev: false })
  const { routes } = typeof build === "function" ? await build() : (build satisfies ServerBuild)
  return Object.values(routes).flatMap((route) => {
    if (route === undefined) return []
    const path = `/${(route.path ?? "").replace("*", "nowhere")}`
    const declared = (handler: unknown) =>
      typeof handler === "function" && "requires" in handler ? (handler.requires as Requirement) : undefined
    const isLayout = route.path === undefined && route.index !== true
    const { loader, action } = route.module
    return [
      ...(loader ? [{ method: "GET" as const, path, requires: declared(loader), isLayout }] : []),
      ...(action ? [{ method: "POST" as const, path, requires: declared(action), isLayout }] : []),
    ]
  })
}

test("every loader and action declares what it requires, and every role gets exactly that over HTTP", async ({
  database,
}) => {
  const endpoints = await listEndpoints()
  expect(endpoints.length).toBeGreaterThan(10)
  expect(endpoints.filter((endpoint) => endpoint.requires === undefined)).toEqual([])

  const belay = await startTestBelay(database, { pages: loadPages({ isDev: false }) })
  const cookies = new Map<AccountRole | null, string>([[null, ""]])
  for (const role of ROLES) {
    const email = `${role}@example.org`
    const { orgId } = belay
    const { userId } = await createAccount(database.owner, { orgId, email, role, password: "not used here" })
    cookies.set(role, await openCookie(belay, userId))
  }

  const wrong: string[] = []
  for (const { method, path, requires } of endpoints.filter((endpoint) => !endpoint.isLayout)) {
    for (const [role, cookie] of cookies) {
      // Signing out would end the session that the next requests need.
      if (path === "/sign-out" && method === "POST") continue
      const response = await fetch(`${belay.url}${path}`, {
        method,
        redirect: "manual",
        headers: { cookie, ...(method === "POST" && { "content-type": "application/x-www-form-urlencoded" }) },
      })
      await response.arrayBuffer()
      const isRefused = response.status === 403 || isRedirect(response, ["/sign-in", "/connect", "/audit"])
      const mayPass =
        requires === "public" ||
        (role !== null && (requires === "signed_in" || (requires !== undefined && mayDo(role, requires))))
      // What is for everyone may lead to the sign-in page too.
      const isWrong = requires === "public" ? response.status === 403 : mayPass === isRefused
      if (isWrong || response.status >= 500) {
        wrong.push(`${method} ${path} as ${role ?? "nobody"}: ${response.status}, requires ${requires}`)
      }
    }
  }
  await belay.close()
  expect(wrong).toEqual([])
})

function isRedirect(response: Response, to: readonly string[]): boolean {
  const location = response.headers.get("location") ?? ""
  return response.status === 302 && to.some((path) => location === path || location.startsWith(`${path}?`))
}

test("a role without a page is led to its own from the front door, and told so elsewhere", async ({ database }) => {
  const belay = await startTestBelay(database, { pages: loadPages({ isDev: false }) })
  const { userId } = await createAccount(database.owner, {
    orgId: belay.orgId,
    email: "aud@example.org",
    role: "auditor",
    password: "not used here",
  })
  const cookie = await openCookie(belay, userId)
  const get = (path: string) => fetch(`${belay.url}${path}`, { redirect: "manual", headers: { cookie } })
  const [home, connect] = [await get("/"), await get("/connect")]
  expect(home.headers.get("location")).toBe("/audit")
  expect([connect.status, await connect.text()]).toEqual([
    403,
    expect.stringContaining("not part of your role (auditor)"),
  ])
  await belay.close()
})
