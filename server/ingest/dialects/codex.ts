import type { Origin, Outcome, Rung, Surface } from "#sdk/ladder.ts"
import { toShellAction } from "#sdk/shell-action.ts"
import type { Attributes, LogRecord } from "../otlp/types.ts"
import { type Signal, toSignal } from "../signal.ts"
import {
  digest,
  readBoolean,
  readCount,
  readFields,
  readNumber,
  readText,
  toAction,
  toErrorClass,
  toHttpError,
  toId,
  toName,
} from "./attributes.ts"
import type { Dialect } from "./dialect.ts"
import { readEach, readNoMetrics, SILENT, spanName } from "./reading.ts"
import { eventOf, identityOf, isIdeTerminal, isVsCodeAgentHost, recordKey, repositoryOf, traceOf } from "./source.ts"

const PREFIX = "codex."

/**
 * OpenAI Codex. Every fact is a log event; spans are those of its internals and metrics repeat the events. A turn's
 * events share a trace, except that those of the response stream carry none and are placed by their conversation.
 */
export const codex: Dialect = {
  name: "codex",

  spans(group) {
    return readEach(group.items, spanName, () => null)
  },

  logs(group) {
    return readEach(group.items, eventName, (record) => readRecord(group.resource, record))
  },

  metrics(group) {
    return readNoMetrics(group, KNOWN_METRICS)
  },
}

const SILENT_EVENTS: ReadonlySet<string> = new Set([
  "codex.agent_response",
  "codex.guardian_assessment",
  "codex.sandbox_outcome",
  "codex.skill_invocation",
  "codex.startup_phase",
  "codex.websocket_connect",
  "codex.websocket_event",
])

const KNOWN_METRICS: ReadonlySet<string> = new Set([
  "codex.api_request",
  "codex.api_request.duration_ms",
  "codex.approval.requested",
  "codex.conversation.turn.count",
  "codex.guardian.review",
  "codex.guardian.turn.blocking_ms",
  "codex.hooks.run",
  "codex.mcp.call",
  "codex.multi_agent.spawn",
  "codex.sse_event",
  "codex.task.review",
  "codex.task.undo",
  "codex.thread.started",
  "codex.tool.call",
  "codex.tool.call.duration_ms",
  "codex.tool.unified_exec",
  "codex.tools.registered",
  "codex.turn.cost_microusd",
  "codex.turn.e2e_duration_ms",
  "codex.turn.memory",
  "codex.turn.network_proxy",
  "codex.turn.token_usage",
  "codex.turn.tool.call",
  "codex.turn.ttfm.duration_ms",
  "codex.turn.ttft.duration_ms",
  "codex.turn.unified_exec.running_processes",
  "codex.websocket.event",
  "codex.websocket.request",
])

const SHELL_TOOLS: ReadonlySet<string> = new Set([
  "container.exec",
  "exec_command",
  "local_shell",
  "shell",
  "shell_command",
  "unified_exec",
])
const EDIT_TOOL = "apply_patch"

function eventName(record: LogRecord): string {
  return eventOf(record, PREFIX)
}

