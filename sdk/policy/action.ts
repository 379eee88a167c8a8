/** What an agent is about to do and under what circumstances, as hosts hand it to the engine. Nothing here is sent. */
import type { Rung, Surface } from "../ladder.ts"
import type { DataPractice, RuleAction } from "./vocabulary.ts"

/** What an agent is about to do, with all that it takes to decide. */
export type AgentAction = ShellAction | EditAction | ReadAction | WebAction | McpAction | SubagentAction | ModelAction

/** To run a shell command. */
export interface ShellAction {
  readonly kind: "shell"
  /** A script for a POSIX shell or Bash, or an argument vector that is run without a shell. */
  readonly command: string | readonly string[]
  /** The absolute path of the folder it runs in; the workspace unless said otherwise. */
  readonly cwd?: string | undefined
}

/** To create, change, move or delete a file. */
export interface EditAction {
  readonly kind: "edit"
  /** Absolute, or relative to the workspace. */
  readonly path: string
}

/** To read a file. */
export interface ReadAction {
  readonly kind: "read"
  /** Absolute, or relative to the workspace. */
  readonly path: string
}

/** To read something on the web. */
export interface WebAction {
  readonly kind: "web"
  /** An absolute URL; one without a scheme is taken for https. */
  readonly url: string
}

/** To call a tool of an MCP server. */
export interface McpAction {
  readonly kind: "mcp"
  /** What the server is called where it is configured. */
  readonly server: string
  /** The tool's own name, without the server's. */
  readonly tool: string
  /** Where a remote server is: its host is a name of the server too. */
  readonly url?: string | undefined
  /** The command that starts a local server: the package that it runs is a name of the server too. */
  readonly command?: readonly string[] | undefined
}

/** To start another agent. */
export interface SubagentAction {
  readonly kind: "subagent"
  /** Its name or type. */
  readonly name: string
}

/** To call a model. */
export interface ModelAction {
  readonly kind: "model"
  /** As the agent names it: `claude-opus-4-5`, a Bedrock id, `openrouter/anthropic/claude-opus-4.5`. */
  readonly model: string
  /** Who runs it, where the agent says so apart from the model's name. */
  readonly provider?: string | undefined
}

/** The circumstances of an action. What is left out is not known, and never counts in the agent's favour. */
export interface PolicyContext {
  /** When: what has expired then does not count. Milliseconds since 1970. */
  readonly nowMs: number
  /** The rung that the agent acts on. */
  readonly rung?: Rung | undefined
  /** The tool that acts. */
  readonly agentTool?: string | undefined
  /** The agent's mode, by the tool's own name. */
  readonly mode?: string | undefined
  /** Whether the agent approves its own actions in that mode. Not known counts as yes where the mode is a known one of that kind. */
  readonly isAutoApproving?: boolean | undefined
  /** Where the agent is used. */
  readonly surface?: Surface | undefined
  /** `owner/name` of the repository that is worked on. */
  readonly repository?: string | undefined
  /** All labels of the repository. */
  readonly repositoryLabels?: readonly string[] | undefined
  /** Whether the agent runs in a container or a machine of its own. */
  readonly isIsolated?: boolean | undefined
  /** What the provider of the agent's model may do with what it is sent. */
  readonly dataPractice?: DataPractice | undefined
  /** On whose behalf, as exceptions name them. */
  readonly personId?: string | undefined
  /** The teams of that person, as exceptions name them. */
  readonly teamIds?: readonly string[] | undefined
  /** The absolute path of the folder that is worked in. */
  readonly workspace?: string | undefined
  /** The absolute path of the person's home folder. */
  readonly home?: string | undefined
  /**
   * Follows links: the real path of an absolute path, of its nearest folder that exists where it does not exist itself
   * with the rest appended. Null where that cannot be found out.
   */
  readonly resolveLinks?: ((path: string) => string | null) | undefined
  /** What is used of each budget in its current period, in the budget's unit, by `budgetKey`. */
  readonly spent?: ReadonlyMap<string, number> | undefined
  /** How large the change that nobody has reviewed is, with this action. */
  readonly change?:
    | {
        /** Changed lines. */
        readonly lines: number
        /** Changed files. */
        readonly files: number
      }
    | undefined
}

/** What the context knows the spending of a budget by. */
export function budgetKey(layer: string, budgetId: string): string {
  return `${layer}/${budgetId}`
}

/** The kinds of action are those that rules speak of. */
export type ActionOf<Kind extends RuleAction> = Extract<AgentAction, { readonly kind: Kind }>
