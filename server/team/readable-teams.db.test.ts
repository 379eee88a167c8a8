import { expect } from "vitest"
import { test } from "../../test/db.ts"
import { emailOf, joinTeam, makeOrganization, makeTeam, NOW } from "../../test/factories.ts"
import { asTenant } from "../db/tenant.ts"
import type { AccountRole } from "../db/types.ts"
import { createAccount } from "./bootstrap.ts"
import { findReadableTeams } from "./readable-teams.ts"

test("each role reads the teams that are its own, and the organization when that is all of them", async ({
  database,
}) => {
  const orgId = await makeOrganization(database)
  const [apps, platform, core] = [
    await makeTeam(database, orgId, "Apps"),
    await makeTeam(database, orgId, "Platform"),
    await makeTeam(database, orgId, "Core"),
  ]
  await database.owner.updateTable("team").set({ parent_team_id: platform }).where("id", "=", core).execute()
  await joinTeam(database, { orgId, person: "developer", teamId: apps, from: "2026-01-01", to: "2026-11-20" })
  await joinTeam(database, { orgId, person: "developer", teamId: core, from: "2026-11-20" })
  const read = async (role: AccountRole, manages: readonly string[] = []) => {
    const account = { orgId, email: emailOf(role), role, password: "not used here" }
    const { accountId } = await createAccount(database.owner, account)
    for (const team_id of manages) {
      await database.owner
        .insertInto("team_manager")
        .values({ org_id: orgId, account_id: accountId, team_id })
        .execute()
    }
    const found = await asTenant(database.app, orgId, (tx) => findReadableTeams(tx, { accountId, role }, NOW))
    await database.owner.deleteFrom("account").where("id", "=", accountId).execute()
    await database.owner.deleteFrom("auth_user").execute()
    return [found.organization, new Set(found.teamIds)]
  }
  const all = new Set([apps, platform, core])
  expect(await read("owner")).toEqual([true, all])
  expect(await read("on-call")).toEqual([true, all])
  expect(await read("manager")).toEqual([false, new Set()])
  expect(await read("manager", [core])).toEqual([false, new Set([core])])
  expect(await read("manager", [platform])).toEqual([false, new Set([platform, core])])
  expect(await read("manager", [platform, apps])).toEqual([true, all])
  expect(await read("developer")).toEqual([false, new Set([core])])
  expect(await read("auditor")).toEqual([false, new Set()])
})
