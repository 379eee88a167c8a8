import { toShellAction } from "../../shell-action.ts"
import type { SignalFields } from "../../signal.ts"
import { answerJson, type HookAction, type HookDecision, type HookProtocol, type HookSignal, SILENT } from "./hook.ts"
import { languageOf } from "./language.ts"
import { countEdits } from "./lines.ts"
import { fieldsOf, numberOf, type Payload, textOf } from "./payload.ts"

/** Said by another event already, or of no meaning for trust. */
const SILENT_EVENTS: ReadonlySet<string> = new Set([
  "afterAgentResponse",
  "afterAgentThought",
  "afterMCPExecution", // postToolUse is of every tool
  "afterShellExecution",
  "beforeMCPExecution",
  "beforeReadFile",
  "beforeShellExecution",
  "beforeTabFileRead",
  "preToolUse",
  "sessionEnd",
  "subagentStart",
  "workspaceOpen",
])

/** Cursor has no telemetry of its own: all there is comes from its hooks, which tell of its agent and of Tab. */
export const cursor: HookProtocol = {
  agentTool: "cursor",
  agentVersion: (payload) => textOf(payload, "cursor_version"),
  enduserId: (payload) => textOf(payload, "user_email"),
  // Some of its hooks take anything but JSON for a reason to block.
  noOpinion: answerJson({}),

  workspace(payload) {
    const roots = payload["workspace_roots"]
    const root: unknown = Array.isArray(roots) ? roots[0] : undefined
    return typeof root === "string" ? root : textOf(payload, "cwd")
  },

  readAction(payload) {
    switch (textOf(payload, "hook_event_name") ?? "") {
      case "beforeShellExecution":
        return { kind: "shell", tool: "Shell", command: textOf(payload, "command"), paths: [] }
      case "beforeMCPExecution":
        return { kind: "mcp", tool: textOf(payload, "tool_name") ?? "MCP", paths: [] }
      case "beforeReadFile":
        return { kind: "read", tool: "Read", paths: pathsOf(payload) }
      case "subagentStart":
        return { kind: "subagent", tool: "Task", paths: [] }
      case "preToolUse": {
        const tool = textOf(payload, "tool_name")
        return tool === undefined ? null : readToolAction(payload, tool)
      }
      default:
        return null
    }
  },

  answer(payload, decision) {
    const event = textOf(payload, "hook_event_name") ?? ""
    if (CAN_ASK.has(event)) return answerPermission(decision.effect, decision.reason)
    // Elsewhere Cursor cannot ask. What a person must decide may not go through unasked.
    const { effect, reason = "Belay's policy" } = decision
    if (effect !== "ask") return answerPermission(effect, reason)
    return answerPermission("deny", `${reason} (a person has to decide this, and this hook cannot ask)`)
  },

  readSignals(payload) {
    const event = textOf(payload, "hook_event_name") ?? ""
    const base = {
      rung: "agent",
      surface: "ide",
      sessionId: textOf(payload, "conversation_id") ?? textOf(payload, "session_id"),
      operationId: textOf(payload, "generation_id"),
      model: textOf(payload, "model"),
    } as const
    switch (event) {
      case "sessionStart":
        return [{ ...base, operationId: undefined, kind: "session", mode: textOf(payload, "composer_mode") }]
      case "beforeSubmitPrompt":
        return [{ ...base, kind: "start", prompts: 1 }]
      case "postToolUse":
      case "postToolUseFailure":
        return readTool(payload, base, event === "postToolUseFailure")
      case "afterFileEdit":
        // Written by the agent; who keeps it shows later, if at all.
        return [{ ...base, ...editOf(payload), kind: "edit", outcome: "applied", origin: "unknown", filesChanged: 1 }]
      case "afterTabFileEdit":
        return [
          {
            ...base,
            ...editOf(payload),
            kind: "suggestion",
            rung: "autocomplete",
            operationId: undefined,
            outcome: "accepted",
            origin: "human",
          },
        ]
      case "subagentStop":
        return [readSubagent(payload, base)]
      case "preCompact":
        return [{ ...base, kind: "context", action: "compaction", inputTokens: numberOf(payload, "context_tokens") }]
      case "stop":
        return [{ ...base, kind: "turn", ...endOf(textOf(payload, "status")) }]
      default:
        return SILENT_EVENTS.has(event) ? SILENT : null
    }
  },
}

