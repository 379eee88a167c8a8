import type { AgentAction, McpAction } from "../../policy/action.ts"
import { ANY } from "../../policy/wildcard.ts"

/**
 * What stands for a search of the web, or an address that the payload does not tell: no rule on a host allows it, and one
 * on everything concerns it.
 *
 * @see RFC 2606, for the name that nobody can have.
 */
export const UNKNOWN_ADDRESS = "https://unknown.invalid/"

/** What stands for a file that the payload does not tell, as a payload of another version may not. */
export const UNKNOWN_PATH = ANY
/** What stands for such a command: a word that nobody knows. */
const UNKNOWN_COMMAND = "$UNKNOWN"

export function shell(command: string | readonly string[] | undefined, cwd?: string): readonly AgentAction[] {
  return [{ kind: "shell", command: command === undefined || command.length === 0 ? UNKNOWN_COMMAND : command, cwd }]
}

export function edits(paths: readonly string[]): readonly AgentAction[] {
  return (paths.length === 0 ? [UNKNOWN_PATH] : paths).map((path) => ({ kind: "edit", path }))
}

/** Reading at each of these; the folder that is worked in when none is named. */
export function reads(paths: readonly string[]): readonly AgentAction[] {
  return (paths.length === 0 ? ["."] : paths).map((path) => ({ kind: "read", path }))
}

/** Every address in a text, or the one that stands for none that is known. */
export function addresses(text: string | undefined): readonly AgentAction[] {
  const urls = text?.match(/https?:\/\/[^\s"'<>()]+/g) ?? [UNKNOWN_ADDRESS]
  return urls.map((url) => ({ kind: "web", url }))
}

/** What tools call `mcp__server__tool`; null for another tool. */
export function mcpAction(tool: string): McpAction | null {
  const [, server, own] = /^mcp__(.+?)__(.+)$/s.exec(tool) ?? []
  return server === undefined || own === undefined ? null : { kind: "mcp", server, tool: own }
}
