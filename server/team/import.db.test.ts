import { expect } from "vitest"
import { type TestDatabase, test } from "../../test/db.ts"
import { makeOrganization, NOW } from "../../test/factories.ts"
import { asTenant } from "../db/tenant.ts"
import { createAccount } from "./bootstrap.ts"
import { importPeople, planImport } from "./import.ts"
import { listTeamTree } from "./teams.ts"

const TODAY = "2026-11-20"

async function openWithOwner(database: TestDatabase) {
  const orgId = await makeOrganization(database)
  const password = "correct horse battery"
  const owner = await createAccount(database.owner, { orgId, email: "olga@example.com", role: "owner", password })
  const by = { orgId, actorId: owner.accountId, actorEmail: "olga@example.com", occurredAt: NOW, requestId: "request" }
  return {
    orgId,
    plan: (csv: string) => asTenant(database.app, orgId, (tx) => planImport(tx, csv, TODAY)),
    run: (csv: string) => importPeople(database.app, { csv, byRole: "admin", by }),
    people: () => database.owner.selectFrom("account").select(["email", "name", "role"]).orderBy("email").execute(),
    tree: () => asTenant(database.app, orgId, (tx) => listTeamTree(tx, TODAY)),
  }
}

test("a preview says what would change and changes nothing; importing does that; again, nothing", async ({
  database,
}) => {
  const { plan, run, people, tree } = await openWithOwner(database)
  const csv =
    '\uFEFFEmail;Name;Role;Team\nADA@example.com;"Lovelace; Ada";;Platform / Core\ngrace@example.com;Grace;Manager;Platform\nlin@example.com;;;\n'
  const planned = await plan(csv)
  expect(planned.error).toBeNull()
  expect(planned.newTeams).toEqual(["Platform", "Platform / Core"])
  expect(planned.rows.map((row) => [row.line, row.email, row.effect, row.changes])).toEqual([
    [2, "ada@example.com", "add", ["new, as developer", "team none → Platform / Core"]],
    [3, "grace@example.com", "add", ["new, as manager", "team none → Platform"]],
    [4, "lin@example.com", "add", ["new, as developer"]],
  ])
  expect(await people()).toHaveLength(1)

  expect(await run(csv)).toMatchObject({ ok: true, added: 3, changed: 0 })
  expect(await people()).toMatchObject([
    { email: "ada@example.com", name: "Lovelace; Ada", role: "developer" },
    { email: "grace@example.com", name: "Grace", role: "manager" },
    { email: "lin@example.com", name: "" },
    { email: "olga@example.com" },
  ])
  expect((await tree()).map((team) => [team.name, team.members])).toEqual([
    ["Platform", 1],
    ["Core", 1],
  ])
  expect((await plan(csv)).rows.map((row) => row.effect)).toEqual(["nothing", "nothing", "nothing"])
  const moved = await run("email,team,role\nada@example.com,Platform,on-call\n")
  expect(moved).toMatchObject({ ok: true, added: 0, changed: 1 })
})

test("one wrong line and nothing is imported, each wrong one with its number and why", async ({ database }) => {
  const { run, people, tree } = await openWithOwner(database)
  const lines = [
    "email,name,role,team",
    "ada@example.com,Ada,developer,A",
    "no address,X,developer,A",
    "ada@example.com,Ada,developer,A",
    "bea@example.com,Bea,king,A",
    "cyn@example.com,Cyn,owner,A",
    "olga@example.com,Olga,developer,A",
    "dan@example.com,Dan,developer,A / B / C",
    "eve@example.com,Eve,developer,X / A",
  ]
  const imported = await run(lines.join("\n"))
  if (imported.ok) throw new Error("imported")
  expect(imported.plan.rows.map((row) => [row.line, row.effect, row.changes.join()])).toEqual([
    [2, "add", "new, as developer,team none → A"],
    [3, "error", "email is no e-mail address"],
    [4, "error", "is in the file twice"],
    [5, "error", expect.stringContaining("role is none of owner, admin")],
    [6, "error", expect.stringContaining("owners are made by hand")],
    [7, "error", expect.stringContaining("is an owner")],
    [8, "error", "team has more than two levels"],
    [9, "error", "team A exists already, as A"],
  ])
  expect(await people()).toHaveLength(1)
  expect(await tree()).toEqual([])
})

test("what is no list of people is refused as a whole", async ({ database }) => {
  const { plan } = await openWithOwner(database)
  expect((await plan("")).error).toContain("no line")
  expect((await plan("name\nAda\n")).error).toContain("email is not among them")
  expect((await plan('email\n"open')).error).toContain("no CSV")
})

test("an address of another organization fails the whole import and changes nothing", async ({ database }) => {
  const { run, people, tree } = await openWithOwner(database)
  const other = await makeOrganization(database)
  const account = { orgId: other, email: "theirs@example.com", role: "developer" as const, password: "not used here" }
  await createAccount(database.owner, account)
  const imported = await run("email,team\nada@example.com,A\ntheirs@example.com,A\n")
  expect(imported).toMatchObject({ ok: false })
  expect((await people()).map((person) => person.email)).toEqual(["olga@example.com", "theirs@example.com"])
  expect(await tree()).toEqual([])
})
