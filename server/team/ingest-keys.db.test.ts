import { randomUUID } from "node:crypto"
import { expect } from "vitest"
import { type TestDatabase, test } from "../../test/db.ts"
import { makeOrganization, makeTeam, NOW } from "../../test/factories.ts"
import type { AuditActor } from "../audit/commands.ts"
import { listAuditEntries } from "../audit/queries.ts"
import { asTenant } from "../db/tenant.ts"
import { createIngestKey, listIngestKeys, revokeIngestKey, rotateIngestKey } from "./ingest-keys.ts"
import { createKeyAuthenticator, networkOf } from "./key-authenticator.ts"
import { KEY_SCOPES, type KeyScope } from "./key-scopes.ts"
import { createLeasedLimit } from "./rate-limit.ts"

const HOUR_MS = 3_600_000
const ADDRESS = "192.0.2.1"
const at = (ms: number) => new Date(NOW.getTime() + ms)

function actor(orgId: string, occurredAt = NOW): AuditActor {
  return { orgId, occurredAt, actorId: null, actorEmail: "ada@example.com", requestId: "request" }
}

async function makeKey(
  database: TestDatabase,
  orgId: string,
  fields: { scopes?: KeyScope[]; teamId?: string; agentTool?: string; expiresAt?: Date; name?: string } = {},
) {
  const plain = { name: "CI", scopes: ["ingest" as const], teamId: null, agentTool: null, expiresAt: null }
  const made = await asTenant(database.app, orgId, (tx) =>
    createIngestKey(tx, { ...plain, ...fields, by: actor(orgId) }),
  )
  if (!made.ok) throw new Error(made.reason)
  return made
}

const list = (database: TestDatabase, orgId: string, scopes: readonly KeyScope[] = KEY_SCOPES) =>
  asTenant(database.app, orgId, (tx) => listIngestKeys(tx, scopes))

const rotate = (
  database: TestDatabase,
  orgId: string,
  id: string,
  overlapMs: number,
  options: { scopes?: readonly KeyScope[]; now?: Date } = {},
) =>
  asTenant(database.app, orgId, (tx) =>
    rotateIngestKey(tx, { id, overlapMs, scopes: options.scopes ?? KEY_SCOPES, by: actor(orgId, options.now) }),
  )

const revoke = (database: TestDatabase, orgId: string, id: string, options: { scopes?: KeyScope[]; now?: Date } = {}) =>
  asTenant(database.app, orgId, (tx) =>
    revokeIngestKey(tx, { id, scopes: options.scopes ?? KEY_SCOPES, by: actor(orgId, options.now) }),
  )

/** One process, with a clock of its own. */
function startProcess(database: TestDatabase, options: { isBehindProxy?: boolean; requestsPerMinute?: number } = {}) {
  const process = { now: NOW, told: [] as string[] }
  const authenticate = createKeyAuthenticator(database.ingest, {
    now: () => process.now,
    tell: (line) => process.told.push(line),
    isBehindProxy: options.isBehindProxy ?? false,
    requestsPerMinute: options.requestsPerMinute ?? 120_000,
  })
  return Object.assign(process, {
    authenticate: (key: string, clientAddress: string | null = ADDRESS) => authenticate(key, clientAddress),
  })
}

test("a key carries its scopes, team, tool, maker and end, and only its hash is stored", async ({ database }) => {
  const orgId = await makeOrganization(database)
  const teamId = await makeTeam(database, orgId, "Checkout")
  const fields = {
    scopes: ["ingest" as const, "policy:read" as const],
    teamId,
    agentTool: "codex",
    expiresAt: at(HOUR_MS),
  }
  const { key } = await makeKey(database, orgId, fields)
  expect(await list(database, orgId)).toEqual([
    expect.objectContaining({
      name: "CI",
      prefix: key.slice(0, 10),
      scopes: ["ingest", "policy:read"],
      team: "Checkout",
      agentTool: "codex",
      createdBy: "ada@example.com",
      createdAt: NOW,
      expiresAt: at(HOUR_MS),
      lastUsedAt: null,
      revokedAt: null,
    }),
  ])
  const stored = await database.owner.selectFrom("ingest_key").selectAll().execute()
  expect(JSON.stringify(stored)).not.toContain(key)
  expect(await startProcess(database).authenticate(key)).toMatchObject({
    ok: true,
    key: { orgId, scopes: ["ingest", "policy:read"], agentTool: "codex" },
  })
})

