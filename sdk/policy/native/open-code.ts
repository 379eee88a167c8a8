/** OpenCode's and Kilo's configuration. */
import type { Effect, RuleAction } from "../vocabulary.ts"
import { KNOWN_MODELS } from "../model-catalog.ts"
import { UNKNOWN_MODEL, UNKNOWN_PROVIDER, usableProviders } from "./model-plan.ts"
import {
  type Compiling,
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
import { isPlainHost, isPlainName, isPlainTree, toMcpForm, toPathForm, toWebForm } from "./target-forms.ts"
import { reportSections, type ToolRule } from "./tool-policy.ts"

/** Patterns of one tool in their order, of which the last that matches decides. */
type Patterns = Record<string, Effect>

interface Product {
  readonly name: "opencode" | "kilo"
  readonly file: string
  readonly folders: { readonly linux: string; readonly macos: string; readonly windows: string }
}

const PRODUCTS: Readonly<Record<"opencode" | "kilo", Product>> = {
  opencode: {
    name: "opencode",
    file: "opencode.json",
    folders: {
      linux: "/etc/opencode/",
      macos: "/Library/Application Support/opencode/",
      windows: "C:\\ProgramData\\opencode\\",
    },
  },
  kilo: {
    name: "kilo",
    file: "kilo.jsonc",
    folders: { linux: "/etc/kilo/", macos: "/Library/Application Support/kilo/", windows: "C:\\ProgramData\\kilo\\" },
  },
}

/** What the tool does by itself, to be said again below a rule for everything. */
const OWN_DEFAULTS: Readonly<Record<string, Effect | Patterns>> = {
  read: { "*": "allow", "*.env": "deny", "*.env.*": "deny", "*.env.example": "allow" },
  edit: "allow",
  glob: "allow",
  grep: "allow",
  list: "allow",
  bash: "allow",
  task: "allow",
  skill: "allow",
  lsp: "allow",
  todoread: "allow",
  todowrite: "allow",
  webfetch: "allow",
  websearch: "allow",
  codesearch: "allow",
  external_directory: "ask",
  doom_loop: "ask",
}

const TOOLS: Readonly<Record<Exclude<RuleAction, "mcp" | "model">, string>> = {
  shell: "bash",
  edit: "edit",
  read: "read",
  web: "webfetch",
  subagent: "task",
}

/** Agents that come with the tool: a block of their own in a person's configuration would beat the general one. */
const AGENTS = ["build", "general"]

/**
 * Compiles to `opencode.json` or `kilo.jsonc`. Milder rules come first and stricter last, since the last that matches
 * decides.
 *
 * A star is any text in the versions that were read, and text without a slash in another state of the source; two stars
 * are any text in both, so these are written.
 *
 * @see https://github.com/anomalyco/opencode/blob/dev/packages/web/src/content/docs/permissions.mdx, read in November
 * 2026, and https://kilo.ai/docs/getting-started/settings/auto-approving-actions.
 */
export function compileOpenCode(compiling: Compiling, name: "opencode" | "kilo"): readonly NativeFile[] {
  const { bundle, policy, report } = compiling
  const product = PRODUCTS[name]
  const permission: Record<string, Effect | Patterns> = {}
  const mcp = policy.defaults.mcp
  if (mcp !== undefined && mcp.effect !== "allow") {
    permission["*"] = mcp.effect
    Object.assign(permission, OWN_DEFAULTS)
    if (rulesOn(policy, "mcp").some(({ effect }) => isStricter(mcp.effect, effect))) {
      report.looser(
        mcp,
        "ask",
        "Tools go by server_tool, so that a server whose name begins with another's passes for it.",
      )
    }
  }
  for (const action of ["shell", "edit", "read", "web", "subagent"] as const) {
    const patterns = toPatterns(action, compiling)
    const key = TOOLS[action]
    if (Object.keys(patterns).length === 0) continue
    const own = OWN_DEFAULTS[key]
    // What the tool denies by itself stays denied, unless the policy says what holds for everything.
    const isWhole = "*" in patterns
    permission[key] = { ...(!isWhole && typeof own === "object" ? own : {}), ...patterns }
    if (action === "web" && isWhole)
      for (const search of ["websearch", "codesearch"]) permission[search] = patterns["*"] ?? "ask"
    if (action === "read" && patterns["*"] !== undefined && patterns["*"] !== "allow") {
      for (const tool of ["glob", "grep", "list"]) permission[tool] = patterns["*"]
    }
  }
  const outside = policy.rules.find(
    ({ action, pattern, effect }) => action === "read" && pattern === "../**" && effect !== "allow",
  )
  if (outside !== undefined) permission["external_directory"] = outside.effect
  for (const rule of rulesOn(policy, "mcp").toReversed()) addMcpRule(permission, rule, compiling)
  const settings = {
    ...toModelSettings(compiling),
    ...(Object.keys(permission).length > 0 && {
      permission,
      agent: Object.fromEntries(AGENTS.map((agent) => [agent, { permission }])),
    }),
  }
  const hasAllows = Object.values(toPatterns("shell", compiling)).includes("allow")
  reportCommands(compiling, hasAllows ? "allow" : floorOf(compiling, "shell"))
  reportSections(bundle, report, null)
  report.note("The agent plan and agents of a person's own may have a block of permissions that beats the general one.")
  const path = (folder: string): string => `${folder}${product.file}`
  return [
    {
      name: product.file,
      paths: {
        linux: path(product.folders.linux),
        macos: path(product.folders.macos),
        windows: path(product.folders.windows),
      },
      format: "json",
      contents: toJson(settings),
      delivery: "By device management, writable for administrators alone.",
    },
  ]
}

function toPatterns(action: Exclude<RuleAction, "mcp" | "model">, compiling: Compiling): Patterns {
  const { policy, report } = compiling
  const patterns: Patterns = {}
  // What is written again belongs further down.
  const put = (pattern: string, effect: Effect): void => {
    delete patterns[pattern]
    patterns[pattern] = effect
  }
  const fallback = policy.defaults[action]
  if (fallback !== undefined) {
    if (action === "shell" && fallback.effect === "allow") {
      put("*", "ask")
      report.stricter(fallback, "ask", "The engine looks into what commands do; the tool's files cannot, so it asks.")
    } else {
      put("*", fallback.effect)
    }
  }
  const writers = {
    shell: toShellPatterns,
    edit: toPathPatterns,
    read: toPathPatterns,
    web: toWebPatterns,
    subagent: toAgentPatterns,
  }
  const rules = orderedRulesOn(compiling, action).map((rule) => ({ rule, written: writers[action](rule, compiling) }))
  for (const effect of ["allow", "ask", "deny"] as const) {
    for (const { rule, written } of rules) {
      if (rule.effect !== effect) continue
      for (const pattern of written) put(pattern, effect)
    }
    const isLooking = action === "shell" && effect === "allow" && policy.speaksOfShell
    if (isLooking && (fallback === undefined || Object.values(patterns).includes("allow"))) {
      // What the engine asks about since it cannot see through it, as far as a sign tells.
      const asked = fallback?.effect === "deny" ? "deny" : "ask"
      for (const sign of ["$", "`", "<("]) put(`**${sign}**`, asked)
    }
  }
  return patterns
}

function floorOf({ policy }: Compiling, action: RuleAction): Effect {
  const fallback = policy.defaults[action]?.effect ?? "allow"
  const isAsked = action === "shell" && fallback === "allow" && policy.defaults.shell !== undefined
  return mildestOf(policy, action, isAsked ? "ask" : fallback)
}

function toShellPatterns(rule: ToolRule, compiling: Compiling): readonly string[] {
  const { policy, report } = compiling
  if (isOpening(policy, rule)) {
    const plain = toAllowed(rule, compiling)
    if (plain === null) return []
    const text = plain.words.join(" ")
    return plain.isOpen ? [text, `${text} **`] : [text]
  }
  const spellings = toSpellings(rule.pattern)
  if (spellings.length === 0) return ["*"]
  report.looser(
    rule,
    floorOf(compiling, "shell"),
    "Held for commands that begin as written, flags in every order; other flags between and other folders of the program pass.",
  )
  report.stricter(rule, rule.effect, "Also held for words that go on where the pattern ends.")
  return spellings.map((words) => `${words.join(" ").replaceAll("?", "*").replace(/\*+/g, "**")}**`)
}

function toPathPatterns(rule: ToolRule, compiling: Compiling): readonly string[] {
  const { policy, report } = compiling
  const form = toPathForm(rule.pattern, rule.effect)
  if (form?.space === "everything") return ["*"]
  if (isOpening(policy, rule)) {
    if (form === null || !isPlainTree(form.glob) || form.space === "outside" || form.space === "home") {
      report.stricter(
        rule,
        policy.defaults[rule.action]?.effect ?? "ask",
        "The tool would take more files for it than it names; left out.",
      )
      return []
    }
    return [form.glob]
  }
  const floor = floorOf(compiling, rule.action)
  if (form === null) {
    report.looser(rule, floor, "Its pattern has more in it than the tool's patterns can say; left out.")
    return []
  }
  if (form.space === "outside") return ["../**", "/**"]
  report.looser(
    rule,
    floor,
    rule.action === "read"
      ? "Held for letters of the case as written, and not for searches through files."
      : "Held for letters of the case as written.",
  )
  report.stricter(rule, rule.effect, "Held at every depth, and where a star would end at a folder.")
  const glob = form.glob.replace(/^\//, "").replace(/\/\*\*$/, "")
  return [glob, `${glob}/**`, `**/${glob}`, `**/${glob}/**`]
}

function toWebPatterns(rule: ToolRule, compiling: Compiling): readonly string[] {
  const { policy, report } = compiling
  const { host, port, path } = toWebForm(rule.pattern)
  if (host === "*" && path === null && (port === null || port === "*")) return ["*"]
  if (isOpening(policy, rule)) {
    if (path === null && port === null && isPlainHost(host)) return [`https://${host}`, `https://${host}/**`]
    report.stricter(
      rule,
      policy.defaults[rule.action]?.effect ?? "ask",
      "The tool compares addresses as they are written; left out.",
    )
    return []
  }
  report.looser(rule, floorOf(compiling, "web"), "Held for the host as written: other spellings of the same host pass.")
  report.stricter(rule, rule.effect, "Held for every address that has the host in it.")
  return [`**${host.replace(/^\*\./, "").replace(/\*+/g, "**")}**`]
}

function toAgentPatterns(rule: ToolRule, compiling: Compiling): readonly string[] {
  const { policy, report } = compiling
  const name = rule.pattern.trim()
  if (name === "*") return ["*"]
  if (isOpening(policy, rule)) {
    if (isPlainName(name)) return [name.toLowerCase()]
    report.stricter(
      rule,
      policy.defaults[rule.action]?.effect ?? "ask",
      "The tool's patterns may take other names for it; left out.",
    )
    return []
  }
  report.looser(rule, floorOf(compiling, "subagent"), "Held for letters of the case as written.")
  return [name.replace(/\*+/g, "**")]
}

function addMcpRule(
  permission: Record<string, Effect | Patterns>,
  rule: ToolRule,
  { policy, report }: Compiling,
): void {
  const { server, tool } = toMcpForm(rule.pattern)
  const fallback = policy.defaults.mcp?.effect ?? "allow"
  if (server === "*" && tool === "*") {
    if (rule.effect === "allow") {
      report.stricter(rule, fallback, "The tool's files cannot allow every server and nothing else; left out.")
      return
    }
    // Below this, everything that is no server's has to be said again, so it is asked or denied by the servers' default.
    report.looser(
      rule,
      mildestOf(policy, "mcp", fallback),
      "The tool's files can name servers or everything; say it as the default for mcp.",
    )
    return
  }
  if (rule.effect === "allow") {
    if (server.includes("*")) {
      report.stricter(rule, fallback, "The tool's names for it could be another server's; left out.")
      return
    }
    report.stricter(rule, "ask", "Another server's tools may go by the same names, so it asks.")
  } else {
    report.looser(
      rule,
      mildestOf(policy, "mcp", fallback),
      "Held for the name as written: the server's host or package under another name, and other spellings, pass.",
    )
  }
  const key = `${server}_${tool}`.replace(/[^A-Za-z0-9_*-]/g, "_")
  const effect = rule.effect === "allow" ? "ask" : rule.effect
  const known = permission[key]
  delete permission[key]
  permission[key] = typeof known === "string" && isStricter(known, effect) ? known : effect
}

/** Belay's names of providers by the tool's; the last says whether it calls models as their makers do. */
const PROVIDERS: Readonly<Record<string, { readonly ids: readonly string[]; readonly makers: readonly string[] }>> = {
  anthropic: { ids: ["anthropic"], makers: ["anthropic"] },
  "aws.bedrock": { ids: ["amazon-bedrock"], makers: [] },
  "azure.ai.openai": { ids: ["azure"], makers: ["openai"] },
  cerebras: { ids: ["cerebras"], makers: [] },
  deepseek: { ids: ["deepseek"], makers: ["deepseek"] },
  "gcp.gemini": { ids: ["google"], makers: ["google"] },
  "gcp.vertex_ai": { ids: ["google-vertex"], makers: ["google"] },
  "github-copilot": { ids: ["github-copilot"], makers: ["anthropic", "openai", "google"] },
  groq: { ids: ["groq"], makers: [] },
  lmstudio: { ids: ["lmstudio"], makers: [] },
  mistral_ai: { ids: ["mistral"], makers: ["mistralai"] },
  moonshot: { ids: ["moonshotai"], makers: ["moonshotai"] },
  ollama: { ids: ["ollama"], makers: [] },
  openai: { ids: ["openai"], makers: ["openai"] },
  openrouter: { ids: ["openrouter"], makers: [] },
  together: { ids: ["togetherai"], makers: [] },
  x_ai: { ids: ["xai"], makers: ["x-ai"] },
}

function toModelSettings({ models, report }: Compiling): object {
  if (models === null) return {}
  const enabled: string[] = []
  const whitelists: Record<string, { whitelist: readonly string[] }> = {}
  const usable = usableProviders(models)
  const leftOut: string[] = []
  for (const provider of usable) {
    const { ids, makers } = PROVIDERS[provider] ?? { ids: [], makers: [] }
    const isAllowed = (model: string): boolean => models.effectOf(model, provider) === "allow"
    if ([...models.known, UNKNOWN_MODEL].every(isAllowed)) {
      enabled.push(...ids)
      continue
    }
    const own = new Set(makers.flatMap((maker) => KNOWN_MODELS[maker] ?? []))
    const all = Object.values(KNOWN_MODELS).flat()
    const whitelist = models.known.filter((model) => isAllowed(model) && (own.has(model) || !all.includes(model)))
    if (whitelist.length === 0) {
      leftOut.push(...ids)
      continue
    }
    enabled.push(...ids)
    for (const id of ids) whitelists[id] = { whitelist }
  }
  const isAnyProvider =
    leftOut.length === 0 &&
    usable.length === Object.keys(PROVIDERS).length &&
    [...models.known, UNKNOWN_MODEL].every((model) => models.effectOf(model, UNKNOWN_PROVIDER) === "allow")
  const denied = Object.values(PROVIDERS)
    .flatMap(({ ids }) => ids)
    .filter((id) => !enabled.includes(id))
  for (const subject of models.subjects) {
    report.stricter(subject, "deny", "Models are listed as their makers call them; dated names are not offered.")
    if (leftOut.length > 0) {
      report.stricter(subject, "deny", `Left out, for other names or no such models: ${leftOut.join(", ")}.`)
    }
  }
  return {
    ...(!isAnyProvider && { enabled_providers: enabled }),
    ...(denied.length > 0 && { disabled_providers: denied }),
    ...(Object.keys(whitelists).length > 0 && { provider: whitelists }),
  }
}
