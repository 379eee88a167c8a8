import { expect, test } from "vitest"
import type { Changes, RungChanges } from "#server/outcomes/review-queries.ts"
import type { TaskFunnel } from "#server/outcomes/task-queries.ts"
import { describeOutcomes } from "./sentence.ts"
import { sharesOf, stagesOf } from "./shares.server.ts"
import { findBreak } from "./stages.ts"

const WEEKS = { shown: 1, total: 1 }
const NO_FIGURES = {
  people: null,
  verified: null,
  abandoned: null,
  rounds: null,
  medianLines: null,
  reviewed: null,
  medianWaitMinutes: null,
  approved: null,
  medianMinutesPer100Lines: null,
  mergedUnverified: null,
  reverted: null,
  accepted: null,
  acceptedToolCalls: null,
}

const changesOf = (fields: Partial<RungChanges>): RungChanges => ({
  ...NO_FIGURES,
  rung: "orchestration",
  state: "shown",
  weeks: WEEKS,
  changes: 100,
  sized: 100,
  within: 90,
  unclear: 5,
  merged: 100,
  mergedUnreviewed: 3,
  ...fields,
})

const funnelOf = (fields: Partial<TaskFunnel>): TaskFunnel => ({
  rung: "agent",
  state: "shown",
  weeks: WEEKS,
  begun: 100,
  people: 9,
  planned: 100,
  ran: 98,
  joined: 40,
  verified: 39,
  reviewed: 30,
  reviewedOfVerified: 30,
  merged: 32,
  mergedOfReviewed: 29,
  abandoned: 2,
  matured: 20,
  alive: 19,
  ...fields,
})

const NONE = {
  state: "no_data" as const,
  merged: null,
  mergedUnreviewed: null,
  sized: null,
  within: null,
  unclear: null,
}
const say = (funnel: Partial<TaskFunnel>, changes: Partial<Changes>) =>
  describeOutcomes(
    { rungs: [funnelOf(funnel)], previous: [] },
    { rungs: [changesOf(NONE)], previous: [], buckets: [], teams: [], ...changes },
    [{ id: "1", name: "Payments" }],
    "this week",
  )

test("the sentence is where most is merged without review, else what stands", () => {
  const calm = changesOf({})
  expect(say({}, { rungs: [calm], teams: [{ ...changesOf({ mergedUnreviewed: 44, within: 40 }), teamId: "1" }] })).toBe(
    "Payments, orchestration: 44 % of what was opened this week and merged had no review, against 3 % of all teams; 55 % of it is larger than one sitting's review.",
  )
  expect(say({}, { rungs: [changesOf({ mergedUnreviewed: 30 })], previous: [calm] })).toBe(
    "Orchestration: 30 % of what was opened this week and merged had no review, from 3 % the period before.",
  )
  // One of five: as likely as not by chance.
  const few = changesOf({ merged: 5, mergedUnreviewed: 1 })
  expect(say({}, { rungs: [few] })).toBe(
    "95 % of 20 tasks that began this week and were merged 14 days ago or earlier still stand.",
  )
  expect(say({ matured: null, alive: null }, { rungs: [few] })).toBe(
    "80 % of 5 changes that were opened this week and merged had been reviewed.",
  )
  expect(say({ state: "no_data" }, {})).toBe("Of no task that began this week it is known what became of it.")
  expect(say({ state: "withheld" }, {})).toMatch(/too few people to be shown\.$/)
})

test("a funnel breaks where most of what came so far is lost, and never at what is not known", () => {
  const stages = stagesOf(funnelOf({}))
  expect(stages.map(({ name, reached, unknown }) => [name, reached, unknown])).toEqual([
    ["planned", 100, 0],
    ["ran", 98, 0],
    ["known", 40, 58],
    ["verified", 39, 0],
    ["reviewed", 30, 0],
    ["merged", 32, 0],
    ["alive", 19, 12],
  ])
  expect(findBreak(stages)).toMatchObject({ name: "reviewed", step: { part: 30, whole: 39 } })
  const held = stagesOf(funnelOf({ reviewedOfVerified: 39, reviewed: 39, mergedOfReviewed: 39 }))
  expect(findBreak(held)).toBeNull()
  expect(findBreak(stagesOf(funnelOf({ state: "withheld" })))).toBeNull()
  expect(sharesOf(changesOf({ merged: 0, within: null }))).toMatchObject({
    reviewable: null,
    over: null,
    unreviewed: null,
  })
})
