import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer, type IncomingMessage } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import path from "node:path"
import { createInterface } from "node:readline"
import { type Kysely, sql } from "kysely"
import { expect } from "vitest"
import type { DB } from "#server/db/types.ts"
import { startBelay } from "#sdk/belay.ts"
import { openSpool } from "#sdk/spool.ts"
import { createTestClock } from "#sdk/test-clock.ts"
import { INGEST_KEY, startTestBelay } from "../belay.ts"
import { test as databaseTest } from "../db.ts"

const test = databaseTest
  .extend("folder", async ({}, { onCleanup }) => {
    const folder = mkdtempSync(path.join(tmpdir(), "belay-sdk-"))
    onCleanup(() => rmSync(folder, { recursive: true, force: true }))
    return folder
  })
  .extend("belay", async ({ database }, { onCleanup }) => {
    const belay = await startTestBelay(database, { now: new Date() })
    onCleanup(() => belay.close())
    return belay
  })
  .extend("gate", async ({ belay }, { onCleanup }) => {
    const gate = await startGate(belay.otlpUrl)
    onCleanup(() => gate.close())
    return gate
  })

type Passage = "open" | "shut" | "takes, and hangs up"

/** Stands before Belay, as networks do: `passage` says what becomes of each request. */
async function startGate(otlpUrl: string) {
  const server = createServer((request, response) => {
    void pass(request).then((status) => (status === null ? response.destroy() : response.writeHead(status).end("{}")))
  })
  async function pass(request: IncomingMessage): Promise<number | null> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const passage = gate.passage()
    if (passage === "shut") return 503
    const { authorization = "", "content-type": type = "", "content-encoding": encoding } = request.headers
    const response = await fetch(`${otlpUrl}/v1/logs`, {
      method: "POST",
      body: Buffer.concat(chunks),
      headers: { authorization, "content-type": type, ...(encoding !== undefined && { "content-encoding": encoding }) },
    })
    await response.text()
    return passage === "open" ? response.status : null
  }
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve)
  })
  const gate = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    passage: (): Passage => "open",
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return gate
}

/** mulberry32: the same numbers of 0..1 for the same seed. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** The numbers that are stored of each session, in order, as often as they are. */
async function storedOf(owner: Kysely<DB>): Promise<Map<string, number[]>> {
  const result = await sql<{ session_id: string; numbers: number[] }>`
    select session_id, array_agg(lines_added order by lines_added) as numbers from signal_readable group by 1`.execute(
    owner,
  )
  return new Map(result.rows.map((row) => [row.session_id, row.numbers]))
}

test(
  "kill -9 at any moment, and an endpoint that comes and goes: what was on disk arrives exactly once",
  { timeout: 120_000 },
  async ({ database, folder, gate }) => {
    const random = seeded(20261125)
    gate.passage = () => {
      const chance = random()
      return chance < 0.4 ? "open" : chance < 0.7 ? "shut" : "takes, and hangs up"
    }
    const onDisk = new Map<string, number>()
    for (let life = 0; life < 6; life++) {
      const session = `life-${life}`
      const child = spawn(process.execPath, [
        path.join(import.meta.dirname, "sdk-emitter.ts"),
        gate.endpoint,
        path.join(folder, "spool"),
        session,
      ])
      const end = 200 + Math.floor(random() * 3000)
      for await (const line of createInterface({ input: child.stdout })) {
        onDisk.set(session, Number(line))
        if (Number(line) >= end) break
      }
      const exited = once(child, "exit")
      child.kill("SIGKILL")
      await exited
    }
    gate.passage = () => "open"
    const last = startBelay({
      endpoint: gate.endpoint,
      ingestKey: INGEST_KEY,
      agent: { name: "emitter" },
      spool: { folder: path.join(folder, "spool") },
    })
    expect(await last.shutdown({ deadlineMs: 60_000 })).toEqual({ isComplete: true })

    const stored = await storedOf(database.owner)
    for (const [session, spooled] of onDisk) {
      const numbers = stored.get(session) ?? []
      // Every one that it had said was on disk, none twice; and perhaps some of which it could not tell any more.
      expect([session, numbers.slice(0, spooled)]).toEqual([
        session,
        Array.from({ length: spooled }, (_, index) => index),
      ])
      expect([session, new Set(numbers).size]).toEqual([session, numbers.length])
    }
    expect(openSpool({ folder: path.join(folder, "spool") }).status()).toMatchObject({
      entries: 0,
      dropped: { full: 0, corrupt: 0 },
    })
  },
)

