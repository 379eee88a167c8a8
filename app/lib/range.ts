/** Whole weeks, the one in progress among them. */
export const RANGES = [
  { value: "1w", label: "This week", weeks: 1 },
  { value: "4w", label: "4 weeks", weeks: 4 },
  { value: "8w", label: "8 weeks", weeks: 8 },
  { value: "13w", label: "13 weeks", weeks: 13 },
] as const

const DEFAULT_RANGE = "4w"
const ONE_DAY_MS = 86_400_000
const ONE_WEEK_MS = 7 * ONE_DAY_MS
/** As long as signals can be kept. */
const MAX_WEEKS = 522

/** Weeks from Monday to Sunday in the organization's zone; the last may be in progress. */
export interface Range {
  /** Inclusive, midnight of a Monday. */
  readonly from: Date
  /** Exclusive, midnight of a Monday or now. */
  readonly to: Date
  /** The preset's value, or null for days that were chosen. */
  readonly preset: string | null
  readonly weeks: number
}

/**
 * The range that the URL names: `?range=4w`, or days `?from=2026-11-01&to=2026-11-14` in the given zone, both inclusive
 * and widened to whole weeks: two ranges that differ by a day would tell what was done on it. Anything that is neither
 * is the default range.
 */
export function parseRange(search: URLSearchParams, now: Date, timeZone: string): Range {
  return parseDays(search, now, timeZone) ?? presetOf(search.get("range"), now, timeZone)
}

function parseDays(search: URLSearchParams, now: Date, timeZone: string): Range | null {
  const [first, last] = [parseDay(search.get("from")), parseDay(search.get("to"))]
  if (first === null || last === null || first > last) return null
  if (first < now.getTime() - MAX_WEEKS * ONE_WEEK_MS || last > first + MAX_WEEKS * ONE_WEEK_MS) return null
  const [firstMonday, lastMonday] = [mondayOf(first), mondayOf(last)]
  const weeks = Math.round((lastMonday - firstMonday) / ONE_WEEK_MS) + 1
  const from = midnightOf(firstMonday, timeZone)
  if (from >= now) return null
  const end = midnightOf(lastMonday + ONE_WEEK_MS, timeZone)
  const to = end < now ? end : now
  return { from, to, preset: null, weeks }
}

function presetOf(wanted: string | null, now: Date, timeZone: string): Range {
  const preset =
    RANGES.find((range) => range.value === wanted) ?? RANGES.find((range) => range.value === DEFAULT_RANGE) ?? RANGES[0]
  const thisMonday = mondayOf(Date.parse(`${isoDay(now, timeZone)}T00:00:00Z`))
  const from = midnightOf(thisMonday - (preset.weeks - 1) * ONE_WEEK_MS, timeZone)
  return { from, to: now, preset: preset.value, weeks: preset.weeks }
}

/** Days are counted as UTC's midnights until the zone is asked when they begin there. */
function parseDay(text: string | null): number | null {
  if (text === null || !/^\d{4}-\d{2}-\d{2}$/.test(text)) return null
  const day = Date.parse(`${text}T00:00:00Z`)
  return Number.isNaN(day) ? null : day
}

function mondayOf(day: number): number {
  return day - ((new Date(day).getUTCDay() + 6) % 7) * ONE_DAY_MS
}

/** When the day begins in the zone. */
function midnightOf(day: number, timeZone: string): Date {
  // The zone's offset at its midnight may differ from UTC's midnight's, so it is taken from a first guess.
  const guess = day - offsetMs(new Date(day), timeZone)
  return new Date(day - offsetMs(new Date(guess), timeZone))
}

/** `YYYY-MM-DD` of the instant in the zone. */
export function isoDay(instant: Date, timeZone: string): string {
  return new Intl.DateTimeFormat("en-CA", { timeZone, year: "numeric", month: "2-digit", day: "2-digit" }).format(
    instant,
  )
}

/** When the day began in the zone that was so many days ago; today's with 0. */
export function dayAgo(days: number, now: Date, timeZone: string): Date {
  return midnightOf(Date.parse(`${isoDay(now, timeZone)}T00:00:00Z`) - days * ONE_DAY_MS, timeZone)
}

function offsetMs(instant: Date, timeZone: string): number {
  const parts = new Intl.DateTimeFormat("en-CA", {
    timeZone,
    hourCycle: "h23",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  }).formatToParts(instant)
  const part = (type: string) => parts.find((candidate) => candidate.type === type)?.value ?? "00"
  const local = `${part("year")}-${part("month")}-${part("day")}T${part("hour")}:${part("minute")}:${part("second")}Z`
  return Date.parse(local) - Math.floor(instant.getTime() / 1000) * 1000
}
