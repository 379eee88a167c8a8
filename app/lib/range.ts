export const RANGES = [
  { value: "1d", label: "24 h", days: 1 },
  { value: "7d", label: "7 days", days: 7 },
  { value: "28d", label: "28 days", days: 28 },
  { value: "56d", label: "8 weeks", days: 56 },
] as const

const DEFAULT_RANGE = "28d"
export const ONE_DAY_MS = 86_400_000

export interface Range {
  /** Inclusive. */
  readonly from: Date
  /** Exclusive. */
  readonly to: Date
  /** The preset's value, or null for days that were chosen. */
  readonly preset: string | null
  readonly days: number
  readonly label: string
}

/**
 * The range that the URL names: `?range=7d`, or whole days `?from=2026-11-01&to=2026-11-14` in the given zone, both
 * inclusive. Anything that is neither is the default range.
 */
export function parseRange(search: URLSearchParams, now: Date, timeZone: string): Range {
  const [firstDay, lastDay] = [search.get("from"), search.get("to")]
  const from = parseDay(firstDay, timeZone)
  const last = parseDay(lastDay, timeZone)
  const to = last === null || lastDay === null ? null : parseDay(dayAfter(lastDay), timeZone)
  if (from !== null && to !== null && from < to) {
    const days = Math.round((to.getTime() - from.getTime()) / ONE_DAY_MS)
    return { from, to, preset: null, days, label: `${firstDay} to ${lastDay}` }
  }
  const wanted = search.get("range")
  const preset =
    RANGES.find((range) => range.value === wanted) ?? RANGES.find((range) => range.value === DEFAULT_RANGE) ?? RANGES[0]
  return {
    from: new Date(now.getTime() - preset.days * ONE_DAY_MS),
    to: now,
    preset: preset.value,
    days: preset.days,
    label: preset.label,
  }
}

/** The range of equal length that ends where this one begins. */
export function previousRange(range: Range): { from: Date; to: Date } {
  return { from: new Date(range.from.getTime() - (range.to.getTime() - range.from.getTime())), to: range.from }
}

/** Midnight with which the day `YYYY-MM-DD` begins in the zone, or null when it is no day. */
function parseDay(text: string | null, timeZone: string): Date | null {
  if (text === null || !/^\d{4}-\d{2}-\d{2}$/.test(text)) return null
  const midnight = Date.parse(`${text}T00:00:00Z`)
  if (Number.isNaN(midnight)) return null
  // The zone's offset at its midnight may differ from UTC's midnight's, so it is taken from a first guess.
  const guess = midnight - offsetMs(new Date(midnight), timeZone)
  return new Date(midnight - offsetMs(new Date(guess), timeZone))
}

function dayAfter(text: string): string {
  return new Date(Date.parse(`${text}T00:00:00Z`) + ONE_DAY_MS).toISOString().slice(0, 10)
}

/** `YYYY-MM-DD` of the instant in the zone. */
export function isoDay(instant: Date, timeZone: string): string {
  return new Intl.DateTimeFormat("en-CA", { timeZone, year: "numeric", month: "2-digit", day: "2-digit" }).format(
    instant,
  )
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
