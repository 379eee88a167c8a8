import { expect } from "vitest"
import { type TestDatabase, test } from "../../test/db.ts"
import { emailOf, makeOrganization, makeSignal, NOW, storeSignals } from "../../test/factories.ts"
import { asTenant } from "../db/tenant.ts"
import {
  claimIdentity,
  listDevelopersOf,
  listMergedIdentities,
  listUnknownIdentities,
  mergeIdentity,
  separateIdentity,
} from "./identities.ts"
import { addPerson } from "./people.ts"

/** Ada and Bea, and a laptop that nobody has claimed. */
async function openWithLaptop(database: TestDatabase) {
  const orgId = await makeOrganization(database)
  const by = { orgId, actorId: null, actorEmail: null, occurredAt: NOW, requestId: "request" }
  const laptop = { identity: { kind: "installation" as const, value: "laptop-7" } }
  await storeSignals(database, orgId, [makeSignal({ person: "ada" }), makeSignal(laptop), makeSignal(laptop)])
  const add = async (person: string) => {
    const added = await asTenant(database.app, orgId, (tx) =>
      addPerson(tx, { email: emailOf(person), name: person, role: "developer", by }),
    )
    return added.ok ? added.id : ""
  }
  const [ada, bea] = [await add("ada"), await add("bea")]
  const unknown = () => asTenant(database.app, orgId, (tx) => listUnknownIdentities(tx, 10))
  return { orgId, by, ada, bea, unknown, laptopId: (await unknown())[0]?.developerId ?? "" }
}

test("telemetry of nobody's is listed without saying how much there is, until it is somebody's", async ({
  database,
}) => {
  const { orgId, by, ada, bea, unknown, laptopId } = await openWithLaptop(database)
  expect(await unknown()).toEqual([
    {
      developerId: laptopId,
      pseudonym: expect.stringMatching(/^dev-/),
      kinds: ["installation"],
      firstSeenAt: expect.any(Date),
      agentTools: ["claude-code"],
    },
  ])
  const merge = (accountId: string) =>
    asTenant(database.app, orgId, (tx) => mergeIdentity(tx, { developerId: laptopId, accountId, by }))
  expect([await merge(ada), await merge(bea)]).toEqual([true, false])
  expect(await unknown()).toEqual([])
  const developers = () => asTenant(database.app, orgId, (tx) => listDevelopersOf(tx, ada))
  expect(await developers()).toContain(laptopId)

  const separate = (ofAccountId: string | null) =>
    asTenant(database.app, orgId, (tx) => separateIdentity(tx, { developerId: laptopId, ofAccountId, by }))
  expect([await separate(bea), await separate(null), await separate(null)]).toEqual([false, true, false])
  expect(await developers()).toHaveLength(1)
  expect(await unknown()).toHaveLength(1)
})

test("a person claims what they can name, and not what is somebody's", async ({ database }) => {
  const { orgId, by, ada, bea } = await openWithLaptop(database)
  const claim = (accountId: string, kind: "installation" | "email", value: string) =>
    asTenant(database.app, orgId, (tx) => claimIdentity(tx, { accountId, kind, value, by }))
  expect(await claim(ada, "installation", "laptop-8")).toBe(false)
  expect(await claim(bea, "email", emailOf("ada"))).toBe(false)
  expect(await claim(ada, "installation", " laptop-7 ")).toBe(true)
  expect(await claim(bea, "installation", "laptop-7")).toBe(false)
  const merged = await asTenant(database.app, orgId, (tx) => listMergedIdentities(tx))
  expect(merged).toMatchObject([{ accountId: ada, email: emailOf("ada"), mergedAt: NOW }])
})

test("nothing of another organization is merged, claimed or separated", async ({ database }) => {
  const { orgId, by, ada, laptopId } = await openWithLaptop(database)
  const other = await makeOrganization(database)
  const foreign = { ...by, orgId: other }
  const results = await asTenant(database.app, other, async (tx) => [
    await mergeIdentity(tx, { developerId: laptopId, accountId: ada, by: foreign }),
    await separateIdentity(tx, { developerId: laptopId, ofAccountId: null, by: foreign }),
    await listDevelopersOf(tx, ada),
    await listUnknownIdentities(tx, 10),
  ])
  expect(results).toEqual([false, false, [], []])
  expect(orgId).not.toBe(other)
})
