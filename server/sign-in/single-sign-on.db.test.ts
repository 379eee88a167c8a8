import { expect, vi } from "vitest"
import { type TestDatabase, test as databaseTest } from "../../test/db.ts"
import { makeOrganization, makeTeam } from "../../test/factories.ts"
import { type RunningProvider, startIdentityProvider } from "../../test/identity-provider.ts"
import { cookieOf, makeSignInRequest, openSignIn, PUBLIC_URL } from "../../test/sign-in.ts"
import { asTenant } from "../db/tenant.ts"
import { createAccount } from "../team/bootstrap.ts"
import { getViewer, openSession, type SignIn } from "./sessions.ts"
import { finishSingleSignOn, startSingleSignOn } from "./single-sign-on.ts"

const test = databaseTest.extend("provider", async ({}, { onCleanup }): Promise<RunningProvider> => {
  const provider = await startIdentityProvider(PUBLIC_URL)
  onCleanup(() => provider.close())
  return provider
})

/** All the way to the provider and back, as `subject`. */
async function signOn(database: TestDatabase, signIn: SignIn, provider: RunningProvider, subject: string) {
  const started = await startSingleSignOn(makeSignInRequest(database, signIn), "/connect?tool=codex")
  if (started === null) throw new Error("the provider is away")
  const back = new URL(await provider.visit(started.url, subject))
  expect(back.origin + back.pathname).toBe(`${PUBLIC_URL}/auth/callback/oidc`)
  const request = makeSignInRequest(database, signIn, { cookie: cookieOf(started.headers) })
  return finishSingleSignOn({ ...request, publicUrl: PUBLIC_URL }, back.search)
}

const accounts = (database: TestDatabase) =>
  database.owner.selectFrom("account").select(["email", "name", "role"]).orderBy("email").execute()

test("whom the provider vouches for is in, as a developer, with their name, and comes back as the same person", async ({
  database,
  provider,
}) => {
  const orgId = await makeOrganization(database)
  provider.people.set("s1", { email: "Grace@example.com", name: "Grace" })
  const signIn = await openSignIn(database, provider.config)
  const first = await signOn(database, signIn, provider, "s1")
  if (!first.ok) throw new Error(first.error)
  expect(first.to).toBe("/connect?tool=codex")
  const viewer = await getViewer(signIn, cookieOf(first.headers))
  expect(viewer).toMatchObject({ orgId, email: "grace@example.com", role: "developer" })
  expect(await signOn(database, signIn, provider, "s1")).toMatchObject({ ok: true })
  expect(await accounts(database)).toEqual([{ email: "grace@example.com", name: "Grace", role: "developer" }])

  const tokens = await database.owner
    .selectFrom("auth_credential")
    .select(["provider_id", "access_token", "id_token", "refresh_token"])
    .execute()
  expect(tokens).toEqual([{ provider_id: "oidc", access_token: null, id_token: null, refresh_token: null }])
})

test("groups give a role and a team, follow the provider, and never unmake an owner", async ({
  database,
  provider,
}) => {
  const orgId = await makeOrganization(database)
  const teamId = await makeTeam(database, orgId, "Payments")
  const { userId } = await createAccount(database.owner, {
    orgId,
    email: "olga@example.com",
    role: "owner",
    password: "correct horse battery",
  })
  await database.owner
    .insertInto("sso_group")
    .values([
      { org_id: orgId, name: "belay-admins", role: "admin" },
      { org_id: orgId, name: "pay", role: "on-call", team_id: teamId },
    ])
    .execute()
  provider.people.set("s1", { email: "grace@example.com", groups: ["pay", "belay-admins", "others"] })
  provider.people.set("s2", { email: "olga@example.com", groups: ["pay"] })
  const signIn = await openSignIn(database, provider.config)
  const first = await signOn(database, signIn, provider, "s1")
  if (!first.ok) throw new Error(first.error)
  expect(await getViewer(signIn, cookieOf(first.headers))).toMatchObject({ role: "admin" })
  const members = await database.owner.selectFrom("team_member").select("team_id").execute()
  expect(members).toEqual([{ team_id: teamId }])

  const olga = await signOn(database, signIn, provider, "s2")
  if (!olga.ok) throw new Error(olga.error)
  expect(await getViewer(signIn, cookieOf(olga.headers))).toMatchObject({ role: "owner", userId })

  provider.people.set("s1", { email: "grace@example.com", groups: ["pay"] })
  const again = await signOn(database, signIn, provider, "s1")
  if (!again.ok) throw new Error(again.error)
  expect(await getViewer(signIn, cookieOf(again.headers))).toMatchObject({ role: "on-call" })
  // With another role the sessions of before are over.
  expect(await getViewer(signIn, cookieOf(first.headers))).toBeNull()
  const log = await asTenant(database.app, orgId, (tx) =>
    tx.selectFrom("audit_event").select(["action", "actor_email"]).orderBy("sequence").execute(),
  )
  expect(log).toContainEqual({ action: "account.change_role", actor_email: "the identity provider" })
  expect(log).toContainEqual({ action: "session.sign_in", actor_email: "grace@example.com" })
})

