export interface Interval {
  readonly low: number
  readonly high: number
}

/** Two-sided 95 %. */
const Z = 1.959964

/**
 * Wilson score interval of a proportion, 95 %, as ratios 0..1. Unlike the normal approximation it stays inside 0..1
 * and holds for small counts. Null when there were no trials.
 *
 * @see Wilson, E. B. (1927), Probable inference, the law of succession, and statistical inference. JASA 22.
 */
export function computeWilsonInterval(successes: number, trials: number): Interval | null {
  if (trials === 0) return null
  const share = successes / trials
  const denominator = 1 + (Z * Z) / trials
  const center = (share + (Z * Z) / (2 * trials)) / denominator
  const half = (Z * Math.sqrt((share * (1 - share)) / trials + (Z * Z) / (4 * trials * trials))) / denominator
  return { low: Math.max(0, center - half), high: Math.min(1, center + half) }
}
