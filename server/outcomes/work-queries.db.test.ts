import { toBranchAction } from "#sdk/branch.ts"
import { expect } from "vitest"
import { test, type TestDatabase } from "../../test/db.ts"
import {
  joinTeam,
  makeChange,
  makeOrganization,
  makeSignal,
  makeTeam,
  NOW,
  storeAndCount,
} from "../../test/factories.ts"
import { asTenant } from "../db/tenant.ts"
import { verifyRollups } from "../rollup/rebuild.ts"
import { joinByCommit } from "./changes.ts"
import { concludeJoins } from "./conclude.ts"
import { placeJoinedOperations } from "./place.ts"
import { countJoins } from "./queries.ts"
import type { WorkScope } from "./placed-work.ts"
import { getChanges, getJoinShares, getReviewLimit, listOwnChanges } from "./review-queries.ts"
import { getTaskFunnels } from "./task-queries.ts"

/** A Wednesday, three weeks and two days before NOW. */
const RAN_AT = new Date("2026-10-28T10:00:00Z")
const SCOPE: WorkScope = { from: new Date("2026-10-26T00:00:00Z"), to: NOW, now: NOW, teamId: null, timeZone: "UTC" }
const PEOPLE = ["ada", "ben", "chen", "dana", "eli"] as const
const LIMIT = { lines: 400, files: null, isFromPolicy: false }

const task = (person: string, operationId: string, fields: Parameters<typeof makeSignal>[0] = {}) =>
  (["start", "task"] as const).map((kind) =>
    makeSignal({ person, kind, rung: "agent", operationId, at: RAN_AT, ...fields }),
  )

const place = (database: TestDatabase, orgId: string) =>
  asTenant(database.app, orgId, (tx) => placeJoinedOperations(tx, { now: NOW }))

test("the funnel counts how far each task came, and asks only of what is old enough whether it stands", async ({
  database,
  db,
}) => {
  const orgId = await makeOrganization(database)
  const [red, blue] = [await makeTeam(database, orgId, "Red"), await makeTeam(database, orgId, "Blue")]
  for (const person of PEOPLE) {
    await joinTeam(database, { orgId, person, teamId: red, from: "2026-01-01", to: "2026-11-02" })
    await joinTeam(database, { orgId, person, teamId: blue, from: "2026-11-02" })
  }
  await storeAndCount(database, orgId, [
    ...PEOPLE.flatMap((person) => [
      ...task(person, `${person} a`),
      ...task(person, `${person} b`).slice(person === "ada" ? 1 : 0),
    ]),
    makeSignal({ person: "ada", kind: "start", rung: "agent", operationId: "never ran", at: RAN_AT }),
    // One person's run: whoever's it is is nobody's business.
    makeSignal({ person: "ada", kind: "run", rung: "orchestration", operationId: "run", at: RAN_AT }),
  ])
  const [checked_at, first_review_at, merged_at] = ["2026-10-28T12:00Z", "2026-10-28T13:00Z", "2026-10-29T10:00Z"]
  const [verified, reviewed, merged] = [{ checked_at }, { first_review_at }, { merged_at }]
  const change = (operations: string[], fields: Parameters<typeof makeChange>[2]) =>
    makeChange(database, orgId, { opened_at: "2026-10-28T11:00Z", operations, ...fields })
  await change(["ada a"], { ...verified, ...reviewed, ...merged })
  await change(["ben a"], { ...verified, ...reviewed, ...merged, reverted_at: "2026-11-01T10:00Z" })
  // Taken back after fifteen days, it stood for fourteen.
  await change(["chen a"], { ...verified, ...merged, reverted_at: "2026-11-13T11:00Z" })
  await change(["dana a"], { ...verified, ...reviewed, ...merged })
  await change(["ben b"], verified)
  await change(["chen b"], { ...reviewed, abandoned_at: "2026-10-30T10:00Z" })
  await change(["dana b"], { ...verified, ...reviewed, merged_at: "2026-11-10T10:00Z" })
  await change(["run"], { ...verified, ...reviewed, ...merged })
  await database.owner
    .insertInto("late_outcome")
    .values({
      org_id: orgId,
      source_id: "reported:1",
      operation_id: "eli a",
      outcome: "merged",
      origin: "human",
      occurred_at: merged_at,
      received_at: NOW,
    })
    .execute()
  await place(database, orgId)

  const funnels = (teamId: string | null) => asTenant(db, orgId, (tx) => getTaskFunnels(tx, { ...SCOPE, teamId }))
  const agent = {
    rung: "agent",
    state: "shown",
    weeks: { shown: 1, total: 1 },
    begun: 11,
    people: 5,
    planned: 11,
    ran: 10,
    joined: 8,
    verified: 6,
    reviewed: 5,
    reviewedOfVerified: 4,
    merged: 6,
    mergedOfReviewed: 4,
    abandoned: 1,
    matured: 5,
    alive: 4,
  }
  const { rungs, previous } = await funnels(null)
  expect(rungs).toEqual([
    agent,
    expect.objectContaining({ rung: "orchestration", state: "withheld", begun: null, planned: null, merged: null }),
  ])
  expect(previous.map(({ state }) => state)).toEqual(["no_data", "no_data"])
  // They were in Red when the tasks began.
  expect((await funnels(red)).rungs[0]).toEqual(agent)
  expect((await funnels(blue)).rungs[0]).toMatchObject({ state: "no_data", begun: null })

  // Without one of five, what became of the work is withheld, and that it began is not.
  await database.owner.deleteFrom("joined_operation").where("operation_id", "like", "ada %").execute()
  expect((await funnels(null)).rungs[0]).toMatchObject({ state: "withheld", begun: 11, joined: null, alive: null })
  const differences = await verifyRollups(database.worker, orgId, { now: NOW, isRepair: false })
  expect(differences.filter(({ wrong, missing }) => wrong + missing > 0)).toEqual([])
})

