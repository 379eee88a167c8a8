/** Claude Code's managed settings, and the rules of the same form in Qwen Code's. */
import type { Effect, RuleAction } from "../vocabulary.ts"
import { KNOWN_MODELS, KNOWN_PROVIDERS } from "../model-catalog.ts"
import {
  type Compiling,
  isBinding,
  type McpIdentity,
  type NativeFile,
  reportCommands,
  meetsStricter,
  mildestOf,
  rulesOn,
  toJson,
} from "./native-file.ts"
import { UNKNOWN_MODEL, UNKNOWN_PROVIDER } from "./model-plan.ts"
import { isStricter } from "./report.ts"
import { toPlainCommand, toSpellings } from "./shell-forms.ts"
import {
  isPlainHost,
  isPlainName,
  isPlainServer,
  isPlainTree,
  toMcpForm,
  toPathForm,
  toWebForm,
} from "./target-forms.ts"
import { forbidsMode, reportSections, type ToolRule } from "./tool-policy.ts"

/** Lists of rules `Tool(specifier)`, of which deny beats ask beats allow, whatever their order. */
export type PermissionLists = Record<Effect, string[]>

/** What differs between the tools that take these lists. */
export interface Dialect {
  /** A tool's own tools for one kind of action, as rules that stand for every use. */
  readonly every: Readonly<Record<RuleAction, readonly string[]>>
  /** What the tool does at its mildest where no rule matches. */
  readonly unmatched: Readonly<Record<RuleAction, Effect>>
  /** Whether an allow with a star at its end is known to take one simple command and no second one. */
  readonly hasOpenAllows: boolean
  /** What the tool's own flow does where no rule matches, for a person. */
  readonly flow: Readonly<Partial<Record<RuleAction, string>>>
  /** What becomes of files outside the workspace. */
  readonly outside: Readonly<Record<"edit" | "read", { readonly effect: Effect; readonly what: string }>>
}

const CLAUDE_CODE: Dialect = {
  every: {
    shell: ["Bash", "PowerShell"],
    edit: ["Edit", "Write", "NotebookEdit"],
    read: ["Read", "Glob", "Grep"],
    web: ["WebFetch", "WebSearch"],
    mcp: ["mcp__*"],
    subagent: ["Agent", "Task"],
    model: [],
  },
  // Read-only commands and reads in the working folder are never asked, nor are edits in the mode acceptEdits.
  unmatched: {
    shell: "allow",
    edit: "allow",
    read: "allow",
    web: "allow",
    mcp: "ask",
    subagent: "allow",
    model: "allow",
  },
  hasOpenAllows: true,
  flow: {
    shell: "which asks except for commands that only read",
    edit: "which asks except in the mode acceptEdits",
    read: "which asks outside the working folder only",
    web: "which asks except for well-known documentation",
    mcp: "which asks",
    subagent: "which does not ask",
  },
  outside: {
    edit: {
      effect: "ask",
      what: "Held by blockWritesOutsideWorkingDirectories, from about 2.1.329 on; older versions ask.",
    },
    read: { effect: "ask", what: "The tool asks before it reads outside its working folders." },
  },
}

/**
 * Compiles to `managed-settings.json`.
 *
 * @see https://code.claude.com/docs/en/permissions and /settings, read for 2.1.240, and 2.1.329's own text for the keys
 * that the documentation lacks.
 */
export function compileClaudeCode(compiling: Compiling): readonly NativeFile[] {
  const { bundle, policy, report, options } = compiling
  const lists = toPermissionLists(compiling, CLAUDE_CODE)
  const mcp = toMcpLists(compiling)
  const models = toModelSettings(compiling)
  const blocksOutside = policy.rules.some(
    ({ action, effect, pattern }) => action === "edit" && effect === "deny" && pattern === "../**",
  )
  reportSections(
    bundle,
    report,
    "The modes bypassPermissions and auto are off; acceptEdits, plan and dontAsk cannot be switched off.",
  )
  const isBound = isBinding(policy) || forbidsMode(bundle, ["bypasspermissions", "auto"])
  const settings = {
    ...models,
    permissions: {
      ...(isBound && {
        defaultMode: "default",
        disableBypassPermissionsMode: "disable",
        disableAutoMode: "disable",
      }),
      ...(blocksOutside && { blockWritesOutsideWorkingDirectories: true }),
      ...filled(lists),
    },
    // A person's own rules and hooks could allow what no rule here is about.
    ...(isBound && { allowManagedPermissionRulesOnly: true, allowManagedHooksOnly: true }),
    ...mcp,
    ...(options.belay !== undefined && {
      hooks: {
        PreToolUse: [
          { matcher: "*", hooks: [{ type: "command", command: `${options.belay} hook claude-code`, timeout: 5 }] },
        ],
      },
    }),
  }
  return [
    {
      name: "managed-settings.json",
      paths: {
        linux: "/etc/claude-code/managed-settings.json",
        macos: "/Library/Application Support/ClaudeCode/managed-settings.json",
        windows: "C:\\Program Files\\ClaudeCode\\managed-settings.json",
      },
      format: "json",
      contents: toJson(settings),
      delivery:
        "By device management, writable for administrators alone; or paste it into the managed settings of the Claude console, which win over the file.",
    },
  ]
}

