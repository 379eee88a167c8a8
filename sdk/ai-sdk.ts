/**
 * For hosts of the Vercel AI SDK (`ai` 6 and 7): its model and tool calls as signals of an agent's task or a chat turn.
 *
 * With `ai` 7 an agent's host needs one line, `telemetry: { integrations: belayTelemetry(task) }`. `belayMiddleware` and
 * `belayTools` tell the same of a single model or set of tools, for `ai` 6 and where no telemetry can be given: use them
 * instead, as with both everything would count twice. A chat turn is told by `belayMiddleware`, which sees the first token.
 *
 * Prompts, answers, arguments and results pass by unread. The types are the shapes that `ai` documents, so that it need
 * not be installed.
 *
 * @module
 */
import type { ModelCall, Task } from "./agent.ts"
import type { AnsweredTurn, Turn, Usage } from "./chat.ts"
import { attempt } from "./safety.ts"

/** The tokens of one model call as a provider of `ai` reports them. */
export interface AiUsage {
  /** What went in. */
  readonly inputTokens: {
    /** All, cached ones included. */
    readonly total: number | undefined
    /** Those that were read from a cache. */
    readonly cacheRead: number | undefined
  }
  /** What came out. */
  readonly outputTokens: {
    /** All, reasoning included. */
    readonly total: number | undefined
  }
}

/** What a model of `ai` answers at once. */
export interface AiResult {
  /** Tokens of the call. */
  readonly usage: AiUsage
  /** Why the answer ended. */
  readonly finishReason: {
    /** In the words of `ai`: with `tool-calls` the turn goes on. */
    readonly unified: string
  }
}

/** A part of a streamed answer. */
export interface AiStreamPart {
  /** `text-delta`, `tool-call`, `finish`, … */
  readonly type: string
}

/** What a model of `ai` answers bit by bit. */
export interface AiStream {
  /** Parts of the answer, of which only the type and what a last one says of tokens are read. */
  readonly stream: ReadableStream<AiStreamPart>
}

/** A model of `ai`. */
export interface AiModel {
  /** Who runs it: `openai.chat`. */
  readonly provider: string
  /** Its name. */
  readonly modelId: string
}

/** A call that the middleware is put around. */
export interface AiCall<Result extends AiResult, Stream extends AiStream> {
  /** Calls the model for an answer at once. */
  readonly doGenerate: () => PromiseLike<Result>
  /** Calls the model for an answer bit by bit. */
  readonly doStream: () => PromiseLike<Stream>
  /** The model that is called. */
  readonly model: AiModel
}

/** For `wrapLanguageModel({ model, middleware })`. It hands on what the model answers and throws, as it is. */
export interface BelayMiddleware {
  /** Of `ai` 6; `ai` 7 takes any. */
  readonly specificationVersion: "v3"
  /** Tells of a call whose answer comes at once. Rejects as the model does. */
  wrapGenerate<Result extends AiResult, Stream extends AiStream>(call: AiCall<Result, Stream>): Promise<Result>
  /** Tells of a call whose answer is streamed, when the stream ends, fails or is cancelled. Rejects as the model does. */
  wrapStream<Result extends AiResult, Stream extends AiStream>(call: AiCall<Result, Stream>): Promise<Stream>
}

/** Of a chat turn that the middleware tells. */
export interface TurnMiddlewareOptions {
  /** Gets what to say of the answer: `answer.applied({ lines: 3 })`. */
  readonly onAnswered?: ((answer: AnsweredTurn) => void) | undefined
  /** The `maxRetries` that `ai` is given, 2 unless said otherwise: the turn failed when the last has. */
  readonly maxRetries?: number | undefined
}

const MAX_RETRIES = 2

