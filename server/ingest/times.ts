/**
 * How often something took how long, in four classes to each doubling from half a millisecond on: what is read from it
 * is at most 9 % off. Sums of several are a sum of their counts, which SQL can do.
 */
export interface Times {
  readonly counts: readonly number[]
  add(ms: number): void
}

const FIRST_MS = 0.5
const PER_DOUBLING = 4
/** Up to almost two minutes; what takes longer counts as that. */
const CLASSES = 72

export function newTimes(): Times {
  const counts: number[] = Array.from({ length: CLASSES }, () => 0)
  return {
    counts,
    add(ms) {
      const place = ms <= FIRST_MS ? 0 : Math.ceil(Math.log2(ms / FIRST_MS) * PER_DOUBLING)
      const index = Math.min(CLASSES - 1, place)
      counts[index] = (counts[index] ?? 0) + 1
    },
  }
}

/** The time, in milliseconds, that a share of 0..1 of all did not exceed; null when there are none. */
export function quantileOf(counts: readonly number[], share: number): number | null {
  const total = counts.reduce((sum, count) => sum + count, 0)
  if (total === 0) return null
  let seen = 0
  const index = counts.findIndex((count) => (seen += count) >= share * total)
  // The middle of the class, as its ends are equally far from it.
  return index === 0 ? FIRST_MS : FIRST_MS * 2 ** ((index - 0.5) / PER_DOUBLING)
}
