import type { ServerBuild } from "@remix-run/node"
import { sql } from "kysely"
import { expect } from "vitest"
import { asTenant } from "#server/db/tenant.ts"
import type { AccountRole } from "#server/db/types.ts"
import { loadPages } from "#server/pages.ts"
import { createAccount } from "#server/team/bootstrap.ts"
import { moveToTeam, setManagedTeams } from "#server/team/people.ts"
import { createTeam } from "#server/team/teams.ts"
import { createIngestKey } from "#server/team/ingest-keys.ts"
import { mayDo, type Permission } from "#server/team/roles.ts"
import { openCookie, startTestBelay } from "../belay.ts"
import { test } from "../db.ts"
import { makeIncident, makeOrganization, makeSignal, makeTeam, storeSignals } from "../factories.ts"

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
  const accounts = new Map<AccountRole, string>()
  for (const role of ROLES) {
    const email = `${role}@example.org`
    const { orgId } = belay
    const made = await createAccount(database.owner, { orgId, email, role, password: "not used here" })
    cookies.set(role, await openCookie(belay, made.userId))
    accounts.set(role, made.accountId)
  }
  const by = { orgId: belay.orgId, actorId: null, actorEmail: null, occurredAt: belay.now(), requestId: "request" }
  await asTenant(database.app, belay.orgId, async (tx) => {
    const team = await createTeam(tx, { name: "Payments", parentId: null, by })
    const teamId = team.ok ? team.id : ""
    await moveToTeam(tx, { accountId: accounts.get("developer") ?? "", teamId, fromDay: "2026-01-01", by })
    await setManagedTeams(tx, { accountId: accounts.get("manager") ?? "", teamIds: [teamId], by })
  })

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
      // From the front door a role without the ladder is led to its first page.
      const elsewhere = path === "/" ? ["/sign-in", "/connect", "/audit"] : ["/sign-in"]
      const isRefused = response.status === 403 || isRedirect(response, elsewhere)
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

test("ids of another organization are answered like ids that do not exist, by every page and action, and change nothing", async ({
  database,
}) => {
  const belay = await startTestBelay(database, { pages: loadPages({ isDev: false }) })
  const { owner } = database
  const admin = await owner.selectFrom("account").select("user_id").executeTakeFirstOrThrow()
  const cookie = await openCookie(belay, admin.user_id ?? "")

  const orgId = await makeOrganization(database)
  const account = { orgId, email: "xanadu@example.org", role: "developer" as const, password: "not used here" }
  const { accountId } = await createAccount(owner, account)
  const teamId = await makeTeam(database, orgId, "Xanadu")
  await storeSignals(database, orgId, [makeSignal({ identity: { kind: "installation", value: "laptop" } })])
  const laptop = await owner
    .selectFrom("developer_identity")
    .select("developer_id as id")
    .where("kind", "=", "installation")
    .executeTakeFirstOrThrow()
  const by = { orgId, actorId: null, actorEmail: null, occurredAt: belay.now(), requestId: "request" }
  const keyId = await asTenant(database.app, orgId, async (tx) => {
    const made = { name: "Xanadu", scopes: ["ingest" as const], teamId: null, agentTool: null, expiresAt: null }
    const key = await createIngestKey(tx, { ...made, by })
    return key.ok ? key.id : ""
  })
  const group = await owner
    .insertInto("sso_group")
    .values({ org_id: orgId, name: "xanadu", role: "admin" })
    .returning("id")
    .executeTakeFirstOrThrow()

  const incident = `/incidents/${await makeIncident(database, { orgId, teamId, model: "xanadu" })}`
  const person = `/people/${accountId}`
  const attempts: readonly (readonly [path: string, form: Record<string, string> | null])[] = [
    [`/?team=${teamId}`, null],
    [`/ladder.csv?team=${teamId}`, null],
    [`/incidents?team=${teamId}`, null],
    [incident, null],
    [incident, { intent: "acknowledge" }],
    [incident, { intent: "accept" }],
    [incident, { intent: "reopen" }],
    [incident, { intent: "label", verdict: "real", cause: "", comment: "" }],
    [person, null],
    [`${person}/data`, null],
    [person, { intent: "role", role: "admin" }],
    [person, { intent: "team", team: "" }],
    [person, { intent: "manages" }],
    [person, { intent: "invitation" }],
    [person, { intent: "password_reset" }],
    [person, { intent: "remove" }],
    [person, { intent: "break_glass", reason: "curiosity, mostly", minutes: "15" }],
    [`${person}/data`, {}],
    ["/people/teams", { intent: "change", id: teamId, name: "Ours", parent: "", timeZone: "" }],
    ["/people/teams", { intent: "delete", id: teamId }],
    ["/people/teams", { intent: "create", name: "Part of theirs", parent: teamId }],
    ["/people/identities", { intent: "merge", id: laptop.id, email: "xanadu@example.org" }],
    ["/people/identities", { intent: "separate", id: laptop.id }],
    ["/settings", { intent: "unmap", id: group.id }],
    ["/settings", { intent: "map", group: "ours", role: "", team: teamId }],
    ["/keys", { intent: "revoke", id: keyId }],
    ["/keys", { intent: "rotate", id: keyId, overlapHours: "0" }],
    ["/me", { intent: "separate", id: laptop.id }],
    ["/account", { intent: "end_session", id: accountId }],
  ]
  const snapshot = () =>
    sql<{ rows: string }>`
      select jsonb_build_array(
        (select jsonb_agg(a) from account a where org_id = ${orgId}), (select jsonb_agg(t) from team t where org_id = ${orgId}),
        (select jsonb_agg(m) from team_member m where org_id = ${orgId}), (select jsonb_agg(d) from developer d where org_id = ${orgId}),
        (select jsonb_agg(k) from ingest_key k where org_id = ${orgId}), (select jsonb_agg(g) from sso_group g where org_id = ${orgId}),
        (select jsonb_agg(i) from incident i where org_id = ${orgId}), (select jsonb_agg(e) from incident_event e),
        (select jsonb_agg(l) from incident_label l), (select jsonb_agg(b) from break_glass b), (select jsonb_agg(l) from sign_in_link l)
      )::text as rows`.execute(owner)
  const before = await snapshot()
  const send = async (path: string, form: Record<string, string> | null) => {
    const response = await fetch(`${belay.url}${path}`, {
      redirect: "manual",
      headers: { cookie },
      ...(form !== null && { method: "POST", body: new URLSearchParams(form) }),
    })
    return { status: response.status, text: await response.text() }
  }
  const leaks: string[] = []
  for (const [path, form] of attempts) {
    const theirs = await send(path, form)
    const missing = await send(
      path.replaceAll(/[0-9a-f-]{36}/g, NOBODY),
      form === null
        ? null
        : Object.fromEntries(
            Object.entries(form).map(([name, value]) => [name, value.replace(/^[0-9a-f-]{36}$/, NOBODY)]),
          ),
    )
    if (theirs.status !== 404 || missing.status !== 404) {
      leaks.push(`${path} ${JSON.stringify(form)}: ${theirs.status}, for no id at all ${missing.status}`)
    }
    if (/xanadu/i.test(theirs.text.replaceAll(form?.["email"] ?? "nobody", ""))) {
      leaks.push(`${path} ${JSON.stringify(form)} names what it found`)
    }
  }
  expect(leaks).toEqual([])
  expect(await snapshot()).toEqual(before)
  await belay.close()
})

const NOBODY = "00000000-0000-4000-8000-000000000000"
