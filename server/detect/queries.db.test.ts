import { randomUUID } from "node:crypto"
import { expect } from "vitest"
import { type TestDatabase, test } from "../../test/db.ts"
import {
  joinTeam,
  makeIncident,
  makeOrganization,
  makeSignal,
  makeTeam,
  NOW,
  storeAndCount,
} from "../../test/factories.ts"
import { labelAlert } from "../alert/commands.ts"
import { evaluateRules } from "../alert/evaluate.ts"
import { asTenant } from "../db/tenant.ts"
import { createAccount } from "../team/bootstrap.ts"
import type { Check, Evidence, IncidentDay } from "./contract.ts"
import {
  acceptAsNormal,
  acknowledgeIncident,
  COMMENT_LENGTH_MAX,
  declineNewNormal,
  labelIncident,
  NOTE_LENGTH_MAX,
  noteOnIncident,
  reopenIncident,
} from "./commands.ts"
import {
  countCurrentIncidents,
  countDaysOfData,
  getIncident,
  type IncidentFilter,
  type IncidentViewer,
  listIncidents,
  listSimilarIncidents,
} from "./queries.ts"
import { getTrackRecord } from "./track-record.ts"

const HOUR_MS = 3_600_000
const hoursAgo = (hours: number) => new Date(NOW.getTime() - hours * HOUR_MS)
const everything: IncidentViewer = { readable: { organization: true, teamIds: [] }, ownDeveloperIds: [] }
const readerOf = (...teamIds: string[]): IncidentViewer => ({
  readable: { organization: false, teamIds },
  ownDeveloperIds: [],
})

async function list(database: TestDatabase, orgId: string, viewer: IncidentViewer, filter: IncidentFilter = {}) {
  return asTenant(database.app, orgId, (tx) => listIncidents(tx, { viewer, filter, before: null, limit: 50 }))
}

async function makeDeveloper(database: TestDatabase, orgId: string, person: string): Promise<string> {
  const teamId = await makeTeam(database, orgId, `Team of ${person}`)
  await joinTeam(database, { orgId, person, teamId, from: "2026-01-01" })
  const row = await database.owner
    .selectFrom("team_member")
    .select("developer_id")
    .where("team_id", "=", teamId)
    .executeTakeFirstOrThrow()
  return row.developer_id
}

test("a team's incident is for who reads the team, the organization's for who reads that, a person's for that person", async ({
  database,
}) => {
  const orgId = await makeOrganization(database)
  const [payments, search] = [await makeTeam(database, orgId, "Payments"), await makeTeam(database, orgId, "Search")]
  const developerId = await makeDeveloper(database, orgId, "ada")
  const ids = {
    organization: await makeIncident(database, { orgId }),
    payments: await makeIncident(database, { orgId, teamId: payments }),
    search: await makeIncident(database, { orgId, teamId: search }),
    ada: await makeIncident(database, { orgId, teamId: payments, developerId, people: 1 }),
  }
  const seenBy = async (viewer: IncidentViewer) => {
    const listed = new Set((await list(database, orgId, viewer)).map((incident) => incident.id))
    const found = new Set<string>()
    for (const id of Object.values(ids)) {
      const got = await asTenant(database.app, orgId, (tx) => getIncident(tx, { viewer, id }))
      if (got !== undefined) found.add(got.incident.id)
    }
    expect(found).toEqual(listed)
    return Object.entries(ids).flatMap(([name, id]) => (listed.has(id) ? [name] : []))
  }
  expect(await seenBy(everything)).toEqual(["organization", "payments", "search"])
  expect(await seenBy(readerOf(payments))).toEqual(["payments"])
  expect(await seenBy(readerOf())).toEqual([])
  expect(await seenBy({ ...readerOf(search), ownDeveloperIds: [developerId] })).toEqual(["search", "ada"])
})