/** The lists that are not empty. */
export function filled(lists: PermissionLists): Partial<PermissionLists> {
  return {
    ...(lists.allow.length > 0 && { allow: lists.allow }),
    ...(lists.ask.length > 0 && { ask: lists.ask }),
    ...(lists.deny.length > 0 && { deny: lists.deny }),
  }
}

/** The rules and defaults as lists, with what they lose told to the report. */
export function toPermissionLists(compiling: Compiling, dialect: Dialect): PermissionLists {
  const { policy, report } = compiling
  const lists: Record<Effect, Set<string>> = { allow: new Set(), ask: new Set(), deny: new Set() }
  const floors = { ...dialect.unmatched }
  const writers: Readonly<Record<Exclude<RuleAction, "model">, (rule: ToolRule) => readonly string[]>> = {
    shell: (rule) => toShellRules(rule, compiling, dialect),
    edit: (rule) => toPathRules("Edit", rule, compiling, dialect),
    read: (rule) => toPathRules("Read", rule, compiling, dialect),
    web: (rule) => toWebRules(rule, compiling, dialect),
    mcp: (rule) => toMcpRules(rule, compiling, dialect),
    subagent: (rule) => toAgentRules(rule, compiling, dialect),
  }
  for (const action of ["shell", "edit", "read", "web", "mcp", "subagent"] as const) {
    const rules = rulesOn(policy, action)
    let mildest: Effect = "deny"
    for (const rule of rules) {
      const written = writers[action](rule)
      for (const entry of written) lists[rule.effect].add(entry)
      if (written.length > 0 && isStricter(mildest, rule.effect)) mildest = rule.effect
    }
    const fallback = policy.defaults[action]
    if (fallback === undefined) continue
    if (fallback.effect === "allow") {
      // What the default allows the engine still looks into: commands are more than their names. An allow for all files
      // would take away the prompt on those outside.
      if (action === "shell" || action === "mcp" || rules.some(({ pattern }) => pattern === "../**")) {
        report.stricter(fallback, "ask", "The tool goes on asking where it would by itself.", false)
      } else {
        for (const entry of dialect.every[action]) lists.allow.add(entry)
      }
    } else if (isStricter(fallback.effect, mildest)) {
      // A rule for the whole tool would beat the milder rules.
      const flow = dialect.flow[action] ?? "which may ask for nothing"
      report.looser(
        fallback,
        dialect.unmatched[action],
        `What no rule matches goes through the tool's own flow, ${flow}.`,
      )
    } else {
      for (const entry of dialect.every[action]) lists[fallback.effect].add(entry)
      floors[action] = fallback.effect
    }
  }
  const hasOpen = [...lists.allow].some((entry) => entry.startsWith("Bash(") && entry.endsWith(" *)"))
  if (hasOpen) for (const sign of ["$", "`", "<"]) lists.ask.add(`Bash(*${sign}*)`)
  const hasAllows = [...lists.allow].some((entry) => entry.startsWith("Bash("))
  reportCommands(compiling, hasAllows ? "allow" : floors.shell)
  return { allow: [...lists.allow], ask: [...lists.ask], deny: [...lists.deny] }
}

function floorOf({ policy }: Compiling, action: RuleAction, dialect: Dialect): Effect {
  const fallback = policy.defaults[action]?.effect ?? "allow"
  const isHeld = rulesOn(policy, action).every(({ effect }) => !isStricter(fallback, effect))
  const unmatched = isHeld && fallback !== "allow" ? fallback : dialect.unmatched[action]
  return mildestOf(policy, action, unmatched)
}

function toShellRules(rule: ToolRule, compiling: Compiling, dialect: Dialect): readonly string[] {
  const { policy, report } = compiling
  if (rule.effect === "allow") {
    const plain = toPlainCommand(rule.pattern)
    if (plain === null || (plain.isOpen && !dialect.hasOpenAllows)) {
      report.stricter(rule, "ask", "The tool would take more commands for it than it names; left out.", false)
      return []
    }
    if (meetsStricter(policy, rule, plain)) {
      report.stricter(rule, "ask", "It meets a rule that the tool reads more narrowly; left out.", false)
      return []
    }
    return [`Bash(${plain.words.join(" ")}${plain.isOpen ? " *" : ""})`]
  }
  const spellings = toSpellings(rule.pattern)
  if (spellings.length === 0) return dialect.every.shell
  const floor = floorOf(compiling, "shell", dialect)
  report.looser(
    rule,
    floor,
    "Held for commands that begin as written, flags in every order; other flags between, other folders of the program and PowerShell pass.",
  )
  return spellings
    .map((words) => words.join(" "))
    .filter((text) => !/[()\\]/.test(text))
    .map((text) => `Bash(${text} *)`)
}

