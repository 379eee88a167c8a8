import { type Core, misuse } from "./core.ts"
import { emitLate, type LateOutcomes, Late } from "./late-outcomes.ts"
import type { Outcome } from "./ladder.ts"
import { attempt, neverThrow } from "./safety.ts"
import { newId } from "./signal.ts"
import { type OperationRef, toToken } from "./token.ts"

/** What is known of a turn when the question is asked. */
export interface TurnOptions {
  /** The model that is asked. */
  readonly model?: string | undefined
  /** Who runs the model: `openai`. */
  readonly provider?: string | undefined
  /** The agent persona: `code`, `architect`. */
  readonly mode?: string | undefined
  /** The conversation that it belongs to, by the host's own id. */
  readonly sessionId?: string | undefined
  /** How many files the question was given as context. */
  readonly contextFiles?: number | undefined
}

/** Tokens and money that an answer took. Input tokens include cached ones. */
export interface Usage {
  /** All tokens that went in, cached ones included. */
  readonly inputTokens?: number | undefined
  /** All tokens that came out, reasoning included. */
  readonly outputTokens?: number | undefined
  /** Of the input tokens, those that were read from a cache. */
  readonly cachedTokens?: number | undefined
  /** Dollars. */
  readonly costUsd?: number | undefined
}

/** A question that was asked. */
export interface Turn {
  /** Stands for the operation in `belay.resume(token)`, in any process and whenever. */
  readonly token: string
  /** The answer begins to show. The time since `turn` is the latency. */
  firstToken(): AnsweringTurn
  /** The answer is complete. Without a `firstToken` before, the latency is the whole time. */
  answered(usage?: Usage): AnsweredTurn
  /** There is no answer: `error` is a class such as `timeout`. */
  failed(error: string): void
}

/** A turn whose answer began to show. */
export type AnsweringTurn = Omit<Turn, "firstToken">

/** What the person does with an answer: any of these, more than once. */
export interface AnsweredTurn extends Pick<LateOutcomes, "token" | "reverted" | "survived"> {
  /** To the clipboard. */
  copied(): void
  /** Into a file, by a person: this counts as accepted. `isModified` when the person changed it in doing so. */
  applied(taken?: { readonly lines?: number | undefined; readonly isModified?: boolean | undefined }): void
  /** Asked on. */
  followedUp(): void
  /** Went on without it: this counts as offered and not accepted. */
  ignored(): void
}

class TurnHandle implements Turn {
  readonly #core: Core
  readonly #options: TurnOptions
  readonly #operation: OperationRef
  readonly #startedAt: number
  #latencyMs: number | undefined
  #isOver = false

  constructor(core: Core, options: TurnOptions) {
    this.#core = core
    this.#options = options
    this.#operation = { rung: "chat", operationId: newId(), sessionId: options.sessionId }
    this.#startedAt = core.clock.elapsed()
  }

  get token(): string {
    return toToken(this.#operation)
  }

  firstToken(): this {
    if (this.#isOver || this.#latencyMs !== undefined) misuse(this.#core, "firstToken", "the first token")
    else this.#latencyMs = this.#core.clock.elapsed() - this.#startedAt
    return this
  }

  answered(usage?: Usage): AnsweredTurn {
    if (this.#isOver) misuse(this.#core, "answered", "the end")
    else
      attempt(
        () => this.#emit(usage, undefined),
        () => {},
      )
    return new AnsweredHandle(this.#core, this.#operation)
  }

  failed(error: string): void {
    if (this.#isOver) misuse(this.#core, "failed", "the end")
    else this.#emit(undefined, error)
  }

  #emit(usage: Usage | undefined, error: string | undefined): void {
    this.#isOver = true
    const { emit, surface, repository, clock } = this.#core
    if (emit === null) return
    const durationMs = clock.elapsed() - this.#startedAt
    const { model, provider, mode, sessionId, contextFiles } = this.#options
    emit({
      kind: "turn",
      rung: "chat",
      operationId: this.#operation.operationId,
      sessionId,
      surface,
      repository,
      model,
      provider,
      mode,
      contextFiles,
      outcome: error === undefined ? undefined : "failed",
      // An answer that came as a whole could be used when it came.
      latencyMs: this.#latencyMs ?? (error === undefined ? durationMs : undefined),
      durationMs,
      inputTokens: usage?.inputTokens,
      outputTokens: usage?.outputTokens,
      cachedTokens: usage?.cachedTokens,
      costUsd: usage?.costUsd,
      error,
    })
  }
}
neverThrow(TurnHandle)

class AnsweredHandle extends Late implements AnsweredTurn {
  readonly #core: Core
  readonly #operation: OperationRef

  constructor(core: Core, operation: OperationRef) {
    super(core, operation)
    this.#core = core
    this.#operation = operation
  }

  copied(): void {
    emitLate(this.#core, this.#operation, { outcome: "copied", origin: "human" })
  }

  applied(taken?: { readonly lines?: number | undefined; readonly isModified?: boolean | undefined }): void {
    this.#decide(taken?.isModified === true ? "modified" : "accepted", taken?.lines)
  }

  followedUp(): void {
    emitLate(this.#core, this.#operation, { action: "follow-up", origin: "human" })
  }

  ignored(): void {
    this.#decide("ignored")
  }

  /** The answer's code is an edit on which the person decides. */
  #decide(outcome: Outcome, linesAdded?: number): void {
    const { emit, surface, repository } = this.#core
    const { rung, operationId, sessionId } = this.#operation
    emit?.({ kind: "edit", rung, operationId, sessionId, surface, repository, outcome, origin: "human", linesAdded })
  }
}
neverThrow(AnsweredHandle)

export function turn(core: Core, options: TurnOptions): Turn {
  return new TurnHandle(core, options)
}
