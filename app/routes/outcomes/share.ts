import { computeWilsonInterval, type Interval } from "#server/rungs/wilson.ts"

export interface Share {
  /** A ratio 0..1. */
  readonly value: number
  readonly interval: Interval
  readonly part: number
  readonly whole: number
}

/** A part of a whole with its 95 % interval; null when either is unknown, or there is no whole. */
export function shareOf(part: number | null, whole: number | null): Share | null {
  if (part === null || whole === null) return null
  const interval = computeWilsonInterval(part, whole)
  return interval === null ? null : { value: part / whole, interval, part, whole }
}
