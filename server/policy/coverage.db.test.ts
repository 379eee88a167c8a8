import { expect } from "vitest"
import { type TestDatabase, test } from "../../test/db.ts"
import { makeOrganization, NOW } from "../../test/factories.ts"
import { asTenant, type TenantTx } from "../db/tenant.ts"
import { type ClientReport, listClients, noteClient } from "./clients.ts"
import { countStandings, getConvergence, listReach } from "./coverage.ts"

const KEY_ID = "00000000-0000-4000-8000-000000000001"
const [MINUTE_MS, DAY_MS] = [60_000, 86_400_000]
const minutes = (count: number) => new Date(NOW.getTime() + count * MINUTE_MS)

async function makeOffice(database: TestDatabase) {
  const orgId = await makeOrganization(database)
  const work = <T>(of: (tx: TenantTx) => Promise<T>) => asTenant(database.app, orgId, of)
  return {
    work,
    release: (version: number, at: Date) =>
      database.owner
        .insertInto("policy_release")
        .values({ org_id: orgId, version, released_at: at, cause: "published" })
        .execute(),
    report: (id: string, now: Date, version: number | null, more: Partial<ClientReport> = {}) =>
      work((tx) =>
        noteClient(tx, {
          report: {
            id,
            agentTool: "claude-code",
            agentVersion: "2.1.0",
            belayVersion: "0.1.0",
            state: version === null ? "none" : "in_force",
            version,
            refusal: null,
            canary: null,
            ...more,
          },
          orgId,
          developerId: null,
          keyId: KEY_ID,
          now,
        }),
      ),
  }
}

test("the share on the newest version follows each client's changes, and those that are gone leave it", async ({
  database,
}) => {
  const { work, release, report } = await makeOffice(database)
  await report("a", minutes(0), null)
  await release(1, minutes(10))
  await report("a", minutes(11), 1)
  await report("b", minutes(14), 1)
  await report("b", minutes(15), 1)
  await release(2, minutes(20))
  await report("a", minutes(22), 2)
  // Rolled back by hand to what it had, and then without a policy.
  await report("a", minutes(30), 1)
  await report("a", minutes(40), null)
  const shares = await work((tx) => getConvergence(tx, [-5, 5, 12, 15, 21, 25, 35, 45].map(minutes)))
  expect(shares.map(({ clients, current }) => [clients, current])).toEqual([
    [0, null],
    [1, null],
    [1, 1],
    [2, 2],
    [2, 0],
    [2, 1],
    [2, 0],
    [2, 0],
  ])
  const later = new Date(minutes(14).getTime() + 14 * DAY_MS + 10 * MINUTE_MS)
  expect(await work((tx) => getConvergence(tx, [later]))).toMatchObject([{ clients: 1, current: 0 }])
})

test("a release's reach is counted over those that were there, until the next one", async ({ database }) => {
  const { work, release, report } = await makeOffice(database)
  for (const id of ["a", "b", "c"]) await report(id, minutes(0), null)
  await release(1, minutes(10))
  await report("a", minutes(11), 1)
  await report("b", minutes(13), 1)
  // Came later: it says nothing of how fast the release was.
  await report("d", minutes(15), 1)
  await release(2, minutes(20))
  await report("c", minutes(21), 1)
  await report("d", minutes(22), 2)
  expect(await work((tx) => listReach(tx, { now: minutes(60), limit: 5 }))).toEqual([
    {
      version: 2,
      releasedAt: minutes(20),
      cause: "published",
      clients: 4,
      reached: 1,
      medianSeconds: 120,
      p95Seconds: 120,
    },
    {
      version: 1,
      releasedAt: minutes(10),
      cause: "published",
      clients: 3,
      reached: 2,
      medianSeconds: 120,
      p95Seconds: expect.closeTo(174, 6),
    },
  ])
  expect(await work((tx) => listReach(tx, { now: minutes(60), limit: 1 }))).toMatchObject([{ version: 2, reached: 1 }])
})

test("clients are counted by how they stand, and listed by that", async ({ database }) => {
  const { work, release, report } = await makeOffice(database)
  await release(1, minutes(0))
  await release(2, minutes(1))
  const now = new Date(NOW.getTime() + 2 * DAY_MS)
  const justNow = new Date(now.getTime() - MINUTE_MS)
  await report("enforced", justNow, 2, { canary: "deny" })
  await report("loosened", justNow, 2, { canary: "allow" })
  await report("behind", justNow, 1, { state: "last_good", refusal: "bad_signature" })
  await report("unproven", justNow, 2)
  await report("bare", justNow, null, { agentTool: null })
  await report("silent", minutes(2), 2, { canary: "deny" })
  await report("gone", new Date(now.getTime() - 15 * DAY_MS), 1)
  expect(await work((tx) => countStandings(tx, now))).toEqual(
    expect.arrayContaining([
      { agentTool: "claude-code", version: 2, standing: "enforced", clients: 1 },
      { agentTool: "claude-code", version: 2, standing: "not_enforced", clients: 1 },
      { agentTool: "claude-code", version: 2, standing: "unproven", clients: 1 },
      { agentTool: "claude-code", version: 2, standing: "silent", clients: 1 },
      { agentTool: "claude-code", version: 1, standing: "behind", clients: 1 },
      { agentTool: null, version: null, standing: "behind", clients: 1 },
    ]),
  )
  const ids = async (args: Pick<Parameters<typeof listClients>[1], "standing" | "version">) =>
    (await work((tx) => listClients(tx, { now, ...args, before: null, limit: 10 }))).map(({ id }) => id)
  expect(await ids({ standing: "not_enforced", version: null })).toEqual(["loosened"])
  expect(await ids({ standing: null, version: 1 })).toEqual(["behind", "gone"])
})
