/** Cursor's hooks, its editor's lists and its command line's permissions. */
import type { Effect } from "../vocabulary.ts"
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
import {
  isPlainHost,
  isPlainName,
  isPlainServer,
  isPlainTree,
  toMcpForm,
  toPathForm,
  toWebForm,
} from "./target-forms.ts"
import { reportSections, type ToolRule } from "./tool-policy.ts"

/** The events in which the hook decides. */
const HOOK_EVENTS = ["beforeShellExecution", "beforeMCPExecution", "beforeReadFile", "preToolUse", "subagentStart"]
/** Seconds. */
const HOOK_TIMEOUT = 5

const EVERY = {
  shell: "Shell(**)",
  edit: "Write(**)",
  read: "Read(**)",
  web: "WebFetch(*)",
  mcp: "Mcp(*:*)",
} as const

/**
 * Compiles to `hooks.json` for the editor and the command line, `permissions.json` for the editor, and `cli-config.json`
 * for the command line. In the last deny beats allow, and what neither names is asked, so that an ask is written by
 * writing nothing.
 *
 * @see https://cursor.com/docs/reference/permissions, https://cursor.com/docs/cli/reference/permissions and
 * https://cursor.com/docs/agent/hooks, read in November 2026.
 */
export function compileCursor(compiling: Compiling): readonly NativeFile[] {
  const { bundle, policy, models, options, report } = compiling
  const allow = new Set<string>()
  const deny = new Set<string>()
  for (const rule of policy.rules) {
    if (rule.effect === "allow" && rule.action !== "shell" && isAskedBeside(compiling, rule)) {
      leftOut(rule, compiling)
      continue
    }
    const written = toCliRules(rule, compiling)
    if (rule.effect !== "ask") for (const entry of written) (rule.effect === "deny" ? deny : allow).add(entry)
  }
  for (const action of ["shell", "edit", "read", "web", "mcp"] as const) {
    const fallback = policy.defaults[action]
    if (fallback?.effect === "allow") {
      report.stricter(fallback, "ask", "What no list names is asked.", false)
    } else if (fallback?.effect === "deny" && rulesOn(policy, action).every(({ effect }) => effect === "deny")) {
      deny.add(EVERY[action])
    } else if (fallback !== undefined) {
      report.looser(fallback, "ask", "What no list names is asked; a denial of everything would beat the milder rules.")
    }
  }
  const subagent = policy.defaults.subagent
  if (subagent !== undefined) report.looser(subagent, "allow", "The lists have nothing on agents.")
  const hasShellAllows = [...allow].some((entry) => entry.startsWith("Shell("))
  const isShellDenied = deny.has(EVERY.shell)
  reportCommands(compiling, hasShellAllows ? "allow" : isShellDenied ? "deny" : "ask")
  reportModels(models, report, "Which models may be used is set in the team's dashboard.")
  reportSections(bundle, report, null)
  report.note(
    "In the editor the lists save prompts and deny nothing: what is denied there, the hook denies. The lists of the team's dashboard win over permissions.json.",
  )
  const isBound = isBinding(policy)
  const tools = rulesOn(policy, "mcp")
    .filter((rule) => rule.effect === "allow" && !isAskedBeside(compiling, rule))
    .flatMap(({ pattern }) => {
      const { server, tool } = toMcpForm(pattern)
      return isPlainServer(server) && (tool === "*" || isPlainName(tool)) ? [`${server}:${tool}`] : []
    })
  const files: NativeFile[] = []
  if (options.belay !== undefined) {
    const hook = { command: `${options.belay} hook cursor`, timeout: HOOK_TIMEOUT, failClosed: true }
    files.push({
      name: "hooks.json",
      paths: {
        linux: "/etc/cursor/hooks.json",
        macos: "/Library/Application Support/Cursor/hooks.json",
        windows: "C:\\ProgramData\\Cursor\\hooks.json",
      },
      format: "json",
      contents: toJson({ version: 1, hooks: Object.fromEntries(HOOK_EVENTS.map((event) => [event, [hook]])) }),
      delivery:
        "By device management, or from the team's dashboard; these hooks come before a team's, project's and person's.",
    })
  }
  files.push(
    {
      name: "permissions.json",
      paths: {
        linux: "~/.cursor/permissions.json",
        macos: "~/.cursor/permissions.json",
        windows: "~\\.cursor\\permissions.json",
      },
      format: "json",
      // An empty list lets nothing run unasked, and takes the place of the person's own list.
      contents: toJson(isBound ? { terminalAllowlist: [], mcpAllowlist: tools } : {}),
      delivery:
        "Copied for each person, who can change it; the same lists can be set in the team's dashboard, where nobody else can.",
    },
    {
      name: "cli-config.json",
      paths: {
        linux: "~/.cursor/cli-config.json",
        macos: "~/.cursor/cli-config.json",
        windows: "~\\.cursor\\cli-config.json",
      },
      format: "json",
      contents: toJson({ permissions: { allow: [...allow], deny: [...deny] } }),
      delivery: "Merged into each person's file, who can change it; or as .cursor/cli.json in a repository.",
    },
  )
  return files
}