test("of a place with too few people nothing is shown but the rung and the hour, and no filter tells more", async ({
  database,
}) => {
  const orgId = await makeOrganization(database)
  const teamId = await makeTeam(database, orgId, "Payments")
  const small = await makeIncident(database, { orgId, teamId, people: 4, cause: "errors" })
  const withheld = { disclosure: "withheld", id: small, rung: "agent", openedAt: NOW }
  expect(await list(database, orgId, everything)).toEqual([withheld])
  expect(await list(database, orgId, readerOf(teamId), { rung: "agent" })).toEqual([withheld])
  const got = await asTenant(database.app, orgId, (tx) => getIncident(tx, { viewer: everything, id: small }))
  expect(got).toEqual({ incident: withheld, history: null })
  const telling: IncidentFilter[] = [{ teamId }, { cause: "errors" }, { states: ["open"] }, { kind: "breakage" }]
  for (const filter of telling) expect(await list(database, orgId, everything, filter)).toEqual([])
  // k is the organization's.
  await database.owner.updateTable("org").set({ min_group_size: 4 }).where("id", "=", orgId).execute()
  expect(await list(database, orgId, everything, { teamId })).toMatchObject([
    { disclosure: "shown", team: "Payments", people: 4, cause: "errors" },
  ])
})

test("what an incident was while it was about a person or a few is not shown to those who see what it became", async ({
  database,
}) => {
  const orgId = await makeOrganization(database)
  const developerId = await makeDeveloper(database, orgId, "ada")
  const id = await makeIncident(database, { orgId })
  const event = { org_id: orgId, incident_id: id, at: NOW, is_by_detector: true }
  const details = [
    { people: 1, details: { scope: { developer: developerId } } },
    { people: 9, details: { from: { developer: developerId }, to: {} } },
    { people: 4, details: { from: "errors", to: "latency" } },
    { people: 5, details: { from: "latency", to: "errors" } },
  ]
  for (const detail of details) {
    await database.owner
      .insertInto("incident_event")
      .values({ ...event, kind: "widened", ...detail })
      .execute()
  }
  const got = await asTenant(database.app, orgId, (tx) => getIncident(tx, { viewer: everything, id }))
  expect(got?.history?.events.map((shown) => shown.details)).toEqual([{}, {}, {}, { from: "latency", to: "errors" }])
  await database.owner.updateTable("incident").set({ developer_id: developerId }).execute()
  const viewer = { ...readerOf(), ownDeveloperIds: [developerId] }
  const own = await asTenant(database.app, orgId, (tx) => getIncident(tx, { viewer, id }))
  expect(own?.history?.events.map((shown) => shown.details)).toEqual(details.map((detail) => detail.details))
})

test("how many are affected is not counted when they are too few", async ({ database }) => {
  const orgId = await makeOrganization(database)
  await makeIncident(database, { orgId })
  expect(await list(database, orgId, everything)).toMatchObject([{ people: 100, peopleAffected: null }])
  await database.owner.updateTable("incident").set({ people_affected: 5 }).execute()
  expect(await list(database, orgId, everything)).toMatchObject([{ people: 100, peopleAffected: 5 }])
})

function evidenceOf(watched: Evidence["watched"], people: number, restPeople: number): Evidence {
  const figures = { observed: 30, expected: 20, ratio: 1.5, low: 1.2, high: 1.9, logEvidence: 9, units: 90, since: 0 }
  return { watched, ...figures, restRatio: 1.1, people, restPeople }
}

/** Days in November; people have the marks from the one with the number `first` on. */
function dayOf(day: number, people: number, fields: { restPeople?: number; first?: number; isSince?: boolean } = {}) {
  const { restPeople = 20, first = 0, isSince = true } = fields
  const figures = { observed: 6, expected: 4, units: 12, restObserved: 50, restExpected: 40 }
  const marks = (2 ** people - 1) * 2 ** first
  return { day: `2026-11-${day}`, isSince, ...figures, marks, restPeople } satisfies IncidentDay
}

