import type { Origin, Outcome, Rung, Surface } from "#sdk/ladder.ts"
import { toShellAction } from "#sdk/shell-action.ts"
import type { Attributes, LogRecord, MetricPoint, Span } from "../otlp/types.ts"
import { type Signal, type SignalFields, toSignal } from "../signal.ts"
import {
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
import { readEach, SILENT, spanName } from "./reading.ts"
import {
  durationMsOf,
  eventOf,
  identityOf,
  isIdeTerminal,
  isVsCodeAgentHost,
  pointKey,
  recordKey,
  repositoryOf,
  spanKey,
  toBranch,
  toPrimary,
  toSecondary,
  traceOf,
} from "./source.ts"
import { firstCallsOf, rungsOf, turnLatencyMs } from "./turn.ts"

const PREFIX = "claude_code."

/**
 * Claude Code and the Claude Agent SDK. Facts come from the log events; a span only adds what they lack (the wait for
 * a person, the first token), and the metrics repeat both except for active time, commits and pull requests.
 */
export const claudeCode: Dialect = {
  name: "claude-code",

  spans(group) {
    const firstCalls = firstCallsOf(group.items, (span) =>
      span.name === "claude_code.llm_request" ? readNumber(span.attributes, "ttft_ms") : undefined,
    )
    const rungs = rungsOf(group.items, rungOfSpan)
    const toolNames = new Map(
      group.items
        .filter((span) => span.name === "claude_code.tool")
        .map((span) => [spanKey(span), readText(span.attributes, "tool_name")]),
    )
    return readEach(group.items, spanName, (span) => {
      if (span.name === "claude_code.interaction") {
        const rung = rungs.get(span.traceId) ?? "chat"
        return [toTurn(group.resource, span, rung, turnLatencyMs(span, firstCalls))]
      }
      if (span.name === "claude_code.llm_request") return toSecondModelCall(group.resource, span)
      if (span.name === "claude_code.tool.blocked_on_user") {
        const parent = spanKey({ traceId: span.traceId, spanId: span.parentSpanId })
        return [toWait(group.resource, span, toolNames.get(parent) ?? null)]
      }
      return SILENT_SPANS.has(span.name) ? SILENT : null
    })
  },

  logs(group) {
    const sharedSpans = sharedSpansOf(group.items)
    const untracedPrompts = untracedPromptsOf(group.items)
    return readEach(group.items, eventName, (record) =>
      readRecord(group.resource, record, sharedSpans, operationOf(record, untracedPrompts)),
    )
  },

  metrics(group) {
    return readEach(
      group.items,
      (point) => point.metric,
      (point) => readPoint(group.resource, point),
    )
  },
}

const SILENT_SPANS: ReadonlySet<string> = new Set([
  "claude_code.tool",
  "claude_code.tool.execution",
  "claude_code.hook",
  "claude_code.subagent.spawn",
  "claude_code.mcp.rpc",
  "claude_code.bash.subprocess",
  "claude_code.compaction",
])

/** Known, and said better by another event or of no meaning for trust. */
const SILENT_EVENTS: ReadonlySet<string> = new Set([
  "api_request_body",
  "api_response_body",
  "api_retries_exhausted", // each attempt has its api_error
  "assistant_response",
  "at_mention",
  "auth",
  "feedback_survey",
  "hook_execution_complete",
  "hook_execution_start",
  "hook_registered",
  "internal_error",
  "managed_settings_resolved",
  "mcp_server_connection",
  "plugin_installed",
  "plugin_loaded",
  "retention_sweep",
  "safety_event",
  "skill_activated",
])

/** Repeat the events, or are sums that need state. */
const SILENT_METRICS: ReadonlySet<string> = new Set([
  "claude_code.session.count",
  "claude_code.lines_of_code.count",
  "claude_code.cost.usage",
  "claude_code.token.usage",
  "claude_code.code_edit_tool.decision",
])

const EDIT_TOOLS: ReadonlySet<string> = new Set(["Edit", "Write", "MultiEdit", "NotebookEdit"])
const SHELL_TOOLS: ReadonlySet<string> = new Set(["Bash", "PowerShell"])

function commonFields(resource: Attributes, attributes: Attributes) {
  return {
    agentTool: "claude-code",
    agentVersion: toName(readText(attributes, "app.version") ?? readText(resource, "service.version")),
    surface: surfaceOf(resource, attributes),
    identity: identityOf(resource, attributes, "installation"),
    repository: repositoryOf(resource, attributes),
    sessionId: toId(readText(attributes, "session.id")),
    mode: toName(attributes.get("permission_mode")),
  }
}

function surfaceOf(resource: Attributes, attributes: Attributes): Surface | null {
  const entrypoint = readText(attributes, "app.entrypoint")
  if (entrypoint === "claude-vscode" || isVsCodeAgentHost(resource)) return "ide"
  if (isIdeTerminal(readText(attributes, "terminal.type"))) return "ide"
  // Inside another program, which may run anywhere.
  return entrypoint === "sdk-ts" || entrypoint === "sdk-py" ? null : "terminal"
}

/** Sources of model calls that are the main conversation's own, besides names with an underscore. */
const MAIN_SOURCES: ReadonlySet<string> = new Set(["sdk", "main", "compact", "auxiliary", "insights", "speculation"])

/**
 * `query_source` is a subagent's name, or the name of a part of Claude Code: `repl_main_thread` and many helpers, all
 * but a few spelled with an underscore, which agents' names (`Explore`, `code-reviewer`) are not.
 */
function isSubagent(attributes: Attributes): boolean {
  if (readText(attributes, "agent_id", "parent_agent_id") !== null) return true
  const source = readText(attributes, "query_source")
  if (source === null) return false
  return source.startsWith("agent:") || !(MAIN_SOURCES.has(source) || source.includes("_"))
}

function rungOf(attributes: Attributes, alone: Rung): Rung {
  return isSubagent(attributes) ? "orchestration" : alone
}

function modelCallFields(attributes: Attributes) {
  const inputTokens = readCount(attributes, "input_tokens")
  const cachedTokens = readCount(attributes, "cache_read_tokens")
  // Here, unlike in the conventions, input_tokens are the uncached ones only.
  const written = readCount(attributes, "cache_creation_tokens")
  const requestId = toId(readText(attributes, "request_id"))
  return {
    kind: "model_call" as const,
    rung: rungOf(attributes, "chat"),
    model: toName(readText(attributes, "model", "gen_ai.request.model")),
    provider: toName(attributes.get("gen_ai.system")),
    inputTokens: inputTokens === null ? null : inputTokens + (cachedTokens ?? 0) + (written ?? 0),
    outputTokens: readCount(attributes, "output_tokens"),
    cachedTokens,
    costUsd: readNumber(attributes, "cost_usd"),
    latencyMs: readNumber(attributes, "ttft_ms"),
    durationMs: readNumber(attributes, "duration_ms"),
    occurrenceId: requestId === null ? null : `model_call:${requestId}`,
  }
}

const SOURCE_ORIGINS: ReadonlyMap<string, Origin> = new Map([
  ["config", "rule"],
  ["classifier", "rule"],
  ["hook", "hook"],
  ["user_permanent", "human"],
  ["user_temporary", "human"],
  ["user_reject", "human"],
])

function verdictOf(attributes: Attributes, isEdit: boolean): { outcome: Outcome | null; origin: Origin } {
  const decision = readText(attributes, "decision")
  const source = readText(attributes, "source") ?? ""
  if (source === "user_abort" || decision === "cancelled") return { outcome: "ignored", origin: "dismissed" }
  if (decision === "reject") return { outcome: "rejected", origin: SOURCE_ORIGINS.get(source) ?? "unknown" }
  if (decision !== "accept") return { outcome: null, origin: SOURCE_ORIGINS.get(source) ?? "unknown" }
  const mode = readText(attributes, "permission_mode")
  const isByMode = source === "config" && (mode === "bypassPermissions" || (mode === "acceptEdits" && isEdit))
  return { outcome: "accepted", origin: isByMode ? "mode" : (SOURCE_ORIGINS.get(source) ?? "unknown") }
}

function rungOfSpan(span: Span): Rung | null {
  if (span.name === "claude_code.subagent.spawn" || isSubagent(span.attributes)) return "orchestration"
  return span.name === "claude_code.tool" ? "agent" : null
}

function toTurn(resource: Attributes, span: Span, rung: Rung, latencyMs: number | null): Signal {
  const isFailed = span.statusCode === 2
  return toSignal({
    ...commonFields(resource, span.attributes),
    observedUnixNano: span.endUnixNano,
    sourceId: spanKey(span),
    kind: "turn",
    rung,
    operationId: span.traceId,
    latencyMs,
    durationMs: readNumber(span.attributes, "interaction.duration_ms") ?? durationMsOf(span),
    outcome: isFailed ? "failed" : null,
    error: isFailed ? toErrorClass(readText(span.attributes, "error.type")) : null,
  })
}

/** What the span of a model call adds to its event. Without their common id it would be a call of its own. */
function toSecondModelCall(resource: Attributes, span: Span): readonly Signal[] {
  const { occurrenceId, ...fields } = modelCallFields(span.attributes)
  if (occurrenceId === null) return SILENT
  const isFailed = span.statusCode === 2 || readBoolean(span.attributes, "success") === false
  return [
    toSignal({
      ...commonFields(resource, span.attributes),
      ...fields,
      observedUnixNano: span.endUnixNano,
      sourceId: spanKey(span),
      operationId: span.traceId,
      occurrence: toSecondary(occurrenceId),
      outcome: isFailed ? "failed" : null,
      error: isFailed ? errorOf(span.attributes) : null,
    }),
  ]
}

function errorOf(attributes: Attributes): string {
  const named = toErrorClass(readText(attributes, "error.type", "error_type"))
  return named ?? toHttpError(readNumber(attributes, "status_code")) ?? "other"
}

function toWait(resource: Attributes, span: Span, toolName: string | null): Signal {
  return toSignal({
    ...commonFields(resource, span.attributes),
    ...verdictOf(span.attributes, toolName !== null && EDIT_TOOLS.has(toolName)),
    observedUnixNano: span.endUnixNano,
    sourceId: spanKey(span),
    kind: "permission",
    rung: rungOf(span.attributes, "agent"),
    operationId: span.traceId,
    occurrence: toSecondary(`permission:${spanKey(span)}`),
    waitMs: readNumber(span.attributes, "duration_ms") ?? durationMsOf(span),
    action: toAction(toolName),
  })
}

function eventName(record: LogRecord): string {
  const name = eventOf(record, PREFIX)
  return name.startsWith(PREFIX) ? name.slice(PREFIX.length) : name
}

/**
 * Spans that more than one record was written in. A decision's record is in the span of the wait for it, and that
 * span's id tells that both are one event; a span that others share is the interaction's.
 */
function sharedSpansOf(records: readonly LogRecord[]): ReadonlySet<string> {
  const seen = new Set<string>()
  const shared = new Set<string>()
  for (const record of records) {
    if (record.spanId === "" || eventName(record).startsWith("hook_")) continue
    const key = spanKey(record)
    if (seen.has(key)) shared.add(key)
    seen.add(key)
  }
  return shared
}

/**
 * Prompts of which some record was written in no trace. One that was given as an argument begins before there is a
 * trace for it, and its tools then have traces of their own, so that only its id holds it together. This is as far as
 * one batch shows: a batch with nothing but records of such tools has an operation for each.
 */
function untracedPromptsOf(records: readonly LogRecord[]): ReadonlySet<string | null> {
  return new Set(records.filter((record) => traceOf(record) === null).map(promptOf))
}

function promptOf(record: LogRecord): string | null {
  return toId(readText(record.attributes, "prompt.id"))
}

function operationOf(record: LogRecord, untracedPrompts: ReadonlySet<string | null>): string | null {
  const promptId = promptOf(record)
  return promptId !== null && untracedPrompts.has(promptId) ? promptId : (traceOf(record) ?? promptId)
}

function readRecord(
  resource: Attributes,
  record: LogRecord,
  sharedSpans: ReadonlySet<string>,
  operationId: string | null,
): readonly Signal[] | null {
  const { attributes } = record
  const name = eventName(record)
  const common = commonFields(resource, attributes)
  const sequence = readCount(attributes, "event.sequence")
  const base = {
    ...common,
    observedUnixNano: record.timeUnixNano,
    sourceId: recordKey(name, record, common.sessionId, sequence),
    operationId,
  }

  switch (name) {
    case "user_prompt":
      return [toSignal({ ...base, kind: "start", rung: "chat", prompts: 1 })]

    case "api_request": {
      const { occurrenceId, ...fields } = modelCallFields(attributes)
      return [toSignal({ ...base, ...fields, occurrence: toPrimary(occurrenceId) })]
    }

    case "api_error": {
      const { occurrenceId, ...fields } = modelCallFields(attributes)
      const occurrence = toPrimary(occurrenceId)
      return [toSignal({ ...base, ...fields, occurrence, outcome: "failed", error: errorOf(attributes) })]
    }

    case "api_refusal": {
      // The request itself was answered and has its api_request.
      const { occurrenceId, ...fields } = modelCallFields(attributes)
      if (occurrenceId === null) return SILENT
      const occurrence = toSecondary(occurrenceId)
      return [toSignal({ ...base, ...fields, occurrence, outcome: "failed", error: "refusal" })]
    }

    case "tool_decision": {
      const toolName = readText(attributes, "tool_name")
      const isEdit = toolName !== null && EDIT_TOOLS.has(toolName)
      const verdict = verdictOf(attributes, isEdit)
      const hasOwnSpan = record.spanId !== "" && !sharedSpans.has(spanKey(record))
      const decided = { ...base, ...verdict, rung: rungOf(attributes, "agent"), action: actionOf(attributes) }
      const permission = toSignal({
        ...decided,
        kind: "permission",
        sourceId: `${base.sourceId}:permission`,
        occurrence: toPrimary(hasOwnSpan ? `permission:${spanKey(record)}` : null),
      })
      if (!isEdit || verdict.outcome === null) return [permission]
      const filesChanged = verdict.outcome === "accepted" ? 1 : null
      return [permission, toSignal({ ...decided, kind: "edit", sourceId: `${base.sourceId}:edit`, filesChanged })]
    }

    case "tool_result": {
      const isFailed = readBoolean(attributes, "success") === false
      const toolUseId = toId(readText(attributes, "tool_use_id"))
      return [
        ...readCommit(base, attributes),
        toSignal({
          ...base,
          kind: "tool_call",
          rung: rungOf(attributes, "agent"),
          occurrence: toPrimary(toolUseId === null ? null : `tool:${toolUseId}`),
          durationMs: readNumber(attributes, "duration_ms"),
          action: actionOf(attributes),
          outcome: isFailed ? "failed" : null,
          error: isFailed ? errorOf(attributes) : null,
        }),
      ]
    }

    case "permission_mode_changed": {
      const mode = toName(attributes.get("to_mode"))
      // Claude Code leaves a mode by itself where the account or its administrator does not allow it.
      const origin = readText(attributes, "trigger") === "auto_gate_denied" ? "rule" : "human"
      return [toSignal({ ...base, kind: "mode_change", rung: "agent", mode, origin })]
    }

    case "subagent_completed": {
      const durationMs = readNumber(attributes, "duration_ms")
      return [
        toSignal({
          ...base,
          kind: "task",
          rung: "orchestration",
          operationId: toId(readText(attributes, "agent_id") ?? base.sourceId),
          parentOperationId: operationId,
          model: toName(readText(attributes, "final_model", "model")),
          latencyMs: durationMs,
          durationMs,
          toolCalls: readCount(attributes, "total_tool_uses"),
          action: toAction(readText(attributes, "agent_type")),
        }),
      ]
    }

    case "compaction":
      return [toSignal({ ...base, kind: "context", rung: "chat", action: "compaction" })]

    case "conversation_start":
    case "session_start":
      return [toSignal({ ...base, kind: "session", rung: "chat", operationId: null })]

    default:
      return SILENT_EVENTS.has(name) ? SILENT : null
  }
}

/**
 * The commit that a shell command made, as Claude Code reads it from what git prints (often its first digits), and the
 * branch that it is on.
 */
function readCommit(base: Omit<SignalFields, "kind" | "rung">, attributes: Attributes): readonly Signal[] {
  const parameters = readFields(attributes.get("tool_parameters"))
  const branch = toBranch(base, readText(parameters, "git_branch"))
  const commitId = readText(parameters, "git_commit_id")?.toLowerCase() ?? ""
  if (!/^[0-9a-f]{7,64}$/.test(commitId)) return branch
  const sourceId = `${base.sourceId}:commit`
  return [toSignal({ ...base, kind: "outcome", rung: "agent", action: `commit ${commitId}`, sourceId }), ...branch]
}

/** The parameters, where the person lets them be sent, only name the program or the MCP server. */
function actionOf(attributes: Attributes): string | null {
  const toolName = readText(attributes, "tool_name")
  const parameters = () => readFields(attributes.get("tool_parameters"))
  if (toolName !== null && SHELL_TOOLS.has(toolName)) {
    const command = readText(parameters(), "full_command", "command", "bash_command")
    return toShellAction(command) ?? toAction(toolName)
  }
  if (toolName === "mcp_tool") {
    const named = parameters()
    return toAction(readText(named, "mcp_tool_name") ?? toolName, readText(named, "mcp_server_name"))
  }
  return toAction(toolName)
}

/** Commits of one interval are one point; each is a signal, up to a number that no person reaches. */
const MAX_PER_POINT = 100

function readPoint(resource: Attributes, point: MetricPoint): readonly Signal[] | null {
  const common = {
    ...commonFields(resource, point.attributes),
    observedUnixNano: point.timeUnixNano,
    sourceId: pointKey(point),
    rung: "agent" as const,
  }
  const value = point.temporality === "delta" ? (point.value ?? 0) : 0
  switch (point.metric) {
    case "claude_code.active_time.total": {
      const isPerson = readText(point.attributes, "type") === "user" && value > 0
      return isPerson ? [toSignal({ ...common, kind: "presence", durationMs: value * 1000 })] : SILENT
    }
    case "claude_code.commit.count":
    case "claude_code.pull_request.count": {
      const action = point.metric === "claude_code.commit.count" ? "commit" : "pull_request"
      return Array.from({ length: Math.min(Math.round(value), MAX_PER_POINT) }, (_, index) =>
        toSignal({ ...common, kind: "outcome", action, sourceId: `${common.sourceId}:${index}` }),
      )
    }
    default:
      return SILENT_METRICS.has(point.metric) ? SILENT : null
  }
}
