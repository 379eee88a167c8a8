import type { Origin, Outcome, Rung } from "#sdk/ladder.ts"
import type { Attributes, Group, Span } from "../otlp/types.ts"
import { type Signal, toSignal } from "../signal.ts"
import { readCount, readNumber, readText, toAction, toErrorClass, toId, toName } from "./attributes.ts"
import {
  commonFields,
  createFamilyDialect,
  type FamilyMember,
  permissionOccurrence,
  promptOperation,
  toSubagentTask,
} from "./gemini-family.ts"
import { SILENT } from "./reading.ts"
import { durationMsOf, spanKey, toPrimary, toSecondary, traceContextsOf } from "./source.ts"
import { firstCallsOf, rungsOf, turnLatencyMs } from "./turn.ts"

const SILENT_SPANS: ReadonlySet<string> = new Set([
  "qwen-code.hook",
  "qwen-code.llm_request",
  "qwen-code.subagent",
  "qwen-code.tool",
  "qwen-code.tool.execution",
])

/** The rating is the number of a menu entry, not a scale. */
const RATINGS: ReadonlyMap<number, string> = new Map([
  [1, "good"],
  [2, "bad"],
  [3, "fine"],
])

/**
 * How the agents are named that tend Qwen Code's memory after a prompt. What they do is in a prompt's id of their own
 * (`<session>#managed-auto-memory-extractor-1f2e#0`), also where the record does not name the agent.
 */
const HOUSEKEEPING = "managed-auto-"

const member: FamilyMember = {
  name: "qwen-code",
  prefix: "qwen-code.",
  version: (resource) => toName(resource.get("service.version")),
  readSpan,

  readEvent(event, record, base) {
    const { attributes } = record
    switch (event) {
      case "config":
      case "session.start": {
        // Older builds tell only their configuration, newer ones the session as well.
        const id = base.sessionId === null ? null : `session:${base.sessionId}`
        return [
          toSignal({
            ...base,
            kind: "session",
            rung: "chat",
            operationId: null,
            occurrence: event === "session.start" ? toPrimary(id) : toSecondary(id),
            mode: toName(attributes.get("approval_mode")),
            model: toName(attributes.get("model")),
          }),
        ]
      }

      case "user_feedback": {
        const rating = RATINGS.get(readCount(attributes, "rating") ?? 0)
        if (rating === undefined) return SILENT
        const model = toName(attributes.get("model"))
        return [toSignal({ ...base, kind: "outcome", rung: "chat", model, action: `feedback:${rating}` })]
      }

      case "subagent_execution": {
        if (readText(attributes, "status") === "started") return SILENT
        return [
          toSubagentTask(record, base, {
            id: readText(attributes, "subagent_id"),
            name: readText(attributes, "subagent_name"),
            reason: readText(attributes, "terminate_reason", "status"),
          }),
        ]
      }

      default:
        return null
    }
  },

  isHousekeeping: (attributes) =>
    (readText(attributes, "subagent_name") ?? "").startsWith(HOUSEKEEPING) ||
    (readText(attributes, "prompt_id") ?? "").includes(`#${HOUSEKEEPING}`),

  silentEvents: new Set([
    "qwen-code.api_cancel",
    "qwen-code.api_request",
    "qwen-code.api_retry",
    "qwen-code.auth",
    "qwen-code.file_operation",
    "qwen-code.goal_state",
    "qwen-code.memory.extract",
    "qwen-code.memory.recall",
    "qwen-code.memory.recall.delivery",
    "qwen-code.ripgrep_fallback",
    "qwen-code.session.end",
    "qwen-code.skill_launch",
    "qwen-code.slash_command",
    "qwen-code.user_retry",
    "qwen-code.workflow_run",
    // 0.24 spells these without its prefix, and tells the session by its configuration as well.
    "session.end",
    "session.start",
  ]),

  metrics: new Set([
    "http.client.request.duration",
    "qwen-code.api.request.breakdown",
    "qwen-code.api.request.count",
    "qwen-code.api.request.latency",
    "qwen-code.api.retry.count",
    "qwen-code.cpu.usage",
    "qwen-code.file.operation.count",
    "qwen-code.memory.extract.count",
    "qwen-code.memory.extract.duration",
    "qwen-code.memory.recall.count",
    "qwen-code.memory.recall.delivery.count",
    "qwen-code.memory.recall.delivery.latency",
    "qwen-code.memory.recall.duration",
    "qwen-code.memory.usage",
    "qwen-code.session.count",
    "qwen-code.subagent.execution.count",
    "qwen-code.token.usage",
    "qwen-code.tool.call.count",
    "qwen-code.tool.call.latency",
    "qwen-code.tool.execution.count",
  ]),
}

