import type { Cause, Watched } from "./contract.ts"
import { SILENT_DAYS } from "./detector.ts"
import { SETTINGS } from "./settings.ts"
import { SPECS } from "./watched.ts"

/** Days of data from which on anything is told. */
export const LEARNING_DAYS = SILENT_DAYS

/** Working days before an incident is proposed as the new normal, and after that was declined. */
export const PROPOSE_DAYS = SETTINGS.proposeDays

/** What a signal says when it stands out. */
export function causeOf(watched: Watched): Cause {
  return SPECS[watched].cause
}

/** observed / expected, over today and the two days before, up to which (or, when fewer is worse, from which) it is over. */
export function closingRatio(watched: Watched): { readonly ratio: number; readonly isLeast: boolean } {
  const { limit, isLoss } = SPECS[watched]
  return { ratio: limit ** SETTINGS.recoveredLimit, isLeast: isLoss }
}