test("a key that both stores and tests, or does neither, cannot be stored", async ({ database }) => {
  const orgId = await makeOrganization(database)
  await expect(makeKey(database, orgId, { scopes: ["ingest", "test"] })).rejects.toThrow(/stores_or_tests/)
  await expect(makeKey(database, orgId, { scopes: [] })).rejects.toThrow(/scopes_check/)
})

test("a key is not for another organization's team", async ({ database }) => {
  const [theirs, ours] = [await makeOrganization(database), await makeOrganization(database)]
  const teamId = await makeTeam(database, theirs, "Checkout")
  await expect(makeKey(database, ours, { teamId })).rejects.toThrow("no_such_team")
})

test("an expired key is refused from that moment, also where it is remembered", async ({ database }) => {
  const orgId = await makeOrganization(database)
  const { key } = await makeKey(database, orgId, { expiresAt: at(500) })
  const process = startProcess(database)
  expect(await process.authenticate(key)).toMatchObject({ ok: true })
  process.now = at(500)
  expect(await process.authenticate(key)).toEqual({ ok: false, reason: "unknown" })
})

test("a revoked key is refused by every process within a second", async ({ database }) => {
  const orgId = await makeOrganization(database)
  const { id, key } = await makeKey(database, orgId)
  const processes = [startProcess(database), startProcess(database)]
  for (const process of processes) expect(await process.authenticate(key)).toMatchObject({ ok: true })
  expect(await revoke(database, orgId, id, { now: at(10) })).toBe(true)
  for (const process of processes) {
    process.now = at(1000)
    expect(await process.authenticate(key)).toEqual({ ok: false, reason: "unknown" })
  }
})

test("a rotated key and its successor both work for the overlap, and then the successor alone", async ({
  database,
}) => {
  const orgId = await makeOrganization(database)
  const old = await makeKey(database, orgId, { agentTool: "codex" })
  const rotated = await rotate(database, orgId, old.id, 24 * HOUR_MS)
  if (!rotated.ok) throw new Error(rotated.reason)
  const process = startProcess(database)
  const works = async () => [(await process.authenticate(old.key)).ok, (await process.authenticate(rotated.key)).ok]
  expect(await works()).toEqual([true, true])
  process.now = at(24 * HOUR_MS)
  expect(await works()).toEqual([false, true])
  const keys = await list(database, orgId)
  const [prefix, newPrefix] = [old.key.slice(0, 10), rotated.key.slice(0, 10)]
  expect(keys.find((key) => key.prefix === prefix)).toMatchObject({
    replacedBy: newPrefix,
    expiresAt: at(24 * HOUR_MS),
  })
  expect(keys.find((key) => key.prefix === newPrefix)).toMatchObject({
    replaces: prefix,
    agentTool: "codex",
    expiresAt: null,
  })
})

test("a rotation never lengthens the old key's life, and the successor lives as long as the old one did", async ({
  database,
}) => {
  const orgId = await makeOrganization(database)
  const { id } = await makeKey(database, orgId, { expiresAt: at(10 * HOUR_MS) })
  await rotate(database, orgId, id, 24 * HOUR_MS, { now: at(9 * HOUR_MS) })
  const ends = (await list(database, orgId)).map((key) => key.expiresAt)
  expect(ends).toEqual([at(19 * HOUR_MS), at(10 * HOUR_MS)])
})

test("without an overlap the old key is revoked, and an overlap can be ended early", async ({ database }) => {
  const orgId = await makeOrganization(database)
  const [first, second] = [await makeKey(database, orgId), await makeKey(database, orgId)]
  await rotate(database, orgId, first.id, 0)
  await rotate(database, orgId, second.id, HOUR_MS)
  expect(await revoke(database, orgId, second.id)).toBe(true)
  const process = startProcess(database)
  expect([(await process.authenticate(first.key)).ok, (await process.authenticate(second.key)).ok]).toEqual([
    false,
    false,
  ])
})