/**
 * Tells the model calls of one model.
 *
 * Of a task, each call is a `model_call` with model, provider, tokens, milliseconds and, when it is streamed,
 * milliseconds to the first thing that the model makes. A call that is tried again is one more.
 *
 * Of a turn, the first text or reasoning is the first token, tokens are summed over the calls of a tool loop, and the
 * first answer that does not ask for tools is the answer. When the loop ends otherwise, call `turn.answered()` yourself.
 * One middleware is for one turn.
 *
 * Failures are told as a class: `aborted`, `timeout`, `http_429`, else the error's name. Never throws of its own.
 */
export function belayMiddleware(target: Task | Turn, options: TurnMiddlewareOptions = {}): BelayMiddleware {
  const observe: Observe = "firstToken" in target ? observeTurn(target, options) : observeTask(target)
  return {
    specificationVersion: "v3",
    async wrapGenerate({ doGenerate, model }) {
      const call = begin(observe, model)
      try {
        const result = await doGenerate()
        call.ended(result)
        return result
      } catch (error) {
        call.failed(error)
        throw error
      }
    },
    async wrapStream({ doStream, model }) {
      const call = begin(observe, model)
      try {
        const result = await doStream()
        return { ...result, stream: watch(result.stream, call) }
      } catch (error) {
        call.failed(error)
        throw error
      }
    },
  }
}

/** What the observer of a call is told. */
interface CallObserver {
  /** The type of a part of a streamed answer. */
  part(type: string): void
  ended(result: unknown): void
  failed(error: unknown): void
}
type Observe = (model: AiModel) => CallObserver

/** An observer whose own failures stay here. */
function begin(observe: Observe, model: AiModel): CallObserver {
  const observer = attempt(
    () => observe(model),
    () => null,
  )
  const safely = (tell: () => void) =>
    attempt(tell, () => {
      // A call that cannot be read is not told.
    })
  return {
    part: (type) => safely(() => observer?.part(type)),
    ended: (result) => safely(() => observer?.ended(result)),
    failed: (error) => safely(() => observer?.failed(error)),
  }
}

const SHOWN: ReadonlySet<string> = new Set(["text-delta", "reasoning-delta", "file"])
const MADE: ReadonlySet<string> = new Set([...SHOWN, "tool-input-start", "tool-input-delta", "tool-call"])

function observeTask(task: Task): Observe {
  return ({ provider, modelId: model }) => {
    const since = startTimer()
    let firstTokenMs: number | undefined
    const tell = (rest: Partial<ModelCall>) =>
      task.model({ model, provider, firstTokenMs, durationMs: since(), ...rest })
    return {
      part(type) {
        if (MADE.has(type)) firstTokenMs ??= since()
      },
      ended: (result) => tell(toUsage(result)),
      failed: (error) => tell({ error: toErrorClass(error) }),
    }
  }
}

function observeTurn(turn: Turn, { onAnswered, maxRetries = MAX_RETRIES }: TurnMiddlewareOptions): Observe {
  let isShown = false
  let retries = 0
  const total = { inputTokens: 0, outputTokens: 0, cachedTokens: 0 }
  return () => ({
    part(type) {
      if (isShown || !SHOWN.has(type)) return
      isShown = true
      turn.firstToken()
    },
    ended(result) {
      retries = 0
      const { inputTokens = 0, outputTokens = 0, cachedTokens = 0 } = toUsage(result)
      total.inputTokens += inputTokens
      total.outputTokens += outputTokens
      total.cachedTokens += cachedTokens
      if (fieldOf(fieldOf(result, "finishReason"), "unified") === "tool-calls") return
      const answer = turn.answered(total)
      onAnswered?.(answer)
    },
    failed(error) {
      if (fieldOf(error, "isRetryable") === true && retries++ < maxRetries) return
      turn.failed(toErrorClass(error))
    },
  })
}

/** Of an answer that ends without an end. */
const INCOMPLETE = { name: "incomplete" }

