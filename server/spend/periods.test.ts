import fc from "fast-check"
import { expect, test } from "vitest"
import { addDays, calendarOf } from "./periods.ts"

const period = (timeZone: string, kind: "day" | "week" | "month", at: string) => {
  const { startsAt, endsAt } = calendarOf(timeZone).periodAt(kind, new Date(at))
  return [startsAt.toISOString(), endsAt.toISOString()]
}

test("days, weeks from Monday and months begin in the zone, also over changes of its clocks", () => {
  expect(period("UTC", "week", "2026-11-22T23:59:59Z")).toEqual([
    "2026-11-16T00:00:00.000Z",
    "2026-11-23T00:00:00.000Z",
  ])
  expect(period("Europe/Berlin", "day", "2026-11-20T23:30:00Z")).toEqual([
    "2026-11-20T23:00:00.000Z",
    "2026-11-21T23:00:00.000Z",
  ])
  // Clocks go back on 25 October 2026 and forward on 29 March: a day of 25 hours and one of 23.
  expect(period("Europe/Berlin", "day", "2026-10-25T12:00:00Z")).toEqual([
    "2026-10-24T22:00:00.000Z",
    "2026-10-25T23:00:00.000Z",
  ])
  expect(period("Europe/Berlin", "day", "2026-03-29T12:00:00Z")).toEqual([
    "2026-03-28T23:00:00.000Z",
    "2026-03-29T22:00:00.000Z",
  ])
  expect(period("America/New_York", "month", "2026-11-01T03:59:59Z")).toEqual([
    "2026-10-01T04:00:00.000Z",
    "2026-11-01T04:00:00.000Z",
  ])
  expect(period("Asia/Kathmandu", "month", "2026-12-31T18:15:00Z")[0]).toBe("2026-12-31T18:15:00.000Z")
  // In Santiago clocks go forward at midnight: 6 September 2026 begins at 01:00.
  expect(period("America/Santiago", "day", "2026-09-06T12:00:00Z")).toEqual([
    "2026-09-06T04:00:00.000Z",
    "2026-09-07T03:00:00.000Z",
  ])
  // In Havana they go back from 01:00 to midnight: 1 November 2026 begins with the first of its two midnights.
  expect(period("America/Havana", "day", "2026-11-01T12:00:00Z")[0]).toBe("2026-11-01T04:00:00.000Z")
})

test("every instant is in exactly one period of each kind, of every zone, and periods follow each other", () => {
  const zones = Intl.supportedValuesOf("timeZone")
  const instants = fc.date({ min: new Date("2020-01-01"), max: new Date("2035-01-01"), noInvalidDate: true })
  fc.assert(
    fc.property(fc.constantFrom(...zones), fc.constantFrom("day", "week", "month"), instants, (zone, kind, at) => {
      const calendar = calendarOf(zone)
      const { startsAt, endsAt } = calendar.periodAt(kind, at)
      expect(startsAt <= at && at < endsAt).toBe(true)
      expect(calendar.periodAt(kind, startsAt)).toEqual({ startsAt, endsAt })
      expect(calendar.periodAt(kind, new Date(endsAt.getTime() - 1))).toEqual({ startsAt, endsAt })
      expect(calendar.periodAt(kind, endsAt).startsAt).toEqual(endsAt)
      const first = calendar.dayAt(startsAt)
      const local = new Date(first)
      expect(kind === "month" ? local.getUTCDate() : kind === "week" ? local.getUTCDay() : 1).toBe(1)
      const length =
        kind === "day"
          ? 1
          : kind === "week"
            ? 7
            : new Date(local.getUTCFullYear(), local.getUTCMonth() + 1, 0).getDate()
      // Some days do not exist where a zone changed sides of the date line, which none did since 2020.
      expect(calendar.dayAt(endsAt)).toBe(addDays(first, length))
      // Quarters of an hour, by which use is kept.
      expect(startsAt.getTime() % 900_000).toBe(0)
    }),
    { numRuns: 400 },
  )
})
