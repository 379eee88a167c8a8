import { sql } from "kysely"
import { expect } from "vitest"
import { POLICY_SCHEMA, type PolicyDocument } from "#sdk/policy/document.ts"
import { openPolicy, sealPolicy } from "#sdk/policy/envelope.ts"
import { up as keepOneFirstKey } from "../../migrations/202611261819_one_first_key.ts"
import { type TestDatabase, test } from "../../test/db.ts"
import { joinTeam, makeOrganization, makeTeam, NOW } from "../../test/factories.ts"
import { asTenant, type TenantTx } from "../db/tenant.ts"
import { createAccount } from "../team/bootstrap.ts"
import { bundleOf, readPolicies } from "./bundles.ts"
import { discardDraft, getDraft, type PolicyActor, rebaseDraft, saveDraft, submitDraft } from "./drafts.ts"
import { decideException, endException, listExceptions, requestException } from "./exceptions.ts"
import { findLayer, type LayerTarget, listLayers, listVersions } from "./layers.ts"
import { publishDraft, rollBack } from "./publish.ts"
import { readSigningKeys, rotateSigningKey } from "./signing-keys.ts"

const ORGANIZATION: LayerTarget = { kind: "organization" }
const SECRET = "a secret of thirty-two characters or more"
const DAY_MS = 86_400_000
const later = (days: number) => new Date(NOW.getTime() + days * DAY_MS)

const denying = (pattern: string): PolicyDocument => ({
  schema: POLICY_SCHEMA,
  permissions: { rules: [{ id: "no", effect: "deny", action: "shell", pattern }] },
})

/** An organization with two admins. */
async function makeOffice(database: TestDatabase) {
  const orgId = await makeOrganization(database)
  const actor = async (name: string): Promise<PolicyActor> => {
    const actorEmail = `${name}.${orgId}@example.org`
    const made = await createAccount(database.owner, {
      orgId,
      email: actorEmail,
      name,
      role: "admin",
      password: "x".repeat(12),
    })
    return { orgId, actorId: made.accountId, actorEmail, occurredAt: NOW, requestId: "request" }
  }
  const work = <T>(of: (tx: TenantTx) => Promise<T>) => asTenant(database.app, orgId, of)
  return { orgId, ada: await actor("ada"), grace: await actor("grace"), work }
}

type Office = Awaited<ReturnType<typeof makeOffice>>

async function publish({ work, ada }: Office, target: LayerTarget, pattern: string) {
  return work(async (tx) => {
    const saved = await saveDraft(tx, { target, revision: null, document: denying(pattern), by: ada })
    expect(saved.ok).toBe(true)
    return publishDraft(tx, { target, revision: 1, note: null, by: ada })
  })
}

test("a draft is saved, published as the next version and gone; what was published cannot be changed", async ({
  database,
}) => {
  const office = await makeOffice(database)
  const { work, ada, orgId } = office
  const document = denying("git push *")
  const saved = await work((tx) => saveDraft(tx, { target: ORGANIZATION, revision: null, document, by: ada }))
  expect(saved).toMatchObject({ ok: true, revision: 1 })
  const layer = await work((tx) => findLayer(tx, ORGANIZATION))
  expect(layer).toMatchObject({ kind: "organization", versionInForce: null, draft: { writtenBy: ada.actorEmail } })
  const published = await work((tx) => publishDraft(tx, { target: ORGANIZATION, revision: 1, note: "first", by: ada }))
  expect(published).toEqual({ ok: true, version: 1, release: 1 })
  const layerId = layer?.id ?? ""
  expect(await work((tx) => getDraft(tx, layerId))).toBeNull()
  const versions = await work((tx) => listVersions(tx, { layerId, before: null, limit: 10 }))
  expect(versions).toEqual([
    {
      version: 1,
      document,
      note: "first",
      restoredVersion: null,
      writtenBy: ada.actorEmail,
      publishedBy: ada.actorEmail,
      publishedAt: NOW,
    },
  ])
  for (const change of [
    sql`update policy_version set note = 'changed'`,
    sql`delete from policy_version`,
    sql`update policy_release set version = 7`,
    sql`delete from policy_release`,
  ]) {
    await expect(asTenant(database.app, orgId, (tx) => change.execute(tx))).rejects.toThrow(/permission denied/)
  }
})

