import { expect } from "vitest"
import { test } from "../../test/db.ts"
import { joinTeam, makeOrganization, makeSignal, makeTeam, NOW, storeAndCount } from "../../test/factories.ts"
import { asTenant } from "../db/tenant.ts"
import { getLoops } from "../outcomes/loop-queries.ts"
import type { UsageScope } from "./queries.ts"
import { type Cut, getWork } from "./work-queries.ts"

/** NOW is Friday, 20 November. */
const SCOPE: UsageScope = { from: NOW, to: NOW, now: NOW, teamId: null, timeZone: "UTC" }
const PEOPLE = ["ada", "ben", "chen", "dana", "eli"] as const
const OTHERS = PEOPLE.map((person) => `${person}2`)
const WEEK_MS = 7 * 86_400_000

let operations = 0
/** A task with one call of a model. */
function makeTask(
  person: string,
  fields: Parameters<typeof makeSignal>[0] = {},
  call: Parameters<typeof makeSignal>[0] = {},
) {
  const operationId = `task ${operations++}`
  const of = { person, rung: "agent", operationId, agentTool: "codex", ...fields } as const
  return [
    makeSignal({ ...of, kind: "task" }),
    makeSignal({ ...of, kind: "model_call", model: "opus", inputTokens: 90, outputTokens: 10, costUsd: 0.5, ...call }),
  ]
}

test("operations are told by agent tool, mode and language of enough people, with what they took", async ({
  database,
  db,
}) => {
  const orgId = await makeOrganization(database)
  const before = new Date(NOW.getTime() - WEEK_MS)
  await storeAndCount(database, orgId, [
    ...PEOPLE.flatMap((person) => makeTask(person, { mode: "plan", language: "go" })),
    ...PEOPLE.flatMap((person) => makeTask(person, { mode: "plan", language: "go", at: before }, { costUsd: 0.25 })),
    // Without a price and without a cost.
    ...OTHERS.flatMap((person) =>
      makeTask(person, { agentTool: "kilo", mode: "code" }, { costUsd: null, model: "own" }),
    ),
    ...PEOPLE.map((person) => makeSignal({ person, agentTool: "copilot" })),
    makeSignal({ person: "ada", agentTool: "kilo" }),
  ])
  const rows = (await asTenant(db, orgId, (tx) => getWork(tx, SCOPE))).pieces ?? []
  const of = (cut: Cut) =>
    rows.filter((row) => row.cut === cut).map(({ cut: _cut, hasSeveral: _several, ...row }) => row)
  const withheld = {
    state: "withheld",
    name: null,
    operations: null,
    people: null,
    previous: null,
    spendState: "no_data",
    spend: null,
  }
  const codex = {
    rung: "agent",
    state: "shown",
    operations: 5,
    people: 5,
    previous: 5,
    spendState: "shown",
    spend: { tokens: 500, usd: 2.5, unpricedTokens: 0, previousUsd: 1.25 },
  }
  const kilo = {
    rung: "agent",
    state: "shown",
    operations: 5,
    people: 5,
    previous: null,
    spendState: "shown",
    spend: { tokens: 500, usd: 0, unpricedTokens: 500, previousUsd: null },
  }
  expect(of("agent_tool")).toEqual([
    { ...codex, name: "codex" },
    { ...kilo, name: "kilo" },
    // To hide kilo's one turn, its sibling is withheld too.
    { ...withheld, rung: "chat" },
    { ...withheld, rung: "chat" },
  ])
  const chat = {
    rung: "chat",
    state: "shown",
    operations: 6,
    people: 5,
    previous: null,
    spendState: "no_data",
    spend: null,
  }
  expect(of("mode")).toEqual([
    { ...kilo, name: "code" },
    { ...codex, name: "plan" },
    { ...chat, name: null },
  ])
  expect(of("language")).toEqual([
    { ...codex, name: "go" },
    { ...kilo, name: null },
    { ...chat, name: null },
  ])
})