function toPathRules(tool: "Edit" | "Read", rule: ToolRule, compiling: Compiling, dialect: Dialect): readonly string[] {
  const { policy, report } = compiling
  const action = tool === "Edit" ? "edit" : "read"
  const form = toPathForm(rule.pattern, rule.effect)
  const isBoundOutside = rulesOn(policy, action).some(({ pattern }) => pattern === "../**")
  if (form?.space === "everything" && !(rule.effect === "allow" && isBoundOutside)) return dialect.every[action]
  if (rule.effect === "allow") {
    // A pattern for a file is one for all beneath a folder of that name, too.
    if (
      form === null ||
      form.space === "everything" ||
      form.space === "outside" ||
      (isBoundOutside && (form.space === "home" || form.space === "absolute")) ||
      !isPlainTree(form.glob) ||
      !form.glob.endsWith("/**")
    ) {
      report.stricter(rule, "ask", "The tool would take more files for it than it names; left out.", false)
      return []
    }
    const text = form.space === "floating" ? `**/${form.glob}` : form.glob
    return [`${tool}(${form.space === "home" ? `~/${text}` : form.space === "absolute" ? absolute(text) : text})`]
  }
  const floor = floorOf(compiling, action, dialect)
  if (form === null) {
    report.looser(rule, floor, "Its pattern has more in it than the tool's patterns can say; left out.")
    return []
  }
  if (form.space === "outside") {
    report.looser(rule, dialect.outside[action].effect, dialect.outside[action].what)
    return []
  }
  report.looser(rule, floor, "Held for letters of the case as written.")
  const { space, glob } = form
  if (space === "home") return [`${tool}(~/${glob})`]
  if (space === "absolute") return [`${tool}(${absolute(glob)})`]
  return space === "floating" ? [`${tool}(//**/${glob})`] : [`${tool}(${glob})`, `${tool}(//${glob})`]
}

/** From the root of the file system; a drive is a folder there. */
function absolute(path: string): string {
  return `/${path.replace(/^([A-Za-z]):/, (_, drive: string) => `/${drive.toLowerCase()}`)}`
}

function toWebRules(rule: ToolRule, compiling: Compiling, dialect: Dialect): readonly string[] {
  const { report } = compiling
  const { host, port, path } = toWebForm(rule.pattern)
  if (host === "*" && path === null && (port === null || port === "*")) return dialect.every.web
  if (rule.effect === "allow") {
    if (port !== "*" || path !== null || !isPlainHost(host)) {
      report.stricter(
        rule,
        "ask",
        "The tool would take every port and path of the host; left out. Write host:* to allow the host on every port.",
        false,
      )
      return []
    }
    return [`WebFetch(domain:${host})`]
  }
  const floor = floorOf(compiling, "web", dialect)
  if (port !== null || path !== null) report.stricter(rule, rule.effect, "Held for every port and path of the host.")
  if (host.slice(host.startsWith("*.") ? 2 : 0).includes("*")) {
    report.looser(rule, floor, "A star between dots is text without a dot to the tool.")
  }
  return [`WebFetch(domain:${host})`]
}

function toMcpRules(rule: ToolRule, compiling: Compiling, dialect: Dialect): readonly string[] {
  const { report } = compiling
  const { server, tool } = toMcpForm(rule.pattern)
  if (server === "*" && tool === "*") {
    if (rule.effect !== "allow") return dialect.every.mcp
    report.stricter(rule, "ask", "The tool takes no allow for every server.", false)
    return []
  }
  if (rule.effect === "allow") {
    if (!isPlainServer(server) || (tool !== "*" && !isPlainName(tool))) {
      report.stricter(rule, "ask", "The tool's names for it could be another's; left out.", false)
      return []
    }
    return [tool === "*" ? `mcp__${server}` : `mcp__${server}__${tool}`]
  }
  report.looser(
    rule,
    floorOf(compiling, "mcp", dialect),
    "Held for the name as written: the server's host or package under another name, and other spellings, pass.",
  )
  const name = server.replace(/[^A-Za-z0-9_*-]/g, "_")
  return [tool === "*" && !name.includes("*") ? `mcp__${name}` : `mcp__${name}__${tool}`]
}

