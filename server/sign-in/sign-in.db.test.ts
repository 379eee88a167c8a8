import { sql } from "kysely"
import { expect } from "vitest"
import { type TestDatabase, test } from "../../test/db.ts"
import { makeOrganization, NOW } from "../../test/factories.ts"
import { cookieOf, makeSignInRequest, openSignIn, totp } from "../../test/sign-in.ts"
import { asTenant } from "../db/tenant.ts"
import { createAccount } from "../team/bootstrap.ts"
import { countAttempt } from "../team/rate-limit.ts"
import { endSessions, getViewer, listSessions, openSession } from "./sessions.ts"
import { signInWithPassword, signInWithSecondFactor, signOut } from "./sign-in.ts"

const EMAIL = "ada@example.com"
const PASSWORD = "correct horse battery"
const RIGHT = { email: EMAIL, password: PASSWORD }
const WRONG = { email: EMAIL, password: "wrong" }

async function openWithAccount(database: TestDatabase) {
  const orgId = await makeOrganization(database)
  const account = await createAccount(database.owner, { orgId, email: EMAIL, role: "manager", password: PASSWORD })
  return { orgId, ...account, signIn: await openSignIn(database) }
}

test("a session is its account's until it is closed", async ({ database }) => {
  const { orgId, signIn } = await openWithAccount(database)
  const request = makeSignInRequest(database, signIn)
  const signedIn = await signInWithPassword(request, { email: ` ${EMAIL.toUpperCase()} `, password: PASSWORD })
  if (!signedIn.ok) throw new Error("not signed in")
  const cookie = `theme=dark; ${cookieOf(signedIn.headers)}`
  const viewer = await getViewer(signIn, cookie)
  expect(viewer).toMatchObject({ orgId, email: EMAIL, role: "manager" })
  expect(signedIn.headers.getSetCookie()[0]).toMatch(/; HttpOnly; Secure; SameSite=Lax|HttpOnly.*Secure.*SameSite=Lax/i)
  const forged = cookie.replace(/token=(.)/, (_, first) => (first === "x" ? "token=y" : "token=x"))
  expect(await getViewer(signIn, forged)).toBeNull()
  expect(await getViewer(signIn, "theme=dark")).toBeNull()

  if (viewer === null) throw new Error("no viewer")
  await signOut(makeSignInRequest(database, signIn, { cookie }), viewer)
  expect(await getViewer(signIn, cookie)).toBeNull()
})

test("a session ends when it is two weeks old, and when its account is gone", async ({ database }) => {
  const { userId, accountId, signIn } = await openWithAccount(database)
  const cookie = cookieOf(await openSession(signIn, userId))
  const lasts = await database.owner
    .selectFrom("auth_session")
    .select(sql<number>`round(extract(epoch from expires_at - created_at) / 86400)::int`.as("days"))
    .executeTakeFirstOrThrow()
  expect(lasts.days).toBe(14)
  await database.owner.updateTable("account").set({ user_id: null }).where("id", "=", accountId).execute()
  expect(await getViewer(signIn, cookie)).toBeNull()
  await database.owner.updateTable("account").set({ user_id: userId }).where("id", "=", accountId).execute()
  expect(await getViewer(signIn, cookie)).not.toBeNull()
  await database.owner
    .updateTable("auth_session")
    .set({ expires_at: sql`now()` })
    .execute()
  expect(await getViewer(signIn, cookie)).toBeNull()
})

test("whoever reads the database holds no session", async ({ database }) => {
  const { userId, signIn } = await openWithAccount(database)
  const headers = await openSession(signIn, userId)
  const token = decodeURIComponent(cookieOf(headers).split("=").slice(1).join("=")).split(".")[0] ?? ""
  const { rows } = await sql<{ all: string }>`select auth_session::text as all from auth_session`.execute(
    database.owner,
  )
  expect(token.length).toBeGreaterThan(20)
  expect(JSON.stringify(rows)).not.toContain(token)
})