test("changes are held against the review limit in working minutes, and each group of figures needs enough people", async ({
  database,
  db,
}) => {
  const orgId = await makeOrganization(database)
  const red = await makeTeam(database, orgId, "Red")
  for (const person of PEOPLE) await joinTeam(database, { orgId, person, teamId: red, from: "2026-01-01" })
  await storeAndCount(database, orgId, [
    ...PEOPLE.flatMap((person) => task(person, person, { toolCalls: 10 })),
    ...task("ada", "ada 2"),
    // An agent that ada's run handed work to: the run's is the change, at its rung.
    ...["ada", "ben"].flatMap((person) => [
      makeSignal({ person, kind: "run", rung: "orchestration", operationId: `${person} run`, at: RAN_AT }),
      makeSignal({
        person,
        kind: "task",
        rung: "agent",
        operationId: `${person} part`,
        parentOperationId: `${person} run`,
        at: RAN_AT,
      }),
    ]),
  ])
  // Friday, an hour before the evening, to Monday, an hour after the morning: two hours.
  const times = {
    opened_at: "2026-10-30T17:00Z",
    first_review_at: "2026-11-02T09:00Z",
    approved_at: "2026-11-02T10:00Z",
  }
  const all = { ...times, checked_at: "2026-10-30T18:00Z", merged_at: "2026-11-02T11:00Z", rounds: 1, lines_removed: 0 }
  const change = (operations: string[], fields: Parameters<typeof makeChange>[2]) =>
    makeChange(database, orgId, { ...all, operations, ...fields })
  await change(["ada"], { lines_added: 100 })
  await change(["ben"], { lines_added: 200, lines_removed: 200 })
  await change(["chen"], { lines_added: 600 })
  await change(["dana"], { lines_added: 600, lockFiles: 1, reverted_at: "2026-11-03T10:00Z" })
  await change(["eli"], { lines_added: 200 })
  const { first_review_at: _review, approved_at: _approval, ...unreviewed } = all
  await makeChange(database, orgId, { ...unreviewed, operations: ["ada 2"], merged_at: "2026-10-30T17:30Z", rounds: 0 })
  await change(["ada part"], { number: 7, lines_added: 1000, evidence: "commit_id" })
  await makeChange(database, orgId, { ...all })
  await place(database, orgId)

  const changes = (teamId: string | null, limit = LIMIT) =>
    asTenant(db, orgId, (tx) => getChanges(tx, { ...SCOPE, teamId, limit }))
  const { rungs, buckets, teams, previous } = await changes(null)
  const agent = {
    rung: "agent",
    state: "shown",
    weeks: { shown: 1, total: 1 },
    changes: 6,
    people: 5,
    verified: 6,
    abandoned: 0,
    rounds: 5,
    sized: 5,
    within: 3,
    unclear: 1,
    medianLines: 400,
    reviewed: 5,
    medianWaitMinutes: 120,
    approved: 5,
    // 60, 15, 10, 10 and 30.
    medianMinutesPer100Lines: 15,
    merged: 6,
    mergedUnreviewed: 1,
    mergedUnverified: 1,
    reverted: 1,
    accepted: null,
    acceptedToolCalls: null,
  }
  expect(rungs).toEqual([agent, expect.objectContaining({ rung: "orchestration", state: "withheld", changes: null })])
  expect(previous.map(({ state }) => state)).toEqual(["no_data", "no_data"])
  expect(teams).toMatchObject([
    { teamId: red, rung: "agent", changes: 6 },
    { teamId: red, rung: "orchestration", state: "withheld", merged: null },
  ])
  expect(buckets.map(({ week, rung }) => [week.toISOString().slice(0, 10), rung])).toEqual([
    ["2026-10-26", "agent"],
    ["2026-10-26", "orchestration"],
  ])
  expect(buckets[0]).toEqual({ ...agent, week: new Date("2026-10-26T00:00:00Z") })
  expect((await changes(red)).rungs[0]).toEqual(agent)
  expect((await changes(null, { ...LIMIT, lines: 100 })).rungs[0]).toMatchObject({ within: 1, unclear: 1 })

  // Of dana's change nothing stands; with a fifth whose does, tool calls are told: six changes of 10, and none of ada 2's.
  await database.owner.updateTable("change_request").set({ reverted_at: null }).execute()
  expect((await changes(red)).rungs[0]).toMatchObject({ reverted: 0, accepted: 5, acceptedToolCalls: 50 })
  // Of eight changes one is unjoined; with 13 more 14 of 21, which is nearest to 13 twentieths.
  const unjoined = () => asTenant(db, orgId, (tx) => getJoinShares(tx, SCOPE))
  expect(await unjoined()).toBeNull()
  for (let more = 0; more < 13; more++) await makeChange(database, orgId, all)
  expect(await unjoined()).toEqual({
    unjoined: 0.65,
    by: [
      { evidence: "trailer", share: 0.3 },
      { evidence: "commit_id", share: 0.05 },
      { evidence: "session", share: 0 },
      { evidence: "author_time", share: 0 },
    ],
  })

  const ada = await database.owner
    .selectFrom("joined_operation")
    .select("developer_id")
    .where("operation_id", "=", "ada part")
    .executeTakeFirstOrThrow()
  const own = await asTenant(db, orgId, (tx) =>
    listOwnChanges(tx, { developerIds: [ada.developer_id], before: NOW, limit: 10 }),
  )
  expect(own).toHaveLength(3)
  expect(own.find(({ number }) => number === 7)).toMatchObject({
    rung: "orchestration",
    tasks: 1,
    evidence: ["commit_id"],
    lines: 1000,
    hasGenerated: false,
    mergedAt: new Date(all.merged_at),
  })
})

