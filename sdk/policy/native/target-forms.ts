/** Patterns for paths, web addresses and MCP tools, in the parts that tools' own patterns are made of. */
import { compilePathPattern, type PathPattern } from "../paths.ts"
import type { Effect } from "../vocabulary.ts"

/** A pattern for paths; `glob` begins where `space` does and holds no more than `*`, `**` and `?`. */
export interface PathForm {
  readonly space: PathPattern["space"]
  readonly glob: string
}

/** A path pattern's parts; null when its glob has more in it than every tool's globs have. */
export function toPathForm(pattern: string, effect: Effect): PathForm | null {
  const { space, glob } = compilePathPattern(pattern, effect)
  if (space !== "everything" && space !== "outside" && /[{}()[\]!+@\\|"'$`,]/.test(glob)) return null
  // Stars that touch other characters doubled are one star to some globs and any folder to others.
  if (/[^/]\*\*|\*\*[^/]/.test(glob) && space !== "outside") return null
  return { space, glob: glob.replace(/^\*\*\//, "") === glob ? glob : floatingGlob(glob) }
}

function floatingGlob(glob: string): string {
  return glob.replace(/^(?:\*\*\/)+/, "")
}

/** Whether a glob is text up to an optional `/**` at its end: what tools agree on. */
export function isPlainTree(glob: string): boolean {
  return /^[A-Za-z0-9_./-]+?(?:\/\*\*)?$/.test(glob) && !/(?:^|\/)\.{1,2}(?:\/|$)/.test(glob)
}

/** A pattern for web addresses. */
export interface WebForm {
  readonly host: string
  readonly port: string | null
  readonly path: string | null
}

export function toWebForm(pattern: string): WebForm {
  const bare = pattern.trim().replace(/^[a-z][a-z0-9+.-]*:\/\//i, "")
  const at = bare.indexOf("/")
  const [, host = "", port = null] =
    /^(.*?)(?::(\d+|\*))?$/s.exec((at === -1 ? bare : bare.slice(0, at)).toLowerCase()) ?? []
  return { host, port, path: at === -1 ? null : bare.slice(at) }
}

/** Whether a host is written out, so that tools read it alike. */
export function isPlainHost(host: string): boolean {
  return /^[a-z0-9-]+(?:\.[a-z0-9-]+)+$/.test(host)
}

/** A pattern for MCP tools: the server as written, and its tool or `*`. */
export interface McpForm {
  readonly server: string
  readonly tool: string
}

export function toMcpForm(pattern: string): McpForm {
  if (pattern === "*") return { server: "*", tool: "*" }
  const at = pattern.lastIndexOf("/")
  // A scoped package has a slash of its own.
  const isServer = at === -1 || (pattern.startsWith("@") && pattern.indexOf("/") === at)
  return isServer ? { server: pattern, tool: "*" } : { server: pattern.slice(0, at), tool: pattern.slice(at + 1) }
}

/** Whether a server's name is one that no tool has to rewrite. */
export function isPlainServer(name: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9-]*$/.test(name)
}

/** Whether a name of a tool or an agent is one that no agent tool has to rewrite. */
export function isPlainName(name: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9_-]*$/.test(name) && !name.includes("__")
}
