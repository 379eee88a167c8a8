import type { Core } from "./core.ts"
import type { Origin, Outcome } from "./ladder.ts"
import { neverThrow } from "./safety.ts"
import type { SignalFields } from "./signal.ts"
import { type OperationRef, toToken } from "./token.ts"

/** How much a change changes. */
export interface Diff {
  /** Lines that are new. */
  readonly linesAdded?: number | undefined
  /** Lines that are gone. */
  readonly linesRemoved?: number | undefined
  /** Files that differ. */
  readonly filesChanged?: number | undefined
}

/** What is known of a late outcome. Who decided is `human` unless said otherwise. */
export interface LateDetails extends Diff {
  /** Who decided. */
  readonly origin?: Origin | undefined
}

/** How much of a result is still there. */
export interface Survival {
  /** How long after it was accepted, or until what: `30s`, `5m`, `1d`, `14d`, `merge`. */
  readonly at: string
  /** Share of 0..1 that is still there. */
  readonly share: number
}

/** What becomes of an operation once it is done, as it becomes known: any of these, more than once, in any order. */
export interface LateOutcomes {
  /** Stands for the operation: `belay.resume(token)` says more of it in another process, days later. */
  readonly token: string
  /** The work was merged. */
  merged(details?: LateDetails): void
  /** The work was taken back. */
  reverted(details?: LateDetails): void
  /** The work was given up. */
  abandoned(details?: LateDetails): void
  /** How much of it is still there after a while; less than half counts as reverted. */
  survived(survival: Survival): void
}

/** Less left than this, and the work counts as reverted. */
const SURVIVAL_SHARE_MIN = 0.5

export class Late implements LateOutcomes {
  readonly #core: Core
  readonly #operation: OperationRef

  constructor(core: Core, operation: OperationRef) {
    this.#core = core
    this.#operation = operation
  }

  get token(): string {
    return toToken(this.#operation)
  }

  merged(details?: LateDetails): void {
    this.#emit("merged", details)
  }

  reverted(details?: LateDetails): void {
    this.#emit("reverted", details)
  }

  abandoned(details?: LateDetails): void {
    this.#emit("abandoned", details)
  }

  survived({ at, share }: Survival): void {
    emitSurvival(this.#core, this.#operation, { at, share })
  }

  #emit(outcome: Outcome, details: LateDetails = {}): void {
    emitLate(this.#core, this.#operation, {
      outcome,
      origin: details.origin ?? "human",
      linesAdded: details.linesAdded,
      linesRemoved: details.linesRemoved,
      filesChanged: details.filesChanged,
    })
  }
}
neverThrow(Late)

export function emitLate(core: Core, operation: OperationRef, fields: Partial<SignalFields>): void {
  core.emit?.({
    kind: "outcome",
    rung: operation.rung,
    operationId: operation.operationId,
    sessionId: operation.sessionId,
    surface: core.surface,
    repository: core.repository,
    ...fields,
  })
}

export function emitSurvival(core: Core, operation: OperationRef, { at, share }: Survival): void {
  const isReverted = share < SURVIVAL_SHARE_MIN
  emitLate(core, operation, {
    action: `survival ${at}`,
    survivalAt: at,
    survivalShare: share,
    ...(isReverted && { outcome: "reverted", origin: "human" }),
  })
}
