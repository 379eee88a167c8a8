import { randomBytes } from "node:crypto"
import { type ExpressionBuilder, sql } from "kysely"
import { type AuditActor, recordAudit } from "../audit/commands.ts"
import type { TenantTx } from "../db/tenant.ts"
import type { AccountRole, DB } from "../db/types.ts"
import { ensureDeveloper } from "./developers.ts"

/** In the order in which people read them; the strongest first. */
export const ROLES = [
  "owner",
  "admin",
  "manager",
  "on-call",
  "auditor",
  "author",
  "developer",
] as const satisfies readonly AccountRole[]

export interface Person {
  readonly id: string
  readonly email: string
  readonly name: string
  readonly role: AccountRole
  /** `joined` once they have signed in, `invited` while a link waits for them, else `added`. */
  readonly state: "joined" | "invited" | "added"
  readonly teamId: string | null
  readonly teamName: string | null
}

export interface PeopleFilter {
  /** Part of a name or an e-mail address. */
  readonly text: string
  readonly role: AccountRole | null
  /** A team's id; `none` for people in no team. */
  readonly teamId: string | null
  readonly today: string
  readonly limit: number
  readonly offset: number
}

/** The people of the organization by e-mail address, and how many match. */
export async function listPeople(
  tx: TenantTx,
  filter: PeopleFilter,
  now: Date,
): Promise<{ people: Person[]; count: number }> {
  const text = `%${filter.text.replaceAll(/[\\%_]/g, "\\$&")}%`
  const matching = selectPeople(tx, filter.today)
    .$if(filter.text !== "", (query) =>
      query.where((eb) => eb.or([eb("a.email", "ilike", text), eb("a.name", "ilike", text)])),
    )
    .$if(filter.role !== null, (query) => query.where("a.role", "=", filter.role ?? "developer"))
    .$if(filter.teamId === "none", (query) => query.where("t.id", "is", null))
    .$if(filter.teamId !== null && filter.teamId !== "none", (query) => query.where("t.id", "=", filter.teamId))
  const rows = await matching
    .select(["a.id", "a.email", "a.name", "a.role", "t.id as teamId", "t.name as teamName"])
    .select((eb) => stateOf(eb, now).as("state"))
    .orderBy("a.email")
    .limit(filter.limit)
    .offset(filter.offset)
    .execute()
  const { count } = await matching.select(sql<number>`count(*)::int`.as("count")).executeTakeFirstOrThrow()
  return { people: rows, count }
}

export interface PersonDetail extends Person {
  readonly developerId: string | null
  readonly pseudonym: string | null
  readonly memberships: readonly { readonly team: string; readonly from: string; readonly to: string | null }[]
  readonly manages: readonly { readonly id: string; readonly name: string }[]
}

/** One person with the teams they were in and manage; null when there is none of that id. */
export async function getPerson(tx: TenantTx, id: string, today: string, now: Date): Promise<PersonDetail | null> {
  const person = await selectPeople(tx, today)
    .leftJoin("developer as d", "d.id", "a.developer_id")
    .select(["a.id", "a.email", "a.name", "a.role", "t.id as teamId", "t.name as teamName"])
    .select(["a.developer_id as developerId", "d.pseudonym"])
    .select((eb) => stateOf(eb, now).as("state"))
    .where("a.id", "=", id)
    .executeTakeFirst()
  if (person === undefined) return null
  const memberships = await tx
    .selectFrom("team_member as m")
    .innerJoin("team as t", "t.id", "m.team_id")
    .select("t.name as team")
    .select([sql<string>`m.valid_from::text`.as("from"), sql<string | null>`m.valid_to::text`.as("to")])
    .where("m.developer_id", "=", person.developerId)
    .orderBy("m.valid_from", "desc")
    .execute()
  const manages = await tx
    .selectFrom("team_manager as g")
    .innerJoin("team as t", "t.id", "g.team_id")
    .select(["t.id", "t.name"])
    .where("g.account_id", "=", id)
    .orderBy("t.name")
    .execute()
  return { ...person, memberships, manages }
}

/** Accounts `a` with the team `t` that they are in on that day, if any. */
export function selectPeople(tx: TenantTx, today: string) {
  return tx
    .selectFrom("account as a")
    .leftJoin("team_member as m", (join) =>
      join
        .onRef("m.developer_id", "=", "a.developer_id")
        .on(sql<boolean>`m.valid_from <= ${today}::date and (m.valid_to is null or m.valid_to > ${today}::date)`),
    )
    .leftJoin("team as t", "t.id", "m.team_id")
}

