import { expect, test } from "vitest"
import { parseRange } from "./range.ts"

/** A Friday. */
const NOW = new Date("2026-11-20T15:30:00Z")
const parse = (search: string, timeZone = "UTC", now = NOW) => parseRange(new URLSearchParams(search), now, timeZone)
const iso = (range: { from: Date; to: Date }) => [range.from.toISOString(), range.to.toISOString()]

test("a preset begins on a Monday and ends now", () => {
  expect(iso(parse("range=1w"))).toEqual(["2026-11-16T00:00:00.000Z", "2026-11-20T15:30:00.000Z"])
  expect(iso(parse("range=4w"))).toEqual(["2026-10-26T00:00:00.000Z", "2026-11-20T15:30:00.000Z"])
})

test("what cannot be read, lies ahead or has no end is the default range", () => {
  for (const search of [
    "",
    "range=9y",
    "from=2026-13-40&to=2026-11-02",
    "from=2026-11-02&to=2026-11-01",
    "from=x",
    "from=2026-11-23&to=2026-11-24",
    "from=0001-01-01&to=2026-11-01",
    "from=0000-01-01&to=0000-01-02",
    "from=2026-11-01&to=9999-12-31",
    "from=9999-12-30&to=9999-12-31",
  ]) {
    expect(parse(search)).toMatchObject({ preset: "4w", weeks: 4 })
  }
})

test("days are widened to whole weeks of the zone", () => {
  const range = parse("from=2026-10-28&to=2026-11-03", "America/New_York")
  expect(iso(range)).toEqual(["2026-10-26T04:00:00.000Z", "2026-11-09T05:00:00.000Z"])
  expect(range).toMatchObject({ preset: null, weeks: 2 })
})

test("days of the week in progress end now, as the presets do", () => {
  expect(iso(parse("from=2026-11-18&to=2026-11-22"))).toEqual(iso(parse("range=1w")))
})

test("a week in which the clock is put forward has an hour less", () => {
  expect(iso(parse("from=2026-03-29&to=2026-03-29", "Europe/Berlin"))).toEqual([
    "2026-03-22T23:00:00.000Z",
    "2026-03-29T22:00:00.000Z",
  ])
})

test("the week is the one it is in the zone", () => {
  const sundayNight = new Date("2026-11-22T15:00:00Z")
  expect(iso(parse("range=1w", "Pacific/Kiritimati", sundayNight))[0]).toBe("2026-11-22T10:00:00.000Z")
  expect(iso(parse("range=1w", "America/New_York", sundayNight))[0]).toBe("2026-11-16T05:00:00.000Z")
})
