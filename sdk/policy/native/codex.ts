/** Codex's requirements and rules. */
import { stringify } from "smol-toml"
import { toMcpNames, toMcpPattern } from "../targets.ts"
import type { Effect } from "../vocabulary.ts"
import { starsToRegex } from "../wildcard.ts"
import { toAllowedServers } from "./claude-code.ts"
import { reportModels } from "./model-plan.ts"
import {
  type Compiling,
  isBinding,
  meetsStricter,
  type NativeFile,
  type NativeOptions,
  reportCommands,
  rulesOn,
} from "./native-file.ts"
import { isStricter } from "./report.ts"
import { toPlainCommand, toSpellings } from "./shell-forms.ts"
import { toMcpForm, toPathForm } from "./target-forms.ts"
import { forbidsMode, reportSections, type ToolRule } from "./tool-policy.ts"

/** A rule on how a command begins, word by word. */
interface PrefixRule {
  readonly pattern: readonly ({ readonly token: string | undefined } | { readonly any_of: readonly string[] })[]
  readonly decision: "prompt" | "forbidden"
  readonly justification: string
}

/**
 * Compiles to `requirements.toml`, which nobody can loosen, and a file of rules for what is allowed, which requirements
 * may not do. Of all rules that match, the strictest decides.
 *
 * @see https://developers.openai.com/codex/enterprise/managed-configuration and /rules, read as of May to November 2026;
 * `prefix_rules` were run with `codex execpolicy check` 0.169.0.
 */
export function compileCodex(compiling: Compiling): readonly NativeFile[] {
  const { bundle, policy, models, options, report } = compiling
  const prefixes: PrefixRule[] = []
  const allows: (readonly string[])[] = []
  for (const rule of rulesOn(policy, "shell")) {
    if (rule.effect === "allow") allows.push(...toAllows(rule, compiling))
    else prefixes.push(...toPrefixes(rule, compiling))
  }
  const shell = policy.defaults.shell
  if (shell?.effect === "allow") {
    report.stricter(shell, "ask", "The tool goes on asking where it would by itself.", false)
  } else if (shell !== undefined) {
    report.looser(shell, "allow", "The tool has no rule for every command: it asks except for those it takes for safe.")
  }
  const denied = rulesOn(policy, "read").flatMap((rule) => toDeniedReads(rule, compiling))
  reportDefaults(compiling)
  const isBound = isBinding(policy) || forbidsMode(bundle, ["never", "full-auto"])
  const hasServers = toAllowedServers(compiling)
  const servers = toServers(compiling, hasServers)
  for (const rule of rulesOn(policy, "mcp")) reportMcp(rule, compiling, hasServers)
  reportEdits(compiling)
  for (const action of ["web", "subagent"] as const) {
    for (const rule of rulesOn(policy, action)) {
      if (rule.effect === "allow") report.stricter(rule, "ask", "The tool's files have no rules on this.", false)
      else report.looser(rule, "allow", "The tool's files have no rules on this.")
    }
  }
  reportModels(models, report, "The tool's files set a default model and provider and refuse none.")
  reportSections(bundle, report, "Approval never and the sandbox danger-full-access are off.")
  reportCommands(compiling, "allow")
  const requirements = {
    ...(isBound && {
      allowed_approval_policies: isAskingForAll(compiling) ? ["untrusted"] : ["untrusted", "on-request"],
      allowed_sandbox_modes: isReadOnly(compiling) ? ["read-only"] : ["read-only", "workspace-write"],
      allow_managed_hooks_only: true,
    }),
    ...(policy.defaults.web?.effect === "deny" && rulesOn(policy, "web").every(({ effect }) => effect === "deny")
      ? { allowed_web_search_modes: [] }
      : {}),
    ...(denied.length > 0 && { permissions: { filesystem: { deny_read: [...new Set(denied)] } } }),
    ...(prefixes.length > 0 && { rules: { prefix_rules: prefixes } }),
    ...(servers !== null && { mcp_servers: servers }),
    ...(options.belay !== undefined && {
      features: { hooks: true },
      hooks: {
        PreToolUse: [
          { matcher: ".*", hooks: [{ type: "command", command: `${options.belay} hook codex`, timeout: 5 }] },
        ],
        PermissionRequest: [
          { matcher: ".*", hooks: [{ type: "command", command: `${options.belay} hook codex`, timeout: 5 }] },
        ],
      },
    }),
  }
  if (options.belay !== undefined) {
    report.note(
      "Codex wants hooks.managed_dir to name the folder that the hook's program lies in: add it where that is known.",
    )
  }
  const files: NativeFile[] = [
    {
      name: "requirements.toml",
      paths: {
        linux: "/etc/codex/requirements.toml",
        macos: "/etc/codex/requirements.toml",
        windows: "%ProgramData%\\OpenAI\\Codex\\requirements.toml",
      },
      format: "toml",
      contents: `${stringify(requirements)}\n`,
      delivery:
        "By device management, writable for administrators alone. Cloud-managed requirements win over the file.",
    },
  ]
  if (allows.length > 0) {
    files.push({
      name: "belay.rules",
      paths: {
        linux: "~/.codex/rules/belay.rules",
        macos: "~/.codex/rules/belay.rules",
        windows: "~\\.codex\\rules\\belay.rules",
      },
      format: "starlark",
      contents: allows.map((words) => `prefix_rule(pattern = ${JSON.stringify(words)}, decision = "allow")\n`).join(""),
      delivery:
        "Copied for each person, since requirements may allow nothing. A person can change it; requirements stay stricter.",
    })
  }
  return files
}