/** The stream as it is, of which the observer is told. It is read no faster than the host reads. */
function watch<Part extends { readonly type: string }>(
  stream: ReadableStream<Part>,
  observer: CallObserver,
): ReadableStream<Part> {
  const reader = stream.getReader()
  let isOver = false
  let problem: unknown
  const end = (tell: () => void) => {
    if (!isOver) tell()
    isOver = true
  }
  return new ReadableStream<Part>(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read()
          if (done) {
            // A provider may say what went wrong in a part, and end.
            end(() => observer.failed(problem ?? INCOMPLETE))
            return controller.close()
          }
          if (value.type === "error") problem ??= fieldOf(value, "error") ?? value
          else if (value.type === "finish" && problem === undefined) end(() => observer.ended(value))
          else observer.part(value.type)
          controller.enqueue(value)
        } catch (error) {
          end(() => observer.failed(error))
          controller.error(error)
        }
      },
      async cancel(reason) {
        end(() => observer.failed(reason instanceof Error ? reason : new DOMException("", "AbortError")))
        await reader.cancel(reason)
      },
    },
    { highWaterMark: 0 },
  )
}

/**
 * The same tools, whose executions the task is told: name, milliseconds, and of a failure its class. What a tool returns
 * and throws passes through. A tool that gives its result bit by bit is over when the last is there.
 */
export function belayTools<Tools extends Readonly<Record<string, object>>>(task: Task, tools: Tools): Tools {
  return Object.fromEntries(Object.entries(tools).map(([name, tool]) => [name, observeTool(task, name, tool)])) as Tools
}

function observeTool(task: Task, name: string, tool: object): object {
  const execute = fieldOf(tool, "execute")
  if (typeof execute !== "function") return tool
  const observed = (...args: readonly unknown[]): unknown => {
    const since = startTimer()
    const ended = quiet(() => task.tool(name, { durationMs: since() }))
    const failed = quiet((error: unknown) => task.tool(name, { durationMs: since(), error: toErrorClass(error) }))
    const result = run(() => Reflect.apply(execute, tool, args) as unknown, failed)
    if (isAsyncIterable(result)) return watchAll(result, ended, failed)
    if (!isPromiseLike(result)) {
      ended(result)
      return result
    }
    return result.then(
      (value) => {
        ended(value)
        return value
      },
      (error: unknown) => {
        failed(error)
        throw error
      },
    )
  }
  // A tool may be an instance of a class.
  const copy: object = Object.create(Object.getPrototypeOf(tool) as object | null)
  return Object.defineProperties(copy, {
    ...Object.getOwnPropertyDescriptors(tool),
    execute: { value: observed, enumerable: true, configurable: true, writable: true },
  })
}

function run<Answer>(work: () => Answer, failed: (error: unknown) => void): Answer {
  try {
    return work()
  } catch (error) {
    failed(error)
    throw error
  }
}

/** The results as they are. A host that wants no more of them has its result. */
async function* watchAll(
  results: AsyncIterable<unknown>,
  ended: (result: unknown) => void,
  failed: (error: unknown) => void,
) {
  let isFailed = false
  try {
    yield* results
  } catch (error) {
    isFailed = true
    failed(error)
    throw error
  } finally {
    if (!isFailed) ended(undefined)
  }
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value
}

function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return typeof fieldOf(value, "then") === "function"
}

/** Telemetry of `ai` 7: for `telemetry.integrations` of the calls that belong to one task. */
export interface BelayTelemetry {
  /** A model call begins; its tries are one. */
  onLanguageModelCallStart(event: {
    readonly callId: string
    readonly provider: string
    readonly modelId: string
  }): void
  /** It is answered. */
  onLanguageModelCallEnd(event: {
    readonly callId: string
    readonly provider: string
    readonly modelId: string
    readonly usage: {
      readonly inputTokens: number | undefined
      readonly inputTokenDetails: { readonly cacheReadTokens: number | undefined }
      readonly outputTokens: number | undefined
    }
    readonly performance: { readonly responseTimeMs: number; readonly timeToFirstOutputMs: number | undefined }
  }): void
  /** A step ended: without an answer before it, the model's stream broke off. */
  onStepEnd(event: { readonly callId: string; readonly finishReason: string }): void
  /** A tool was run by the host. */
  onToolExecutionEnd(event: {
    readonly toolCall: { readonly toolName: string }
    readonly toolExecutionMs: number
    readonly toolOutput: { readonly type: string }
  }): void
  /** A stream was aborted. */
  onAbort(event: { readonly callId: string; readonly reason?: unknown }): void
  /** A generation failed. */
  onError(event: unknown): void
}

