import { expect } from "vitest"
import { test } from "../../test/db.ts"
import { joinTeam, makeOrganization, makeSignal, makeTeam, NOW, storeAndCount } from "../../test/factories.ts"
import { asTenant } from "../db/tenant.ts"
import { removeObjective, setObjective } from "./commands.ts"
import { DEFAULT_OBJECTIVES, type Objective } from "./objectives.ts"
import { getObjective, listObjectives } from "./queries.ts"
import { verifyRollups } from "../rollup/rebuild.ts"
import { findShownScopes, readBudgets, readHistograms, readingsOf, readSlowCounts } from "./readings.ts"
import { scopeKey } from "./objectives.ts"

const CHAT = { rung: "chat", agentTool: null, model: null, teamId: null } as const
const minutesAgo = (minutes: number) => new Date(NOW.getTime() - minutes * 60_000)

function objectiveOf(fields: Partial<Objective>): Objective {
  const chat = DEFAULT_OBJECTIVES.find(({ rung }) => rung === "chat")
  if (chat === undefined) throw new Error("there is a default for chat")
  return { ...chat, ...fields }
}

test("every window holds what was observed in it, of the scope and its rung's own operations alone", async ({
  database,
  db,
}) => {
  const orgId = await makeOrganization(database)
  const turn = { kind: "turn", rung: "chat", agentTool: "claude-code", model: "m1" } as const
  await storeAndCount(database, orgId, [
    makeSignal({ ...turn, at: minutesAgo(1), latencyMs: 5000 }),
    makeSignal({ ...turn, at: minutesAgo(20), latencyMs: 100 }),
    makeSignal({ ...turn, at: minutesAgo(50), latencyMs: 5000, agentTool: "codex" }),
    makeSignal({ ...turn, at: minutesAgo(110), latencyMs: 5000, model: null }),
    makeSignal({ ...turn, at: minutesAgo(5 * 60), latencyMs: 100 }),
    makeSignal({ ...turn, at: minutesAgo(20 * 60), latencyMs: 100 }),
    makeSignal({ ...turn, at: minutesAgo(60 * 60), latencyMs: 5000 }),
    makeSignal({ ...turn, at: minutesAgo(80 * 60), latencyMs: 5000 }),
    // Neither is how long chat takes to answer.
    makeSignal({ ...turn, kind: "model_call", at: minutesAgo(1), latencyMs: 5000 }),
    makeSignal({ ...turn, kind: "task", rung: "agent", at: minutesAgo(1), durationMs: 5000 }),
  ])
  const scopes = [CHAT, { ...CHAT, agentTool: "codex" }, { ...CHAT, agentTool: "claude-code", model: "m1" }]
  const read = await asTenant(db, orgId, (tx) => readHistograms(tx, { scopes, at: NOW }))
  const inWindows = (scope: (typeof scopes)[number]) =>
    Object.values(readingsOf(objectiveOf(scope), read.get(scopeKey(scope)))).map(
      ({ requests, slow }) => `${slow}/${requests}`,
    )
  expect(scopes.map(inWindows)).toEqual([
    ["1/1", "1/2", "2/3", "3/4", "3/5", "3/6", "4/7"],
    ["0/0", "0/0", "1/1", "1/1", "1/1", "1/1", "1/1"],
    ["1/1", "1/2", "1/2", "1/2", "1/3", "1/4", "2/5"],
  ])
  const budgets = await asTenant(db, orgId, (tx) =>
    readBudgets(tx, { objectives: [objectiveOf({}), objectiveOf({ id: "b", agentTool: "codex" })], at: NOW }),
  )
  expect([...budgets.values()]).toEqual([
    { requests: 8, slow: 5 },
    { requests: 1, slow: 1 },
  ])
})