test("sessions are listed to their owner and can be ended one by one", async ({ database }) => {
  const { userId, orgId, signIn } = await openWithAccount(database)
  const [here, there] = [cookieOf(await openSession(signIn, userId)), cookieOf(await openSession(signIn, userId))]
  const viewer = await getViewer(signIn, here)
  if (viewer === null) throw new Error("no viewer")
  const sessions = await listSessions(signIn, viewer, NOW)
  expect(sessions.filter((session) => session.isCurrent)).toHaveLength(1)
  expect(sessions).toHaveLength(2)

  const other = await createAccount(database.owner, {
    orgId,
    email: "b@example.com",
    role: "admin",
    password: PASSWORD,
  })
  const foreign = cookieOf(await openSession(signIn, other.userId))
  const foreignId = (await getViewer(signIn, foreign))?.sessionId ?? ""
  expect(await endSessions(signIn, { userId, only: foreignId })).toBe(0)

  expect(await endSessions(signIn, { userId, except: viewer.sessionId })).toBe(1)
  expect([await getViewer(signIn, here), await getViewer(signIn, there)].map((found) => found !== null)).toEqual([
    true,
    false,
  ])
})

test("a wrong password and an unknown account are answered alike", async ({ database }) => {
  const { signIn } = await openWithAccount(database)
  const request = makeSignInRequest(database, signIn)
  const wrong = { ok: false, reason: "wrong" }
  expect(await signInWithPassword(request, WRONG)).toEqual(wrong)
  expect(await signInWithPassword(request, { email: "nobody@example.com", password: PASSWORD })).toEqual(wrong)
})

test("after ten failed attempts an account is closed for the rest of the window, to the right password too, and logged once", async ({
  database,
}) => {
  const { orgId, signIn } = await openWithAccount(database)
  const request = makeSignInRequest(database, signIn)
  expect(await signInWithPassword(request, RIGHT)).toMatchObject({ ok: true })
  for (let count = 0; count < 10; count++) await signInWithPassword(request, WRONG)
  const refused = { ok: false, reason: "too_many", retryAfterSeconds: 900 }
  for (let count = 0; count < 5; count++) expect(await signInWithPassword(request, RIGHT)).toEqual(refused)
  expect(await signInWithPassword(request, { ...WRONG, email: "nobody@example.com" })).toMatchObject({
    reason: "wrong",
  })
  const later = makeSignInRequest(database, signIn, { now: new Date(NOW.getTime() + 15 * 60_000) })
  expect(await signInWithPassword(later, RIGHT)).toMatchObject({ ok: true })
  const logged = await asTenant(database.app, orgId, (tx) =>
    tx
      .selectFrom("audit_event")
      .select(["action", sql<number>`count(*)::int`.as("count")])
      .groupBy("action")
      .orderBy("action")
      .execute(),
  )
  expect(logged).toEqual([
    { action: "session.sign_in", count: 2 },
    { action: "session.sign_in_failed", count: 10 },
    { action: "session.throttled", count: 1 },
  ])
})

test("an address that tries many accounts is refused, others are not", async ({ database, db }) => {
  const { signIn } = await openWithAccount(database)
  const limit = { bucket: "sign-in from 192.0.2.1", attemptsMax: 100, windowMs: 15 * 60_000 }
  for (let count = 0; count < 100; count++) await countAttempt(db, limit, NOW)
  const from = (clientAddress: string) => makeSignInRequest(database, signIn, { clientAddress })
  expect(await signInWithPassword(from("192.0.2.1"), RIGHT)).toMatchObject({ reason: "too_many" })
  expect(await signInWithPassword(from("192.0.2.2"), RIGHT)).toMatchObject({ ok: true })
})

async function enableTotp(signIn: Awaited<ReturnType<typeof openSignIn>>, userId: string) {
  const cookie = cookieOf(await openSession(signIn, userId))
  const headers = new Headers({ cookie })
  const enabled = await signIn.auth.api.enableTwoFactor({ body: { password: PASSWORD }, headers })
  if (enabled.method !== "totp") throw new Error("no authenticator app")
  const verified = await signIn.auth.api.verifyTOTP({
    body: { code: totp(enabled.totpURI, new Date()) },
    headers,
    returnHeaders: true,
  })
  return { ...enabled, cookie, newCookie: cookieOf(verified.headers) }
}

