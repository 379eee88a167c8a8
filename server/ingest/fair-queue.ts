export interface Waiting {
  readonly orgId: string
  /** Whose turn it takes: the ingest key. */
  readonly sender: string
  readonly rows: number
}

export interface FairQueue<Item extends Waiting> {
  push(item: Item): void
  /**
   * Takes items of one organization with at most `rowsMax` rows together, or a single one with more. Senders take turns,
   * and whoever was served goes to the end of the line, so that one who sends much cannot keep the others waiting.
   */
  take(rowsMax: number): Item[]
  isEmpty(): boolean
  /** Of all items. */
  rows(): number
}

export function createFairQueue<Item extends Waiting>(): FairQueue<Item> {
  /** In the order of their turns; none of them empty. */
  const lines = new Map<string, Item[]>()
  let waiting = 0

  return {
    push(item) {
      waiting += item.rows
      const line = lines.get(item.sender)
      if (line === undefined) lines.set(item.sender, [item])
      else line.push(item)
    },
    take(rowsMax) {
      const orgId = lines.values().next().value?.[0]?.orgId
      let turns = [...lines].filter(([, line]) => line[0]?.orgId === orgId)
      const served = new Set<string>()
      const taken: Item[] = []
      let rows = 0
      let isFull = false
      while (turns.length > 0 && !isFull) {
        for (const [sender, line] of turns) {
          const next = line[0]
          if (next === undefined) continue
          isFull = taken.length > 0 && rows + next.rows > rowsMax
          if (isFull) break
          line.shift()
          taken.push(next)
          served.add(sender)
          rows += next.rows
        }
        turns = turns.filter(([, line]) => line.length > 0)
      }
      waiting -= rows
      for (const sender of served) {
        const line = lines.get(sender) ?? []
        lines.delete(sender)
        if (line.length > 0) lines.set(sender, line)
      }
      return taken
    },
    isEmpty: () => lines.size === 0,
    rows: () => waiting,
  }
}