test("a scope of few people is not shown, nor one that would tell of the few outside of it", async ({
  database,
  db,
}) => {
  const orgId = await makeOrganization(database)
  const use = (agentTool: string, model: string, people: number, from = 0) =>
    Array.from({ length: people }, (_, index) => makeSignal({ person: `p${from + index}`, agentTool, model }))
  await storeAndCount(database, orgId, [
    ...use("claude-code", "m1", 6),
    ...use("claude-code", "m2", 5),
    ...use("codex", "m1", 4, 20),
    ...use("gemini-cli", "m1", 5, 40),
  ])
  const scopes = [
    CHAT,
    { ...CHAT, agentTool: "claude-code" },
    { ...CHAT, agentTool: "codex" },
    { ...CHAT, agentTool: "gemini-cli" },
    { ...CHAT, model: "m2" },
    { ...CHAT, agentTool: "claude-code", model: "m1" },
    { ...CHAT, agentTool: "gemini-cli", model: "m1" },
    { ...CHAT, agentTool: "codex", model: "m1" },
    { ...CHAT, rung: "agent" as const },
  ]
  const shown = await asTenant(db, orgId, (tx) => findShownScopes(tx, { scopes, at: NOW }))
  expect(scopes.map((scope) => shown.has(scopeKey(scope)))).toEqual([
    true,
    true,
    // Four people.
    false,
    true,
    true,
    true,
    true,
    false,
    false,
  ])
  await storeAndCount(database, orgId, use("codex", "m9", 5, 60))
  // Whoever used codex with m1 is four people: what is left of codex without its m9.
  const rest = [
    { ...CHAT, agentTool: "codex" },
    { ...CHAT, agentTool: "codex", model: "m9" },
  ]
  const then = await asTenant(db, orgId, (tx) => findShownScopes(tx, { scopes: rest, at: NOW }))
  expect(rest.map((scope) => then.has(scopeKey(scope)))).toEqual([true, false])
})

test("an organization has the objectives of every one until it changes them, and each change is in the audit log", async ({
  database,
  db,
}) => {
  const orgId = await makeOrganization(database)
  const by = { orgId, actorId: null, actorEmail: "a@example.com", occurredAt: NOW, requestId: crypto.randomUUID() }
  const [first] = DEFAULT_OBJECTIVES
  if (first === undefined) throw new Error("there are defaults")
  const said = await asTenant(db, orgId, async (tx) => {
    const set = (objective: Omit<Objective, "id"> & { id: string | null }) => setObjective(tx, { objective, by })
    expect((await listObjectives(tx)).map(({ rung }) => rung)).toEqual([
      "orchestration",
      "agent",
      "chat",
      "autocomplete",
    ])
    expect(await set({ ...first, thresholdMs: 250, isEnabled: false })).toEqual({ ok: true, id: first.id })
    expect(await getObjective(tx, first.id)).toEqual({ ...first, thresholdMs: 250, isEnabled: false })
    expect(await set({ ...first, agentTool: "codex" })).toEqual({ ok: false, reason: "scope_of_default" })
    expect(await set({ ...first, thresholdMs: 250, id: null })).toEqual({ ok: false, reason: "same" })
    expect(await set({ ...first, target: 1, id: null })).toEqual({ ok: false, reason: "out_of_range" })
    expect(await set({ ...first, id: crypto.randomUUID() })).toEqual({ ok: false, reason: "not_found" })
    const added = await set({ ...first, id: null, agentTool: "codex" })
    expect(added.ok && (await listObjectives(tx)).map(({ agentTool }) => agentTool)).toEqual([
      null,
      null,
      null,
      null,
      "codex",
    ])
    expect(added.ok && (await removeObjective(tx, { id: added.id, by }))).toEqual({ ok: true })
    expect(await removeObjective(tx, { id: first.id, by })).toEqual({ ok: true })
    expect(await removeObjective(tx, { id: first.id, by })).toEqual({ ok: false, reason: "not_found" })
    expect(await listObjectives(tx)).toHaveLength(4)
    return tx.selectFrom("audit_event").select("action").orderBy("sequence").execute()
  })
  expect(said.map(({ action }) => action)).toEqual([
    "objective.change",
    "objective.create",
    "objective.delete",
    "objective.reset",
  ])
})

