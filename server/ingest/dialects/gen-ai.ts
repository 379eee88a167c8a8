import type { Surface } from "#sdk/ladder.ts"
import {
  ATTR_GEN_AI_AGENT_NAME,
  ATTR_GEN_AI_CONVERSATION_ID,
  ATTR_GEN_AI_OPERATION_NAME,
  ATTR_GEN_AI_PROVIDER_NAME,
  ATTR_GEN_AI_REQUEST_MODEL,
  ATTR_GEN_AI_RESPONSE_MODEL,
  ATTR_GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK,
  ATTR_GEN_AI_SYSTEM,
  ATTR_GEN_AI_TOOL_NAME,
  ATTR_GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS,
  ATTR_GEN_AI_USAGE_INPUT_TOKENS,
  ATTR_GEN_AI_USAGE_OUTPUT_TOKENS,
  ATTR_SESSION_ID,
} from "#sdk/semconv.ts"
import type { Attributes, Group, LogRecord, Span } from "../otlp/types.ts"
import { type Signal, toSignal } from "../signal.ts"
import { readCount, readNumber, readText, toAction, toErrorClass, toId, toLabel, toName } from "./attributes.ts"
import type { Dialect, Reading } from "./dialect.ts"
import { readEach, readNoMetrics, SILENT, spanName } from "./reading.ts"
import {
  durationMsOf,
  eventOf,
  identityOf,
  recordKey,
  repositoryOf,
  serviceOf,
  spanErrorOf,
  spanKey,
  type TraceContext,
  traceContextsOf,
  traceOf,
  toBranch,
} from "./source.ts"
import { firstCallsOf, turnLatencyMs } from "./turn.ts"

/**
 * Any program that follows the OpenTelemetry GenAI conventions, in the names of v1.41 and those before; what Belay
 * falls back to.
 */
export const genAi: Dialect = {
  name: "gen-ai",

  spans(group) {
    return readGenAiSpans(group, { ...serviceOf(group.resource), surface: null, isRootWithoutParent: false })
  },

  logs(group) {
    const service = serviceOf(group.resource)
    return readEach(group.items, genAiEvent, (record) => readGenAiRecord(group.resource, record, service))
  },

  metrics(group) {
    return readNoMetrics(group, GEN_AI_METRICS)
  },
}

/** Sums and distributions of what the spans say, in the names of v1.41 and of the repository after it. */
export const GEN_AI_METRICS: ReadonlySet<string> = new Set([
  "gen_ai.client.inference.duration",
  "gen_ai.client.inference.operation.input_tokens",
  "gen_ai.client.inference.operation.output_tokens",
  "gen_ai.client.inference.time_to_first_chunk",
  "gen_ai.client.inference.usage.cache_read.input_tokens",
  "gen_ai.client.inference.usage.cache_write.input_tokens",
  "gen_ai.client.inference.usage.input_tokens",
  "gen_ai.client.inference.usage.output_tokens",
  "gen_ai.client.inference.usage.reasoning.output_tokens",
  "gen_ai.client.operation.duration",
  "gen_ai.client.operation.time_per_output_chunk",
  "gen_ai.client.operation.time_to_first_chunk",
  "gen_ai.client.token.usage",
  "gen_ai.execute_tool.duration",
  "gen_ai.invoke_agent.duration",
  "gen_ai.invoke_agent.inference_calls",
  "gen_ai.invoke_agent.tool_calls",
  "gen_ai.invoke_workflow.duration",
  "gen_ai.server.request.duration",
  "gen_ai.server.time_per_output_token",
  "gen_ai.server.time_to_first_token",
])

/** What a dialect that speaks the conventions knows beyond them. */
export interface GenAiSource {
  readonly agentTool: string
  readonly agentVersion: string | null
  readonly surface: Surface | null
  /** An agent that a person called has no parent span, so one whose parent is in another batch was called by an agent. */
  readonly isRootWithoutParent: boolean
  /** Where spans name the repository, besides `vcs.repository.name`. */
  readonly repositoryKey?: string
  /** Where spans name the branch that is worked on. */
  readonly branchKey?: string
}

const SESSION_KEYS = [ATTR_GEN_AI_CONVERSATION_ID, ATTR_SESSION_ID] as const
const MODEL_CALLS: ReadonlySet<string> = new Set(["chat", "generate_content", "text_completion"])

/** Operations of the conventions, and of the AI SDK 7, that give no signal. */
const SILENT_OPERATIONS: ReadonlySet<string> = new Set([
  "agent_step",
  "create_agent",
  "embeddings",
  "invoke_workflow",
  "plan",
  "retrieval",
])

