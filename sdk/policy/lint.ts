/** What is suspicious about a policy that is valid: rules that do nothing, contradict each other, or allow a great deal. */
import type { AgentAction } from "./action.ts"
import { type CompiledPolicy, compilePolicy } from "./compile.ts"
import { decide, explain } from "./decide.ts"
import type { PolicyDocument, PolicyRule } from "./document.ts"
import { createModelCatalog } from "./models.ts"
import type { Layer } from "./vocabulary.ts"

/** `error`: it does not do what it says; `warning`: it does nothing, or much; `hint`: it could say more. */
export type LintSeverity = "error" | "warning" | "hint"

/** Something suspicious. */
export interface LintFinding {
  readonly severity: LintSeverity
  /** What kind of finding it is, for programs. */
  readonly code:
    | "hidden_allow"
    | "contradiction"
    | "shadowed"
    | "never_matches"
    | "expired"
    | "unknown_model"
    | "above_highest_rung"
    | "allows_everything"
    | "no_reason"
  /** Where, such as `permissions.rules[2]`. */
  readonly path: string
  /** Of a rule. */
  readonly ruleId: string | null
  /** The rule that hides it or that it contradicts. */
  readonly otherRuleId: string | null
  /** A sentence or two: what is wrong and what to do. */
  readonly message: string
}

/**
 * Looks a valid document over. Whether one rule covers another is tried on an action that only the covered rule's pattern
 * describes, with words in place of its wildcards that no policy names; so a finding is true of that action, and may be
 * missing where rules overlap in part. `nowMs` is the present, in milliseconds since 1970.
 */
export function lintPolicy(document: PolicyDocument, nowMs: number): readonly LintFinding[] {
  const rules = document.permissions?.rules ?? []
  return [
    ...rules.flatMap((rule, at) => lintRule(document, rule, `permissions.rules[${at}]`, nowMs)),
    ...coverFindings(rules, nowMs),
    ...modelFindings(document),
  ]
}

function lintRule(document: PolicyDocument, rule: PolicyRule, path: string, nowMs: number): LintFinding[] {
  const findings: LintFinding[] = []
  const add = (severity: LintSeverity, code: LintFinding["code"], message: string) =>
    findings.push({ severity, code, path, ruleId: rule.id, otherRuleId: null, message })
  if (rule.expiresAt !== undefined && Date.parse(rule.expiresAt) <= nowMs) {
    add(
      "warning",
      "expired",
      `It expired on ${rule.expiresAt} and no longer counts. Take it out, or give it a later end.`,
    )
    return findings
  }
  const highest = document.autonomy?.highestRung
  const rungs = rule.when?.rung
  if (highest !== undefined && rungs !== undefined && rungs.every((rung) => isAbove(rung, highest))) {
    add("warning", "above_highest_rung", `It speaks of ${rungs.join(", ")} only, and no agent acts above ${highest}.`)
  }
  const sample = sampleOf(rule)
  if (sample !== null && !isMatched(rule, sample, nowMs)) {
    add(
      rule.effect === "allow" ? "warning" : "error",
      "never_matches",
      rule.action === "shell"
        ? "No command matches it: each command of a line is judged by itself, so a pattern has no &&, |, ; or quotes around several words."
        : "Nothing matches it as it is written. Look up how patterns of this kind are written.",
    )
  }
  if (rule.effect === "allow" && rule.pattern.trim() === "*" && rule.when === undefined) {
    add("warning", "allows_everything", "It allows everything of its kind that no other rule asks about or denies.")
  }
  if (rule.effect !== "allow" && rule.reason === undefined) {
    add("hint", "no_reason", "Say why: the person who is asked or refused sees the reason.")
  }
  return findings
}

const ORDER = ["autocomplete", "chat", "agent", "orchestration"]

function isAbove(rung: string, highest: string): boolean {
  return ORDER.indexOf(rung) > ORDER.indexOf(highest)
}

/** Words that no policy names. */
const ANY = "zq7x"

/** An action that the rule's pattern describes and hardly anything else does; null where none can be made up. */
function sampleOf({ action, pattern }: PolicyRule): AgentAction | null {
  const text = pattern.trim().replaceAll("**", ANY).replaceAll("*", ANY).replaceAll("?", "q")
  switch (action) {
    case "shell":
      return { kind: "shell", command: text }
    case "edit":
    case "read":
      // Braces and classes have many readings.
      if (/[[\]{}!()]/.test(pattern)) return null
      return { kind: action, path: text.startsWith("~/") ? `${HOME}${text.slice(1)}` : text }
    case "web":
      return { kind: "web", url: `https://${text.replace(/^https?:\/\//, "")}` }
    case "mcp": {
      const [server = ANY, tool = ANY] = text.split("/")
      return { kind: "mcp", server, tool }
    }
    case "subagent":
      return { kind: "subagent", name: text }
    case "model":
      return { kind: "model", model: text }
  }
}

