import { createHash, randomBytes } from "node:crypto"
import { type Kysely, sql } from "kysely"
import { type AuditActor, recordAudit } from "../audit/commands.ts"
import { asTenant, type TenantTx } from "../db/tenant.ts"
import type { AccountRole, DB } from "../db/types.ts"
import { verifyPassword } from "./passwords.ts"
import { countAttempt, forgiveAttempt } from "./rate-limit.ts"

/** Whoever is signed in. */
export interface Viewer {
  readonly accountId: string
  readonly orgId: string
  readonly email: string
  readonly role: AccountRole
}

const COOKIE = "belay_session"
const SESSION_MS = 14 * 24 * 60 * 60 * 1000

const LIMIT_WINDOW_MS = 15 * 60_000
/** Failed attempts for one account in 15 minutes. */
const ATTEMPTS_OF_ACCOUNT_MAX = 10
/** Failed attempts from one network address in 15 minutes. */
const ATTEMPTS_OF_ADDRESS_MAX = 100

export type SignedIn =
  | { readonly ok: true; readonly token: string }
  | { readonly ok: false; readonly reason: "wrong" }
  | { readonly ok: false; readonly reason: "too_many"; readonly retryAfterSeconds: number }

/**
 * Checks e-mail and password; the answer takes equally long whether or not the account exists. Too many failed ones
 * are refused before the password is looked at. `clientAddress` is null where it says nothing, behind a proxy.
 */
export async function signIn(
  db: Kysely<DB>,
  args: { email: string; password: string; clientAddress: string | null; requestId: string },
  now: Date,
): Promise<SignedIn> {
  const windowMs = LIMIT_WINDOW_MS
  const limits = [
    { bucket: `sign-in of ${args.email.toLowerCase()}`, attemptsMax: ATTEMPTS_OF_ACCOUNT_MAX, windowMs },
    ...(args.clientAddress === null
      ? []
      : [{ bucket: `sign-in from ${args.clientAddress}`, attemptsMax: ATTEMPTS_OF_ADDRESS_MAX, windowMs }]),
  ]
  for (const limit of limits) {
    const attempt = await countAttempt(db, limit, now)
    if (!attempt.ok) return { ok: false, reason: "too_many", retryAfterSeconds: attempt.retryAfterSeconds }
  }
  const found = await sql<{ id: string; org_id: string; password_hash: string }>`
    select * from belay_account_by_email(${args.email})`.execute(db)
  const account = found.rows[0]
  const isRight = await verifyPassword(args.password, account?.password_hash ?? null)
  // Of an address that nobody has there is no organization whose log could tell.
  if (account === undefined) return { ok: false, reason: "wrong" }
  if (isRight) for (const limit of limits) await forgiveAttempt(db, limit, now)
  return asTenant(db, account.org_id, async (tx) => {
    const token = isRight ? await insertSession(tx, { orgId: account.org_id, accountId: account.id }, now) : null
    await recordAudit(tx, {
      orgId: account.org_id,
      occurredAt: now,
      actorId: isRight ? account.id : null,
      actorEmail: args.email,
      action: isRight ? "session.sign_in" : "session.sign_in_failed",
      targetKind: "account",
      targetId: account.id,
      requestId: args.requestId,
    })
    return token === null ? { ok: false, reason: "wrong" } : { ok: true, token }
  })
}

/** Starts a session without a password, for a visitor of the demo. */
export function openSession(db: Kysely<DB>, account: { orgId: string; accountId: string }, now: Date): Promise<string> {
  return asTenant(db, account.orgId, (tx) => insertSession(tx, account, now))
}

/** A session of two weeks; returns its token, of which only a hash is kept. */
async function insertSession(tx: TenantTx, account: { orgId: string; accountId: string }, now: Date): Promise<string> {
  const token = randomBytes(32).toString("base64url")
  await tx
    .insertInto("web_session")
    .values({
      token_hash: hashToken(token),
      org_id: account.orgId,
      account_id: account.accountId,
      created_at: now,
      expires_at: new Date(now.getTime() + SESSION_MS),
    })
    .execute()
  return token
}

/** The viewer whose session cookie this is, or null. Takes the value of the `Cookie` header. */
export async function getViewer(db: Kysely<DB>, cookieHeader: string | null, now: Date): Promise<Viewer | null> {
  const token = readSessionToken(cookieHeader)
  if (token === null) return null
  const found = await sql<{ account_id: string; org_id: string; email: string; role: AccountRole }>`
    select * from belay_session_by_token(${hashToken(token)}, ${now})`.execute(db)
  const row = found.rows[0]
  return row === undefined ? null : { accountId: row.account_id, orgId: row.org_id, email: row.email, role: row.role }
}

export async function closeSession(
  db: Kysely<DB>,
  args: { viewer: Viewer; cookieHeader: string | null; requestId: string },
  now: Date,
): Promise<void> {
  const { viewer, requestId } = args
  const token = readSessionToken(args.cookieHeader)
  if (token === null) return
  await asTenant(db, viewer.orgId, async (tx) => {
    await tx.deleteFrom("web_session").where("token_hash", "=", hashToken(token)).execute()
    await recordAudit(tx, {
      ...byViewer(viewer, requestId, now),
      action: "session.sign_out",
      targetKind: "account",
      targetId: viewer.accountId,
    })
  })
}

/** Who did it, for an audit entry. */
export function byViewer(viewer: Viewer, requestId: string, now: Date): AuditActor {
  return { orgId: viewer.orgId, actorId: viewer.accountId, actorEmail: viewer.email, occurredAt: now, requestId }
}

/** `Set-Cookie` for a token; with null the cookie is taken back. Over https it stays there. */
export function sessionCookie(token: string | null, publicUrl: string): string {
  const age = token === null ? 0 : SESSION_MS / 1000
  return `${COOKIE}=${token ?? ""}; Path=/; HttpOnly; SameSite=Lax; Max-Age=${age}${publicUrl.startsWith("https:") ? "; Secure" : ""}`
}

function readSessionToken(cookieHeader: string | null): string | null {
  for (const pair of (cookieHeader ?? "").split(";")) {
    const [name, value] = pair.trim().split("=", 2)
    if (name === COOKIE && value) return value
  }
  return null
}

function hashToken(token: string): Buffer {
  return createHash("sha256").update(token).digest()
}