test("whose a joined task is stays known when the task is forgotten, and grows with it until then", async ({
  database,
}) => {
  const orgId = await makeOrganization(database)
  const at = new Date(NOW.getTime() - 3_600_000)
  const part = { person: "ada", rung: "agent" as const, operationId: "part", parentOperationId: "run", at }
  await makeChange(database, orgId, { operations: ["part", "never counted"] })
  await storeAndCount(database, orgId, [
    makeSignal({ person: "ada", kind: "start", rung: "orchestration", operationId: "run", at }),
    makeSignal({ ...part, kind: "tool_call" }),
  ])
  expect(await place(database, orgId)).toBe(1)
  const joined = () =>
    database.owner.selectFrom("joined_operation").select(["operation_id", "task_id", "rung", "tool_calls"]).execute()
  const row = { operation_id: "part", task_id: "run", rung: "orchestration" }
  expect(await joined()).toEqual([{ ...row, tool_calls: 1 }])
  expect(await place(database, orgId)).toBe(0)

  await storeAndCount(database, orgId, [
    makeSignal({ ...part, kind: "tool_call" }),
    makeSignal({ person: "ada", kind: "run", rung: "orchestration", operationId: "run", toolCalls: 7, at }),
  ])
  expect(await place(database, orgId)).toBe(1)
  await database.owner.deleteFrom("operation").execute()
  expect(await place(database, orgId)).toBe(0)
  expect(await joined()).toEqual([{ ...row, tool_calls: 7 }])
})