test("a team's windows hold what its people waited for, with those of its sub-teams, and are shown as teams are", async ({
  database,
  db,
}) => {
  const orgId = await makeOrganization(database)
  const red = await makeTeam(database, orgId, "Red")
  const teams = {
    red,
    pink: await makeTeam(database, orgId, "Pink", red),
    blue: await makeTeam(database, orgId, "Blue"),
    green: await makeTeam(database, orgId, "Green"),
  }
  const [blue, green] = [teams.blue, teams.green]
  const sizes = { red: 6, pink: 5, blue: 5, green: 4 } as const
  const peopleOf = (team: keyof typeof sizes) => Array.from({ length: sizes[team] }, (_, index) => `${team}${index}`)
  for (const team of ["red", "pink", "blue", "green"] as const) {
    for (const person of peopleOf(team)) {
      await joinTeam(database, { orgId, person, teamId: teams[team], from: "2026-01-01" })
    }
  }
  const turn = { kind: "turn", rung: "chat", agentTool: "claude-code", model: "m1" } as const
  const turns = (team: keyof typeof sizes, minutes: number, latencyMs: number) =>
    peopleOf(team).map((person) => makeSignal({ ...turn, person, at: minutesAgo(minutes), latencyMs }))
  await storeAndCount(database, orgId, [
    ...turns("red", 1, 5000),
    ...turns("red", 20, 100),
    ...turns("pink", 50, 5000),
    ...turns("pink", 5 * 60, 100),
    ...turns("blue", 1, 100),
    ...turns("green", 1, 100),
    ...turns("red", 60 * 60, 5000),
    makeSignal({ ...turn, person: "red0", agentTool: "codex", at: minutesAgo(110), latencyMs: 5000 }),
    // Neither is how long chat takes to answer, nor is who is in no team anybody's.
    makeSignal({ ...turn, person: "red0", kind: "model_call", at: minutesAgo(1), latencyMs: 5000 }),
    ...Array.from({ length: 5 }, (_, index) =>
      makeSignal({ ...turn, person: `none${index}`, at: minutesAgo(1), latencyMs: 5000 }),
    ),
  ])
  // Counts to Blue from the next day on.
  await database.owner.updateTable("team_member").set({ team_id: blue }).where("team_id", "=", red).execute()
  await storeAndCount(database, orgId, [makeSignal({ ...turn, person: "red0", at: minutesAgo(2), latencyMs: 5000 })])

  const scopes = [
    CHAT,
    { ...CHAT, teamId: red },
    { ...CHAT, teamId: teams.pink },
    { ...CHAT, teamId: blue },
    { ...CHAT, teamId: red, agentTool: "claude-code" },
    { ...CHAT, teamId: green },
  ]
  const read = await asTenant(db, orgId, (tx) => readHistograms(tx, { scopes, at: NOW }))
  const inWindows = (scope: (typeof scopes)[number]) =>
    Object.values(readingsOf(objectiveOf(scope), read.get(scopeKey(scope)))).map(
      ({ requests, slow }) => `${slow}/${requests}`,
    )
  expect(scopes.map(inWindows)).toEqual([
    ["12/21", "12/27", "17/32", "18/33", "18/38", "18/38", "24/44"],
    ["7/7", "7/13", "12/18", "13/19", "13/24", "13/24", "19/30"],
    ["0/0", "0/0", "5/5", "5/5", "5/10", "5/10", "5/10"],
    ["0/5", "0/5", "0/5", "0/5", "0/5", "0/5", "0/5"],
    ["7/7", "7/13", "12/18", "12/18", "12/23", "12/23", "18/29"],
    ["0/4", "0/4", "0/4", "0/4", "0/4", "0/4", "0/4"],
  ])
  const ofTeam = objectiveOf({ teamId: red })
  const [budgets, hours, minutes] = await asTenant(db, orgId, async (tx) => [
    await readBudgets(tx, { objectives: [ofTeam, objectiveOf({ id: "pink", teamId: teams.pink })], at: NOW }),
    await readSlowCounts(tx, { objective: ofTeam, table: "hour", from: minutesAgo(6 * 60), to: NOW }),
    await readSlowCounts(tx, { objective: ofTeam, table: "minute", from: minutesAgo(30), to: NOW }),
  ])
  expect([...budgets.values()]).toEqual([
    { requests: 30, slow: 19 },
    { requests: 10, slow: 5 },
  ])
  expect([...hours.values()].reduce((sum, { requests }) => sum + requests, 0)).toBe(24)
  expect([...minutes]).toEqual([
    [minutesAgo(20).getTime(), { requests: 6, slow: 0 }],
    [minutesAgo(2).getTime(), { requests: 1, slow: 1 }],
    [minutesAgo(1).getTime(), { requests: 6, slow: 6 }],
  ])

  // Green is four people; with the five in no team they are enough to be what is left of all.
  const shown = await asTenant(db, orgId, (tx) => findShownScopes(tx, { scopes, at: NOW }))
  expect(scopes.map((scope) => shown.has(scopeKey(scope)))).toEqual([
    true,
    true,
    true,
    true,
    // In Red one person used another tool.
    false,
    false,
  ])
  const differences = await verifyRollups(database.worker, orgId, { now: NOW, isRepair: false })
  expect(differences.filter(({ wrong, missing }) => wrong + missing > 0)).toEqual([])
  expect(differences.filter(({ table }) => table.startsWith("team_latency"))).toMatchObject([{ rows: 9 }, { rows: 7 }])
})
