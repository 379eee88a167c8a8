import { sql } from "kysely"
import { expect } from "vitest"
import { openDatabase } from "#server/db/client.ts"
import { test } from "../process.ts"
import { makeSession } from "../session.ts"
import { type Ready, readPostmasterPid } from "../spawn.ts"

const BATCH = 20

/** Session names that were acknowledged; each is a batch of its own. */
async function sendUntil(target: () => Ready, isDone: () => boolean, name: string): Promise<string[]> {
  const acknowledged: string[] = []
  for (let count = 0; !isDone(); count++) {
    const session = `${name}-${count}`
    const { otlpUrl, ingestKey } = target()
    try {
      const response = await fetch(`${otlpUrl}/v1/logs`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${ingestKey}` },
        body: makeSession(session, BATCH, new Date()),
      })
      await response.text()
      if (response.status === 200) acknowledged.push(session)
    } catch {
      // Cut off: not acknowledged, so it may be there or not.
    }
  }
  return acknowledged
}

async function countBySession(databaseUrl: string): Promise<Map<string, number>> {
  const database = openDatabase({ url: databaseUrl, max: 1, applicationName: "crash test" })
  try {
    const result = await sql<{ session_id: string; count: number }>`
      select session_id, count(*)::int as count from signal group by session_id`.execute(database.kysely)
    return new Map(result.rows.map((row) => [row.session_id, row.count]))
  } finally {
    await database.close()
  }
}

test(
  "kill -9 of Belay under load loses nothing it acknowledged, and it starts again by itself",
  { timeout: 120_000 },
  async ({ start }) => {
    let belay = await start()
    const { ready } = belay
    let isDone = false
    const senders = ["a", "b", "c"].map((name) =>
      sendUntil(
        () => belay.ready,
        () => isDone,
        name,
      ),
    )
    for (let crash = 0; crash < 2; crash++) {
      await untilStored(belay.ready.databaseUrl, 20 * (crash + 1))
      await belay.end("SIGKILL")
      belay = await start()
    }
    isDone = true
    const acknowledged = (await Promise.all(senders)).flat()
    expect(belay.ready.ingestKey).toBe(ready.ingestKey)
    expect(belay.ready.admin).toEqual({ email: ready.admin.email, password: null })

    const stored = await countBySession(belay.ready.databaseUrl)
    expect(acknowledged.length).toBeGreaterThan(10)
    expect(acknowledged.filter((session) => stored.get(session) !== BATCH)).toEqual([])
    // A batch is stored whole or not at all.
    expect([...stored.values()].filter((count) => count !== BATCH)).toEqual([])
  },
)

test(
  "kill -9 of its Postgres under load loses nothing that was acknowledged, and Belay goes on",
  { timeout: 120_000 },
  async ({ start, dataDir }) => {
    const belay = await start()
    let isDone = false
    const senders = ["a", "b", "c"].map((name) =>
      sendUntil(
        () => belay.ready,
        () => isDone,
        name,
      ),
    )
    await untilStored(belay.ready.databaseUrl, 0)
    const before = await countBySession(belay.ready.databaseUrl)
    process.kill(await readPostmasterPid(dataDir), "SIGKILL")
    await untilStored(belay.ready.databaseUrl, before.size + 10)
    isDone = true
    const acknowledged = (await Promise.all(senders)).flat()
    const stored = await countBySession(belay.ready.databaseUrl)
    expect(acknowledged.filter((session) => stored.get(session) !== BATCH)).toEqual([])
    expect(belay.process.exitCode).toBeNull()
  },
)

/** Waits for more than this many sessions; the senders set the pace, and the test's time-out bounds it. */
async function untilStored(databaseUrl: string, sessions: number): Promise<void> {
  for (;;) {
    const stored = await countBySession(databaseUrl).catch(() => new Map<string, number>())
    if (stored.size > sessions + 5) return
  }
}