test("figures of fewer than k people, in the place or outside, are withheld: signals, days, checks, reasons", async ({
  database,
}) => {
  const orgId = await makeOrganization(database)
  const teamId = await makeTeam(database, orgId, "Payments")
  const check = (name: Check["check"], people: number | null, figure = 0.5) =>
    ({ check: name, result: "excluded", figure, people }) as const
  const reasons = ["began_before_loss", "exposed_left_more"] as const
  const fields = {
    orgId,
    leading: "prompts",
    evidence: [evidenceOf("prompts", 5, 4), evidenceOf("errors", 5, 5), evidenceOf("use", 4, 40)],
    causes: [
      { cause: "permission", share: 0.7, reasons, exposed: 4 },
      { cause: "errors", share: 0.3, reasons, exposed: 5 },
    ],
    checks: [
      check("telemetry_late", null),
      check("work_mix", 5),
      check("slow_week", 4),
      check("new_people", 0, 0),
      check("climbing", 0),
    ],
    daily: [dayOf(10, 8), dayOf(11, 8, { restPeople: 4 }), dayOf(12, 0), dayOf(13, 7, { restPeople: 0 })],
  } as const
  const id = await makeIncident(database, { ...fields, teamId, people: 9 })
  await database.owner.updateTable("incident").set({ explained: 0.8 }).execute()
  const read = async (viewer: IncidentViewer, of = id) => {
    const got = await asTenant(database.app, orgId, (tx) => getIncident(tx, { viewer, id: of }))
    return got?.incident.disclosure === "shown" ? got.incident : undefined
  }
  const shown = await read(everything)
  const nothing = { observed: null, expected: null, units: null }
  expect(shown?.evidence).toMatchObject([
    { watched: "prompts", disclosure: "shown", ratio: 1.5, ...nothing, restRatio: null, isRestWithheld: true },
    { watched: "errors", disclosure: "shown", ratio: 1.5, observed: 30, restRatio: 1.1, isRestWithheld: false },
    {},
  ])
  expect(shown?.evidence[2]).toEqual({ watched: "use", disclosure: "withheld" })
  expect(shown?.explained).toBeNull()
  expect(shown?.causes).toEqual([
    { cause: "permission", share: 0.7, reasons: ["began_before_loss"] },
    { cause: "errors", share: 0.3, reasons },
  ])
  expect(shown?.checks.map(({ result, figure }) => [result, figure])).toEqual([
    ["excluded", 0.5],
    ["excluded", 0.5],
    ["withheld", null],
    ["excluded", 0],
    ["withheld", null],
  ])
  const days = (of: typeof shown) => of?.daily.map(({ observed, restObserved }) => [observed, restObserved])
  expect(days(shown)).toEqual([
    [6, 50],
    [null, null],
    [6, 50],
    [6, 50],
  ])
  expect(shown?.daily[1]).toEqual({
    day: "2026-11-11",
    ...nothing,
    restObserved: null,
    restExpected: null,
    isWithheld: true,
    isRestWithheld: true,
  })
  // How many there are, and who, is for nobody.
  expect(JSON.stringify(shown)).not.toMatch(/"(marks|people|restPeople|exposed)":[^9]/)

  // What is somebody's own is shown to them; the rest that it is compared with is not theirs.
  const developerId = await makeDeveloper(database, orgId, "ada")
  const daily = [dayOf(10, 1), dayOf(11, 1, { restPeople: 4 })]
  const evidence = [evidenceOf("use", 1, 4)]
  const own = await makeIncident(database, { ...fields, developerId, people: 1, leading: "use", daily, evidence })
  const theirs = await read({ ...readerOf(), ownDeveloperIds: [developerId] }, own)
  expect(theirs?.evidence).toMatchObject([{ disclosure: "shown", observed: 30, restRatio: null, isRestWithheld: true }])
  expect(days(theirs)).toEqual([
    [6, 50],
    [6, null],
  ])

  // k is the organization's.
  await database.owner.updateTable("org").set({ min_group_size: 4 }).execute()
  const wider = await read(everything)
  expect(wider?.evidence.map(({ disclosure }) => disclosure)).toEqual(["shown", "shown", "shown"])
  expect(wider?.evidence[0]).toMatchObject({ observed: 30, restRatio: 1.1 })
  expect(wider?.explained).toBe(0.8)
  expect(wider?.daily.some(({ isWithheld }) => isWithheld)).toBe(false)
})

