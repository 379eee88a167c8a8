/** Gemini CLI's administrator policies and system settings. */
import { stringify } from "smol-toml"
import type { Effect, RuleAction } from "../vocabulary.ts"
import { reportModels } from "./model-plan.ts"
import {
  type Compiling,
  isBinding,
  isOpening,
  mildestOf,
  type NativeFile,
  reportCommands,
  toAllowed,
  orderedRulesOn,
  rulesOn,
  toJson,
} from "./native-file.ts"
import { isStricter } from "./report.ts"
import { toSpellings } from "./shell-forms.ts"
import { isPlainName, isPlainServer, toMcpForm, toPathForm, toWebForm } from "./target-forms.ts"
import { forbidsMode, reportSections, type ToolRule } from "./tool-policy.ts"

/** The highest of those that match decides, within 0 to 999. */
const PRIORITIES: Readonly<Record<Effect, number>> = { allow: 300, ask: 600, deny: 900 }
const DEFAULT_PRIORITY = 100
const DECISIONS: Readonly<Record<Effect, string>> = { allow: "allow", ask: "ask_user", deny: "deny" }

const SHELL = "run_shell_command"
const EDIT = ["write_file", "replace"]
const READ = ["read_file", "read_many_files", "grep_search", "glob", "list_directory"]
const AGENT = "invoke_agent"
const TOOLS: Readonly<Record<Exclude<RuleAction, "model">, readonly string[]>> = {
  shell: [SHELL],
  edit: EDIT,
  read: READ,
  web: ["web_fetch", "google_web_search"],
  mcp: ["*"],
  subagent: [AGENT],
}

/** A rule of a policy file. One that its schema refuses makes the tool drop the whole file, so `toolName` is always there. */
interface GeminiRule {
  readonly toolName: string | readonly string[]
  readonly mcpName?: string
  readonly commandPrefix?: string | readonly string[]
  readonly commandRegex?: string
  readonly argsPattern?: string
}

/** Longer ones the tool refuses. */
const MAX_REGEX = 2048

/**
 * Compiles to a policy file and `settings.json`.
 *
 * Regexes have no group with a quantifier inside, which the tool takes for unsafe and drops.
 *
 * @see https://github.com/google-gemini/gemini-cli/blob/main/docs/reference/policy-engine.md, and
 * packages/core/src/policy of 0.61.0, whose loader and engine the files were run through.
 */
export function compileGeminiCli(compiling: Compiling): readonly NativeFile[] {
  const { bundle, policy, models, options, report } = compiling
  const rules: object[] = []
  const add = (effect: Effect, priority: number, matches: readonly GeminiRule[], message?: string): void => {
    for (const match of matches) {
      rules.push({
        ...match,
        decision: DECISIONS[effect],
        priority,
        ...(effect === "deny" && message !== undefined && { denyMessage: message }),
      })
    }
  }
  const writers: Readonly<Record<Exclude<RuleAction, "model">, (rule: ToolRule) => readonly GeminiRule[]>> = {
    shell: (rule) => toShellRules(rule, compiling),
    edit: (rule) => toPathRules(rule, EDIT, compiling),
    read: (rule) => toPathRules(rule, READ, compiling),
    web: (rule) => toWebRules(rule, compiling),
    mcp: (rule) => toMcpRules(rule, compiling),
    subagent: (rule) => toAgentRules(rule, compiling),
  }
  let hasShellAllows = false
  for (const action of ["shell", "edit", "read", "web", "mcp", "subagent"] as const) {
    for (const rule of orderedRulesOn(compiling, action)) {
      const written = writers[action](rule)
      add(rule.effect, PRIORITIES[rule.effect], written, rule.reason)
      if (action === "shell" && rule.effect === "allow" && written.length > 0) hasShellAllows = true
    }
    const fallback = policy.defaults[action]
    if (fallback === undefined) continue
    if (action === "shell" && fallback.effect === "allow") {
      report.stricter(fallback, "ask", "The tool goes on asking where it would by itself.", false)
    } else {
      add(fallback.effect, DEFAULT_PRIORITY, everyUse(action))
    }
  }
  reportCommands(compiling, hasShellAllows ? "allow" : floorOf(compiling, "shell"))
  reportModels(models, report, "The tool's settings name a default model and refuse none.")
  const isBound = isBinding(policy) || forbidsMode(bundle, ["yolo"])
  reportSections(bundle, report, "The mode yolo is off; autoEdit cannot be switched off.")
  const allowed = toServers(compiling)
  const settings = {
    ...(allowed !== null && { mcp: { allowed } }),
    // A lasting answer of a person's would be a rule of a lower tier, and these ask anew anyway.
    ...(isBound && { security: { disableYoloMode: true, disableAlwaysAllow: true } }),
    ...(options.belay !== undefined && {
      hooks: {
        BeforeTool: [
          {
            matcher: ".*",
            hooks: [{ name: "belay", type: "command", command: `${options.belay} hook gemini-cli`, timeout: 5000 }],
          },
        ],
      },
    }),
  }
  const where = (linux: string, macos: string, windows: string) => ({
    linux: `/etc/gemini-cli/${linux}`,
    macos: `/Library/Application Support/GeminiCli/${macos}`,
    windows: `C:\\ProgramData\\gemini-cli\\${windows}`,
  })
  return [
    {
      name: "belay.toml",
      paths: where("policies/belay.toml", "policies/belay.toml", "policies\\belay.toml"),
      format: "toml",
      contents: `${stringify({ rule: rules })}\n`,
      delivery:
        "By device management. The folder has to belong to root and be writable for nobody else, or the tool ignores it.",
    },
    {
      name: "settings.json",
      paths: where("settings.json", "settings.json", "settings.json"),
      format: "json",
      contents: toJson(settings),
      delivery: "By device management, writable for administrators alone.",
    },
  ]
}

