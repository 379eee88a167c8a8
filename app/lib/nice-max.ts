/** The next round number above, so that the axis has room. */
export function niceMax(value: number): number {
  if (value <= 0) return 1
  const magnitude = 10 ** Math.floor(Math.log10(value))
  const steps = [1, 1.5, 2, 3, 4, 5, 7.5, 10]
  return magnitude * (steps.find((step) => step * magnitude >= value * 1.08) ?? 10)
}

const UNITS_MS = [1, 1000, 60_000, 3_600_000] as const
const STEPS = [1, 2, 3, 4, 6, 8, 10, 12, 16, 20, 30, 40, 60, 80, 100, 120, 160, 200, 300, 400, 600, 800] as const

/** The same of milliseconds, round in the unit in which they are told; half of it is as well. */
export function niceMaxMs(ms: number): number {
  const unit = UNITS_MS.findLast((candidate) => ms >= candidate) ?? 1
  const next = STEPS.find((step) => step * unit >= ms * 1.08)
  return next === undefined ? niceMax(ms) : next * unit
}