test("a day of too few people cannot be reckoned from the other days and the total", async ({ database }) => {
  const orgId = await makeOrganization(database)
  const withheldOf = async (daily: readonly IncidentDay[]) => {
    const id = await makeIncident(database, { orgId, daily: [...daily] })
    const got = await asTenant(database.app, orgId, (tx) => getIncident(tx, { viewer: everything, id }))
    const shown = got?.incident.disclosure === "shown" ? got.incident.daily : []
    return shown.flatMap(({ day, isWithheld }) => (isWithheld ? [Number(day.slice(-2))] : []))
  }
  expect(await withheldOf([dayOf(10, 9), dayOf(11, 8), dayOf(12, 7)])).toEqual([])
  // One person on Saturday: the smallest other day goes with it.
  expect(await withheldOf([dayOf(10, 9), dayOf(11, 8), dayOf(12, 7), dayOf(14, 1), dayOf(15, 0)])).toEqual([12, 14])
  // Days of few people who are enough together need no other.
  expect(await withheldOf([dayOf(10, 9), dayOf(14, 3), dayOf(15, 3, { first: 3 })])).toEqual([14, 15])
  // The same three people on both are not.
  expect(await withheldOf([dayOf(10, 9), dayOf(14, 3), dayOf(15, 3)])).toEqual([10, 14, 15])
  // The total is of the days since the start: one before hides none of them.
  const before = { isSince: false }
  expect(await withheldOf([dayOf(10, 6, before), dayOf(11, 9), dayOf(12, 8), dayOf(14, 1)])).toEqual([12, 14])
  expect(await withheldOf([dayOf(10, 6, before), dayOf(11, 1, before), dayOf(12, 8)])).toEqual([10, 11])
  expect(await withheldOf([dayOf(10, 4), dayOf(11, 4)])).toEqual([10, 11])
  // Nobody was in the place yet, and few elsewhere on one of the days.
  expect(await withheldOf([dayOf(10, 0), dayOf(11, 0, { restPeople: 2 }), dayOf(12, 8)])).toEqual([11])
})

test("a proposal tells its level when enough people are behind it, and is declined once", async ({ database }) => {
  const orgId = await makeOrganization(database)
  const by = await makeActor(database, orgId, "owner@example.com")
  const id = await makeIncident(database, { orgId })
  const propose = (people: number) =>
    database.owner
      .updateTable("incident")
      .set({ proposed_at: NOW, proposed_ratio: 1.4, proposed_people: people })
      .execute()
  await propose(4)
  expect(await list(database, orgId, everything)).toMatchObject([{ proposedAt: NOW, proposedRatio: null }])
  await propose(5)
  expect(await list(database, orgId, everything)).toMatchObject([{ proposedAt: NOW, proposedRatio: 1.4 }])
  const args = { id, viewer: everything, by }
  await asTenant(database.app, orgId, async (tx) => {
    expect(await declineNewNormal(tx, args)).toEqual({ ok: true })
    expect(await declineNewNormal(tx, args)).toEqual({ ok: false, reason: "not_proposed" })
  })
  expect(await list(database, orgId, everything)).toMatchObject([
    { state: "open", proposedAt: null, proposedRatio: null, declinedAt: NOW },
  ])
  await propose(5)
  await asTenant(database.app, orgId, (tx) => acceptAsNormal(tx, args))
  expect(await list(database, orgId, everything)).toMatchObject([{ state: "new_normal", proposedAt: null }])
  const audit = await database.owner.selectFrom("audit_event").select("action").orderBy("sequence").execute()
  expect(audit.map(({ action }) => action).filter((action) => action.startsWith("incident."))).toEqual([
    "incident.decline_new_normal",
    "incident.accept_as_normal",
  ])
})

test("findings are held against the latest word on each, of the alert where nobody said one of the incident", async ({
  database,
}) => {
  const orgId = await makeOrganization(database)
  const by = await makeActor(database, orgId, "owner@example.com")
  const causes = (["latency", "errors"] as const).map((cause) => ({ cause, share: 0.5, reasons: [], exposed: null }))
  const [right, second, unreal, told] = [
    await makeIncident(database, { orgId, cause: "latency", causes }),
    await makeIncident(database, { orgId, cause: "latency", causes }),
    await makeIncident(database, { orgId, cause: "latency", causes }),
    await makeIncident(database, { orgId, cause: "latency", causes }),
  ]
  await makeIncident(database, { orgId, cause: "latency", causes })
  const small = await makeIncident(database, { orgId, people: 4, causes })
  await asTenant(database.app, orgId, async (tx) => {
    const label = (id: string, isReal: boolean, cause: "latency" | "errors" | null) =>
      labelIncident(tx, { id, viewer: everything, by, isReal, cause, comment: null })
    await label(right, true, "latency")
    await label(second, true, "latency")
    await label(second, true, "errors")
    await label(unreal, false, null)
    await label(small, true, "latency")
  })
  await evaluateRules(database.app, { orgId, at: NOW, isWhole: true })
  const alert = await database.owner
    .selectFrom("alert")
    .select("id")
    .where("subject", "=", told)
    .executeTakeFirstOrThrow()
  await asTenant(database.app, orgId, (tx) =>
    labelAlert(tx, { id: alert.id, readable: null, by, cause: "false_alarm" }),
  )
  const read = (viewer: IncidentViewer) => asTenant(database.app, orgId, (tx) => getTrackRecord(tx, { viewer }))
  expect(await read(everything)).toMatchObject({ judged: 4, real: 2, withCause: 2, firstRight: 1, inFirstTwo: 2 })
  expect(await read({ readable: { organization: false, teamIds: [] }, ownDeveloperIds: [] })).toMatchObject({
    judged: 0,
    realInterval: null,
  })
})