function toCliRules(rule: ToolRule, compiling: Compiling): readonly string[] {
  const { report } = compiling
  switch (rule.action) {
    case "shell":
      return toShellRules(rule, compiling)
    case "edit":
      return toPathRules("Write", rule, compiling)
    case "read":
      return toPathRules("Read", rule, compiling)
    case "web":
      return toWebRules(rule, compiling)
    case "mcp":
      return toMcpRules(rule, compiling)
    case "subagent":
      if (rule.effect === "allow") report.stricter(rule, "ask", "The lists have nothing on agents.", false)
      else report.looser(rule, "allow", "The lists have nothing on agents.")
      return []
    case "model":
      return []
  }
}

/** Whether a rule asks about actions of the same kind: the lists have no ask that would beat an allow. */
function isAskedBeside({ policy }: Compiling, { action }: ToolRule): boolean {
  return rulesOn(policy, action).some(({ effect }) => effect === "ask")
}

function leftOut(rule: ToolRule, { report }: Compiling): readonly string[] {
  report.stricter(rule, "ask", "The tool may take more for it than it names; left out.", false)
  return []
}

/** What a deny that is held in part leaves: what it does not match is asked. */
const REST: Effect = "ask"

function toShellRules(rule: ToolRule, compiling: Compiling): readonly string[] {
  const { policy, report } = compiling
  if (rule.effect === "allow") {
    const plain = toPlainCommand(rule.pattern)
    if (plain === null || plain.isOpen || plain.words.some((word) => word.includes(":")))
      return leftOut(rule, compiling)
    if (meetsStricter(policy, rule, plain)) {
      report.stricter(rule, "ask", "It meets a rule that the tool reads more narrowly; left out.", false)
      return []
    }
    const [head = "", ...rest] = plain.words
    // Without words after it, a program's name stands for every use of it.
    return rest.length === 0 ? leftOut(rule, compiling) : [`Shell(${head}:${rest.join(" ")})`]
  }
  if (rule.effect === "ask") return []
  const spellings = toSpellings(rule.pattern)
  if (spellings.length === 0) return [EVERY.shell]
  report.looser(rule, REST, "Held for commands that begin as written, flags in every order; others are asked.")
  return spellings
    .filter((words) => !/[():]/.test(words.join("")))
    .map(([head = "", ...rest]) => (rest.length === 0 ? `Shell(${head})` : `Shell(${head}:${rest.join(" ")}*)`))
}

function toPathRules(tool: "Write" | "Read", rule: ToolRule, compiling: Compiling): readonly string[] {
  const { policy, report } = compiling
  const form = toPathForm(rule.pattern, rule.effect)
  if (rule.effect === "ask") return []
  if (form?.space === "everything") {
    return rule.effect === "deny" ? [`${tool}(**)`] : leftOut(rule, compiling)
  }
  if (rule.effect === "allow") {
    const isTold = form !== null && isPlainTree(form.glob) && (form.space === "inside" || form.space === "absolute")
    return isTold ? [`${tool}(${form.glob})`] : leftOut(rule, compiling)
  }
  if (form === null || form.space === "outside" || form.space === "home") {
    report.looser(rule, mildestOf(policy, rule.action, REST), "The tool's patterns cannot say it; it asks.")
    return []
  }
  report.looser(
    rule,
    mildestOf(policy, rule.action, REST),
    "Held for letters of the case as written, in the workspace; others are asked.",
  )
  const glob = form.glob.replace(/\/\*\*$/, "")
  const start = form.space === "floating" ? "**/" : ""
  return [`${tool}(${start}${glob})`, `${tool}(${start}${glob}/**)`]
}

function toWebRules(rule: ToolRule, compiling: Compiling): readonly string[] {
  const { policy, report } = compiling
  const { host, port, path } = toWebForm(rule.pattern)
  if (rule.effect === "ask") return []
  if (rule.effect === "allow") {
    return port === "*" && path === null && isPlainHost(host) ? [`WebFetch(${host})`] : leftOut(rule, compiling)
  }
  if (host === "*" && path === null && (port === null || port === "*")) return [EVERY.web]
  report.looser(rule, mildestOf(policy, "web", REST), "Held for the host as written; others are asked.")
  return [`WebFetch(${host})`]
}

function toMcpRules(rule: ToolRule, compiling: Compiling): readonly string[] {
  const { policy, report } = compiling
  const { server, tool } = toMcpForm(rule.pattern)
  if (rule.effect === "ask") return []
  if (rule.effect === "allow") {
    const isTold = isPlainServer(server) && (tool === "*" || isPlainName(tool))
    return isTold ? [`Mcp(${server}:${tool})`] : leftOut(rule, compiling)
  }
  if (server === "*" && tool === "*") return [EVERY.mcp]
  report.looser(rule, mildestOf(policy, "mcp", REST), "Held for the name as written; others are asked.")
  return [`Mcp(${server}:${tool})`]
}
