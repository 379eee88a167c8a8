import { expect } from "vitest"
import { test } from "../../test/db.ts"
import { joinTeam, makeOrganization, makeSignal, makeTeam, NOW, storeAndCount } from "../../test/factories.ts"
import { asTenant } from "../db/tenant.ts"
import { LATENCY_RELATIVE_ERROR } from "../rollup/histogram.ts"
import {
  getDoseResponse,
  getFirstTokens,
  getLatency,
  type LatencyScope,
  listModelLatency,
  listToolLatency,
} from "./queries.ts"

const DAY_MS = 86_400_000
/** NOW is a Friday; the week began on the 16th. */
const daysBefore = (days: number) => new Date(NOW.getTime() - days * DAY_MS)

const SCOPE: LatencyScope = { from: NOW, to: NOW, now: NOW, teamId: null, bucket: "week", timeZone: "UTC" }

const PEOPLE = ["ada", "ben", "chen", "dana", "eli"] as const
const OTHERS = PEOPLE.map((person) => `${person}2`)

/** Latency is told from a histogram. */
const about = (ms: number) =>
  expect.toSatisfy((actual: number) => Math.abs(actual / ms - 1) <= LATENCY_RELATIVE_ERROR, `about ${ms}`)

const suggestions = (people: readonly string[], latencyMs: number, fields: Parameters<typeof makeSignal>[0] = {}) =>
  people.map((person) => makeSignal({ person, kind: "suggestion", rung: "autocomplete", latencyMs, ...fields }))

test("percentiles, the late share and their distribution are those of the operations", async ({ database, db }) => {
  const orgId = await makeOrganization(database)
  await storeAndCount(database, orgId, [
    ...[100, 100, 120, 400].flatMap((ms) => suggestions(PEOPLE, ms)),
    // The week before.
    ...suggestions(PEOPLE, 90, { at: daysBefore(7) }),
    // Fewer than five people.
    ...PEOPLE.slice(0, 4).map((person) => makeSignal({ person, kind: "task", rung: "agent", durationMs: 60_000 })),
  ])
  const latency = await asTenant(db, orgId, (tx) => getLatency(tx, SCOPE))
  const [autocomplete, chat, agent] = latency.rungs
  expect(autocomplete).toMatchObject({
    state: "shown",
    timed: 20,
    people: 5,
    p50Ms: about(110),
    p95Ms: about(400),
    p99Ms: about(400),
    lateShare: 0.25,
  })
  expect(latency.previous[0]).toMatchObject({ p50Ms: about(90), timed: 5, lateShare: 0 })
  expect(chat).toMatchObject({ state: "no_data", timed: null, lateShare: null })
  expect(agent).toMatchObject({ state: "withheld", timed: null, people: null, p95Ms: null, lateShare: null })
  const [bucket] = latency.buckets
  expect(bucket).toMatchObject({ rung: "autocomplete", useState: "shown", operations: 20, users: 5 })
  expect(bucket?.bands.reduce((sum, { count }) => sum + count, 0)).toBe(20)
  expect(bucket?.bands.map(({ fromMs, toMs, count }) => [fromMs <= 400 && 400 < toMs, count])).toContainEqual([true, 5])
})

test("people's latency is their team's of the day, late signals are of their own day, and weeks begin in the zone", async ({
  database,
  db,
}) => {
  const orgId = await makeOrganization(database)
  await database.owner.updateTable("org").set({ time_zone: "Europe/Berlin" }).where("id", "=", orgId).execute()
  const [red, blue] = [await makeTeam(database, orgId, "Red"), await makeTeam(database, orgId, "Blue")]
  for (const person of PEOPLE) {
    await joinTeam(database, { orgId, person, teamId: red, from: "2026-01-01", to: "2026-11-18" })
    await joinTeam(database, { orgId, person, teamId: blue, from: "2026-11-18" })
  }
  const at = (text: string) => ({ at: new Date(text) })
  await storeAndCount(database, orgId, [
    ...suggestions(PEOPLE, 100, at("2026-11-17T10:00:00Z")),
    ...suggestions(PEOPLE, 800, at("2026-11-18T10:00:00Z")),
  ])
  // Summer time ended on Sunday, 25 October: these are of the last hour of that day, and came four weeks late.
  await storeAndCount(database, orgId, suggestions(PEOPLE, 50, at("2026-10-25T22:30:00Z")))
  const scope = { ...SCOPE, timeZone: "Europe/Berlin", from: new Date("2026-10-18T22:00:00Z") }
  const { teams, buckets, rungs } = await asTenant(db, orgId, (tx) => getLatency(tx, scope))
  const of = (teamId: string) => teams.find((row) => row.teamId === teamId)
  expect(of(red)).toMatchObject({ timed: 10, p99Ms: about(100) })
  expect(of(blue)).toMatchObject({ timed: 5, p50Ms: about(800) })
  expect(rungs[0]).toMatchObject({ timed: 15, weeks: { shown: 2, total: 2 } })
  expect(buckets.map(({ bucketStart, timed }) => [bucketStart.toISOString(), timed])).toEqual([
    // 22:00 in summer, 23:00 in winter.
    ["2026-10-18T22:00:00.000Z", 5],
    ["2026-11-15T23:00:00.000Z", 10],
  ])
})

