export const RANGES = [
  { value: "1d", label: "24 h", days: 1 },
  { value: "7d", label: "7 days", days: 7 },
  { value: "28d", label: "28 days", days: 28 },
  { value: "56d", label: "8 weeks", days: 56 },
] as const

export const DEFAULT_RANGE = "28d"
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
  const from = parseDay(search.get("from"), timeZone)
  const last = parseDay(search.get("to"), timeZone)
  if (from !== null && last !== null && from <= last) {
    const to = startOfDay(new Date(last.getTime() + 36 * 3_600_000), timeZone)
    const days = Math.round((to.getTime() - from.getTime()) / ONE_DAY_MS)
    return { from, to, preset: null, days, label: `${search.get("from")} to ${search.get("to")}` }
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

function parseDay(text: string | null, timeZone: string): Date | null {
  if (text === null || !/^\d{4}-\d{2}-\d{2}$/.test(text)) return null
  const noon = new Date(`${text}T12:00:00Z`)
  return Number.isNaN(noon.getTime()) ? null : startOfDay(noon, timeZone)
}

/** Midnight of the day that this instant has in the zone. */
export function startOfDay(instant: Date, timeZone: string): Date {
  const midnight = Date.parse(`${isoDay(instant, timeZone)}T00:00:00Z`)
  // The zone's offset at midnight may differ from now's, so it is taken from a first guess.
  const guess = midnight - offsetMs(new Date(midnight), timeZone)
  return new Date(midnight - offsetMs(new Date(guess), timeZone))
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
