import { createHash, randomBytes } from "node:crypto"
import { type Kysely, sql } from "kysely"
import { type AuditActor, recordAudit } from "../audit/commands.ts"
import { asTenant, type TenantTx } from "../db/tenant.ts"
import type { DB } from "../db/types.ts"
import { hashPassword } from "./passwords.ts"
import { endSessions, openSession, type SignIn } from "./sessions.ts"

export type LinkPurpose = "invitation" | "password_reset"

/** How long a link lasts. An invitation waits for somebody's Monday, a new password does not. */
const LASTS_MS: Record<LinkPurpose, number> = { invitation: 7 * 86_400_000, password_reset: 60 * 60_000 }

export interface MadeLink {
  /** Goes into the address and is not kept: only its hash is. */
  readonly token: string
  readonly expiresAt: Date
}

/**
 * Makes a one-time link with which a person sets a password: their first, or a new one. Earlier links of the account
 * stop working. Null when there is no such account.
 */
export async function createLink(
  tx: TenantTx,
  args: { accountId: string; purpose: LinkPurpose; by: AuditActor },
): Promise<MadeLink | null> {
  const { accountId, purpose, by } = args
  const account = await tx.selectFrom("account").select("email").where("id", "=", accountId).executeTakeFirst()
  if (account === undefined) return null
  const token = randomBytes(32).toString("base64url")
  const expiresAt = new Date(by.occurredAt.getTime() + LASTS_MS[purpose])
  await tx.deleteFrom("sign_in_link").where("account_id", "=", accountId).where("used_at", "is", null).execute()
  await tx
    .insertInto("sign_in_link")
    .values({
      org_id: by.orgId,
      account_id: accountId,
      purpose,
      token_hash: hashLink(token),
      created_at: by.occurredAt,
      expires_at: expiresAt,
    })
    .execute()
  await recordAudit(tx, {
    ...by,
    action: purpose === "invitation" ? "account.invite" : "account.password_reset_link",
    targetKind: "account",
    targetId: accountId,
    after: { email: account.email, expires_at: expiresAt.toISOString() },
  })
  return { token, expiresAt }
}

export interface OpenLink {
  readonly id: string
  readonly orgId: string
  readonly accountId: string
  readonly purpose: LinkPurpose
  readonly email: string
  readonly name: string
  readonly organization: string
}

/** What an unused, unexpired link is for; null for every other. */
export async function findLink(db: Kysely<DB>, token: string, now: Date): Promise<OpenLink | null> {
  const found = await sql<{ id: string; org_id: string }>`
    select * from belay_link_by_hash(${hashLink(token)})`.execute(db)
  const link = found.rows[0]
  if (link === undefined) return null
  return asTenant(db, link.org_id, async (tx) => {
    const row = await tx
      .selectFrom("sign_in_link as l")
      .innerJoin("account as a", "a.id", "l.account_id")
      .innerJoin("org as o", "o.id", "l.org_id")
      .select(["l.id", "l.org_id as orgId", "a.id as accountId", "a.email", "a.name", "o.name as organization"])
      .select((eb) => eb.ref("l.purpose").$castTo<LinkPurpose>().as("purpose"))
      .where("l.id", "=", link.id)
      .where("l.used_at", "is", null)
      .where("l.expires_at", ">", now)
      .executeTakeFirst()
    return row ?? null
  })
}

/**
 * Uses a link up: sets the password, ends the person's other sessions and signs them in. Returns the headers that set
 * the session's cookie; null when the link was used or ran out meanwhile.
 *
 * Someone with a second factor is not signed in, because a link alone is one factor: `headers` is then empty.
 */
export async function useLink(
  args: { db: Kysely<DB>; signIn: SignIn; link: OpenLink; password: string; name: string; headers: Headers },
  by: { requestId: string; now: Date },
): Promise<{ headers: Headers; isSignedIn: boolean } | null> {
  const { db, signIn, link } = args
  const passwordHash = await hashPassword(args.password)
  const user = await ensureUser(signIn.db, link.email, args.name)
  const isUsed = await asTenant(db, link.orgId, async (tx) => {
    const used = await tx
      .updateTable("sign_in_link")
      .set({ used_at: by.now })
      .where("id", "=", link.id)
      .where("used_at", "is", null)
      .returning("id")
      .executeTakeFirst()
    if (used === undefined) return false
    await tx
      .updateTable("account")
      .set({ user_id: user.id, ...(args.name !== "" && { name: args.name }) })
      .where("id", "=", link.accountId)
      .execute()
    await recordAudit(tx, {
      orgId: link.orgId,
      actorId: link.accountId,
      actorEmail: link.email,
      occurredAt: by.now,
      requestId: by.requestId,
      action: link.purpose === "invitation" ? "account.join" : "account.password_reset",
      targetKind: "account",
      targetId: link.accountId,
    })
    return true
  })
  if (!isUsed) return null
  await setPassword(signIn.db, user.id, passwordHash)
  await endSessions(signIn, { userId: user.id })
  if (user.two_factor_enabled) return { headers: new Headers(), isSignedIn: false }
  return { headers: await openSession(signIn, user.id, args.headers), isSignedIn: true }
}

/** The user of an address, made when there is none. Takes the database of `belay_auth`. */
async function ensureUser(db: Kysely<DB>, email: string, name: string) {
  const values = { email: email.toLowerCase(), name, email_verified: true }
  const made = await db
    .insertInto("auth_user")
    .values(values)
    .onConflict((conflict) => conflict.expression(sql`lower(email)`).doNothing())
    .returning(["id", "two_factor_enabled"])
    .executeTakeFirst()
  if (made !== undefined) return made
  return db
    .selectFrom("auth_user")
    .select(["id", "two_factor_enabled"])
    .where(sql`lower(email)`, "=", values.email)
    .executeTakeFirstOrThrow()
}

/** Takes a person's way of signing in away, with every session of theirs. */
export async function deleteUser(signIn: SignIn, userId: string): Promise<void> {
  await signIn.db.deleteFrom("auth_user").where("id", "=", userId).execute()
}

async function setPassword(db: Kysely<DB>, userId: string, passwordHash: string): Promise<void> {
  await db
    .insertInto("auth_credential")
    .values({ user_id: userId, provider_id: "credential", account_id: userId, password: passwordHash })
    .onConflict((conflict) =>
      conflict.columns(["provider_id", "account_id"]).doUpdateSet({ password: passwordHash, updated_at: sql`now()` }),
    )
    .execute()
}

function hashLink(token: string): Buffer {
  return createHash("sha256").update(token).digest()
}
