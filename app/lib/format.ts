/** Figures in words: the only place where a ratio becomes a percentage and milliseconds become a unit. */

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 })
const oneDigit = new Intl.NumberFormat("en", { maximumFractionDigits: 1 })
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 })

export function formatCount(count: number): string {
  return count < 100_000 ? whole.format(count) : compact.format(count)
}

/** A ratio 0..1 as a percentage with the unit. */
export function formatShare(share: number): string {
  return `${whole.format(share * 100)} %`
}

/** A difference of two ratios in percentage points, with its sign. */
export function formatPoints(difference: number): string {
  const points = Math.round(difference * 100)
  if (points === 0) return "±0 pts"
  return `${points > 0 ? "+" : "−"}${Math.abs(points)} ${Math.abs(points) === 1 ? "pt" : "pts"}`
}

/** A ratio of growth as a percentage, with its sign: `+12 %`. */
export function formatChange(growth: number): string {
  const percent = Math.round(growth * 100)
  if (percent === 0) return "±0 %"
  return `${percent > 0 ? "+" : "−"}${whole.format(Math.abs(percent))} %`
}

/** The half-width of an interval in percentage points: `± 3`. */
export function formatMargin(interval: { low: number; high: number }): string {
  return `± ${oneDigit.format(((interval.high - interval.low) / 2) * 100)}`
}

/** Milliseconds in the unit in which people think of them. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${whole.format(ms)} ms`
  if (ms < 60_000) return `${oneDigit.format(ms / 1000)} s`
  if (ms < 3_600_000) return `${oneDigit.format(ms / 60_000)} min`
  return `${oneDigit.format(ms / 3_600_000)} h`
}

const BYTE_UNITS = ["B", "kB", "MB", "GB", "TB"] as const

/** Bytes in powers of 1000: `1.4 GB`. */
export function formatBytes(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(BYTE_UNITS.length - 1, Math.floor(Math.log10(bytes) / 3))
  return `${(power === 0 ? whole : oneDigit).format(bytes / 1000 ** power)} ${BYTE_UNITS[power]}`
}

export function formatRate(rate: number): string {
  return rate < 10 ? oneDigit.format(rate) : whole.format(rate)
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`
}

/** Date and time in the organization's zone. */
export function formatInstant(date: Date, timeZone: string): string {
  return new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short", timeZone }).format(date)
}

export function formatDay(date: Date, timeZone: string): string {
  return new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone }).format(date)
}

const dollars = new Intl.NumberFormat("en", { style: "currency", currency: "USD", maximumFractionDigits: 2 })
const finePrice = new Intl.NumberFormat("en", {
  style: "currency",
  currency: "USD",
  minimumFractionDigits: 2,
  maximumFractionDigits: 6,
})

/** US dollars; less than a cent that is not nothing says so. */
export function formatUsd(usd: number): string {
  return usd > 0 && usd < 0.005 ? "< $0.01" : dollars.format(usd)
}

/** A price per million tokens, with all of its digits. */
export function formatPrice(usd: number): string {
  return finePrice.format(usd)
}

/** Money or tokens, as a budget counts them. */
export function formatUse(amount: number, unit: "usd" | "tokens"): string {
  return unit === "usd" ? formatUsd(amount) : plural(Math.round(amount), "token")
}

/** How long ago, in the largest unit that says it: `3 min ago`. */
export function formatAge(from: Date, now: Date): string {
  const seconds = Math.max(0, Math.round((now.getTime() - from.getTime()) / 1000))
  if (seconds < 5) return "just now"
  if (seconds < 60) return `${seconds} s ago`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`
  return `${plural(Math.floor(seconds / 86_400), "day")} ago`
}

/** How long until then: `in 23 h`; `now` when it is over. */
export function formatUntil(to: Date, now: Date): string {
  const seconds = Math.round((to.getTime() - now.getTime()) / 1000)
  if (seconds <= 0) return "now"
  if (seconds < 60) return `in ${seconds} s`
  if (seconds < 3600) return `in ${Math.round(seconds / 60)} min`
  if (seconds < 2 * 86_400) return `in ${Math.round(seconds / 3600)} h`
  return `in ${plural(Math.round(seconds / 86_400), "day")}`
}
