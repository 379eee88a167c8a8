/** Time and chance, which tests hand in. */
export interface Clock {
  /** Milliseconds since the epoch: when something happened. Jumps when the machine's clock is set. */
  now(): number
  /** Milliseconds that never jump: how long something took. */
  elapsed(): number
  /** 0..1 */
  random(): number
  /**
   * Does `work` after so many milliseconds, unless the process has ended by then, which `isAwaited` keeps from ending.
   * Returns what calls it off.
   */
  schedule(work: () => void, ms: number, isAwaited?: boolean): () => void
}

export const systemClock: Clock = {
  now: Date.now,
  elapsed: () => performance.now(),
  random: Math.random,
  schedule(work, ms, isAwaited = false) {
    const timer = setTimeout(work, ms)
    if (!isAwaited) timer.unref()
    return () => clearTimeout(timer)
  },
}
