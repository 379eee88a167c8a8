/** Groups in the order in which they are shown. */
export const PALETTE_GROUPS = ["Pages", "Views", "Open incidents", "Teams", "Actions", "Glossary"] as const

export interface PaletteEntry {
  readonly group: (typeof PALETTE_GROUPS)[number]
  readonly label: string
  /** A path within Belay. */
  readonly to: string
}

/** Offered before anything is typed: the rest is found by name. */
const OFFERED: readonly PaletteEntry["group"][] = ["Pages", "Views", "Open incidents", "Actions"]
/** More than these nobody reads; another letter makes them fewer. */
const SHOWN_MAX = 50

/**
 * The entries in which every typed word begins a word of the label or its group, group by group; in a group those come
 * first whose label begins with what was typed. With nothing typed what is offered.
 */
export function findEntries<Entry extends Pick<PaletteEntry, "group" | "label">>(
  entries: readonly Entry[],
  typed: string,
): Entry[] {
  const words = wordsOf(typed)
  const found = entries.filter(({ group, label }) => {
    if (words.length === 0) return OFFERED.includes(group)
    const own = wordsOf(`${group} ${label}`)
    return words.every((word) => own.some((candidate) => candidate.startsWith(word)))
  })
  const place = ({ group, label }: Entry) =>
    PALETTE_GROUPS.indexOf(group) * 2 + (wordsOf(label).join(" ").startsWith(words.join(" ")) ? 0 : 1)
  return found.toSorted((a, b) => place(a) - place(b)).slice(0, SHOWN_MAX)
}

function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []
}
