import { expect } from "vitest"
import type { Rung } from "#sdk/ladder.ts"
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
import { asTenant } from "../db/tenant.ts"
import { listDevelopersOf } from "../team/identities.ts"
import { createAccount } from "../team/bootstrap.ts"
import { getMoves, getOwnRung, type Moves, type MoveScope } from "./move-queries.ts"

const DAY_MS = 86_400_000
const PEOPLE = ["ada", "ben", "chen", "dana", "eli"] as const
/** NOW is Friday, the 20th; the week before it. */
const SCOPE: MoveScope = {
  from: new Date("2026-11-09T00:00:00Z"),
  to: NOW,
  now: NOW,
  teamId: null,
  timeZone: "UTC",
}
/** Ten working days with runs, then seven with tasks: with the last of them, Tuesday the 17th, the rung has changed. */
const AT_WORK = ["10-26", "10-27", "10-28", "10-29", "10-30", "11-02", "11-03", "11-04", "11-05", "11-06"]
const FALLEN = ["11-09", "11-10", "11-11", "11-12", "11-13", "11-16", "11-17"]
const MOVED_ON = new Date("2026-11-17T00:00:00Z")

const work = (person: string, days: readonly string[], rung: Rung, times = 3) =>
  days.flatMap((day) =>
    Array.from({ length: times }, (_, index) =>
      makeSignal({
        person,
        rung,
        kind: rung === "orchestration" ? "run" : "task",
        at: new Date(Date.parse(`2026-${day}T09:00:00Z`) + index * 60_000),
      }),
    ),
  )
const runsThenTasks = (person: string) => [
  ...work(person, AT_WORK, "orchestration", 1),
  ...work(person, FALLEN, "agent", 4),
]
const read = (database: TestDatabase, orgId: string, scope: Partial<MoveScope> = {}): Promise<Moves> =>
  asTenant(database.app, orgId, (tx) => getMoves(tx, { ...SCOPE, ...scope }))
const classOf = (moves: Moves, name: string) => moves.classes.find((row) => row.class === name)

test("moves are shown by week, rungs and class when five people made them, and withheld when four did", async ({
  database,
}) => {
  const orgId = await makeOrganization(database)
  await storeAndCount(database, orgId, PEOPLE.slice(0, 4).flatMap(runsThenTasks))
  const few = await read(database, orgId)
  expect(few.weeks).toEqual([])
  expect(few.classes.map(({ state, moves, people }) => ({ state, moves, people }))).toEqual(
    // That nobody climbed would be told of four people too.
    Array.from({ length: 5 }, () => ({ state: "withheld", moves: null, people: null })),
  )

  await storeAndCount(database, orgId, runsThenTasks("eli"))
  const enough = await read(database, orgId)
  expect(enough.weeks).toEqual([
    {
      week: new Date("2026-11-16T00:00:00Z"),
      from: "orchestration",
      to: "agent",
      class: "voluntary_fall_back",
      moves: 5,
      people: 5,
    },
  ])
  expect(enough.classes).toMatchObject([
    { class: "climb", state: "shown", moves: 0 },
    { class: "voluntary_fall_back", state: "shown", moves: 5, people: 5, cells: { shown: 1, total: 1 } },
    { class: "forced", moves: 0 },
    { class: "disengagement", moves: 0 },
    { class: "recovery", moves: 0, recoveredAfterDays: null },
  ])
  // The move is of the week in progress.
  const before = await read(database, orgId, { to: new Date("2026-11-16T00:00:00Z") })
  expect(classOf(before, "voluntary_fall_back")).toMatchObject({ state: "shown", moves: 0 })
})

test("without an operating rung there is no data", async ({ database }) => {
  const orgId = await makeOrganization(database)
  await storeAndCount(
    database,
    orgId,
    PEOPLE.flatMap((person) => work(person, FALLEN.slice(0, 5), "agent")),
  )
  expect(new Set((await read(database, orgId)).classes.map(({ state }) => state))).toEqual(new Set(["no_data"]))
})

test("a team is withheld whose moves would tell those of the few outside of it", async ({ database }) => {
  const orgId = await makeOrganization(database)
  const teamId = await makeTeam(database, orgId, "Payments")
  for (const person of PEOPLE) await joinTeam(database, { orgId, person, teamId, from: "2026-01-01" })
  await storeAndCount(database, orgId, PEOPLE.flatMap(runsThenTasks))
  expect(classOf(await read(database, orgId, { teamId }), "voluntary_fall_back")).toMatchObject({ moves: 5 })

  await storeAndCount(database, orgId, runsThenTasks("fay"))
  expect(classOf(await read(database, orgId), "voluntary_fall_back")).toMatchObject({ state: "shown", moves: 6 })
  const team = await read(database, orgId, { teamId })
  expect(classOf(team, "voluntary_fall_back")).toMatchObject({ state: "withheld", moves: null })
  expect(team.weeks).toEqual([])
})

