import { expect } from "vitest"
import type { Origin, Outcome, Rung } from "#sdk/ladder.ts"
import { test } from "../../test/db.ts"
import { emailOf, joinTeam, makeOrganization, makeSignal, makeTeam, NOW, storeAndCount } from "../../test/factories.ts"
import { asTenant } from "../db/tenant.ts"
import { LATENCY_RELATIVE_ERROR } from "../rollup/histogram.ts"
import { ensureDeveloper } from "../team/developers.ts"
import type { LadderScope } from "./figures.ts"
import { getLadder, type TeamFigures } from "./queries.ts"

const DAY_MS = 86_400_000
const daysBefore = (days: number) => new Date(NOW.getTime() - days * DAY_MS)

/** NOW is a Friday; the week began on the 16th. */
const LATER = new Date(NOW.getTime() + 1000)

const SCOPE: LadderScope = {
  from: NOW,
  to: LATER,
  now: LATER,
  teamId: null,
  ownDeveloperIds: null,
  bucket: "day",
  timeZone: "UTC",
}

const PEOPLE = ["ada", "ben", "chen", "dana", "eli"] as const

/** Latency is told from a histogram. */
const about = (ms: number) =>
  expect.toSatisfy((actual: number) => Math.abs(actual / ms - 1) <= LATENCY_RELATIVE_ERROR, `about ${ms}`)

/** One decided operation of each person. */
const decided = (rung: Rung, people: readonly string[], outcome: Outcome, origin: Origin = "human") =>
  people.map((person) => makeSignal({ person, rung, outcome, origin, latencyMs: 100 }))

test("acceptance divides sums, withholds what fewer than five people decided, and absence is never zero", async ({
  database,
  db,
}) => {
  const orgId = await makeOrganization(database)
  await storeAndCount(database, orgId, [
    ...decided("chat", PEOPLE.slice(0, 4), "accepted"),
    ...decided("autocomplete", PEOPLE, "accepted"),
    // One eager person must count as many times as they decided, not as one fifth.
    ...Array.from({ length: 15 }, () =>
      makeSignal({ person: "ada", rung: "autocomplete", outcome: "rejected", origin: "human" }),
    ),
  ])
  const { rungs, freshness } = await asTenant(db, orgId, (tx) => getLadder(tx, SCOPE))
  // That telemetry arrives is no secret.
  expect(freshness.signals).toBe(24)
  expect(rungs.map(({ rung, acceptanceState, acceptance }) => ({ rung, acceptanceState, acceptance }))).toEqual([
    { rung: "autocomplete", acceptanceState: "shown", acceptance: 5 / 20 },
    { rung: "chat", acceptanceState: "withheld", acceptance: null },
    { rung: "agent", acceptanceState: "no_data", acceptance: null },
    { rung: "orchestration", acceptanceState: "no_data", acceptance: null },
  ])
  const chat = rungs[1]
  expect(chat).toMatchObject({
    developers: null,
    operations: null,
    volumeState: "withheld",
    latencyP95Ms: null,
    latencyState: "withheld",
  })
})

test("what a rule, hook or mode approved is not acceptance", async ({ database, db }) => {
  const orgId = await makeOrganization(database)
  await storeAndCount(database, orgId, [
    ...decided("agent", PEOPLE, "accepted", "rule"),
    ...decided("agent", PEOPLE, "accepted", "hook"),
    ...decided("agent", PEOPLE, "accepted", "mode"),
    ...decided("agent", PEOPLE, "rejected", "unknown"),
  ])
  const { rungs } = await asTenant(db, orgId, (tx) => getLadder(tx, SCOPE))
  expect(rungs[2]).toMatchObject({ operations: 20, acceptanceState: "not_decidable", acceptance: null, presented: 0 })
})

test("an operation stands on the highest rung of its signals, and a sub-agent's on its run's", async ({
  database,
  db,
}) => {
  const orgId = await makeOrganization(database)
  await storeAndCount(
    database,
    orgId,
    PEOPLE.flatMap((person) => [
      makeSignal({ person, kind: "start", operationId: `asked ${person}` }),
      makeSignal({ person, kind: "tool_call", rung: "agent", operationId: `asked ${person}` }),
      makeSignal({ person, kind: "run", rung: "orchestration", operationId: `run ${person}`, durationMs: 5000 }),
      makeSignal({
        person,
        kind: "edit",
        rung: "agent",
        operationId: `child ${person}`,
        parentOperationId: `run ${person}`,
        outcome: "modified",
        origin: "human",
      }),
    ]),
  )
  const { rungs } = await asTenant(db, orgId, (tx) => getLadder(tx, SCOPE))
  expect(rungs.map(({ rung, operations, presented }) => ({ rung, operations, presented }))).toEqual([
    { rung: "autocomplete", operations: 0, presented: 0 },
    { rung: "chat", operations: 0, presented: 0 },
    { rung: "agent", operations: 5, presented: 0 },
    { rung: "orchestration", operations: 5, presented: 5 },
  ])
})

