import { expect } from "vitest"
import { test } from "../../test/db.ts"
import { joinTeam, makeOrganization, makeTeam, NOW } from "../../test/factories.ts"
import { asTenant } from "../db/tenant.ts"
import { changeTeam, createTeam, deleteTeam, listTeamTree, type TeamChanged } from "./teams.ts"

const TODAY = "2026-11-20"

test("teams form a tree of two levels, in order, and a third one is refused from either end", async ({
  database,
  db,
}) => {
  const orgId = await makeOrganization(database)
  const by = { orgId, actorId: null, actorEmail: null, occurredAt: NOW, requestId: "request" }
  const make = (name: string, parentId: string | null = null) =>
    asTenant(db, orgId, (tx) => createTeam(tx, { name, parentId, by }))
  const idOf = (changed: TeamChanged) => (changed.ok ? changed.id : "")
  const platform = idOf(await make("Platform"))
  const apps = idOf(await make("Apps"))
  const core = idOf(await make("Core", platform))
  expect(await make("Kernel", core)).toEqual({ ok: false, reason: "too_deep" })
  expect(await make("Core")).toEqual({ ok: false, reason: "name_taken" })
  expect(await make("Lost", "00000000-0000-4000-8000-000000000000")).toEqual({ ok: false, reason: "not_found" })
  const change = (id: string, name: string, parentId: string | null, timeZone: string | null = null) =>
    asTenant(db, orgId, (tx) => changeTeam(tx, { id, name, parentId, timeZone, by }))
  expect(await change(platform, "Platform", apps)).toEqual({ ok: false, reason: "too_deep" })
  expect(await change(apps, "Apps", apps)).toEqual({ ok: false, reason: "too_deep" })
  expect(await change(apps, "Core", null)).toEqual({ ok: false, reason: "name_taken" })
  expect(await change(core, "Kernel", platform)).toEqual({ ok: true, id: core })
  const tree = await asTenant(db, orgId, (tx) => listTeamTree(tx, TODAY))
  expect(tree.map(({ name, parentId }) => [name, parentId])).toEqual([
    ["Apps", null],
    ["Platform", null],
    ["Kernel", platform],
  ])
})

test("the zone in which a team works is changed, and the change is in the audit log", async ({ database, db }) => {
  const orgId = await makeOrganization(database)
  const by = { orgId, actorId: null, actorEmail: null, occurredAt: NOW, requestId: "request" }
  const id = await makeTeam(database, orgId, "Payments")
  const change = (timeZone: string | null) =>
    asTenant(db, orgId, (tx) => changeTeam(tx, { id, name: "Payments", parentId: null, timeZone, by }))
  await change("Asia/Tokyo")
  await change("Asia/Tokyo")
  expect(await asTenant(db, orgId, (tx) => listTeamTree(tx, TODAY))).toMatchObject([{ timeZone: "Asia/Tokyo" }])
  await change(null)
  expect(await asTenant(db, orgId, (tx) => listTeamTree(tx, TODAY))).toMatchObject([{ timeZone: null }])
  const audit = await database.owner.selectFrom("audit_event").select(["before", "after"]).orderBy("sequence").execute()
  const team = { name: "Payments", parent: null }
  expect(audit).toEqual([
    { before: { ...team, timeZone: null }, after: { ...team, timeZone: "Asia/Tokyo" } },
    { before: { ...team, timeZone: "Asia/Tokyo" }, after: { ...team, timeZone: null } },
  ])
})

test("a team that figures name is not deleted", async ({ database, db }) => {
  const orgId = await makeOrganization(database)
  const by = { orgId, actorId: null, actorEmail: null, occurredAt: NOW, requestId: "request" }
  const made = await asTenant(db, orgId, async (tx) => {
    const platform = await createTeam(tx, { name: "Platform", parentId: null, by })
    const parentId = platform.ok ? platform.id : null
    return [
      platform,
      await createTeam(tx, { name: "Core", parentId, by }),
      await createTeam(tx, { name: "Old", parentId: null, by }),
    ]
  })
  const [platform = "", core = "", old = ""] = made.map((changed) => (changed.ok ? changed.id : ""))
  await joinTeam(database, { orgId, person: "ada", teamId: core, from: "2026-10-01", to: "2026-10-02" })
  const remove = (id: string) => asTenant(db, orgId, (tx) => deleteTeam(tx, { id, by }))
  expect(await remove(core)).toEqual({ ok: false, reason: "in_use" })
  expect(await remove(platform)).toEqual({ ok: false, reason: "in_use" })
  expect(await remove(old)).toEqual({ ok: true, id: old })
  const other = await makeOrganization(database)
  const foreign = await asTenant(db, other, (tx) => deleteTeam(tx, { id: core, by: { ...by, orgId: other } }))
  expect(foreign).toEqual({ ok: false, reason: "not_found" })
})
