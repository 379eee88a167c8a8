import { answerJson, type HookAction, type HookProtocol, NO_OPINION, SILENT } from "./hook.ts"
import { languageOf } from "./language.ts"
import { countMarked } from "./lines.ts"
import { fieldsOf, type Payload, textOf } from "./payload.ts"

const EDIT_TOOL = "apply_patch"
const SHELL_TOOLS: ReadonlySet<string> = new Set(["Bash", "exec_command", "local_shell", "shell", "shell_command"])

const KNOWN_EVENTS: ReadonlySet<string> = new Set([
  "PermissionRequest",
  "PostCompact",
  "PostToolUse",
  "PreCompact",
  "PreToolUse",
  "SessionStart",
  "Stop",
  "StopFailure",
  "SubagentStart",
  "SubagentStop",
  "UserPromptSubmit",
])

/** Codex. Its telemetry has all but the lines of an edit and where the edited files lie. */
export const codex: HookProtocol = {
  agentTool: "codex",
  agentVersion: () => undefined,
  enduserId: () => undefined,
  noOpinion: NO_OPINION,
  workspace: (payload) => textOf(payload, "cwd"),

  readAction(payload) {
    const event = textOf(payload, "hook_event_name")
    const tool = textOf(payload, "tool_name")
    if ((event !== "PreToolUse" && event !== "PermissionRequest") || tool === undefined) return null
    const command = commandOf(payload)
    const isShell = SHELL_TOOLS.has(tool)
    return {
      kind: kindOf(tool, isShell),
      tool,
      command: isShell ? command : undefined,
      paths: tool === EDIT_TOOL ? patchOf(command).files : [],
    }
  },

  answer(payload, { effect, reason = "Belay's policy" }) {
    if (textOf(payload, "hook_event_name") === "PermissionRequest") {
      // The person is about to be asked already.
      if (effect === "ask") return NO_OPINION
      const decision = effect === "allow" ? { behavior: "allow" } : { behavior: "deny", message: reason }
      return answerJson({ hookSpecificOutput: { hookEventName: "PermissionRequest", decision } })
    }
    // Versions before `allow` and `ask` came know `deny` only, and go on as if nothing had been said.
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
    if (event === undefined || !KNOWN_EVENTS.has(event)) return null
    if (event !== "PostToolUse" || textOf(payload, "tool_name") !== EDIT_TOOL) return SILENT
    const { files, changed } = patchOf(commandOf(payload))
    return [
      {
        // Not another edit, which the telemetry counts: what it lacks about one.
        kind: "context",
        rung: payload["agent_id"] === undefined ? "agent" : "orchestration",
        surface: "terminal",
        sessionId: textOf(payload, "session_id"),
        mode: textOf(payload, "permission_mode"),
        model: textOf(payload, "model"),
        action: EDIT_TOOL,
        paths: files,
        language: languageOf(files[0] ?? ""),
        filesChanged: files.length,
        ...countMarked(changed),
      },
    ]
  },
}

function kindOf(tool: string, isShell: boolean): HookAction["kind"] {
  if (isShell) return "shell"
  if (tool === EDIT_TOOL) return "edit"
  return tool.startsWith("mcp__") ? "mcp" : "tool"
}

/** A command line, or the patch, which some versions hand over as a command and others by its own name. */
function commandOf(payload: Payload): string {
  const input = fieldsOf(payload, "tool_input")
  const command = input["command"]
  // As an argument vector the last argument is the script or the patch.
  if (Array.isArray(command)) return command.map(String).at(-1) ?? ""
  const own = textOf(input, "command") ?? textOf(input, "cmd") ?? textOf(input, "input") ?? textOf(input, "patch")
  return own ?? textOf(payload, "tool_input") ?? ""
}

const FILE_HEADER = /^\*\*\* (?:Add|Update|Delete) File: (.+)$/
const MOVE_HEADER = /^\*\*\* Move to: (.+)$/

/** The files that a patch in Codex's own format names, and its lines that are none of its headers. */
function patchOf(patch: string): { files: readonly string[]; changed: readonly string[] } {
  const files: string[] = []
  const changed: string[] = []
  for (const line of patch.split("\n")) {
    const file = FILE_HEADER.exec(line)?.[1] ?? MOVE_HEADER.exec(line)?.[1]
    if (file !== undefined) files.push(file.trim())
    else changed.push(line)
  }
  return { files, changed }
}