test("similar ones are of the same rung and cause, over, real, and shown to the viewer; most in common first", async ({
  database,
}) => {
  const orgId = await makeOrganization(database)
  const [payments, search] = [await makeTeam(database, orgId, "Payments"), await makeTeam(database, orgId, "Search")]
  const by = await makeActor(database, orgId, "owner@example.com")
  const recovered = { orgId, state: "recovered", cause: "permission" } as const
  const at = (days: number) => ({ openedAt: hoursAgo(24 * days), closedAt: hoursAgo(24 * days - 9) })
  const policy = (fits: boolean) => [{ kind: "policy", subject: "version 3", at: 0, fits }]
  const fix = { kind: "policy", subject: "version 4", at: hoursAgo(100).getTime() }
  const ids = {
    plain: await makeIncident(database, { ...recovered, ...at(9) }),
    client: await makeIncident(database, { ...recovered, ...at(30), client: "codex@1.0", changes: policy(true) }),
    model: await makeIncident(database, { ...recovered, ...at(20), model: "opus", recoveredAfter: fix }),
    team: await makeIncident(database, { ...recovered, ...at(8), teamId: payments, changes: policy(false) }),
    elsewhere: await makeIncident(database, { ...recovered, ...at(7), teamId: search }),
    small: await makeIncident(database, { ...recovered, ...at(6), people: 4 }),
    unreal: await makeIncident(database, { ...recovered, ...at(6) }),
    open: await makeIncident(database, { ...recovered, openedAt: hoursAgo(200), state: "open" }),
    otherCause: await makeIncident(database, { ...recovered, ...at(6), cause: "errors" }),
    otherRung: await makeIncident(database, { ...recovered, ...at(6), rung: "chat" }),
    later: await makeIncident(database, { ...recovered, openedAt: NOW, closedAt: NOW }),
    this: await makeIncident(database, {
      orgId,
      teamId: payments,
      cause: "permission",
      client: "codex@2.0",
      model: "opus",
      openedAt: hoursAgo(5),
      changes: policy(true),
    }),
  }
  await asTenant(database.app, orgId, (tx) =>
    labelIncident(tx, { id: ids.unreal, viewer: everything, by, isReal: false, cause: null, comment: null }),
  )
  const nameOf = (id: string) => Object.entries(ids).find(([, of]) => of === id)?.[0]
  const similar = (viewer: IncidentViewer, limit = 10) =>
    asTenant(database.app, orgId, (tx) => listSimilarIncidents(tx, { viewer, id: ids.this, limit }))
  const found = await similar(everything)
  expect(found.map(({ incident, shared }) => [nameOf(incident.id), ...shared])).toEqual([
    ["client", "client", "policy"],
    ["team", "team"],
    ["model", "model"],
    ["elsewhere"],
    ["plain"],
  ])
  expect(found[2]?.incident.recoveredAfter).toEqual(fix)
  expect(await similar(everything, 1)).toHaveLength(1)
  expect((await similar(readerOf(payments))).map(({ incident }) => nameOf(incident.id))).toEqual(["team"])
  expect(await similar(readerOf(search))).toEqual([])
})

