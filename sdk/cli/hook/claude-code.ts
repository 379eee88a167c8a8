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

  readAction(payload) {
    const event = textOf(payload, "hook_event_name")
    const tool = textOf(payload, "tool_name")
    if ((event !== "PreToolUse" && event !== "PermissionRequest") || tool === undefined) return null
    return toAction(payload, tool)
  },

  answer(payload, { effect, reason = "Belay's policy" }) {
    if (textOf(payload, "hook_event_name") === "PermissionRequest") {
      // The person is about to be asked already.
      if (effect === "ask") return NO_OPINION
      const decision = effect === "allow" ? { behavior: "allow" } : { behavior: "deny", message: reason }
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
  const input = fieldsOf(payload, "tool_input")
  const file = textOf(input, "file_path") ?? textOf(input, "notebook_path") ?? textOf(input, "path")
  return {
    kind: kindOf(tool),
    tool,
    command: SHELL_TOOLS.has(tool) ? textOf(input, "command") : undefined,
    paths: file === undefined ? [] : [file],
  }
}

function kindOf(tool: string): HookAction["kind"] {
  if (SHELL_TOOLS.has(tool)) return "shell"
  if (EDIT_TOOLS.has(tool)) return "edit"
  if (READ_TOOLS.has(tool)) return "read"
  if (WEB_TOOLS.has(tool)) return "web"
  if (SUBAGENT_TOOLS.has(tool)) return "subagent"
  return tool.startsWith("mcp__") ? "mcp" : "tool"
}

function readEdit(payload: Payload): readonly HookSignal[] {
  const tool = textOf(payload, "tool_name")
  if (tool === undefined || !EDIT_TOOLS.has(tool)) return SILENT
  const { paths } = toAction(payload, tool)
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
