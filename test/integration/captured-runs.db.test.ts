import { readdir } from "node:fs/promises"
import path from "node:path"
import { sql } from "kysely"
import { expect } from "vitest"
import type { TestDatabase } from "../db.ts"
import { test } from "../belay.ts"

const captured = (await readdir(path.join(import.meta.dirname, "../fixtures/otlp/captured"))).toSorted()
const filesOf = (prefix: string) =>
  captured.filter((file) => file.startsWith(`${prefix}-`)).map((file) => `captured/${file}`)

/** What each run did, as its fake model and its person saw it. Input tokens include cached ones. */
const RUNS = [
  {
    files: "claude",
    tool: "claude-code",
    model: "claude-opus-4-5",
    calls: 2,
    input: 1500,
    output: 50,
    cached: 100,
    edits: 1,
  },
  { files: "codex", tool: "codex", model: "gpt-5", calls: 2, input: 1800, output: 80, cached: 200, edits: 0 },
  {
    files: "gemini",
    tool: "gemini-cli",
    model: "gemini-2.5-pro",
    calls: 2,
    input: 2400,
    output: 60,
    cached: 0,
    edits: 1,
  },
  { files: "qwen", tool: "qwen-code", model: "qwen3-coder", calls: 2, input: 1600, output: 40, cached: 0, edits: 1 },
  // One of its three calls made the title.
  { files: "opencode", tool: "opencode", model: "m1", calls: 3, input: 2400, output: 60, cached: 0, edits: 1 },
  // Kilo sends no model spans by default: the one call that was captured comes from its log, without tokens.
  { files: "kilo", tool: "kilo", model: "m1", calls: 1, input: null, output: null, cached: null, edits: 1 },
] as const

async function summarize(database: TestDatabase) {
  const result = await sql<{
    tool: string
    models: string[]
    calls: number
    tool_calls: number
    edits: number
    sessions: number
    operations: number
    input: number | null
    output: number | null
    cached: number | null
    signals: number
    human: number
  }>`
    select
      agent_tool as tool,
      array_agg(distinct model) filter (where kind = 'model_call') as models,
      count(*) filter (where kind = 'model_call')::int as calls,
      count(*) filter (where kind = 'tool_call')::int as tool_calls,
      count(*) filter (where kind = 'edit')::int as edits,
      count(distinct session_id)::int as sessions,
      count(distinct operation_id)::int as operations,
      sum(input_tokens)::int as input, sum(output_tokens)::int as output, sum(cached_tokens)::int as cached,
      count(*)::int as signals,
      count(*) filter (where origin = 'human')::int as human
    from signal_readable group by agent_tool order by agent_tool`.execute(database.owner)
  return result.rows
}

test.for(RUNS)(
  "the captured run of $tool gives what it did, once, however often it is sent",
  async (run, { belay, database }) => {
    for (let time = 1; time <= 2; time++) {
      for (const file of filesOf(run.files)) {
        const response = await belay.postFixture(file)
        expect([file, response.status]).toEqual([file, 200])
        const body = file.endsWith(".json") ? await response.text() : (await response.arrayBuffer()).byteLength
        expect([file, body]).toEqual([file, file.endsWith(".json") ? "{}" : 0])
      }
      const [summary, ...others] = await summarize(database)
      expect(others).toEqual([])
      expect(summary).toMatchObject({
        tool: run.tool,
        models: [run.model],
        calls: run.calls,
        tool_calls: 1,
        edits: run.edits,
        sessions: 1,
        // One prompt was one operation, whatever reported on it.
        operations: 1,
        input: run.input,
        output: run.output,
        cached: run.cached,
        // Nobody was asked: a rule or mode allowed everything.
        human: 0,
      })
    }
  },
)

test("the order of requests does not matter", async ({ belay, database }) => {
  for (const file of captured) await belay.postFixture(`captured/${file}`)
  const forwards = await summarize(database)
  await sql`truncate signal, signal_occurrence`.execute(database.owner)
  for (const file of captured.toReversed()) await belay.postFixture(`captured/${file}`)
  expect(await summarize(database)).toEqual(forwards)
})

test("no stored text of any fixture is a prompt, code, a path or an argument", async ({ belay, database }) => {
  const files = captured.map((file) => `captured/${file}`)
  const written = (await readdir(path.join(import.meta.dirname, "../fixtures/otlp/written"))).filter(
    (file) => file !== "manifest.json",
  )
  for (const file of [...files, ...written.map((name) => `written/${name}`)]) {
    expect((await belay.postFixture(file)).status, file).toBe(200)
  }
  const tables = await sql<{ name: string }>`
    select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition and c.relname not like 'kysely%'`.execute(
    database.owner,
  )
  const forbidden =
    /\/home\/|\/usr\/|\.txt|\.json\b|redacted|REDACTED|<removed>|h3|Overloaded|quota exceeded|@example\.com|select |import /i
  let rows = 0
  for (const { name } of tables.rows) {
    // Who works here is known; what agents send is what may hold nothing of that.
    if (name === "account" || name === "org" || name.startsWith("auth_")) continue
    const stored = await sql<{ row: string }>`select row_to_json(t)::text as row from ${sql.table(name)} t`.execute(
      database.owner,
    )
    rows += stored.rows.length
    for (const { row } of stored.rows) expect(`${name}: ${row}`).not.toMatch(forbidden)
  }
  expect(rows).toBeGreaterThan(100)
})
