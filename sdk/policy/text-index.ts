/** What may match a text, found by how patterns begin or end, so that most patterns are never tried. */

const NONE: readonly never[] = []

type Buckets<Item> = Map<number, Map<string, Item[]>>

export interface TextIndex<Item> {
  /** Indexes under what every text that matches is, begins with or ends with; letters of either case are the same. */
  add(item: Item, key: TextKey): void
  /** Appends what may match the text, which is in lower case. */
  collect(text: string, into: Item[]): void
  /** Appends of that only what is indexed under how texts end or what they are. */
  collectByEnd(text: string, into: Item[]): void
}

/** What is known of every text that a pattern matches, in lower case. `any` is nothing. */
export type TextKey = { readonly kind: "exact" | "prefix" | "suffix"; readonly text: string } | { readonly kind: "any" }

/** The key of a pattern in which what `special` finds is not literal. */
export function toTextKey(pattern: string, special: RegExp): TextKey {
  const lower = pattern.toLowerCase()
  const first = lower.search(special)
  if (first === -1) return { kind: "exact", text: lower }
  if (first > 0) return { kind: "prefix", text: lower.slice(0, first) }
  let at = lower.length
  while (at > 0 && !special.test(lower.charAt(at - 1))) at--
  const suffix = lower.slice(at)
  return suffix === "" ? { kind: "any" } : { kind: "suffix", text: suffix }
}

export function createTextIndex<Item>(): TextIndex<Item> {
  const exact = new Map<string, Item[]>()
  const prefixes: Buckets<Item> = new Map()
  const suffixes: Buckets<Item> = new Map()
  const rest: Item[] = []
  const put = (map: Map<string, Item[]>, text: string, item: Item): void => {
    const bucket = map.get(text)
    if (bucket) bucket.push(item)
    else map.set(text, [item])
  }
  const bucketOf = (buckets: Buckets<Item>, length: number): Map<string, Item[]> => {
    const known = buckets.get(length) ?? new Map<string, Item[]>()
    buckets.set(length, known)
    return known
  }
  const collectByEnd = (text: string, into: Item[]): void => {
    for (const item of exact.get(text) ?? NONE) into.push(item)
    for (const [length, bucket] of suffixes) {
      if (length > text.length) continue
      for (const item of bucket.get(text.slice(text.length - length)) ?? NONE) into.push(item)
    }
  }
  return {
    add(item, key) {
      if (key.kind === "any") rest.push(item)
      else if (key.kind === "exact") put(exact, key.text, item)
      else put(bucketOf(key.kind === "prefix" ? prefixes : suffixes, key.text.length), key.text, item)
    },
    collect(text, into) {
      for (const item of rest) into.push(item)
      for (const [length, bucket] of prefixes) {
        if (length > text.length) continue
        for (const item of bucket.get(text.slice(0, length)) ?? NONE) into.push(item)
      }
      collectByEnd(text, into)
    },
    collectByEnd,
  }
}
