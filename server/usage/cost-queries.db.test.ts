import { expect } from "vitest"
import { test } from "../../test/db.ts"
import { makeChange, makeOrganization, makeSignal, NOW, storeAndCount } from "../../test/factories.ts"
import { asTenant } from "../db/tenant.ts"
import { placeJoinedOperations } from "../outcomes/place.ts"
import { verifyRollups } from "../rollup/rebuild.ts"
import { setPrice } from "../spend/price-table.ts"
import { getChangeCosts } from "./cost-queries.ts"

const SCOPE = { from: NOW, to: NOW, now: NOW, teamId: null, timeZone: "UTC" }
const PEOPLE = ["ada", "ben", "chen", "dana", "eli"] as const
const AT = new Date("2026-11-17T10:00:00Z")

test("a surviving change costs what was spent on merged ones, by rung, model and size; unknown cost is left out", async ({
  database,
  db,
}) => {
  const orgId = await makeOrganization(database)
  const task = (operationId: string, person: string, model: string, usd: number | null) => [
    makeSignal({ person, kind: "task", rung: "agent", operationId, at: AT }),
    ...[0, 1].map(() =>
      makeSignal({
        person,
        kind: "model_call",
        rung: "agent",
        provider: "anthropic",
        operationId,
        model,
        at: AT,
        ...(usd === null ? { inputTokens: 1_000_000, outputTokens: 0 } : { costUsd: usd / 2 }),
      }),
    ),
  ]
  await asTenant(db, orgId, (tx) =>
    setPrice(tx, {
      model: "opus",
      provider: "anthropic",
      validFrom: "2026-01-01",
      price: { inputUsd: 2, cachedUsd: null, cacheWriteUsd: null, outputUsd: 1 },
      by: { orgId, actorId: null, actorEmail: null, occurredAt: NOW, requestId: "request" },
    }),
  )
  await storeAndCount(database, orgId, [
    ...PEOPLE.flatMap((person) => task(`${person} opus`, person, "opus", person === "ada" ? null : 1)),
    ...PEOPLE.flatMap((person) => task(`${person} haiku`, person, "haiku", 0.2)),
    // Without a price, and without a call: their cost is not known.
    ...task("ada unpriced", "ada", "unheard of", null),
    makeSignal({ person: "ben", kind: "task", rung: "agent", operationId: "ben silent", at: AT }),
  ])
  const change = (operations: string[], fields: Parameters<typeof makeChange>[2] = {}) =>
    makeChange(database, orgId, {
      operations,
      opened_at: "2026-11-17T12:00Z",
      merged_at: "2026-11-17T14:00Z",
      lines_added: 300,
      lines_removed: 0,
      ...fields,
    })
  for (const person of PEOPLE) {
    await change([`${person} opus`], person === "eli" ? { reverted_at: "2026-11-18T10:00Z" } : {})
    if (person !== "dana") await change([`${person} haiku`], { lines_added: 50 })
  }
  // One task in two changes: each has half of its cost. Of an abandoned change nothing is counted as spent on merged ones.
  await change(["dana haiku"], { lines_added: 50 })
  await makeChange(database, orgId, {
    operations: ["dana haiku"],
    opened_at: "2026-11-17T12:00Z",
    abandoned_at: "2026-11-17T15:00Z",
    lines_added: 50,
    lines_removed: 0,
  })
  await change(["ada unpriced"])
  await change(["ben silent"])
  await asTenant(db, orgId, (tx) => placeJoinedOperations(tx, { now: NOW }))

  const costs = await asTenant(db, orgId, (tx) => getChangeCosts(tx, SCOPE))
  // Two calls of a million tokens at $2, four tasks at $1; four at $0.20 and half of one.
  const usd = 4 + 4 + 0.8 + 0.1
  expect(costs.rungs).toMatchObject([
    { rung: "agent", state: "shown", weeks: { shown: 1, total: 1 } },
    { rung: "orchestration", state: "no_data", cost: null },
  ])
  expect(costs.rungs[0]?.cost).toMatchObject({ closed: 11, merged: 10, standing: 9, people: 5 })
  expect(costs.rungs[0]?.cost?.usd).toBeCloseTo(usd)
  expect(costs.rungs[0]?.cost?.perStanding).toBeCloseTo(usd / 9)
  // Residuals of cost − ratio × standing: 4, five of 1 and of 0.2, and 0.1, of which one of 1 does not stand.
  const ratio = usd / 9
  const residuals = (4 - ratio) ** 2 + 3 * (1 - ratio) ** 2 + 1 + 4 * (0.2 - ratio) ** 2 + (0.1 - ratio) ** 2
  const half = (1.959964 * Math.sqrt((10 * residuals) / 9)) / 9
  expect(costs.rungs[0]?.cost?.interval?.low).toBeCloseTo(Math.max(0, ratio - half))
  expect(costs.rungs[0]?.cost?.interval?.high).toBeCloseTo(ratio + half)
  expect(
    costs.models?.map(({ name, isEasy, cost }) => [name, isEasy, cost?.closed, cost?.merged, cost?.standing]),
  ).toEqual([
    ["opus", false, 5, 5, 4],
    ["haiku", true, 6, 5, 5],
  ])
  expect(costs.previous.map(({ state }) => state)).toEqual(["no_data", "no_data"])

  // With a sixth person's model beside them the two are told of no more than the difference allows.
  await storeAndCount(database, orgId, task("fay", "fay", "mini", 9))
  await change(["fay"])
  await asTenant(db, orgId, (tx) => placeJoinedOperations(tx, { now: NOW }))
  const { rungs, models } = await asTenant(db, orgId, (tx) => getChangeCosts(tx, SCOPE))
  expect(rungs[0]?.cost).toMatchObject({ merged: 11, people: 6 })
  expect(models?.map(({ name, state }) => [name, state])).toContainEqual([null, "withheld"])
  expect(models?.some(({ name }) => name === "mini")).toBe(false)
  const differences = await verifyRollups(database.worker, orgId, { now: NOW, isRepair: false })
  expect(differences.filter(({ wrong, missing }) => wrong + missing > 0)).toEqual([])
})
