import { expect, test } from "vitest"
import { type Rung, RUNGS } from "#sdk/ladder.ts"
import type { LadderFigures, LadderRow } from "#server/rungs/queries.ts"
import { computeWilsonInterval } from "#server/rungs/wilson.ts"
import { describeLadder } from "./sentence.ts"

const ALL_WEEKS = { shown: 4, total: 4 }
const TEAMS = [{ id: "t1", name: "Checkout" }]

function figures(rung: Rung, fields: Partial<LadderFigures> = {}): LadderRow {
  const presented = fields.presented ?? 400
  const accepted = fields.accepted ?? 280
  return {
    rung,
    weeks: { volume: ALL_WEEKS, acceptance: ALL_WEEKS, latency: ALL_WEEKS },
    developers: 12,
    volumeState: "shown",
    operations: 400,
    acceptance: accepted / presented,
    acceptanceState: "shown",
    interval: computeWilsonInterval(accepted, presented),
    accepted,
    presented,
    presentedDevelopers: 12,
    latencyP50Ms: 50,
    latencyP95Ms: 100,
    latencyState: "shown",
    latencyCount: 400,
    promptsPerOperation: 0.5,
    agentTools: [],
    ...fields,
  }
}

/** Four calm rungs, one of them changed. */
function ladder(rung: Rung, fields: Partial<LadderFigures>): LadderRow[] {
  return RUNGS.map((candidate) => figures(candidate, candidate === rung ? fields : {}))
}

const CALM = RUNGS.map((rung) => figures(rung))
const describe = (rungs: LadderRow[], teams: (LadderRow & { teamId: string })[] = []) =>
  describeLadder(
    {
      rungs,
      previous: CALM,
      teams,
      previousTeams: CALM.map((row) => ({ ...row, teamId: "t1" })),
    },
    TEAMS,
    "in the last 4 weeks",
  )

test("when nothing moved it says so, with the period and the people", () => {
  expect(describe(CALM)).toBe(
    "No rung moved in the last 4 weeks: acceptance, latency and questions held, from 12 people.",
  )
})

test("a loss is told when its interval leaves the one before, not sooner", () => {
  expect(describe(ladder("agent", { accepted: 268 }))).toMatch(/^No rung moved/)
  expect(describe(ladder("agent", { accepted: 200 }))).toBe("Agent acceptance fell 20 points to 50 %.")
})

test("a loss comes before a gain, and at most two are told", () => {
  const rungs = RUNGS.map((rung) => figures(rung, rung === "chat" ? { accepted: 390 } : { accepted: 200 }))
  expect(describe(rungs)).toMatch(/^\w+ acceptance fell 20 points to 50 %; \w+ acceptance fell 20 points to 50 %\.$/)
})

test("latency is told when it passes its objective, not when it always was past it", () => {
  const slow = { latencyP95Ms: 410 }
  expect(describe(ladder("autocomplete", slow))).toBe(
    "Autocomplete p95 latency rose from 100 ms to 410 ms, past its objective of 200 ms.",
  )
  expect(describe(ladder("autocomplete", { latencyP95Ms: 190 }))).toMatch(/^No rung moved/)
})

test("a loss in one team is told there and not again for everyone", () => {
  const rungs = ladder("orchestration", { promptsPerOperation: 1.2 })
  const team = { ...figures("orchestration", { promptsPerOperation: 9 }), teamId: "t1" }
  expect(describe(rungs, [team])).toBe("Checkout: orchestration asks 9 questions per run, up from 0.5.")
})

test("no data and too few people are said as such", () => {
  const nothing = RUNGS.map((rung) => figures(rung, { volumeState: "no_data", operations: 0 }))
  expect(describe(nothing)).toBe("No operation in the last 4 weeks.")
  const few = RUNGS.map((rung) =>
    figures(rung, {
      developers: null,
      acceptance: null,
      interval: null,
      latencyP95Ms: null,
      promptsPerOperation: null,
    }),
  )
  expect(describe(few)).toBe("What happened in the last 4 weeks would tell about too few people to be shown.")
})
