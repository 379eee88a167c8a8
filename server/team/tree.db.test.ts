import { expect } from "vitest"
import { test, type TestDatabase } from "../../test/db.ts"
import { makeOrganization, makeTeam } from "../../test/factories.ts"

const moveUnder = (database: TestDatabase, teamId: string, parentId: string | null) =>
  database.owner.updateTable("team").set({ parent_team_id: parentId }).where("id", "=", teamId).execute()

test("teams form a tree two levels deep", async ({ database }) => {
  const orgId = await makeOrganization(database)
  const top = await makeTeam(database, orgId, "Top")
  const part = await makeTeam(database, orgId, "Part", top)
  const other = await makeTeam(database, orgId, "Other")
  const third = /team_parent_is_top_level/
  await expect(makeTeam(database, orgId, "Third level", part)).rejects.toThrow(third)
  await expect(moveUnder(database, top, other)).rejects.toThrow(third)
  await expect(moveUnder(database, other, other)).rejects.toThrow(third)
  await moveUnder(database, part, other)
  await moveUnder(database, top, other)
})

test("two moves at the same time make no third level between them", async ({ database }) => {
  const orgId = await makeOrganization(database)
  const [a, b, c] = [
    await makeTeam(database, orgId, "A"),
    await makeTeam(database, orgId, "B"),
    await makeTeam(database, orgId, "C"),
  ]
  const moves = await Promise.allSettled([moveUnder(database, a, b), moveUnder(database, b, c)])
  expect(moves.filter(({ status }) => status === "fulfilled")).toHaveLength(1)
})

test("a team is part of a team of the same organization only", async ({ database }) => {
  const [ours, theirs] = [await makeOrganization(database), await makeOrganization(database)]
  const team = await makeTeam(database, theirs, "Theirs")
  await expect(makeTeam(database, ours, "Ours", team)).rejects.toThrow(/team_parent_is_top_level/)
})

test("a team with parts is not deleted from above them, and goes with its organization", async ({ database }) => {
  const orgId = await makeOrganization(database)
  const top = await makeTeam(database, orgId, "Top")
  await makeTeam(database, orgId, "Part", top)
  await expect(database.owner.deleteFrom("team").where("id", "=", top).execute()).rejects.toThrow(/team_parent/)
  await database.owner.deleteFrom("org").where("id", "=", orgId).execute()
  expect(await database.owner.selectFrom("team").select("id").execute()).toEqual([])
})
