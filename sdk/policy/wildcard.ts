/** Texts of which a part is not known, such as a shell word with a variable in it. */

/** Stands for any text, none included, where a part of a text is not known. No word and no path can hold it itself. */
export const ANY = "\u0000"

/** Like `ANY`, for text within one name of a path: what a shell's `*` or `?` stands for. */
export const ANY_NAME = "\u0001"

/** Longer texts are taken to overlap: what is compared is a word or a path. */
const MAX_LENGTH = 1024

/** Whether a part of the text is not known. */
export function isPartlyUnknown(text: string): boolean {
  return text.includes(ANY) || text.includes(ANY_NAME)
}

/** Whether two texts, each perhaps with unknown parts, could be the same. Case does not count. */
export function mayBeSame(a: string, b: string): boolean {
  if (a.length > MAX_LENGTH || b.length > MAX_LENGTH) return true
  const [left, right] = [a.toLowerCase(), b.toLowerCase()]
  // Row by row: whether the first i of the one can be the first j of the other.
  let row: readonly boolean[] = nextRow(null, "", right)
  for (const char of left) row = nextRow(row, char, right)
  return row[right.length] === true
}

function nextRow(row: readonly boolean[] | null, char: string, right: string): readonly boolean[] {
  const isWild = isUnknownPart(char)
  const next = [row === null || (isWild && row[0] === true)]
  for (let j = 0; j < right.length; j++) {
    const other = right.charAt(j)
    const isOtherWild = isUnknownPart(other)
    const [before, above, diagonal] = [next[j] === true, row?.[j + 1] === true, row?.[j] === true]
    next.push(
      (isWild && (above || (before && canHold(char, other)))) ||
        (isOtherWild && (before || (above && canHold(other, char)))) ||
        (!isWild && char === other && diagonal),
    )
  }
  return next
}

function isUnknownPart(char: string): boolean {
  return char === ANY || char === ANY_NAME
}

function canHold(wild: string, char: string): boolean {
  return wild === ANY || char !== "/"
}

/** The pattern with `*` for any text as such a text. */
export function fromStars(pattern: string): string {
  return pattern.replace(/\*+/g, ANY)
}

/** A test for a whole text by a pattern in which `*` is any text. */
export function starsToRegex(pattern: string, flags: "s" | "is"): RegExp {
  const source = pattern.split(/\*+/).map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`))
  return new RegExp(`^${source.join(".*")}$`, flags)
}

/** How sure it is that a rule's pattern or conditions hold. */
export const NO = 0
/** Something that decides is not known. */
export const MAYBE = 1
export const YES = 2
/** `NO`, `MAYBE` or `YES`; the least of several is that of all of them. */
export type Verdict = 0 | 1 | 2