test("where only mapped groups are let in, others are told so and keep no session", async ({ database, provider }) => {
  const orgId = await makeOrganization(database)
  await database.owner.updateTable("org").set({ sso_default_role: null }).where("id", "=", orgId).execute()
  provider.people.set("s1", { email: "stranger@example.com" })
  const signIn = await openSignIn(database, provider.config)
  expect(await signOn(database, signIn, provider, "s1")).toEqual({ ok: false, error: "not_admitted" })
  expect(await accounts(database)).toEqual([])
  expect(await database.owner.selectFrom("auth_session").select("id").execute()).toEqual([])
})

test("an address that the provider did not verify opens nobody's account", async ({ database, provider }) => {
  const orgId = await makeOrganization(database)
  const account = { orgId, email: "olga@example.com", role: "owner" as const, password: "correct horse battery" }
  await createAccount(database.owner, account)
  provider.people.set("s1", { email: "olga@example.com", email_verified: false })
  provider.people.set("s2", { email: "new@example.com", email_verified: false })
  const signIn = await openSignIn(database, provider.config)
  const printed = vi.spyOn(console, "error").mockImplementation(() => {})
  expect(await signOn(database, signIn, provider, "s1")).toEqual({ ok: false, error: "account_not_linked" })
  expect(await signOn(database, signIn, provider, "s2")).toEqual({ ok: false, error: "email_not_verified" })
  expect(printed).toHaveBeenCalled()
  printed.mockRestore()
  expect(await database.owner.selectFrom("auth_session").select("id").execute()).toEqual([])
})

test("a way back that nobody started, or that someone else did, opens nothing", async ({ database, provider }) => {
  await makeOrganization(database)
  provider.people.set("s1", { email: "grace@example.com" })
  const signIn = await openSignIn(database, provider.config)
  const started = await startSingleSignOn(makeSignInRequest(database, signIn), "/")
  if (started === null) throw new Error("the provider is away")
  const back = new URL(await provider.visit(started.url, "s1"))
  const printed = vi.spyOn(console, "error").mockImplementation(() => {})
  const withoutCookie = { ...makeSignInRequest(database, signIn), publicUrl: PUBLIC_URL }
  expect(await finishSingleSignOn(withoutCookie, back.search)).toMatchObject({ ok: false })
  expect(await finishSingleSignOn(withoutCookie, "?code=x&state=y")).toMatchObject({ ok: false })
  printed.mockRestore()
  expect(await accounts(database)).toEqual([])
})

test("a provider that is away is no way in, and is found again when it is back", async ({ database, provider }) => {
  await makeOrganization(database)
  const printed = vi.spyOn(console, "error").mockImplementation(() => {})
  const away = await openSignIn(database, { ...provider.config, issuer: "http://127.0.0.1:9" })
  expect(await startSingleSignOn(makeSignInRequest(database, away), "/")).toBeNull()
  printed.mockRestore()
  const signIn = await openSignIn(database, provider.config)
  expect(await startSingleSignOn(makeSignInRequest(database, signIn), "/")).not.toBeNull()
})

test("a session that is there already is not lost on the way", async ({ database, provider }) => {
  const orgId = await makeOrganization(database)
  const account = { orgId, email: "olga@example.com", role: "owner" as const, password: "correct horse battery" }
  const { userId } = await createAccount(database.owner, account)
  const signIn = await openSignIn(database, provider.config)
  const cookie = cookieOf(await openSession(signIn, userId))
  const request = { ...makeSignInRequest(database, signIn, { cookie }), publicUrl: PUBLIC_URL }
  vi.spyOn(console, "error").mockImplementation(() => {})
  expect(await finishSingleSignOn(request, "?error=access_denied")).toMatchObject({ ok: false })
  expect(await getViewer(signIn, cookie)).not.toBeNull()
})
