import { sql } from "kysely"
import { expect } from "vitest"
import { test } from "../../test/db.ts"
import { makeOrganization, makeSignal, NOW, storeSignals } from "../../test/factories.ts"
import { asTenant } from "../db/tenant.ts"
import { createMeter } from "./meter.ts"
import { forgetMinutes, startMeterLog, writeMeter } from "./meter-log.ts"
import { getIntake, listProcesses, listToolArrivals } from "./queries.ts"

const ONE = "00000000-0000-4000-8000-000000000001"
const OTHER = "00000000-0000-4000-8000-000000000002"
const HOUR_MS = 3_600_000
const now = () => NOW

test("what several processes counted adds up, and a minute that is written again counts once", async ({
  database,
  db,
}) => {
  const orgId = await makeOrganization(database)
  const [meter, other] = [createMeter(now), createMeter(now)]
  const log = { db: database.worker, meter, processId: ONE, now }
  meter.request(orgId, "stored")
  meter.committed(orgId, { rows: 10, stored: 8, commitMs: 20, queueMs: [4] })
  await writeMeter(log, NOW)
  meter.request(orgId, "malformed")
  meter.request(null, "unauthenticated")
  meter.received(orgId, { rejected: [{ reason: "bad_id", count: 3 }], unrecognized: [], late: 2, tools: [] })
  meter.folded(orgId, "model", 5)
  await writeMeter(log, NOW)
  other.request(orgId, "malformed")
  other.committed(orgId, { rows: 5, stored: 5, commitMs: 20, queueMs: [4, 4] })
  await writeMeter({ ...log, meter: other, processId: OTHER }, NOW)

  const intake = await asTenant(db, orgId, (tx) => getIntake(tx, new Date(NOW.getTime() - HOUR_MS)))
  expect(intake).toMatchObject({
    requests: 3,
    signals: 15,
    duplicates: 2,
    late: 2,
    lastAt: NOW,
    refused: { malformed: 2 },
    rejected: { bad_id: 3 },
    folded: { model: 5 },
  })
  expect(intake.queue.p95Ms).toBeCloseTo(4, 0)
  expect(intake.commit.p50Ms).toBeCloseTo(20, -1)
  const processes = await asTenant(db, orgId, (tx) => listProcesses(tx, NOW))
  expect(processes.map(({ id, unknownSenders }) => [id, unknownSenders])).toEqual([
    [ONE, 1],
    [OTHER, 0],
  ])
})

test("a period without requests has no times and no counts, which is not zero milliseconds", async ({
  database,
  db,
}) => {
  const orgId = await makeOrganization(database)
  const intake = await asTenant(db, orgId, (tx) => getIntake(tx, NOW))
  expect(intake).toEqual({
    requests: 0,
    signals: 0,
    duplicates: 0,
    late: 0,
    lastAt: null,
    refused: {},
    rejected: {},
    folded: {},
    queue: { p50Ms: null, p95Ms: null },
    commit: { p50Ms: null, p95Ms: null },
  })
})

test("what the database refused is counted once it answers again, and an organization that is gone stops nobody", async ({
  database,
  db,
}) => {
  const orgId = await makeOrganization(database)
  const meter = createMeter(now)
  const log = { db: database.worker, meter, processId: ONE, now }
  meter.request(orgId, "stored")
  meter.request(ONE, "stored")
  await sql`alter table ingest_minute rename to elsewhere`.execute(database.owner)
  await expect(writeMeter(log, NOW)).rejects.toThrow(/ingest_minute/)
  await sql`alter table elsewhere rename to ingest_minute`.execute(database.owner)
  await writeMeter(log, NOW)
  const intake = await asTenant(db, orgId, (tx) => getIntake(tx, new Date(NOW.getTime() - HOUR_MS)))
  expect(intake.requests).toBe(1)
})

test("an agent tool is known by when it last sent, over all processes; names that are not kept are not", async ({
  database,
  db,
}) => {
  const orgId = await makeOrganization(database)
  await storeSignals(database, orgId, [makeSignal({ agentTool: "codex" }), makeSignal({ agentTool: "kilo" })])
  const send = async (processId: string, at: Date, agentTool: string) => {
    const meter = createMeter(() => at)
    const tools = [{ agentTool, count: 1 }]
    meter.received(orgId, { rejected: [], unrecognized: [], late: 0, tools })
    await writeMeter({ db: database.worker, meter, processId, now: () => at }, at)
  }
  const earlier = new Date(NOW.getTime() - HOUR_MS)
  await send(ONE, NOW, "codex")
  await send(OTHER, earlier, "codex")
  await send(ONE, NOW, "made up")
  expect(await asTenant(db, orgId, listToolArrivals)).toEqual([
    { agentTool: "codex", lastReceivedAt: NOW },
    { agentTool: "kilo", lastReceivedAt: null },
  ])
})

test("minutes go after two days, and a process that ends takes its row along", async ({ database, db }) => {
  const orgId = await makeOrganization(database)
  const meter = createMeter(now)
  const failed: unknown[] = []
  const log = (_message: string, error: unknown) => failed.push(error)
  const stop = startMeterLog({ db: database.worker, meter, processId: ONE, now, log, everyMs: HOUR_MS })
  meter.request(orgId, "stored")
  await stop()
  expect(failed).toEqual([])
  expect(await asTenant(db, orgId, (tx) => listProcesses(tx, new Date(0)))).toEqual([])
  const countAll = async () => (await asTenant(db, orgId, (tx) => getIntake(tx, new Date(0)))).requests
  await forgetMinutes(database.worker, new Date(NOW.getTime() + 47 * HOUR_MS))
  expect(await countAll()).toBe(1)
  await forgetMinutes(database.worker, new Date(NOW.getTime() + 49 * HOUR_MS))
  expect(await countAll()).toBe(0)
})