/** What a source says on a span beyond the conventions; null for a span of which it knows nothing more. */
type ReadMore = (span: Span, base: SpanFields) => readonly Signal[] | null

/** Spans of the GenAI conventions, and what `readMore` adds. */
export function readGenAiSpans(group: Group<Span>, source: GenAiSource, readMore: ReadMore | null = null): Reading {
  const contextOf = traceContextsOf(group.resource, group.items, SESSION_KEYS)
  const firstCalls = firstCallsOf(group.items, (span) =>
    MODEL_CALLS.has(operationOf(span)) ? firstTokenMsOf(span.attributes) : undefined,
  )
  const agents = indexAgents(group.items, source.isRootWithoutParent)

  return readEach(group.items, spanName, (span) => {
    const operation = operationOf(span)
    if (operation === "" && readMore === null) return null
    const base = spanFields(group.resource, span, source, contextOf(span), agents.operationIdOf(span))
    const known = readMore?.(span, base) ?? null
    const more = known ?? SILENT
    if (MODEL_CALLS.has(operation)) return join(toModelCall(span, base), more)
    if (operation === "execute_tool") return join(toToolCall(span, base), more)
    if (operation === "invoke_agent") {
      const agent = agents.isNested(span) ? toTask(span, base) : toTurn(span, base, turnLatencyMs(span, firstCalls))
      const branch = source.branchKey === undefined ? null : readText(span.attributes, source.branchKey)
      return [agent, ...toBranch(base, branch), ...more]
    }
    return SILENT_OPERATIONS.has(operation) ? more : known
  })
}

function join(signal: Signal, more: readonly Signal[]): readonly Signal[] {
  return more.length === 0 ? [signal] : [signal, ...more]
}

function operationOf(span: Span): string {
  return readText(span.attributes, ATTR_GEN_AI_OPERATION_NAME) ?? ""
}

export type SpanFields = ReturnType<typeof spanFields>

function spanFields(
  resource: Attributes,
  span: Span,
  source: GenAiSource,
  context: TraceContext,
  operationId: string | null,
) {
  const named = source.repositoryKey === undefined ? null : toName(span.attributes.get(source.repositoryKey))
  return {
    agentTool: source.agentTool,
    agentVersion: source.agentVersion,
    surface: source.surface,
    repository: repositoryOf(resource, span.attributes) ?? named,
    observedUnixNano: span.endUnixNano,
    sourceId: spanKey(span),
    sessionId: context.sessionId,
    identity: context.identity,
    operationId,
  }
}

function outcomeOf(error: string | null): "failed" | null {
  return error === null ? null : "failed"
}

/** The conventions say seconds; VS Code had its own, in milliseconds, before them. */
function firstTokenMsOf(attributes: Attributes): number | null {
  const seconds = readNumber(
    attributes,
    ATTR_GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK,
    "gen_ai.client.operation.time_to_first_chunk",
  )
  return seconds === null ? readNumber(attributes, "copilot_chat.time_to_first_token") : seconds * 1000
}

function usageFields(attributes: Attributes) {
  return {
    model: toName(readText(attributes, ATTR_GEN_AI_RESPONSE_MODEL, ATTR_GEN_AI_REQUEST_MODEL)),
    provider: toName(readText(attributes, ATTR_GEN_AI_PROVIDER_NAME, ATTR_GEN_AI_SYSTEM)),
    inputTokens: readCount(attributes, ATTR_GEN_AI_USAGE_INPUT_TOKENS, "gen_ai.usage.prompt_tokens"),
    outputTokens: readCount(attributes, ATTR_GEN_AI_USAGE_OUTPUT_TOKENS, "gen_ai.usage.completion_tokens"),
    cachedTokens: readCount(attributes, ATTR_GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS),
    latencyMs: firstTokenMsOf(attributes),
  }
}

// Only `base` is spread, and first: V8 copies that at once, and every further spread property by property.

function toModelCall(span: Span, base: SpanFields): Signal {
  const usage = usageFields(span.attributes)
  const error = spanErrorOf(span)
  return toSignal({
    ...base,
    model: usage.model,
    provider: usage.provider,
    inputTokens: usage.inputTokens,
    outputTokens: usage.outputTokens,
    cachedTokens: usage.cachedTokens,
    latencyMs: usage.latencyMs,
    outcome: outcomeOf(error),
    error,
    kind: "model_call",
    rung: "chat",
    durationMs: durationMsOf(span),
  })
}

function toToolCall(span: Span, base: SpanFields): Signal {
  const error = spanErrorOf(span)
  return toSignal({
    ...base,
    outcome: outcomeOf(error),
    error,
    kind: "tool_call",
    rung: "agent",
    durationMs: durationMsOf(span),
    action: toAction(readText(span.attributes, ATTR_GEN_AI_TOOL_NAME)),
  })
}

