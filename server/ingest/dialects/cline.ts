import type { Origin, Rung, Surface } from "#sdk/ladder.ts"
import type { Attributes, Group, LogRecord } from "../otlp/types.ts"
import { type Identity, type Signal, toSignal } from "../signal.ts"
import {
  readBoolean,
  readCount,
  readNumber,
  readText,
  toAction,
  toHttpError,
  toId,
  toLabel,
  toName,
} from "./attributes.ts"
import type { Dialect } from "./dialect.ts"
import { firstWord, readEach, readNoMetrics, SILENT, spanName } from "./reading.ts"
import { eventOf, identityOf, recordKey, repositoryOf } from "./source.ts"

const PREFIX = "task."

/**
 * Cline. The body of a record is the event's name. What a build sends differs much: version 4.1 sends neither what
 * people accept nor tokens, older builds and programs that embed its SDK do.
 */
export const cline: Dialect = {
  name: "cline",

  spans(group) {
    return readEach(group.items, spanName, () => null)
  },

  logs(group) {
    return readEach(group.items, eventName, (record) => readRecord(group, record))
  },

  metrics(group) {
    return readNoMetrics(group, KNOWN_METRICS)
  },
}

const SILENT_EVENTS = /^(?:hooks|ui|user|task\.(?:terminal|mention|browser))[._]/

const KNOWN_METRICS: ReadonlySet<string> = new Set([
  "cline.ai_output.accepted.lines_added.total",
  "cline.ai_output.rejected.lines_added.total",
  "cline.errors.total",
  "cline.grpc.response.size_bytes",
  "cline.hooks.executions.total",
])

function eventName(record: LogRecord): string {
  const event = eventOf(record, PREFIX)
  if (event !== "" || typeof record.body !== "string") return event
  return SILENT_EVENTS.test(record.body) ? firstWord(record.body) : ""
}

function readRecord(group: Group<LogRecord>, record: LogRecord): readonly Signal[] | null {
  const { attributes } = record
  const event = eventName(record)
  const taskId = toId(readText(attributes, "ulid"))
  const rung = (alone: Rung): Rung => (isSubagent(attributes) ? "orchestration" : alone)
  const base = {
    observedUnixNano: record.timeUnixNano,
    sourceId: recordKey(event, record, taskId, null),
    agentTool: "cline",
    agentVersion: toName(readText(attributes, "extension_version") ?? readText(group.resource, "service.version")),
    surface: surfaceOf(attributes),
    identity: personOf(group.resource, attributes),
    repository: repositoryOf(group.resource, attributes),
    sessionId: toId(readText(attributes, "conversationId")) ?? taskId,
    operationId: taskId,
    model: toName(readText(attributes, "model", "modelId")),
    provider: toName(attributes.get("provider")),
  }

  switch (event) {
    case "task.feedback": {
      const action = toLabel("feedback", attributes.get("feedbackType"))
      return [toSignal({ ...base, kind: "outcome", rung: "chat", action })]
    }

    case "task.tokens": {
      // Here, unlike in the conventions, tokensIn are the uncached ones only.
      const uncached = readCount(attributes, "tokensIn")
      const cachedTokens = readCount(attributes, "cacheReadTokens")
      const written = readCount(attributes, "cacheWriteTokens") ?? 0
      return [
        toSignal({
          ...base,
          kind: "model_call",
          rung: rung("chat"),
          inputTokens: uncached === null ? null : uncached + (cachedTokens ?? 0) + written,
          outputTokens: readCount(attributes, "tokensOut"),
          cachedTokens,
          costUsd: readNumber(attributes, "totalCost"),
        }),
      ]
    }

    case "task.provider_api_error": {
      const error = toHttpError(readNumber(attributes, "errorStatus")) ?? "other"
      return [toSignal({ ...base, kind: "model_call", rung: rung("chat"), outcome: "failed", error })]
    }

    case "task.tool_used":
    case "task.mcp_tool_called": {
      const status = readText(attributes, "status")
      if (status === "started") return SILENT
      const isFailed = readBoolean(attributes, "success") === false || status === "error"
      return [
        toSignal({
          ...base,
          kind: "tool_call",
          rung: rung("agent"),
          action: toAction(readText(attributes, "toolName", "tool"), readText(attributes, "serverName")),
          outcome: isFailed ? "failed" : null,
          error: isFailed ? "other" : null,
        }),
      ]
    }

    case "task.ai_output.accepted":
    case "task.ai_output.rejected": {
      const origin: Origin = readText(attributes, "source") === "human" ? "human" : "unknown"
      return [
        toSignal({
          ...base,
          kind: "edit",
          rung: rung("agent"),
          outcome: event === "task.ai_output.accepted" ? "accepted" : "rejected",
          origin,
          linesAdded: readCount(attributes, "linesAdded"),
          linesRemoved: readCount(attributes, "linesDeleted"),
          action: toAction(readText(attributes, "tool")),
        }),
      ]
    }

    case "task.subagent_completed": {
      const durationMs = readNumber(attributes, "durationMs")
      return [
        toSignal({
          ...base,
          kind: "task",
          rung: "orchestration",
          operationId: toId(readText(attributes, "agentId") ?? base.sourceId),
          parentOperationId: taskId,
          latencyMs: durationMs,
          durationMs,
        }),
      ]
    }

    default:
      return SILENT_EVENTS.test(event) || SILENT_TASK_EVENTS.has(event) ? SILENT : null
  }
}

const SILENT_TASK_EVENTS: ReadonlySet<string> = new Set([
  "task.checkpoint_used",
  "task.completed",
  "task.conversation_turn",
  "task.option_selected",
  "task.subagent_started",
])

function isSubagent(attributes: Attributes): boolean {
  return readBoolean(attributes, "isSubagent") === true || readText(attributes, "teamId") !== null
}

function surfaceOf(attributes: Attributes): Surface | null {
  const type = readText(attributes, "cline_type") ?? ""
  if (type.includes("Extension")) return "ide"
  return type === "CLI" ? "terminal" : null
}

/** Cline's ids of the person have no dots. */
function personOf(resource: Attributes, attributes: Attributes): Identity | null {
  const known = identityOf(resource, attributes)
  if (known !== null) return known
  const member = readText(attributes, "user_id", "member_id")
  if (member !== null) return { kind: "account", value: member }
  const installation = readText(attributes, "distinct_id")
  return installation === null ? null : { kind: "installation", value: installation }
}
