import type { Clock } from "./clock.ts"

/** A clock that stands still until a test moves it, and does then what was scheduled. */
export interface TestClock extends Clock {
  /** Lets so many milliseconds pass. */
  advance(ms: number): void
  /** Sets the machine's clock, and nothing else. */
  jump(ms: number): void
}

export function createTestClock(startMs = Date.UTC(2026, 10, 20, 12)): TestClock {
  let elapsed = 0
  let epoch = startMs
  const timers = new Set<{ readonly at: number; readonly work: () => void }>()
  return {
    now: () => epoch + elapsed,
    elapsed: () => elapsed,
    random: () => 0.5,
    schedule(work, ms) {
      const timer = { at: elapsed + ms, work }
      timers.add(timer)
      return () => timers.delete(timer)
    },
    advance(ms) {
      const until = elapsed + ms
      for (;;) {
        const due = [...timers].filter((timer) => timer.at <= until).toSorted((a, b) => a.at - b.at)[0]
        if (due === undefined) break
        timers.delete(due)
        elapsed = Math.max(elapsed, due.at)
        due.work()
      }
      elapsed = until
    },
    jump(ms) {
      epoch += ms
    },
  }
}
