/**
 * How many people stand behind a figure: at least so many. Who added to it on a day is not kept, which would take more
 * memory than all the rest. Each person has one of 52 marks, by their id, and a day has in one number the marks of all who
 * added to it. People who share a mark are counted as one, so that there are never fewer people than are counted.
 */

/** In a number there is room for 53 bits; operators for bits work on 32. */
const MARKS = 52
const HALF = 2 ** (MARKS / 2)

export function markOf(developer: string): number {
  // FNV-1a.
  let hash = 0x811c9dc5
  for (let index = 0; index < developer.length; index++) {
    hash = Math.imul(hash ^ developer.charCodeAt(index), 0x01000193)
  }
  return 2 ** ((hash >>> 0) % MARKS)
}

export function withMarks(one: number, other: number): number {
  const high = Math.floor(one / HALF) | Math.floor(other / HALF)
  return high * HALF + ((one % HALF) | (other % HALF))
}

export function withoutMarks(one: number, other: number): number {
  const high = Math.floor(one / HALF) & ~Math.floor(other / HALF)
  return high * HALF + ((one % HALF) & ~(other % HALF))
}

export function countMarks(marks: number): number {
  let count = 0
  for (let half of [Math.floor(marks / HALF), marks % HALF]) for (; half !== 0; half &= half - 1) count++
  return count
}