function stateOf(eb: ExpressionBuilder<DB & { a: DB["account"] }, "a">, now: Date) {
  return eb
    .case()
    .when("a.user_id", "is not", null)
    .then(sql.lit("joined" as const))
    .when(
      eb.exists(
        eb
          .selectFrom("sign_in_link as l")
          .select("l.id")
          .whereRef("l.account_id", "=", "a.id")
          .where("l.used_at", "is", null)
          .where("l.expires_at", ">", now),
      ),
    )
    .then(sql.lit("invited" as const))
    .else(sql.lit("added" as const))
    .end()
}

export type Added = { readonly ok: true; readonly id: string } | { readonly ok: false; readonly reason: "taken" }

/** Adds a person, with the developer that their telemetry is counted under. They cannot sign in yet. */
export async function addPerson(
  tx: TenantTx,
  args: { email: string; name: string; role: AccountRole; by: AuditActor },
): Promise<Added> {
  const { name, role, by } = args
  const email = args.email.trim().toLowerCase()
  const developerId = await ensureDeveloper(tx, { orgId: by.orgId, email })
  const row = await tx
    .insertInto("account")
    .values({ org_id: by.orgId, email, name, role, developer_id: developerId })
    .onConflict((conflict) => conflict.expression(sql`lower(email)`).doNothing())
    .returning("id")
    .executeTakeFirst()
  if (row === undefined) return { ok: false, reason: "taken" }
  await recordAudit(tx, { ...by, action: "account.add", ...target(row.id), after: { email, name, role } })
  return { ok: true, id: row.id }
}

export type Changed =
  | { readonly ok: true; readonly isChanged: boolean }
  | { readonly ok: false; readonly reason: "not_found" | "last_owner" | "owners_only" }

/**
 * Gives a person another role. Only owners make owners and change what owners are, and one owner always remains.
 * Whoever calls this ends the person's sessions afterwards, so that none outlives the rights it was opened with.
 */
export async function changeRole(
  tx: TenantTx,
  args: { id: string; role: AccountRole; byRole: AccountRole; by: AuditActor },
): Promise<Changed> {
  const { id, role, byRole, by } = args
  const account = await lockAccount(tx, id)
  if (account === undefined) return { ok: false, reason: "not_found" }
  if (account.role === role) return { ok: true, isChanged: false }
  if ((account.role === "owner" || role === "owner") && byRole !== "owner") return { ok: false, reason: "owners_only" }
  if (account.role === "owner" && (await isLastOwner(tx))) return { ok: false, reason: "last_owner" }
  await tx.updateTable("account").set({ role }).where("id", "=", id).execute()
  await recordAudit(tx, {
    ...by,
    action: "account.change_role",
    ...target(id),
    before: { role: account.role },
    after: { role },
  })
  return { ok: true, isChanged: true }
}

/**
 * Removes a person. What connects them with their telemetry is erased, so that it stays in the figures of the teams
 * they were in and nobody can tell any more whose it was. Returns the user to delete from sign-in, if they had one.
 */
export async function removePerson(
  tx: TenantTx,
  args: { id: string; today: string; byRole: AccountRole; by: AuditActor },
): Promise<
  { readonly ok: true; readonly userId: string | null } | { readonly ok: false; readonly reason: RemovalRefusal }
> {
  const { id, byRole, by } = args
  const account = await lockAccount(tx, id)
  if (account === undefined) return { ok: false, reason: "not_found" }
  if (id === by.actorId) return { ok: false, reason: "oneself" }
  if (account.role === "owner" && byRole !== "owner") return { ok: false, reason: "owners_only" }
  if (account.role === "owner" && (await isLastOwner(tx))) return { ok: false, reason: "last_owner" }
  if (account.developer_id !== null) await eraseDeveloper(tx, account.developer_id, args.today)
  await tx.deleteFrom("account").where("id", "=", id).execute()
  // The entry names the id only: the log is for ever.
  await recordAudit(tx, { ...by, action: "account.remove", ...target(id), before: { role: account.role } })
  return { ok: true, userId: account.user_id }
}

type RemovalRefusal = "not_found" | "last_owner" | "owners_only" | "oneself"

async function eraseDeveloper(tx: TenantTx, developerId: string, today: string): Promise<void> {
  const own = await tx
    .selectFrom("developer")
    .select("id")
    .where((eb) => eb.or([eb("id", "=", developerId), eb("merged_into_id", "=", developerId)]))
    .execute()
  for (const { id } of own) {
    await forgetAuthor(tx, id)
    await tx.deleteFrom("developer_identity").where("developer_id", "=", id).execute()
    // The pseudonym could be computed again from the e-mail address.
    const pseudonym = `gone-${randomBytes(6).toString("hex")}`
    await tx.updateTable("developer").set({ pseudonym }).where("id", "=", id).execute()
  }
  await tx
    .updateTable("team_member")
    .set({ valid_to: today })
    .where("developer_id", "=", developerId)
    .where("valid_to", "is", null)
    .where("valid_from", "<", sql<Date>`${today}::date`)
    .execute()
}

