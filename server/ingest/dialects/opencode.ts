import type { Surface } from "#sdk/ladder.ts"
import type { Attributes, Group, LogRecord, Span } from "../otlp/types.ts"
import { type Signal, toSignal } from "../signal.ts"
import { isList, readBoolean, readCount, readFields, readText, toAction, toId, toName } from "./attributes.ts"
import {
  AI_SESSION_KEYS,
  AI_TOOL_CALL,
  aiModelCallFields,
  aiToolCallFields,
  isAiModelCall,
  isAiSpan,
} from "./ai-sdk.ts"
import type { Dialect } from "./dialect.ts"
import { readEach, readNoMetrics, SILENT, spanName } from "./reading.ts"
import {
  durationMsOf,
  eventOf,
  identityOf,
  recordKey,
  repositoryOf,
  spanErrorOf,
  spanKey,
  toPrimary,
  toSecondary,
  traceContextsOf,
  traceOf,
} from "./source.ts"
import { firstCallsOf, turnLatencyMs } from "./turn.ts"

/**
 * OpenCode and its descendant Kilo, which also calls itself `opencode`. Model calls are spans of the AI SDK where the
 * person has switched those on; each is announced by an application log as well, which is all there is otherwise.
 */
export const openCode: Dialect = {
  name: "opencode",

  spans(group) {
    const spans = indexSpans(group)
    const contextOf = traceContextsOf(group.resource, group.items, AI_SESSION_KEYS)
    const common = commonFields(group)
    const baseOf = (span: Span) => ({
      ...common,
      ...contextOf(span),
      repository: repositoryOf(group.resource, span.attributes),
      observedUnixNano: span.endUnixNano,
      sourceId: spanKey(span),
      operationId: span.traceId,
    })
    return readEach(group.items, spanName, (span) => {
      if (isAiModelCall(span)) {
        const occurrence = toPrimary(spans.streamOf(span))
        return [toSignal({ ...baseOf(span), ...aiModelCallFields(span), occurrence })]
      }
      if (span.name === "Tool.execute") {
        const error = spanErrorOf(span)
        const toolName = readText(span.attributes, "tool.name")
        return toToolSignals(toolName, {
          ...baseOf(span),
          kind: "tool_call",
          rung: toolName === SUBAGENT_TOOL ? "orchestration" : "agent",
          durationMs: durationMsOf(span),
          action: toAction(toolName),
          outcome: error === null ? null : "failed",
          error,
        })
      }
      // Under OpenCode's own scope, Tool.execute is the same run.
      if (span.name === AI_TOOL_CALL && group.scope.name !== "opencode") {
        const toolName = readText(span.attributes, "ai.toolCall.name")
        return toToolSignals(toolName, { ...baseOf(span), ...aiToolCallFields(span) })
      }
      if (span.name === "SessionPrompt.loop") {
        const error = spanErrorOf(span)
        return [
          toSignal({
            ...baseOf(span),
            kind: "turn",
            rung: "chat",
            latencyMs: turnLatencyMs(span, spans.firstCalls),
            durationMs: durationMsOf(span),
            outcome: error === null ? null : "failed",
            error,
          }),
        ]
      }
      return isAiSpan(span) || span.name === "LLM.run" ? SILENT : null
    })
  },

  logs(group) {
    const common = commonFields(group)
    return readEach(
      group.items,
      (record) => eventOf(record, "opencode."),
      (record) => readRecord(group.resource, record, common),
    )
  },

  metrics(group) {
    return readNoMetrics(group, new Set())
  },
}

const EDIT_TOOLS: ReadonlySet<string> = new Set(["apply_patch", "edit", "multiedit", "patch", "write"])
/** May change more than one file. */
const PATCH_TOOLS: ReadonlySet<string> = new Set(["apply_patch", "patch"])
const SUBAGENT_TOOL = "task"
const TITLE_SESSION = /^title-(?=ses_)/

function commonFields(group: Group<Span | LogRecord>) {
  const version = toName(group.resource.get("service.version"))
  return {
    agentTool: isKilo(group, version) ? "kilo" : "opencode",
    agentVersion: version,
    surface: surfaceOf(group.resource),
  }
}

/** OpenCode is at 1.x; Kilo's builds of it count from 7. */
function isKilo(group: Group<Span | LogRecord>, version: string | null): boolean {
  const major = Number(version?.split(".", 1)[0])
  if (major >= 7) return true
  const service = readText(group.resource, "service.name") ?? ""
  return service.includes("kilo") || group.items.some((item) => "name" in item && item.name.startsWith("Kilo"))
}

