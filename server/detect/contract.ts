import type { Rung } from "#sdk/ladder.ts"

/**
 * What the detector is given and what it says, in one place: the store fills the one and keeps the other, and what is in
 * between (`detector.ts`) knows neither clock nor database. Times are Unix milliseconds.
 */

/** Where a unit of work was done. A value is null where the source does not say. */
export interface Place {
  /** `developer.id` */
  readonly developer: string
  /** The agent tool and its version: `claude-code@2.1.0`, or the tool alone where the version is not known. */
  readonly client: string
  readonly model: string | null
  readonly language: string | null
  readonly mode: string | null
}

/** Suggestions that one person was shown in one hour in one place. */
export interface SuggestionCell extends Place {
  /** Start of the hour in which they were shown. */
  readonly hour: number
  readonly units: number
  /** Of those, on how many a human decided, and took it. */
  readonly presented: number
  readonly accepted: number
  /** Latency until shown: buckets of `server/rollup/histogram.ts`, ascending, and how many are in each. */
  readonly latencyBuckets: readonly number[]
  readonly latencyCounts: readonly number[]
  readonly errors: number
}

/**
 * What the signals of one turn, task or run that arrived in one hour say together. Parts of one operation add up over
 * hours: numbers as sums, times as the earliest and latest.
 */
export interface OperationPart extends Place {
  readonly operation: string
  /** The operation that this one is a part of; the detector adds it to that. */
  readonly parent: string | null
  /** The highest rung that these signals prove: `chat` and up. */
  readonly rung: Rung
  /** Of these signals, outcomes excluded. Null when there are only outcomes. */
  readonly firstAt: number | null
  readonly lastAt: number | null
  /** Whether a `turn`, `task` or `run` signal, which comes at the end, is among them. */
  readonly hasEnded: boolean
  /** Human-decided, as in `server/rollup/measures.ts`. */
  readonly presented: number
  readonly accepted: number
  readonly prompts: number
  readonly denied: number
  readonly errors: number
  readonly edits: number
  readonly outOfScope: number
  readonly toolCalls: number
  /** Compactions of the context. */
  readonly compactions: number
  /** Files that it was given as context, where the source says so. */
  readonly contextFiles: number | null
  /** The longest `latency_ms` of its `turn`, `task` and `run` signals. */
  readonly latencyMs: number | null
  readonly durationMs: number | null
  readonly isInterrupted: boolean
  /** Of late outcomes, the last one: what became of the work. */
  readonly outcome: "merged" | "abandoned" | "reverted" | null
  /** `action` of what went wrong, one entry each: at most 20. */
  readonly outOfScopeActions: readonly string[]
  readonly errorActions: readonly string[]
}

/** One person was at work in one hour, whatever the source of knowing. */
export interface Presence {
  readonly developer: string
  readonly hour: number
  /** Minutes, where a presence feed says so. */
  readonly activeMinutes: number | null
}

/** A row of the `change` table. */
export interface Change {
  readonly kind: string
  readonly subject: string
  readonly at: number
}

/** How long the signals of one hour were on their way. */
export interface Delivery {
  readonly signals: number
  /** Of those, observed more than two hours before they arrived; late outcomes excluded. */
  readonly late: number
  /** Signals that had been stored before. */
  readonly duplicates: number
}

/** What arrived in one hour at one organization. The order within each list does not matter. */
export interface Arrivals {
  /** End of the hour of arrival: received before this, and not before the hour before it. */
  readonly until: number
  readonly suggestions: readonly SuggestionCell[]
  readonly operations: readonly OperationPart[]
  readonly presence: readonly Presence[]
  readonly changes: readonly Change[]
  readonly delivery: Delivery
  /** Incidents that somebody has accepted as the new normal since: what they go on with is the norm from now on. */
  readonly accepted: readonly string[]
}

/** Who is where. */
export interface Roster {
  readonly teams: readonly RosterTeam[]
  /** Memberships of each developer, earliest first. */
  readonly memberships: ReadonlyMap<
    string,
    readonly { readonly team: string; readonly from: number; readonly to: number | null }[]
  >
  /** The developer that stands for everybody whom no source named. */
  readonly unattributed: string | null
}

export interface RosterTeam {
  readonly id: string
  /** Minutes to add to UTC for the local time of the team at an instant. */
  readonly offsetMinutes: (at: number) => number
}

/** Empty for the whole organization. */
export interface IncidentScope {
  readonly team?: string
  readonly developer?: string
  readonly client?: string
  readonly model?: string
  readonly language?: string
  readonly mode?: string
}

export const INCIDENT_KINDS = ["breakage", "over_trust", "data_quality"] as const
export type IncidentKind = (typeof INCIDENT_KINDS)[number]

export const CAUSES = ["latency", "quality", "wrong_path", "permission", "context_loss", "errors", "unknown"] as const
export type Cause = (typeof CAUSES)[number]

/** What is watched. */
export const WATCHED = ["acceptance", "outcome", "slow", "wrong_path", "prompts", "errors", "context", "use"] as const
export type Watched = (typeof WATCHED)[number]