const HOME = "/home/belay-lint"
const CONTEXT = { workspace: "/work/belay-lint", home: HOME } as const

function compileRules(rules: readonly PolicyRule[], layer: Layer = "organization"): CompiledPolicy {
  const bare = rules.map(({ when: _when, expiresAt: _expiresAt, ...rule }) => rule)
  const document: PolicyDocument = { schema: "belay.policy/1", permissions: { rules: bare } }
  return compilePolicy({ version: 1, layers: [{ layer, version: 1, document }] })
}

function isMatched(rule: PolicyRule, sample: AgentAction, nowMs: number): boolean {
  // An allow of what cannot be seen through is still only asked about: the rule has matched all the same.
  const { parts } = explain(compileRules([rule]), sample, { ...CONTEXT, nowMs })
  return parts.some(({ rules }) => rules.some(({ ruleId, standing }) => ruleId === rule.id && standing !== "no_match"))
}

const STRICTNESS = { allow: 0, ask: 1, deny: 2 } as const

/** Of each pair of rules on one kind of action: which hides, repeats or contradicts the other. */
function coverFindings(rules: readonly PolicyRule[], nowMs: number): LintFinding[] {
  const compiled = new Map(rules.map((rule) => [rule.id, compileRules([rule])]))
  const covers = (wide: PolicyRule, sample: AgentAction) => {
    const policy = compiled.get(wide.id)
    if (policy === undefined) return false
    const { because, ruleId } = decide(policy, sample, { ...CONTEXT, nowMs })
    return because === "rule" && ruleId === wide.id
  }
  return rules.flatMap((rule, at): LintFinding[] => {
    const sample = sampleOf(rule)
    if (sample === null) return []
    const wide = rules.find(
      (other) =>
        other !== rule &&
        other.action === rule.action &&
        isAtLeastAsWide(other, rule) &&
        STRICTNESS[other.effect] >= STRICTNESS[rule.effect] &&
        !(other.effect === rule.effect && other.pattern === rule.pattern && rules.indexOf(other) > at) &&
        covers(other, sample),
    )
    if (wide === undefined) return []
    const found = { path: `permissions.rules[${at}]`, ruleId: rule.id, otherRuleId: wide.id }
    if (wide.effect === rule.effect) {
      const message = `“${wide.id}” covers it already, so it changes nothing. Take it out, or make it stricter.`
      return [{ ...found, severity: "warning", code: "shadowed", message }]
    }
    const isSame = wide.pattern.trim() === rule.pattern.trim()
    const verb = wide.effect === "deny" ? "denies" : "asks about"
    return [
      {
        ...found,
        severity: "error",
        code: isSame ? "contradiction" : rule.effect === "allow" ? "hidden_allow" : "shadowed",
        message: isSame
          ? `“${wide.id}” ${verb} the very same, and the stricter one always wins. Keep one of the two.`
          : `“${wide.id}” ${verb} all that it matches, and the stricter one always wins: it never counts. Narrow “${wide.id}”, or take this one out.`,
      },
    ]
  })
}

/** Whether a rule holds wherever the other does: it has no conditions, or the very same. */
function isAtLeastAsWide(wide: PolicyRule, narrow: PolicyRule): boolean {
  if (wide.expiresAt !== undefined) return false
  return wide.when === undefined || JSON.stringify(wide.when) === JSON.stringify(narrow.when)
}

/** Names of models that nobody knows, which are mostly misspelt. */
function modelFindings({ models, permissions }: PolicyDocument): LintFinding[] {
  const catalog = createModelCatalog(models?.aliases ?? {})
  const named: { path: string; ruleId: string | null; name: string }[] = []
  const list = (key: string, names: readonly string[]) => {
    for (const [at, name] of names.entries()) named.push({ path: `models.${key}[${at}]`, ruleId: null, name })
  }
  if (models?.allowed?.kind === "list") list("allowed.items", models.allowed.items)
  list("denied", models?.denied ?? [])
  for (const [at, rule] of (permissions?.rules ?? []).entries()) {
    if (rule.action === "model") named.push({ path: `permissions.rules[${at}]`, ruleId: rule.id, name: rule.pattern })
  }
  return named
    .filter(({ name }) => !name.includes("*") && !catalog.resolve(name).isKnown)
    .map(({ path, ruleId, name }) => ({
      severity: "warning",
      code: "unknown_model",
      path,
      ruleId,
      otherRuleId: null,
      message: `Nobody knows a model “${name}”. Check its spelling, or give it a name under aliases.`,
    }))
}
