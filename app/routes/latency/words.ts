import type { DoseResponse } from "#server/latency/queries.ts"
import { formatDuration, formatShare } from "../../lib/format.ts"

/** What the threshold says, in a sentence. */
export function describeThreshold({ threshold, state }: Pick<DoseResponse, "threshold" | "state">): string | null {
  if (state !== "shown") return null
  switch (threshold.state) {
    case "seen":
      return `Threshold seen: from about ${formatDuration(threshold.fromMs)} on, ${formatShare(threshold.above)} is accepted; below, ${formatShare(threshold.below)}.`
    case "none":
      return "No threshold seen: acceptance does not fall anywhere by more than chance."
    case "no_data":
      return "Too few decisions, or all of them alike fast, to look for a threshold."
  }
}

/** A band of latencies in words. */
export function nameBand({ fromMs, toMs }: { fromMs: number; toMs: number }): string {
  return toMs === Infinity
    ? `${formatDuration(fromMs)} or more`
    : `${formatDuration(fromMs)} to ${formatDuration(toMs)}`
}
