import { listOf, type Payload } from "./payload.ts"

/** How many lines an edit added and removed. The lines themselves are counted and let go of. */
export interface Lines {
  readonly linesAdded: number
  readonly linesRemoved: number
}

/** Of `before` that became `after`: what is left when the lines they begin and end with alike are set aside. */
export function countReplaced(before: string, after: string): Lines {
  const [old, fresh] = [toLines(before), toLines(after)]
  const shorter = Math.min(old.length, fresh.length)
  let head = 0
  while (head < shorter && old[head] === fresh[head]) head++
  let tail = 0
  while (tail < shorter - head && old.at(-1 - tail) === fresh.at(-1 - tail)) tail++
  return { linesAdded: fresh.length - head - tail, linesRemoved: old.length - head - tail }
}

/** Of a unified diff's lines, without its file headers. */
export function countMarked(lines: readonly unknown[]): Lines {
  let [linesAdded, linesRemoved] = [0, 0]
  for (const line of lines) {
    if (typeof line !== "string") continue
    if (line.startsWith("+")) linesAdded++
    else if (line.startsWith("-")) linesRemoved++
  }
  return { linesAdded, linesRemoved }
}

/** The sum over a list of `{ old_string, new_string }`; undefined when there is none. */
export function countEdits(payload: Payload, key: string): Lines | undefined {
  const edits = listOf(payload, key)
  if (edits.length === 0) return undefined
  return sum(
    edits.map(({ old_string: before, new_string: after }) =>
      countReplaced(typeof before === "string" ? before : "", typeof after === "string" ? after : ""),
    ),
  )
}

export function sum(all: readonly Lines[]): Lines {
  return {
    linesAdded: all.reduce((total, lines) => total + lines.linesAdded, 0),
    linesRemoved: all.reduce((total, lines) => total + lines.linesRemoved, 0),
  }
}

function toLines(text: string): readonly string[] {
  const lines = text.split("\n")
  // The end of the last line is not another line; no text is no line.
  if (lines.at(-1) === "") lines.pop()
  return lines
}
