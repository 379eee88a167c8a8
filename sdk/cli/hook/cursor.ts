import { toShellAction } from "../../shell-action.ts"
import type { SignalFields } from "../../signal.ts"
import { addresses, edits, reads, shell } from "./actions.ts"
import { answerJson, type HookAction, type HookProtocol, type HookSignal, type HookVerdict, SILENT } from "./hook.ts"
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

  operationId: (payload) => textOf(payload, "generation_id"),

  context: (payload) => ({
    rung: "agent",
    surface: "ide",
    mode: textOf(payload, "composer_mode"),
    sessionId: textOf(payload, "conversation_id") ?? textOf(payload, "session_id"),
    cwd: textOf(payload, "cwd"),
    model: textOf(payload, "model"),
  }),

  readAction(payload) {
    switch (textOf(payload, "hook_event_name") ?? "") {
      case "beforeShellExecution":
        return { tool: "Shell", actions: shell(textOf(payload, "command")) }
      case "beforeMCPExecution":
        return readMcpAction(payload)
      case "beforeReadFile":
        return { tool: "Read", actions: reads(pathsOf(payload)) }
      case "subagentStart":
        return { tool: "Task", actions: [{ kind: "subagent", name: textOf(payload, "subagent_type") ?? "unknown" }] }
      case "preToolUse": {
        const tool = textOf(payload, "tool_name")
        return tool === undefined ? null : readToolAction(payload, tool)
      }
      default:
        return null
    }
  },

  answer(payload, { effect, reason = "Belay's policy" }) {
    const event = textOf(payload, "hook_event_name") ?? ""
    if (CAN_ASK.has(event) || effect === "deny") return answerPermission(effect, reason)
    // Elsewhere Cursor cannot ask. What a person must decide may not go through unasked.
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
function answerPermission(effect: HookVerdict["effect"], reason: string) {
  return answerJson({
    permission: effect,
    ...(effect === "deny" && { decision: effect, reason }),
    user_message: reason,
    agent_message: reason,
  })
}

function pathsOf(payload: Payload): readonly string[] {
  const file = textOf(payload, "file_path") ?? textOf(payload, "path")
  return file === undefined ? [] : [file]
}

const EDIT_TOOLS: ReadonlySet<string> = new Set(["Delete", "Edit", "StrReplace", "Write"])
const SEARCH_TOOLS: ReadonlySet<string> = new Set(["Glob", "Grep", "LS"])
const WEB_TOOLS: ReadonlySet<string> = new Set(["WebFetch", "WebSearch"])

/** Shell commands, MCP tools, files that are read and sub-agents have events of their own, which tell more. */
function readToolAction(payload: Payload, tool: string): HookAction | null {
  const input = fieldsOf(payload, "tool_input")
  if (EDIT_TOOLS.has(tool)) return { tool, actions: edits(pathsOf(input)) }
  if (SEARCH_TOOLS.has(tool)) return { tool, actions: reads(pathsOf(input)) }
  if (WEB_TOOLS.has(tool)) return { tool, actions: addresses(textOf(input, "url")) }
  return null
}

/** Where it is configured Cursor does not say: a server is known by its address or the command that starts it. */
function readMcpAction(payload: Payload): HookAction {
  const tool = textOf(payload, "tool_name") ?? "MCP"
  const url = textOf(payload, "url")
  const command = textOf(payload, "command")?.split(/\s+/)
  return { tool, actions: [{ kind: "mcp", server: textOf(payload, "server") ?? "unknown", tool, url, command }] }
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
