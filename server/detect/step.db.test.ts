import fc from "fast-check"
import { sql } from "kysely"
import { expect } from "vitest"
import { type TestDatabase, test } from "../../test/db.ts"
import { inOnePart } from "../../test/in-one-part.ts"
import { emailOf, joinTeam, makeOrganization, makeSignal, makeTeam, NOW } from "../../test/factories.ts"
import { openSignalStore } from "../ingest/signal-store.ts"
import type { Signal } from "../ingest/signal.ts"
import { countAll } from "../rollup/loop.ts"
import { verifyRollups } from "../rollup/rebuild.ts"
import { identityHash } from "../team/pseudonyms.ts"
import type { Arrivals, DetectedIncident, IncidentState, Roster } from "./contract.ts"
import { detectAllWith } from "./loop.ts"
import { MEMORY_FORMAT, readMemory, saveMemory } from "./memory-store.ts"
import type { Detector } from "./step.ts"

const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000
/** A whole hour, from which tests count. */
const START = NOW.getTime()

/** Remembers all that it was shown. */
interface Seen {
  readonly arrivals: Arrivals[]
}

const witness: Detector<Seen> = {
  ...inOnePart,
  start: () => ({ arrivals: [] }),
  observe(state, arrivals) {
    state.arrivals.push(arrivals)
    return []
  },
}

/** A way in whose clock the test moves, as the hour of arrival is the clock's. Moved back, it is another process's. */
function openStore(database: TestDatabase) {
  let now = START
  const open = () => openSignalStore({ url: database.url, db: database.ingest, now: () => new Date(now) })
  let store = open()
  return {
    /** Stores signals at so many minutes after START. */
    async at(minutes: number, orgId: string, signals: readonly Signal[]) {
      if (START + minutes * MINUTE_MS < now) {
        await store.close()
        store = open()
      }
      now = START + minutes * MINUTE_MS
      await store.store(orgId, { signals, unrecognized: [] })
    },
    [Symbol.asyncDispose]: () => store.close(),
  }
}

const after = (hours: number, minutes = 2) => new Date(START + hours * HOUR_MS + minutes * MINUTE_MS)
const minutesIn = (minutes: number) => new Date(START + minutes * MINUTE_MS)

async function detect(database: TestDatabase, now: Date, detector: Detector<Seen> = witness) {
  await countAll(database.worker, NOW)
  return detectAllWith(detector, { db: database.worker, now })
}

async function seenOf(database: TestDatabase, orgId: string): Promise<readonly Arrivals[]> {
  return (await memoryOf<Seen>(database, orgId))?.arrivals ?? []
}

async function memoryOf<State>(database: TestDatabase, orgId: string): Promise<State | undefined> {
  return database.owner.transaction().execute(async (tx) => {
    for await (const part of readMemory(tx, orgId)) return part as State
    return undefined
  })
}

async function developerOf(database: TestDatabase, orgId: string, person: string): Promise<string> {
  const { pseudonym_key: key } = await database.owner
    .selectFrom("org")
    .select("pseudonym_key")
    .where("id", "=", orgId)
    .executeTakeFirstOrThrow()
  const hashed = identityHash(key, { kind: "email", value: emailOf(person) })
  const row = await database.owner
    .selectFrom("developer_identity")
    .select("developer_id")
    .where("org_id", "=", orgId)
    .where("identity_hash", "=", Buffer.from(hashed, "hex"))
    .executeTakeFirstOrThrow()
  return row.developer_id
}

