import { execFile } from "node:child_process"
import path from "node:path"
import { promisify } from "node:util"
import { sql } from "kysely"
import { expect } from "vitest"
import { test } from "../../test/db.ts"
import { makeOrganization, makeSignal, storeSignals } from "../../test/factories.ts"
import { TYPES_ARGUMENTS } from "../../test/setup/types-command.ts"
import { asTenant } from "./tenant.ts"

const run = promisify(execFile)
const ROOT = path.join(import.meta.dirname, "../..")

test("types.ts is what the migrated database says", async ({ database }) => {
  const codegen = path.join(ROOT, "node_modules/.bin/kysely-codegen")
  // Out of date: npm run db:types
  await run(process.execPath, [codegen, ...TYPES_ARGUMENTS, "--verify", "--url", database.url], { cwd: ROOT })
})

/** Tables that belong to no organization. */
const SHARED = [
  "kysely_migration",
  "kysely_migration_lock",
  "rate_limit",
  // Of Belay itself: for the worker to write and for anyone who may see the status, through functions.
  "server_process",
  // Who someone is, before their organization is known: for belay_auth alone, as the next test holds.
  "auth_user",
  "auth_session",
  "auth_credential",
  "auth_verification",
  "auth_two_factor",
  "auth_secret",
]

test("every table of an organization has row-level security with a policy for the roles that serve requests", async ({
  database,
}) => {
  const tables = await sql<{ name: string; secured: boolean; policies: string[] }>`
    select c.relname as name, c.relrowsecurity as secured,
      array(select p.polname::text from pg_policy p where p.polrelid = c.oid order by 1) as policies
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition`.execute(database.owner)
  const open = tables.rows.filter(
    ({ name, secured, policies }) => !SHARED.includes(name) && !(secured && policies.includes("tenant")),
  )
  expect(open).toEqual([])
  expect(tables.rows.length).toBeGreaterThan(10)
})

test("a table without row-level security is for no role that reads an organization's", async ({ database }) => {
  const { rows } = await sql<{ name: string; role: string }>`
    select t.name, r.role from unnest(${SHARED}::text[]) as t(name),
      unnest(array['belay_app', 'belay_ingest', 'belay_worker']) as r(role)
    where has_table_privilege(r.role, t.name, 'select, insert, update, delete')
      or has_any_column_privilege(r.role, t.name, 'select, insert, update')`.execute(database.owner)
  expect(rows).toEqual([])
})

test("without a tenant the application reads nothing, whatever it asks", async ({ database, db }) => {
  const orgId = await makeOrganization(database)
  await storeSignals(database, orgId, [makeSignal()])
  for (const table of ["signal", "signal_readable", "developer", "dimension", "org", "team", "ingest_key", "account"]) {
    await expect(sql`select * from ${sql.table(table)}`.execute(db), table).rejects.toThrow(/belay.org_id/)
  }
})

test("as another tenant a query without any condition sees only that tenant's rows", async ({ database, db }) => {
  const [theirs, ours] = [await makeOrganization(database), await makeOrganization(database)]
  await storeSignals(database, theirs, [makeSignal(), makeSignal()])
  await storeSignals(database, ours, [makeSignal()])
  const seen = await asTenant(db, ours, async (tx) => ({
    signals: await tx.selectFrom("signal").select("org_id").execute(),
    readable: await tx.selectFrom("signal_readable").select("org_id").execute(),
    orgs: await tx.selectFrom("org").select("id").execute(),
  }))
  expect(seen).toEqual({ signals: [{ org_id: ours }], readable: [{ org_id: ours }], orgs: [{ id: ours }] })
})

test("the application cannot read signals past the parent table, nor write them", async ({ database, db }) => {
  const orgId = await makeOrganization(database)
  await storeSignals(database, orgId, [makeSignal()])
  await expect(asTenant(db, orgId, (tx) => sql`select * from signal_20261120`.execute(tx))).rejects.toThrow(
    /permission denied/,
  )
  await expect(asTenant(db, orgId, (tx) => sql`delete from signal`.execute(tx))).rejects.toThrow(/permission denied/)
})

test("ingest cannot write for another organization than the key's", async ({ database }) => {
  const [theirs, ours] = [await makeOrganization(database), await makeOrganization(database)]
  const write = asTenant(database.ingest, ours, (tx) =>
    tx.insertInto("dimension").values({ org_id: theirs, kind: "model", value: "m1" }).execute(),
  )
  await expect(write).rejects.toThrow(/row-level security/)
})
