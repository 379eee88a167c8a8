import { sql } from "kysely"
import { expect } from "vitest"
import { test } from "../../test/db.ts"
import { makeOrganization, makeSignal, NOW, storeAndCount, storeSignals } from "../../test/factories.ts"
import { asTenant } from "../db/tenant.ts"
import { LATENCY_RELATIVE_ERROR } from "./histogram.ts"
import { getRollupProgress, listHourLatency, listStorage } from "./queries.ts"

const HOUR_MS = 3_600_000

test("percentiles of an hour are those of its signals, within the stated error", async ({ database, db }) => {
  const orgId = await makeOrganization(database)
  const hours = [1, 2].map((ago) => new Date(NOW.getTime() - ago * HOUR_MS))
  await storeAndCount(
    database,
    orgId,
    hours.flatMap((hour, index) =>
      Array.from({ length: 300 }, (_, step) =>
        makeSignal({
          at: new Date(hour.getTime() + step * 10_000),
          rung: "autocomplete",
          kind: "suggestion",
          model: `model ${step % 3}`,
          latencyMs: 1.03 ** step * (index + 1),
        }),
      ),
    ),
  )
  const told = await asTenant(db, orgId, (tx) =>
    listHourLatency(tx, { from: new Date(NOW.getTime() - 24 * HOUR_MS), to: NOW, kinds: ["suggestion", "turn"] }),
  )
  const exact = await sql<{ hour: Date; p: number[] }>`
    select date_trunc('hour', observed_at) as hour,
      percentile_cont(array[0.5, 0.95, 0.99]) within group (order by latency_ms) as p
    from signal group by 1 order by 1`.execute(database.owner)
  expect(told.map((row) => [row.hour, row.rung, row.count])).toEqual(
    exact.rows.map((row) => [row.hour, "autocomplete", 300]),
  )
  for (const [index, row] of told.entries()) {
    for (const [place, ms] of [row.p50Ms, row.p95Ms, row.p99Ms].entries()) {
      expect(Math.abs(ms / (exact.rows[index]?.p[place] ?? 0) - 1)).toBeLessThanOrEqual(LATENCY_RELATIVE_ERROR)
    }
  }
})

test("progress says what waits, and since when", async ({ database, db }) => {
  const orgId = await makeOrganization(database)
  const progress = () => asTenant(db, orgId, getRollupProgress)
  expect(await progress()).toEqual({ countedUntil: null, waiting: 0, waitingSince: null, isRebuilding: true })
  await storeAndCount(database, orgId, [])
  await storeSignals(database, orgId, [makeSignal(), makeSignal()])
  expect(await progress()).toEqual({ countedUntil: null, waiting: 2, waitingSince: NOW, isRebuilding: false })
  await storeAndCount(database, orgId, [])
  expect(await progress()).toEqual({ countedUntil: NOW, waiting: 0, waitingSince: null, isRebuilding: false })
})

test("storage says what each table takes, how long it is kept, and what it will take", async ({ database, db }) => {
  const orgId = await makeOrganization(database)
  const daysAgo = (days: number) =>
    Array.from({ length: 2000 }, () => makeSignal({ at: new Date(NOW.getTime() - days * 24 * HOUR_MS) }))
  await storeAndCount(database, orgId, [...daysAgo(1), ...daysAgo(2)])
  const tables = await asTenant(db, orgId, (tx) => listStorage(tx, { now: NOW, retentionDays: 30 }))
  const signal = tables.find((table) => table.name === "signal")
  expect(signal).toMatchObject({ keptDays: 30, partitions: 38 })
  // Two days of 2,000 signals: each takes more than the 150 bytes of a row, and less than ten times that.
  expect(signal?.bytesPerDay).toBeGreaterThan(2000 * 150)
  expect(signal?.bytesPerDay).toBeLessThan(2000 * 1500)
  expect(signal?.forecastBytes).toBe((signal?.bytesPerDay ?? 0) * 30)
  expect(tables.find((table) => table.name === "developer_day")).toMatchObject({ keptDays: null, partitions: 0 })
})
