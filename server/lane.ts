export interface Lane {
  <T>(work: () => Promise<T>): Promise<T>
  /** How much work waits for its turn. */
  waiting(): number
}

/** Lets at most `width` pieces of work run at once; the others wait in the order in which they came. */
export function createLane(width: number): Lane {
  const queue: (() => void)[] = []
  let running = 0
  async function lane<T>(work: () => Promise<T>): Promise<T> {
    if (running >= width) await new Promise<void>((resolve) => queue.push(resolve))
    else running++
    try {
      return await work()
    } finally {
      const next = queue.shift()
      // The place passes to the next in line, so `running` stays.
      if (next) next()
      else running--
    }
  }
  return Object.assign(lane, { waiting: () => queue.length })
}
