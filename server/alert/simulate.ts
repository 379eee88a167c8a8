import {
  type BurnLimits,
  judge,
  type Readings,
  type Severity,
  type Timed,
  type WindowName,
  WINDOWS,
} from "../slo/burn.ts"
import { timingOf } from "./evaluate.ts"
import { soFar, type Standing, step } from "./lifecycle.ts"

/** When an objective's alert was open. */
export interface Firing {
  readonly openedAt: number
  /** Null while it is open at the end. */
  readonly resolvedAt: number | null
  /** The highest that it was. */
  readonly severity: Severity
  /** In the long window of the rule that fired, when it was opened. */
  readonly longRate: number
}

/**
 * What an objective's alerts would have been: the same burn rates and the same lifecycle as evaluation has, over buckets of
 * one length in order. Evaluates at the end of each bucket from `from` on; those before fill the windows. Times are
 * milliseconds since 1970. Pure.
 */
export function simulate(
  buckets: readonly Timed[],
  args: { readonly startAt: number; readonly bucketMs: number; readonly from: number; readonly limits: BurnLimits },
): readonly Firing[] {
  const { startAt, bucketMs, from, limits } = args
  const requests = new Float64Array(buckets.length + 1)
  const slow = new Float64Array(buckets.length + 1)
  for (const [index, bucket] of buckets.entries()) {
    requests[index + 1] = (requests[index] ?? 0) + bucket.requests
    slow[index + 1] = (slow[index] ?? 0) + bucket.slow
  }
  const firings: Firing[] = []
  let standing: Standing | null = null
  for (let end = 1; end <= buckets.length; end++) {
    const at = startAt + end * bucketMs
    if (at <= from) continue
    const inWindow = (ms: number): Timed => {
      const start = Math.max(0, end - Math.max(1, Math.round(ms / bucketMs)))
      return {
        requests: (requests[end] ?? 0) - (requests[start] ?? 0),
        // Sums of parts of buckets leave a rest in the last digits.
        slow: Math.max(0, (slow[end] ?? 0) - (slow[start] ?? 0)),
      }
    }
    const readings = Object.fromEntries(WINDOWS.map(({ name, ms }) => [name, inWindow(ms)])) as Record<
      WindowName,
      Timed
    >
    const judgement = judge(readings satisfies Readings, limits, { at, ...soFar(standing) })
    const verdict =
      judgement.verdict === "firing" && judgement.severity !== null
        ? ({ verdict: "firing", severity: judgement.severity } as const)
        : ({ verdict: judgement.verdict === "calm" ? "calm" : "unknown" } as const)
    const before: Standing | null = standing
    const stepped = step(before, verdict, at, timingOf("latency"))
    standing = stepped.after
    const last = firings.at(-1)
    if (stepped.isNew) {
      const { severity } = stepped.after ?? { severity: "ticket" as const }
      firings.push({ openedAt: at, resolvedAt: null, severity, longRate: judgement.burn.longRate ?? 0 })
    } else if (last !== undefined && standing !== null) {
      const isWorse = standing.severity === "page" && last.severity === "ticket"
      const resolvedAt = standing.resolvedAt
      if (isWorse || resolvedAt !== last.resolvedAt) {
        firings[firings.length - 1] = { ...last, severity: isWorse ? "page" : last.severity, resolvedAt }
      }
    }
  }
  return firings
}
