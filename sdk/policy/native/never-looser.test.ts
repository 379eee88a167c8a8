/**
 * Holds the files of every tool against the engine: for policies and actions at random, what the tool makes of its files
 * is never looser than `decide`, but for what the losses tell.
 *
 * Each tool is a small model of how it reads its own files, from its documentation or source (docs/policy-native.md has
 * them with dates). Where a tool leaves something open, its model is as mild as that allows.
 */
import fc from "fast-check"
import { parse as parseToml } from "smol-toml"
import { describe, expect, test } from "vitest"
import type { AgentAction, PolicyContext } from "../action.ts"
import { compilePolicy } from "../compile.ts"
import { decide } from "../decide.ts"
import type { PolicyDecision } from "../decision.ts"
import { type PolicyBundle, policyBundleSchema, type PolicyRule } from "../document.ts"
import { type Effect, EFFECTS, RULE_ACTIONS, type RuleAction } from "../vocabulary.ts"
import { compileNative, NATIVE_TOOLS, type NativePolicy, type NativeTool } from "./compile-native.ts"

const NOW = Date.parse("2026-11-26T12:00:00Z")
const WORKSPACE = "/work/repo"
const HOME = "/home/ada"

type Json = { readonly [key: string]: unknown }
type Evaluate = (action: AgentAction) => Effect

const rank = (effect: Effect): number => EFFECTS.indexOf(effect)
const strictestOf = (effects: readonly Effect[]): Effect =>
  effects.reduce<Effect>((a, b) => (rank(b) > rank(a) ? b : a), "allow")

function at(value: unknown, ...keys: readonly string[]): unknown {
  return keys.reduce<unknown>(
    (inner, key) => (typeof inner === "object" && inner !== null ? (inner as Json)[key] : undefined),
    value,
  )
}

function strings(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === "string") : []
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

