import type { AgentAction } from "../../policy/action.ts"
import { addresses, edits, mcpAction, reads, shell } from "./actions.ts"
import { answerJson, type HookProtocol, NO_OPINION, SILENT } from "./hook.ts"
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
  operationId: () => undefined,
  context: (payload) => ({
    rung: "agent",
    surface: "terminal",
    mode: undefined,
    sessionId: textOf(payload, "session_id"),
    cwd: textOf(payload, "cwd"),
    model: undefined,
  }),

  readAction(payload) {
    const tool = textOf(payload, "tool_name")
    if (textOf(payload, "hook_event_name") !== "BeforeTool" || tool === undefined) return null
    return { tool, actions: actionsOf(fieldsOf(payload, "tool_input"), tool) }
  },

  answer(_, { effect, reason = "Belay's policy" }) {
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
    const file = fileOf(fieldsOf(payload, "tool_input"))
    const paths = file === undefined ? [] : [file]
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

function actionsOf(input: Payload, tool: string): readonly AgentAction[] {
  if (tool === SHELL_TOOL) return shell(textOf(input, "command"), textOf(input, "dir_path"))
  const file = fileOf(input)
  if (EDIT_TOOLS.has(tool)) return edits(file === undefined ? [] : [file])
  if (READ_TOOLS.has(tool)) return reads(file === undefined ? textsOf(input, ["include", "paths"]) : [file])
  if (WEB_TOOLS.has(tool)) return addresses(textOf(input, "prompt"))
  const mcp = mcpAction(tool)
  return mcp === null ? [] : [mcp]
}

function fileOf(input: Payload): string | undefined {
  return (
    textOf(input, "file_path") ?? textOf(input, "absolute_path") ?? textOf(input, "dir_path") ?? textOf(input, "path")
  )
}

function textsOf(input: Payload, keys: readonly string[]): readonly string[] {
  return keys.flatMap((key) => {
    const value: unknown = input[key]
    return Array.isArray(value) ? value.filter((item) => typeof item === "string") : []
  })
}
