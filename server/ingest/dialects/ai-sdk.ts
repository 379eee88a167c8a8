import type { Span } from "../otlp/types.ts"
import { toSignal } from "../signal.ts"
import { readCount, readNumber, readText, toAction, toName } from "./attributes.ts"
import type { Dialect } from "./dialect.ts"
import { genAi } from "./gen-ai.ts"
import { readEach, readNoMetrics, SILENT, spanName } from "./reading.ts"
import { durationMsOf, repositoryOf, serviceOf, spanErrorOf, spanKey, traceContextsOf } from "./source.ts"

/** Where a session's id is, in the order of trust: a host may put its own in the call's metadata. */
export const AI_SESSION_KEYS = ["session.id", "ai.telemetry.metadata.sessionId", "gen_ai.conversation.id"] as const

/**
 * Programs that use the Vercel AI SDK, version 6 and before; version 7 speaks the GenAI conventions. A call's outer
 * span (`ai.streamText`) sums up its requests, so the requests are what counts.
 */
export const aiSdk: Dialect = {
  name: "ai-sdk",

  spans(group) {
    const service = serviceOf(group.resource)
    const contextOf = traceContextsOf(group.resource, group.items, AI_SESSION_KEYS)
    return readEach(group.items, spanName, (span) => {
      const isModelCall = isAiModelCall(span)
      if (!isModelCall && span.name !== AI_TOOL_CALL) return isAiSpan(span) ? SILENT : null
      return [
        toSignal({
          ...(isModelCall ? aiModelCallFields(span) : aiToolCallFields(span)),
          ...service,
          ...contextOf(span),
          repository: repositoryOf(group.resource, span.attributes),
          observedUnixNano: span.endUnixNano,
          sourceId: spanKey(span),
          operationId: span.traceId,
        }),
      ]
    })
  },

  logs(group) {
    return genAi.logs(group)
  },

  metrics(group) {
    return readNoMetrics(group, new Set())
  },
}

const MODEL_CALL = /^ai\.[A-Za-z]+\.do(?:Generate|Stream)$/
export const AI_TOOL_CALL = "ai.toolCall"

export function isAiModelCall(span: Span): boolean {
  return MODEL_CALL.test(span.name)
}

const AI_SPANS: ReadonlySet<string> = new Set([
  AI_TOOL_CALL,
  "ai.embed",
  "ai.embed.doEmbed",
  "ai.embedMany",
  "ai.embedMany.doEmbed",
  "ai.generateObject",
  "ai.generateText",
  "ai.rerank",
  "ai.rerank.doRerank",
  "ai.streamObject",
  "ai.streamText",
])

/** Whether the span is one that the AI SDK makes. */
export function isAiSpan(span: Span): boolean {
  return AI_SPANS.has(span.name) || isAiModelCall(span)
}

/** What a span of one request to a model says, whoever made it. */
export function aiModelCallFields(span: Span) {
  const { attributes } = span
  const error = spanErrorOf(span)
  const provider = toName(readText(attributes, "gen_ai.provider.name", "gen_ai.system", "ai.model.provider"))
  return {
    kind: "model_call" as const,
    rung: "chat" as const,
    model: toName(
      readText(attributes, "gen_ai.response.model", "ai.response.model", "gen_ai.request.model", "ai.model.id"),
    ),
    // The SDK names the provider together with the API it uses: anthropic.messages.
    provider: provider?.split(".", 1)[0] ?? null,
    latencyMs: readNumber(attributes, "ai.response.msToFirstChunk"),
    durationMs: durationMsOf(span),
    inputTokens: readCount(attributes, "gen_ai.usage.input_tokens", "ai.usage.inputTokens", "ai.usage.promptTokens"),
    outputTokens: readCount(
      attributes,
      "gen_ai.usage.output_tokens",
      "ai.usage.outputTokens",
      "ai.usage.completionTokens",
    ),
    cachedTokens: readCount(
      attributes,
      "gen_ai.usage.cache_read.input_tokens",
      "ai.usage.cachedInputTokens",
      "ai.usage.inputTokenDetails.cacheReadTokens",
    ),
    outcome: error === null ? null : ("failed" as const),
    error,
  }
}

/** What a span of one tool's run says, whoever made it. */
export function aiToolCallFields(span: Span) {
  const error = spanErrorOf(span)
  return {
    kind: "tool_call" as const,
    rung: "agent" as const,
    durationMs: durationMsOf(span),
    action: toAction(readText(span.attributes, "ai.toolCall.name")),
    outcome: error === null ? null : ("failed" as const),
    error,
  }
}
