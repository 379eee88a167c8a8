import { sql } from "kysely"
import { expect } from "vitest"
import { test } from "../../test/db.ts"
import { DISTRIBUTED, distributeTables, listDistributed, REFERENCE } from "./citus.ts"

/** Tables of people that stay on the coordinator: few rows, and found by something else than the person. */
const LOCAL = [
  "developer_day",
  "developer_usage_day",
  "decision_hour",
  "counted_team_day",
  "first_token_day",
  "work_day",
  "latency_decision_day",
  "account",
  "developer_identity",
  "operation",
  "signal_occurrence",
  "signal_retraction",
  "arrived_operation",
  "arrived_presence",
  "arrived_suggestion",
  "incident",
  "joined_operation",
  "model_use",
  "model_use_day",
  "policy_client",
  "policy_exception",
  "policy_layer",
]

test("every table that says whose its rows are is distributed, on every node, or meant to stay", async ({
  database,
}) => {
  const { rows } = await sql<{ name: string }>`
    select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition
      and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'developer_id')
    order by 1`.execute(database.owner)
  const placed = [...DISTRIBUTED, ...REFERENCE, ...LOCAL]
  expect(rows.map((row) => row.name).filter((name) => !placed.includes(name))).toEqual([])
})

test("every unique key of a distributed table has the developer in it, and no foreign key leaves or reaches one", async ({
  database,
}) => {
  const unfit = await sql<{ name: string }>`
    select i.indexrelid::regclass::text as name from pg_index i join pg_class c on c.oid = i.indrelid
    where c.relname = any(${DISTRIBUTED}) and i.indisunique and not exists (
      select from pg_attribute a where a.attrelid = c.oid and a.attname = 'developer_id' and a.attnum = any(i.indkey)
    )`.execute(database.owner)
  const keys = await sql<{ name: string }>`
    select conname as name from pg_constraint
    where contype = 'f' and (conrelid::regclass::text = any(${DISTRIBUTED}) or confrelid::regclass::text = any(${DISTRIBUTED}))`.execute(
    database.owner,
  )
  expect([unfit.rows, keys.rows]).toEqual([[], []])
})

test("what is on every node refers only to what is there before it", async ({ database }) => {
  const { rows } = await sql<{ from: string; to: string }>`
    select conrelid::regclass::text as from, confrelid::regclass::text as to from pg_constraint
    where contype = 'f' and conrelid::regclass::text = any(${REFERENCE})`.execute(database.owner)
  const wrong = rows.filter(({ from, to }) => {
    const place = REFERENCE.indexOf(to)
    return place === -1 || place > REFERENCE.indexOf(from)
  })
  expect(rows.length).toBeGreaterThan(3)
  expect(wrong).toEqual([])
})

test("without Citus nothing is distributed, and whoever asks how the tables lie is told what is missing", async ({
  database,
}) => {
  expect(await distributeTables(database.owner)).toEqual([])
  await expect(listDistributed(database.owner)).rejects.toThrow(/create extension citus/)
})
