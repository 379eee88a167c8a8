import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { sql } from "kysely"
import { expect } from "vitest"

import { test as base } from "../../test/db.ts"
import { migrate } from "./migrate.ts"

const test = base.extend("folder", async ({ database }, { onCleanup }) => {
  // A database without any of our migrations, so that a folder of the test's own can take their place.
  await sql`drop table kysely_migration, kysely_migration_lock`.execute(database.owner)
  const folder = await mkdtemp(join(tmpdir(), "belay-migrations-"))
  onCleanup(() => rm(folder, { recursive: true }))
  return {
    path: folder,
    add: (name: string, statement: string) =>
      writeFile(
        join(folder, `${name}.ts`),
        `export async function up(db: { executeQuery(q: unknown): Promise<unknown> }): Promise<void> {
           await db.executeQuery({ sql: ${JSON.stringify(statement)}, parameters: [], query: { kind: "RawNode" }, queryId: {} })
         }`,
      ),
  }
})

test("our own migrations have all run in the template", async ({ database }) => {
  expect(await migrate(database.url)).toEqual([])
})

test("migrations run once and in order, and are named", async ({ database, folder }) => {
  await folder.add("202601010000_first", "create table first (id int primary key)")
  await folder.add("202601020000_second", "insert into first values (1)")
  expect(await migrate(database.url, { folder: folder.path })).toEqual(["202601010000_first", "202601020000_second"])
  expect(await migrate(database.url, { folder: folder.path })).toEqual([])

  await folder.add("202601030000_third", "insert into first values (2)")
  expect(await migrate(database.url, { folder: folder.path })).toEqual(["202601030000_third"])
})

test("of many processes that start together one migrates and the others wait", async ({ database, folder }) => {
  await folder.add("202601010000_first", "create table first as select 1 as one from pg_sleep(0.1)")
  const starts = Array.from({ length: 8 }, () => migrate(database.url, { folder: folder.path }))
  expect((await Promise.all(starts)).flat()).toEqual(["202601010000_first"])
})

test("a failed migration is named, and nothing is changed", async ({ database, folder }) => {
  await folder.add("202601010000_first", "create table first (id int)")
  await folder.add("202601020000_second", "create tabel second (id int)")
  await expect(migrate(database.url, { folder: folder.path })).rejects.toThrow(
    /202601020000_second failed, and nothing was changed: syntax error at or near "tabel"/,
  )
  expect((await sql`select to_regclass('first') as first`.execute(database.owner)).rows).toEqual([{ first: null }])
})

test("a database that a newer version has migrated is refused", async ({ database, folder }) => {
  await folder.add("202601010000_first", "select 1")
  await folder.add("202601020000_second", "select 1")
  await migrate(database.url, { folder: folder.path })
  await rm(join(folder.path, "202601020000_second.ts"))
  await expect(migrate(database.url, { folder: folder.path })).rejects.toThrow(
    "A newer Belay has migrated this database",
  )
})

test("a migration that sorts before one that ran is refused", async ({ database, folder }) => {
  await folder.add("202601020000_second", "select 1")
  await migrate(database.url, { folder: folder.path })
  await folder.add("202601010000_first", "select 1")
  await expect(migrate(database.url, { folder: folder.path })).rejects.toThrow("could not be migrated")
})
