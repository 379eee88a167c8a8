import type { Rung } from "#sdk/ladder.ts"
import type { Cause, IncidentKind } from "#server/detect/contract.ts"

/** `current` is open or recovering. */
export const STATE_CHOICES = ["current", "any", "open", "recovering", "recovered", "new_normal"] as const

/** Which incidents the address asks for; null is any. */
export interface Choice {
  readonly state: (typeof STATE_CHOICES)[number]
  readonly rung: Rung | null
  readonly cause: Cause | null
  readonly kind: IncidentKind | null
  readonly team: string | null
}
