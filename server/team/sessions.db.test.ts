import { expect } from "vitest"
import { type TestDatabase, test } from "../../test/db.ts"
import { makeOrganization, NOW } from "../../test/factories.ts"
import { asTenant } from "../db/tenant.ts"
import { createAccount } from "./bootstrap.ts"
import { countAttempt, forgetAttempts } from "./rate-limit.ts"
import { closeSession, getViewer, sessionCookie, signIn } from "./sessions.ts"

const EMAIL = "ada@example.com"
const PASSWORD = "correct horse battery"
const DAY_MS = 86_400_000

async function withAccount(database: TestDatabase): Promise<string> {
  const orgId = await makeOrganization(database)
  await createAccount(database.owner, { orgId, email: EMAIL, role: "manager", password: PASSWORD })
  return orgId
}

const attempt = (fields: { email?: string; password?: string; clientAddress?: string | null } = {}) => ({
  email: EMAIL,
  password: PASSWORD,
  clientAddress: null,
  requestId: "request",
  ...fields,
})

const cookieOf = (token: string) => sessionCookie(token, "https://belay.example").split(";")[0] ?? ""

test("a session is its account's until it is closed or two weeks old", async ({ database, db }) => {
  const orgId = await withAccount(database)
  const signedIn = await signIn(db, attempt({ email: EMAIL.toUpperCase() }), NOW)
  if (!signedIn.ok) throw new Error("not signed in")
  const cookieHeader = `theme=dark; ${cookieOf(signedIn.token)}`
  const viewer = await getViewer(db, cookieHeader, NOW)
  expect(viewer).toMatchObject({ orgId, email: EMAIL, role: "manager" })
  expect(await getViewer(db, cookieHeader, new Date(NOW.getTime() + 14 * DAY_MS))).toBeNull()
  expect(await getViewer(db, cookieOf("forged"), NOW)).toBeNull()
  expect(await getViewer(db, null, NOW)).toBeNull()

  if (viewer === null) throw new Error("no viewer")
  await closeSession(db, { viewer, cookieHeader, requestId: "request" }, NOW)
  expect(await getViewer(db, cookieHeader, NOW)).toBeNull()
})

test("a wrong password and an unknown account are answered alike", async ({ database, db }) => {
  await withAccount(database)
  const wrong = { ok: false, reason: "wrong" }
  expect(await signIn(db, attempt({ password: "wrong" }), NOW)).toEqual(wrong)
  expect(await signIn(db, attempt({ email: "nobody@example.com" }), NOW)).toEqual(wrong)
})

test("signing in rightly is never too often", async ({ database, db }) => {
  await withAccount(database)
  for (let count = 0; count < 12; count++) expect(await signIn(db, attempt(), NOW)).toMatchObject({ ok: true })
})

test("after ten failed attempts an account is closed for the rest of the window, to the right password too", async ({
  database,
  db,
}) => {
  const orgId = await withAccount(database)
  for (let count = 0; count < 10; count++) await signIn(db, attempt({ password: "wrong" }), NOW)
  expect(await signIn(db, attempt(), NOW)).toEqual({ ok: false, reason: "too_many", retryAfterSeconds: 900 })
  expect(await signIn(db, attempt({ email: "nobody@example.com" }), NOW)).toMatchObject({ reason: "wrong" })
  expect(await signIn(db, attempt(), new Date(NOW.getTime() + 15 * 60_000))).toMatchObject({ ok: true })
  const failed = await asTenant(db, orgId, (tx) =>
    tx.selectFrom("audit_event").select("action").where("action", "=", "session.sign_in_failed").execute(),
  )
  expect(failed).toHaveLength(10)
})

test("an address that tries many accounts is refused, others are not", async ({ database, db }) => {
  await withAccount(database)
  const limit = { bucket: "sign-in from 192.0.2.1", attemptsMax: 100, windowMs: 15 * 60_000 }
  for (let count = 0; count < 100; count++) await countAttempt(db, limit, NOW)
  expect(await signIn(db, attempt({ clientAddress: "192.0.2.1" }), NOW)).toMatchObject({ reason: "too_many" })
  expect(await signIn(db, attempt({ clientAddress: "192.0.2.2" }), NOW)).toMatchObject({ ok: true })
})

test("attempts are counted over all processes, without saying whose, and forgotten after a day", async ({
  database,
  db,
}) => {
  const limit = { bucket: `sign-in of ${EMAIL}`, attemptsMax: 5, windowMs: 60_000 }
  const results = await Promise.all(Array.from({ length: 12 }, () => countAttempt(db, limit, NOW)))
  expect(results.filter((result) => result.ok)).toHaveLength(5)
  const rows = () => database.owner.selectFrom("rate_limit").selectAll().execute()
  expect(JSON.stringify(await rows())).not.toContain("ada")
  await forgetAttempts(database.worker, new Date(NOW.getTime() + 2 * DAY_MS))
  expect(await rows()).toEqual([])
})