test("tools are told apart when what they leave is nobody or enough people, also beside the teams", async ({
  database,
  db,
}) => {
  const orgId = await makeOrganization(database)
  const scope = { ...SCOPE, rung: "autocomplete" as const }
  await storeAndCount(database, orgId, [
    ...suggestions([...PEOPLE, ...OTHERS], 100, { agentTool: "copilot" }),
    ...suggestions(OTHERS, 300, { agentTool: "codex" }),
    ...suggestions(["ada"], 900, { agentTool: "kilo" }),
  ])
  const names = async () =>
    (await asTenant(db, orgId, (tx) => listToolLatency(tx, scope))).map(({ name, state, timed, p50Ms }) => [
      name,
      state,
      timed,
      p50Ms,
    ])
  // Beside two of the three, kilo would be the difference to the whole. Which they are is withheld as well.
  expect(await names()).toEqual([
    ["copilot", "shown", 10, about(100)],
    [null, "withheld", null, null],
    [null, "withheld", null, null],
  ])
  // All who use codex are of one team: that team without codex would be its copilot, which is five people.
  const team = await makeTeam(database, orgId, "Red")
  for (const person of OTHERS) await joinTeam(database, { orgId, person, teamId: team, from: "2026-01-01" })
  await storeAndCount(database, orgId, suggestions([...PEOPLE, ...OTHERS], 900, { agentTool: "kilo" }))
  expect((await names()).map(([name, state]) => [name, state])).toEqual([
    ["kilo", "shown"],
    ["copilot", "shown"],
    ["codex", "shown"],
  ])
})

test("models are told by when they began to answer, of each call", async ({ database, db }) => {
  const orgId = await makeOrganization(database)
  const call = (model: string, latencyMs: number | null) => (person: string) =>
    makeSignal({ person, kind: "model_call", rung: "agent", operationId: `task ${person}`, model, latencyMs })
  await storeAndCount(database, orgId, [
    ...PEOPLE.map(call("opus", 2000)),
    ...PEOPLE.map(call("opus", 1000)),
    ...PEOPLE.map(call("haiku", 300)),
    ...PEOPLE.map(call("silent", null)),
  ])
  const scope = { ...SCOPE, rung: "agent" as const }
  const models = await asTenant(db, orgId, (tx) => listModelLatency(tx, scope))
  expect(models.map(({ name, timed, people, p50Ms, buckets }) => [name, timed, people, p50Ms, buckets.length])).toEqual(
    [
      ["opus", 10, 5, about(1500), 1],
      ["haiku", 5, 5, about(300), 1],
    ],
  )
  expect(await asTenant(db, orgId, (tx) => getFirstTokens(tx, scope))).toMatchObject({
    timed: 15,
    p50Ms: about(1000),
    previous: { state: "no_data" },
  })
  expect(await asTenant(db, orgId, (tx) => getFirstTokens(tx, { ...scope, rung: "chat" }))).toBeUndefined()
})

test("acceptance by latency sums the bands that enough people of a team decided in", async ({ database, db }) => {
  const orgId = await makeOrganization(database)
  const red = await makeTeam(database, orgId, "Red")
  for (const person of PEOPLE) await joinTeam(database, { orgId, person, teamId: red, from: "2026-01-01" })
  const decided = (people: readonly string[], latencyMs: number, accepted: number, rejected: number) =>
    people
      .flatMap((person) => [
        ...Array.from({ length: accepted }, () =>
          suggestions([person], latencyMs, { outcome: "accepted", origin: "human" }),
        ),
        ...Array.from({ length: rejected }, () =>
          suggestions([person], latencyMs, { outcome: "ignored", origin: "timeout" }),
        ),
      ])
      .flat()
  await storeAndCount(database, orgId, [
    ...decided(PEOPLE, 100, 9, 11),
    ...decided(PEOPLE, 500, 2, 18),
    // Alone in a band: withheld. The fast band of the rest is told of the organization only.
    ...decided(["ada"], 5000, 1, 0),
    ...decided(OTHERS, 100, 5, 5),
    // What a rule decided is no decision.
    ...suggestions(PEOPLE, 100, { outcome: "accepted", origin: "rule" }),
  ])
  const scope = { ...SCOPE, rung: "autocomplete" as const }
  const dose = (teamId: string | null) => asTenant(db, orgId, (tx) => getDoseResponse(tx, { ...scope, teamId }))
  const told = async (teamId: string | null) =>
    (await dose(teamId)).bands.map(({ people, accepted, presented }) => [people, accepted, presented])
  // To hide ada's one, a band of the others is withheld with it: the two have five people.
  expect(await told(red)).toEqual([[5, 10, 100]])
  expect(await told(null)).toEqual([
    [5, 25, 50],
    [5, 10, 100],
  ])
  expect(await dose(red)).toMatchObject({ state: "shown", cells: { shown: 1, total: 3 } })
  expect(await asTenant(db, orgId, (tx) => getDoseResponse(tx, { ...scope, teamId: null, rung: "chat" }))).toEqual({
    state: "no_data",
    cells: { shown: 0, total: 0 },
    bands: [],
    threshold: { state: "no_data" },
  })
})

test("the threshold is found where acceptance falls", async ({ database, db }) => {
  const orgId = await makeOrganization(database)
  const decided = (latencyMs: number, accepted: number) =>
    Array.from({ length: 20 }, (_, index) =>
      suggestions(PEOPLE, latencyMs, { outcome: index < accepted ? "accepted" : "rejected", origin: "human" }),
    ).flat()
  await storeAndCount(database, orgId, [...decided(100, 8), ...decided(150, 8), ...decided(300, 3)])
  const { threshold } = await asTenant(db, orgId, (tx) =>
    getDoseResponse(tx, { ...SCOPE, rung: "autocomplete", teamId: null }),
  )
  expect(threshold).toMatchObject({ state: "seen", below: 0.4, above: 0.15 })
  const from = threshold.state === "seen" ? threshold.fromMs : 0
  expect(from > 150 && from <= 300).toBe(true)
})
