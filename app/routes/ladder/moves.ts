interface Accepted {
  readonly acceptance: number | null
  readonly interval: { readonly low: number; readonly high: number } | null
}

/** Whether an acceptance moved: only when the two 95 % intervals do not overlap, for the rest may be chance. */
export function acceptanceMoved(now: Accepted, before: Accepted | undefined): "rose" | "fell" | null {
  if (now.interval === null || before === undefined || before.interval === null) return null
  if (now.interval.low > before.interval.high) return "rose"
  return now.interval.high < before.interval.low ? "fell" : null
}

/** At this many times the questions of before, people notice. */
const SURGE = 2

/** Whether an operation asks at least twice as many questions as before, and at least one. */
export function promptsSurged(now: number | null, before: number | null): boolean {
  return now !== null && before !== null && now >= 1 && now >= before * SURGE
}
