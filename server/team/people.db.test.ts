import { sql } from "kysely"
import { expect } from "vitest"
import { type TestDatabase, test } from "../../test/db.ts"
import {
  emailOf,
  joinTeam,
  makeChange,
  makeOrganization,
  makeSignal,
  makeTeam,
  NOW,
  storeSignals,
} from "../../test/factories.ts"
import type { AuditActor } from "../audit/commands.ts"
import { verifyAudit } from "../audit/queries.ts"
import { asTenant } from "../db/tenant.ts"
import type { AccountRole } from "../db/types.ts"
import { createAccount } from "./bootstrap.ts"
import { addPerson, changeRole, getPerson, listPeople, moveToTeam, removePerson, setManagedTeams } from "./people.ts"
import { getToday } from "./queries.ts"

const TODAY = "2026-11-20"

function actor(orgId: string, actorId: string | null = null): AuditActor {
  return { orgId, actorId, actorEmail: "olga@example.com", occurredAt: NOW, requestId: "request" }
}

async function openWithOwner(database: TestDatabase) {
  const orgId = await makeOrganization(database)
  const owner = await createAccount(database.owner, {
    orgId,
    email: "olga@example.com",
    role: "owner",
    password: "correct horse battery",
  })
  return { orgId, ownerId: owner.accountId, by: actor(orgId, owner.accountId) }
}

async function add(database: TestDatabase, by: AuditActor, person: string, role: AccountRole = "developer") {
  const added = await asTenant(database.app, by.orgId, (tx) =>
    addPerson(tx, { email: emailOf(person), name: person, role, by }),
  )
  if (!added.ok) throw new Error(added.reason)
  return added.id
}

const log = (database: TestDatabase, orgId: string) =>
  asTenant(database.app, orgId, (tx) =>
    tx.selectFrom("audit_event").select(["action", "target_id", "before", "after"]).orderBy("sequence").execute(),
  )

test("a person's telemetry of before they were added is theirs, and an address is added once", async ({ database }) => {
  const { orgId, by } = await openWithOwner(database)
  await storeSignals(database, orgId, [makeSignal({ person: "ada" })])
  const id = await add(database, by, "ada")
  const person = await asTenant(database.app, orgId, (tx) => getPerson(tx, id, TODAY, NOW))
  const sender = await database.owner.selectFrom("signal").select("developer_id").executeTakeFirstOrThrow()
  expect(person).toMatchObject({ developerId: sender.developer_id, state: "added", teamId: null })
  const again = await asTenant(database.app, orgId, (tx) =>
    addPerson(tx, { email: emailOf("ada").toUpperCase(), name: "", role: "developer", by }),
  )
  expect(again).toEqual({ ok: false, reason: "taken" })
})

test("people are found by name, address, role and team, and paged", async ({ database }) => {
  const { orgId, by } = await openWithOwner(database)
  const teamId = await makeTeam(database, orgId, "Payments")
  for (const person of ["ada", "bea", "cyn_", "dan"]) await add(database, by, person)
  const dan = await add(database, by, "dora", "manager")
  await asTenant(database.app, orgId, (tx) => moveToTeam(tx, { accountId: dan, teamId, fromDay: TODAY, by }))
  const find = (filter: Partial<Parameters<typeof listPeople>[1]>) =>
    asTenant(database.app, orgId, async (tx) => {
      const all = { text: "", role: null, teamId: null, today: TODAY, limit: 2, offset: 0 }
      const { people, count } = await listPeople(tx, { ...all, ...filter }, NOW)
      return [count, people.map((person) => person.name)]
    })
  expect(await find({})).toEqual([6, ["ada", "bea"]])
  expect(await find({ offset: 4 })).toEqual([6, ["dora", ""]])
  expect(await find({ text: "d" })).toEqual([3, ["ada", "dan"]])
  expect(await find({ text: "_" })).toEqual([1, ["cyn_"]])
  expect(await find({ role: "manager" })).toEqual([1, ["dora"]])
  expect(await find({ teamId })).toEqual([1, ["dora"]])
  expect(await find({ teamId: "none", limit: 9 })).toMatchObject([5, { length: 5 }])
})

