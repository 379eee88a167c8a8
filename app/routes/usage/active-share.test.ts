import { expect, test } from "vitest"
import type { WeekSeats } from "#server/usage/queries.ts"
import { compareActiveShares } from "./active-share.ts"

const PAYMENTS = { teamId: "payments", name: "Payments" }
const week = (day: string, active: number | null, unused: number | null): WeekSeats => ({
  week: new Date(`${day}T00:00:00Z`),
  state: active === null ? "withheld" : "shown",
  active,
  unused,
})
const compare = (own: readonly WeekSeats[], other: readonly WeekSeats[]) =>
  compareActiveShares(own, other, PAYMENTS, "UTC")

test("shares of seats are compared in the same week, however large the teams are", () => {
  expect(
    compare(
      [week("2026-11-09", 6, 6), week("2026-11-16", 9, 3)],
      [week("2026-11-09", 1, 99), week("2026-11-16", 50, 50)],
    ),
  ).toBe("Of seats 75 % are in use in the week of 16 Nov, +25 pts against Payments.")
})

test("a week of which the page's own share is withheld is passed over, and one of which the other's is says so", () => {
  const own = [week("2026-11-09", 6, 6), week("2026-11-16", 9, null)]
  const told = "Of seats 50 % are in use in the week of 9 Nov, against Payments:"
  expect(compare(own, [week("2026-11-09", null, null)])).toBe(`${told} withheld.`)
  expect(compare(own, [week("2026-11-09", 6, null)])).toBe(`${told} withheld.`)
  expect(compare(own, [week("2026-11-16", 6, 6)])).toBe(`${told} no data.`)
  expect(compare([week("2026-11-16", null, null)], [week("2026-11-16", 6, 6)])).toBeNull()
})