test("the review limit is the tightest of those that bind a team; without one it is 400 lines", async ({
  database,
  db,
}) => {
  const orgId = await makeOrganization(database)
  const parent = await makeTeam(database, orgId, "Shop")
  const child = await makeTeam(database, orgId, "Cart", parent)
  const limit = (teamId: string | null) => asTenant(db, orgId, (tx) => getReviewLimit(tx, teamId))
  expect(await limit(child)).toEqual(LIMIT)
  const publish = async (teamId: string | null, review: object) => {
    const layer = await database.owner
      .insertInto("policy_layer")
      .values({
        org_id: orgId,
        kind: teamId === null ? "organization" : "team",
        team_id: teamId,
        developer_id: null,
        version_in_force: null,
      })
      .returning("id")
      .executeTakeFirstOrThrow()
    await database.owner
      .insertInto("policy_version")
      .values({
        org_id: orgId,
        layer_id: layer.id,
        version: 1,
        document: { schema: "belay.policy/1", review: { effect: "warn", ...review } },
        note: "",
        published_at: NOW,
      })
      .execute()
    await database.owner.updateTable("policy_layer").set({ version_in_force: 1 }).where("id", "=", layer.id).execute()
  }
  await publish(null, { changedLines: 300, files: 20 })
  await publish(parent, { changedLines: 200 })
  expect(await limit(null)).toEqual({ lines: 300, files: 20, isFromPolicy: true })
  expect(await limit(child)).toEqual({ lines: 200, files: 20, isFromPolicy: true })
})

