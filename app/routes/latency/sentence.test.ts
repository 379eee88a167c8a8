import { expect, test } from "vitest"
import type { LatencyFigures, TeamLatency } from "#server/latency/queries.ts"
import { describeLatency } from "./sentence.ts"

const figures = (fields: Partial<LatencyFigures>): LatencyFigures => ({
  rung: "autocomplete",
  state: "shown",
  weeks: { shown: 1, total: 1 },
  p50Ms: 90,
  p95Ms: 150,
  p99Ms: 190,
  timed: 100,
  people: 12,
  lateShare: 0,
  ...fields,
})
const ofTeam = (p95Ms: number): TeamLatency => ({ ...figures({ p95Ms }), teamId: "checkout" })
const NOTHING = { previous: [], teams: [], previousTeams: [] }
const TEAMS = [{ id: "checkout", name: "Checkout" }]

test("the sentence names where latency is furthest past its objective, and what it was", () => {
  expect(
    describeLatency(
      { rungs: [figures({ p95Ms: 210 })], previous: [], teams: [ofTeam(400)], previousTeams: [ofTeam(152)] },
      TEAMS,
      "this week",
    ),
  ).toBe(
    "Checkout: autocomplete p95 latency is 400 ms this week, 2 times its objective of 200 ms, from 152 ms the period before.",
  )
  expect(describeLatency({ ...NOTHING, rungs: [figures({ p95Ms: 210 })] }, TEAMS, "this week")).toBe(
    "Autocomplete p95 latency is 210 ms this week, past its objective of 200 ms.",
  )
})

test("within the objectives, withheld and no data are said as such", () => {
  const of = (...rungs: LatencyFigures[]) => describeLatency({ ...NOTHING, rungs }, TEAMS, "this week")
  const hidden = { p95Ms: null, timed: null, people: null, lateShare: null }
  expect(of(figures({}), figures({ rung: "chat", p95Ms: 900 }))).toBe(
    "Every rung is within its latency objective this week, from 12 people.",
  )
  expect(of(figures({}))).toBe("Autocomplete is within its latency objective this week, from 12 people.")
  expect(of(figures({ ...hidden, state: "withheld" }))).toBe(
    "What was timed this week would tell about too few people to be shown.",
  )
  expect(of(figures({ ...hidden, state: "no_data" }))).toBe("No operation was timed this week.")
})