test("incidents are listed newest first, page by page, by what they are", async ({ database }) => {
  const orgId = await makeOrganization(database)
  const teamId = await makeTeam(database, orgId, "Payments")
  const at = (hours: number) => ({ orgId, openedAt: hoursAgo(hours) })
  const ids = [
    await makeIncident(database, { ...at(1), rung: "chat", cause: "quality" }),
    await makeIncident(database, { ...at(2), state: "recovered", closedAt: NOW }),
    await makeIncident(database, { ...at(2), teamId }),
    await makeIncident(database, { ...at(3), kind: "data_quality" }),
  ]
  const pages: string[][] = []
  for (let before: { openedAt: Date; id: string } | null = null; pages.length < 5;) {
    const page = await asTenant(database.app, orgId, (tx) =>
      listIncidents(tx, { viewer: everything, filter: {}, before, limit: 2 }),
    )
    if (page.length === 0) break
    pages.push(page.map((incident) => incident.id))
    before = page.at(-1) ?? null
  }
  // Of two that opened at once, the larger id comes first.
  const same = [ids[1] ?? "", ids[2] ?? ""].toSorted((a, b) => (a < b ? 1 : -1))
  expect(pages).toEqual([
    [ids[0], same[0]],
    [same[1], ids[3]],
  ])
  const found = async (filter: IncidentFilter) =>
    (await list(database, orgId, everything, filter)).map((incident) => ids.indexOf(incident.id))
  expect(await found({ rung: "chat" })).toEqual([0])
  expect(await found({ states: ["recovered", "new_normal"] })).toEqual([1])
  expect(await found({ teamId })).toEqual([2])
  expect(await found({ kind: "data_quality" })).toEqual([3])
  expect(await found({ cause: "quality" })).toEqual([0])
})

test("what is not over is counted by rung, as far as it is shown to the viewer", async ({ database }) => {
  const orgId = await makeOrganization(database)
  const teamId = await makeTeam(database, orgId, "Payments")
  await makeIncident(database, { orgId })
  await makeIncident(database, { orgId, teamId, state: "recovering" })
  await makeIncident(database, { orgId, rung: "chat" })
  await makeIncident(database, { orgId, state: "recovered" })
  await makeIncident(database, { orgId, teamId, people: 4 })
  const count = async (viewer: IncidentViewer, of: string | null = null) => {
    const rows = await asTenant(database.app, orgId, (tx) => countCurrentIncidents(tx, { viewer, teamId: of }))
    return Object.fromEntries(rows.map(({ rung, incidents }) => [rung, incidents]))
  }
  expect(await count(everything)).toEqual({ agent: 2, chat: 1 })
  expect(await count(everything, teamId)).toEqual({ agent: 1 })
  expect(await count(readerOf(teamId))).toEqual({ agent: 1 })
  expect(await count(readerOf())).toEqual({})
})

test("days of data are counted from the first one with signals", async ({ database }) => {
  const orgId = await makeOrganization(database)
  const days = () => asTenant(database.app, orgId, (tx) => countDaysOfData(tx, "2026-11-20"))
  expect(await days()).toBe(0)
  await storeAndCount(database, orgId, [makeSignal({ at: hoursAgo(9 * 24) }), makeSignal()])
  expect(await days()).toBe(10)
})

async function makeActor(database: TestDatabase, orgId: string, email: string) {
  const account = { orgId, email, role: "owner" as const, password: "not used here" }
  const { accountId } = await createAccount(database.owner, account)
  return { orgId, actorId: accountId, actorEmail: email, occurredAt: NOW, requestId: "request" }
}

