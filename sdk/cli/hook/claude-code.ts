import type { AgentAction } from "../../policy/action.ts"
import { addresses, edits, mcpAction, reads, shell } from "./actions.ts"
import { answerJson, type HookAction, type HookProtocol, type HookSignal, NO_OPINION, SILENT } from "./hook.ts"
import { languageOf } from "./language.ts"
import { countEdits, countMarked, countReplaced, type Lines, sum } from "./lines.ts"
import { fieldsOf, listOf, type Payload, textOf } from "./payload.ts"

const EDIT_TOOLS: ReadonlySet<string> = new Set(["Edit", "MultiEdit", "NotebookEdit", "Write"])
const READ_TOOLS: ReadonlySet<string> = new Set(["Glob", "Grep", "LS", "NotebookRead", "Read"])
const WEB_TOOLS: ReadonlySet<string> = new Set(["WebFetch", "WebSearch"])
const SUBAGENT_TOOLS: ReadonlySet<string> = new Set(["Agent", "Task"])
const SHELL_TOOLS: ReadonlySet<string> = new Set(["Bash", "PowerShell"])

/** Told by Claude Code's own telemetry, with who decided and how long it took. */
const TOLD_ELSEWHERE: ReadonlySet<string> = new Set([
  "Notification",
  "PermissionRequest",
  "PostToolUse",
  "PostToolUseFailure",
  "PreCompact",
  "PreToolUse",
  "SessionEnd",
  "SessionStart",
  "Stop",
  "SubagentStart",
  "SubagentStop",
  "UserPromptSubmit",
])

/** Claude Code. Its telemetry has all but the lines of an edit and where the edited file lies. */
export const claudeCode: HookProtocol = {
  agentTool: "claude-code",
  agentVersion: () => undefined,
  enduserId: () => undefined,
  noOpinion: NO_OPINION,
  workspace: (payload) => textOf(payload, "cwd"),
  operationId: (payload) => textOf(payload, "prompt_id"),
  context: (payload) => ({
    rung: payload["agent_id"] === undefined ? "agent" : "orchestration",
    surface: "terminal",
    mode: textOf(payload, "permission_mode"),
    sessionId: textOf(payload, "session_id"),
    cwd: textOf(payload, "cwd"),
    model: textOf(payload, "model"),
  }),

  readAction(payload) {
    const event = textOf(payload, "hook_event_name")
    const tool = textOf(payload, "tool_name")
    if ((event !== "PreToolUse" && event !== "PermissionRequest") || tool === undefined) return null
    // As in its signals, what Cursor does is Cursor's hook's.
    return payload["cursor_version"] === undefined ? toAction(payload, tool) : null
  },

  answer(payload, { effect, reason = "Belay's policy" }) {
    if (textOf(payload, "hook_event_name") === "PermissionRequest") {
      // The person is about to be asked already.
      if (effect === "ask") return NO_OPINION
      const decision = { behavior: "deny", message: reason }
      return answerJson({ hookSpecificOutput: { hookEventName: "PermissionRequest", decision } })
    }
    return answerJson({
      hookSpecificOutput: {
        hookEventName: "PreToolUse",
        permissionDecision: effect,
        permissionDecisionReason: reason,
      },
    })
  },

  readSignals(payload) {
    const event = textOf(payload, "hook_event_name")
    if (event === undefined || !TOLD_ELSEWHERE.has(event)) return null
    // Cursor and VS Code run Claude Code's hooks as well, and are not Claude Code.
    if (payload["cursor_version"] !== undefined) return SILENT
    return event === "PostToolUse" ? readEdit(payload) : SILENT
  },
}

function toAction(payload: Payload, tool: string): HookAction {
  return { tool, actions: actionsOf(fieldsOf(payload, "tool_input"), tool) }
}

function actionsOf(input: Payload, tool: string): readonly AgentAction[] {
  // Searches have a pattern, which may say where as well.
  const place = textOf(input, "path") ?? (tool === "Glob" ? rootOf(textOf(input, "pattern")) : undefined)
  const file = fileOf(input) ?? place
  const paths = file === undefined ? [] : [file]
  if (SHELL_TOOLS.has(tool)) return shell(textOf(input, "command"))
  if (EDIT_TOOLS.has(tool)) return edits(paths)
  if (READ_TOOLS.has(tool)) return reads(paths)
  if (WEB_TOOLS.has(tool)) return addresses(textOf(input, "url"))
  if (SUBAGENT_TOOLS.has(tool)) {
    return [{ kind: "subagent", name: textOf(input, "subagent_type") ?? "general-purpose" }]
  }
  const mcp = mcpAction(tool)
  return mcp === null ? [] : [mcp]
}

function fileOf(input: Payload): string | undefined {
  return textOf(input, "file_path") ?? textOf(input, "notebook_path")
}

/** The folder that an absolute pattern begins with. */
function rootOf(pattern: string | undefined): string | undefined {
  return /^(?:~?\/[^*?[{]*)\//.exec(pattern ?? "")?.[0]
}

function readEdit(payload: Payload): readonly HookSignal[] {
  const tool = textOf(payload, "tool_name")
  if (tool === undefined || !EDIT_TOOLS.has(tool)) return SILENT
  const file = fileOf(fieldsOf(payload, "tool_input"))
  const paths = file === undefined ? [] : [file]
  return [
    {
      // Not another edit, which the telemetry counts: what it lacks about one.
      kind: "context",
      rung: payload["agent_id"] === undefined ? "agent" : "orchestration",
      surface: "terminal",
      sessionId: textOf(payload, "session_id"),
      mode: textOf(payload, "permission_mode"),
      action: tool,
      paths,
      language: languageOf(paths[0] ?? ""),
      ...linesOf(payload, tool),
    },
  ]
}

/** Undefined where the payload does not tell: how many lines a file had that was written over, say. */
function linesOf(payload: Payload, tool: string): Lines | undefined {
  const input = fieldsOf(payload, "tool_input")
  const response = fieldsOf(payload, "tool_response")
  const hunks = listOf(response, "structuredPatch")
  if (hunks.length > 0) return sum(hunks.map(({ lines }) => countMarked(Array.isArray(lines) ? lines : [])))
  if (tool === "Write") {
    return textOf(response, "type") === "create" ? countReplaced("", textOf(input, "content") ?? "") : undefined
  }
  if (tool === "NotebookEdit") return undefined
  const edits = countEdits(input, "edits")
  if (edits !== undefined) return edits
  // Replaced everywhere, in as many places as only the file knows.
  if (input["replace_all"] === true) return undefined
  return countReplaced(textOf(input, "old_string") ?? "", textOf(input, "new_string") ?? "")
}