/** Of the commits that they made, that they did: it is said by the hashes of their identities. */
async function forgetAuthor(tx: TenantTx, developerId: string): Promise<void> {
  const identities = await tx
    .selectFrom("developer_identity")
    .select("identity_hash")
    .where("developer_id", "=", developerId)
    .execute()
  const hashes = identities.map((row) => row.identity_hash.toString("hex"))
  await sql`
    update change_request set authors = array(select unnest(authors) except select unnest(${hashes}::text[]))
    where authors && ${hashes}::text[]`.execute(tx)
  await sql`
    update change_event set event = event - 'author' where event->>'author' = any(${hashes}::text[])`.execute(tx)
}

/**
 * Puts a person in a team, or in none, from a day on: what they did before stays with the team that they were in.
 * False when there is no such person or team.
 */
export async function moveToTeam(
  tx: TenantTx,
  args: { accountId: string; teamId: string | null; fromDay: string; by: AuditActor },
): Promise<boolean> {
  const { accountId, teamId, fromDay, by } = args
  const person = await getPerson(tx, accountId, fromDay, by.occurredAt)
  if (person === null || person.developerId === null) return false
  if (person.teamId === teamId) return true
  const team =
    teamId === null ? null : await tx.selectFrom("team").select("name").where("id", "=", teamId).executeTakeFirst()
  if (team === undefined) return false
  const ofPerson = tx.deleteFrom("team_member").where("developer_id", "=", person.developerId)
  await ofPerson.where("valid_from", ">=", sql<Date>`${fromDay}::date`).execute()
  await tx
    .updateTable("team_member")
    .set({ valid_to: fromDay })
    .where("developer_id", "=", person.developerId)
    .where((eb) => eb.or([eb("valid_to", "is", null), eb("valid_to", ">", sql<Date>`${fromDay}::date`)]))
    .execute()
  if (teamId !== null) {
    await tx
      .insertInto("team_member")
      .values({ org_id: by.orgId, developer_id: person.developerId, team_id: teamId, valid_from: fromDay })
      .execute()
  }
  await recordAudit(tx, {
    ...by,
    action: "team.move_member",
    ...target(accountId),
    before: { team: person.teamName },
    after: { team: team?.name ?? null, from: fromDay },
  })
  return true
}

/** Says which teams a manager reads. False when there is no such person. */
export async function setManagedTeams(
  tx: TenantTx,
  args: { accountId: string; teamIds: readonly string[]; by: AuditActor },
): Promise<boolean> {
  const { accountId, teamIds, by } = args
  const before = await getPerson(tx, accountId, by.occurredAt.toISOString().slice(0, 10), by.occurredAt)
  if (before === null) return false
  const teams = await tx.selectFrom("team").select(["id", "name"]).orderBy("name").execute()
  const wanted = teams.filter((team) => teamIds.includes(team.id))
  await tx.deleteFrom("team_manager").where("account_id", "=", accountId).execute()
  for (const team of wanted) {
    await tx.insertInto("team_manager").values({ org_id: by.orgId, account_id: accountId, team_id: team.id }).execute()
  }
  const describe = (list: readonly { name: string }[]) => list.map((team) => team.name).join(", ")
  if (describe(before.manages) === describe(wanted)) return true
  await recordAudit(tx, {
    ...by,
    action: "account.change_managed_teams",
    ...target(accountId),
    before: { teams: describe(before.manages) },
    after: { teams: describe(wanted) },
  })
  return true
}

/** The user that a person signs in as; null while they never did. */
export async function getUserId(tx: TenantTx, accountId: string): Promise<string | null> {
  const row = await tx.selectFrom("account").select("user_id").where("id", "=", accountId).executeTakeFirst()
  return row?.user_id ?? null
}

function lockAccount(tx: TenantTx, id: string) {
  return tx
    .selectFrom("account")
    .select(["role", "user_id", "developer_id"])
    .where("id", "=", id)
    .forUpdate()
    .executeTakeFirst()
}

async function isLastOwner(tx: TenantTx): Promise<boolean> {
  const owners = await tx.selectFrom("account").select("id").where("role", "=", "owner").forUpdate().execute()
  return owners.length === 1
}

function target(accountId: string) {
  return { targetKind: "account", targetId: accountId }
}