/** Whether every command that the tool does not take for safe has to be asked. */
function isAskingForAll({ policy }: Compiling): boolean {
  const effect = policy.defaults.shell?.effect
  return effect === "ask" || effect === "deny"
}

/** Whether nothing may be edited at all. */
function isReadOnly({ policy }: Compiling): boolean {
  const rules = rulesOn(policy, "edit")
  if (rules.some(({ effect, pattern }) => effect === "deny" && pattern === "*")) return true
  return policy.defaults.edit?.effect === "deny" && rules.every(({ effect }) => effect === "deny")
}

function toAllows(rule: ToolRule, { policy, report }: Compiling): readonly (readonly string[])[] {
  const plain = toPlainCommand(rule.pattern)
  if (plain === null || !plain.isOpen) {
    report.stricter(rule, "ask", "The tool takes whatever begins so for it, and more words after; left out.", false)
    return []
  }
  if (meetsStricter(policy, rule, plain)) {
    report.stricter(rule, "ask", "It meets a rule that the tool reads more narrowly; left out.", false)
    return []
  }
  return [plain.words]
}

function toPrefixes(rule: ToolRule, { report }: Compiling): readonly PrefixRule[] {
  const spellings = toSpellings(rule.pattern)
  if (spellings.length === 0) {
    report.looser(rule, "allow", "The tool has no rule for every command; left out.")
    return []
  }
  report.looser(
    rule,
    "allow",
    "Held for commands that begin as written, flags in every order; other flags between, other folders of the program and scripts within scripts pass.",
  )
  const decision = rule.effect === "deny" ? "forbidden" : "prompt"
  return merged(spellings.filter((words) => !words.some((word) => word.includes("*")))).map((tokens) => ({
    pattern: tokens.map((choice) => (choice.length === 1 ? { token: choice[0] } : { any_of: choice })),
    decision,
    justification: rule.reason ?? `Belay: ${rule.ruleId}`,
  }))
}

/** Lists of words as lists of choices of words, of which as few as differ in one place at a time make. */
function merged(spellings: readonly (readonly string[])[]): readonly (readonly (readonly string[])[])[] {
  let lists: readonly (readonly (readonly string[])[])[] = spellings.map((words) => words.map((word) => [word]))
  const longest = Math.max(0, ...spellings.map(({ length }) => length))
  for (let at = longest - 1; at >= 0; at--) {
    const alike = new Map<string, (typeof lists)[number][]>()
    for (const list of lists) {
      const rest = JSON.stringify([list.length, list.toSpliced(at, 1)])
      alike.set(rest, [...(alike.get(rest) ?? []), list])
    }
    lists = [...alike.values()].map(([first = [], ...others]) => {
      const choices = [first, ...others].flatMap((list) => list[at] ?? [])
      return at < first.length ? first.with(at, choices) : first
    })
  }
  return lists
}