test("with a second factor the password alone opens nothing, and turning it on rotates the session", async ({
  database,
}) => {
  const { userId, orgId, signIn } = await openWithAccount(database)
  const { totpURI, backupCodes, cookie, newCookie } = await enableTotp(signIn, userId)
  expect(await getViewer(signIn, cookie)).toBeNull()
  expect(await getViewer(signIn, newCookie)).not.toBeNull()

  const challenged = await signInWithPassword(makeSignInRequest(database, signIn), RIGHT)
  if (!challenged.ok) throw new Error("refused")
  expect(challenged.isSecondFactorDue).toBe(true)
  const halfway = cookieOf(challenged.headers)
  expect(await getViewer(signIn, halfway)).toBeNull()

  const request = makeSignInRequest(database, signIn, { cookie: halfway })
  expect(await signInWithSecondFactor(request, { method: "totp", code: "000000" })).toMatchObject({ reason: "wrong" })
  const code = totp(totpURI, new Date())
  const signedIn = await signInWithSecondFactor(request, {
    method: "totp",
    code: `${code.slice(0, 3)} ${code.slice(3)}`,
  })
  if (!signedIn.ok) throw new Error("refused")
  expect(await getViewer(signIn, cookieOf(signedIn.headers))).toMatchObject({ orgId, email: EMAIL })
  expect(await signInWithSecondFactor(request, { method: "totp", code })).toMatchObject({ reason: "expired" })

  const recovery = { method: "recovery_code" as const, code: backupCodes[0] ?? "" }
  const again = async () => {
    const due = await signInWithPassword(makeSignInRequest(database, signIn), RIGHT)
    return due.ok ? makeSignInRequest(database, signIn, { cookie: cookieOf(due.headers) }) : request
  }
  expect(await signInWithSecondFactor(await again(), recovery)).toMatchObject({ ok: true })
  expect(await signInWithSecondFactor(await again(), recovery)).toMatchObject({ reason: "wrong" })
  expect(await signInWithSecondFactor(makeSignInRequest(database, signIn), recovery)).toMatchObject({
    reason: "expired",
  })
})

test("what serves pages reads no password, and what signs people in no signal", async ({ database }) => {
  await openWithAccount(database)
  for (const table of ["auth_user", "auth_session", "auth_credential", "auth_two_factor", "auth_secret"]) {
    await expect(sql`select * from ${sql.table(table)}`.execute(database.app), table).rejects.toThrow(/denied/)
  }
  for (const table of ["signal", "developer_identity", "org", "audit_event", "ingest_key"]) {
    await expect(sql`select * from ${sql.table(table)}`.execute(database.auth), table).rejects.toThrow(/denied/)
  }
})

test("of ten thousand wrong passwords from one address a hundred are looked at, while others sign in", async ({
  database,
}) => {
  const { signIn } = await openWithAccount(database)
  const flood = makeSignInRequest(database, signIn, { clientAddress: "192.0.2.1" })
  const good = makeSignInRequest(database, signIn, { clientAddress: "192.0.2.2" })
  const welcome: unknown[] = []
  const answers = new Map<string, number>()
  let longestQueue = 0
  for (let wave = 0; wave < 100; wave++) {
    const attempts = Array.from({ length: 100 }, (_, index) =>
      signInWithPassword(flood, { email: `guess-${wave}-${index}@example.com`, password: "wrong" }),
    )
    longestQueue = Math.max(longestQueue, signIn.passwordLane.waiting())
    if (wave === 50) welcome.push(await signInWithPassword(good, RIGHT))
    for (const answer of await Promise.all(attempts)) {
      const reason = answer.ok ? "in" : answer.reason
      answers.set(reason, (answers.get(reason) ?? 0) + 1)
    }
  }
  expect(welcome).toEqual([expect.objectContaining({ ok: true })])
  expect(Object.fromEntries(answers)).toEqual({ wrong: 100, too_many: 9_900 })
  expect(longestQueue).toBeLessThanOrEqual(100)
  const counted = await database.owner
    .selectFrom("rate_limit")
    .select(sql<number>`count(*)::int`.as("rows"))
    .execute()
  expect(counted).toEqual([{ rows: 103 }])
}, 60_000)

test("a crowd from many addresses waits in a line that has an end", async ({ database }) => {
  const { signIn } = await openWithAccount(database)
  let finish = () => {}
  const held = new Promise<void>((resolve) => (finish = resolve))
  const hold = Array.from({ length: 60 }, () => signIn.passwordLane(() => held))
  const request = makeSignInRequest(database, signIn)
  expect(await signInWithPassword(request, RIGHT)).toEqual({ ok: false, reason: "too_many", retryAfterSeconds: 10 })
  finish()
  await Promise.all(hold)
  expect(await signInWithPassword(request, RIGHT)).toMatchObject({ ok: true })
})