function readRecord(resource: Attributes, record: LogRecord): readonly Signal[] | null {
  const { attributes } = record
  const name = eventName(record)
  const sessionId = toId(readText(attributes, "conversation.id"))
  const callId = readText(attributes, "call_id")
  const base = {
    observedUnixNano: record.timeUnixNano,
    sourceId: recordKey(name, record, sessionId, callId),
    agentTool: "codex",
    agentVersion: toName(readText(attributes, "app.version") ?? readText(resource, "service.version")),
    surface: surfaceOf(resource, attributes),
    identity: identityOf(resource, attributes),
    repository: repositoryOf(resource, attributes),
    sessionId,
    operationId: traceOf(record),
    model: toName(readText(attributes, "model", "slug")),
  }

  switch (name) {
    case "codex.conversation_starts": {
      const provider = toName(attributes.get("provider_name"))
      return [toSignal({ ...base, kind: "session", rung: "chat", operationId: null, provider })]
    }

    case "codex.user_prompt": {
      const operationId = base.operationId ?? digest(base.sourceId)
      return [toSignal({ ...base, kind: "start", rung: rungOf(attributes, "chat"), operationId, prompts: 1 })]
    }

    case "codex.sse_event": {
      const inputTokens = readCount(attributes, "input_token_count")
      // Each call ends with two such events, of which one tells the tokens.
      const isCall = readText(attributes, "event.kind") === "response.completed" && inputTokens !== null
      if (!isCall) return SILENT
      return [
        toSignal({
          ...base,
          kind: "model_call",
          rung: rungOf(attributes, "chat"),
          inputTokens,
          outputTokens: readCount(attributes, "output_token_count"),
          cachedTokens: readCount(attributes, "cached_token_count"),
          latencyMs: readNumber(attributes, "ttft_ms"),
          durationMs: readNumber(attributes, "duration_ms"),
        }),
      ]
    }

    case "codex.api_request":
    case "codex.websocket_request": {
      const error = requestErrorOf(attributes)
      if (error === null) return SILENT
      const durationMs = readNumber(attributes, "duration_ms")
      const rung = rungOf(attributes, "chat")
      return [toSignal({ ...base, kind: "model_call", rung, durationMs, outcome: "failed", error })]
    }

    case "codex.turn_ttft": {
      const latencyMs = readNumber(attributes, "duration_ms")
      return [toSignal({ ...base, kind: "turn", rung: "chat", latencyMs })]
    }

    case "codex.turn_cost": {
      const costUsd = readNumber(attributes, "usage.estimated_usd")
      return [toSignal({ ...base, kind: "context", rung: "chat", costUsd, action: "turn_cost" })]
    }

    case "codex.tool_decision": {
      const verdict = verdictOf(attributes)
      const decided = { ...base, ...verdict, rung: rungOf(attributes, "agent"), action: actionOf(attributes) }
      const permission = toSignal({ ...decided, kind: "permission", sourceId: `${base.sourceId}:permission` })
      if (readText(attributes, "tool_name") !== EDIT_TOOL || verdict.outcome === null) return [permission]
      return [permission, toSignal({ ...decided, kind: "edit", sourceId: `${base.sourceId}:edit` })]
    }

    case "codex.tool_result": {
      const isFailed = readBoolean(attributes, "success") === false
      return [
        toSignal({
          ...base,
          kind: "tool_call",
          rung: rungOf(attributes, "agent"),
          durationMs: readNumber(attributes, "duration_ms"),
          action: actionOf(attributes),
          outcome: isFailed ? "failed" : null,
          error: isFailed ? (toErrorClass(readText(attributes, "error.type")) ?? "other") : null,
        }),
      ]
    }

    default:
      return SILENT_EVENTS.has(name) ? SILENT : null
  }
}

function surfaceOf(resource: Attributes, attributes: Attributes): Surface {
  const originator = readText(attributes, "originator") ?? readText(resource, "service.name") ?? ""
  const isIde = originator.includes("vscode") || isVsCodeAgentHost(resource)
  return isIde || isIdeTerminal(readText(attributes, "terminal.type")) ? "ide" : "terminal"
}

/** An agent that another one started has a parent conversation, and a path below the first agent's. */
function rungOf(attributes: Attributes, alone: Rung): Rung {
  const isSpawned =
    readText(attributes, "parent.conversation.id") !== null ||
    (readText(attributes, "agent_name") ?? "").startsWith("/root/")
  return isSpawned ? "orchestration" : alone
}

const SOURCE_ORIGINS: ReadonlyMap<string, Origin> = new Map([
  ["config", "rule"],
  ["user", "human"],
  ["automatedreviewer", "rule"],
])

/** Versions spell decisions and sources differently: `approved_for_session`, `approvedforsession`. */
function plain(value: string | null): string {
  return (value ?? "").toLowerCase().replaceAll(/[_ ]/g, "")
}

function verdictOf(attributes: Attributes): { outcome: Outcome | null; origin: Origin } {
  const decision = plain(readText(attributes, "decision"))
  if (decision === "abort") return { outcome: "ignored", origin: "dismissed" }
  if (decision === "timedout") return { outcome: "ignored", origin: "timeout" }
  const origin = SOURCE_ORIGINS.get(plain(readText(attributes, "source"))) ?? "unknown"
  if (decision.startsWith("approved")) return { outcome: "accepted", origin }
  return { outcome: decision === "denied" ? "rejected" : null, origin }
}

/** The failure of a request to the model; null when it was answered. */
function requestErrorOf(attributes: Attributes): string | null {
  const status = toHttpError(readNumber(attributes, "http.response.status_code"))
  return status ?? (readBoolean(attributes, "success") === false ? "other" : null)
}

/** The arguments, which Codex always sends, only name the program. */
function actionOf(attributes: Attributes): string | null {
  const toolName = readText(attributes, "tool_name")
  if (toolName !== null && SHELL_TOOLS.has(toolName)) {
    const fields = readFields(attributes.get("arguments"))
    return toShellAction(fields.get("command") ?? fields.get("cmd")) ?? toAction(toolName)
  }
  return toAction(toolName, readText(attributes, "mcp_server"))
}
