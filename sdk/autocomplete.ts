import { type Core, misuse } from "./core.ts"
import { emitSurvival, type Survival } from "./late-outcomes.ts"
import type { Outcome } from "./ladder.ts"
import { neverThrow } from "./safety.ts"
import { newId } from "./signal.ts"
import { toToken } from "./token.ts"

/** What is known of a suggestion when it is asked for. */
export interface SuggestOptions {
  /** The model that is asked. */
  readonly model?: string | undefined
  /** Of the code: `typescript`. */
  readonly language?: string | undefined
  /** The agent persona: `code`, `architect`. */
  readonly mode?: string | undefined
  /** The conversation that it belongs to, by the host's own id. */
  readonly sessionId?: string | undefined
}

/** A suggestion that was asked for. What it says of itself is sent when the person has decided. */
export interface Suggestion {
  /** Stands for the operation in `belay.resume(token)`, in any process and whenever. */
  readonly token: string
  /** The person sees it. The time since `suggest` is the latency. */
  shown(): ShownSuggestion
  /** It came when the person had typed on, and was not shown. */
  late(): void
  /** There is none: `error` is a class such as `timeout`. */
  failed(error: string): void
}

/** A suggestion that the person sees: one of these ends it. */
export interface ShownSuggestion {
  /** Stands for the operation in `belay.resume(token)`, in any process and whenever. */
  readonly token: string
  /** Taken over, as a whole or in part; `isModified` when the person changed it in doing so. */
  accepted(taken?: Taken): AcceptedSuggestion
  /** Sent away. */
  rejected(): void
  /** Typed past. */
  ignored(): void
}

/** How much of a suggestion was taken over. */
export interface Taken {
  /** Lines that were added. */
  readonly lines?: number | undefined
  /** Characters that were added. */
  readonly chars?: number | undefined
  /** Whether the person changed it in taking it over. */
  readonly isModified?: boolean | undefined
}

/** A suggestion that was taken over. */
export interface AcceptedSuggestion {
  /** Stands for the operation in `belay.resume(token)`, in any process and whenever. */
  readonly token: string
  /** How much of it is still there after a while; less than half counts as reverted. */
  survived(survival: Survival): void
}

type State = "asked" | "shown" | "accepted" | "over"

class SuggestionHandle implements Suggestion, ShownSuggestion, AcceptedSuggestion {
  readonly #core: Core
  readonly #options: SuggestOptions
  readonly #operationId = newId()
  readonly #startedAt: number
  #latencyMs: number | undefined
  #state: State = "asked"

  constructor(core: Core, options: SuggestOptions) {
    this.#core = core
    this.#options = options
    this.#startedAt = core.clock.elapsed()
  }

  get token(): string {
    return toToken({ rung: "autocomplete", operationId: this.#operationId, sessionId: this.#options.sessionId })
  }

  shown(): this {
    if (!this.#move("asked", "shown", "shown")) return this
    this.#latencyMs = this.#core.clock.elapsed() - this.#startedAt
    return this
  }

  late(): void {
    if (!this.#move("asked", "over", "late")) return
    this.#latencyMs = this.#core.clock.elapsed() - this.#startedAt
    // Nobody was shown it, so nobody decided on it.
    this.#emit("abandoned")
  }

  failed(error: string): void {
    if (this.#move("asked", "over", "failed")) this.#emit("failed", undefined, error)
  }

  accepted(taken?: Taken): this {
    if (!this.#move("shown", "accepted", "accepted")) return this
    this.#emit(taken?.isModified === true ? "modified" : "accepted", taken)
    return this
  }

  rejected(): void {
    if (this.#move("shown", "over", "rejected")) this.#emit("rejected")
  }

  ignored(): void {
    if (this.#move("shown", "over", "ignored")) this.#emit("ignored")
  }

  survived(survival: Survival): void {
    if (this.#state !== "accepted") return misuse(this.#core, "survived", this.#state)
    const operation = {
      rung: "autocomplete",
      operationId: this.#operationId,
      sessionId: this.#options.sessionId,
    } as const
    emitSurvival(this.#core, operation, survival)
  }

  #move(from: State, to: State, call: string): boolean {
    if (this.#state !== from) {
      misuse(this.#core, call, this.#state)
      return false
    }
    this.#state = to
    return true
  }

  #emit(outcome: Outcome, taken?: Taken, error?: string): void {
    const { emit, surface, repository } = this.#core
    if (emit === null) return
    const { model, language, mode, sessionId } = this.#options
    emit({
      kind: "suggestion",
      rung: "autocomplete",
      operationId: this.#operationId,
      sessionId,
      surface,
      repository,
      model,
      language,
      mode,
      outcome,
      origin: outcome === "abandoned" || outcome === "failed" ? undefined : "human",
      latencyMs: this.#latencyMs,
      linesAdded: taken?.lines,
      charsAdded: taken?.chars,
      error,
    })
  }
}
neverThrow(SuggestionHandle)

export function suggest(core: Core, options: SuggestOptions): Suggestion {
  return new SuggestionHandle(core, options)
}
