/**
 * Sums of several that are each known by a number, flat and in order: number, sum, number, sum. A hundred thousand of
 * them have one or two entries, for which a Map takes many times the memory.
 */
export type SumsByNumber = readonly number[]

export const NO_SUMS: SumsByNumber = []

/** The sums with `value` added to that of one. What was given may be changed and is not to be used any more. */
export function added(sums: SumsByNumber, who: number, value: number): SumsByNumber {
  const at = findPlace(sums, who)
  const list = sums as number[]
  if (list[at] === who) {
    list[at + 1]! += value
    return list
  }
  // Exactly as long as it is: an array that grows keeps room for sixteen more.
  return list.slice(0, at).concat([who, value], list.slice(at))
}

/** Where `who` is, or would be. */
function findPlace(sums: SumsByNumber, who: number): number {
  let [from, to] = [0, sums.length / 2]
  while (from < to) {
    const middle = (from + to) >> 1
    if (sums[middle * 2]! < who) from = middle + 1
    else to = middle
  }
  return from * 2
}

export function sumOfSquares(sums: SumsByNumber): number {
  let sum = 0
  for (let at = 1; at < sums.length; at += 2) sum += sums[at]! * sums[at]!
  return sum
}
