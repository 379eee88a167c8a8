import type { Origin, Outcome, Rung } from "#sdk/ladder.ts"
import { toShellAction } from "#sdk/shell-action.ts"
import type { Attributes, Group, LogRecord, Span } from "../otlp/types.ts"
import { type Signal, toSignal } from "../signal.ts"
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
import { readEach, readNoMetrics, SILENT, spanName } from "./reading.ts"
import { eventOf, identityOf, recordKey, repositoryOf, toPrimary } from "./source.ts"

/** What tells one member of the family from another. */
export interface FamilyMember {
  readonly name: string
  /** Of event names, with its dot. */
  readonly prefix: string
  /** From the resource; null where the tool does not say it. */
  readonly version: (resource: Attributes) => string | null
  /** What one span gives; null when its name is not known. */
  readonly readSpan: (group: Group<Span>) => (span: Span) => readonly Signal[] | null
  /** What one record of an event of this member's own gives; null when its name is not known. */
  readonly readEvent: (event: string, record: LogRecord, base: BaseFields) => readonly Signal[] | null
  /** Whether a record is of work that the tool does by itself and for itself. */
  readonly isHousekeeping: (attributes: Attributes) => boolean
  readonly silentEvents: ReadonlySet<string>
  readonly metrics: ReadonlySet<string>
}

export type BaseFields = ReturnType<typeof baseFields>

/**
 * Gemini CLI and what descends from it (Qwen Code): the same events under another prefix. Facts come from the log
 * events; the spans are in traces of their own and, like the metrics, repeat them.
 */
export function createFamilyDialect(member: FamilyMember): Dialect {
  const eventName = (record: LogRecord) => eventOf(record, member.prefix)
  return {
    name: member.name,

    spans(group) {
      return readEach(group.items, spanName, member.readSpan(group))
    },

    logs(group) {
      // Records come in the order of what happened, so the approval mode is the one last told.
      let approvalMode: string | null = null
      return readEach(group.items, eventName, (record) => {
        const event = eventName(record)
        if (member.silentEvents.has(event)) return SILENT
        if (!event.startsWith(member.prefix)) return null
        const suffix = event.slice(member.prefix.length)
        approvalMode = readText(record.attributes, "approval_mode", "to_mode") ?? approvalMode
        const base = baseFields(member, group.resource, event, record)
        const signals = readRecord(suffix, record, base, approvalMode) ?? member.readEvent(suffix, record, base)
        return member.isHousekeeping(record.attributes) ? (signals?.flatMap(toHousekeeping) ?? null) : signals
      })
    },

    metrics(group) {
      return readNoMetrics(group, member.metrics)
    },
  }
}

/**
 * Of housekeeping only what it costs: nobody handed it on, let its tools through or saw them, so anything else of it
 * would put a person's chat on a rung that they never trusted.
 */
function toHousekeeping(signal: Signal): readonly Signal[] {
  return signal.kind === "model_call" ? [{ ...signal, rung: "chat", operationId: null }] : SILENT
}

function baseFields(member: FamilyMember, resource: Attributes, event: string, record: LogRecord) {
  const { attributes } = record
  const sessionId = toId(readText(attributes, "session.id") ?? readText(resource, "session.id"))
  return {
    ...commonFields(member, resource, attributes),
    observedUnixNano: record.timeUnixNano,
    sourceId: recordKey(event, record, sessionId, readText(attributes, "call_id")),
    sessionId,
    operationId: promptOperation(sessionId, readText(attributes, "prompt_id")),
  }
}

/** The fields that a record and a span of one run share. */
export function commonFields(member: FamilyMember, resource: Attributes, attributes: Attributes) {
  return {
    agentTool: member.name,
    agentVersion: member.version(resource),
    surface: "terminal" as const,
    identity: identityOf(resource, attributes),
    repository: repositoryOf(resource, attributes),
  }
}

/** A prompt's id counts within its session unless it names the session itself. */
export function promptOperation(sessionId: string | null, promptId: string | null): string | null {
  if (promptId === null) return null
  return toId(sessionId === null || promptId.startsWith(sessionId) ? promptId : `${sessionId}:${promptId}`)
}

const EDIT_TOOLS: ReadonlySet<string> = new Set(["replace", "write_file", "edit"])
/** What Gemini CLI and Qwen Code call a tool that a rule forbade; the record then has no decision. */
const POLICY_REFUSALS: ReadonlySet<string> = new Set(["policy_violation", "execution_denied"])
const SHELL_TOOL = "run_shell_command"

function readRecord(
  event: string,
  record: LogRecord,
  base: BaseFields,
  approvalMode: string | null,
): readonly Signal[] | null {
  const { attributes } = record
  switch (event) {
    case "user_prompt":
      return [toSignal({ ...base, kind: "start", rung: "chat", prompts: 1 })]

    case "api_response":
      return [
        toSignal({
          ...base,
          kind: "model_call",
          rung: callRungOf(attributes),
          model: toName(attributes.get("model")),
          latencyMs: readNumber(attributes, "ttft_ms"),
          durationMs: readNumber(attributes, "duration_ms"),
          inputTokens: readCount(attributes, "input_token_count"),
          outputTokens: readCount(attributes, "output_token_count"),
          cachedTokens: readCount(attributes, "cached_content_token_count"),
        }),
      ]

    case "api_error":
      return [
        toSignal({
          ...base,
          kind: "model_call",
          rung: callRungOf(attributes),
          model: toName(readText(attributes, "model", "model_name")),
          durationMs: readNumber(attributes, "duration_ms", "duration"),
          outcome: "failed",
          error: errorOf(attributes),
        }),
      ]

    case "tool_call":
      return readToolCall(record, base, approvalMode)

    case "plan.approval_mode_switch": {
      const mode = toName(attributes.get("to_mode"))
      return [toSignal({ ...base, kind: "mode_change", rung: "agent", mode, origin: "human" })]
    }

    case "chat_compression":
      return [toSignal({ ...base, kind: "context", rung: "chat", action: "compaction" })]

    default:
      return null
  }
}