const SURFACES: ReadonlyMap<string, Surface> = new Map([
  ["cli", "terminal"],
  ["vscode", "ide"],
  ["jetbrains", "ide"],
])

function surfaceOf(resource: Attributes): Surface | null {
  return SURFACES.get(readText(resource, "opencode.client") ?? "cli") ?? null
}

/** A tool's run, and the edit that it was when it is a tool that edits. Nothing tells who let it through. */
function toToolSignals(toolName: string | null, call: Parameters<typeof toSignal>[0]): readonly Signal[] {
  const toolCall = toSignal(call)
  if (toolName === null || !EDIT_TOOLS.has(toolName) || toolCall.error !== null) return [toolCall]
  const edit = toSignal({
    ...call,
    kind: "edit",
    sourceId: `${call.sourceId}:edit`,
    durationMs: null,
    outcome: "accepted",
    origin: "unknown",
    filesChanged: PATCH_TOOLS.has(toolName) ? null : 1,
  })
  return [toolCall, edit]
}

/** Looks up what is around a model call: LLM.run > ai.streamText > ai.streamText.doStream. */
function indexSpans(group: Group<Span>) {
  const byKey = new Map(group.items.map((span) => [spanKey(span), span]))
  const parentOf = (span: Span) => byKey.get(spanKey({ traceId: span.traceId, spanId: span.parentSpanId }))
  const lastCalls = new Map<string, string>()
  for (const span of group.items) {
    if (isAiModelCall(span)) lastCalls.set(`${span.traceId}:${span.parentSpanId}`, span.spanId)
  }

  /** The span that the announcing log was written in: that of LLM.run. A retried request is not announced again. */
  function streamOf(call: Span): string | null {
    const outer = parentOf(call)
    if (outer === undefined || outer.parentSpanId === "") return null
    if (lastCalls.get(spanKey(outer)) !== call.spanId) return null
    return streamOccurrence(spanKey({ traceId: call.traceId, spanId: outer.parentSpanId }))
  }

  function isTitle(call: Span): boolean {
    const outer = parentOf(call)
    const run = outer === undefined ? undefined : parentOf(outer)
    return run !== undefined && parentOf(run)?.name === "SessionPrompt.ensureTitle"
  }

  // The session's title is made beside the answer, and nobody waits for it.
  const firstCalls = firstCallsOf(group.items, (span) =>
    isAiModelCall(span) && !isTitle(span) ? aiModelCallFields(span).latencyMs : undefined,
  )
  return { streamOf, firstCalls }
}

function streamOccurrence(runKey: string): string {
  return `model_call:${runKey}`
}

/**
 * An application log: the body is a message, or a message and its fields as JSON text. Two messages matter; no other
 * is named, since any text can be one.
 */
function readRecord(
  resource: Attributes,
  record: LogRecord,
  common: ReturnType<typeof commonFields>,
): readonly Signal[] | null {
  if (eventOf(record, "opencode.") !== "") return null
  if (!isList(record.body)) return SILENT
  const [message, json] = record.body
  if (message !== "loop" && message !== "stream") return SILENT

  const fields = readFields(json)
  // Kilo makes a title in a session of its own, named after the one that gets it.
  const sessionId = toId(readText(fields, "session.id")?.replace(TITLE_SESSION, "") ?? null)
  const base = {
    ...common,
    identity: identityOf(resource, record.attributes),
    repository: repositoryOf(resource, record.attributes),
    observedUnixNano: record.timeUnixNano,
    sourceId: recordKey(message, record, sessionId, null),
    sessionId,
    operationId: traceOf(record),
  }
  if (message === "loop") {
    const isStart = readCount(fields, "step") === 0
    return isStart ? [toSignal({ ...base, kind: "start", rung: "chat", prompts: 1 })] : SILENT
  }
  const isSmall = readBoolean(fields, "small") === true
  return [
    toSignal({
      ...base,
      kind: "model_call",
      rung: readText(fields, "mode") === "subagent" ? "orchestration" : "chat",
      occurrence: toSecondary(record.spanId === "" ? null : streamOccurrence(spanKey(record))),
      model: toName(fields.get("modelID")),
      provider: toName(fields.get("providerID")),
      // The small model serves the tool itself (titles), not a persona.
      mode: isSmall ? null : toName(fields.get("agent")),
    }),
  ]
}
