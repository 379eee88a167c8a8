import { answerJson, type HookAction, type HookProtocol, NO_OPINION, SILENT } from "./hook.ts"
import { languageOf } from "./language.ts"
import { fieldsOf, type Payload, textOf } from "./payload.ts"

const EDIT_TOOLS: ReadonlySet<string> = new Set(["replace", "write_file"])
const READ_TOOLS: ReadonlySet<string> = new Set([
  "glob",
  "grep_search",
  "list_directory",
  "read_file",
  "read_many_files",
])
const WEB_TOOLS: ReadonlySet<string> = new Set(["google_web_search", "web_fetch"])
const SHELL_TOOL = "run_shell_command"

const KNOWN_EVENTS: ReadonlySet<string> = new Set([
  "AfterAgent",
  "AfterModel",
  "AfterTool",
  "BeforeAgent",
  "BeforeModel",
  "BeforeTool",
  "BeforeToolSelection",
  "Notification",
  "PreCompress",
  "SessionEnd",
  "SessionStart",
])

/** Gemini CLI. Its telemetry has all, lines of an edit included, but where the edited file lies. */
export const geminiCli: HookProtocol = {
  agentTool: "gemini-cli",
  agentVersion: () => undefined,
  enduserId: () => undefined,
  noOpinion: NO_OPINION,
  workspace: (payload) => textOf(payload, "cwd"),

  readAction(payload) {
    const tool = textOf(payload, "tool_name")
    if (textOf(payload, "hook_event_name") !== "BeforeTool" || tool === undefined) return null
    return toAction(payload, tool)
  },

  answer(_, { effect, reason = "Belay's policy" }) {
    // To allow is to say nothing: the tool's own rules still ask.
    if (effect === "allow") return NO_OPINION
    // Its hooks cannot ask. What a person must decide may not go through unasked, whatever the approval mode.
    const why = effect === "ask" ? `${reason} (a person has to decide this, and this tool's hooks cannot ask)` : reason
    return answerJson({ decision: "deny", reason: why })
  },

  readSignals(payload) {
    const event = textOf(payload, "hook_event_name")
    const tool = textOf(payload, "tool_name")
    if (event === undefined || !KNOWN_EVENTS.has(event)) return null
    if (event !== "AfterTool" || tool === undefined || !EDIT_TOOLS.has(tool)) return SILENT
    if (fieldsOf(payload, "tool_response")["error"] !== undefined) return SILENT
    const { paths } = toAction(payload, tool)
    return [
      {
        // Not another edit, which the telemetry counts with its lines: where it was.
        kind: "context",
        rung: "agent",
        surface: "terminal",
        sessionId: textOf(payload, "session_id"),
        action: tool,
        paths,
        language: languageOf(paths[0] ?? ""),
      },
    ]
  },
}

function toAction(payload: Payload, tool: string): HookAction {
  const input = fieldsOf(payload, "tool_input")
  const file = textOf(input, "file_path") ?? textOf(input, "absolute_path") ?? textOf(input, "path")
  return {
    kind: kindOf(tool),
    tool,
    command: tool === SHELL_TOOL ? textOf(input, "command") : undefined,
    paths: file === undefined ? [] : [file],
  }
}

function kindOf(tool: string): HookAction["kind"] {
  if (tool === SHELL_TOOL) return "shell"
  if (EDIT_TOOLS.has(tool)) return "edit"
  if (READ_TOOLS.has(tool)) return "read"
  if (WEB_TOOLS.has(tool)) return "web"
  return tool.startsWith("mcp__") ? "mcp" : "tool"
}