test("a prompt that handed work to agents is orchestration, in whichever batch they reported", async ({
  database,
  db,
}) => {
  const orgId = await makeOrganization(database)
  for (const person of PEOPLE) {
    await storeAndCount(database, orgId, [makeSignal({ person, kind: "start", operationId: `p ${person}` })])
    await storeAndCount(database, orgId, [
      makeSignal({
        person,
        kind: "task",
        rung: "orchestration",
        operationId: `a ${person}`,
        parentOperationId: `p ${person}`,
      }),
    ])
  }
  const { rungs } = await asTenant(db, orgId, (tx) => getLadder(tx, SCOPE))
  expect(rungs.map((row) => row.operations)).toEqual([0, 0, 0, 5])
})

test("latency is the first token below agent and the whole from there on", async ({ database, db }) => {
  const orgId = await makeOrganization(database)
  const later = (ms: number) => new Date(NOW.getTime() - 60_000 + ms)
  await storeAndCount(
    database,
    orgId,
    PEOPLE.flatMap((person, index) => [
      makeSignal({ person, rung: "chat", latencyMs: 100 * (index + 1), durationMs: 9000 }),
      makeSignal({ person, rung: "agent", kind: "task", latencyMs: 1, durationMs: 1000 * (index + 1) }),
      // Nothing says how long it took, so it took from the prompt to the last that was heard of it.
      makeSignal({ person, rung: "orchestration", kind: "start", operationId: `o ${person}`, at: later(0) }),
      makeSignal({ person, rung: "orchestration", kind: "tool_call", operationId: `o ${person}`, at: later(2500) }),
    ]),
  )
  const { rungs } = await asTenant(db, orgId, (tx) => getLadder(tx, SCOPE))
  expect(rungs[1]).toMatchObject({ latencyP50Ms: about(300), latencyP95Ms: about(480), latencyCount: 5 })
  expect(rungs[2]).toMatchObject({ latencyP50Ms: about(3000), latencyP95Ms: about(4800) })
  expect(rungs[3]).toMatchObject({ latencyP50Ms: about(2500), latencyP95Ms: about(2500) })
  expect(rungs[0]).toMatchObject({ latencyState: "no_data", latencyP95Ms: null })
})

test("people count in the team they were in on the day", async ({ database, db }) => {
  const orgId = await makeOrganization(database)
  const [red, blue] = [await makeTeam(database, orgId, "Red"), await makeTeam(database, orgId, "Blue")]
  for (const person of PEOPLE) {
    await joinTeam(database, { orgId, person, teamId: red, from: "2026-01-01", to: "2026-11-18" })
    await joinTeam(database, { orgId, person, teamId: blue, from: "2026-11-18" })
  }
  const on = (day: string) => PEOPLE.map((person) => makeSignal({ person, at: new Date(`${day}T10:00:00Z`) }))
  await storeAndCount(database, orgId, [...on("2026-11-17"), ...on("2026-11-18"), ...on("2026-11-19")])
  const { teams } = await asTenant(db, orgId, (tx) => getLadder(tx, SCOPE))
  expect(
    teams
      .map(({ teamId, operations }) => ({ teamId, operations }))
      .toSorted((a, b) => Number(a.operations) - Number(b.operations)),
  ).toEqual([
    { teamId: red, operations: 5 },
    { teamId: blue, operations: 10 },
  ])
  const onlyRed = await asTenant(db, orgId, (tx) => getLadder(tx, { ...SCOPE, teamId: red }))
  expect(onlyRed.rungs[1]?.operations).toBe(5)
})

test("a team of four is withheld altogether, its volume too", async ({ database, db }) => {
  const orgId = await makeOrganization(database)
  const teamId = await makeTeam(database, orgId, "Four")
  for (const person of PEOPLE.slice(0, 4)) await joinTeam(database, { orgId, person, teamId, from: "2026-01-01" })
  await storeAndCount(database, orgId, decided("chat", PEOPLE.slice(0, 4), "accepted"))
  for (const scope of [SCOPE, { ...SCOPE, teamId }]) {
    const ladder = await asTenant(db, orgId, (tx) => getLadder(tx, scope))
    const figures = scope.teamId === null ? ladder.teams[0] : ladder.rungs[1]
    expect(figures).toMatchObject({
      operations: null,
      volumeState: "withheld",
      developers: null,
      acceptance: null,
      accepted: null,
      presented: null,
      latencyCount: null,
      promptsPerOperation: null,
    })
  }
})