test("what arrived in an hour is shown once it is complete: suggestions, operations, presence, changes, delivery", async ({
  database,
}) => {
  const orgId = await makeOrganization(database)
  await using store = openStore(database)
  const place = { agentTool: "claude-code", agentVersion: "2.1.0", model: "opus", language: "ts", mode: "code" }
  const suggestion = {
    ...place,
    kind: "suggestion",
    rung: "autocomplete",
    origin: "human",
    at: minutesIn(-5),
  } as const
  const agent = { ...place, rung: "agent", operationId: "task 1", parentOperationId: "run 1" } as const
  const signals = [
    makeSignal({ ...suggestion, outcome: "accepted", latencyMs: 100 }),
    makeSignal({ ...suggestion, outcome: "ignored", latencyMs: 100 }),
    makeSignal({ ...suggestion, outcome: null, origin: null, latencyMs: 300, error: "timeout" }),
    makeSignal({ ...agent, kind: "start", at: minutesIn(1), contextFiles: 7 }),
    makeSignal({ ...agent, kind: "edit", at: minutesIn(2), pathScope: "out_of_scope", action: "src ts" }),
    makeSignal({ ...agent, kind: "edit", at: minutesIn(3), outcome: "accepted", origin: "human" }),
    makeSignal({ ...agent, kind: "permission", at: minutesIn(4), outcome: "accepted", origin: "human" }),
    makeSignal({ ...agent, kind: "permission", at: minutesIn(4), outcome: "rejected", origin: "human" }),
    makeSignal({ ...agent, kind: "permission", at: minutesIn(4), outcome: "accepted", origin: "rule" }),
    makeSignal({ ...agent, kind: "tool_call", at: minutesIn(5), error: "timeout", action: "apply_patch" }),
    makeSignal({ ...agent, kind: "context", at: minutesIn(6), action: "compaction" }),
    makeSignal({
      ...agent,
      kind: "task",
      at: minutesIn(9),
      latencyMs: 1500,
      durationMs: 9000,
      toolCalls: 3,
      error: "interrupted",
    }),
    makeSignal({ ...agent, kind: "outcome", at: minutesIn(10), outcome: "merged" }),
    makeSignal({ ...agent, kind: "outcome", at: minutesIn(11), outcome: "reverted" }),
    makeSignal({ kind: "presence", operationId: null, at: minutesIn(0), durationMs: 30 * MINUTE_MS, person: "ben" }),
    // Two and a half hours late.
    makeSignal({ kind: "session", operationId: null, at: minutesIn(-130), person: "ben" }),
  ]
  await store.at(20, orgId, signals)
  await store.at(30, orgId, signals.slice(0, 4))
  expect(await detect(database, after(1, 0))).toEqual([])
  expect(await detect(database, after(1, 1))).toMatchObject([{ orgId, hours: 1 }])
  const [ada, ben] = [await developerOf(database, orgId, "ada"), await developerOf(database, orgId, "ben")]
  const where = { developer: ada, client: "claude-code@2.1.0", model: "opus", language: "ts", mode: "code" }
  const [arrivals, ...rest] = await seenOf(database, orgId)
  expect(rest).toEqual([])
  expect(arrivals?.until).toBe(START + HOUR_MS)
  expect(arrivals?.suggestions).toEqual([
    {
      ...where,
      hour: START - HOUR_MS,
      units: 3,
      presented: 2,
      accepted: 1,
      errors: 1,
      latencyBuckets: [49, 60],
      latencyCounts: [2, 1],
    },
  ])
  expect(arrivals?.operations).toEqual([
    {
      ...where,
      operation: "task 1",
      parent: "run 1",
      rung: "agent",
      firstAt: START + MINUTE_MS,
      lastAt: START + 9 * MINUTE_MS,
      hasEnded: true,
      presented: 1,
      accepted: 1,
      prompts: 2,
      denied: 1,
      errors: 2,
      edits: 2,
      outOfScope: 1,
      toolCalls: 3,
      compactions: 1,
      contextFiles: 7,
      latencyMs: 1500,
      durationMs: 9000,
      isInterrupted: true,
      outcome: "reverted",
      outOfScopeActions: ["src ts"],
      errorActions: ["apply_patch"],
    },
  ])
  const byPerson = new Map([
    [ada, "ada"],
    [ben, "ben"],
  ])
  const presence = (arrivals?.presence ?? []).map(
    ({ developer, hour, activeMinutes }) =>
      `${byPerson.get(developer)} ${(hour - START) / HOUR_MS} ${activeMinutes === null ? "-" : activeMinutes}`,
  )
  expect(presence.toSorted()).toEqual(["ada -1 -", "ada 0 -", "ben -3 -", "ben 0 30"])
  expect(arrivals?.changes).toEqual([
    { kind: "agent_version", subject: "claude-code 2.1.0", at: START - 5 * MINUTE_MS },
  ])
  expect(arrivals?.delivery).toEqual({ signals: 16, late: 1, duplicates: 4 })
  for (const table of ["arrived_suggestion", "arrived_operation", "arrived_presence", "arrived_delivery"]) {
    const left = await sql`select from ${sql.table(table)}`.execute(database.owner)
    expect([table, left.rows.length]).toEqual([table, 0])
  }
})

