import { sql } from "kysely"
import { expect } from "vitest"
import { type TestDatabase, test } from "../../test/db.ts"
import { dayOf, maintainPartitions } from "./partitions.ts"

const NOW = new Date("2026-03-01T01:00:00Z")

/** Of the year's first half: a test's database is made with some of November. */
async function partitions(database: TestDatabase): Promise<string[]> {
  const result = await sql<{ name: string }>`
    select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'signal'::regclass and c.relname < 'signal_202607' order by 1`.execute(database.owner)
  return result.rows.map((row) => row.name)
}

test("partitions reach from the oldest signal that may come to a week ahead, and are made once", async ({
  database,
}) => {
  const first = await maintainPartitions(database.worker, { now: NOW, retentionDays: 90 })
  expect(first).toEqual({ made: 39, dropped: 0 })
  const made = await partitions(database)
  expect([made.at(0), made.at(-1)]).toEqual(["signal_20260129", "signal_20260308"])
  expect(await maintainPartitions(database.worker, { now: NOW, retentionDays: 90 })).toEqual({ made: 0, dropped: 0 })
})

test("several processes at once make each partition once", async ({ database }) => {
  const results = await Promise.all(
    Array.from({ length: 4 }, () => maintainPartitions(database.worker, { now: NOW, retentionDays: 90 })),
  )
  expect(results.reduce((sum, result) => sum + result.made, 0)).toBe(39)
})

test("what is past retention is dropped, the day on its edge is kept", async ({ database }) => {
  await maintainPartitions(database.worker, { now: NOW, retentionDays: 90 })
  const later = new Date("2026-05-01T00:00:00Z")
  await maintainPartitions(database.worker, { now: later, retentionDays: 60 })
  expect((await partitions(database))[0]).toBe(`signal_${dayOf(later, -60).replaceAll("-", "")}`)
})