/** Every use of a kind of tool. With a pattern, since without one the tool allows commands that it takes for safe. */
function everyUse(action: Exclude<RuleAction, "model">): readonly GeminiRule[] {
  if (action === "shell") return [{ toolName: SHELL, argsPattern: '"command":"' }]
  if (action === "mcp") return [{ toolName: "*", mcpName: "*" }]
  return [{ toolName: TOOLS[action] }]
}

function floorOf({ policy }: Compiling, action: RuleAction): Effect {
  return mildestOf(policy, action, policy.defaults[action]?.effect ?? "allow")
}

function escaped(text: string): string {
  return text.replace(/[-[\]{}()*+?.,\\^$|#\s"/]/g, String.raw`\$&`)
}

/** A regex for a text in letters of either case: the tool's regexes take no flags. */
function inAnyCase(text: string): string {
  return escaped(text).replace(/[a-z]/gi, (letter) => `[${letter.toLowerCase()}${letter.toUpperCase()}]`)
}

/** As a text stands within the quotes of JSON. */
function inJson(text: string): string {
  return JSON.stringify(text).slice(1, -1)
}

/** What may follow an allowed command: nothing that a shell reads as more than words. */
const PLAIN_REST = "[A-Za-z0-9 _.:=@,+%/-]*"

function toShellRules(rule: ToolRule, compiling: Compiling): readonly GeminiRule[] {
  const { policy, report } = compiling
  if (isOpening(policy, rule)) {
    const plain = toAllowed(rule, compiling)
    if (plain === null) return []
    const text = plain.words.map(escaped).join(" ")
    // To the closing quote, so that nothing follows.
    const exact = { toolName: SHELL, commandRegex: `${text}"` }
    return plain.isOpen ? [exact, { toolName: SHELL, commandRegex: `${text} ${PLAIN_REST}"` }] : [exact]
  }
  const spellings = toSpellings(rule.pattern)
  if (spellings.length === 0) return everyUse("shell")
  report.looser(
    rule,
    floorOf(compiling, "shell"),
    "Held for commands that begin as written, flags in every order; other flags between and other folders of the program pass.",
  )
  const literal = spellings.filter((words) => !words.some((word) => word.includes("*"))).map((words) => words.join(" "))
  const starred = spellings.filter((words) => words.some((word) => word.includes("*")))
  return [
    ...(literal.length > 0 ? [{ toolName: SHELL, commandPrefix: literal }] : []),
    ...starred.map((words) => {
      const regex = words
        .map((word) =>
          word
            .split(/\*+/)
            .map((part) => escaped(inJson(part)))
            .join('[^ "]*'),
        )
        .join(" ")
      return { toolName: SHELL, commandRegex: regex }
    }),
  ]
}

function toPathRules(rule: ToolRule, tools: readonly string[], compiling: Compiling): readonly GeminiRule[] {
  const { policy, report } = compiling
  const form = toPathForm(rule.pattern, rule.effect)
  if (form?.space === "everything") return [{ toolName: tools }]
  if (isOpening(policy, rule)) {
    report.stricter(
      rule,
      policy.defaults[rule.action]?.effect ?? "ask",
      "The tool compares paths as they are written, `..` and all; left out.",
    )
    return []
  }
  const floor = floorOf(compiling, rule.action)
  if (form === null) {
    report.looser(rule, floor, "Its pattern has more in it than the tool's patterns can say; left out.")
    return []
  }
  if (form.space === "outside") {
    report.note("Gemini CLI's own file tools refuse what lies outside the workspace and its added folders.")
    report.looser(rule, floor, "Held by the tool itself, for folders that are not added to the workspace.")
    return []
  }
  const body = form.glob
    .replace(/^\//, "")
    .replace(/\/\*\*$/, "")
    .split(/(\*\*\/?|\*|\?)/)
    .map((part) => {
      if (part === "**" || part === "**/") return '[^"]*'
      if (part === "*") return '[^/"]*'
      return part === "?" ? '[^/"]' : inAnyCase(inJson(part))
    })
    .join("")
  report.looser(rule, floor, "Held for paths as the agent writes them: a link or `..` within one passes.")
  report.stricter(rule, rule.effect, "Held wherever the path has these names in it.")
  const end = '["/\\\\]'
  const patterns =
    rule.action === "edit" ? [`_path":"${body}${end}`, `_path":"[^"]*[/\\\\]${body}${end}`] : [`["/\\\\]${body}${end}`]
  const kept = patterns.filter((pattern) => pattern.length <= MAX_REGEX)
  return kept.map((argsPattern) => ({ toolName: tools, argsPattern }))
}

function toWebRules(rule: ToolRule, compiling: Compiling): readonly GeminiRule[] {
  const { policy, report } = compiling
  const { host, port, path } = toWebForm(rule.pattern)
  if (host === "*" && path === null && (port === null || port === "*")) return everyUse("web")
  if (isOpening(policy, rule)) {
    report.stricter(
      rule,
      policy.defaults[rule.action]?.effect ?? "ask",
      "The tool compares a whole prompt, which may hold other addresses; left out.",
    )
    return []
  }
  report.looser(
    rule,
    floorOf(compiling, "web"),
    "Held where the prompt has the host in it as written: other spellings of the same host pass.",
  )
  report.stricter(rule, rule.effect, "Held for every prompt that has the host in it.")
  const text = host.replace(/^\*\./, "").split(/\*+/).map(inAnyCase).join('[^/"]*')
  return [{ toolName: "web_fetch", argsPattern: text }]
}

function toMcpRules(rule: ToolRule, compiling: Compiling): readonly GeminiRule[] {
  const { policy, report } = compiling
  const { server, tool } = toMcpForm(rule.pattern)
  if (server === "*" && tool === "*") return everyUse("mcp")
  const isStarred = server.includes("*") || (tool !== "*" && tool.includes("*"))
  if (isOpening(policy, rule)) {
    if (!isStarred && isPlainServer(server) && (tool === "*" || isPlainName(tool))) {
      return [{ toolName: tool, mcpName: server }]
    }
    report.stricter(
      rule,
      policy.defaults[rule.action]?.effect ?? "ask",
      "The tool takes plain names of servers and tools only; left out.",
    )
    return []
  }
  const floor = floorOf(compiling, "mcp")
  if (isStarred) {
    report.looser(rule, floor, "The tool takes names of servers and tools, and no patterns; left out.")
    return []
  }
  report.looser(
    rule,
    floor,
    "Held for the name as written: the server's host or package under another name, and other spellings, pass.",
  )
  return [{ toolName: tool, mcpName: server }]
}

function toAgentRules(rule: ToolRule, compiling: Compiling): readonly GeminiRule[] {
  const { policy, report } = compiling
  const name = rule.pattern.trim()
  if (name === "*") return everyUse("subagent")
  if (isOpening(policy, rule)) {
    report.stricter(
      rule,
      policy.defaults[rule.action]?.effect ?? "ask",
      "The tool takes an agent's name for a tool's name; left out.",
    )
    return []
  }
  const floor = floorOf(compiling, "subagent")
  if (!/^[\w-]+$/.test(name)) {
    report.looser(rule, floor, "The tool takes plain names only; left out.")
    return []
  }
  report.looser(rule, floor, "Held for letters of the case as written.")
  return [{ toolName: name }]
}

/** The servers to load at all, below a default of deny. */
function toServers({ policy }: Compiling): readonly string[] | null {
  if (policy.defaults.mcp?.effect !== "deny") return null
  const forms = rulesOn(policy, "mcp")
    .filter(({ effect }) => isStricter("deny", effect))
    .map(({ pattern }) => toMcpForm(pattern).server)
  return [...new Set(forms.filter((server) => !server.includes("*")))]
}