test("one's own figures are shown to oneself", async ({ database, db }) => {
  const orgId = await makeOrganization(database)
  await storeAndCount(database, orgId, [
    ...decided("chat", ["ada"], "accepted"),
    ...decided("chat", ["ben"], "rejected"),
  ])
  const { rungs } = await asTenant(db, orgId, async (tx) =>
    getLadder(tx, {
      ...SCOPE,
      ownDeveloperIds: [await ensureDeveloper(tx, { orgId, email: emailOf("Ada").toUpperCase() })],
    }),
  )
  expect(rungs[1]).toMatchObject({ developers: 1, operations: 1, acceptance: 1, latencyP95Ms: about(100) })
})

test("an identity that was found to be someone's counts as theirs, in their team, and not as one more person", async ({
  database,
  db,
}) => {
  const orgId = await makeOrganization(database)
  const teamId = await makeTeam(database, orgId, "All")
  for (const person of PEOPLE) await joinTeam(database, { orgId, person, teamId, from: "2026-01-01" })
  const laptop = { identity: { kind: "installation" as const, value: "laptop-7" } }
  await storeAndCount(database, orgId, [...PEOPLE.map((person) => makeSignal({ person })), makeSignal(laptop)])
  const chat = async () => {
    const { rungs } = await asTenant(db, orgId, (tx) => getLadder(tx, { ...SCOPE, teamId }))
    return [rungs[1]?.developers, rungs[1]?.operations]
  }
  // Withheld: the organization's figures less the team's would be the laptop's alone.
  expect(await chat()).toEqual([null, null])
  const ada = await asTenant(db, orgId, (tx) => ensureDeveloper(tx, { orgId, email: emailOf("ada") }))
  await database.owner
    .updateTable("developer")
    .set({ merged_into_id: ada })
    .where("id", "in", (query) =>
      query.selectFrom("developer_identity").select("developer_id").where("kind", "=", "installation"),
    )
    .execute()
  expect(await chat()).toEqual([5, 6])
})

test("the period before and the days of this one are told apart", async ({ database, db }) => {
  const orgId = await makeOrganization(database)
  const on = (days: number, outcome: Outcome) =>
    PEOPLE.map((person) => makeSignal({ person, at: daysBefore(days), outcome, origin: "human" }))
  await storeAndCount(database, orgId, [
    ...on(10, "accepted"),
    ...on(3, "rejected"),
    ...on(1, "accepted"),
    ...on(20, "accepted"),
  ])
  const ladder = await asTenant(db, orgId, (tx) => getLadder(tx, SCOPE))
  expect(ladder.rungs[1]).toMatchObject({ presented: 10, acceptance: 0.5 })
  expect(ladder.previous[1]).toMatchObject({ presented: 5, acceptance: 1 })
  expect(ladder.buckets.map(({ bucketStart, acceptance }) => [bucketStart.toISOString(), acceptance])).toEqual([
    ["2026-11-17T00:00:00.000Z", 0],
    ["2026-11-19T00:00:00.000Z", 1],
  ])
  expect(ladder.freshness).toMatchObject({ signals: 10, lastObservedAt: daysBefore(1) })
})

test("one organization never reads another's signals, even with its team's id", async ({ database, db }) => {
  const [theirs, ours] = [await makeOrganization(database), await makeOrganization(database)]
  const teamId = await makeTeam(database, theirs, "Theirs")
  for (const person of PEOPLE) await joinTeam(database, { orgId: theirs, person, teamId, from: "2026-01-01" })
  await storeAndCount(database, theirs, decided("chat", PEOPLE, "accepted"))
  for (const scope of [SCOPE, { ...SCOPE, teamId }]) {
    const ladder = await asTenant(db, ours, (tx) => getLadder(tx, scope))
    expect(ladder.rungs.map((row) => row.volumeState)).toEqual(["no_data", "no_data", "no_data", "no_data"])
    expect(ladder.freshness.signals).toBe(0)
  }
})