test("a key has one successor, whoever rotates at the same time, and a dead key has none", async ({ database }) => {
  const orgId = await makeOrganization(database)
  const { id } = await makeKey(database, orgId)
  const results = await Promise.all([1, 2, 3, 4].map(() => rotate(database, orgId, id, HOUR_MS)))
  expect(results.filter((result) => result.ok)).toHaveLength(1)
  const dead = await makeKey(database, orgId)
  await revoke(database, orgId, dead.id)
  expect(await rotate(database, orgId, dead.id, HOUR_MS)).toEqual({ ok: false, reason: "not_found" })
  expect(await revoke(database, orgId, dead.id)).toBe(false)
})

test("another organization's key, and one of more scopes than one's own, are as if they were not there", async ({
  database,
}) => {
  const [theirs, ours] = [await makeOrganization(database), await makeOrganization(database)]
  const foreign = await makeKey(database, theirs)
  const testing = await makeKey(database, ours, { scopes: ["test"] })
  const storing = await makeKey(database, ours)
  for (const id of [foreign.id, randomUUID()]) {
    expect(await revoke(database, ours, id)).toBe(false)
    expect(await rotate(database, ours, id, 0)).toMatchObject({ ok: false })
  }
  expect(await revoke(database, ours, storing.id, { scopes: ["test"] })).toBe(false)
  expect(await rotate(database, ours, storing.id, 0, { scopes: ["test"] })).toMatchObject({ ok: false })
  expect((await list(database, ours, ["test"])).map((key) => key.id)).toEqual([testing.id])
  const process = startProcess(database)
  for (const { key } of [foreign, storing]) expect(await process.authenticate(key)).toMatchObject({ ok: true })
})

test("each change of a key is in the log with before and after, and without the key", async ({ database }) => {
  const orgId = await makeOrganization(database)
  const old = await makeKey(database, orgId, { agentTool: "codex" })
  const rotated = await rotate(database, orgId, old.id, HOUR_MS)
  await revoke(database, orgId, old.id, { now: at(1000) })
  const entries = await asTenant(database.app, orgId, (tx) =>
    listAuditEntries(tx, { beforeSequence: null, action: null, limit: 10 }),
  )
  expect(entries.toReversed()).toMatchObject([
    {
      action: "key.create",
      targetId: old.id,
      before: null,
      after: { scopes: "ingest", tool: "codex", replaces: null },
    },
    { action: "key.create", after: { tool: "codex", replaces: old.id } },
    { action: "key.rotate", targetId: old.id, before: { expires: null }, after: { stops: at(HOUR_MS).toISOString() } },
    { action: "key.revoke", targetId: old.id, before: { revoked: null }, after: { revoked: at(1000).toISOString() } },
  ])
  const text = JSON.stringify(entries)
  expect([text.includes(old.key), rotated.ok && text.includes(rotated.key)]).toEqual([false, false])
})

test("the last use is exact to a minute and not written more often", async ({ database }) => {
  const orgId = await makeOrganization(database)
  const { key } = await makeKey(database, orgId)
  const process = startProcess(database)
  const used: unknown[] = []
  for (const ms of [0, 59_999, 60_000]) {
    process.now = at(ms)
    await process.authenticate(key)
    used.push((await list(database, orgId))[0]?.lastUsedAt)
  }
  expect(used).toEqual([NOW, NOW, at(60_000)])
})