test("what a second report corrects in a later hour is taken off and added again", async ({ database }) => {
  const orgId = await makeOrganization(database)
  await using store = openStore(database)
  const report = (evidence: "primary" | "secondary", fields: Parameters<typeof makeSignal>[0]) =>
    makeSignal({
      kind: "task",
      rung: "agent",
      operationId: "task",
      at: minutesIn(5),
      occurrence: { id: "event", evidence },
      ...fields,
    })
  await store.at(10, orgId, [report("secondary", { error: "timeout", action: "apply_patch", model: "opus" })])
  await store.at(70, orgId, [report("primary", { latencyMs: 40 })])
  await detect(database, after(2))
  const hours = (await seenOf(database, orgId)).map((arrivals) => arrivals.operations)
  expect(hours).toMatchObject([
    [{ errors: 1, errorActions: ["apply_patch"], hasEnded: true, model: "opus", latencyMs: null }],
    // The error was there and still is; how long it took is new.
    [{ errors: 0, errorActions: [], hasEnded: true, model: "opus", latencyMs: 40 }],
  ])
})

test("a person's identities are one person, and whoever is named does the whole", async ({ database }) => {
  const orgId = await makeOrganization(database)
  await using store = openStore(database)
  const call = (fields: Parameters<typeof makeSignal>[0]) =>
    makeSignal({ rung: "agent", operationId: "task", at: minutesIn(1), ...fields })
  await store.at(5, orgId, [
    call({ kind: "task", identity: null, model: "haiku" }),
    call({ kind: "tool_call", identity: { kind: "installation", value: "laptop" }, model: "opus" }),
    call({ kind: "tool_call", identity: { kind: "installation", value: "laptop" }, model: "opus" }),
    makeSignal({ at: minutesIn(1), person: "ada", operationId: "other" }),
  ])
  const ada = await developerOf(database, orgId, "ada")
  await sql`
    update developer set merged_into_id = ${ada} where id in (
      select developer_id from developer_identity where kind = 'installation'
    )`.execute(database.owner)
  await detect(database, after(1))
  const [arrivals] = await seenOf(database, orgId)
  expect(arrivals?.operations).toMatchObject([
    { operation: "other", developer: ada },
    { operation: "task", developer: ada, model: "opus" },
  ])
})

test("hours follow each other without a gap, and what comes late for one that was seen is shown with the next", async ({
  database,
}) => {
  const orgId = await makeOrganization(database)
  await using store = openStore(database)
  await store.at(10, orgId, [makeSignal({ operationId: "first", at: minutesIn(5) })])
  // More than one step takes.
  expect(await detect(database, after(170))).toMatchObject([{ hours: 168 }, { hours: 2 }])
  // Its commit took days.
  await store.at(20, orgId, [makeSignal({ operationId: "slow", at: minutesIn(5) })])
  await store.at(171 * 60, orgId, [makeSignal({ operationId: "last", at: minutesIn(60) })])
  await detect(database, after(172))
  const hours = await seenOf(database, orgId)
  expect(hours.map(({ until }) => (until - START) / HOUR_MS)).toEqual(
    Array.from({ length: 172 }, (_, index) => index + 1),
  )
  const operations = hours.flatMap(({ until, operations: of }) =>
    of.map(({ operation }) => [(until - START) / HOUR_MS, operation]),
  )
  expect(operations).toEqual([
    [1, "first"],
    [171, "slow"],
    [172, "last"],
  ])
})

test("an hour of which signals are stored but not counted waits", async ({ database }) => {
  const orgId = await makeOrganization(database)
  await using store = openStore(database)
  await store.at(10, orgId, [makeSignal({ at: minutesIn(5) })])
  await countAll(database.worker, NOW)
  await store.at(70, orgId, [makeSignal({ at: minutesIn(65) })])
  const step = () => detectAllWith(witness, { db: database.worker, now: after(5) })
  expect(await step()).toMatchObject([{ hours: 1 }])
  expect(await step()).toEqual([])
  await countAll(database.worker, NOW)
  expect(await step()).toMatchObject([{ hours: 4 }])
})

