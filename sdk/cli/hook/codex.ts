import type { AgentAction } from "../../policy/action.ts"
import { edits, mcpAction, shell } from "./actions.ts"
import { answerJson, type HookProtocol, NO_OPINION, SILENT } from "./hook.ts"
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
  operationId: (payload) => textOf(payload, "turn_id"),
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
    return { tool, actions: actionsOf(payload, tool) }
  },

  answer(payload, { effect, reason = "Belay's policy" }) {
    if (textOf(payload, "hook_event_name") === "PermissionRequest") {
      // The person is about to be asked already.
      if (effect === "ask") return NO_OPINION
      const decision = { behavior: "deny", message: reason }
      return answerJson({ hookSpecificOutput: { hookEventName: "PermissionRequest", decision } })
    }
    // It has a word for `ask` and takes it for a hook that failed, so that the command runs (0.171.0).
    const why = effect === "ask" ? `${reason} (a person has to decide this, and this tool's hooks cannot ask)` : reason
    return answerJson({
      hookSpecificOutput: {
        hookEventName: "PreToolUse",
        permissionDecision: "deny",
        permissionDecisionReason: why,
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

function actionsOf(payload: Payload, tool: string): readonly AgentAction[] {
  if (tool === EDIT_TOOL) return edits(patchOf(commandOf(payload)).files)
  if (SHELL_TOOLS.has(tool)) {
    const input = fieldsOf(payload, "tool_input")
    const words: unknown = input["command"]
    const command = Array.isArray(words) ? words.map(String) : commandOf(payload)
    return shell(command, textOf(input, "workdir"))
  }
  const mcp = mcpAction(tool)
  return mcp === null ? [] : [mcp]
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