const CAN_ASK: ReadonlySet<string> = new Set(["beforeMCPExecution", "beforeShellExecution"])

/** In the spellings of all its events, each of which ignores the others'. */
function answerPermission(effect: HookDecision["effect"], reason?: string) {
  const messages = effect === "allow" || reason === undefined ? {} : { user_message: reason, agent_message: reason }
  return answerJson({
    permission: effect,
    ...(effect !== "ask" && { decision: effect }),
    ...(effect === "deny" && reason !== undefined && { reason }),
    ...messages,
  })
}

function pathsOf(payload: Payload): readonly string[] {
  const file = textOf(payload, "file_path") ?? textOf(payload, "path")
  return file === undefined ? [] : [file]
}

const EDIT_TOOLS: ReadonlySet<string> = new Set(["Delete", "Edit", "StrReplace", "Write"])
const READ_TOOLS: ReadonlySet<string> = new Set(["Glob", "Grep", "LS", "Read"])

function readToolAction(payload: Payload, tool: string): HookAction {
  const input = fieldsOf(payload, "tool_input")
  const base = { tool, paths: pathsOf(input) }
  if (tool === "Shell") return { ...base, kind: "shell", command: textOf(input, "command") }
  if (EDIT_TOOLS.has(tool)) return { ...base, kind: "edit" }
  if (READ_TOOLS.has(tool)) return { ...base, kind: "read" }
  if (tool === "Task") return { ...base, kind: "subagent" }
  return { ...base, kind: tool.startsWith("MCP") ? "mcp" : "tool" }
}

type Base = Pick<SignalFields, "rung" | "surface" | "sessionId" | "operationId" | "model">

function readTool(payload: Payload, base: Base, isFailed: boolean): readonly HookSignal[] {
  const tool = textOf(payload, "tool_name")
  const command = tool === "Shell" ? toShellAction(fieldsOf(payload, "tool_input")["command"]) : null
  const action = command ?? tool
  const durationMs = numberOf(payload, "duration")
  if (!isFailed) return [{ ...base, kind: "tool_call", action, durationMs }]
  // A tool that was refused did not run. Whether a person or a setting refused it, Cursor does not tell.
  if (textOf(payload, "failure_type") === "permission_denied") {
    return [{ ...base, kind: "permission", action, outcome: "rejected", origin: "unknown" }]
  }
  const error = payload["is_interrupt"] === true ? "interrupted" : textOf(payload, "failure_type")
  return [{ ...base, kind: "tool_call", action, durationMs, outcome: "failed", error: error ?? "other" }]
}

function editOf(payload: Payload): Partial<HookSignal> {
  const paths = pathsOf(payload)
  return {
    paths,
    language: languageOf(paths[0] ?? ""),
    ...countEdits(payload, "edits"),
  }
}

function readSubagent(payload: Payload, base: Base): SignalFields {
  const durationMs = numberOf(payload, "duration")
  const isFailed = textOf(payload, "status") === "error"
  return {
    ...base,
    kind: "task",
    rung: "orchestration",
    // An operation of its own, of which only this event tells.
    operationId: undefined,
    parentOperationId: base.operationId,
    action: textOf(payload, "subagent_type"),
    latencyMs: durationMs,
    durationMs,
    ...(isFailed && { outcome: "failed", error: "other" }),
  }
}

function endOf(status: string | undefined): Partial<SignalFields> {
  if (status === "error") return { outcome: "failed", error: "other" }
  return status === "aborted" ? { outcome: "abandoned", origin: "human" } : {}
}