function toAgentRules(rule: ToolRule, compiling: Compiling, dialect: Dialect): readonly string[] {
  const { report } = compiling
  const name = rule.pattern.trim()
  if (name === "*") return dialect.every.subagent
  if (rule.effect === "allow") {
    if (isPlainName(name)) return [`Agent(${name})`]
    report.stricter(rule, "ask", "The tool takes plain names only; left out.", false)
    return []
  }
  const floor = floorOf(compiling, "subagent", dialect)
  if (!/^[\w-]+$/.test(name)) {
    report.looser(rule, floor, "The tool takes plain names only; left out.")
    return []
  }
  report.looser(rule, floor, "Held for letters of the case as written.")
  return [`Agent(${name})`]
}

/** A server list in the form of Claude Code's and Copilot's managed settings. */
export function toServerEntry(name: string, identity: McpIdentity | undefined): object {
  if (identity === undefined) return { serverName: name }
  return "url" in identity ? { serverUrl: identity.url } : { serverCommand: identity.command }
}

/** The servers that rules below a default of deny are about; null when there is no such default. */
export function toAllowedServers({ policy, report }: Compiling): readonly string[] | null {
  const fallback = policy.defaults.mcp
  if (fallback?.effect !== "deny") return null
  const servers = new Set<string>()
  for (const rule of rulesOn(policy, "mcp")) {
    if (rule.effect === "deny") continue
    const { server } = toMcpForm(rule.pattern)
    if (server.includes("*")) report.stricter(rule, "deny", "A list of servers takes names, not patterns; left out.")
    else servers.add(server)
  }
  return [...servers]
}

function toMcpLists(compiling: Compiling): object {
  const servers = toAllowedServers(compiling)
  if (servers === null) return {}
  return {
    allowManagedMcpServersOnly: true,
    allowedMcpServers: servers.map((name) => toServerEntry(name, compiling.options.mcpServers?.[name])),
  }
}

/** Belay's names of providers by Claude Code's; `customEndpoint` and `gateway` can be any provider. */
const PROVIDERS: Readonly<Record<string, readonly string[]>> = {
  anthropic: ["anthropic", "anthropicAws"],
  "aws.bedrock": ["bedrock", "mantle"],
  "gcp.vertex_ai": ["vertex"],
  "azure.ai.openai": ["foundry"],
}

function toModelSettings({ models, report }: Compiling): object {
  if (models === null) return {}
  const claude = KNOWN_MODELS["anthropic"] ?? []
  const providers = Object.keys(PROVIDERS)
  const isUsable = (model: string, provider: string): boolean => models.effectOf(model, provider) === "allow"
  const offered = [...new Set([...claude, ...models.known.filter((name) => name.startsWith("claude-"))])]
  const usable = offered.filter((model) => providers.some((provider) => isUsable(model, provider)))
  const usedProviders = providers.filter((provider) => usable.some((model) => isUsable(model, provider)))
  // The list takes a name for every name that begins with it.
  const listed = usable.filter(
    (model) => !offered.some((other) => other.startsWith(`${model}-`) && !usable.includes(other)),
  )
  const isCross = listed.some((model) => usedProviders.some((provider) => !isUsable(model, provider)))
  for (const subject of models.subjects) {
    report.looser(
      subject,
      isCross || usable.length === 0 ? "allow" : "deny",
      usable.length === 0
        ? "No model of this tool may be used: the tool should not be, but its settings leave its default model."
        : "Models and providers are listed apart, so that a model that one provider may run passes for all listed.",
    )
    if (listed.length < usable.length) {
      report.stricter(subject, "deny", `Not offered, since the names begin others: ${missing(usable, listed)}.`)
    }
  }
  report.note(
    "allowedProviders, deniedModels and blockWritesOutsideWorkingDirectories take effect from about Claude Code 2.1.329 on; availableModels earlier.",
  )
  const isAnyModel = [...models.known, UNKNOWN_MODEL].every((model) =>
    providers.every((provider) => isUsable(model, provider)),
  )
  // Any provider at all may stand behind an endpoint of a person's own.
  const isAnyProvider = [...Object.keys(KNOWN_PROVIDERS), UNKNOWN_PROVIDER].every((provider) =>
    isUsable(usable[0] ?? UNKNOWN_MODEL, provider),
  )
  const denied = offered.filter((model) => !usable.includes(model))
  return {
    ...(!isAnyModel && { availableModels: listed, enforceAvailableModels: true }),
    ...(denied.length > 0 && { deniedModels: denied }),
    ...(!isAnyProvider && { allowedProviders: usedProviders.flatMap((provider) => PROVIDERS[provider] ?? []) }),
  }
}

function missing(all: readonly string[], kept: readonly string[]): string {
  return all.filter((name) => !kept.includes(name)).join(", ")
}