function callRungOf(attributes: Attributes): Rung {
  return readText(attributes, "subagent_name") === null ? "chat" : "orchestration"
}

function errorOf(attributes: Attributes): string {
  const named = toErrorClass(readText(attributes, "error.type", "error_type"))
  return named ?? toHttpError(readNumber(attributes, "status_code", "http.status_code")) ?? "other"
}

/**
 * One record tells what was asked, what was answered and how it went. A person's answer and a rule's refusal are
 * permissions of their own; a refused tool did not run.
 */
function readToolCall(record: LogRecord, base: BaseFields, approvalMode: string | null): readonly Signal[] {
  const { attributes } = record
  const toolName = readText(attributes, "function_name")
  const isEdit = toolName !== null && EDIT_TOOLS.has(toolName)
  const { outcome, origin } = verdictOf(attributes, approvalMode, isEdit)
  const isRefused = outcome === "rejected"
  const isFailed = !isRefused && readBoolean(attributes, "success") === false
  const callId = toId(readText(attributes, "call_id"))
  const shared = { ...base, rung: callRungOf(attributes) === "chat" ? ("agent" as const) : ("orchestration" as const) }
  const action = actionOf(toolName, attributes)
  const signals: Signal[] = []

  if (origin === "human" || (isRefused && origin === "rule")) {
    signals.push(
      toSignal({
        ...shared,
        kind: "permission",
        sourceId: `${base.sourceId}:permission`,
        occurrence: toPrimary(permissionOccurrence(base.sessionId, callId)),
        outcome,
        origin,
        action,
      }),
    )
  }
  if (!isRefused) {
    signals.push(
      toSignal({
        ...shared,
        kind: "tool_call",
        sourceId: `${base.sourceId}:tool_call`,
        durationMs: readNumber(attributes, "duration_ms"),
        action,
        outcome: isFailed ? "failed" : null,
        error: isFailed ? errorOf(attributes) : null,
      }),
    )
  }
  if (isEdit && !isFailed) {
    const changed = readFields(attributes.get("metadata"))
    signals.push(
      toSignal({
        ...shared,
        kind: "edit",
        sourceId: `${base.sourceId}:edit`,
        outcome,
        origin,
        linesAdded: readCount(changed, "model_added_lines"),
        linesRemoved: readCount(changed, "model_removed_lines"),
        filesChanged: isRefused ? null : 1,
        action,
      }),
    )
  }
  return signals
}

/** Joins a person's answer in the log with the span that waited for it. */
export function permissionOccurrence(sessionId: string | null, callId: string | null): string | null {
  return callId === null ? null : `permission:${sessionId ?? ""}:${callId}`
}

function verdictOf(
  attributes: Attributes,
  approvalMode: string | null,
  isEdit: boolean,
): { outcome: Outcome; origin: Origin } {
  const decision = readText(attributes, "decision")
  // Nobody is there to be asked, whatever the record calls the decision.
  const isByMode = readBoolean(attributes, "interactive") === false || isAutoApproved(approvalMode, isEdit)
  const person: Origin = isByMode ? "mode" : "human"
  if (decision === "accept") return { outcome: "accepted", origin: person }
  if (decision === "modify") return { outcome: "modified", origin: person }
  if (decision === "reject") return { outcome: "rejected", origin: person }
  if (decision === "auto_accept") return { outcome: "accepted", origin: isByMode ? "mode" : "rule" }
  if (POLICY_REFUSALS.has(readText(attributes, "error_type") ?? "")) return { outcome: "rejected", origin: "rule" }
  return { outcome: "accepted", origin: "unknown" }
}

function isAutoApproved(approvalMode: string | null, isEdit: boolean): boolean {
  const mode = (approvalMode ?? "").toLowerCase().replaceAll(/[_-]/g, "")
  return mode === "yolo" || (mode === "autoedit" && isEdit)
}

/** The arguments, where they are sent, only name the program. */
function actionOf(toolName: string | null, attributes: Attributes): string | null {
  if (toolName === SHELL_TOOL) {
    const command = readFields(attributes.get("function_args")).get("command")
    return toShellAction(command) ?? toAction(toolName)
  }
  return toAction(toolName, readText(attributes, "mcp_server_name"))
}

/** A subagent that ended, in either tool's words. */
export function toSubagentTask(
  record: LogRecord,
  base: BaseFields,
  own: { id: string | null; name: string | null; reason: string | null },
): Signal {
  const durationMs = readNumber(record.attributes, "duration_ms")
  const isFailed = own.reason !== null && FAILED_REASONS.has(own.reason.toUpperCase())
  return toSignal({
    ...base,
    kind: "task",
    rung: "orchestration",
    operationId: toId(own.id ?? base.sourceId),
    parentOperationId: base.operationId,
    latencyMs: durationMs,
    durationMs,
    outcome: isFailed ? "failed" : null,
    error: isFailed ? toErrorClass(own.reason) : null,
    action: toAction(own.name),
  })
}

const FAILED_REASONS: ReadonlySet<string> = new Set([
  "ERROR",
  "ERROR_NO_COMPLETE_TASK_CALL",
  "FAILED",
  "MAX_TURNS",
  "TIMEOUT",
])