test("keys of a document keep their order, whatever it is", async ({ database }) => {
  const { work, ada } = await makeOffice(database)
  const document: PolicyDocument = {
    review: { effect: "ask", changedLines: 300 },
    models: { aliases: { zeta: "gpt-5", alpha: "claude-opus-4-5" } },
    schema: POLICY_SCHEMA,
  }
  const draft = await work(async (tx) => {
    const saved = await saveDraft(tx, { target: ORGANIZATION, revision: null, document, by: ada })
    return saved.ok ? getDraft(tx, saved.layerId) : null
  })
  expect(JSON.stringify(draft?.document)).toBe(JSON.stringify(document))
})

test("who saves over what somebody else saved, and who publishes what they have not seen, is told", async ({
  database,
}) => {
  const { work, ada, grace } = await makeOffice(database)
  const save = (by: PolicyActor, revision: number | null, pattern: string) =>
    work((tx) => saveDraft(tx, { target: ORGANIZATION, revision, document: denying(pattern), by }))
  await save(ada, null, "a")
  expect(await save(grace, null, "b")).toEqual({ ok: false, reason: "changed_meanwhile" })
  expect(await save(grace, 1, "b")).toMatchObject({ ok: true, revision: 2 })
  const args = { target: ORGANIZATION, note: null, by: ada }
  expect(await work((tx) => publishDraft(tx, { ...args, revision: 1 }))).toEqual({
    ok: false,
    reason: "changed_meanwhile",
  })
  expect(await work((tx) => discardDraft(tx, { target: ORGANIZATION, revision: 1, by: ada }))).toEqual({
    ok: false,
    reason: "changed_meanwhile",
  })
  const both = await Promise.all([save(ada, 2, "c"), save(grace, 2, "d")])
  expect(both.filter(({ ok }) => ok)).toHaveLength(1)
})

test("a draft that was begun before another version is published once its author has looked", async ({ database }) => {
  const office = await makeOffice(database)
  const { work, ada, grace } = office
  await publish(office, ORGANIZATION, "a")
  await work((tx) => saveDraft(tx, { target: ORGANIZATION, revision: null, document: denying("b"), by: ada }))
  await work((tx) => saveDraft(tx, { target: ORGANIZATION, revision: 1, document: denying("b"), by: ada }))
  await work((tx) => rollBackTwice(tx, grace))
  const args = { target: ORGANIZATION, revision: 2, note: null, by: ada }
  expect(await work((tx) => publishDraft(tx, args))).toEqual({ ok: false, reason: "base_moved" })
  await work((tx) => rebaseDraft(tx, args))
  expect(await work((tx) => publishDraft(tx, args))).toMatchObject({ ok: true, version: 3 })
})

/** Makes a second version, which is the first again. */
async function rollBackTwice(tx: TenantTx, by: PolicyActor) {
  const args = { target: ORGANIZATION, version: 1, note: null, by }
  expect(await rollBack(tx, args)).toEqual({ ok: false, reason: "in_force" })
  await sql`update policy_layer set version_in_force = null`.execute(tx)
  expect(await rollBack(tx, args)).toMatchObject({ ok: true, version: 2 })
}

test("where a second person reviews, nobody publishes their own draft, nor one that was not handed in", async ({
  database,
}) => {
  const { work, ada, grace, orgId } = await makeOffice(database)
  await database.owner.updateTable("org").set({ policy_needs_review: true }).where("id", "=", orgId).execute()
  await work((tx) => saveDraft(tx, { target: ORGANIZATION, revision: null, document: denying("a"), by: ada }))
  const publishAs = (by: PolicyActor, revision: number) =>
    work((tx) => publishDraft(tx, { target: ORGANIZATION, revision, note: null, by }))
  expect(await publishAs(grace, 1)).toEqual({ ok: false, reason: "needs_submission" })
  await work((tx) => submitDraft(tx, { target: ORGANIZATION, revision: 1, isSubmitted: true, by: ada }))
  expect(await publishAs(ada, 1)).toEqual({ ok: false, reason: "own_draft" })
  // What the second person changes is theirs: they would publish what nobody else has seen.
  await work((tx) => saveDraft(tx, { target: ORGANIZATION, revision: 1, document: denying("b"), by: grace }))
  expect(await publishAs(grace, 2)).toEqual({ ok: false, reason: "needs_submission" })
  await work((tx) => submitDraft(tx, { target: ORGANIZATION, revision: 2, isSubmitted: true, by: grace }))
  expect(await publishAs(ada, 2)).toMatchObject({ ok: true, version: 1 })
})

