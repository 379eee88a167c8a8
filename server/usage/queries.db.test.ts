import { expect } from "vitest"
import { test } from "../../test/db.ts"
import { joinTeam, makeOrganization, makeSignal, makeTeam, NOW, storeAndCount } from "../../test/factories.ts"
import { asTenant } from "../db/tenant.ts"
import { getActivePeople, getCoverage, getSpend, listActiveDays, listWeekSeats, type UsageScope } from "./queries.ts"

/** NOW is Friday, 20 November: five working days of its week have begun. */
const SCOPE: UsageScope = { from: NOW, to: NOW, now: NOW, teamId: null, timeZone: "UTC" }
const PEOPLE = ["ada", "ben", "chen", "dana", "eli"] as const
const OTHERS = PEOPLE.map((person) => `${person}2`)

test("seats are people in a team as of the week, and use is deliberate", async ({ database, db }) => {
  const orgId = await makeOrganization(database)
  const [red, blue] = [await makeTeam(database, orgId, "Red"), await makeTeam(database, orgId, "Blue")]
  for (const person of PEOPLE) {
    await joinTeam(database, { orgId, person, teamId: red, from: "2026-01-01", to: "2026-11-18" })
    await joinTeam(database, { orgId, person, teamId: blue, from: "2026-11-18" })
  }
  for (const person of OTHERS) await joinTeam(database, { orgId, person, teamId: red, from: "2026-01-01" })
  // Who left before the week has no seat in it.
  await joinTeam(database, { orgId, person: "gone", teamId: red, from: "2026-01-01", to: "2026-11-16" })
  const shown = (person: string) => makeSignal({ person, kind: "suggestion", rung: "autocomplete", latencyMs: 90 })
  await storeAndCount(database, orgId, [
    ...PEOPLE.map((person) => makeSignal({ person })),
    ...OTHERS.map(shown),
    ...OTHERS.map((person) => makeSignal({ person, kind: "presence", rung: "autocomplete", durationMs: 60_000 })),
  ])
  const seats = (teamId: string | null) => asTenant(db, orgId, (tx) => listWeekSeats(tx, { ...SCOPE, teamId }))
  const week = new Date("2026-11-16T00:00:00Z")
  expect(await seats(null)).toEqual([{ week, state: "shown", active: 5, unused: 5 }])
  expect(await seats(blue)).toEqual([{ week, state: "shown", active: 5, unused: 0 }])
  // Of Red nobody is active, and five are not: without anybody's use there is nothing to show.
  expect(await seats(red)).toEqual([{ week, state: "withheld", active: null, unused: null }])

  // One who starts leaves four unused, who are told of nowhere.
  await storeAndCount(database, orgId, [makeSignal({ person: "ada2" })])
  expect(await seats(null)).toEqual([{ week, state: "shown", active: 6, unused: null }])
})

test("coverage divides days with signals by working days of people in a team", async ({ database, db }) => {
  const orgId = await makeOrganization(database)
  const red = await makeTeam(database, orgId, "Red")
  for (const person of PEOPLE) await joinTeam(database, { orgId, person, teamId: red, from: "2026-11-19" })
  await storeAndCount(
    database,
    orgId,
    PEOPLE.map((person) => makeSignal({ person })),
  )
  expect(await asTenant(db, orgId, (tx) => getCoverage(tx, SCOPE))).toEqual({
    state: "shown",
    eligibleDays: 10,
    seenDays: 5,
  })
})

test("spend by model is that of enough people, and each call is counted once", async ({ database, db }) => {
  const orgId = await makeOrganization(database)
  const call = (person: string, model: string, costUsd: number, at = NOW) =>
    makeSignal({
      person,
      at,
      kind: "model_call",
      rung: "agent",
      agentTool: "codex",
      model,
      inputTokens: 90,
      outputTokens: 10,
      costUsd,
    })
  await storeAndCount(database, orgId, [
    ...PEOPLE.map((person) => call(person, "opus", 0.5)),
    ...OTHERS.map((person) => call(person, "haiku", 0.1)),
    ...PEOPLE.map((person) => call(person, "opus", 0.4, new Date(NOW.getTime() - 7 * 86_400_000))),
    // A task repeats the tokens of its calls.
    ...PEOPLE.map((person) => makeSignal({ person, kind: "task", rung: "agent", agentTool: "codex", inputTokens: 90 })),
  ])
  expect((await asTenant(db, orgId, (tx) => getSpend(tx, SCOPE))).models).toEqual([
    { name: "opus", state: "shown", calls: 5, tokens: 500, usd: 2.5, unpricedTokens: 0, people: 5, previousUsd: 2 },
    { name: "haiku", state: "shown", calls: 5, tokens: 500, usd: 0.5, unpricedTokens: 0, people: 5, previousUsd: null },
  ])
})