function literal(text: string): string {
  return text.replace(/[-[\]{}()*+?.,\\^$|#\s"/]/g, String.raw`\$&`)
}

/** A pattern in which a star is any text. */
function anyText(pattern: string): RegExp {
  return new RegExp(`^${pattern.split("*").map(literal).join(".*")}$`, "s")
}

/** The simple commands of a script, by the operators outside quotes; what is within a substitution stays where it is. */
function split(command: string): readonly string[] {
  const parts: string[] = []
  let part = ""
  let quote = ""
  for (let index = 0; index < command.length; index++) {
    const char = command.charAt(index)
    if (quote === "" && /[;&|\n]/.test(char)) {
      parts.push(part.trim())
      part = ""
      continue
    }
    if (quote === char) quote = ""
    else if (quote === "" && /["']/.test(char)) quote = char
    part += char
  }
  return [...parts, part.trim()].filter((text) => text !== "")
}

/** A path as the tools have it once they have resolved it. */
function resolve(path: string): string {
  const whole = path.startsWith("~/") ? HOME + path.slice(1) : path.startsWith("/") ? path : `${WORKSPACE}/${path}`
  const segments: string[] = []
  for (const segment of whole.split("/")) {
    if (segment === "..") segments.pop()
    else if (segment !== "" && segment !== ".") segments.push(segment)
  }
  return `/${segments.join("/")}`
}

const isInside = (path: string): boolean => path.startsWith(`${WORKSPACE}/`)

/** A glob as gitignore has it: a star stays within a name, and what lies beneath a match is one too. */
function ignoring(glob: string, beneath = true): RegExp {
  const source = glob
    .split(/(\*\*\/|\/\*\*$|\*\*|\*|\?)/)
    .map((part) => {
      if (part === "**/") return "(?:.*/)?"
      if (part === "/**") return "/.*"
      if (part === "**") return ".*"
      if (part === "*") return "[^/]*"
      return part === "?" ? "[^/]" : literal(part)
    })
    .join("")
  return new RegExp(`^${source}${beneath ? "(?:/.*)?" : ""}$`, "s")
}

/** Commands that tools run without asking, since they only read. */
const READ_ONLY = /^(?:ls|cat|echo|pwd|git status|git diff)(?: |$)/

/** Claude Code, and Qwen Code, which has the same lists and makes less of them. */
function claudeLike(settings: unknown, isClaude: boolean): Evaluate {
  const lists = (["deny", "ask", "allow"] as const).map(
    (effect) => [effect, strings(at(settings, "permissions", effect))] as const,
  )
  const first = (matches: (entry: string, effect: Effect) => boolean): Effect | null =>
    lists.find(([effect, entries]) => entries.some((entry) => matches(entry, effect)))?.[0] ?? null
  const spec = (entry: string, tool: string): string | null =>
    entry === tool ? "*" : entry.startsWith(`${tool}(`) ? entry.slice(tool.length + 1, -1) : null

  const matchesCommand = (pattern: string, text: string): boolean =>
    pattern.endsWith(" *")
      ? anyText(pattern).test(text) || anyText(pattern.slice(0, -2)).test(text)
      : anyText(pattern).test(text)
  const stripped = (text: string): string =>
    text.replace(/^(?:(?:timeout \S+|time|nice|nohup|command|builtin) )+/, "").replace(/^xargs (?!-)/, "")
  const one = (text: string): Effect | null =>
    first((entry, effect) => {
      const pattern = spec(entry, "Bash")
      if (pattern === null) return false
      const inner = isClaude ? stripped(text) : text
      const bare = effect === "allow" ? inner.replace(/^NODE_ENV=\S+ /, "") : inner.replace(/^(?:\w+=\S* )+/, "")
      return matchesCommand(pattern, text) || matchesCommand(pattern, bare)
    })
  const unmatchedCommand = (text: string): Effect => (isClaude && !READ_ONLY.test(text) ? "ask" : "allow")

  const path = (tool: "Edit" | "Read", file: string): Effect | null => {
    const whole = resolve(file)
    return first((entry, effect) => {
      const pattern = spec(entry, tool)
      if (pattern === null) return false
      if (pattern === "*") return true
      if (pattern.startsWith("//")) return ignoring(pattern.slice(1)).test(whole)
      if (pattern.startsWith("~/")) return ignoring(HOME + pattern.slice(1)).test(whole)
      const isSingle = /^[^/]+\/\*\*$/.test(pattern)
      const isFloating = !pattern.includes("/") || (isSingle && effect !== "allow")
      return ignoring(`${WORKSPACE}/${isFloating ? "**/" : ""}${pattern}`).test(whole)
    })
  }
  const blocksOutside = at(settings, "permissions", "blockWritesOutsideWorkingDirectories") === true

  return (action) => {
    switch (action.kind) {
      case "shell": {
        const text = String(action.command)
        const effects = split(text).flatMap((part): Effect[] => {
          const target = /(?:^|[^<>&\d])>{1,2} *(\S+)/.exec(part)?.[1]
          const written = target === undefined || !isClaude ? [] : [path("Edit", target) ?? "ask"]
          return [one(part) ?? unmatchedCommand(part), ...written]
        })
        return strictestOf(effects)
      }
      case "edit":
        if (isClaude && blocksOutside && !isInside(resolve(action.path))) return "deny"
        return path("Edit", action.path) ?? (isClaude && !isInside(resolve(action.path)) ? "ask" : "allow")
      case "read":
        return path("Read", action.path) ?? (isClaude && !isInside(resolve(action.path)) ? "ask" : "allow")
      case "web": {
        const { hostname } = new URL(action.url)
        const matched = first((entry) => {
          if (entry === "WebFetch") return true
          const domain = /^WebFetch\(domain:(.*)\)$/.exec(entry)?.[1]
          if (domain === undefined) return false
          if (domain === "*") return true
          const [head, rest] = domain.startsWith("*.") ? [String.raw`.*\.`, domain.slice(2)] : ["", domain]
          return new RegExp(`^${head}${rest.split("*").map(literal).join("[^.]*")}$`, "i").test(hostname)
        })
        return matched ?? "allow"
      }
      case "mcp": {
        const servers = at(settings, "allowedMcpServers") ?? at(settings, "mcp", "allowed")
        const isListed = listOf(servers).some(
          (entry) => entry === action.server || at(entry, "serverName") === action.server,
        )
        if (servers !== undefined && !isListed) return "deny"
        if (strings(at(settings, "mcp", "excluded")).includes(action.server)) return "deny"
        const name = `mcp__${action.server.replace(/[^A-Za-z0-9_-]/g, "_")}__${action.tool}`
        const matched = first(
          (entry) => entry.startsWith("mcp__") && (anyText(entry).test(name) || name.startsWith(`${entry}__`)),
        )
        return matched ?? (isClaude ? "ask" : "allow")
      }
      case "subagent":
        return first((entry) => spec(entry, "Agent") === "*" || spec(entry, "Agent") === action.name) ?? "allow"
      case "model": {
        const available = at(settings, "availableModels")
        const isOffered =
          available === undefined ||
          strings(available).some((model) => action.model === model || action.model.startsWith(`${model}-`))
        if (!isOffered || strings(at(settings, "deniedModels")).includes(action.model)) return "deny"
        const providers = at(settings, "allowedProviders")
        const names: Readonly<Record<string, string>> = {
          anthropic: "anthropic",
          "aws.bedrock": "bedrock",
          "gcp.vertex_ai": "vertex",
        }
        const own = names[action.provider ?? ""] ?? "customEndpoint"
        return providers !== undefined && !strings(providers).includes(own) ? "deny" : "allow"
      }
    }
  }
}

/** Gemini CLI: the matching rule of the highest priority; every command of a script, of which the strictest decides. */
function geminiCli(policy: unknown, settings: unknown): Evaluate {
  const rules = listOf(at(policy, "rule")).toSorted((a, b) => Number(at(b, "priority")) - Number(at(a, "priority")))
  const patternsOf = (rule: unknown): readonly RegExp[] | null => {
    const prefix = at(rule, "commandPrefix")
    if (prefix !== undefined) {
      return (typeof prefix === "string" ? [prefix] : strings(prefix)).map(
        (text) => new RegExp(`"command":"${literal(JSON.stringify(text).slice(1, -1))}(?:[\\s"]|\\\\")`),
      )
    }
    const regex = at(rule, "commandRegex")
    if (typeof regex === "string") return [new RegExp(`"command":"${regex}`)]
    const own = at(rule, "argsPattern")
    return typeof own === "string" ? [new RegExp(own)] : null
  }
  const match = (names: readonly string[], args: Json, server?: string): Effect | null => {
    const text = JSON.stringify(args)
    for (const rule of rules) {
      const tool = at(rule, "toolName")
      const tools = typeof tool === "string" ? [tool] : strings(tool)
      if (!tools.some((name) => name === "*" || names.includes(name))) continue
      const owner = at(rule, "mcpName")
      if (owner !== undefined && (server === undefined || (owner !== "*" && owner !== server))) continue
      if (patternsOf(rule)?.some((pattern) => pattern.test(text)) === false) continue
      const decision = at(rule, "decision")
      return decision === "ask_user" ? "ask" : decision === "deny" ? "deny" : "allow"
    }
    return null
  }
  const shell = (command: string): Effect => {
    const whole = match(["run_shell_command"], { command })
    const own = whole ?? (READ_ONLY.test(command) ? "allow" : "ask")
    if (own === "deny") return "deny"
    const parts = split(command)
    const inner = parts.length > 1 ? parts.map(shell) : []
    const isRedirected = /[<>]/.test(command)
    return strictestOf([own, ...inner, ...(isRedirected ? (["ask"] as const) : [])])
  }
  return (action) => {
    switch (action.kind) {
      case "shell":
        return shell(String(action.command))
      case "edit":
        return strictestOf([
          match(["write_file"], { content: "x", file_path: action.path }) ?? "allow",
          isInside(resolve(action.path)) ? "allow" : "ask",
        ])
      case "read":
        return match(["read_file"], { file_path: action.path }) ?? "allow"
      case "web":
        return match(["web_fetch"], { prompt: `Look at ${action.url}.` }) ?? "allow"
      case "mcp": {
        const allowed = at(settings, "mcp", "allowed")
        if (allowed !== undefined && !strings(allowed).includes(action.server)) return "deny"
        return match([action.tool], {}, action.server) ?? "allow"
      }
      case "subagent":
        return match(["invoke_agent", action.name], { agent_name: action.name }) ?? "allow"
      case "model":
        return "allow"
    }
  }
}

/** OpenCode: the last pattern that matches, with a star that takes slashes and with one that does not; the milder. */
function openCode(settings: unknown): Evaluate {
  const wide = (pattern: string): RegExp => {
    const source = pattern.split(/([*?])/).map((part) => (part === "*" ? ".*" : part === "?" ? "." : literal(part)))
    return new RegExp(`^${source.join("").replace(/\\ \.\*$/, "(?: .*)?")}$`, "s")
  }
  const narrow = (pattern: string): RegExp => {
    const source = pattern.split(/(\*\*\/|\*\*|\*|\?)/).map((part) => {
      if (part === "**/") return "(?:.+/)?"
      if (part === "**") return ".*"
      if (part === "*") return "[^/]*"
      return part === "?" ? "[^/]" : literal(part)
    })
    return new RegExp(`^${source.join("").replace(/\\ \[\^\/\]\*$/, "(?: [^/]*)?")}$`, "s")
  }
  const known = new Map<string, RegExp>()
  const cached = (toRegex: (pattern: string) => RegExp, pattern: string): RegExp => {
    const key = `${toRegex.name} ${pattern}`
    const regex = known.get(key) ?? toRegex(pattern)
    known.set(key, regex)
    return regex
  }
  const permission = at(settings, "permission") ?? {}
  const entries = Object.entries(permission as Json).flatMap(([tool, value]) =>
    typeof value === "string"
      ? [{ tool, pattern: "*", effect: value }]
      : Object.entries(value as Json).map(([pattern, effect]) => ({ tool, pattern, effect: String(effect) })),
  )
  const last = (tool: string, text: string, own: Effect): Effect => {
    const answers = [wide, narrow].map((toRegex) => {
      // A star alone stands for everything.
      const isMatch = (pattern: string, value: string): boolean =>
        pattern === "*" || cached(toRegex, pattern).test(value)
      const found = entries.findLast((entry) => isMatch(entry.tool, tool) && isMatch(entry.pattern, text))?.effect
      return EFFECTS.find((effect) => effect === found) ?? own
    })
    return answers.toSorted((a, b) => rank(a) - rank(b))[0] ?? own
  }
  return (action) => {
    switch (action.kind) {
      case "shell":
        return strictestOf(split(String(action.command)).map((part) => last("bash", part, "allow")))
      case "edit": {
        const whole = resolve(action.path)
        const relative = isInside(whole) ? whole.slice(WORKSPACE.length + 1) : `../..${whole}`
        const outside = isInside(whole) ? "allow" : last("external_directory", whole, "ask")
        return strictestOf([last("edit", relative, "allow"), outside])
      }
      case "read": {
        const whole = resolve(action.path)
        const outside = isInside(whole) ? "allow" : last("external_directory", whole, "ask")
        return strictestOf([last("read", whole, "allow"), outside])
      }
      case "web":
        return last("webfetch", action.url, "allow")
      case "mcp":
        return last(`${action.server}_${action.tool}`.replace(/[^A-Za-z0-9_-]/g, "_"), "*", "allow")
      case "subagent":
        return last("task", action.name, "allow")
      case "model": {
        const ids: Readonly<Record<string, string>> = {
          "aws.bedrock": "amazon-bedrock",
          "gcp.vertex_ai": "google-vertex",
        }
        const provider = ids[action.provider ?? ""] ?? action.provider ?? ""
        const enabled = at(settings, "enabled_providers")
        if (enabled !== undefined && !strings(enabled).includes(provider)) return "deny"
        if (strings(at(settings, "disabled_providers")).includes(provider)) return "deny"
        const whitelist = at(settings, "provider", provider, "whitelist")
        return whitelist !== undefined && !strings(whitelist).includes(action.model) ? "deny" : "allow"
      }
    }
  }
}

/** Codex: the strictest of all rules that match; a script that is more than plain words counts as one command. */
function codex(requirements: unknown, rules: string): Evaluate {
  const prefixes = listOf(at(requirements, "rules", "prefix_rules")).map((rule) => ({
    effect: at(rule, "decision") === "forbidden" ? ("deny" as const) : ("ask" as const),
    tokens: listOf(at(rule, "pattern")).map((token) => {
      const single = at(token, "token")
      return typeof single === "string" ? [single] : strings(at(token, "any_of"))
    }),
  }))
  const allows = [...rules.matchAll(/pattern = (\[.*?\]), decision = "allow"/g)].map(([, list = "[]"]) => ({
    effect: "allow" as const,
    tokens: strings(JSON.parse(list)).map((word) => [word]),
  }))
  const one = (words: readonly string[]): Effect => {
    const matched = [...prefixes, ...allows].filter(({ tokens }) =>
      tokens.every((choice, index) => choice.includes(words[index] ?? "")),
    )
    // In its sandbox it may run unasked.
    return strictestOf(matched.map(({ effect }) => effect))
  }
  const modes = at(requirements, "allowed_sandbox_modes")
  const isReadOnly = modes !== undefined && !strings(modes).includes("workspace-write")
  const denied = strings(at(requirements, "permissions", "filesystem", "deny_read")).map((glob) =>
    ignoring(glob.replace(/^~/, HOME), false),
  )
  return (action) => {
    switch (action.kind) {
      case "shell": {
        const text = String(action.command)
        if (/[$`<>*?(){}'"\\]/.test(text)) return one(["bash", "-lc", text])
        return strictestOf(split(text).map((part) => one(part.split(/\s+/))))
      }
      case "edit":
        if (isReadOnly) return "ask"
        return modes !== undefined && !isInside(resolve(action.path)) ? "ask" : "allow"
      case "read":
        return denied.some((regex) => regex.test(resolve(action.path))) ? "deny" : "allow"
      case "web":
        return at(requirements, "allowed_web_search_modes") === undefined ? "allow" : "deny"
      case "mcp": {
        const servers = at(requirements, "mcp_servers")
        return servers !== undefined && at(servers, action.server) === undefined ? "deny" : "allow"
      }
      case "subagent":
      case "model":
        return "allow"
    }
  }
}

const COPILOT_SERVERS: Json = { github: "https://github.example/mcp", evil: "https://evil.test/mcp" }

/** Copilot CLI: deny, then ask, then allow; what no rule matches is asked as soon as there is a rule. */
function copilotCli(settings: unknown): Evaluate {
  const lists = (["deny", "ask", "allow"] as const).map(
    (effect) => [effect, strings(at(settings, "permissions", effect))] as const,
  )
  const isBound = lists.some(([, entries]) => entries.length > 0)
  const first = (matches: (kind: string, pattern: string) => boolean): Effect => {
    const found = lists.find(([, entries]) =>
      entries.some((entry) => {
        const [, kind = "", pattern = ""] = /^(\w+)\((.*)\)$/s.exec(entry) ?? []
        return matches(kind, pattern)
      }),
    )
    return found?.[0] ?? (isBound ? "ask" : "allow")
  }
  const isPath = (tool: string, file: string) => (kind: string, pattern: string) => {
    if (kind !== tool) return false
    const glob = pattern.startsWith("//")
      ? pattern.slice(1)
      : pattern.startsWith("~/")
        ? HOME + pattern.slice(1)
        : WORKSPACE + pattern
    return ignoring(glob, false).test(resolve(file))
  }
  return (action) => {
    switch (action.kind) {
      case "shell": {
        // Whether it looks at the parts of a script is not documented.
        const text = String(action.command)
        return first((kind, pattern) => {
          if (kind !== "Shell") return false
          return pattern.endsWith(" *") ? text.startsWith(pattern.slice(0, -1)) : text === pattern
        })
      }
      case "edit":
        return first(isPath("Edit", action.path))
      case "read":
        return first(isPath("Read", action.path))
      case "web": {
        const { hostname, protocol, port } = new URL(action.url)
        return first((kind, pattern) => {
          if (kind !== "Domain" || protocol !== "https:" || port !== "") return false
          const bare = pattern.replace(/^\*\./, "")
          return hostname === bare || (pattern !== bare && hostname.endsWith(`.${bare}`))
        })
      }
      case "mcp": {
        const isIn = (list: unknown): boolean =>
          listOf(list).some((entry) => at(entry, "serverUrl") === COPILOT_SERVERS[action.server])
        const allowed = at(settings, "allowedMcpServers")
        return (allowed !== undefined && !isIn(allowed)) || isIn(at(settings, "deniedMcpServers")) ? "deny" : "allow"
      }
      case "subagent":
      case "model":
        return "allow"
    }
  }
}

/** VS Code: nothing is denied. */
function vscodeCopilot(settings: unknown): Evaluate {
  const written = at(settings, "ChatToolsEligibleForAutoApproval")
  const eligible: unknown = typeof written === "string" ? JSON.parse(written) : {}
  const isGlobalOff = at(settings, "ChatToolsAutoApprove") === false
  return ({ kind }) => {
    if (kind === "shell") return at(settings, "ChatToolsTerminalEnableAutoApprove") === false ? "ask" : "allow"
    if (kind === "web") return at(eligible, "fetch") === false ? "ask" : "allow"
    if (kind === "mcp") return at(settings, "ChatMCP") === "none" ? "deny" : isGlobalOff ? "ask" : "allow"
    return "allow"
  }
}

/** Cursor's command line: deny, then allow; the rest is asked. */
function cursor(settings: unknown): Evaluate {
  const denied = strings(at(settings, "permissions", "deny"))
  const allowed = strings(at(settings, "permissions", "allow"))
  const first = (matches: (kind: string, pattern: string) => boolean): Effect => {
    const isIn = (entries: readonly string[]): boolean =>
      entries.some((entry) => {
        const [, kind = "", pattern = ""] = /^(\w+)\((.*)\)$/s.exec(entry) ?? []
        return matches(kind, pattern)
      })
    return isIn(denied) ? "deny" : isIn(allowed) ? "allow" : "ask"
  }
  const isPath = (tool: string, file: string) => (kind: string, pattern: string) => {
    if (kind !== tool) return false
    if (pattern === "**") return true
    return ignoring(pattern.startsWith("/") ? pattern : `${WORKSPACE}/${pattern}`, false).test(resolve(file))
  }
  return (action) => {
    switch (action.kind) {
      case "shell": {
        const [head = "", ...rest] = String(action.command).trim().split(/\s+/)
        return first((kind, pattern) => {
          if (kind !== "Shell") return false
          const [base = "", args] = pattern.split(":")
          return anyText(base).test(head) && (args === undefined || anyText(args).test(rest.join(" ")))
        })
      }
      case "edit":
        return first(isPath("Write", action.path))
      case "read":
        return first(isPath("Read", action.path))
      case "web": {
        const { hostname } = new URL(action.url)
        return first((kind, pattern) => kind === "WebFetch" && anyText(pattern).test(hostname))
      }
      case "mcp":
        return first((kind, pattern) => kind === "Mcp" && anyText(pattern).test(`${action.server}:${action.tool}`))
      case "subagent":
      case "model":
        return "allow"
    }
  }
}

function modelOf(tool: NativeTool, { files }: NativePolicy): Evaluate {
  const text = (name: string): string => files.find((file) => file.name === name)?.contents ?? ""
  const json = (name: string): unknown => JSON.parse(text(name) || "{}")
  switch (tool) {
    case "claude-code":
      return claudeLike(json("managed-settings.json"), true)
    case "qwen-code":
      return claudeLike(json("settings.json"), false)
    case "gemini-cli":
      return geminiCli(parseToml(text("belay.toml")), json("settings.json"))
    case "opencode":
      return openCode(json("opencode.json"))
    case "kilo":
      return openCode(json("kilo.jsonc"))
    case "codex":
      return codex(parseToml(text("requirements.toml")), text("belay.rules"))
    case "copilot-cli":
      return copilotCli(json("managed-settings.json"))
    case "vscode-copilot":
      return vscodeCopilot(json("policy.json"))
    case "cursor":
      return cursor(json("cli-config.json"))
  }
}

const PATTERNS: Readonly<Record<RuleAction, readonly string[]>> = {
  shell: [
    "*",
    "git *",
    "git status",
    "git status *",
    "git push *",
    "git push --force *",
    "git * main",
    "rm *",
    "rm -rf *",
    "rm --recursive *",
    "npm test",
    "npm run *",
    "npm run build *",
    "make",
    "make *",
    "ls *",
    "cat *",
    "bash *",
    "python *",
    "xargs *",
    "sudo *",
    "curl *",
    "docker run *",
    "echo *",
  ],
  edit: [
    "*",
    ".env",
    "**/.env",
    "src/**",
    "docs/*.md",
    "../**",
    "~/.ssh/**",
    "/etc/**",
    "*.pem",
    "README.md",
    "a?/**",
    "{src,docs}/**",
    "src/gen/",
    "**/gen/**",
  ],
  read: [
    "*",
    ".env",
    ".env.*",
    "src/**",
    "secrets/**",
    "../**",
    "~/.ssh/**",
    "/etc/**",
    "*.pem",
    "docs/a.md",
    "[ab]/**",
  ],
  web: [
    "*",
    "example.com",
    "*.example.com",
    "evil.test",
    "example.com/docs/*",
    "example.com:8080",
    "example.com:*",
    "*evil*",
  ],
  mcp: ["*", "github", "github/get_issue", "github/*", "git*/*", "my_server/run", "*/delete_*", "evil", "@acme/mcp"],
  subagent: ["*", "explore", "Explore", "rev*", "reviewer"],
  model: ["*", "claude-*", "claude-sonnet-4", "gpt-5", "openrouter/*"],
}

const COMMANDS = [
  "git status",
  "git status -s",
  "git status $(rm -rf x)",
  "git status > src/x",
  "git status `id`",
  "git statusx",
  "git push origin main",
  "git push --force",
  "git push -f origin",
  "git -C x push",
  "git -c core.pager=x status",
  "rm -rf x",
  "rm -fr x",
  "rm -r -f x",
  "rm --recursive --force x",
  "rm -rvf x",
  "RM -rf x",
  "/bin/rm -rf x",
  "rm x",
  "npm test",
  "npm run build",
  "npm run build -- --x",
  "npm run x",
  "npm exec rm",
  "make",
  "make all",
  "make -n",
  "ls -la",
  "ls > /etc/x",
  "cat .env",
  "cat < .env",
  "cat src/a.ts",
  "cat ~/.ssh/id",
  "echo $HOME",
  "echo hi > .env",
  "bash -c 'rm -rf x'",
  "bash x.sh",
  "python -c 'x'",
  "python x.py",
  "sudo rm -rf x",
  "sudo git status",
  "xargs git status",
  "xargs rm -rf",
  "timeout 5 git status",
  "nohup make all",
  "FOO=1 git status",
  "PATH=. make",
  "curl https://evil.test/x",
  "curl https://example.com/docs/x",
  "docker run x",
  "cat <(git status)",
  "g\\it push",
]
const PATHS = [
  ".env",
  ".ENV",
  "sub/.env",
  "src/../.env",
  ".env.local",
  "src/a.ts",
  "src/gen/x.ts",
  "SRC/a.ts",
  "pkg/src/b.ts",
  "docs/a.md",
  "docs/b/c.md",
  "README.md",
  "sub/README.md",
  "/etc/passwd",
  "../out.txt",
  "/work/other/.env",
  "~/.ssh/id",
  "secrets/k",
  "pkg/secrets/k",
  "x.pem",
  "sub/x.pem",
  "ab/c",
  "a/c",
  "gen/x",
  "x/gen/y",
  "README.md/x",
]
const URLS = [
  "https://example.com/",
  "https://example.com/docs/x",
  "https://example.com/docs/../x",
  "http://example.com/x",
  "https://example.com:8080/",
  "https://api.example.com/x",
  "https://evil.test/",
  "https://a.evil.test/x",
  "https://myexample.com/",
  "https://other.dev/?u=evil.test",
  "https://EVIL.test/x",
]
const SERVERS = ["github", "GitHub", "github-evil", "git", "my_server", "my-server", "evil", "other"]
const MCP_TOOLS = ["get_issue", "delete_repo", "run"]
const AGENTS = ["explore", "Explore", "reviewer", "rev", "other"]
const MODELS = ["claude-sonnet-4", "claude-sonnet-4-5", "claude-opus-4-1", "gpt-5", "gpt-5-mini", "brand-new-1"]
const PROVIDERS = ["anthropic", "openai", "aws.bedrock", "gcp.vertex_ai", "openrouter"]

const commands = fc
  .array(fc.tuple(fc.constantFrom(...COMMANDS), fc.constantFrom(" && ", "; ", " | ", " || ", " & ")), {
    minLength: 1,
    maxLength: 3,
  })
  .map((parts) => parts.map(([text, operator], index) => (index === 0 ? text : `${operator}${text}`)).join(""))

const actions: fc.Arbitrary<AgentAction> = fc.oneof(
  { weight: 4, arbitrary: commands.map((command): AgentAction => ({ kind: "shell", command })) },
  { weight: 2, arbitrary: fc.constantFrom(...PATHS).map((path): AgentAction => ({ kind: "edit", path })) },
  { weight: 2, arbitrary: fc.constantFrom(...PATHS).map((path): AgentAction => ({ kind: "read", path })) },
  { weight: 2, arbitrary: fc.constantFrom(...URLS).map((url): AgentAction => ({ kind: "web", url })) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom(...SERVERS), fc.constantFrom(...MCP_TOOLS))
      .map(([server, tool]): AgentAction => ({ kind: "mcp", server, tool })),
  },
  { weight: 1, arbitrary: fc.constantFrom(...AGENTS).map((name): AgentAction => ({ kind: "subagent", name })) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom(...MODELS), fc.constantFrom(...PROVIDERS))
      .map(([model, provider]): AgentAction => ({ kind: "model", model, provider })),
  },
)

const effects = fc.constantFrom(...EFFECTS)
const rule: fc.Arbitrary<Omit<PolicyRule, "id">> = fc.constantFrom(...RULE_ACTIONS).chain((action) =>
  fc.record(
    {
      effect: effects,
      action: fc.constant(action),
      pattern: fc.constantFrom(...PATTERNS[action]),
      when: fc.constantFrom<NonNullable<PolicyRule["when"]>>(
        { rung: ["agent"] },
        { repository: ["acme/*"] },
        { agentTool: ["codex", "gemini-cli", "cursor"] },
        { agentTool: ["claude-code", "opencode"], isolated: false },
      ),
      expiresAt: fc.constantFrom("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
      overridable: fc.boolean(),
    },
    { requiredKeys: ["effect", "action", "pattern"] },
  ),
)
// Most rules hold always and everywhere.
const rules = fc
  .array(
    fc.oneof(
      { weight: 1, arbitrary: rule },
      { weight: 3, arbitrary: rule.map(({ effect, action, pattern }) => ({ effect, action, pattern })) },
    ),
    { maxLength: 8 },
  )
  .map((list) => list.map((entry, index) => ({ id: `r${index}`, ...entry })))
const models = fc.record(
  {
    allowed: fc.constantFrom(
      { kind: "none" as const },
      { kind: "list" as const, items: ["claude-sonnet-4-5", "gpt-5"], future: "deny" as const },
      { kind: "list" as const, items: ["claude-*"], future: "allow" as const },
      { kind: "list" as const, items: ["claude-sonnet-4"], future: "deny" as const },
    ),
    denied: fc.constantFrom(["gpt-5-mini"], ["claude-sonnet-4"]),
    deniedProviders: fc.constantFrom(["openrouter"], ["aws.bedrock"]),
  },
  { requiredKeys: [] },
)
const layer = fc.record(
  {
    rules,
    defaults: fc.record(Object.fromEntries(RULE_ACTIONS.map((action) => [action, effects])), { requiredKeys: [] }),
    overridable: fc.subarray([...RULE_ACTIONS], { minLength: 1 }),
    models,
    autonomy: fc.constantFrom({ highestRung: "chat" }, { autoApproveModes: { kind: "none" } }),
  },
  { requiredKeys: ["rules"] },
)
const bundles: fc.Arbitrary<PolicyBundle> = fc.array(layer, { minLength: 1, maxLength: 2 }).map((layers) =>
  policyBundleSchema.parse({
    version: 1,
    layers: layers.map(({ rules: list, defaults, overridable, models: section, autonomy }, index) => ({
      layer: index === 0 ? "organization" : "team",
      version: 1,
      document: {
        schema: "belay.policy/1",
        permissions: {
          ...(list.length > 0 && { rules: list }),
          ...(defaults && { defaults }),
          ...(overridable && { overridableDefaults: overridable }),
        },
        ...(section && { models: section }),
        ...(autonomy && { autonomy }),
      },
    })),
  }),
)
const contexts: fc.Arbitrary<PolicyContext> = fc
  .record({
    rung: fc.constantFrom("chat", "agent"),
    repository: fc.constantFrom("acme/web", "other/x"),
    mode: fc.constantFrom("default", "acceptEdits"),
    isIsolated: fc.boolean(),
  })
  .map((given) => ({ ...given, nowMs: NOW, workspace: WORKSPACE, home: HOME }))

function compileFor(tool: NativeTool, bundle: PolicyBundle): NativePolicy {
  const servers = Object.entries(COPILOT_SERVERS).map(([name, url]) => [name, { url: String(url) }])
  const mcpServers = tool === "copilot-cli" || tool === "codex" ? Object.fromEntries(servers) : undefined
  return compileNative(tool, bundle, { nowMs: NOW, mcpServers })
}

/** Whether the losses tell that the tool may do `native` where `decision` was made. */
function isTold({ losses }: NativePolicy, action: AgentAction, decision: PolicyDecision, native: Effect): boolean {
  return losses.some((loss) => {
    if (loss.direction !== "looser" || rank(loss.nativeEffect) > rank(native)) return false
    if (loss.action !== null && loss.action !== action.kind) return false
    if (decision.because === "default") {
      // Of defaults that are equally strict the engine names one and the losses another.
      return loss.ruleId?.startsWith("permissions.defaults.") === true
    }
    return loss.ruleId === decision.ruleId && loss.layer === decision.layer
  })
}

describe.each(NATIVE_TOOLS)("%s", (tool) => {
  test("is never looser than the policy, but for what the losses tell", () => {
    fc.assert(
      fc.property(bundles, contexts, fc.array(actions, { minLength: 8, maxLength: 16 }), (bundle, context, list) => {
        const policy = compilePolicy(bundle)
        const native = compileFor(tool, bundle)
        const evaluate = modelOf(tool, native)
        for (const action of list) {
          const agentTool = tool.includes("copilot") ? "copilot" : tool
          const decision = decide(policy, action, { ...context, agentTool })
          if (decision.because === "unset") continue
          const effect = evaluate(action)
          if (rank(effect) >= rank(decision.effect) || isTold(native, action, decision, effect)) continue
          expect.fail(
            `${tool} would ${effect} ${JSON.stringify(action)}, the policy ${JSON.stringify(decision)}\n${native.files.map(({ contents }) => contents).join("\n")}`,
          )
        }
      }),
      // The same cases each time, so that a change breaks it and not the day; raise numRuns to look further.
      { numRuns: 150, seed: 20261126 },
    )
  }, 30_000)
})