test("a rebuild shows the detector nothing twice, and what it finds waiting once", async ({ database }) => {
  const orgId = await makeOrganization(database)
  await using store = openStore(database)
  await store.at(10, orgId, [makeSignal({ operationId: "new organization", at: minutesIn(5) })])
  await countAll(database.worker, NOW)
  await store.at(20, orgId, [makeSignal({ operationId: "waiting", at: minutesIn(5) })])
  await database.owner.updateTable("rollup_state").set({ needs_rebuild: true }).execute()
  await countAll(database.worker, NOW)
  await verifyRollups(database.worker, orgId, { now: NOW, isRepair: true })
  await detect(database, after(1))
  await database.owner.updateTable("rollup_state").set({ needs_rebuild: true }).execute()
  await detect(database, after(2))
  const operations = (await seenOf(database, orgId)).map((arrivals) =>
    arrivals.operations.map((part) => part.operation),
  )
  expect(operations).toEqual([["new organization", "waiting"], []])
})

/** Finds something in every hour with work, and closes it in the first without. */
const finder: Detector<{ hours: number; open: DetectedIncident | null }> = {
  ...inOnePart,
  start: () => ({ hours: 0, open: null }),
  observe(state, arrivals, roster) {
    state.hours++
    const work = arrivals.operations.length
    if (work === 0 && state.open === null) return []
    const [team] = roster.teams
    const place = work > 1 || team === undefined ? {} : { team: team.id }
    const incident = anIncident({
      openedAt: state.open?.openedAt ?? arrivals.until,
      state: work === 0 ? "recovered" : "open",
      people: work,
      scope: work === 0 && state.open !== null ? state.open.scope : place,
    })
    state.open = work === 0 ? null : incident
    return [incident]
  },
}

function anIncident(fields: Partial<DetectedIncident> & { openedAt: number }): DetectedIncident {
  const { openedAt } = fields
  return {
    // Of the hour of opening.
    id: `00000000-0000-4000-8000-${String(openedAt / HOUR_MS).padStart(12, "0")}`,
    kind: "breakage",
    rung: "agent",
    alsoRungs: [],
    state: "open",
    startedAt: openedAt - HOUR_MS,
    startedFrom: openedAt - 2 * HOUR_MS,
    startedTo: openedAt,
    closedAt: null,
    reopened: 0,
    scope: {},
    cause: "latency",
    causes: [{ cause: "latency", share: 1, reasons: ["began_before_loss"], exposed: null }],
    leading: "slow",
    evidence: [],
    checks: [{ check: "slow_week", result: "excluded", figure: 0.97, people: 9 }],
    changes: [],
    daily: [],
    settled: null,
    recoveredAfter: null,
    action: null,
    fallbackTo: "chat",
    people: 1,
    peopleAffected: 1,
    explained: 0.5,
    confidence: 0.9,
    note: null,
    ...fields,
  }
}

async function incidentsOf(database: TestDatabase, orgId: string) {
  const incidents = await sql<{ row: Record<string, unknown> }>`
    select to_jsonb(i) - 'org_id' || jsonb_build_object('team_id', (select name from team where id = i.team_id)) as row
    from incident i where org_id = ${orgId}::uuid order by opened_at`.execute(database.owner)
  const events = await sql<{ row: Record<string, unknown> }>`
    select to_jsonb(e) - 'org_id' - 'sequence' - 'details' as row
    from incident_event e where org_id = ${orgId}::uuid order by incident_id, sequence`.execute(database.owner)
  return { incidents: incidents.rows.map(({ row }) => row), events: events.rows.map(({ row }) => row) }
}

