import type { Mailer } from "../mail/mailer.ts"
import { asTenant } from "../db/tenant.ts"
import { countAttempt } from "../team/rate-limit.ts"
import { createLink } from "./links.ts"
import { findAccountByEmail } from "./sessions.ts"
import type { SignInRequest } from "./sign-in.ts"

/** Mails for one address in an hour. */
const MAILS_MAX = 3
/** Requests from one network address in an hour. */
const REQUESTS_MAX = 30
const WINDOW_MS = 60 * 60_000

/**
 * Mails a link for a new password, if somebody has the address. Resolves alike and before the mail is sent, so that
 * neither the answer nor its time tells.
 */
export async function sendPasswordReset(
  request: SignInRequest,
  args: { email: string; mailer: Mailer; toAddress: (token: string) => string },
): Promise<void> {
  const { db, signIn, now, requestId } = request
  const email = args.email.trim().toLowerCase()
  const limits = [
    { bucket: `password reset of ${email}`, attemptsMax: MAILS_MAX, windowMs: WINDOW_MS },
    { bucket: `password reset from ${request.clientAddress}`, attemptsMax: REQUESTS_MAX, windowMs: WINDOW_MS },
  ]
  for (const limit of limits) {
    const attempt = await countAttempt(db, limit, now)
    if (!attempt.ok) return
  }
  const account = await findAccountByEmail(signIn, email)
  if (account === null) return
  const { orgId, accountId } = account
  const by = { orgId, actorId: null, actorEmail: email, occurredAt: now, requestId }
  const link = await asTenant(db, orgId, (tx) => createLink(tx, { accountId, purpose: "password_reset", by }))
  if (link === null) return
  args.mailer
    .send({
      to: email,
      subject: "A new password for Belay",
      text: `Somebody, most likely you, asked for a new password for Belay.\n\nSet it here, within an hour:\n${args.toAddress(link.token)}\n\nIf it was not you, nothing has changed and you need not do anything.\n`,
    })
    .catch((error: unknown) => signIn.log("a mail could not be sent", error))
}