test("a move counts from its day on, and the days before stay where they were", async ({ database }) => {
  const { orgId, by } = await openWithOwner(database)
  const [first, second] = [await makeTeam(database, orgId, "First"), await makeTeam(database, orgId, "Second")]
  const id = await add(database, by, "ada")
  await joinTeam(database, { orgId, person: "ada", teamId: first, from: "2026-10-01" })
  const move = (teamId: string | null, fromDay: string) =>
    asTenant(database.app, orgId, (tx) => moveToTeam(tx, { accountId: id, teamId, fromDay, by }))
  expect(await move(second, TODAY)).toBe(true)
  // Thought better of, on the same day: no trace of a membership that lasted for nothing.
  expect(await move(null, TODAY)).toBe(true)
  expect(await move(second, TODAY)).toBe(true)
  const person = await asTenant(database.app, orgId, (tx) => getPerson(tx, id, TODAY, NOW))
  expect(person?.memberships).toEqual([
    { team: "Second", from: TODAY, to: null },
    { team: "First", from: "2026-10-01", to: TODAY },
  ])
  expect((await log(database, orgId)).filter((entry) => entry.action === "team.move_member")).toHaveLength(3)
})

test("nobody is moved into another organization's team", async ({ database }) => {
  const { by, orgId } = await openWithOwner(database)
  const theirs = await makeTeam(database, await makeOrganization(database), "Theirs")
  const id = await add(database, by, "ada")
  const isMoved = await asTenant(database.app, orgId, (tx) =>
    moveToTeam(tx, { accountId: id, teamId: theirs, fromDay: TODAY, by }),
  )
  expect(isMoved).toBe(false)
})

test("only owners make and unmake owners, and one always remains", async ({ database }) => {
  const { orgId, ownerId, by } = await openWithOwner(database)
  const id = await add(database, by, "ada", "admin")
  const change = (accountId: string, role: AccountRole, byRole: AccountRole) =>
    asTenant(database.app, orgId, (tx) => changeRole(tx, { id: accountId, role, byRole, by }))
  expect(await change(id, "owner", "admin")).toEqual({ ok: false, reason: "owners_only" })
  expect(await change(ownerId, "developer", "admin")).toEqual({ ok: false, reason: "owners_only" })
  expect(await change(ownerId, "developer", "owner")).toEqual({ ok: false, reason: "last_owner" })
  expect(await change(id, "owner", "owner")).toEqual({ ok: true, isChanged: true })
  // Two owners unmaking each other at once leave one.
  const both = await Promise.all([change(id, "admin", "owner"), change(ownerId, "admin", "owner")])
  expect(both.filter((changed) => changed.ok)).toHaveLength(1)
  expect(await change("00000000-0000-4000-8000-000000000000", "admin", "owner")).toEqual({
    ok: false,
    reason: "not_found",
  })
  const changes = (await log(database, orgId)).filter((entry) => entry.action === "account.change_role")
  expect(changes[0]).toMatchObject({ target_id: id, before: { role: "admin" }, after: { role: "owner" } })
})

