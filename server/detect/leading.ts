import type { Cause, Evidence, Watched } from "./contract.ts"
import { SILENT_DAYS } from "./detector.ts"
import { SETTINGS } from "./settings.ts"
import { SPECS } from "./watched.ts"

/** Days of data from which on anything is told. */
export const LEARNING_DAYS = SILENT_DAYS

/** What an incident stands on: the signal that names its cause, or else the one with the most evidence. */
export function leadingEvidence(incident: {
  readonly cause: Cause
  /** The most evident first. */
  readonly evidence: readonly Evidence[]
}): Evidence | null {
  const { cause, evidence } = incident
  return evidence.find(({ watched }) => causeOf(watched) === cause) ?? evidence[0] ?? null
}

/** What a signal says when it stands out. */
export function causeOf(watched: Watched): Cause {
  return SPECS[watched].cause
}

/** observed / expected, over today and the two days before, up to which (or, when fewer is worse, from which) it is over. */
export function closingRatio(watched: Watched): { readonly ratio: number; readonly isLeast: boolean } {
  const { limit, isLoss } = SPECS[watched]
  return { ratio: limit ** SETTINGS.recoveredLimit, isLeast: isLoss }
}
