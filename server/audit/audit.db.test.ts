import { sql } from "kysely"
import { expect } from "vitest"
import { type TestDatabase, test } from "../../test/db.ts"
import { makeOrganization, NOW } from "../../test/factories.ts"
import { asTenant } from "../db/tenant.ts"
import { recordAudit } from "./commands.ts"
import { listAuditEntries, verifyAudit } from "./queries.ts"

async function record(database: TestDatabase, orgId: string, count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    await asTenant(database.app, orgId, (tx) =>
      recordAudit(tx, {
        orgId,
        occurredAt: new Date(NOW.getTime() + index),
        actorEmail: "ada@example.com",
        action: index % 2 === 0 ? "key.create" : "key.revoke",
        targetKind: "ingest_key",
        before: index % 2 === 0 ? null : { prefix: "blk_1", name: "Laptop" },
        after: { name: "Laptop", prefix: `blk_${index}`, live: true, uses: index },
      }),
    )
  }
}

const verify = (database: TestDatabase, orgId: string) => asTenant(database.app, orgId, (tx) => verifyAudit(tx, orgId))

test("a log that nobody touched is whole, for the application and for the worker", async ({ database }) => {
  const orgId = await makeOrganization(database)
  expect(await verify(database, orgId)).toEqual({ ok: true, entries: 0, head: null, witnessed: null })
  await record(database, orgId, 5)
  expect(await verify(database, orgId)).toMatchObject({ ok: true, entries: 5 })
  expect(await verifyAudit(database.worker, orgId)).toMatchObject({ ok: true, entries: 5 })
})

test.for([
  { name: "changed", tamper: sql`update audit_event set action = 'key.forge' where sequence = 3`, at: 3 },
  {
    name: "changed in its details",
    tamper: sql`update audit_event set after = after || '{"uses": 9}' where sequence = 2`,
    at: 2,
  },
  {
    name: "dated anew",
    tamper: sql`update audit_event set occurred_at = occurred_at + interval '1 hour' where sequence = 1`,
    at: 1,
  },
  { name: "taken out", tamper: sql`delete from audit_event where sequence = 4`, at: 4 },
  {
    name: "given to another",
    tamper: sql`update audit_event set actor_email = 'ben@example.com' where sequence = 5`,
    at: 5,
  },
])("an entry that was $name is found", async ({ tamper, at }, { database }) => {
  const orgId = await makeOrganization(database)
  await record(database, orgId, 5)
  await tamper.execute(database.owner)
  expect(await verify(database, orgId)).toMatchObject({ ok: false, sequence: at })
})

test("neither the application nor the worker can change or remove an entry", async ({ database }) => {
  const orgId = await makeOrganization(database)
  await record(database, orgId, 1)
  for (const role of [database.app, database.worker]) {
    for (const statement of [
      sql`update audit_event set action = 'x'`,
      sql`delete from audit_event`,
      sql`truncate audit_event`,
    ]) {
      await expect(asTenant(role, orgId, (tx) => statement.execute(tx))).rejects.toThrow(/permission denied/)
    }
  }
})

test("entries of one organization that are written at once follow one another", async ({ database }) => {
  const orgId = await makeOrganization(database)
  await Promise.all(Array.from({ length: 8 }, () => record(database, orgId, 3)))
  expect(await verify(database, orgId)).toMatchObject({ ok: true, entries: 24 })
})

test("an entry goes with the change that it describes", async ({ database }) => {
  const orgId = await makeOrganization(database)
  const undone = asTenant(database.app, orgId, async (tx) => {
    await recordAudit(tx, { orgId, occurredAt: NOW, action: "key.create", targetKind: "ingest_key" })
    throw new Error("the change failed")
  })
  await expect(undone).rejects.toThrow("the change failed")
  expect(await verify(database, orgId)).toEqual({ ok: true, entries: 0, head: null, witnessed: null })
})

test("pages of the log follow one another, also of one action, and one organization sees its own", async ({
  database,
}) => {
  const [theirs, ours] = [await makeOrganization(database), await makeOrganization(database)]
  await record(database, theirs, 2)
  await record(database, ours, 5)
  const list = (beforeSequence: number | null, action: string | null) =>
    asTenant(database.app, ours, async (tx) =>
      (await listAuditEntries(tx, { beforeSequence, action, limit: 2 })).map((entry) => entry.sequence),
    )
  expect([await list(null, null), await list(4, null), await list(2, null)]).toEqual([[5, 4], [3, 2], [1]])
  expect([await list(null, "key.create"), await list(3, "key.create")]).toEqual([[5, 3], [1]])
})
