/**
 * For hosts of the Claude Agent SDK: who allowed a tool, how long that took, tools and edits, as signals of a task. For
 * a host whose agent does not send Claude Code's own telemetry (`CLAUDE_CODE_ENABLE_TELEMETRY` in its `env`), which has
 * the same facts: with both they would count twice.
 *
 * The types are the shapes that the package documents, so that it need not be installed.
 *
 * @module
 */
import type { Prompt, Task } from "./agent.ts"
import { claudeCode } from "./cli/hook/claude-code.ts"
import { numberOf } from "./cli/hook/payload.ts"
import { attempt } from "./safety.ts"
import { toShellAction } from "./shell-action.ts"

/** What the person, or whoever decides in their place, says of a tool. */
export interface PermissionResult {
  /** Whether the tool may run. */
  readonly behavior: "allow" | "deny"
}

/**
 * `canUseTool` that tells the task what was asked and answered. `origin` is who answers: `human` unless said otherwise.
 * What `canUseTool` returns and throws passes through. Null, for an answer that goes another way, is not told.
 */
export function withPermissions<Input, Context, Result extends PermissionResult | null>(
  task: Task,
  canUseTool: (toolName: string, input: Input, context: Context) => Promise<Result>,
  origin: "human" | "rule" = "human",
): (toolName: string, input: Input, context: Context) => Promise<Result> {
  return async (toolName, input, context) => {
    const prompt = attempt<Prompt | null>(
      () => task.prompt(toAction(toolName, input)),
      () => null,
    )
    try {
      const result = await canUseTool(toolName, input, context)
      if (result?.behavior === "allow") prompt?.allowed(origin)
      else if (result?.behavior === "deny") prompt?.denied(origin)
      return result
    } catch (error) {
      // Aborted, or the host's own trouble: nobody answered.
      prompt?.dismissed()
      throw error
    }
  }
}

/** A hook that is told, and answers nothing. */
export type HookCallback = (input: unknown) => Promise<Record<string, never>>

/** A hook for whatever tool. */
export interface HookMatcher {
  /** One callback. */
  readonly hooks: [HookCallback]
}

/** Hooks that tell the task of tools and edits; for the option `hooks`, beside the host's own. They decide nothing. */
export function hooksFor(task: Task): Record<"PostToolUse" | "PostToolUseFailure" | "PreCompact", [HookMatcher]> {
  const hook = (tell: (input: Record<string, unknown>) => void): [HookMatcher] => [
    {
      hooks: [
        (input) => {
          if (typeof input === "object" && input !== null) {
            attempt(
              () => tell({ ...input }),
              () => {},
            )
          }
          return Promise.resolve({})
        },
      ],
    },
  ]
  return {
    PostToolUse: hook((input) => {
      task.tool(toAction(String(input["tool_name"]), input["tool_input"]), {
        durationMs: numberOf(input, "duration_ms"),
      })
      for (const { paths = [], linesAdded, linesRemoved } of claudeCode.readSignals(input) ?? []) {
        for (const path of paths) task.edit({ path, linesAdded, linesRemoved })
      }
    }),
    PostToolUseFailure: hook((input) =>
      task.tool(toAction(String(input["tool_name"]), input["tool_input"]), {
        durationMs: numberOf(input, "duration_ms"),
        error: input["is_interrupt"] === true ? "interrupted" : "other",
      }),
    ),
    PreCompact: hook(() => task.compacted()),
  }
}

/** The program of a shell command, `server/tool` of one of an MCP server, else the tool. */
function toAction(toolName: string, input: unknown): string {
  const command = typeof input === "object" && input !== null && "command" in input ? input.command : undefined
  const [, server, tool] = /^mcp__(.+?)__(.+)$/.exec(toolName) ?? []
  return toShellAction(command) ?? (server !== undefined && tool !== undefined ? `${server}/${tool}` : toolName)
}