test("what neither a trailer nor a commit joins is joined by session, then by author and time; what fits several is not", async ({
  database,
}) => {
  const branch = (letter: string) => letter.repeat(32)
  const at = (clock: string) => new Date(`2026-11-18T${clock}:00Z`)
  const ran = (operationId: string, from: string, to: string, fields: Parameters<typeof makeSignal>[0] = {}) =>
    [from, to].map((clock) =>
      makeSignal({ kind: "tool_call", rung: "agent", operationId, at: at(clock), person: "cyd", ...fields }),
    )
  const workedOn = (sessionId: string, letter: string, clock: string) =>
    makeSignal({
      kind: "outcome",
      rung: "agent",
      operationId: null,
      sessionId,
      at: at(clock),
      action: toBranchAction(branch(letter)),
    })
  const shop = { repository: "acme/shop" }
  const signals = [
    // The hook knows another id of it than the telemetry, and the trailer names its session.
    ...ran("codex", "09:00", "09:30", { sessionId: "s-named" }),
    // On the branch meanwhile, before and after.
    ...ran("on branch", "09:00", "09:30", { sessionId: "s-branch" }),
    ...ran("before it", "07:00", "07:30", { sessionId: "s-branch" }),
    workedOn("s-branch", "b", "09:10"),
    // A question is no work.
    ...ran("asked", "09:00", "09:30", { sessionId: "s-branch", rung: "chat" }),
    // Two changes of one branch.
    ...ran("of either", "09:00", "09:30", { sessionId: "s-either" }),
    workedOn("s-either", "c", "09:10"),
    // Two changes whose trailers name the session, on the branch of one.
    ...ran("of the one", "09:00", "09:30", { sessionId: "s-two" }),
    workedOn("s-two", "d", "09:10"),
    // Told by its commit, whatever its session says.
    ...ran("committed", "09:00", "09:30", { sessionId: "s-branch" }),
    makeSignal({
      person: "cyd",
      kind: "outcome",
      rung: "agent",
      operationId: "committed",
      at: at("09:20"),
      action: "commit eeeeeee",
    }),
    // The author's, in the repository and out of it, in time and too late, and another's.
    ...ran("ada's", "10:00", "10:30", { person: "ada", ...shop }),
    ...ran("ada's elsewhere", "10:00", "10:30", { person: "ada", repository: "acme/site" }),
    ...ran("ada's later", "13:00", "13:30", { person: "ada", ...shop }),
    ...ran("ben's", "10:00", "10:30", { person: "ben", ...shop }),
    ...ran("dana's", "10:00", "10:30", { person: "dana", ...shop }),
    ...ran("eli's", "10:00", "10:30", { person: "eli", ...shop }),
  ]
  const hours = { begun_at: "2026-11-18T09:45Z", opened_at: "2026-11-18T11:00Z" }
  const ended = { closed_at: "2026-11-18T12:00Z", merged_at: "2026-11-18T12:00Z" }
  const foreign = (number: number) => ({ operations: [`foreign ${number}`], evidence: "trailer" as const })
  const changes: Parameters<typeof makeChange>[2][] = [
    { number: 21, ...foreign(21), sessionId: "s-named", branch: branch("a") },
    { number: 22, branch: branch("b") },
    { number: 23, branch: branch("c") },
    { number: 24, branch: branch("c") },
    { number: 31, ...foreign(31), sessionId: "s-two", branch: branch("d") },
    { number: 32, ...foreign(32), sessionId: "s-two", branch: branch("9") },
    { number: 40, commitIds: ["e".repeat(40)], branch: branch("8") },
    { number: 41, ...hours, ...ended, authors: ["Ada@example.com"] },
    // Two authors, of whom nothing tells that they are one; two changes of one author at once; not merged.
    { number: 42, ...hours, ...ended, authors: ["ben@example.com", "ben@elsewhere.example"] },
    { number: 43, ...hours, ...ended, authors: ["dana@example.com"] },
    { number: 44, ...hours, ...ended, authors: ["dana@example.com"] },
    { number: 45, ...hours, authors: ["eli@example.com"] },
  ]
  const joinsOf = async (orgId: string) => {
    const rows = await database.owner
      .selectFrom("change_operation")
      .select(["number", "operation_id", "evidence"])
      .where("org_id", "=", orgId)
      .where("operation_id", "not like", "foreign %")
      .orderBy("number")
      .execute()
    return rows.map(({ number, operation_id, evidence }) => [number, operation_id, evidence])
  }
  const conclude = async (orgId: string) => {
    await asTenant(database.app, orgId, (tx) => joinByCommit(tx, { now: NOW, orgId, isAll: true }))
    return asTenant(database.app, orgId, (tx) => concludeJoins(tx, { orgId, now: NOW }))
  }
  const wanted = [
    [21, "codex", "session"],
    [22, "on branch", "session"],
    [31, "of the one", "session"],
    [40, "committed", "commit_id"],
    [41, "ada's", "author_time"],
  ]

  const orgId = await makeOrganization(database)
  await storeAndCount(database, orgId, signals)
  for (const change of changes) await makeChange(database, orgId, change)
  expect(await conclude(orgId)).toBe(4)
  expect(await joinsOf(orgId)).toEqual(wanted)
  expect(await conclude(orgId)).toBe(0)
  expect(await asTenant(database.app, orgId, (tx) => countJoins(tx, new Date(0)))).toMatchObject({
    changes: 12,
    joined: 6,
    by: { trailer: 1, commit_id: 1, session: 3, author_time: 1 },
    unheardOf: 1,
  })
  // What is concluded may be taken back, so no signals are made of it.
  const outcomes = await database.owner.selectFrom("late_outcome").select("operation_id").execute()
  expect(outcomes).toEqual([])
  const differences = await verifyRollups(database.worker, orgId, { now: NOW, isRepair: false })
  expect(differences.filter(({ wrong, missing }) => wrong + missing > 0)).toEqual([])
  expect(differences.find(({ table }) => table === "session_branch")).toMatchObject({ rows: 3 })

  // In the order that misleads most, and looked at each time: the same in the end.
  const other = await makeOrganization(database)
  for (const change of changes.toReversed()) await makeChange(database, other, change)
  const reversed = signals.toReversed()
  for (let from = 0; from < reversed.length; from += 6) {
    await storeAndCount(database, other, reversed.slice(from, from + 6))
    await conclude(other)
  }
  expect(await joinsOf(other)).toEqual(wanted)

  // Something better is told of both, and what was concluded is taken back.
  await makeChange(database, orgId, { number: 50, operations: ["ada's", "codex"] })
  expect(await conclude(orgId)).toBe(2)
  expect((await joinsOf(orgId)).filter(([, , evidence]) => evidence !== "commit_id")).toEqual([
    [22, "on branch", "session"],
    [31, "of the one", "session"],
    [50, "ada's", "trailer"],
    [50, "codex", "trailer"],
  ])
})
