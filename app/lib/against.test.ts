import { expect, test } from "vitest"
import { type Against, putBeside, sayBeside, sayDifference } from "./against.ts"

const PAYMENTS: Against = { teamId: "payments", name: "Payments" }

test("another team's current figures take the place of those of the period before, and nothing else changes", () => {
  const answer = { rungs: ["own"], previous: ["own before"], teams: ["each"], previousTeams: ["each before"] }
  const other = { rungs: ["other"], previous: ["other before"], teams: [], previousTeams: [] }
  expect(putBeside(answer, other)).toEqual({ ...answer, previous: ["other"] })
  expect(putBeside(answer, null)).toBe(answer)
  expect(putBeside(answer, undefined)).toBe(answer)
})

test("a figure of the period before is told when there is one, and one of another team or why there is none", () => {
  expect(sayBeside(null, "42 %", "shown")).toBe("was 42 %")
  expect(sayBeside(null, null, "withheld")).toBeNull()
  expect(sayBeside(PAYMENTS, "42 %", "shown")).toBe("against Payments: 42 %")
  expect(sayBeside(PAYMENTS, null, "withheld")).toBe("against Payments: withheld")
  expect(sayBeside(PAYMENTS, null, "shown")).toBe("against Payments: withheld")
  expect(sayBeside(PAYMENTS, null, "no_data")).toBe("against Payments: no data")
  expect(sayBeside(PAYMENTS, null, "not_decidable")).toBe("against Payments: not decidable")
})

test("a difference to another team names it, and is none where that team's figure is not told", () => {
  expect(sayDifference(null, "+5 pts", "shown")).toBe("+5 pts")
  expect(sayDifference(null, null, "withheld")).toBeNull()
  expect(sayDifference(PAYMENTS, "+5 pts", "shown")).toBe("+5 pts against Payments")
  expect(sayDifference(PAYMENTS, null, "withheld")).toBe("against Payments: withheld")
})