/** Qwen Code. Unlike Gemini CLI's, its spans carry the prompt's id and the wait for a person. */
export const qwenCode = createFamilyDialect(member)

function readSpan(group: Group<Span>): (span: Span) => readonly Signal[] | null {
  const firstCalls = firstCallsOf(group.items, (span) =>
    span.name === "qwen-code.llm_request" ? readNumber(span.attributes, "ttft_ms") : undefined,
  )
  const rungs = rungsOf(group.items, (span) => SPAN_RUNGS.get(span.name) ?? null)
  const traceContextOf = traceContextsOf(group.resource, group.items, SESSION_KEYS)
  const ownSessionId = toId(readText(group.resource, "session.id"))
  const contextOf = (span: Span) => {
    const { sessionId, identity } = traceContextOf(span)
    return { sessionId: sessionId ?? ownSessionId, identity }
  }
  // Only a turn names its prompt; what happens within it is in the same trace.
  const operations = new Map(
    group.items
      .filter((span) => span.name === TURN)
      .map((span) => {
        const promptId = readText(span.attributes, "qwen-code.prompt_id")
        return [span.traceId, promptOperation(contextOf(span).sessionId, promptId)]
      }),
  )
  const baseOf = (span: Span): SpanFields => ({
    ...commonFields(member, group.resource, span.attributes),
    ...contextOf(span),
    observedUnixNano: span.endUnixNano,
    sourceId: spanKey(span),
    operationId: operations.get(span.traceId) ?? null,
  })
  // Requests of the HTTP client, which newer builds send as well.
  const isHttpClient = group.scope.name.startsWith("@opentelemetry/instrumentation-")
  return (span) => {
    if (span.name === TURN) {
      return [toTurn(span, baseOf(span), rungs.get(span.traceId) ?? "chat", turnLatencyMs(span, firstCalls))]
    }
    if (span.name === "qwen-code.tool.blocked_on_user") return [toWait(span, baseOf(span))]
    return SILENT_SPANS.has(span.name) || isHttpClient ? SILENT : null
  }
}

type SpanFields = ReturnType<typeof commonFields> &
  Pick<Signal, "sessionId" | "identity" | "observedUnixNano" | "sourceId" | "operationId">

const TURN = "qwen-code.interaction"
const SESSION_KEYS = ["session.id", "gen_ai.conversation.id"] as const

const SPAN_RUNGS: ReadonlyMap<string, Rung> = new Map([
  ["qwen-code.tool", "agent"],
  ["qwen-code.subagent", "orchestration"],
])

function toTurn(span: Span, base: SpanFields, rung: Rung, latencyMs: number | null): Signal {
  const isFailed = span.statusCode === 2 || readText(span.attributes, "qwen-code.turn_status") === "error"
  return toSignal({
    ...base,
    kind: "turn",
    rung,
    mode: toName(span.attributes.get("qwen-code.approval_mode")),
    model: toName(span.attributes.get("qwen-code.model")),
    latencyMs,
    durationMs: readNumber(span.attributes, "interaction.duration_ms") ?? durationMsOf(span),
    outcome: isFailed ? "failed" : null,
    error: isFailed ? toErrorClass(readText(span.attributes, "error.type")) : null,
  })
}

function toWait(span: Span, base: SpanFields): Signal {
  return toSignal({
    ...base,
    ...waitVerdictOf(span.attributes),
    kind: "permission",
    rung: "agent",
    occurrence: toSecondary(permissionOccurrence(base.sessionId, toId(readText(span.attributes, "tool.call_id")))),
    waitMs: readNumber(span.attributes, "duration_ms") ?? durationMsOf(span),
    action: toAction(readText(span.attributes, "tool.name")),
  })
}

const SOURCE_ORIGINS: ReadonlyMap<string, Origin> = new Map([
  ["cli", "human"],
  ["ide", "human"],
  ["auto", "rule"],
  ["system", "rule"],
])

function waitVerdictOf(attributes: Attributes): { outcome: Outcome | null; origin: Origin } {
  const decision = readText(attributes, "decision") ?? ""
  if (decision === "aborted") return { outcome: "ignored", origin: "dismissed" }
  if (decision === "auto_approved") return { outcome: "accepted", origin: "rule" }
  const origin = SOURCE_ORIGINS.get(readText(attributes, "source") ?? "") ?? "unknown"
  if (decision.startsWith("proceed_")) return { outcome: "accepted", origin }
  return { outcome: decision === "cancel" ? "rejected" : null, origin }
}