test("incidents are kept as they stand, with what became of them", async ({ database }) => {
  const orgId = await makeOrganization(database)
  await makeTeam(database, orgId, "Payments")
  await using store = openStore(database)
  const work = (hour: number, count: number) =>
    store.at(
      hour * 60 + 5,
      orgId,
      Array.from({ length: count }, () => makeSignal({ at: minutesIn(hour * 60) })),
    )
  await work(0, 1)
  await work(1, 2)
  await countAll(database.worker, NOW)
  await detectAllWith(finder, { db: database.worker, now: after(3) })
  const { incidents, events } = await incidentsOf(database, orgId)
  expect(incidents).toMatchObject([
    {
      opened_at: "2026-11-20T13:00:00+00:00",
      updated_at: "2026-11-20T15:00:00+00:00",
      state: "recovered",
      people: 0,
      team_id: null,
      causes: [{ cause: "latency", share: 1, reasons: ["began_before_loss"] }],
      fallback_to: "chat",
      acknowledged_at: null,
    },
  ])
  expect(events.map(({ kind, at, is_by_detector: isByDetector }) => [kind, at, isByDetector])).toEqual([
    ["opened", "2026-11-20T13:00:00+00:00", true],
    ["widened", "2026-11-20T14:00:00+00:00", true],
    ["recovered", "2026-11-20T15:00:00+00:00", true],
  ])
})

test("what somebody took for the new normal is left closed", async ({ database }) => {
  const orgId = await makeOrganization(database)
  await using store = openStore(database)
  const state = (to: IncidentState): Detector<object> => ({
    ...inOnePart,
    start: () => ({}),
    observe: (_state, { until }) => [
      anIncident({ openedAt: START + HOUR_MS, state: to, people: until / HOUR_MS - START / HOUR_MS }),
    ],
  })
  await store.at(5, orgId, [makeSignal({ at: minutesIn(1) })])
  await countAll(database.worker, NOW)
  await detectAllWith(state("open"), { db: database.worker, now: after(1) })
  await sql`update incident set state = 'new_normal', accepted_at = ${NOW}, closed_at = ${NOW}`.execute(database.owner)
  await detectAllWith(state("open"), { db: database.worker, now: after(2) })
  const { incidents, events } = await incidentsOf(database, orgId)
  expect(incidents).toMatchObject([{ state: "new_normal", people: 2, closed_at: "2026-11-20T12:00:00+00:00" }])
  expect(events.map(({ kind }) => kind)).toEqual(["opened"])
})

test("a level that stays is proposed once, not again for fifteen working days after that was declined, and no more once it is over", async ({
  database,
}) => {
  const orgId = await makeOrganization(database)
  await using store = openStore(database)
  await store.at(5, orgId, [makeSignal({ at: minutesIn(1) })])
  await countAll(database.worker, NOW)
  // A day of work each hour, from the Monday after on; so that a proposal can be declined and come back within a day.
  const dayAt = (hour: number) => new Date(Date.UTC(2026, 10, 23 + hour)).toISOString().slice(0, 10)
  const at = (hour: number) => {
    const days = Array.from({ length: hour + 1 }, (_, index) => dayAt(index))
    const figures = { observed: 8, expected: 4, restObserved: null, restExpected: null, marks: 1, restPeople: 0 }
    return days.map((day) => ({ day, isSince: true, units: 9, ...figures }))
  }
  const lasting = (settled: boolean, state: IncidentState = "open"): Detector<object> => ({
    ...inOnePart,
    start: () => ({}),
    observe: (_state, { until }) => [
      anIncident({
        openedAt: START + HOUR_MS,
        state,
        people: 9,
        settled: settled ? { ratio: 2, people: 7 } : null,
        daily: at(until / HOUR_MS - START / HOUR_MS),
      }),
    ],
  })
  const step = async (hour: number, detector: Detector<object>) => {
    await detectAllWith(detector, { db: database.worker, now: after(hour) })
    const { incidents, events } = await incidentsOf(database, orgId)
    const { proposed_at: proposedAt, proposed_ratio: ratio, proposed_people: people } = incidents[0] ?? {}
    return [proposedAt, ratio, people, events.filter(({ kind }) => kind === "new_normal_proposed").length]
  }
  const first = "2026-11-20T14:00:00+00:00"
  expect(await step(1, lasting(false))).toEqual([null, null, null, 0])
  expect(await step(2, lasting(true))).toEqual([first, 2, 7, 1])
  expect(await step(3, lasting(true))).toEqual([first, 2, 7, 1])
  // It moves, and stays again.
  expect(await step(4, lasting(false))).toEqual([null, null, null, 1])
  expect(await step(5, lasting(true))).toEqual(["2026-11-20T17:00:00+00:00", 2, 7, 2])
  await sql`update incident set declined_at = ${new Date("2026-11-25T12:00:00Z")}, proposed_at = null`.execute(
    database.owner,
  )
  // From the 26th, of 15 working days the last is the 16th of December, which is over on the day after.
  expect(await step(23, lasting(true))).toEqual([null, null, null, 2])
  expect(await step(24, lasting(true))).toEqual(["2026-11-21T12:00:00+00:00", 2, 7, 3])
  expect(await step(25, lasting(true, "recovering"))).toEqual([null, null, null, 3])
})