test("24 hours offline: what the spool holds arrives once, what it does not hold is counted", async ({
  database,
  belay,
  folder,
  gate,
}) => {
  const clock = createTestClock(belay.now().getTime() - 24 * 60 * 60_000)
  gate.passage = () => "shut"
  const options = {
    endpoint: gate.endpoint,
    ingestKey: INGEST_KEY,
    agent: { name: "traveller" },
    spool: { folder, bytesMax: 100_000 },
    clock,
  }
  const offline = startBelay(options)
  for (let minute = 0; minute < 24 * 60; minute++) {
    offline.autocomplete.suggest({ sessionId: "journey" }).shown().accepted({ lines: minute })
    clock.advance(60_000)
    if (minute % 10 === 9) await offline.flush()
  }
  await offline.shutdown()
  expect(offline.stats()).toMatchObject({ emitted: 1440, sent: 0, waiting: 0 })
  const { items, dropped } = openSpool({ folder }).status()
  expect(dropped.full).toBeGreaterThan(0)
  expect(items + dropped.full).toBe(1440)

  gate.passage = () => "open"
  const online = startBelay(options)
  expect(await online.shutdown({ deadlineMs: 60_000 })).toEqual({ isComplete: true })
  const stored = (await storedOf(database.owner)).get("journey")
  expect(stored).toEqual(Array.from({ length: items }, (_, index) => 1440 - items + index))
})

test("the four rungs come out on the ladder as they were used", async ({ database, belay, folder }) => {
  const clock = createTestClock(belay.now().getTime() - 60_000)
  const agent = startBelay({
    endpoint: belay.otlpUrl,
    ingestKey: INGEST_KEY,
    agent: { name: "example-agent", version: "1.0.0" },
    user: "ada@example.com",
    spool: { folder },
    clock,
  })
  const shown = () => {
    const suggestion = agent.autocomplete.suggest({ model: "codestral", language: "typescript" })
    clock.advance(150)
    return suggestion.shown()
  }
  shown().accepted({ lines: 2, chars: 40 }).survived({ at: "30s", share: 1 })
  shown().rejected()
  shown().ignored()
  agent.autocomplete.suggest({ model: "codestral" }).late()

  const turn = agent.chat.turn({ model: "gpt-5", provider: "openai" })
  clock.advance(400)
  turn.firstToken().answered({ outputTokens: 100 }).applied({ lines: 5 })
  agent.chat.turn({ model: "gpt-5" }).firstToken().answered().ignored()

  const task = agent.agent.task({ mode: "code" })
  task.model({ model: "claude-sonnet-4-5", provider: "anthropic", inputTokens: 1000, outputTokens: 50 })
  task.prompt("git push").allowed()
  task.prompt("npm test").allowed("rule")
  task.edit({ path: "a.ts", outcome: "accepted", origin: "mode" })
  clock.advance(8000)
  const { token } = task.finish({ outcome: "accepted" })
  agent.resume(token).merged({ origin: "rule" })

  const run = agent.orchestration.run({ mode: "orchestrator" })
  run.spawn({ mode: "code" }).finish({ outcome: "accepted", origin: "rule" })
  clock.advance(20_000)
  run.finish({ outcome: "rejected" })
  expect(await agent.shutdown()).toEqual({ isComplete: true })

  await belay.count()
  const result = await sql`
    select rung, sum(operations)::int as operations, sum(presented)::int as presented, sum(accepted)::int as accepted,
      sum(prompts)::int as prompts, sum(timed)::int as timed
    from developer_day group by rung order by rung`.execute(database.owner)
  expect(result.rows).toEqual([
    { rung: "autocomplete", operations: 4, presented: 3, accepted: 1, prompts: 0, timed: 4 },
    { rung: "chat", operations: 2, presented: 2, accepted: 1, prompts: 0, timed: 2 },
    { rung: "agent", operations: 1, presented: 1, accepted: 1, prompts: 1, timed: 1 },
    { rung: "orchestration", operations: 1, presented: 1, accepted: 0, prompts: 0, timed: 1 },
  ])
})
