import { isAPIError } from "better-auth/api"
import { parseCookies } from "better-auth/cookies"
import { type Kysely, sql } from "kysely"
import { recordAudit } from "../audit/commands.ts"
import { asTenant } from "../db/tenant.ts"
import type { DB } from "../db/types.ts"
import { countAttempt, forgiveAttempt, type Limit } from "../team/rate-limit.ts"
import { hashToken } from "./hashed-tokens.ts"
import { byViewer, findAccountByEmail, type SignIn, type Viewer } from "./sessions.ts"

const LIMIT_WINDOW_MS = 15 * 60_000
/** Failed attempts for one account in 15 minutes. */
const ATTEMPTS_OF_ACCOUNT_MAX = 10
/** Failed attempts from one network address in 15 minutes. */
const ATTEMPTS_OF_ADDRESS_MAX = 100

/** Attempts that wait for their password to be looked at, a tenth of a second each; more are sent away. */
const WAITING_MAX = 50
const CROWDED = { ok: false, reason: "too_many", retryAfterSeconds: 10 } as const

export interface SignInRequest {
  /** Acts as `belay_app`. */
  readonly db: Kysely<DB>
  readonly signIn: SignIn
  /** From toAuthHeaders. */
  readonly headers: Headers
  /** Null where it says nothing, behind a proxy. */
  readonly clientAddress: string | null
  readonly requestId: string
  readonly now: Date
}

export type SignedIn =
  /** `headers` set the session's cookie, or with a second factor due the one that the next step needs. */
  | { readonly ok: true; readonly isSecondFactorDue: boolean; readonly headers: Headers }
  | { readonly ok: false; readonly reason: "wrong" }
  /** The second factor came without a first one, or too late. */
  | { readonly ok: false; readonly reason: "expired" }
  | { readonly ok: false; readonly reason: "too_many"; readonly retryAfterSeconds: number }

/**
 * Checks e-mail and password; the answer takes equally long whether or not the account exists. Too many failed ones
 * are refused before the password is looked at.
 */
export async function signInWithPassword(
  request: SignInRequest,
  args: { email: string; password: string },
): Promise<SignedIn> {
  const email = args.email.trim().toLowerCase()
  if (request.signIn.passwordLane.waiting() >= WAITING_MAX) return CROWDED
  const limits = limitsOf(request, `sign-in of ${email}`)
  const limited = await countAttempts(request, limits, { email })
  if (limited !== null) return limited
  const attempt = await refusable(() =>
    request.signIn.auth.api.signInEmail({
      body: { email, password: args.password },
      headers: request.headers,
      returnHeaders: true,
    }),
  )
  if (attempt === null) {
    await record(request, { email, action: "session.sign_in_failed" })
    return { ok: false, reason: "wrong" }
  }
  const { response, headers } = attempt
  // Not until the second factor is right too, so that guessing it counts against the account.
  if ("twoFactorRedirect" in response) return { ok: true, isSecondFactorDue: true, headers }
  await forgive(request, limits)
  await record(request, { email, action: "session.sign_in" })
  return { ok: true, isSecondFactorDue: false, headers }
}

/** The second step of a sign-in: a code of the authenticator app, or one of the recovery codes. */
export async function signInWithSecondFactor(
  request: SignInRequest,
  args: { method: "totp" | "recovery_code"; code: string },
): Promise<SignedIn> {
  const challenged = await findChallenged(request)
  if (challenged === null) return { ok: false, reason: "expired" }
  const limits = limitsOf(request, `second factor of ${challenged.email}`)
  const limited = await countAttempts(request, limits, challenged)
  if (limited !== null) return limited
  const { api } = request.signIn.auth
  const { headers } = request
  const code = args.code.replaceAll(/\s/g, "")
  const attempt = await refusable(async () => {
    if (args.method === "totp") return api.verifyTOTP({ body: { code }, headers, returnHeaders: true })
    return api.verifyBackupCode({ body: { code }, headers, returnHeaders: true })
  })
  if (attempt === null) {
    await record(request, { ...challenged, action: "session.sign_in_failed", after: { second_factor: args.method } })
    return { ok: false, reason: "wrong" }
  }
  await forgive(request, [...limits, ...limitsOf(request, `sign-in of ${challenged.email}`)])
  await record(request, { ...challenged, action: "session.sign_in", after: { second_factor: args.method } })
  return { ok: true, isSecondFactorDue: false, headers: attempt.headers }
}