interface Sent {
  /** Minutes after START at which it is stored. */
  readonly minute: number
  readonly signal: Signal
}

const PEOPLE = ["ada", "ben"]
const HOURS = 6

/** With `isTidy` nothing is reported twice, nor late: of two reports, and of two hours, it matters which minute they came. */
const sent = (isTidy: boolean): fc.Arbitrary<readonly Sent[]> =>
  fc
    .array(
      fc.record({
        minute: fc.nat({ max: HOURS * 60 - 1 }),
        operation: fc.nat({ max: 3 }),
        kind: fc.constantFrom("start", "task", "tool_call", "edit", "permission", "suggestion", "outcome"),
        rung: fc.constantFrom("autocomplete", "chat", "agent"),
        person: fc.option(fc.constantFrom(...PEOPLE)),
        model: fc.option(fc.constantFrom("opus", "haiku")),
        latencyMs: fc.option(fc.integer({ min: 0, max: 1_000_000 })),
        outcome: fc.option(fc.constantFrom("accepted", "rejected", "merged", "reverted")),
        error: fc.option(fc.constant("timeout")),
        action: fc.option(fc.constantFrom("apply_patch", "git push")),
        minutesAgo: fc.nat({ max: isTidy ? 50 : 200 }),
        event: isTidy ? fc.constant(null) : fc.option(fc.nat({ max: 4 })),
        evidence: fc.constantFrom("primary", "secondary"),
      }),
      { minLength: 1, maxLength: 16 },
    )
    .map((drawn) =>
      drawn.map(({ minute, operation, person, event, evidence, minutesAgo, ...fields }) => ({
        minute,
        signal: makeSignal({
          ...(fields as Parameters<typeof makeSignal>[0]),
          at: minutesIn(minute - minutesAgo),
          operationId: `operation ${operation}`,
          origin: "human",
          occurrence: event === null ? null : { id: `event ${event}`, evidence },
          ...(person === null ? { identity: null } : { person }),
        }),
      })),
    )

/** What was seen, with people by name, as their ids are drawn. */
async function seenByName(database: TestDatabase, orgId: string): Promise<unknown> {
  const rows = await sql<{ id: string; hash: string }>`
    select developer_id as id, encode(identity_hash, 'hex') as hash from developer_identity
    where org_id = ${orgId}::uuid`.execute(database.owner)
  const org = await database.owner
    .selectFrom("org")
    .select("pseudonym_key")
    .where("id", "=", orgId)
    .executeTakeFirstOrThrow()
  const names = new Map(
    PEOPLE.map((person) => [identityHash(org.pseudonym_key, { kind: "email", value: emailOf(person) }), person]),
  )
  const nameOf = new Map(rows.rows.map(({ id, hash }) => [id, names.get(hash) ?? "?"]))
  const named = <T extends { developer: string }>(items: readonly T[]) =>
    items
      .map((item) => ({ ...item, developer: nameOf.get(item.developer) ?? "nobody" }))
      .toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
  return (await seenOf(database, orgId)).map((arrivals) => ({
    ...arrivals,
    suggestions: named(arrivals.suggestions),
    // Which of two people did one operation is by their ids.
    operations: named(arrivals.operations.map((part) => ({ ...part, developer: part.developer === "" ? "" : "one" }))),
    presence: named(arrivals.presence),
  }))
}

