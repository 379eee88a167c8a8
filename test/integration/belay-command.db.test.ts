import { execFile } from "node:child_process"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import path from "node:path"
import { sql } from "kysely"
import { expect, onTestFinished } from "vitest"
import { PAYLOADS } from "#sdk/cli/hook/payloads.ts"
import { INGEST_KEY, startTestBelay, type TestBelay } from "../belay.ts"
import { type TestDatabase, test } from "../db.ts"

const CLI = path.join(import.meta.dirname, "../../sdk/cli/belay-cli.ts")

test("what a tool's hooks tell is stored as its signals, for the person it was connected for", async ({ database }) => {
  const belay = await startTestBelay(database, { now: new Date() })
  // What is left to a test's end may come after its database is gone.
  try {
    await walk(belay, database)
  } finally {
    await belay.close()
  }
})

async function walk(belay: TestBelay, database: TestDatabase): Promise<void> {
  const home = await mkdtemp(path.join(tmpdir(), "belay-command-"))
  onTestFinished(() => rm(home, { recursive: true, force: true }))
  const run = (args: readonly string[], input = "") =>
    new Promise<string>((resolve, reject) => {
      const child = execFile(
        process.execPath,
        [CLI, ...args],
        { env: { ...process.env, HOME: home } },
        (error, stdout) => (error === null ? resolve(stdout) : reject(error)),
      )
      child.stdin?.end(input)
    })
  // Before there is an endpoint, so that no hook starts a flush of its own.
  for (const payload of [
    PAYLOADS.cursor.prompted,
    PAYLOADS.cursor.ranShell,
    PAYLOADS.cursor.edited,
    PAYLOADS.cursor.tabbed,
  ]) {
    await run(["hook", "cursor"], JSON.stringify(payload))
  }
  const place = ["--endpoint", belay.otlpUrl, "--key", INGEST_KEY, "--user", "ada@example.com"]
  await run(["connect", "claude-code", ...place])
  await run(["hook", "claude-code"], JSON.stringify(PAYLOADS["claude-code"].edited))
  // The flush that this one started may have been faster.
  expect(await run(["flush"])).toMatch(/^\d sent, 0 refused\n$/)
  const stored = () =>
    sql<{ kind: string }>`
      select agent_tool, kind, rung, action, outcome, path_scope, lines_added from signal_readable
      order by agent_tool, kind`.execute(database.owner)
  await expect.poll(async () => (await stored()).rows.length).toBe(5)
  const none = { action: null, outcome: null, path_scope: null, lines_added: null }
  expect((await stored()).rows).toEqual([
    {
      ...none,
      agent_tool: "claude-code",
      kind: "context",
      rung: "agent",
      action: "Edit",
      path_scope: "in_scope",
      lines_added: 2,
    },
    { ...none, agent_tool: "cursor", kind: "start", rung: "agent" },
    {
      ...none,
      agent_tool: "cursor",
      kind: "suggestion",
      rung: "autocomplete",
      outcome: "accepted",
      path_scope: "in_scope",
      lines_added: 1,
    },
    { ...none, agent_tool: "cursor", kind: "tool_call", rung: "agent", action: "npm test" },
    {
      ...none,
      agent_tool: "cursor",
      kind: "edit",
      rung: "agent",
      outcome: "applied",
      path_scope: "in_scope",
      lines_added: 2,
    },
  ])
  const doctor = await run(["doctor"])
  for (const line of [/ok +endpoint/, /ok +key +accepted/, /ok +claude-code +connected/]) expect(doctor).toMatch(line)
}
