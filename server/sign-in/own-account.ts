import { recordAudit } from "../audit/commands.ts"
import { asTenant } from "../db/tenant.ts"
import { countAttempt, forgiveAttempt } from "../team/rate-limit.ts"
import { byViewer, type Viewer } from "./sessions.ts"
import { refusable, type SignInRequest } from "./sign-in.ts"

/** What a person does with their own way of signing in. A password that is asked for again may be mistyped ten times. */
const LIMIT = { attemptsMax: 10, windowMs: 15 * 60_000 }

/** `headers` set the cookie of a new session, which takes the old one's place. Null: the password or code is wrong. */
type Done<T = object> = ({ readonly headers: Headers } & T) | null

export interface OwnSignIn {
  readonly hasPassword: boolean
  readonly hasSecondFactor: boolean
}

export async function getOwnSignIn(request: SignInRequest, viewer: Viewer): Promise<OwnSignIn> {
  const row = await request.signIn.db
    .selectFrom("auth_user as u")
    .leftJoin("auth_credential as c", (join) => join.onRef("c.user_id", "=", "u.id").on("c.password", "is not", null))
    .select(["u.two_factor_enabled", "c.id as credentialId"])
    .where("u.id", "=", viewer.userId)
    .executeTakeFirstOrThrow()
  return { hasPassword: row.credentialId !== null, hasSecondFactor: row.two_factor_enabled }
}

/** Sets another password; sessions elsewhere end. */
export function changePassword(
  request: SignInRequest,
  viewer: Viewer,
  args: { current: string; next: string },
): Promise<Done> {
  return own(request, viewer, "account.change_password", () =>
    request.signIn.auth.api.changePassword({
      body: { currentPassword: args.current, newPassword: args.next, revokeOtherSessions: true },
      headers: request.headers,
      returnHeaders: true,
    }),
  )
}

/** Makes the secret for an authenticator app, which counts once a code of it was confirmed. */
export async function startSecondFactor(
  request: SignInRequest,
  viewer: Viewer,
  password: string,
): Promise<{ uri: string; recoveryCodes: readonly string[] } | null> {
  const started = await own(request, viewer, null, () =>
    request.signIn.auth.api.enableTwoFactor({ body: { password }, headers: request.headers, returnHeaders: true }),
  )
  if (started === null || started.response.method !== "totp") return null
  return { uri: started.response.totpURI, recoveryCodes: started.response.backupCodes }
}

export function confirmSecondFactor(request: SignInRequest, viewer: Viewer, code: string): Promise<Done> {
  return own(request, viewer, "account.enable_second_factor", () =>
    request.signIn.auth.api.verifyTOTP({
      body: { code: code.replaceAll(/\s/g, "") },
      headers: request.headers,
      returnHeaders: true,
    }),
  )
}

export function disableSecondFactor(request: SignInRequest, viewer: Viewer, password: string): Promise<Done> {
  return own(request, viewer, "account.disable_second_factor", () =>
    request.signIn.auth.api.disableTwoFactor({ body: { password }, headers: request.headers, returnHeaders: true }),
  )
}

/** New recovery codes; the old ones stop working. */
export async function renewRecoveryCodes(
  request: SignInRequest,
  viewer: Viewer,
  password: string,
): Promise<readonly string[] | null> {
  const renewed = await own(request, viewer, "account.renew_recovery_codes", () =>
    request.signIn.auth.api.generateBackupCodes({ body: { password }, headers: request.headers, returnHeaders: true }),
  )
  return renewed === null ? null : renewed.response.backupCodes
}

async function own<T>(
  request: SignInRequest,
  viewer: Viewer,
  action: string | null,
  work: () => Promise<{ headers: Headers; response: T }>,
): Promise<Done<{ response: T }>> {
  const limit = { ...LIMIT, bucket: `own account of ${viewer.userId}` }
  const attempt = await countAttempt(request.db, limit, request.now)
  const done = attempt.ok ? await refusable(work) : null
  if (done === null) return null
  await forgiveAttempt(request.db, limit, request.now)
  if (action !== null) {
    await asTenant(request.db, viewer.orgId, (tx) =>
      recordAudit(tx, {
        ...byViewer(viewer, request.requestId, request.now),
        action,
        targetKind: "account",
        targetId: viewer.accountId,
      }),
    )
  }
  return done
}