test("past a hundred wrong keys in a minute a network is closed, in every process, and says so once", async ({
  database,
}) => {
  const [first, second] = [startProcess(database), startProcess(database)]
  const answers = await Promise.all(Array.from({ length: 150 }, (_, index) => first.authenticate(`blk_wrong_${index}`)))
  expect(answers.filter((answer) => !answer.ok && answer.reason === "unknown")).toHaveLength(100)
  expect(answers.filter((answer) => !answer.ok && answer.reason === "too_many_wrong")).toHaveLength(50)
  expect(first.told).toEqual([
    expect.stringMatching(/^Refused 100 wrong ingest keys from 192\.0\.2\.1 within a minute/),
  ])
  expect(await second.authenticate("blk_wrong")).toEqual({
    ok: false,
    reason: "too_many_wrong",
    retryAfterSeconds: 60,
  })
  expect(await second.authenticate("blk_wrong", "192.0.2.2")).toEqual({ ok: false, reason: "unknown" })
  first.now = at(60_000)
  expect(await first.authenticate("blk_wrong")).toEqual({ ok: false, reason: "unknown" })
})

test("keys that exist pass in a closed network: known ones, ones new to the process, and ones made meanwhile", async ({
  database,
}) => {
  const orgId = await makeOrganization(database)
  const [known, fresh] = [await makeKey(database, orgId), await makeKey(database, orgId)]
  const process = startProcess(database)
  await process.authenticate(known.key)
  for (let index = 0; index < 101; index++) await process.authenticate(`blk_wrong_${index}`)
  expect(await process.authenticate("blk_wrong")).toMatchObject({ reason: "too_many_wrong" })
  process.now = at(2000)
  expect(await process.authenticate(known.key)).toMatchObject({ ok: true })
  expect(await process.authenticate(fresh.key)).toMatchObject({ ok: true })
  const late = await makeKey(database, orgId)
  process.now = at(7000)
  expect(await process.authenticate(late.key)).toMatchObject({ ok: true })
  expect(await process.authenticate("blk_wrong")).toMatchObject({ reason: "too_many_wrong" })
})

test("behind a proxy all senders share one higher limit", async ({ database }) => {
  const process = startProcess(database, { isBehindProxy: true })
  for (let index = 0; index < 1000; index++) await process.authenticate(`blk_wrong_${index}`, `192.0.2.${index % 200}`)
  expect(process.told).toEqual([])
  expect(await process.authenticate("blk_wrong", "198.51.100.1")).toMatchObject({ reason: "too_many_wrong" })
  expect(process.told).toEqual([expect.stringContaining("from everywhere")])
})

test("an IPv6 network is one sender, and an IPv4 address is the same in both spellings", () => {
  expect(
    ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::9", "::1", "2001:db8::1"].map(networkOf),
  ).toEqual(["192.0.2.1", "192.0.2.1", "2001:db8:1:2::/64", "2001:db8:1:2::/64", "0:0:0:0::/64", "2001:db8:0:0::/64"])
})

test("a key's requests in a minute are limited over all processes together", async ({ database }) => {
  const orgId = await makeOrganization(database)
  const { key } = await makeKey(database, orgId)
  const processes = [1, 2].map(() => startProcess(database, { requestsPerMinute: 1000 }))
  const answers: unknown[] = []
  for (let index = 0; index < 1200; index++) answers.push(await processes[index % 2]?.authenticate(key))
  const refused = answers.filter((answer) => JSON.stringify(answer).includes("too_many"))
  expect(refused[0]).toEqual({ ok: false, reason: "too_many", retryAfterSeconds: 60 })
  const passed = answers.length - refused.length
  expect(passed).toBe(1000)
  for (const process of processes) {
    process.now = at(60_000)
    expect(await process.authenticate(key)).toMatchObject({ ok: true })
  }
})

test("requests within a limit are taken in blocks, and many at once take no more than there are", async ({
  database,
}) => {
  const take = createLeasedLimit(database.ingest, { attemptsMax: 120_000, windowMs: 60_000 })
  for (let index = 0; index < 500; index++) await take("a", NOW)
  const counted = () => database.owner.selectFrom("rate_limit").select("count").execute()
  expect(await counted()).toEqual([{ count: 500 }])
  const few = createLeasedLimit(database.ingest, { attemptsMax: 70, windowMs: 60_000 })
  const results = await Promise.all(Array.from({ length: 200 }, () => few("b", NOW)))
  expect(results.filter((result) => result.ok)).toHaveLength(70)
})