test("an earlier version is put in force as a new one", async ({ database }) => {
  const office = await makeOffice(database)
  const { work, grace } = office
  await publish(office, ORGANIZATION, "a")
  await publish(office, ORGANIZATION, "b")
  const args = { target: ORGANIZATION, note: "it stopped everyone", by: grace }
  expect(await work((tx) => rollBack(tx, { ...args, version: 7 }))).toEqual({ ok: false, reason: "no_such_version" })
  expect(await work((tx) => rollBack(tx, { ...args, version: 1 }))).toEqual({ ok: true, version: 3, release: 3 })
  const bundle = bundleOf(await work((tx) => readPolicies(tx, NOW)), null)
  expect(bundle?.layers).toEqual([{ layer: "organization", version: 3, document: denying("a") }])
})

test("a policy of a team binds its people and those of its parts, one of a person that person", async ({
  database,
}) => {
  const office = await makeOffice(database)
  const { work, orgId } = office
  const [division, part, other] = [
    await makeTeam(database, orgId, "Division"),
    await makeTeam(database, orgId, "Part"),
    await makeTeam(database, orgId, "Other"),
  ]
  await database.owner.updateTable("team").set({ parent_team_id: division }).where("id", "=", part).execute()
  await joinTeam(database, { orgId, person: "ada", teamId: part, from: "2026-01-01" })
  await joinTeam(database, { orgId, person: "bob", teamId: other, from: "2026-01-01" })
  const members = await database.owner.selectFrom("team_member").selectAll().where("org_id", "=", orgId).execute()
  const idOf = (teamId: string) => members.find((row) => row.team_id === teamId)?.developer_id ?? ""
  expect(bundleOf(await work((tx) => readPolicies(tx, NOW)), null)).toBeNull()
  await publish(office, { kind: "developer", developerId: idOf(part) }, "own")
  await publish(office, { kind: "team", teamId: part }, "part")
  await publish(office, { kind: "team", teamId: division }, "division")
  await publish(office, ORGANIZATION, "all")
  const policies = await work((tx) => readPolicies(tx, NOW))
  const patternsOf = (developerId: string | null) =>
    bundleOf(policies, developerId)?.layers.map(({ layer, document }) => [
      layer,
      document.permissions?.rules?.[0]?.pattern,
    ])
  const all = ["organization", "all"]
  expect(new Set(patternsOf(idOf(part)))).toEqual(
    new Set([all, ["team", "division"], ["team", "part"], ["developer", "own"]]),
  )
  expect(patternsOf(idOf(part))?.filter(([layer]) => layer === "team")).toEqual([
    ["team", "division"],
    ["team", "part"],
  ])
  expect(patternsOf(idOf(other))).toEqual([all])
  expect(patternsOf(null)).toEqual([all])
  expect((await work((tx) => listLayers(tx))).map(({ kind, name }) => [kind, name])).toEqual([
    ["organization", null],
    ["team", "Division"],
    ["team", "Part"],
    ["developer", expect.stringMatching(/^dev-/)],
  ])
  expect(await publishFor(office, { kind: "team", teamId: orgId })).toEqual({ ok: false, reason: "no_such_layer" })
})

const publishFor = ({ work, ada }: Office, target: LayerTarget) =>
  work((tx) => saveDraft(tx, { target, revision: null, document: denying("a"), by: ada }))

test("an exception counts once another approves it, until it ends or is over", async ({ database }) => {
  const office = await makeOffice(database)
  const { work, ada, grace } = office
  await publish(office, ORGANIZATION, "git push *")
  const asked = await work((tx) =>
    requestException(tx, {
      rule: "no",
      layer: null,
      teamId: null,
      developerId: null,
      reason: "the release train",
      days: 7,
      by: ada,
    }),
  )
  const id = asked.ok ? asked.id : ""
  const inForce = async (now: Date) => bundleOf(await work((tx) => readPolicies(tx, now)), null)?.exceptions ?? []
  const decide = (by: PolicyActor, isApproved = true) =>
    work((tx) => decideException(tx, { id, note: null, by, isApproved }))
  expect(await inForce(NOW)).toEqual([])
  expect(await decide(ada)).toEqual({ ok: false, reason: "own_request" })
  expect(await decide({ ...grace, occurredAt: later(8) })).toEqual({ ok: false, reason: "over" })
  expect(await decide(grace)).toEqual({ ok: true, release: 2 })
  expect(await decide(grace, false)).toEqual({ ok: false, reason: "decided" })
  expect(await inForce(NOW)).toEqual([
    {
      id,
      rule: "no",
      scope: { kind: "organization" },
      reason: "the release train",
      approver: grace.actorEmail,
      expiresAt: later(7).toISOString(),
    },
  ])
  expect(await inForce(later(7))).toEqual([])
  expect(await work((tx) => endException(tx, { id, note: "done", by: ada }))).toEqual({ ok: true, release: 3 })
  expect(await inForce(NOW)).toEqual([])
  const args = { states: ["ended" as const], before: null, limit: 10 }
  expect(await work((tx) => listExceptions(tx, { ...args, seenBy: null }))).toHaveLength(1)
  const seenBy = (accountId: string) =>
    work((tx) => listExceptions(tx, { ...args, seenBy: { accountId, developerIds: [id] } }))
  expect([await seenBy(ada.actorId), await seenBy(grace.actorId)]).toEqual([[expect.objectContaining({ id })], []])
})