test("today is not over: what is not done yet moves nobody", async ({ database }) => {
  const orgId = await makeOrganization(database)
  await storeAndCount(database, orgId, PEOPLE.flatMap(runsThenTasks))
  const during = await read(database, orgId, { now: new Date(MOVED_ON.getTime() + DAY_MS - 1) })
  expect(classOf(during, "voluntary_fall_back")).toMatchObject({ moves: 0 })
  const after = await read(database, orgId, { now: new Date(MOVED_ON.getTime() + DAY_MS) })
  expect(classOf(after, "voluntary_fall_back")).toMatchObject({ moves: 5 })
})

test("a recovery says after how many days at the median", async ({ database }) => {
  const orgId = await makeOrganization(database)
  const runs = ["10-26", "10-27", "10-28", "10-29", "10-30", "10-31"]
  const tasks = ["11-01", "11-02", "11-03", "11-04", "11-05", "11-06", "11-07"]
  const runsAgain = ["11-08", "11-09", "11-10", "11-11"]
  await storeAndCount(
    database,
    orgId,
    PEOPLE.flatMap((person) => [
      ...work(person, runs, "orchestration", 1),
      ...work(person, tasks, "agent", 4),
      ...work(person, runsAgain, "orchestration", 1),
    ]),
  )
  // Fell with the seventh day of tasks and rose with the fourth of runs.
  expect(classOf(await read(database, orgId), "recovery")).toMatchObject({ moves: 5, recoveredAfterDays: 4 })
})

test("a change of policy, of the version of one's own tool, of team and an outage force a fall; another tool's does not", async ({
  database,
}) => {
  const change = (kind: string, subject: string) => (orgId: string) =>
    database.owner
      .insertInto("change")
      .values({ org_id: orgId, kind, subject, occurred_at: new Date("2026-11-09T08:00:00Z") })
      .execute()
  const outage = { kind: "data_quality", openedAt: new Date("2026-11-09T08:00:00Z") } as const
  const cases: readonly [string, (orgId: string) => Promise<unknown>][] = [
    ["voluntary_fall_back", async () => {}],
    ["forced", change("policy", "version 2")],
    ["forced", change("agent_version", "claude-code 3.0.0")],
    ["voluntary_fall_back", change("agent_version", "codex 3.0.0")],
    ["forced", (orgId) => makeIncident(database, { ...outage, orgId })],
    ["voluntary_fall_back", (orgId) => makeIncident(database, { ...outage, orgId, kind: "breakage" })],
    [
      "forced",
      async (orgId) => {
        const teamId = await makeTeam(database, orgId, "Payments")
        const next = await makeTeam(database, orgId, "Search")
        for (const person of PEOPLE) {
          await joinTeam(database, { orgId, person, teamId, from: "2026-01-01", to: "2026-11-09" })
          await joinTeam(database, { orgId, person, teamId: next, from: "2026-11-09" })
        }
      },
    ],
  ]
  for (const [expected, happen] of cases) {
    const orgId = await makeOrganization(database)
    await happen(orgId)
    await storeAndCount(database, orgId, PEOPLE.flatMap(runsThenTasks))
    expect((await read(database, orgId)).weeks.map((row) => row.class)).toEqual([expected])
  }
})

test("a person is shown their own rung and moves, whoever else is there", async ({ database, db }) => {
  const orgId = await makeOrganization(database)
  const email = "ada@example.com"
  const account = { orgId, email, role: "developer" as const, password: "not used here" }
  const { accountId } = await createAccount(database.owner, account)
  await storeAndCount(database, orgId, [...runsThenTasks("ada"), ...work("ben", AT_WORK, "agent")])
  const own = await asTenant(db, orgId, async (tx) =>
    getOwnRung(tx, {
      developerIds: await listDevelopersOf(tx, accountId),
      now: NOW,
      timeZone: "Europe/Berlin",
      limit: 5,
    }),
  )
  expect(own).toEqual({
    operating: "agent",
    gravity: 3,
    activeDays: 17,
    moves: [
      {
        at: new Date("2026-11-16T23:00:00Z"),
        from: "orchestration",
        to: "agent",
        class: "voluntary_fall_back",
        forcedBy: [],
        recoveredAfterDays: null,
      },
    ],
  })
})
