import type { Intake } from "#server/ingest/queries.ts"
import { formatAge, formatDuration, plural } from "../../lib/format.ts"

/** Why a request was refused as a whole, in the words of whoever looks after Belay. */
export const REFUSED_REQUESTS: Readonly<Record<string, string>> = {
  malformed: "were not OTLP, or cut off",
  too_large: "held more than Belay reads at once",
  busy: "came when Belay had too much in hand (503)",
  unfair: "came from a key that had sent more than its share (429)",
  unstorable: "held something that cannot be stored",
  failed: "could not be stored just then (503)",
}

/** Why spans, records and points were left out of a request that was taken. */
export const REJECTED_ITEMS: Readonly<Record<string, string>> = {
  bad_id: "had no valid trace and span id",
  time_out_of_range: "had a time more than 30 days back or 24 hours ahead",
  too_many_attributes: "had more than 512 attributes",
  other_tool: "came from another agent tool than the key is for",
}

/** What a folded name is a name of. */
export const NAME_KINDS: Readonly<Record<string, string>> = {
  agent_tool: "an agent tool",
  agent_version: "a version",
  mode: "a mode",
  model: "a model",
  provider: "a provider",
  language: "a language",
  repository: "a repository",
}

export interface Verdict {
  readonly tone: "good" | "warn" | "none"
  readonly sentence: string
}

const SLOW_MS = 5000

export function sumOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0)
}

/** How long a request waits and is stored, at the 95th percentile; null when nothing was stored. */
export function storedWithinMs({ queue, commit }: Pick<Intake, "queue" | "commit">): number | null {
  return queue.p95Ms === null || commit.p95Ms === null ? null : queue.p95Ms + commit.p95Ms
}

/** Whether telemetry arrives and is kept up with, in a sentence. `lastAt` is when a signal last came, of any day. */
export function judge(args: { hour: Intake; day: Intake; lastAt: Date | null; now: Date }): Verdict {
  const { hour, day, lastAt, now } = args
  const refused = sumOf(hour.refused)
  const turnedAway = (hour.refused["busy"] ?? 0) + (hour.refused["unfair"] ?? 0) + (hour.refused["failed"] ?? 0)
  const within = storedWithinMs(hour)
  if (hour.signals === 0 && refused > 0) {
    return {
      tone: "warn",
      sentence: `No signal was stored in the last hour: ${plural(refused, "request was", "requests were")} refused.`,
    }
  }
  if (hour.signals === 0 && lastAt !== null) {
    const before = day.signals === 0 ? "" : ` The 24 hours before have ${plural(day.signals, "signal")}.`
    return {
      tone: "none",
      sentence: `Nothing arrived in the last hour; the last signal came ${formatAge(lastAt, now)}.${before}`,
    }
  }
  if (hour.signals === 0) return { tone: "none", sentence: "Nothing has arrived yet." }
  const arrived = `${plural(hour.signals, "signal")} arrived in the last hour`
  if (turnedAway > 0) {
    return {
      tone: "warn",
      sentence: `Belay is not keeping up: ${arrived}, and ${plural(turnedAway, "request was", "requests were")} asked to come back later.`,
    }
  }
  if (within !== null && within > SLOW_MS) {
    return {
      tone: "warn",
      sentence: `Belay is falling behind: ${arrived}, and storing one takes up to ${formatDuration(within)}.`,
    }
  }
  const stored = within === null ? "" : `, stored within ${formatDuration(within)}`
  if (refused > 0) {
    return {
      tone: "warn",
      sentence: `${arrived}${stored}; ${plural(refused, "request was", "requests were")} refused.`,
    }
  }
  return { tone: "good", sentence: `${arrived}${stored}; no request was refused.` }
}