test(
  "however steps of counting and detecting are cut, the detector sees the same",
  { timeout: 60_000 },
  async ({ database }) => {
    await fc.assert(
      fc.asyncProperty(sent(false), fc.integer({ min: 1, max: HOURS }), async (signals, stride) => {
        const inOrder = signals.toSorted((a, b) => a.minute - b.minute)
        await using store = openStore(database)
        const often = await makeOrganization(database)
        for (const { minute, signal } of inOrder) {
          await store.at(minute, often, [signal])
          await countAll(database.worker, NOW)
          await detectAllWith(witness, { db: database.worker, now: minutesIn(minute) })
        }
        await detect(database, after(HOURS))
        const seldom = await makeOrganization(database)
        for (let hour = 0; hour < HOURS; hour += stride) {
          for (const { minute, signal } of inOrder) {
            if (minute >= hour * 60 && minute < (hour + stride) * 60) await store.at(minute, seldom, [signal])
          }
          await detect(database, minutesIn((hour + stride) * 60))
        }
        await detect(database, after(HOURS))
        expect(await seenByName(database, seldom)).toEqual(await seenByName(database, often))
      }),
      { numRuns: 5 },
    )
  },
)

test(
  "in whatever order signals come within an hour, the detector sees the same",
  { timeout: 60_000 },
  async ({ database }) => {
    await fc.assert(
      fc.asyncProperty(
        sent(true).chain((signals) =>
          fc.tuple(fc.constant(signals), fc.shuffledSubarray([...signals], { minLength: signals.length })),
        ),
        async ([signals, shuffled]) => {
          await using store = openStore(database)
          const orgs = []
          for (const order of [signals, shuffled]) {
            const orgId = await makeOrganization(database)
            orgs.push(orgId)
            for (let hour = 0; hour < HOURS; hour++) {
              const own = order.filter(({ minute }) => Math.floor(minute / 60) === hour)
              for (const [index, { signal }] of own.entries()) await store.at(hour * 60 + index / 60, orgId, [signal])
            }
            await detect(database, after(HOURS))
          }
          const [one, other] = orgs
          expect(await seenByName(database, other ?? "")).toEqual(await seenByName(database, one ?? ""))
        },
      ),
      { numRuns: 5 },
    )
  },
)

test("processes that detect at once observe every hour once", async ({ database }) => {
  await using store = openStore(database)
  const orgs = [await makeOrganization(database), await makeOrganization(database)]
  for (const orgId of orgs) {
    for (let hour = 0; hour < 4; hour++) await store.at(hour * 60, orgId, [makeSignal({ at: minutesIn(hour * 60) })])
  }
  await countAll(database.worker, NOW)
  for (let hour = 1; hour <= 4; hour++) {
    await Promise.all(Array.from({ length: 3 }, () => detectAllWith(finder, { db: database.worker, now: after(hour) })))
  }
  for (const orgId of orgs) {
    const row = await database.owner
      .selectFrom("detector_state")
      .selectAll()
      .where("org_id", "=", orgId)
      .executeTakeFirstOrThrow()
    expect(row.observed_until).toEqual(after(4, 0))
    expect(await memoryOf(database, orgId)).toMatchObject({ hours: 4 })
    expect((await incidentsOf(database, orgId)).events.map(({ kind }) => kind)).toEqual(["opened"])
  }
})

test("a step that fails changes nothing, keeps nobody else waiting, and is taken again", async ({ database }) => {
  await using store = openStore(database)
  const [broken, sound] = [await makeOrganization(database), await makeOrganization(database)]
  for (const orgId of [broken, sound]) await store.at(5, orgId, [makeSignal({ at: minutesIn(1) })])
  await countAll(database.worker, NOW)
  const queueOf = async (orgId: string) =>
    (await sql`select to_jsonb(o) from arrived_operation o where org_id = ${orgId}::uuid`.execute(database.owner)).rows
  const before = await queueOf(broken)
  const failing: typeof finder = {
    ...finder,
    observe(state, arrivals, roster: Roster, orgId) {
      const found = finder.observe(state, arrivals, roster, orgId)
      if (orgId === broken && state.hours === 2) throw new Error("out of memory")
      return found
    },
  }
  await expect(detectAllWith(failing, { db: database.worker, now: after(3) })).rejects.toThrow("out of memory")
  expect(await queueOf(broken)).toEqual(before)
  expect(await queueOf(sound)).toEqual([])
  expect(await incidentsOf(database, broken)).toEqual({ incidents: [], events: [] })
  await detectAllWith(finder, { db: database.worker, now: after(3) })
  expect(await incidentsOf(database, broken)).toEqual(await incidentsOf(database, sound))
  expect((await incidentsOf(database, broken)).events.map(({ kind }) => kind)).toEqual(["opened", "recovered"])
})