test("an operation whose person only some records name is that person's, once", async ({ database, db }) => {
  const orgId = await makeOrganization(database)
  await storeAndCount(
    database,
    orgId,
    PEOPLE.flatMap((person) => [
      makeSignal({ kind: "start", identity: null, operationId: `asked ${person}`, agentTool: "opencode" }),
      makeSignal({ person, kind: "tool_call", rung: "agent", operationId: `asked ${person}`, agentTool: "opencode" }),
    ]),
  )
  const { rungs } = await asTenant(db, orgId, (tx) => getLadder(tx, SCOPE))
  expect(rungs[1]?.volumeState).toBe("no_data")
  expect(rungs[2]).toMatchObject({ operations: 5, developers: 5, agentTools: ["opencode"] })
})

test("figures of exactly k people are shown, of one fewer they are not", async ({ database, db }) => {
  const orgId = await makeOrganization(database)
  await storeAndCount(database, orgId, [
    ...decided("chat", PEOPLE, "accepted"),
    ...decided("autocomplete", PEOPLE.slice(1), "accepted"),
  ])
  const { rungs } = await asTenant(db, orgId, (tx) => getLadder(tx, SCOPE))
  expect(rungs[1]).toMatchObject({ volumeState: "shown", developers: 5, presented: 5, latencyCount: 5 })
  expect(rungs[0]).toMatchObject({ volumeState: "withheld", developers: null, presented: null, latencyCount: null })
})

test("a team of enough people is withheld where its total would give a smaller one away", async ({ database, db }) => {
  const orgId = await makeOrganization(database)
  const people = Array.from({ length: 14 }, (_, index) => `person${index}`)
  const teams = new Map<string, readonly string[]>([
    ["Six", people.slice(0, 6)],
    ["Five", people.slice(6, 11)],
    ["Three", people.slice(11)],
  ])
  const names = new Map<string, string>()
  for (const [name, members] of teams) {
    const teamId = await makeTeam(database, orgId, name)
    names.set(teamId, name)
    for (const person of members) await joinTeam(database, { orgId, person, teamId, from: "2026-01-01" })
  }
  await storeAndCount(database, orgId, decided("chat", people, "accepted"))
  const ladder = await asTenant(db, orgId, (tx) => getLadder(tx, SCOPE))
  expect(ladder.rungs[1]).toMatchObject({ operations: 14 })
  const seen = (rows: readonly TeamFigures[]) =>
    Object.fromEntries(rows.map((row) => [names.get(row.teamId), row.operations]))
  expect(seen(ladder.teams)).toEqual({ Six: 6, Five: null, Three: null })
  // The filter shows a team what the table of teams does.
  for (const [teamId, name] of names) {
    const filtered = await asTenant(db, orgId, (tx) => getLadder(tx, { ...SCOPE, teamId }))
    expect([name, filtered.rungs[1]?.operations]).toEqual([name, seen(ladder.teams)[name]])
  }
})

test("a top-level team has the figures of its sub-teams and its own members", async ({ database, db }) => {
  const orgId = await makeOrganization(database)
  const commerce = await makeTeam(database, orgId, "Commerce")
  const checkout = await makeTeam(database, orgId, "Checkout", commerce)
  const people = Array.from({ length: 10 }, (_, index) => `person${index}`)
  for (const [index, person] of people.entries()) {
    await joinTeam(database, { orgId, person, teamId: index < 5 ? commerce : checkout, from: "2026-01-01" })
  }
  await storeAndCount(database, orgId, decided("chat", people, "accepted"))
  const { teams } = await asTenant(db, orgId, (tx) => getLadder(tx, SCOPE))
  expect(new Map(teams.map((row) => [row.teamId, row.operations]))).toEqual(
    new Map([
      [commerce, 10],
      [checkout, 5],
    ]),
  )
})