test("people acknowledge, label, note, accept and reopen; each is in its history and in the audit log", async ({
  database,
}) => {
  const orgId = await makeOrganization(database)
  const by = await makeActor(database, orgId, "owner@example.com")
  const id = await makeIncident(database, { orgId })
  const args = { id, viewer: everything, by }
  await asTenant(database.app, orgId, async (tx) => {
    expect(await acknowledgeIncident(tx, args)).toEqual({ ok: true })
    expect(await acknowledgeIncident(tx, args)).toEqual({ ok: false, reason: "already" })
    expect(await labelIncident(tx, { ...args, isReal: false, cause: null, comment: "a holiday" })).toEqual({ ok: true })
    expect(await labelIncident(tx, { ...args, isReal: true, cause: "errors", comment: null })).toEqual({ ok: true })
    const tooLong = "x".repeat(COMMENT_LENGTH_MAX + 1)
    const refused = { ok: false, reason: "too_long" }
    expect(await labelIncident(tx, { ...args, isReal: true, cause: null, comment: tooLong })).toEqual(refused)
    expect(await noteOnIncident(tx, { ...args, text: "x".repeat(NOTE_LENGTH_MAX + 1) })).toEqual(refused)
    expect(await noteOnIncident(tx, { ...args, text: "The proxy was full." })).toEqual({ ok: true })
    expect(await reopenIncident(tx, args)).toEqual({ ok: false, reason: "open" })
    expect(await acceptAsNormal(tx, args)).toEqual({ ok: true })
    expect(await acceptAsNormal(tx, args)).toEqual({ ok: false, reason: "already" })
  })
  const read = () => asTenant(database.app, orgId, (tx) => getIncident(tx, { viewer: everything, id }))
  const accepted = await read()
  expect(accepted?.incident).toMatchObject({
    state: "new_normal",
    closedAt: NOW,
    acknowledgedByEmail: "owner@example.com",
    acceptedByEmail: "owner@example.com",
  })
  expect(accepted?.history?.labels).toEqual([
    { byEmail: "owner@example.com", isReal: true, cause: "errors", comment: null, at: NOW },
  ])
  await asTenant(database.app, orgId, async (tx) => {
    expect(await reopenIncident(tx, args)).toEqual({ ok: true })
  })
  const reopened = await read()
  expect(reopened?.incident).toMatchObject({ state: "open", closedAt: null, acceptedAt: null })
  expect(reopened?.history?.events.map(({ kind, byEmail, details }) => [kind, byEmail, details])).toEqual([
    ["acknowledged", "owner@example.com", {}],
    ["labelled", "owner@example.com", { isReal: false, cause: null }],
    ["labelled", "owner@example.com", { isReal: true, cause: "errors" }],
    ["note", "owner@example.com", { text: "The proxy was full." }],
    ["new_normal_accepted", "owner@example.com", { from: "open" }],
    ["reopened", "owner@example.com", { from: "new_normal" }],
  ])
  const audit = await database.owner
    .selectFrom("audit_event")
    .select(["action", "target_id"])
    .where("target_kind", "=", "incident")
    .orderBy("sequence")
    .execute()
  expect(audit).toEqual(
    ["acknowledge", "label", "label", "note", "accept_as_normal", "reopen"].map((action) => ({
      action: `incident.${action}`,
      target_id: id,
    })),
  )
})

test("what recovered is not accepted as normal, and what is not shown is not touched", async ({ database }) => {
  const orgId = await makeOrganization(database)
  const by = await makeActor(database, orgId, "owner@example.com")
  const recovered = await makeIncident(database, { orgId, state: "recovered", closedAt: NOW })
  const small = await makeIncident(database, { orgId, people: 4 })
  await asTenant(database.app, orgId, async (tx) => {
    const viewer = everything
    expect(await acceptAsNormal(tx, { id: recovered, viewer, by })).toEqual({ ok: false, reason: "recovered" })
    const notFound = { ok: false, reason: "not_found" }
    const denied = [
      { id: small, viewer, by },
      { id: randomUUID(), viewer, by },
      { id: recovered, viewer: readerOf(), by },
    ]
    for (const args of denied) {
      expect(await acknowledgeIncident(tx, args)).toEqual(notFound)
      expect(await acceptAsNormal(tx, args)).toEqual(notFound)
      expect(await reopenIncident(tx, args)).toEqual(notFound)
      expect(await declineNewNormal(tx, args)).toEqual(notFound)
      expect(await labelIncident(tx, { ...args, isReal: true, cause: null, comment: null })).toEqual(notFound)
      expect(await noteOnIncident(tx, { ...args, text: "seen" })).toEqual(notFound)
    }
  })
  const left = await database.owner.selectFrom("incident_event").select("kind").execute()
  expect(left).toEqual([])
})

test("two people who acknowledge at once: one did", async ({ database }) => {
  const orgId = await makeOrganization(database)
  const actors = [
    await makeActor(database, orgId, "one@example.com"),
    await makeActor(database, orgId, "other@example.com"),
  ]
  const id = await makeIncident(database, { orgId })
  const results = await Promise.all(
    actors.map((by) => asTenant(database.app, orgId, (tx) => acknowledgeIncident(tx, { id, viewer: everything, by }))),
  )
  expect(results.filter((result) => result.ok)).toHaveLength(1)
})
