import { expect } from "vitest"
import { ANSWER_AGE, openAnswers } from "#server/answers.ts"
import { listAllStanding } from "#server/standing.ts"
import { createAccount } from "#server/team/bootstrap.ts"
import { listStanding } from "../../app/lib/standing.server.ts"
import { loadLadder } from "../../app/routes/ladder/load.server.ts"
import { loadLatency } from "../../app/routes/latency/load.server.ts"
import { loadOutcomes } from "../../app/routes/outcomes/load.server.ts"
import { loadUsage } from "../../app/routes/usage/load.server.ts"
import { test } from "../db.ts"
import { makeOrganization, makeSignal, NOW, storeAndCount } from "../factories.ts"

const DAY_MS = 86_400_000
const onError = (error: unknown) => {
  throw error
}

test("the pages are given to whoever opens them first what was prepared", async ({ database, db }) => {
  const orgId = await makeOrganization(database)
  await storeAndCount(database, orgId, [makeSignal()])
  const account = { orgId, email: "owner@example.com", role: "owner" as const, password: "not used here" }
  const viewer = { ...account, ...(await createAccount(database.owner, account)), sessionId: "session" }
  const answers = openAnswers({ db, age: { ...ANSWER_AGE, timesMade: Infinity }, onError })
  await answers.prepare(NOW, await listAllStanding({ worker: database.worker, app: db, listStanding, now: NOW }))
  await storeAndCount(database, orgId, [makeSignal()])

  const context = { db, answers, now: () => NOW }
  const load = async (search: string) => {
    const of = [viewer, new URLSearchParams(search), context] as const
    return [await loadLadder(...of), await loadUsage(...of), await loadLatency(...of), await loadOutcomes(...of)].map(
      ({ freshness }) => freshness.signals,
    )
  }
  expect(await load("")).toEqual([1, 1, 1, 1])
  // Of these nobody had asked.
  expect(await load("range=8w")).toEqual([2, 2, 2, 2])
})

test("nothing stands for an organization without signals of the last week, and what stands is its own", async ({
  database,
  db,
}) => {
  const [active, idle] = [await makeOrganization(database), await makeOrganization(database)]
  await storeAndCount(database, active, [makeSignal({ at: new Date(NOW.getTime() - 6 * DAY_MS) })])
  await storeAndCount(database, idle, [makeSignal({ at: new Date(NOW.getTime() - 7 * DAY_MS) })])
  const standing = await listAllStanding({ worker: database.worker, app: db, listStanding, now: NOW })
  expect([...new Set(standing.map(({ orgId }) => orgId))]).toEqual([active])
  expect(standing.map(({ of }) => of["page"])).toEqual(["ladder", "usage", "latency", "outcomes"])
})
