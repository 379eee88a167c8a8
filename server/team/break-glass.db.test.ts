import { expect } from "vitest"
import { type TestDatabase, test } from "../../test/db.ts"
import { makeOrganization, NOW } from "../../test/factories.ts"
import { asTenant } from "../db/tenant.ts"
import { createAccount } from "./bootstrap.ts"
import { closeBreakGlass, listBreakGlass, openBreakGlass, useBreakGlass as viewOnce } from "./break-glass.ts"
import { listAccesses } from "./own-data.ts"

const MINUTE_MS = 60_000

async function openWithTwo(database: TestDatabase) {
  const orgId = await makeOrganization(database)
  const make = (email: string, role: "owner" | "developer") =>
    createAccount(database.owner, { orgId, email, role, password: "correct horse battery" })
  const owner = await make("olga@example.com", "owner")
  const ada = await make("ada@example.com", "developer")
  const by = (minutes: number, actorId = owner.accountId) => ({
    orgId,
    actorId,
    actorEmail: "olga@example.com",
    occurredAt: new Date(NOW.getTime() + minutes * MINUTE_MS),
    requestId: "request",
  })
  const view = (minutes: number, actorId?: string) =>
    asTenant(database.app, orgId, (tx) => viewOnce(tx, { accountId: ada.accountId, by: by(minutes, actorId) }))
  return { orgId, ada: ada.accountId, by, view }
}

test("nobody's data are open until an owner opens them, for a reason, and then only to that owner and in time", async ({
  database,
}) => {
  const { orgId, ada, by, view } = await openWithTwo(database)
  expect(await view(0)).toBeNull()
  const reason = "an incident on Friday"
  const opened = await asTenant(database.app, orgId, (tx) =>
    openBreakGlass(tx, { accountId: ada, reason, minutes: 15, by: by(0) }),
  )
  expect(opened).toMatchObject({ email: "ada@example.com", expiresAt: new Date(NOW.getTime() + 15 * MINUTE_MS) })
  expect(await view(14)).toMatchObject({ reason })
  expect(await view(14, ada)).toBeNull()
  expect(await view(15)).toBeNull()
  const short = asTenant(database.app, orgId, (tx) =>
    openBreakGlass(tx, { accountId: ada, reason: "because", minutes: 15, by: by(0) }),
  )
  await expect(short).rejects.toThrow(/check constraint/)
})

test("the person reads who looked, when and why, each time", async ({ database }) => {
  const { orgId, ada, by, view } = await openWithTwo(database)
  await asTenant(database.app, orgId, (tx) =>
    openBreakGlass(tx, { accountId: ada, reason: "an incident on Friday", minutes: 60, by: by(0) }),
  )
  await view(1)
  await view(2)
  expect(await asTenant(database.app, orgId, (tx) => closeBreakGlass(tx, { accountId: ada, by: by(3) }))).toBe(true)
  expect(await view(4)).toBeNull()
  const accesses = await asTenant(database.app, orgId, (tx) => listAccesses(tx, ada, 10))
  expect(accesses.map((access) => [access.action, access.reason])).toEqual([
    ["break_glass.close", null],
    ["break_glass.view", "an incident on Friday"],
    ["break_glass.view", "an incident on Friday"],
    ["break_glass.open", "an incident on Friday"],
  ])
  const listed = await asTenant(database.app, orgId, (tx) => listBreakGlass(tx, ada))
  expect(listed).toMatchObject([{ openedByEmail: "olga@example.com", closedAt: by(3).occurredAt }])
  // The database lets nobody take the reason or the time back.
  const rewrite = asTenant(database.app, orgId, (tx) =>
    tx.updateTable("break_glass").set({ reason: "no reason at all" }).execute(),
  )
  await expect(rewrite).rejects.toThrow(/permission denied/)
})