/** Ends the viewer's session; returns the headers that take its cookie back. */
export async function signOut(request: SignInRequest, viewer: Viewer): Promise<Headers> {
  const { headers } = await request.signIn.auth.api.signOut({ headers: request.headers, returnHeaders: true })
  await asTenant(request.db, viewer.orgId, (tx) =>
    recordAudit(tx, {
      ...byViewer(viewer, request.requestId, request.now),
      action: "session.sign_out",
      targetKind: "account",
      targetId: viewer.accountId,
    }),
  )
  return headers
}

/** What the library throws for a refusal becomes null; anything else is thrown on. */
export async function refusable<T>(work: () => Promise<T>): Promise<T | null> {
  try {
    return await work()
  } catch (error) {
    if (isAPIError(error) && error.statusCode < 500) return null
    throw error
  }
}

function limitsOf(request: SignInRequest, bucket: string): Limit[] {
  const windowMs = LIMIT_WINDOW_MS
  const ofAccount = { bucket, attemptsMax: ATTEMPTS_OF_ACCOUNT_MAX, windowMs }
  if (request.clientAddress === null) return [ofAccount]
  // The address first: a flood from one that is refused writes nothing about the accounts that it names.
  const bucketOfAddress = `sign-in from ${request.clientAddress}`
  return [{ bucket: bucketOfAddress, attemptsMax: ATTEMPTS_OF_ADDRESS_MAX, windowMs }, ofAccount]
}

/** Whose password was right, by the cookie of the first step: whom the failed second one counts against. */
async function findChallenged(request: SignInRequest): Promise<{ email: string } | null> {
  const cookies = parseCookies(request.headers.get("cookie") ?? "")
  const { authCookies } = await request.signIn.auth.$context
  const name = authCookies.sessionToken.name.replace(/session_token$/, "two_factor")
  const identifier = cookies.get(name)?.split(".")[0]
  if (identifier === undefined) return null
  const row = await request.signIn.db
    .selectFrom("auth_verification as v")
    .innerJoin("auth_user as u", (join) => join.on(sql<boolean>`v.value = u.id::text`))
    .select("u.email")
    .where("v.identifier", "=", hashToken(identifier))
    .executeTakeFirst()
  return row ?? null
}

async function countAttempts(request: SignInRequest, limits: readonly Limit[], who: { email: string }) {
  for (const limit of limits) {
    const attempt = await countAttempt(request.db, limit, request.now)
    if (attempt.ok) continue
    // Once for each window, so that a flood does not fill the log.
    if (attempt.isFirstRefused) await record(request, { ...who, action: "session.throttled" })
    return { ok: false as const, reason: "too_many" as const, retryAfterSeconds: attempt.retryAfterSeconds }
  }
  return null
}

async function forgive(request: SignInRequest, limits: readonly Limit[]): Promise<void> {
  for (const limit of limits) await forgiveAttempt(request.db, limit, request.now)
}

/** Of an address that nobody has there is no organization whose log could tell. */
async function record(
  request: SignInRequest,
  entry: { email: string; action: string; after?: Record<string, string> },
): Promise<void> {
  const account = await findAccountByEmail(request.signIn, entry.email)
  if (account === null) return
  await asTenant(request.db, account.orgId, (tx) =>
    recordAudit(tx, {
      orgId: account.orgId,
      occurredAt: request.now,
      actorId: entry.action === "session.sign_in" ? account.accountId : null,
      actorEmail: entry.email,
      action: entry.action,
      targetKind: "account",
      targetId: account.accountId,
      after: entry.after ?? null,
      requestId: request.requestId,
    }),
  )
}
