import { expect, test } from "vitest"
import type { WeekSeats } from "#server/usage/queries.ts"
import { describeUsage } from "./sentence.ts"

const week = (fields: Partial<WeekSeats>): WeekSeats => ({
  week: new Date("2026-11-16T00:00:00Z"),
  state: "shown",
  active: 30,
  unused: 10,
  ...fields,
})

test("the sentence says how many seats are used, and no number of too few people", () => {
  const of = (...weeks: WeekSeats[]) => describeUsage(weeks, "in the last 4 weeks")
  expect(of(week({}))).toBe("30 people used agents this week: 75 % of 40 seats, 10 unused.")
  expect(of(week({ unused: 0 }))).toBe("30 people used agents this week: 100 % of 30 seats, none unused.")
  expect(of(week({ unused: null }))).toBe("30 people used agents this week; few or no seats are unused.")
  expect(of(week({}), week({ state: "withheld", active: null, unused: null }))).toContain(
    "in the last week that may be shown",
  )
  expect(of(week({ state: "withheld", active: null, unused: null }))).toBe(
    "What was used in the last 4 weeks would tell about too few people to be shown.",
  )
  expect(of()).toBe("Nobody was in a team in the last 4 weeks, so there are no seats to count.")
})
