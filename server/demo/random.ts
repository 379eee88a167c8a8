/** Repeatable chance: the same seed tells the same story. */
export interface Random {
  /** 0 (inclusive) to 1 (exclusive). */
  next(): number
  chance(probability: number): boolean
  /** A whole number from `low` to `high`, both inclusive. */
  between(low: number, high: number): number
  pick<T>(items: readonly [T, ...T[]]): T
  /** Log-normal with this median; `spread` is the standard deviation of the logarithm. */
  logNormal(median: number, spread: number): number
}

/** mulberry32, seeded with the FNV-1a hash of a text. */
export function createRandom(seed: string): Random {
  let state = 0x811c9dc5
  for (const character of seed) state = Math.imul(state ^ (character.codePointAt(0) ?? 0), 0x01000193)
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  const between = (low: number, high: number) => low + Math.floor(next() * (high - low + 1))
  return {
    next,
    between,
    chance: (probability) => next() < probability,
    pick: (items) => items[between(0, items.length - 1)] ?? items[0],
    logNormal: (median, spread) => {
      const normal = Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next())
      return median * Math.exp(spread * normal)
    },
  }
}
