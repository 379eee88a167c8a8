import { type Kysely, sql } from "kysely"
import type { AuditActor } from "../audit/commands.ts"
import type { AccountRole, DB } from "../db/types.ts"
import type { Lane } from "../lane.ts"
import type { Auth } from "./auth.ts"

/** Whoever is signed in. */
export interface Viewer {
  readonly accountId: string
  readonly orgId: string
  readonly email: string
  readonly role: AccountRole
  readonly userId: string
  readonly sessionId: string
}

/** What signs people in: the library, and the database that it alone reads. */
export interface SignIn {
  readonly auth: Auth
  /** Acts as `belay_auth`. */
  readonly db: Kysely<DB>
  readonly passwordLane: Lane
  readonly log: (message: string, error: unknown) => void
}

/** The viewer whose session the cookies hold, or null. Takes the value of the `Cookie` header. */
export async function getViewer(signIn: SignIn, cookieHeader: string | null): Promise<Viewer | null> {
  if (cookieHeader === null) return null
  const found = await signIn.auth.api.getSession({ headers: new Headers({ cookie: cookieHeader }) })
  if (found === null) return null
  const account = await findAccount(signIn, found.user.id)
  return account === null ? null : { ...account, userId: found.user.id, sessionId: found.session.id }
}

/** A user's place in an organization; null for one who has none, or no longer. */
export async function findAccount(signIn: SignIn, userId: string) {
  const row = await signIn.db
    .selectFrom("account")
    .select(["id as accountId", "org_id as orgId", "email", "role"])
    .where("user_id", "=", userId)
    .executeTakeFirst()
  return row ?? null
}

/** The place of whoever signs in with an address; null where nobody does, or has none. */
export async function findAccountByEmail(signIn: SignIn, email: string) {
  const user = await signIn.db
    .selectFrom("auth_user")
    .select("id")
    .where("email", "=", email.toLowerCase())
    .executeTakeFirst()
  return user === undefined ? null : findAccount(signIn, user.id)
}

/** Starts a session without a password; returns the headers that set its cookie. */
export async function openSession(signIn: SignIn, userId: string, headers: Headers = new Headers()): Promise<Headers> {
  const opened = await signIn.auth.api.openSession({ body: { userId }, headers, returnHeaders: true })
  return opened.headers
}

export interface SessionRow {
  readonly id: string
  readonly isCurrent: boolean
  readonly clientAddress: string | null
  readonly userAgent: string | null
  readonly createdAt: Date
  readonly expiresAt: Date
}

/** The viewer's live sessions, newest first. */
export async function listSessions(signIn: SignIn, viewer: Viewer, now: Date): Promise<SessionRow[]> {
  const rows = await signIn.db
    .selectFrom("auth_session")
    .select(["id", "ip_address", "user_agent", "created_at", "expires_at"])
    .where("user_id", "=", viewer.userId)
    .where("expires_at", ">", now)
    .orderBy("created_at", "desc")
    .execute()
  return rows.map((row) => ({
    id: row.id,
    isCurrent: row.id === viewer.sessionId,
    clientAddress: row.ip_address || null,
    userAgent: row.user_agent || null,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
  }))
}

/** Ends sessions of a user: one by its id, or all but one. Returns how many there were. */
export async function endSessions(
  signIn: SignIn,
  args: { userId: string; only?: string; except?: string },
): Promise<number> {
  const { userId, only, except } = args
  const ended = await signIn.db
    .deleteFrom("auth_session")
    .where("user_id", "=", userId)
    .$if(only !== undefined, (query) => query.where("id", "=", only ?? ""))
    .$if(except !== undefined, (query) => query.where("id", "<>", except ?? ""))
    .returning("id")
    .execute()
  return ended.length
}

/** Sessions and sign-ins that ran out. Takes the worker's database. */
export async function forgetSignIns(db: Kysely<DB>, now: Date): Promise<void> {
  await sql`select belay_forget_sign_ins(${now})`.execute(db)
}

/** Who did it, for an audit entry. */
export function byViewer(viewer: Viewer, requestId: string, now: Date): AuditActor & { readonly actorId: string } {
  return { orgId: viewer.orgId, actorId: viewer.accountId, actorEmail: viewer.email, occurredAt: now, requestId }
}
