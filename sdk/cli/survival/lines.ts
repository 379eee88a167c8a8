import type { Hunk } from "./patches.ts"

/**
 * Whose each line of a file is, from its first to the last that is anyone's: the number of the commit that added it, 0 where
 * nobody is looked after.
 */
export type Owners = Int32Array

/** A blank line, a brace or other punctuation alone says nothing of who wrote it. */
const SAYING = /[A-Za-z0-9\x80-\xff]/

/** Whether a line counts. */
export function isSaying(line: string): boolean {
  return SAYING.test(line)
}

/** Lines whose spaces alone differ are the same. */
export function toText(line: string): string {
  return line.trim().replace(/\s+/g, " ")
}

/** Where in the old file a hunk's removed lines begin, from 0. */
export function removedFrom({ oldStart, removed }: Hunk): number {
  return removed.length === 0 ? oldStart : oldStart - 1
}

/** The owners after the hunks, with those of each hunk's new lines; null when no line is anyone's. */
export function replaceLines(
  before: Owners | undefined,
  hunks: readonly Hunk[],
  added: readonly (Owners | undefined)[],
): Owners | null {
  const old = before ?? new Int32Array(0)
  const last = hunks.at(-1)
  const grown = hunks.reduce((sum, hunk) => sum + hunk.added.length - hunk.removed.length, 0)
  const endOfNew = last === undefined ? 0 : removedFrom(last) + last.removed.length + grown
  const owners = new Int32Array(Math.max(old.length + grown, endOfNew, 0))
  let [from, to] = [0, 0]
  const copy = (until: number) => {
    const kept = old.subarray(from, Math.max(from, Math.min(until, old.length)))
    owners.set(kept, to)
    to += until - from
    from = until
  }
  for (const [index, hunk] of hunks.entries()) {
    copy(removedFrom(hunk))
    const own = added[index]
    if (own !== undefined) owners.set(own, to)
    from += hunk.removed.length
    to += hunk.added.length
  }
  if (from < old.length) copy(old.length)
  const end = owners.findLastIndex((owner) => owner !== 0) + 1
  return end === 0 ? null : owners.slice(0, end)
}

/** A line that a commit took away, or put somewhere. */
export interface MovingLine {
  readonly text: string
  /** Lines of one hunk lie together. */
  readonly hunk: number
}

/** As many letters and digits as git wants to call lines moved. */
const MOVED_MIN = 20
/** Places where a line that is there many times may be from. */
const PLACES_MAX = 16

/** For each line that was put somewhere, the index of the line that was taken away elsewhere and is it; -1 where none is. */
export function matchMoved(removed: readonly MovingLine[], added: readonly MovingLine[]): Int32Array {
  const from = new Int32Array(added.length).fill(-1)
  const places = new Map<string, number[]>()
  for (const [index, { text }] of removed.entries()) {
    const found = places.get(text)
    if (found === undefined) places.set(text, [index])
    else found.push(index)
  }
  const isUsed = new Uint8Array(removed.length)
  const lengthAt = (at: number, place: number): number => {
    let length = 0
    for (;;) {
      const [a, b] = [added[at + length], removed[place + length]]
      if (a === undefined || b === undefined || a.text !== b.text || isUsed[place + length] === 1) return length
      if (a.hunk !== added[at]?.hunk || b.hunk !== removed[place]?.hunk) return length
      length++
    }
  }
  for (let at = 0; at < added.length;) {
    let [best, bestLength] = [-1, 0]
    let looked = 0
    for (const place of places.get(added[at]?.text ?? "") ?? []) {
      if (isUsed[place] === 1) continue
      if (++looked > PLACES_MAX) break
      const length = lengthAt(at, place)
      if (length > bestLength) [best, bestLength] = [place, length]
    }
    if (bestLength > 0 && lettersOf(added.slice(at, at + bestLength)) >= MOVED_MIN) {
      for (let step = 0; step < bestLength; step++) {
        from[at + step] = best + step
        isUsed[best + step] = 1
      }
    }
    at += Math.max(1, bestLength)
  }
  return from
}

function lettersOf(lines: readonly MovingLine[]): number {
  return lines.reduce((sum, { text }) => sum + text.replace(/[^A-Za-z0-9\x80-\xff]/g, "").length, 0)
}
