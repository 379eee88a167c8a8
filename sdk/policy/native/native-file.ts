/** The files that a policy is compiled to, and what the compilers of all tools share. */
import type { PolicyBundle } from "../document.ts"
import type { Effect, RuleAction } from "../vocabulary.ts"
import type { ModelPlan } from "./model-plan.ts"
import { isStricter, type Report, strictest } from "./report.ts"
import { mayMeet, type PlainCommand, toPlainCommand } from "./shell-forms.ts"
import type { ToolPolicy, ToolRule } from "./tool-policy.ts"

/** A file of an agent tool, to be put where the tool reads what the organization demands. */
export interface NativeFile {
  /** What it is called as a download. */
  readonly name: string
  /** Where it belongs, per platform; null where the tool reads no such file. `~` is the person's home folder. */
  readonly paths: { readonly linux: string | null; readonly macos: string | null; readonly windows: string | null }
  readonly format: "json" | "toml" | "starlark"
  readonly contents: string
  /** How it gets there and who may write it, for an administrator. */
  readonly delivery: string
}

/** How an MCP server is recognized by more than its name. */
export type McpIdentity = { readonly url: string } | { readonly command: readonly string[] }

export interface NativeOptions {
  /** What has ended then is not compiled. Milliseconds since 1970. */
  readonly nowMs: number
  /** The command line of `belay`, quoted for a shell. Files have no entry for the hook without it. */
  readonly belay?: string | undefined
  /** The MCP servers that the organization knows, by the names that rules call them. */
  readonly mcpServers?: Readonly<Record<string, McpIdentity>> | undefined
}

export interface Compiling {
  readonly bundle: PolicyBundle
  readonly policy: ToolPolicy
  readonly models: ModelPlan | null
  readonly options: NativeOptions
  readonly report: Report
}

export function toJson(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`
}

export function rulesOn(policy: ToolPolicy, action: RuleAction): readonly ToolRule[] {
  return policy.rules.filter((rule) => rule.action === action)
}

/**
 * Whether a rule is milder than what holds without it. In a tool that lets a matching rule beat the default, it must not
 * be taken for more than it says.
 */
export function isOpening({ defaults }: ToolPolicy, rule: ToolRule): boolean {
  return rule.effect === "allow" || isStricter(defaults[rule.action]?.effect ?? "allow", rule.effect)
}

/**
 * The command of a rule that opens what the default closes, for a tool that reads patterns more widely than they say. Null,
 * and reported, where the rule is left out for that.
 */
export function toAllowed(rule: ToolRule, { policy, report }: Compiling): PlainCommand | null {
  const leaveOut = (why: string): null => {
    report.stricter(rule, policy.defaults[rule.action]?.effect ?? "ask", why)
    return null
  }
  const plain = toPlainCommand(rule.pattern)
  if (plain === null) return leaveOut("The tool would take more commands for it than it names; left out.")
  if (meetsStricter(policy, rule, plain)) {
    return leaveOut("It meets a rule that the tool reads more narrowly; left out.")
  }
  return plain
}

/**
 * The rules on an action for a tool that lets a matching rule beat the default. An ask below a default of deny, beside
 * allows, becomes a denial: written for no more than it says, it would leave the rest to the allows.
 */
export function orderedRulesOn({ policy, report }: Compiling, action: RuleAction): readonly ToolRule[] {
  const rules = rulesOn(policy, action)
  const fallback = policy.defaults[action]?.effect
  const hasAllows = rules.some(({ effect }) => effect === "allow")
  // Allows of commands that could meet an ask are left out, and servers go by their names.
  if (fallback !== "deny" || !hasAllows || action === "shell" || action === "mcp") return rules
  return rules.map((rule) => {
    if (rule.effect !== "ask") return rule
    report.stricter(rule, "deny", "Denied, as the default is: the tool cannot ask below it and allow beside it.")
    return { ...rule, effect: "deny" }
  })
}

/** Whether a command that a rule lets through may be what a stricter rule, which the tool reads narrowly, is about. */
export function meetsStricter(policy: ToolPolicy, rule: ToolRule, command: PlainCommand): boolean {
  return rulesOn(policy, "shell").some((other) => isStricter(other.effect, rule.effect) && mayMeet(other, command))
}

/**
 * What becomes, at its mildest, of an action that a rule is about and that the tool does not take for it. Allows of
 * commands that could meet such a rule are left out, so that on commands only asks count.
 */
export function mildestOf(policy: ToolPolicy, action: RuleAction, unmatched: Effect): Effect {
  return rulesOn(policy, action)
    .filter(({ effect }) => action !== "shell" || effect !== "allow")
    .reduce<Effect>((mildest, { effect }) => (isStricter(mildest, effect) ? effect : mildest), unmatched)
}

/** Whether the policy forbids or asks anything at all. */
export function isBinding({ rules, defaults }: ToolPolicy): boolean {
  return (
    rules.some(({ effect }) => effect !== "allow") || Object.values(defaults).some(({ effect }) => effect !== "allow")
  )
}

/**
 * Tells of rules on files and addresses that a tool holds for its own tools, not for what a command does with them.
 * `mildest` is what the tool does with commands at its mildest.
 */
export function reportCommands({ policy, report }: Compiling, mildest: "allow" | "ask" | "deny"): void {
  const what = "The tool does not see what commands do with it."
  for (const { written, ...subject } of policy.rules) {
    if (!isReached(subject.action)) continue
    report.looser({ ...subject, action: "shell", effect: strictest(written, subject.effect) }, mildest, what)
  }
  for (const fallback of Object.values(policy.defaults)) {
    if (isReached(fallback.action)) report.looser({ ...fallback, action: "shell" }, mildest, what)
  }
  if (policy.speaksOfShell) {
    report.looser(
      { ruleId: null, layer: null, action: "shell", effect: "ask" },
      mildest,
      "Commands that cannot be seen through, by substitution or code of another language, are not always asked.",
    )
  }
}

/** Whether a command can do by itself what an action of this kind is. */
function isReached(action: RuleAction | null): boolean {
  return action === "edit" || action === "read" || action === "web"
}
