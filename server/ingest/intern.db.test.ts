import { sql } from "kysely"
import { expect } from "vitest"
import { type TestDatabase, test } from "../../test/db.ts"
import { makeOrganization, makeSignal, NOW } from "../../test/factories.ts"
import { createInterner, NAME_LIMITS, OTHER_NAME } from "./intern.ts"
import { createMeter } from "./meter.ts"
import { openSignalStore } from "./signal-store.ts"

const HOUR_MS = 3_600_000

async function listModels(database: TestDatabase): Promise<string[]> {
  const rows = await database.owner
    .selectFrom("dimension")
    .select("value")
    .where("kind", "=", "model")
    .orderBy("value")
    .execute()
  return rows.map((row) => row.value)
}

function models(...names: readonly string[]) {
  return names.map((model) => makeSignal({ model }))
}

test("past so many new names of a kind in an hour the rest is (other), and known names keep their own id", async ({
  database,
}) => {
  const orgId = await makeOrganization(database)
  let now = NOW
  const meter = createMeter(() => now)
  const limits = { perHour: 3, inAll: 5 }
  const interner = createInterner(database.ingest, { now: () => now, meter, limits })
  const idsOf = async (...names: readonly string[]) => {
    const signals = models(...names)
    const namesOf = await interner.intern(orgId, signals)
    return signals.map((signal) => namesOf(signal).dimension("model", signal.model ?? ""))
  }
  const [a, b, c, d, e] = await idsOf("a", "b", "c", "d", "e")
  expect(await listModels(database)).toEqual([OTHER_NAME, "a", "b", "c"])
  expect([d === e, new Set([a, b, c, d]).size]).toEqual([true, 4])
  expect(await idsOf("e", "a", "f")).toEqual([d, a, d])
  expect(meter.totals.folded.get("model")).toBe(4)

  // The hour is over for names of their own, up to as many as there may be in all.
  now = new Date(NOW.getTime() + HOUR_MS + 1)
  const [d2, e2, f2] = await idsOf("d", "e", "f")
  expect([d2 === d, e2 === d, f2]).toEqual([false, false, d])
  now = new Date(NOW.getTime() + 3 * HOUR_MS)
  expect(await idsOf("g", "a", "d")).toEqual([d, a, d2])
  expect(await listModels(database)).toEqual([OTHER_NAME, "a", "b", "c", "d", "e"])
})

test("one kind that is full leaves the others room, and another organization too", async ({ database }) => {
  const [orgId, otherId] = [await makeOrganization(database), await makeOrganization(database)]
  const interner = createInterner(database.ingest, { now: () => NOW, limits: { perHour: 1, inAll: 9 } })
  await interner.intern(orgId, [...models("a", "b"), makeSignal({ language: "go" })])
  await interner.intern(otherId, models("b"))
  const rows = await sql<{ name: string }>`
    select concat_ws(' ', case when org_id = ${orgId} then 'ours' else 'theirs' end, kind, value) as name from dimension
    where kind in ('model', 'language') order by 1`.execute(database.owner)
  expect(rows.rows.map((row) => row.name)).toEqual([
    "ours language go",
    "ours model (other)",
    "ours model a",
    "theirs model b",
  ])
})

test("several processes together bring no more new names than one may", async ({ database }) => {
  const orgId = await makeOrganization(database)
  const limits = { perHour: 10, inAll: 100 }
  const interners = Array.from({ length: 4 }, () => createInterner(database.ingest, { now: () => NOW, limits }))
  await Promise.all(
    interners.map((interner, process) =>
      interner.intern(orgId, models(...Array.from({ length: 6 }, (_, index) => `model-${process}-${index}`))),
    ),
  )
  expect((await listModels(database)).filter((name) => name !== OTHER_NAME)).toHaveLength(limits.perHour)
})

test("a version that is one too many is no change of the tool", async ({ database }) => {
  const orgId = await makeOrganization(database)
  const interner = createInterner(database.ingest, { now: () => NOW, limits: { perHour: 2, inAll: 9 } })
  await interner.intern(
    orgId,
    ["1.0", "1.1", "1.2"].map((agentVersion) => makeSignal({ agentVersion })),
  )
  const changes = await database.owner.selectFrom("change").select("subject").orderBy("subject").execute()
  expect(changes.map((change) => change.subject)).toEqual(["claude-code 1.0", "claude-code 1.1"])
})

test("a batch with too many names that is sent again is stored once, whatever its names have become", async ({
  database,
}) => {
  const orgId = await makeOrganization(database)
  const signals = models(...Array.from({ length: NAME_LIMITS.perHour + 20 }, (_, index) => `model-${index}`))
  let now = NOW
  // The second store has not seen the names before, and is an hour later.
  for (let time = 0; time < 2; time++) {
    const store = openSignalStore({ url: database.url, db: database.ingest, now: () => now })
    await store.store(orgId, { signals, unrecognized: [] })
    await store.close()
    now = new Date(NOW.getTime() + 2 * HOUR_MS)
  }
  const { rows } = await sql<{ model: string; count: number }>`
    select case when model = ${OTHER_NAME} then model else 'own' end as model, count(*)::int as count
    from signal_readable group by 1 order by 1`.execute(database.owner)
  expect(rows).toEqual([
    { model: OTHER_NAME, count: 20 },
    { model: "own", count: NAME_LIMITS.perHour },
  ])
})