test("whoever moved counts in each team for their days, and a move leaves the weeks before as they were", async ({
  database,
  db,
}) => {
  const orgId = await makeOrganization(database)
  const [red, blue] = [await makeTeam(database, orgId, "Red"), await makeTeam(database, orgId, "Blue")]
  const reds = [...PEOPLE, "mover"]
  const blues = ["fay", "gil", "hana", "ivo", "jun"]
  for (const person of PEOPLE) await joinTeam(database, { orgId, person, teamId: red, from: "2026-01-01" })
  for (const person of blues) await joinTeam(database, { orgId, person, teamId: blue, from: "2026-01-01" })
  await joinTeam(database, { orgId, person: "mover", teamId: red, from: "2026-01-01" })
  const on = (day: string) =>
    [...reds, ...blues].map((person) => makeSignal({ person, at: new Date(`${day}T10:00:00Z`) }))
  await storeAndCount(database, orgId, [...on("2026-11-10"), ...on("2026-11-17"), ...on("2026-11-19")])
  const operations = async (from: Date, to: Date) => {
    const { teams } = await asTenant(db, orgId, (tx) => getLadder(tx, { ...SCOPE, from, to }))
    return [red, blue].map((teamId) => teams.find((row) => row.teamId === teamId)?.operations)
  }
  const lastWeek = [daysBefore(10), daysBefore(10)] as const
  expect(await operations(...lastWeek)).toEqual([6, 5])
  expect(await operations(NOW, LATER)).toEqual([12, 10])
  // Overlaps with the stay in Red that was never ended: the later one counts.
  await joinTeam(database, { orgId, person: "mover", teamId: blue, from: "2026-11-18" })
  expect(await operations(...lastWeek)).toEqual([6, 5])
  expect(await operations(NOW, LATER)).toEqual([11, 11])
})

test("a figure sums the weeks that may be shown and says how many they are", async ({ database, db }) => {
  const orgId = await makeOrganization(database)
  const week = (weeksBefore: number, people: readonly string[]) =>
    people.map((person) =>
      makeSignal({ person, at: daysBefore(7 * weeksBefore), outcome: "accepted", origin: "human" }),
    )
  await storeAndCount(database, orgId, [
    ...week(0, PEOPLE),
    ...week(1, PEOPLE.slice(0, 2)),
    ...week(3, PEOPLE.slice(0, 4)),
    ...week(4, PEOPLE.slice(0, 4)),
  ])
  const ladder = await asTenant(db, orgId, (tx) => getLadder(tx, { ...SCOPE, from: daysBefore(21) }))
  expect(ladder.rungs[1]).toMatchObject({
    operations: 5,
    developers: 5,
    presented: 5,
    weeks: { volume: { shown: 1, total: 3 }, acceptance: { shown: 1, total: 3 }, latency: { shown: 0, total: 0 } },
  })
  expect(ladder.previous[1]).toMatchObject({
    operations: null,
    volumeState: "withheld",
    weeks: { volume: { shown: 0, total: 1 } },
  })
})

test("work past midnight is whole and in the week in which it began, whichever weeks are asked for", async ({
  database,
  db,
}) => {
  const orgId = await makeOrganization(database)
  const [sunday, monday] = [new Date("2026-11-15T23:50:00Z"), new Date("2026-11-16T00:10:00Z")]
  await storeAndCount(
    database,
    orgId,
    PEOPLE.flatMap((person) => [
      makeSignal({ person, rung: "agent", kind: "start", operationId: `late ${person}`, at: sunday }),
      makeSignal({
        person,
        rung: "agent",
        kind: "edit",
        operationId: `late ${person}`,
        at: monday,
        outcome: "accepted",
        origin: "human",
      }),
    ]),
  )
  const agent = async (from: Date, to: Date) => {
    const ladder = await asTenant(db, orgId, (tx) => getLadder(tx, { ...SCOPE, from, to }))
    return [ladder.rungs[2], ladder.previous[2]].map((row) => [row?.operations, row?.presented])
  }
  expect(await agent(monday, LATER)).toEqual([
    [0, 0],
    [5, 5],
  ])
  expect(await agent(sunday, monday)).toEqual([
    [5, 5],
    [0, 0],
  ])
  expect(await agent(sunday, LATER)).toEqual([
    [5, 5],
    [0, 0],
  ])
})

test("days are shown of the organization and of oneself, and of a team weeks", async ({ database, db }) => {
  const orgId = await makeOrganization(database)
  const teamId = await makeTeam(database, orgId, "All")
  for (const person of PEOPLE) await joinTeam(database, { orgId, person, teamId, from: "2026-01-01" })
  await storeAndCount(
    database,
    orgId,
    [1, 2].flatMap((days) => PEOPLE.map((person) => makeSignal({ person, at: daysBefore(days) }))),
  )
  const own = [await asTenant(db, orgId, (tx) => ensureDeveloper(tx, { orgId, email: emailOf("ada") }))]
  const days = async (scope: Partial<LadderScope>) => {
    const { bucket, buckets } = await asTenant(db, orgId, (tx) => getLadder(tx, { ...SCOPE, ...scope }))
    return [bucket, ...buckets.map((row) => row.operations)]
  }
  expect(await days({})).toEqual(["day", 5, 5])
  expect(await days({ teamId })).toEqual(["week", 10])
  expect(await days({ ownDeveloperIds: own })).toEqual(["day", 1, 1])
})