/**
 * Tells a task of all that `ai` does: model calls with model, provider, tokens, milliseconds, and milliseconds to the
 * first output; tools with milliseconds and, of a failure, its class. Unlike `belayMiddleware` it counts a call and its
 * retries once. Never throws.
 */
export function belayTelemetry(task: Task): BelayTelemetry {
  const open = new Map<string, { readonly provider: string; readonly model: string; readonly since: () => number }>()
  const fail = (callId: unknown, error: unknown) => {
    if (typeof callId !== "string") return
    const call = open.get(callId)
    if (call === undefined) return
    open.delete(callId)
    const { provider, model, since } = call
    task.model({ model, provider, durationMs: since(), error: toErrorClass(error) })
  }
  return {
    onLanguageModelCallStart: quiet(({ callId, provider, modelId }) => {
      open.set(callId, { provider, model: modelId, since: startTimer() })
    }),
    onLanguageModelCallEnd: quiet(({ callId, provider, modelId, usage, performance }) => {
      open.delete(callId)
      task.model({
        model: modelId,
        provider,
        inputTokens: usage.inputTokens,
        outputTokens: usage.outputTokens,
        cachedTokens: usage.inputTokenDetails.cacheReadTokens,
        firstTokenMs: performance.timeToFirstOutputMs,
        durationMs: performance.responseTimeMs,
      })
    }),
    onStepEnd: quiet(({ callId, finishReason }) => fail(callId, finishReason === "error" ? undefined : INCOMPLETE)),
    onToolExecutionEnd: quiet(({ toolCall, toolExecutionMs, toolOutput }) => {
      const error =
        fieldOf(toolOutput, "type") === "tool-error" ? toErrorClass(fieldOf(toolOutput, "error")) : undefined
      task.tool(toolCall.toolName, { durationMs: toolExecutionMs, error })
    }),
    onAbort: quiet(({ callId, reason }) => fail(callId, reason ?? new DOMException("", "AbortError"))),
    onError: quiet((event) => fail(fieldOf(event, "callId"), fieldOf(event, "error"))),
  }
}

/** A callback whose failures stay here. */
function quiet<Event>(tell: (event: Event) => void): (event: Event) => void {
  return (event) =>
    attempt(
      () => tell(event),
      () => {
        // An event that cannot be read is not told.
      },
    )
}

function toUsage(result: unknown): Usage {
  const usage = fieldOf(result, "usage")
  const [input, output] = [fieldOf(usage, "inputTokens"), fieldOf(usage, "outputTokens")]
  return {
    inputTokens: toCount(fieldOf(input, "total")),
    outputTokens: toCount(fieldOf(output, "total")),
    cachedTokens: toCount(fieldOf(input, "cacheRead")),
  }
}

function toCount(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined
}

/** A class of failure without a word of its message. */
function toErrorClass(error: unknown): string {
  const status = fieldOf(error, "statusCode")
  if (typeof status === "number") return `http_${status}`
  const name = fieldOf(error, "name")
  if (name === "AbortError" || name === "ResponseAborted") return "aborted"
  if (name === "TimeoutError") return "timeout"
  // `ai` wraps the last of several failures.
  const last = fieldOf(error, "lastError")
  if (last !== undefined && last !== error) return toErrorClass(last)
  return typeof name === "string" ? name : "other"
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined
}

function startTimer(): () => number {
  const startedAt = performance.now()
  return () => performance.now() - startedAt
}
