/** What lets a key in, or no longer. */
export type KeyState = "working" | "stopping" | "expired" | "revoked"

interface Ends {
  readonly expiresAt: Date | null
  readonly revokedAt: Date | null
}

/** A key that expires within this is worth a word. */
const SOON_MS = 7 * 86_400_000

export function keyState(key: Ends, now: Date): KeyState {
  if (key.revokedAt !== null) return "revoked"
  if (key.expiresAt === null) return "working"
  const leftMs = key.expiresAt.getTime() - now.getTime()
  if (leftMs <= 0) return "expired"
  return leftMs <= SOON_MS ? "stopping" : "working"
}

export const KEY_FILTERS = ["working", "ended", "all"] as const
export type KeyFilter = (typeof KEY_FILTERS)[number]

interface Findable extends Ends {
  readonly name: string
  readonly prefix: string
  readonly team: string | null
  readonly agentTool: string | null
  readonly createdBy: string | null
}

/** The keys of a state that have every word of `text` in their name, prefix, team, tool or maker. */
export function filterKeys<Key extends Findable>(
  keys: readonly Key[],
  by: { filter: KeyFilter; text: string; now: Date },
) {
  const words = by.text.toLowerCase().split(/\s+/)
  return keys.filter((key) => {
    const lets = ["working", "stopping"].includes(keyState(key, by.now))
    if (by.filter !== "all" && lets !== (by.filter === "working")) return false
    const about = [key.name, key.prefix, key.team, key.agentTool, key.createdBy].join(" ").toLowerCase()
    return words.every((word) => about.includes(word))
  })
}