test("a memory of another version is not read, which is told", async ({ database }) => {
  const orgId = await makeOrganization(database)
  await using store = openStore(database)
  await store.at(5, orgId, [makeSignal({ at: minutesIn(1) })])
  await detect(database, after(1))
  await database.owner
    .updateTable("detector_state")
    .set({ memory_format: MEMORY_FORMAT - 1 })
    .execute()
  const told: string[] = []
  const tell = (line: string) => told.push(line)
  await detectAllWith(witness, { db: database.worker, now: after(2), tell })
  expect(told).toEqual([expect.stringContaining(orgId)])
  expect((await seenOf(database, orgId)).map(({ until }) => until)).toEqual([START + 2 * HOUR_MS])
})

test("a memory comes back as it was saved, without what an earlier and longer one had", async ({ database }) => {
  const orgId = await makeOrganization(database)
  await database.owner.insertInto("detector_state").values({ org_id: orgId }).execute()
  const parts = [{ map: new Map([[1, new Float64Array([0.5, Infinity])]]), missing: null }, "end"]
  const read = await database.owner.transaction().execute(async (tx) => {
    await saveMemory(tx, orgId, ["longer", "than", "that"])
    await saveMemory(tx, orgId, parts)
    const stored: unknown[] = []
    for await (const part of readMemory(tx, orgId)) stored.push(part)
    return stored
  })
  expect(read).toEqual(parts)
})

test("an organization is observed with its own people, teams and hours, and nobody else's", async ({ database }) => {
  await using store = openStore(database)
  const [theirs, ours] = [await makeOrganization(database), await makeOrganization(database)]
  const rosters = new Map<string, Roster>()
  const noting: Detector<Seen> = {
    ...witness,
    observe(state, arrivals, roster, orgId) {
      rosters.set(orgId, roster)
      return witness.observe(state, arrivals, roster, orgId)
    },
  }
  await database.owner.updateTable("org").set({ time_zone: "Europe/Berlin" }).where("id", "=", ours).execute()
  const [team] = [await makeTeam(database, ours, "Payments"), await makeTeam(database, theirs, "Theirs")]
  const abroad = await makeTeam(database, ours, "Abroad")
  await database.owner.updateTable("team").set({ time_zone: "Asia/Kolkata" }).where("id", "=", abroad).execute()
  await joinTeam(database, { orgId: ours, person: "ada", teamId: team, from: "2026-07-01", to: "2026-12-01" })
  await joinTeam(database, { orgId: ours, person: "ada", teamId: abroad, from: "2026-12-01" })
  for (const orgId of [theirs, ours]) {
    await store.at(5, orgId, [makeSignal({ at: minutesIn(1), operationId: `of ${orgId}` })])
  }
  await detect(database, after(1), noting)
  for (const orgId of [theirs, ours]) {
    const operations = (await seenOf(database, orgId)).flatMap((arrivals) => arrivals.operations)
    expect(operations.map(({ operation }) => operation)).toEqual([`of ${orgId}`])
  }
  const roster = rosters.get(ours)
  const ada = await developerOf(database, ours, "ada")
  expect(Object.fromEntries((roster?.teams ?? []).map(({ id, offsetMinutes }) => [id, offsetMinutes(START)]))).toEqual({
    [team]: 60,
    [abroad]: 330,
  })
  expect([...(roster?.memberships ?? [])]).toEqual([
    [
      ada,
      [
        { team, from: Date.parse("2026-06-30T22:00:00Z"), to: Date.parse("2026-11-30T23:00:00Z") },
        { team: abroad, from: Date.parse("2026-11-30T23:00:00Z"), to: null },
      ],
    ],
  ])
})
