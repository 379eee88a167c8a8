/** Patterns for what is named by a text: web addresses, tools of MCP servers, other agents and models. */
import type { McpAction } from "./action.ts"
import { createMemo } from "./memo.ts"
import type { ModelCatalog } from "./models.ts"
import { createTextIndex, type TextIndex, toTextKey } from "./text-index.ts"
import type { Effect } from "./vocabulary.ts"
import { isPartlyUnknown, MAYBE, NO, starsToRegex, type Verdict, YES } from "./wildcard.ts"

/** Something by all its names. */
export interface NameProbe {
  readonly names: readonly string[]
}

/** A pattern for names, ready to be tried. */
export interface NamePattern {
  readonly text: string
  matches(probe: NameProbe): Verdict
}

/** `*` is any text. A deny or ask takes letters of either case; what is tried is in lower case as it is. */
export function compileNamePattern(pattern: string, effect: Effect): NamePattern {
  if (pattern.includes("*")) {
    const regex = starsToRegex(pattern, effect === "allow" ? "s" : "is")
    return { text: pattern, matches: ({ names }) => (names.some((name) => regex.test(name)) ? YES : NO) }
  }
  const lower = pattern.toLowerCase()
  return { text: pattern, matches: ({ names }) => (names.includes(lower) ? YES : NO) }
}

/** Finds the patterns that may match one of the names. */
export interface NameIndex<Item> {
  add(item: Item, pattern: NamePattern): void
  canFind(probe: NameProbe): boolean
  collect(probe: NameProbe, into: Item[]): void
}

export function createNameIndex<Item>(): NameIndex<Item> {
  const index: TextIndex<Item> = createTextIndex()
  return {
    add: (item, { text }) => index.add(item, toTextKey(text, /\*/)),
    canFind: () => true,
    collect(probe, into) {
      for (const name of probe.names) index.collect(name, into)
    },
  }
}

/** The name of an agent as patterns see it. */
export function toAgentNames(name: string): readonly string[] {
  return [name.normalize("NFKC").trim().toLowerCase()]
}

/**
 * A pattern for MCP tools, `server/tool`: a server alone is all its tools. A server goes by the name that it is
 * configured under, by its host and by the package or image that it runs, so that another name makes no difference to a
 * deny. Case, spaces, dots and underscores make none either.
 */
export function toMcpPattern(pattern: string): string {
  if (pattern === "*") return pattern
  const at = pattern.lastIndexOf("/")
  // A scoped package has a slash of its own.
  const isServer = at === -1 || (pattern.startsWith("@") && pattern.indexOf("/") === at)
  const [server, tool] = isServer ? [pattern, "*"] : [pattern.slice(0, at), pattern.slice(at + 1)]
  return `${mcpName(server)}/${mcpName(tool)}`
}

/** All names of a tool of an MCP server, each `server/tool`. */
export function toMcpNames({ server, tool, url, command }: McpAction): readonly string[] {
  const name = mcpName(server)
  const own = mcpName(tool.replace(/^mcp__.*?__/, ""))
  const names = [name]
  const host = url === undefined ? null : hostOf(url)
  if (host !== null) names.push(mcpName(host))
  const [program, ...rest] = command ?? []
  for (const word of [program?.slice(program.lastIndexOf("/") + 1), ...rest]) {
    if (word === undefined || word === "" || word.startsWith("-")) continue
    names.push(mcpName(word.replace(/(?!^)@[^@/]*$/, "").replace(/:[\w.-]+$/, "")))
  }
  return names.map((known) => `${known}/${own}`)
}

/** Names are remembered: the same few come again and again. */
const remembered = createMemo<string, string>(1000)

function mcpName(name: string): string {
  const known = remembered.get(name)
  if (known !== undefined) return known
  const plain = toPlain(name)
  remembered.set(name, plain)
  return plain
}