test("active people are counted once a day and once in four weeks, and a day of too few is withheld", async ({
  database,
  db,
}) => {
  const orgId = await makeOrganization(database)
  const red = await makeTeam(database, orgId, "Red")
  for (const person of [...PEOPLE, ...OTHERS])
    await joinTeam(database, { orgId, person, teamId: red, from: "2026-01-01" })
  const on = (day: string, people: readonly string[]) =>
    people.flatMap((person) => [0, 1].map(() => makeSignal({ person, at: new Date(`${day}T10:00:00Z`) })))
  await storeAndCount(database, orgId, [
    ...on("2026-11-16", PEOPLE),
    ...on("2026-11-17", [...PEOPLE, ...OTHERS]),
    ...on("2026-11-18", PEOPLE.slice(0, 2)),
    ...on("2026-11-03", OTHERS.slice(0, 4)),
    // In no team.
    ...on("2026-11-16", ["elsewhere"]),
  ])
  const days = await asTenant(db, orgId, (tx) => listActiveDays(tx, SCOPE))
  // Wednesday's two, and with them another day: they would be the week's rest.
  expect(days.map(({ day, state, active }) => [day.toISOString().slice(0, 10), state, active])).toEqual([
    ["2026-11-16", "withheld", null],
    ["2026-11-17", "shown", 10],
    ["2026-11-18", "withheld", null],
  ])
  const active = (from: Date, teamId: string | null) =>
    asTenant(db, orgId, (tx) => getActivePeople(tx, { ...SCOPE, from, teamId }))
  const fourWeeks = new Date(NOW.getTime() - 21 * 86_400_000)
  expect(await active(NOW, red)).toEqual({ state: "shown", active: 10, weeks: { shown: 1, total: 1 } })
  expect(await active(fourWeeks, null)).toEqual({ state: "shown", active: 10, weeks: { shown: 1, total: 2 } })
})

test("teams' spend is that of their people, and a sibling of too few is hidden with the smallest other", async ({
  database,
  db,
}) => {
  const orgId = await makeOrganization(database)
  const [red, blue, few] = [
    await makeTeam(database, orgId, "Red"),
    await makeTeam(database, orgId, "Blue"),
    await makeTeam(database, orgId, "Few"),
  ]
  for (const person of PEOPLE) await joinTeam(database, { orgId, person, teamId: red, from: "2026-01-01" })
  for (const person of [...OTHERS, "fay"]) await joinTeam(database, { orgId, person, teamId: blue, from: "2026-01-01" })
  const call = (person: string, costUsd: number) =>
    makeSignal({ person, kind: "model_call", rung: "agent", model: "opus", inputTokens: 90, outputTokens: 10, costUsd })
  await storeAndCount(database, orgId, [
    ...PEOPLE.map((person) => call(person, 0.5)),
    ...[...OTHERS, "fay"].map((person) => call(person, 0.1)),
  ])
  const spend = async () =>
    (await asTenant(db, orgId, (tx) => getSpend(tx, SCOPE))).teams.map(({ weeks: _weeks, ...row }) => row)
  const none = { usd: null, tokens: null, calls: null, people: null, previousUsd: null }
  const ofBlue = { teamId: blue, state: "shown", usd: 0.6, tokens: 600, calls: 6, people: 6, previousUsd: null }
  expect(await spend()).toEqual([
    { teamId: red, state: "shown", usd: 2.5, tokens: 500, calls: 5, people: 5, previousUsd: null },
    ofBlue,
  ])
  await joinTeam(database, { orgId, person: "gil", teamId: few, from: "2026-01-01" })
  await storeAndCount(database, orgId, [call("gil", 9)])
  const rows = await spend()
  expect(rows[0]).toEqual(ofBlue)
  expect(rows).toContainEqual({ teamId: red, state: "withheld", ...none })
  expect(rows).toContainEqual({ teamId: few, state: "withheld", ...none })
})