function toDeniedReads(rule: ToolRule, { report }: Compiling): readonly string[] {
  if (rule.effect === "allow") {
    report.stricter(rule, "ask", "The tool's files have no rules that allow reading.", false)
    return []
  }
  const form = toPathForm(rule.pattern, rule.effect)
  if (rule.effect === "ask" || form === null || form.space === "outside" || form.space === "everything") {
    report.looser(rule, "allow", "The tool's files deny single paths and patterns, and cannot ask; left out.")
    return []
  }
  report.looser(rule, "allow", "Held for letters of the case as written, where the tool's sandbox runs.")
  const glob = form.glob.replace(/\/\*\*$/, "")
  if (form.space === "home") return [`~/${glob}`, `~/${glob}/**`]
  if (form.space === "absolute") return [glob, `${glob}/**`]
  if (form.space === "inside") report.stricter(rule, "deny", "Held at every depth and in every folder.")
  return [`/**/${glob}`, `/**/${glob}/**`]
}

function reportDefaults({ policy, report }: Compiling): void {
  const mcp = policy.defaults.mcp
  if (mcp?.effect === "ask") report.looser(mcp, "allow", "The tool's files have no default for this.")
  for (const action of ["read", "web", "subagent"] as const) {
    const fallback = policy.defaults[action]
    if (fallback === undefined || fallback.effect === "allow") continue
    report.looser(fallback, "allow", "The tool's files have no default for this.")
  }
}

function reportEdits({ policy, report }: Compiling): void {
  for (const rule of rulesOn(policy, "edit")) {
    if (rule.effect === "allow") {
      report.stricter(rule, "ask", "The tool's files have no rules on single files.", false)
    } else if (rule.effect === "deny" && (rule.pattern === "../**" || rule.pattern === "*")) {
      report.looser(rule, "ask", "Held by the sandbox, beyond which the tool asks.")
    } else {
      report.looser(rule, "allow", "The tool's files have no rules on single files; the sandbox allows the workspace.")
    }
  }
  const fallback = policy.defaults.edit
  if (fallback === undefined || fallback.effect === "allow") return
  const isHeld = fallback.effect === "deny" && rulesOn(policy, "edit").every(({ effect }) => effect === "deny")
  report.looser(fallback, isHeld ? "ask" : "allow", "The sandbox is for all files at once; beyond it the tool asks.")
}

function toServers({ options, report }: Compiling, names: readonly string[] | null): object | null {
  if (names === null) return null
  const servers: Record<string, object> = {}
  for (const name of names) {
    const known = options.mcpServers?.[name]
    if (known === undefined) {
      report.note(`Codex takes a server by its address or command: ${name} is left out until one is given.`)
    } else {
      servers[name] = { identity: "url" in known ? { url: known.url } : { command: known.command[0] ?? "" } }
      if ("command" in known) {
        report.note(
          `Codex compares only the program of ${name}: start it by a program of its own, or any other passes.`,
        )
      }
    }
  }
  return servers
}

/** Whether a server that the tool lets run can be one of the pattern's; a listed program runs any server. */
function isLetThrough(server: string, listed: readonly string[], known: NativeOptions["mcpServers"]): boolean {
  const pattern = starsToRegex(toMcpPattern(`${server}/*`), "s")
  return listed.some((name) => {
    const identity = known?.[name]
    if (identity === undefined) return false
    if ("command" in identity) return true
    return toMcpNames({ kind: "mcp", server: name, tool: "any", url: identity.url }).some((text) => pattern.test(text))
  })
}

function reportMcp(rule: ToolRule, { policy, options, report }: Compiling, servers: readonly string[] | null): void {
  const { server, tool } = toMcpForm(rule.pattern)
  const fallback = policy.defaults.mcp
  if (rule.effect === "allow") {
    report.stricter(rule, "ask", "The tool's files let a server be used; they do not spare a prompt.", false)
  } else {
    const isUnlisted = servers !== null && !isLetThrough(server, servers, options.mcpServers)
    const mildest: Effect = isUnlisted && isStricter("deny", rule.effect) ? rule.effect : "allow"
    report.looser(rule, mildest, "The tool's files list servers that may run, and have no rules on their tools.")
  }
  if (fallback?.effect === "deny" && rule.effect !== "deny") {
    report.looser(
      fallback,
      "allow",
      tool === "*" ? "A listed server's tools are all let through." : "A server is listed with all its tools.",
    )
  }
}