function toPlain(name: string): string {
  return name
    .normalize("NFKC")
    .trim()
    .toLowerCase()
    .replace(/[\s._-]+/g, "-")
}

function hostOf(url: string): string | null {
  return URL.canParse(url) ? new URL(url).hostname : null
}

/** A pattern for models with the canonical name in place of the one that is written: `name` or `provider/name`. */
export function toModelPattern(pattern: string, catalog: ModelCatalog): string {
  const lower = pattern.normalize("NFKC").trim().toLowerCase()
  if (lower.includes("*")) {
    const at = lower.indexOf("/")
    return at <= 0 || lower.slice(0, at).includes("*")
      ? lower
      : `${catalog.provider(lower.slice(0, at))}/${lower.slice(at + 1)}`
  }
  const { name, provider } = catalog.resolve(lower)
  return lower.includes("/") && provider !== null ? `${provider}/${name}` : name
}

/** A web address as patterns see it. */
export interface WebProbe {
  /** Without a final dot, in lower case and ASCII; null where it cannot be told. */
  readonly host: string | null
  /** Other than the scheme's own, or "". */
  readonly port: string
  /** Path and query, from the slash on. */
  readonly path: string
}

/** Reads an address; one without a scheme is taken for https. */
export function toWebProbe(url: string): WebProbe {
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(url) ? url : `https://${url}`
  if (isPartlyUnknown(full) || !URL.canParse(full)) return { host: null, port: "", path: "/" }
  const { hostname, port, pathname, search } = new URL(full)
  return {
    host: hostname.toLowerCase().replace(/\.$/, "") || null,
    port,
    path: (pathname || "/") + search,
  }
}

/** A pattern for web addresses, ready to be tried. */
export interface WebPattern {
  readonly host: string
  matches(probe: WebProbe): Verdict
}

/**
 * A host with an optional port and path, `*` for any text: `example.com`, `*.example.com`, `example.com/docs/*`. Without
 * a path it is every path. Without a port an allow takes the scheme's own and a deny or ask takes any. The scheme of a
 * pattern does not count.
 */
export function compileWebPattern(pattern: string, effect: Effect): WebPattern {
  const bare = pattern.trim().replace(/^[a-z][a-z0-9+.-]*:\/\//i, "")
  if (bare === "*") return { host: "*", matches: () => YES }
  const at = bare.indexOf("/")
  const [, host = "", port] = /^(.*?)(?::(\d+|\*))?$/s.exec((at === -1 ? bare : bare.slice(0, at)).toLowerCase()) ?? []
  const isHost = starsToRegex(host, "is")
  const isPath = at === -1 ? null : starsToRegex(bare.slice(at), effect === "allow" ? "s" : "is")
  const isAllow = effect === "allow"
  return {
    host,
    matches(probe) {
      if (probe.host === null) return isAllow ? NO : MAYBE
      if (!isHost.test(probe.host)) return NO
      const isPort = port === undefined ? !isAllow || probe.port === "" : port === "*" || port === probe.port
      if (!isPort) return NO
      if (isPath === null || isPath.test(probe.path)) return YES
      return !isAllow && isPath.test(decoded(probe.path)) ? YES : NO
    },
  }
}

/** As a server may read a path: with characters written out and slashes once. */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path).replace(/\/{2,}/g, "/")
  } catch {
    return path
  }
}

/** Finds the patterns that may match an address. */
export interface WebIndex<Item> {
  add(item: Item, pattern: WebPattern): void
  /** Whether what may match the address can be found. */
  canFind(probe: WebProbe): boolean
  collect(probe: WebProbe, into: Item[]): void
}

export function createWebIndex<Item>(): WebIndex<Item> {
  const index: TextIndex<Item> = createTextIndex()
  return {
    add: (item, { host }) => index.add(item, toTextKey(host, /\*/)),
    canFind: ({ host }) => host !== null,
    collect: ({ host }, into) => index.collect(host ?? "", into),
  }
}