test("removing a person erases who they were and leaves what their team did", async ({ database }) => {
  const { orgId, ownerId, by } = await openWithOwner(database)
  const teamId = await makeTeam(database, orgId, "Payments")
  const id = await add(database, by, "ada")
  await joinTeam(database, { orgId, person: "ada", teamId, from: "2026-10-01" })
  await storeSignals(database, orgId, [makeSignal({ person: "ada" }), makeSignal({ person: "ada" })])
  await makeChange(database, orgId, { authors: [emailOf("ada"), emailOf("ben")] })
  const before = await asTenant(database.app, orgId, (tx) => getPerson(tx, id, TODAY, NOW))
  const remove = (accountId: string) =>
    asTenant(database.app, orgId, (tx) => removePerson(tx, { id: accountId, today: TODAY, byRole: "owner", by }))
  expect(await remove(ownerId)).toEqual({ ok: false, reason: "oneself" })
  expect(await remove(id)).toEqual({ ok: true, userId: null })
  expect(await remove(id)).toEqual({ ok: false, reason: "not_found" })

  const { rows } = await sql<{ kept: string }>`
    select coalesce(jsonb_agg(to_jsonb(d))::text, '') || coalesce((select jsonb_agg(to_jsonb(i))::text
      from developer_identity i where i.developer_id = ${before?.developerId}::uuid), '') as kept
    from developer d where d.id = ${before?.developerId}::uuid`.execute(database.owner)
  expect(rows[0]?.kept).toMatch(/"pseudonym": "gone-/)
  expect(rows[0]?.kept).not.toContain(String(before?.pseudonym))
  expect(rows[0]?.kept).not.toContain("identity_hash")
  const [change] = await database.owner.selectFrom("change_request").select("authors").execute()
  expect(change?.authors).toHaveLength(1)
  const members = await database.owner.selectFrom("team_member").select("developer_id").execute()
  expect(members).toEqual([{ developer_id: before?.developerId }])
  expect(await database.owner.selectFrom("signal").select("signal_id").execute()).toHaveLength(2)
  expect(JSON.stringify((await log(database, orgId)).at(-1))).not.toContain("ada")
  // The address is free again, and telemetry under it is somebody else's.
  const again = await add(database, by, "ada")
  const person = await asTenant(database.app, orgId, (tx) => getPerson(tx, again, TODAY, NOW))
  expect(person?.developerId).not.toBe(before?.developerId)
})

test("a manager's teams are theirs alone, and a change of them is logged once", async ({ database }) => {
  const { orgId, by } = await openWithOwner(database)
  const [ours, theirs] = [
    await makeTeam(database, orgId, "Ours"),
    await makeTeam(database, await makeOrganization(database), "Theirs"),
  ]
  const id = await add(database, by, "ada", "manager")
  const set = () =>
    asTenant(database.app, orgId, (tx) => setManagedTeams(tx, { accountId: id, teamIds: [ours, theirs], by }))
  expect([await set(), await set()]).toEqual([true, true])
  const person = await asTenant(database.app, orgId, (tx) => getPerson(tx, id, TODAY, NOW))
  expect(person?.manages).toEqual([{ id: ours, name: "Ours" }])
  const changes = (await log(database, orgId)).filter((entry) => entry.action === "account.change_managed_teams")
  expect(changes).toHaveLength(1)
})

test("no command reaches into another organization, and the log of each stays whole", async ({ database }) => {
  const { orgId, by } = await openWithOwner(database)
  const id = await add(database, by, "ada")
  const other = await makeOrganization(database)
  const foreign = actor(other)
  const results = await asTenant(database.app, other, async (tx) => [
    await getPerson(tx, id, TODAY, NOW),
    await changeRole(tx, { id, role: "admin", byRole: "owner", by: foreign }),
    await removePerson(tx, { id, today: TODAY, byRole: "owner", by: foreign }),
    await moveToTeam(tx, { accountId: id, teamId: null, fromDay: TODAY, by: foreign }),
    await setManagedTeams(tx, { accountId: id, teamIds: [], by: foreign }),
    await listPeople(tx, { text: "", role: null, teamId: null, today: TODAY, limit: 9, offset: 0 }, NOW),
  ])
  const notFound = { ok: false, reason: "not_found" }
  expect(results).toEqual([null, notFound, notFound, false, false, { people: [], count: 0 }])
  expect(await asTenant(database.app, orgId, (tx) => verifyAudit(tx, orgId))).toMatchObject({ ok: true })
})

test("today is the organization's", async ({ database }) => {
  const { orgId } = await openWithOwner(database)
  await database.owner.updateTable("org").set({ time_zone: "Pacific/Kiritimati" }).execute()
  expect(await asTenant(database.app, orgId, (tx) => getToday(tx, NOW))).toBe("2026-11-21")
})
