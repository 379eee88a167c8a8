/** Copilot CLI's managed settings and the policies of VS Code. */
import type { Effect } from "../vocabulary.ts"
import { toAllowedServers, toServerEntry } from "./claude-code.ts"
import { reportModels } from "./model-plan.ts"
import {
  type Compiling,
  isBinding,
  mildestOf,
  type NativeFile,
  reportCommands,
  meetsStricter,
  rulesOn,
  toJson,
} from "./native-file.ts"
import { toPlainCommand, toSpellings } from "./shell-forms.ts"
import { isPlainHost, isPlainTree, toMcpForm, toPathForm, toWebForm } from "./target-forms.ts"
import { reportSections, type ToolRule } from "./tool-policy.ts"

/**
 * Compiles to Copilot CLI's `managed-settings.json`. Deny beats ask beats allow, and as soon as one rule is there, what
 * no rule matches is asked.
 *
 * @see https://docs.github.com/en/copilot/reference/enterprise-managed-settings-reference, read in November 2026. How a
 * rule takes commands of several parts is not documented, hence no allow with a star.
 */
export function compileCopilotCli(compiling: Compiling): readonly NativeFile[] {
  const { bundle, policy, models, report } = compiling
  const lists: Record<Effect, Set<string>> = { allow: new Set(), ask: new Set(), deny: new Set() }
  for (const rule of policy.rules) {
    for (const entry of toCopilotRules(rule, compiling)) lists[rule.effect].add(entry)
  }
  for (const [action, text] of [
    ["edit", "Edit(//**)"],
    ["read", "Read(//**)"],
  ] as const) {
    const fallback = policy.defaults[action]
    if (fallback?.effect !== "deny") continue
    if (rulesOn(policy, action).every(({ effect }) => effect === "deny")) lists.deny.add(text)
    else report.looser(fallback, "ask", "What no rule matches is asked; a rule for all would beat the milder rules.")
  }
  for (const action of ["shell", "web"] as const) {
    const fallback = policy.defaults[action]
    if (fallback !== undefined) report.looser(fallback, "ask", "The tool has no rule for all of these; it asks.")
  }
  for (const action of ["shell", "edit", "read", "web"] as const) {
    const fallback = policy.defaults[action]
    if (fallback?.effect === "allow") report.stricter(fallback, "ask", "What no rule matches is asked.")
  }
  const subagent = policy.defaults.subagent
  if (subagent !== undefined) report.looser(subagent, "allow", "The tool's settings have no rules on agents.")
  const isBound = isBinding(policy)
  // One rule is what makes the tool ask where none matches; nothing goes by this name.
  if (isBound && Object.values(lists).every((list) => list.size === 0)) lists.ask.add("Domain(belay.invalid)")
  if (isBound) report.note("Copilot CLI asks for every command, file and address that no rule of these matches.")
  reportCommands(compiling, lists.allow.size > 0 ? "allow" : isBound ? "ask" : "allow")
  reportModels(models, report, "Which models may be used is set on github.com.")
  reportSections(bundle, report, "Its mode that asks for nothing is off.")
  const allowed = toServerLists(compiling)
  const settings = {
    permissions: {
      ...(isBound && { disableBypassPermissionsMode: "disable" }),
      ...(lists.allow.size > 0 && { allow: [...lists.allow] }),
      ...(lists.ask.size > 0 && { ask: [...lists.ask] }),
      ...(lists.deny.size > 0 && { deny: [...lists.deny] }),
    },
    ...allowed,
  }
  return [
    {
      name: "managed-settings.json",
      paths: {
        linux: "/etc/github-copilot/managed-settings.json",
        macos: "/Library/Application Support/GitHubCopilot/managed-settings.json",
        windows: "%ProgramFiles%\\GitHubCopilot\\managed-settings.json",
      },
      format: "json",
      contents: toJson(settings),
      delivery:
        "By device management, or as the enterprise's managed settings on github.com. VS Code reads the lists of MCP servers from the same file.",
    },
  ]
}

/** What becomes of what no rule matches. */
const REST: Effect = "ask"

