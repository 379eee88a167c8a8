import { context, type Span, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api"
import type { Usage } from "./chat.ts"
import { type Core, misuse } from "./core.ts"
import { type Diff, emitLate, Late, type LateOutcomes } from "./late-outcomes.ts"
import type { Origin, Outcome } from "./ladder.ts"
import { toErrorClass, toName } from "./names.ts"
import { attempt, neverThrow } from "./safety.ts"
import { type Boundary, createScopeJudge, type ScopeJudge } from "./scope.ts"
import {
  ATTR_ERROR_TYPE,
  ATTR_GEN_AI_OPERATION_NAME,
  ATTR_GEN_AI_PROVIDER_NAME,
  ATTR_GEN_AI_REQUEST_MODEL,
  ATTR_GEN_AI_TOOL_NAME,
  ATTR_GEN_AI_USAGE_INPUT_TOKENS,
  ATTR_GEN_AI_USAGE_OUTPUT_TOKENS,
} from "./semconv.ts"
import { newId, type SignalFields } from "./signal.ts"
import { type OperationRef, toToken } from "./token.ts"

/** What is known of a task when it begins. */
export interface TaskOptions {
  /** The agent persona: `code`, `architect`. */
  readonly mode?: string | undefined
  /** Where the task may edit; needs `workspace`. */
  readonly boundary?: Boundary | undefined
  /** The folder that the agent works in. It is never sent. */
  readonly workspace?: string | undefined
  /** The conversation that it belongs to, by the host's own id. */
  readonly sessionId?: string | undefined
  /** How many files the task was given as context. */
  readonly contextFiles?: number | undefined
}

/** One call of a model, when it is over. */
export interface ModelCall extends Usage {
  /** The model's name. */
  readonly model: string
  /** Who runs the model: `anthropic`. */
  readonly provider?: string | undefined
  /** Milliseconds until the first token. */
  readonly firstTokenMs?: number | undefined
  /** Milliseconds until the answer was complete. */
  readonly durationMs?: number | undefined
  /** A class of failure such as `timeout`. */
  readonly error?: string | undefined
}

/** One run of a tool, when it is over. */
export interface ToolCall {
  /** Milliseconds, without waiting on a person. */
  readonly durationMs?: number | undefined
  /** A class of failure such as `timeout`. */
  readonly error?: string | undefined
}

/** An edit, and on whose decision it stays: who decided is said with every decision. */
export type Edit = EditedFile & (Undecided | Decided)

/** A file that an agent changed. */
export interface EditedFile extends Omit<Diff, "filesChanged"> {
  /** Relative to the task's workspace, or absolute. It is judged and forgotten. */
  readonly path: string
}

/** Of an edit on which nobody decided yet. */
export interface Undecided {
  /** None yet. */
  readonly outcome?: undefined
  /** Nobody yet. */
  readonly origin?: undefined
}

/** Of an edit on which somebody decided. */
export interface Decided {
  /** What was decided. */
  readonly outcome: "accepted" | "modified" | "rejected" | "ignored"
  /** Who decided. */
  readonly origin: Origin
}

/** A question of the agent's to the person. The time until it is answered is the wait. */
export interface Prompt {
  /** `origin` is `human` unless said otherwise. */
  allowed(origin?: Origin): void
  /** `origin` is `human` unless said otherwise. */
  denied(origin?: Origin): void
  /** The person closed the question. */
  dismissed(): void
  /** Nobody answered in time. */
  timedOut(): void
}

/** How work ended. */
export interface Finish {
  /** Left out where nobody has decided: the agent is done, and that is all. */
  readonly outcome?: Outcome | undefined
  /** Who decided on the outcome; `human` unless said otherwise. */
  readonly origin?: Origin | undefined
  /** What the task changed in all. */
  readonly diff?: Diff | undefined
  /** Whether the agent's work was checked: tests, types, a build. */
  readonly verification?: "passed" | "failed" | "none" | undefined
  /** A class of failure such as `timeout`. */
  readonly error?: string | undefined
}

/** Work that one agent does. Every call is one signal. */
export interface Task {
  /** Stands for the operation in `belay.resume(token)`, in any process and whenever. */
  readonly token: string
  /** A model was called. */
  model(call: ModelCall): void
  /** A tool by its name, one of an MCP server as `server/tool`. */
  tool(name: string, call?: ToolCall): void
  /** Where the path lies is judged here, links resolved; the path itself is forgotten. */
  edit(edit: Edit): void
  /** Asks for `action`, by its content-free name: `git push`. */
  prompt(action: string): Prompt
  /** The person stopped the agent. */
  interrupted(): void
  /** The conversation was shortened to fit the model. */
  compacted(): void
  /** The agent goes on as another persona, and who decided so. */
  modeChanged(mode: string, origin: Origin): void
  /** The task is over; what becomes of its work may be said later. Later calls are left out. */
  finish(finish: Finish): LateOutcomes
}

/** How a task or run differs from the other. */
export interface Work {
  readonly kind: "task" | "run"
  readonly rung: "agent" | "orchestration"
  readonly parent?: { readonly operationId: string; readonly span: Span | null } | undefined
}

export class TaskHandle implements Task {
  readonly #core: Core
  readonly #work: Work
  readonly #operation: OperationRef
  readonly #startedAt: number
  readonly #scope: ScopeJudge | null
  readonly #span: Span | null
  #mode: string | undefined
  #toolCalls = 0
  #prompts = 0
  #isOver = false

  constructor(core: Core, work: Work, options: TaskOptions) {
    const { mode, boundary = {}, workspace, sessionId, contextFiles } = options
    this.#core = core
    this.#work = work
    this.#operation = { rung: work.rung, operationId: newId(), sessionId }
    this.#mode = mode
    this.#scope = workspace === undefined || core.emit === null ? null : createScopeJudge(workspace, boundary)
    this.#startedAt = core.clock.elapsed()
    this.#span = this.#startSpan("invoke_agent", mode, {}, work.parent?.span ?? null)
    this.emit({ kind: "start", contextFiles })
  }

  get token(): string {
    return toToken(this.#operation)
  }

  /** What a sub-agent's task hangs on. */
  get parent(): NonNullable<Work["parent"]> {
    return { operationId: this.#operation.operationId, span: this.#span }
  }

  model(call: ModelCall): void {
    if (this.#isMisused("model")) return
    const { model, provider, firstTokenMs, durationMs, error } = call
    this.#recordSpan("chat", model, durationMs, error, {
      [ATTR_GEN_AI_REQUEST_MODEL]: toName(model),
      [ATTR_GEN_AI_PROVIDER_NAME]: toName(provider),
      [ATTR_GEN_AI_USAGE_INPUT_TOKENS]: call.inputTokens,
      [ATTR_GEN_AI_USAGE_OUTPUT_TOKENS]: call.outputTokens,
    })
    this.emit({
      kind: "model_call",
      model,
      provider,
      latencyMs: firstTokenMs,
      durationMs,
      inputTokens: call.inputTokens,
      outputTokens: call.outputTokens,
      cachedTokens: call.cachedTokens,
      costUsd: call.costUsd,
      error,
    })
  }

  tool(name: string, call: ToolCall = {}): void {
    if (this.#isMisused("tool")) return
    this.#toolCalls++
    const { durationMs, error } = call
    this.#recordSpan("execute_tool", name, durationMs, error, { [ATTR_GEN_AI_TOOL_NAME]: toName(name) })
    this.emit({ kind: "tool_call", action: name, durationMs, error })
  }

  edit(edit: Edit): void {
    if (this.#isMisused("edit")) return
    const { path: file, outcome, origin, linesAdded, linesRemoved } = edit
    const fields = { kind: "edit", outcome, origin, linesAdded, linesRemoved, filesChanged: 1 } as const
    if (this.#scope === null) return this.emit(fields)
    this.#core.defer(this.#scope.judge(file).then((pathScope) => this.emit({ ...fields, pathScope })))
  }

  prompt(action: string): Prompt {
    if (!this.#isMisused("prompt")) this.#prompts++
    return new PromptHandle(this.#core, (fields) => this.emit({ kind: "permission", action, ...fields }))
  }

  interrupted(): void {
    if (this.#isMisused("interrupted")) return
    emitLate(this.#core, this.#operation, { action: "interrupt", origin: "human" })
  }

  compacted(): void {
    if (!this.#isMisused("compacted")) this.emit({ kind: "context", action: "compact" })
  }

  modeChanged(mode: string, origin: Origin): void {
    if (this.#isMisused("modeChanged")) return
    this.#mode = mode
    this.emit({ kind: "mode_change", origin })
  }

  finish(finish: Finish): LateOutcomes {
    if (!this.#isMisused("finish")) {
      this.#isOver = true
      attempt(
        () => this.#finish(finish),
        () => this.#endSpan(this.#span, undefined),
      )
    }
    return new Late(this.#core, this.#operation)
  }

  #finish(finish: Finish): void {
    const { outcome, origin = "human", diff, verification, error } = finish
    const durationMs = this.#core.clock.elapsed() - this.#startedAt
    this.#endSpan(this.#span, outcome === "failed" ? (error ?? "other") : error)
    if (verification !== undefined) emitLate(this.#core, this.#operation, { action: `verification ${verification}` })
    this.emit({
      kind: this.#work.kind,
      outcome,
      origin: outcome === undefined ? undefined : origin,
      durationMs,
      latencyMs: durationMs,
      toolCalls: this.#toolCalls,
      prompts: this.#prompts,
      linesAdded: diff?.linesAdded,
      linesRemoved: diff?.linesRemoved,
      filesChanged: diff?.filesChanged,
      error,
    })
  }

  emit(fields: Omit<SignalFields, "rung">): void {
    const { emit, surface, repository } = this.#core
    const { rung, operationId, sessionId } = this.#operation
    const parentOperationId = this.#work.parent?.operationId
    emit?.({ rung, operationId, parentOperationId, sessionId, surface, repository, mode: this.#mode, ...fields })
  }

  #isMisused(call: string): boolean {
    if (this.#isOver) misuse(this.#core, call, "finish")
    return this.#isOver
  }

  #startSpan(
    operation: string,
    name: string | undefined,
    attributes: Record<string, string | number | undefined>,
    parent: Span | null,
    startedAt?: number,
  ): Span | null {
    const { tracer } = this.#core
    if (tracer === null) return null
    const known = toName(name)
    const started = tracer.startSpan(
      known === undefined ? operation : `${operation} ${known}`,
      {
        kind: operation === "chat" ? SpanKind.CLIENT : SpanKind.INTERNAL,
        attributes: { [ATTR_GEN_AI_OPERATION_NAME]: operation, ...attributes },
        ...(startedAt !== undefined && { startTime: startedAt }),
      },
      parent === null ? context.active() : trace.setSpan(context.active(), parent),
    )
    return started
  }

  /** A span of something that is over already. */
  #recordSpan(
    operation: string,
    name: string,
    durationMs: number | undefined,
    error: string | undefined,
    attributes: Record<string, string | number | undefined>,
  ): void {
    if (this.#core.tracer === null) return
    const startedAt = this.#core.clock.now() - (durationMs ?? 0)
    this.#endSpan(this.#startSpan(operation, name, attributes, this.#span, startedAt), error)
  }

  #endSpan(span: Span | null, error: string | undefined): void {
    if (error !== undefined) {
      span?.setStatus({ code: SpanStatusCode.ERROR })
      span?.setAttribute(ATTR_ERROR_TYPE, toErrorClass(error) ?? "other")
    }
    span?.end()
  }
}
neverThrow(TaskHandle)

class PromptHandle implements Prompt {
  readonly #core: Core
  readonly #emit: (fields: Pick<SignalFields, "outcome" | "origin" | "waitMs">) => void
  readonly #askedAt: number
  #isAnswered = false

  constructor(core: Core, emit: (fields: Pick<SignalFields, "outcome" | "origin" | "waitMs">) => void) {
    this.#core = core
    this.#emit = emit
    this.#askedAt = core.clock.elapsed()
  }

  allowed(origin: Origin = "human"): void {
    this.#answer("accepted", origin)
  }

  denied(origin: Origin = "human"): void {
    this.#answer("rejected", origin)
  }

  dismissed(): void {
    this.#answer("ignored", "dismissed")
  }

  timedOut(): void {
    this.#answer("ignored", "timeout")
  }

  #answer(outcome: Outcome, origin: Origin): void {
    if (this.#isAnswered) return misuse(this.#core, "an answer", "an answer")
    this.#isAnswered = true
    this.#emit({ outcome, origin, waitMs: this.#core.clock.elapsed() - this.#askedAt })
  }
}
neverThrow(PromptHandle)