/** An agent's own totals repeat its calls, so only its time is taken. */
function toTurn(span: Span, base: SpanFields, latencyMs: number | null): Signal {
  const error = spanErrorOf(span)
  return toSignal({
    ...base,
    outcome: outcomeOf(error),
    error,
    kind: "turn",
    rung: "chat",
    latencyMs,
    durationMs: durationMsOf(span),
  })
}

function toTask(span: Span, base: SpanFields): Signal {
  const durationMs = durationMsOf(span)
  return toSignal({
    ...base,
    kind: "task",
    rung: "orchestration",
    operationId: spanKey(span),
    parentOperationId: base.operationId,
    latencyMs: durationMs,
    durationMs,
    action: toAction(readText(span.attributes, ATTR_GEN_AI_AGENT_NAME)),
  })
}

/** Far more than agents nest; a chain of parents that is longer is a loop. */
const MAX_ANCESTORS = 100

function isRoot(span: Span): boolean {
  return span.parentSpanId === "" && operationOf(span) === "invoke_agent"
}

/** Who called which agent, as far as the batch shows. */
function indexAgents(spans: readonly Span[], isRootWithoutParent: boolean) {
  /** Made when it is needed, which in most batches is never. */
  let byKey: ReadonlyMap<string, Span> | null = null
  const roots = Map.groupBy(spans.filter(isRoot), (span) => span.traceId)

  /** The span's ancestors, nearest first; whether the last of them is in another batch. */
  function ancestorsOf(span: Span): { ancestors: readonly Span[]; isCut: boolean } {
    const ancestors: Span[] = []
    let { parentSpanId } = span
    if (parentSpanId !== "") byKey ??= new Map(spans.map((each) => [spanKey(each), each]))
    while (parentSpanId !== "" && ancestors.length < MAX_ANCESTORS) {
      const parent = byKey?.get(spanKey({ traceId: span.traceId, spanId: parentSpanId }))
      if (parent === undefined) return { ancestors, isCut: true }
      ancestors.push(parent)
      parentSpanId = parent.parentSpanId
    }
    return { ancestors, isCut: false }
  }

  /** Whether an agent called this agent. */
  function isNested(agent: Span): boolean {
    const { ancestors, isCut } = ancestorsOf(agent)
    return ancestors.some((span) => operationOf(span) === "invoke_agent") || (isCut && isRootWithoutParent)
  }

  /** One trace is one operation, unless a person called more than one agent in it. */
  function operationIdOf(span: Span): string {
    if ((roots.get(span.traceId)?.length ?? 0) < 2) return span.traceId
    const root = [span, ...ancestorsOf(span).ancestors].find(isRoot)
    return root === undefined ? span.traceId : spanKey(root)
  }

  return { isNested, operationIdOf }
}

/** Messages as events, from before v1.37: content, and the call's span says the rest. */
const SILENT_EVENTS: ReadonlySet<string> = new Set([
  "gen_ai.assistant.message",
  "gen_ai.choice",
  "gen_ai.client.operation.exception",
  "gen_ai.system.message",
  "gen_ai.tool.message",
  "gen_ai.user.message",
])

export function genAiEvent(record: LogRecord): string {
  return eventOf(record, "gen_ai.")
}

/** An event of the GenAI conventions; null when it is none. */
export function readGenAiRecord(
  resource: Attributes,
  record: LogRecord,
  source: Pick<Signal, "agentTool" | "agentVersion">,
): readonly Signal[] | null {
  const { attributes } = record
  const event = genAiEvent(record)
  if (SILENT_EVENTS.has(event)) return SILENT
  const sessionId = toId(readText(attributes, ...SESSION_KEYS))
  const base = {
    agentTool: source.agentTool,
    agentVersion: source.agentVersion,
    identity: identityOf(resource, attributes),
    repository: repositoryOf(resource, attributes),
    observedUnixNano: record.timeUnixNano,
    sourceId: recordKey(event, record, sessionId, null),
    sessionId,
    operationId: traceOf(record),
  }
  if (event === "gen_ai.evaluation.result") {
    const action = toLabel("evaluation", attributes.get("gen_ai.evaluation.score.label"))
    return [toSignal({ ...base, kind: "outcome", rung: "chat", action })]
  }
  if (event !== "gen_ai.client.inference.operation.details") return null
  // Written within a span, it is that call's span in other words.
  if (record.spanId !== "") return SILENT
  const error = toErrorClass(readText(attributes, "error.type"))
  const outcome = error === null ? null : "failed"
  return [toSignal({ ...base, ...usageFields(attributes), kind: "model_call", rung: "chat", outcome, error })]
}