function toCopilotRules(rule: ToolRule, compiling: Compiling): readonly string[] {
  const { report } = compiling
  switch (rule.action) {
    case "shell":
      return toShellRules(rule, compiling)
    case "edit":
      return toPathRules("Edit", rule, compiling)
    case "read":
      return toPathRules("Read", rule, compiling)
    case "web":
      return toDomainRules(rule, compiling)
    case "subagent":
      if (rule.effect === "allow") report.stricter(rule, "ask", "The tool's settings have no rules on agents.")
      else report.looser(rule, "allow", "The tool's settings have no rules on agents.")
      return []
    case "mcp":
    case "model":
      return []
  }
}

function toShellRules(rule: ToolRule, { policy, report }: Compiling): readonly string[] {
  if (rule.effect === "allow") {
    const plain = toPlainCommand(rule.pattern)
    if (plain === null || plain.isOpen) {
      report.stricter(rule, "ask", "The tool may take more commands for it than it names; left out.")
      return []
    }
    if (meetsStricter(policy, rule, plain)) {
      report.stricter(rule, "ask", "It meets a rule that the tool reads more narrowly; left out.")
      return []
    }
    return [`Shell(${plain.words.join(" ")})`]
  }
  report.looser(
    rule,
    REST,
    "Held for commands that begin as written, flags in every order; what it does not match is asked.",
  )
  return toSpellings(rule.pattern)
    .map((words) => words.join(" "))
    .filter((text) => !/[()*\\]/.test(text))
    .flatMap((text) => [`Shell(${text})`, `Shell(${text} *)`])
}

function toPathRules(tool: "Edit" | "Read", rule: ToolRule, { policy, report }: Compiling): readonly string[] {
  const form = toPathForm(rule.pattern, rule.effect)
  if (form?.space === "everything") {
    if (rule.effect !== "allow") return [`${tool}(//**)`]
    report.stricter(rule, "ask", "The engine looks at every file; left out.")
    return []
  }
  if (rule.effect === "allow") {
    if (form === null || form.space === "outside" || !isPlainTree(form.glob)) {
      report.stricter(rule, "ask", "The tool may take more files for it than it names; left out.")
      return []
    }
    const { space, glob } = form
    const text = space === "home" ? `~/${glob}` : `/${glob}`
    return [`${tool}(${text})`]
  }
  if (form === null || form.space === "outside") {
    report.looser(rule, mildestOf(policy, rule.action, REST), "The tool's patterns cannot say it; it asks.")
    return []
  }
  report.looser(
    rule,
    mildestOf(policy, rule.action, REST),
    "Held for letters of the case as written; what it does not match is asked.",
  )
  const glob = form.glob.replace(/\/\*\*$/, "")
  const starts = { home: ["~/"], absolute: ["/"], inside: ["/", "//"], floating: ["//**/"] } as const
  return starts[form.space].flatMap((start) => [`${tool}(${start}${glob})`, `${tool}(${start}${glob}/**)`])
}

function toDomainRules(rule: ToolRule, { policy, report }: Compiling): readonly string[] {
  const { host, port, path } = toWebForm(rule.pattern)
  if (rule.effect === "allow") {
    if (port === null && path === null && isPlainHost(host)) return [`Domain(${host})`]
    report.stricter(rule, "ask", "The tool may take more addresses for it than it names; left out.")
    return []
  }
  report.looser(rule, mildestOf(policy, "web", REST), "Held for the host by https; what it does not match is asked.")
  if (port !== null || path !== null) report.stricter(rule, rule.effect, "Held for every path of the host.")
  return host.replace(/^\*\./, "").includes("*") ? [] : [`Domain(${host})`]
}