test("a mode is withheld when less of it than of a tool would tell of one person", async ({ database, db }) => {
  const orgId = await makeOrganization(database)
  await storeAndCount(database, orgId, [
    ...[...PEOPLE, ...OTHERS].flatMap((person) => makeTask(person, { mode: "plan" })),
    // Of codex, all but one person's work is planning; of kilo all is other work.
    ...makeTask("ada", { mode: "code" }),
    ...OTHERS.flatMap((person) => makeTask(person, { agentTool: "kilo", mode: "code" })),
  ])
  const shown = async () =>
    ((await asTenant(db, orgId, (tx) => getWork(tx, SCOPE))).pieces ?? []).flatMap(({ cut, name, operations: count }) =>
      cut === "language" || name === null ? [] : [[cut, name, count]],
    )
  expect(await shown()).toEqual([
    ["agent_tool", "codex", 11],
    ["agent_tool", "kilo", 5],
  ])
  await storeAndCount(
    database,
    orgId,
    PEOPLE.flatMap((person) => makeTask(person, { mode: "code" })),
  )
  expect(await shown()).toEqual([
    ["agent_tool", "codex", 16],
    ["agent_tool", "kilo", 5],
    ["mode", "code", 11],
    ["mode", "plan", 10],
  ])
})

test("a team's operations are those of its people on the day, late ones too, and few are withheld", async ({
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
  for (const person of OTHERS) await joinTeam(database, { orgId, person, teamId: red, from: "2026-01-01" })
  const work = (teamId: string | null) =>
    asTenant(db, orgId, async (tx) => {
      const { rungs } = await getWork(tx, { ...SCOPE, teamId, timeZone: "Europe/Berlin" })
      return rungs.map(({ state, operations: count, people, spend }) => [state, count, people, spend?.usd ?? null])
    })
  const none = ["no_data", null, null, null]
  const on = (people: readonly string[], at: string) =>
    people.flatMap((person) => makeTask(person, { at: new Date(at) }))
  await storeAndCount(database, orgId, [
    ...on(PEOPLE, "2026-11-17T22:59:00Z"),
    // Wednesday in Berlin, Tuesday in UTC.
    ...on(PEOPLE, "2026-11-17T23:01:00Z"),
    ...on(OTHERS, "2026-11-19T10:00:00Z"),
  ])
  expect(await work(red)).toEqual([none, none, ["shown", 10, 10, 5], none])
  expect(await work(blue)).toEqual([none, none, ["shown", 5, 5, 2.5], none])
  // What comes later counts on its day.
  await storeAndCount(database, orgId, on(PEOPLE.slice(0, 2), "2026-11-16T09:00:00Z"))
  expect(await work(red)).toEqual([none, none, ["shown", 12, 10, 6], none])
  expect(await work(null)).toEqual([none, none, ["shown", 17, 10, 8.5], none])
  // Four people on another rung are nobody's to see.
  await storeAndCount(
    database,
    orgId,
    PEOPLE.slice(0, 4).flatMap((person) => makeTask(person, { rung: "orchestration", kind: "run" })),
  )
  expect((await work(null))[3]).toEqual(["withheld", null, null, null])
})

test("a loop is a task whose tools failed, and what it burned is told of enough people", async ({ database, db }) => {
  const orgId = await makeOrganization(database)
  const looped = (person: string, failed: number, fine: number) => {
    const task = makeTask(person)
    const operationId = task[0]?.operationId ?? null
    const tools = Array.from({ length: failed + fine }, (_, index) =>
      makeSignal({
        person,
        kind: "tool_call",
        rung: "agent",
        agentTool: "codex",
        operationId,
        error: index < failed ? "other" : null,
      }),
    )
    return [...task, ...tools]
  }
  const told = async () => {
    const { rungs } = await asTenant(db, orgId, (tx) => getLoops(tx, SCOPE))
    return rungs.map(({ rung, state, tasks, loops, people, burned }) => ({ rung, state, tasks, loops, people, burned }))
  }
  const none = { state: "no_data", tokens: null, usd: null }
  const other = { rung: "orchestration", state: "no_data", tasks: null, loops: null, people: null, burned: none }
  await storeAndCount(database, orgId, [
    ...PEOPLE.flatMap((person) => looped(person, 2, 10)),
    // Its calls of tools are not told one by one.
    ...makeTask("ada"),
  ])
  const agent = { rung: "agent", state: "shown", tasks: 5, loops: 0, people: 5, burned: none }
  expect(await told()).toEqual([agent, other])
  await storeAndCount(database, orgId, looped("ada", 5, 5))
  expect(await told()).toEqual([
    { ...agent, tasks: 6, loops: 1, burned: { state: "withheld", tokens: null, usd: null } },
    other,
  ])
  await storeAndCount(
    database,
    orgId,
    PEOPLE.slice(1).flatMap((person) => looped(person, 6, 0)),
  )
  expect(await told()).toEqual([
    { ...agent, tasks: 10, loops: 5, burned: { state: "shown", tokens: 500, usd: 2.5 } },
    other,
  ])
})