/** How one watched signal stands in the place of an incident, from its start until now. */
export interface Evidence {
  readonly watched: Watched
  readonly observed: number
  readonly expected: number
  /** observed / expected, with its 80 % interval. */
  readonly ratio: number
  readonly low: number
  readonly high: number
  /** Natural logarithm of the evidence against "as before". */
  readonly logEvidence: number
  /** Units of work that this rests on. */
  readonly units: number
  readonly since: number
  /** The same outside the place; null when nobody is outside. */
  readonly restRatio: number | null
  /** People that it rests on, in the place and outside, at least: see `people.ts`. */
  readonly people: number
  readonly restPeople: number
}

/** What speaks for a cause besides how much its signal stands out. */
export const REASONS = ["began_before_loss", "exposed_left_more", "change_nearby"] as const
export type Reason = (typeof REASONS)[number]

export interface RankedCause {
  readonly cause: Cause
  /** Of all causes, 0..1; they add up to 1. */
  readonly share: number
  readonly reasons: readonly Reason[]
  /** Of those who left and those who stayed, how many are the fewer; null where that is no reason. */
  readonly exposed: number | null
}

/** Innocent explanations. */
export const CHECKS = [
  "telemetry_stopped",
  "telemetry_late",
  "duplicates",
  "work_mix",
  "slow_week",
  "new_people",
  "climbing",
  "larger_tasks",
] as const

/** An innocent explanation that was looked for. */
export interface Check {
  readonly check: (typeof CHECKS)[number]
  readonly result: "excluded" | "found" | "not_checked"
  /** The number that says so, in the unit of the check: a share or a ratio. */
  readonly figure: number | null
  /** People that the figure rests on, at least; null where it is of the telemetry and not of people. */
  readonly people: number | null
}

/** How the leading signal of an incident stood on one day, in the place and in the rest of the organization. */
export interface IncidentDay {
  /** `YYYY-MM-DD` */
  readonly day: string
  /** Whether it is one that the evidence is summed over. */
  readonly isSince: boolean
  readonly observed: number
  readonly expected: number
  /** Null when nobody is outside the place. */
  readonly restObserved: number | null
  readonly restExpected: number | null
  /** Units of work in the place. */
  readonly units: number
  /** Marks of the people in the place (`people.ts`), and how many there are outside, at least. */
  readonly marks: number
  readonly restPeople: number
}

/** The level that an incident has kept for so long that it may be the new normal. */
export interface Settled {
  /** observed / expected. */
  readonly ratio: number
  /** People that it rests on, at least. */
  readonly people: number
}

/** What is wrong with the data. */
export const FAULT_NOTES = ["telemetry_stopped", "rung_stopped", "telemetry_late", "duplicates"] as const
export type FaultNote = (typeof FAULT_NOTES)[number]

/** What becomes of an incident. */
export const INCIDENT_EVENTS = [
  "opened",
  "widened",
  "narrowed",
  "moved",
  "cause_changed",
  "recovering",
  "recovered",
  "reopened",
  "new_normal_proposed",
  "new_normal_accepted",
  "new_normal_declined",
  "acknowledged",
  "labelled",
  "note",
] as const
export type IncidentEvent = (typeof INCIDENT_EVENTS)[number]

export type IncidentState = "open" | "recovering" | "recovered" | "new_normal"

/** An incident as it stands. */
export interface DetectedIncident {
  /** The same for the same input: a UUID made of organization, rung and the hour of opening. */
  readonly id: string
  readonly kind: IncidentKind
  readonly rung: Rung
  /** Other rungs that broke by the same cause in the same place. */
  readonly alsoRungs: readonly Rung[]
  readonly state: IncidentState
  readonly openedAt: number
  readonly startedAt: number
  /** 80 % interval of the start. */
  readonly startedFrom: number
  readonly startedTo: number
  readonly closedAt: number | null
  /** How often it was opened again. */
  readonly reopened: number
  readonly scope: IncidentScope
  readonly cause: Cause
  readonly causes: readonly RankedCause[]
  /** The signal that it stands on, which names its cause; null for what is wrong with the data. */
  readonly leading: Watched | null
  readonly evidence: readonly Evidence[]
  readonly checks: readonly Check[]
  /** What changed from two days before the start until a day after it, in this place or anywhere; with whether it fits. */
  readonly changes: readonly (Change & { readonly fits: boolean })[]
  /** The leading signal by day, from two weeks before the start. Earliest first. */
  readonly daily: readonly IncidentDay[]
  /** Null while it is young, moves, or gets better. */
  readonly settled: Settled | null
  /** What changed shortly before it got better. */
  readonly recoveredAfter: Change | null
  /** `action` behind most of what went wrong, where one stands out. */
  readonly action: string | null
  /** Where those who left the rung went. */
  readonly fallbackTo: Rung | null
  /** People who worked in the place, and those of them who show the loss. */
  readonly people: number
  readonly peopleAffected: number
  /** Share of the whole loss that the place explains, 0..1. */
  readonly explained: number | null
  /** 0..1, calibrated. */
  readonly confidence: number
  /** `data_quality` only. */
  readonly note: FaultNote | null
}