test("of many clients that ask first at once each is given the one key that signs", async ({ database }) => {
  const orgId = await makeOrganization(database)
  const read = () => asTenant(database.app, orgId, (tx) => readSigningKeys(tx, { orgId, secret: SECRET, now: NOW }))
  const found = await Promise.all(Array.from({ length: 5 }, read))
  const { signer } = await read()
  expect(found.map(({ keys }) => keys.map(({ id }) => id))).toEqual(found.map(() => [signer.id]))
})

test("of two first keys from before they were locked the one that signs stays, and no second comes about again", async ({
  database,
}) => {
  const orgId = await makeOrganization(database)
  const { owner } = database
  const keysNow = () => asTenant(database.app, orgId, (tx) => readSigningKeys(tx, { orgId, secret: SECRET, now: NOW }))
  const { signer } = await keysNow()
  const [first] = await owner.selectFrom("policy_signing_key").selectAll().where("org_id", "=", orgId).execute()
  if (first === undefined) throw new Error("no key")
  const second = { ...first, id: "0000", made_at: later(-1), signs_from: later(-1) }
  const addSecond = () => owner.insertInto("policy_signing_key").values(second).execute()
  await sql`drop index policy_signing_key_first`.execute(owner)
  await addSecond()
  for (let run = 0; run < 2; run++) await keepOneFirstKey(owner)
  const kept = await owner
    .selectFrom("policy_signing_key")
    .select("id")
    .where("org_id", "=", orgId)
    .where("retired_at", "is", null)
    .execute()
  expect(kept).toEqual([{ id: signer.id }])
  expect((await keysNow()).signer.id).toBe(signer.id)
  await owner.deleteFrom("policy_signing_key").where("id", "=", "0000").execute()
  await expect(addSecond()).rejects.toThrow("policy_signing_key_first")
})

test("bundles are signed with the organization's key; the next one is announced before it signs", async ({
  database,
}) => {
  const office = await makeOffice(database)
  const { work, ada, orgId } = office
  await publish(office, ORGANIZATION, "a")
  const keysAt = (now: Date) => work((tx) => readSigningKeys(tx, { orgId, secret: SECRET, now }))
  const first = await keysAt(NOW)
  expect(await keysAt(NOW)).toMatchObject({ keys: first.keys })
  const bundle = bundleOf(await work((tx) => readPolicies(tx, NOW)), null)
  if (bundle === null) throw new Error("no bundle")
  const seal = (keys: typeof first, now: Date) =>
    sealPolicy(
      { organization: orgId, subject: null, teams: [], issuedAt: now.toISOString(), keys: keys.keys, bundle },
      keys.signer,
    )
  const opened = openPolicy(seal(first, NOW), { keys: first.keys, inForce: null })
  expect(opened).toMatchObject({ ok: true, policy: { bundle } })
  await work((tx) => rotateSigningKey(tx, { by: ada, secret: SECRET }))
  const [announced, signing] = [await keysAt(NOW), await keysAt(later(1))]
  expect(announced.signer.id).toBe(first.signer.id)
  expect(announced.keys).toHaveLength(2)
  expect(signing.keys).toEqual([announced.keys[1]])
  expect(openPolicy(seal(signing, later(1)), { keys: announced.keys, inForce: null })).toMatchObject({ ok: true })
  expect(openPolicy(seal(signing, later(1)), { keys: first.keys, inForce: null })).toEqual({
    ok: false,
    reason: "unknown_key",
  })
  await expect(
    work((tx) => readSigningKeys(tx, { orgId, secret: `${SECRET}!`, now: NOW })),
    "another secret",
  ).rejects.toThrow("unable to authenticate data")
})
