import { randomUUID } from "node:crypto"

import { sql } from "kysely"
import { expect } from "vitest"

import { test as base } from "../../test/db.ts"
import { asTenant, type TenantTx } from "./tenant.ts"

/** A tenant table of this file's own. */
const test = base.extend("notes", async ({ database }) => {
  await sql`create table note (org_id uuid not null, text text not null)`.execute(database.owner)
  await sql`alter table note enable row level security`.execute(database.owner)
  await sql`grant select, insert on note to belay_app`.execute(database.owner)
  await sql`create policy tenant on note to belay_app
    using (org_id = current_setting('belay.org_id')::uuid)
    with check (org_id = current_setting('belay.org_id')::uuid)`.execute(database.owner)
  return {
    write: (tx: TenantTx, orgId: string) => sql`insert into note values (${orgId}, 'x')`.execute(tx),
    list: async (tx: TenantTx) => (await sql<{ org_id: string }>`select org_id from note`.execute(tx)).rows,
  }
})

test("a query outside of a tenant's transaction is refused by the database", async ({ db, notes: _notes }) => {
  await expect(sql`select * from note`.execute(db)).rejects.toThrow("belay.org_id")
})

test("one organization sees and writes its own rows only", async ({ db, notes }) => {
  const [ours, theirs] = [randomUUID(), randomUUID()]
  await asTenant(db, ours, (tx) => notes.write(tx, ours))
  await asTenant(db, theirs, (tx) => notes.write(tx, theirs))

  expect(await asTenant(db, ours, notes.list)).toEqual([{ org_id: ours }])
  await expect(asTenant(db, ours, (tx) => notes.write(tx, theirs))).rejects.toThrow("row-level security")
})

test("what was written before an error is rolled back, and the error is passed on", async ({ db, notes }) => {
  const orgId = randomUUID()
  const work = asTenant(db, orgId, async (tx) => {
    await notes.write(tx, orgId)
    throw new Error("changed my mind")
  })
  await expect(work).rejects.toThrow("changed my mind")
  expect(await asTenant(db, orgId, notes.list)).toEqual([])
})

test("a statement that failed fails the transaction, even when its error was swallowed", async ({ db }) => {
  const work = asTenant(db, randomUUID(), async (tx) => {
    await sql`select 1 / 0`.execute(tx).catch(() => {})
    return "done"
  })
  await expect(work).rejects.toThrow("rolled back instead of committed")
})

test("the organization is forgotten when the transaction ends", async ({ db }) => {
  await asTenant(db, randomUUID(), async () => {})
  await asTenant(db, randomUUID(), () => Promise.reject(new Error("no"))).catch(() => {})

  const left = await sql<{
    org: string | null
  }>`select nullif(current_setting('belay.org_id', true), '') as org`.execute(db)
  expect(left.rows).toEqual([{ org: null }])
})

test.for([
  "",
  "not-a-uuid",
  "0'; drop table org; --",
  "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
  "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\n",
])("an organization id that is no canonical UUID is refused: %j", async (orgId, { db }) => {
  await expect(asTenant(db, orgId, async () => {})).rejects.toThrow("Not a UUID")
})
