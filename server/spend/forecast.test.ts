import { expect, test } from "vitest"
import { forecast } from "./forecast.ts"
import { addDays } from "./periods.ts"

/** Four weeks before Friday 20 November 2026: so much on each working day, nothing on weekends. */
function pastDays(of: (day: string, weekday: number) => number): Map<string, number> {
  const days = new Map<string, number>()
  for (let back = 1; back <= 28; back++) {
    const day = addDays("2026-11-20", -back)
    days.set(day, of(day, new Date(day).getUTCDay()))
  }
  return days
}

const working = pastDays((_, weekday) => (weekday === 0 || weekday === 6 ? 0 : 10))

test("weekends count with what weekends had, and today with what is left of it", () => {
  // 20 November to Monday the 30th: Friday's rest 10 - 4, five working days and Monday, four days of weekend.
  const to = { days: working, since: "2026-10-01", today: "2026-11-20", until: "2026-12-01" }
  expect(forecast({ ...to, spent: 100, spentToday: 4 })).toEqual({
    state: "shown",
    expected: 100 + 6 + 60,
    low: 166,
    high: 166,
  })
  // Over the weekend alone nothing is added: no straight line.
  expect(forecast({ ...to, until: "2026-11-23", spent: 100, spentToday: 12 })).toMatchObject({ expected: 100 })
})

test("the interval is that of the weekday's own spread", () => {
  // Fridays had 8, 12, 8, 12: mean 10, s² = 16/3, with 1 + 1/4: 20/3. t for 21 degrees of freedom is 1.323.
  const days = new Map([
    ["2026-11-13", 8],
    ["2026-11-06", 12],
    ["2026-10-30", 8],
    ["2026-10-23", 12],
  ])
  const found = forecast({
    spent: 50,
    spentToday: 0,
    days,
    since: "2026-10-01",
    today: "2026-11-20",
    until: "2026-11-21",
  })
  if (found.state !== "shown") throw new Error("no forecast")
  expect(found.expected).toBe(60)
  expect(found.high - 60).toBeCloseTo(1.323 * Math.sqrt(20 / 3), 9)
  expect(60 - found.low).toBeCloseTo(1.323 * Math.sqrt(20 / 3), 9)
})

test("with use for less than two weeks nothing is forecast", () => {
  const to = { spent: 1, spentToday: 0, days: working, today: "2026-11-20", until: "2026-12-01" }
  expect(forecast({ ...to, since: "2026-11-07" })).toEqual({ state: "no_data" })
  expect(forecast({ ...to, since: null })).toEqual({ state: "no_data" })
  expect(forecast({ ...to, since: "2026-11-06" })).toMatchObject({ state: "shown" })
})