function toServerLists(compiling: Compiling): object {
  const { policy, options, report } = compiling
  const servers = toAllowedServers(compiling)
  const identified = (names: readonly string[]): readonly object[] =>
    names.flatMap((name) => {
      const identity = options.mcpServers?.[name]
      if (identity === undefined) {
        report.note(`Copilot takes a server by its address or command: ${name} is left out until one is given.`)
        return []
      }
      return [toServerEntry(name, identity)]
    })
  const denied: string[] = []
  const fallback = policy.defaults.mcp
  for (const rule of rulesOn(policy, "mcp")) {
    const { server, tool } = toMcpForm(rule.pattern)
    if (rule.effect === "allow") {
      report.stricter(rule, "ask", "The tool's settings let a server be used; they do not spare a prompt.")
    } else {
      if (rule.effect === "deny" && tool === "*" && !server.includes("*")) denied.push(server)
      report.looser(
        rule,
        "allow",
        "The tool's settings list servers by address or command, and have no rules on tools.",
      )
    }
    if (rule.effect !== "deny" && fallback?.effect === "deny") {
      report.looser(fallback, "allow", "A listed server's tools are all let through.")
    }
  }
  if (fallback?.effect === "ask") report.looser(fallback, "allow", "The tool's settings have no default for this.")
  const deniedServers = identified(denied)
  return {
    ...(servers !== null && { allowedMcpServers: identified(servers) }),
    ...(deniedServers.length > 0 && { deniedMcpServers: deniedServers }),
  }
}

/**
 * Compiles to the policies of VS Code, which decide what is approved without a person. They can make it ask, and forbid
 * no command, file or address.
 *
 * @see https://code.visualstudio.com/docs/enterprise/ai-settings and https://code.visualstudio.com/docs/agents/run/approvals,
 * read in November 2026.
 */
export function compileVscodeCopilot(compiling: Compiling): readonly NativeFile[] {
  const { bundle, policy, models, report } = compiling
  const isBound = isBinding(policy)
  const binds = (action: "shell" | "web" | "mcp"): boolean =>
    [policy.defaults[action], ...rulesOn(policy, action)].some(
      (entry) => entry !== undefined && entry.effect !== "allow",
    )
  const servers = toAllowedServers(compiling)
  const isWithoutServers = servers !== null && servers.length === 0
  for (const subject of [...policy.rules, ...Object.values(policy.defaults)]) {
    const { action, effect } = subject
    if (effect === "allow") {
      report.stricter(subject, "ask", "The policies can approve nothing; a person's own settings can.")
    } else if (action === "shell") {
      report.looser(subject, "ask", "Every command is asked; none can be denied.")
    } else if (action === "web") {
      report.looser(subject, "ask", "Every address is asked; none can be denied.")
    } else if (action === "mcp" && isWithoutServers) {
      continue
    } else if (action === "mcp") {
      report.looser(
        subject,
        "ask",
        "Every tool of a server is asked; none can be denied. Servers can be listed in a registry.",
      )
    } else if (action !== "model") {
      report.looser(subject, "allow", "The policies do not reach it.")
    }
  }
  reportCommands(compiling, binds("shell") ? "ask" : "allow")
  reportModels(models, report, "Which models may be used is set on github.com.")
  reportSections(bundle, report, "Approving everything is off.")
  const eligible = {
    ...(binds("shell") && { runInTerminal: false, runTask: false }),
    ...(binds("web") && { fetch: false }),
  }
  const settings = {
    ...(isBound && { ChatToolsAutoApprove: false }),
    ...(binds("shell") && { ChatToolsTerminalEnableAutoApprove: false }),
    ...(Object.keys(eligible).length > 0 && { ChatToolsEligibleForAutoApproval: JSON.stringify(eligible) }),
    ...(isWithoutServers && { ChatMCP: "none" }),
  }
  if (servers !== null && servers.length > 0) {
    report.note("To list servers, set ChatMCP to registryOnly and McpGalleryServiceUrl to a registry of your own.")
  }
  return [
    {
      name: "policy.json",
      paths: { linux: "/etc/vscode/policy.json", macos: null, windows: null },
      format: "json",
      contents: toJson(settings),
      delivery:
        "On Linux as this file, from VS Code 1.106 on. On Windows the same names and values under Software\\Policies\\Microsoft\\VSCode by group policy; on macOS in a configuration profile.",
    },
  ]
}
