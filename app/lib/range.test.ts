import { expect, test } from "vitest"
import { parseRange, previousRange } from "./range.ts"

const NOW = new Date("2026-11-20T15:30:00Z")
const parse = (search: string, timeZone = "UTC") => parseRange(new URLSearchParams(search), NOW, timeZone)
const iso = (range: { from: Date; to: Date }) => [range.from.toISOString(), range.to.toISOString()]

test("a preset ends now", () => {
  expect(iso(parse("range=7d"))).toEqual(["2026-11-13T15:30:00.000Z", "2026-11-20T15:30:00.000Z"])
})

test("what cannot be read is the default range", () => {
  for (const search of ["", "range=9y", "from=2026-13-40&to=2026-11-02", "from=2026-11-02&to=2026-11-01", "from=x"]) {
    expect(parse(search)).toMatchObject({ preset: "28d", days: 28 })
  }
})

test("days are whole days of the zone, both inclusive", () => {
  expect(iso(parse("from=2026-11-01&to=2026-11-02", "America/New_York"))).toEqual([
    "2026-11-01T04:00:00.000Z",
    "2026-11-03T05:00:00.000Z",
  ])
  expect(parse("from=2026-11-01&to=2026-11-02", "America/New_York")).toMatchObject({ preset: null, days: 2 })
})

test("a day on which the clock is put forward has 23 hours", () => {
  expect(iso(parse("from=2026-03-29&to=2026-03-29", "Europe/Berlin"))).toEqual([
    "2026-03-28T23:00:00.000Z",
    "2026-03-29T22:00:00.000Z",
  ])
})

test("zones ahead of UTC keep the day that was asked for", () => {
  expect(iso(parse("from=2026-11-20&to=2026-11-20", "Pacific/Kiritimati"))).toEqual([
    "2026-11-19T10:00:00.000Z",
    "2026-11-20T10:00:00.000Z",
  ])
})

test("the previous range is as long and ends where this one begins", () => {
  expect(iso(previousRange(parse("range=1d")))).toEqual(["2026-11-18T15:30:00.000Z", "2026-11-19T15:30:00.000Z"])
})
