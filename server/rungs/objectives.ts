import type { Rung } from "#sdk/ladder.ts"

export interface LatencyObjective {
  /** Milliseconds that the 95th percentile should stay within. */
  readonly p95Ms: number
  /** What is timed, in words for people. */
  readonly timed: string
}

/**
 * Starting points until an organization sets its own. For autocomplete 200 ms is where use was seen to fall; the
 * others are the usual limits of attention: an answer that begins within two seconds, a task within one sitting.
 */
export const LATENCY_OBJECTIVES: Record<Rung, LatencyObjective> = {
  autocomplete: { p95Ms: 200, timed: "until shown" },
  chat: { p95Ms: 2_000, timed: "until first token" },
  agent: { p95Ms: 10 * 60_000, timed: "until done" },
  orchestration: { p95Ms: 60 * 60_000, timed: "until done" },
}
