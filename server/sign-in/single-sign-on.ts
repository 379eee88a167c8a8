import { applySetCookies } from "better-auth/cookies"
import { sql } from "kysely"
import { z } from "zod"
import { type AuditActor, recordAudit } from "../audit/commands.ts"
import { asTenant, type TenantTx } from "../db/tenant.ts"
import type { AccountRole } from "../db/types.ts"
import { addPerson, changeRole, moveToTeam, ROLES } from "../team/people.ts"
import { getToday } from "../team/queries.ts"
import { PROVIDER_ID } from "./auth.ts"
import { endSessions } from "./sessions.ts"
import { refusable, type SignInRequest } from "./sign-in.ts"

/** The address of the provider's sign-in and the headers that remember the attempt; null when it cannot be reached. */
export async function startSingleSignOn(
  request: SignInRequest,
  to: string,
): Promise<{ url: string; headers: Headers } | null> {
  const started = await refusable(() =>
    request.signIn.auth.api.signInSocial({
      body: { provider: PROVIDER_ID, callbackURL: to, errorCallbackURL: "/sign-in", disableRedirect: true },
      headers: request.headers,
      returnHeaders: true,
    }),
  )
  const url = started?.response.url
  return url === undefined || started === null ? null : { url, headers: started.headers }
}

export type SingleSignedOn =
  | { readonly ok: true; readonly to: string; readonly headers: Headers }
  /** A code of the library or the provider, or `not_admitted`: nobody gave this person a place here. */
  | { readonly ok: false; readonly error: string }

/**
 * The provider's way back: checks what it says, and gives whom it vouches for their place in the organization, with
 * the role and team that their groups are mapped to. `search` is the query of the way back.
 */
export async function finishSingleSignOn(
  request: SignInRequest & { publicUrl: string },
  search: string,
): Promise<SingleSignedOn> {
  const { auth } = request.signIn
  const callback = new Request(`${request.publicUrl}/auth/callback/${PROVIDER_ID}${search}`, {
    headers: request.headers,
  })
  const response = await auth.handler(callback)
  const to = new URL(response.headers.get("location") ?? "/", request.publicUrl)
  const error = to.searchParams.get("error")
  if (error !== null) return { ok: false, error }
  const cookies = new Headers(request.headers)
  applySetCookies(cookies, response.headers.getSetCookie())
  const session = await auth.api.getSession({ headers: cookies })
  if (session === null) return { ok: false, error: "no_session" }
  const vouched = {
    userId: session.user.id,
    email: session.user.email,
    name: session.user.name,
    groups: z.array(z.string()).parse(JSON.parse(session.user.groups ?? "[]")),
  }
  const admitted = await admit(request, vouched)
  if (admitted === null) {
    await endSessions(request.signIn, { userId: vouched.userId })
    return { ok: false, error: "not_admitted" }
  }
  if (admitted.isRoleChanged) {
    await endSessions(request.signIn, { userId: vouched.userId, except: session.session.id })
  }
  return { ok: true, to: to.pathname + to.search, headers: response.headers }
}

interface Vouched {
  readonly userId: string
  readonly email: string
  readonly name: string
  readonly groups: readonly string[]
}

/** Null for someone who has no place here and whom nothing gives one. */
async function admit(request: SignInRequest, vouched: Vouched): Promise<{ isRoleChanged: boolean } | null> {
  const found = await sql<{ id: string | null }>`select belay_sso_org() as id`.execute(request.db)
  const orgId = found.rows[0]?.id
  if (!orgId) return null
  const { now, requestId } = request
  const by: AuditActor = {
    orgId,
    actorId: null,
    actorEmail: "the identity provider",
    occurredAt: now,
    requestId,
  }
  return asTenant(request.db, orgId, async (tx) => {
    const org = await tx.selectFrom("org").select("sso_default_role").executeTakeFirstOrThrow()
    const mapped = await findMapped(tx, vouched.groups)
    const account = await ensureAccount(tx, vouched, mapped.role ?? org.sso_default_role, by)
    if (account === null) return null
    let isRoleChanged = false
    // An owner is made by owners; what a group says does not unmake them.
    if (mapped.role !== null && account.role !== "owner") {
      const changed = await changeRole(tx, { id: account.id, role: mapped.role, byRole: "admin", by })
      isRoleChanged = changed.ok && changed.isChanged
    }
    if (mapped.teamId !== null) {
      const fromDay = await getToday(tx, now)
      await moveToTeam(tx, { accountId: account.id, teamId: mapped.teamId, fromDay, by })
    }
    await recordAudit(tx, {
      ...by,
      actorId: account.id,
      actorEmail: vouched.email,
      action: "session.sign_in",
      targetKind: "account",
      targetId: account.id,
      after: { provider: PROVIDER_ID },
    })
    return { isRoleChanged }
  })
}

/** The person's account, made when there is none and a role for them; null when nobody gave them one. */
async function ensureAccount(tx: TenantTx, vouched: Vouched, role: AccountRole | null, by: AuditActor) {
  const existing = await tx
    .selectFrom("account")
    .select(["id", "role", "user_id"])
    .where((eb) => eb.or([eb("user_id", "=", vouched.userId), eb(sql`lower(email)`, "=", vouched.email.toLowerCase())]))
    // Whose address changed at the provider stays who they are.
    .orderBy(sql`user_id is not distinct from ${vouched.userId}::uuid`, "desc")
    .executeTakeFirst()
  if (existing !== undefined) {
    if (existing.user_id !== vouched.userId) {
      await tx.updateTable("account").set({ user_id: vouched.userId }).where("id", "=", existing.id).execute()
    }
    return { id: existing.id, role: existing.role }
  }
  if (role === null) return null
  const added = await addPerson(tx, { email: vouched.email, name: vouched.name, role, by })
  if (!added.ok) return null
  await tx.updateTable("account").set({ user_id: vouched.userId }).where("id", "=", added.id).execute()
  return { id: added.id, role }
}

/** The strongest role and the first team, by name, that the groups are mapped to. */
async function findMapped(
  tx: TenantTx,
  groups: readonly string[],
): Promise<{ role: AccountRole | null; teamId: string | null }> {
  if (groups.length === 0) return { role: null, teamId: null }
  const rows = await tx
    .selectFrom("sso_group as g")
    .leftJoin("team as t", "t.id", "g.team_id")
    .select(["g.role", "g.team_id", "t.name"])
    .where("g.name", "in", groups)
    .orderBy("t.name")
    .execute()
  const roles = rows.map((row) => row.role)
  return {
    role: ROLES.find((role) => roles.includes(role)) ?? null,
    teamId: rows.find((row) => row.team_id !== null)?.team_id ?? null,
  }
}
