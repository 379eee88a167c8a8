/** Lets at most `width` pieces of work run at once; the others wait in the order in which they came. */
export function createLane(width: number): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = []
  let running = 0
  return async (work) => {
    if (running >= width) await new Promise<void>((resolve) => waiting.push(resolve))
    else running++
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      // The place passes to the next in line, so `running` stays.
      if (next) next()
      else running--
    }
  }
}
