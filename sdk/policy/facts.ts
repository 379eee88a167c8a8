/** A policy in words, one fact at a time: what people read, and what two versions are compared by. */
import type { PolicyConditions, PolicyDocument, PolicyList } from "./document.ts"
import { SOFT_THRESHOLDS, REVIEW_LINES } from "./vocabulary.ts"

/** The sections of a document, as `PolicyFact` names them. */
export type PolicySection = "about" | "models" | "permissions" | "autonomy" | "budgets" | "review"

/** One thing that a policy says. */
export interface PolicyFact {
  /** What it is about, the same in every version: `permissions.rules.no-push`. */
  readonly key: string
  readonly section: PolicySection
  /** A sentence without its full stop. */
  readonly text: string
}

/** What became of a fact between two versions. */
export interface PolicyChange {
  readonly key: string
  readonly section: PolicySection
  /** Null for what was added. */
  readonly before: string | null
  /** Null for what was taken out. */
  readonly after: string | null
}

/** All that a policy says, in the order of its sections. */
export function policyFacts(document: PolicyDocument): readonly PolicyFact[] {
  return [...aboutFacts(document), ...modelFacts(document), ...permissionFacts(document), ...boundFacts(document)]
}

/** What differs between two versions; nothing when they say the same. Null is no policy at all. */
export function comparePolicies(before: PolicyDocument | null, after: PolicyDocument | null): readonly PolicyChange[] {
  const old = new Map((before === null ? [] : policyFacts(before)).map((fact) => [fact.key, fact]))
  const facts = after === null ? [] : policyFacts(after)
  const changes: PolicyChange[] = []
  for (const { key, section, text } of facts) {
    const earlier = old.get(key)?.text ?? null
    old.delete(key)
    if (earlier !== text) changes.push({ key, section, before: earlier, after: text })
  }
  for (const { key, section, text } of old.values()) changes.push({ key, section, before: text, after: null })
  return changes
}

function aboutFacts({ description }: PolicyDocument): PolicyFact[] {
  return description === undefined ? [] : [{ key: "description", section: "about", text: description }]
}

function modelFacts({ models }: PolicyDocument): PolicyFact[] {
  if (models === undefined) return []
  const fact = (key: string, text: string): PolicyFact => ({ key: `models.${key}`, section: "models", text })
  const facts: PolicyFact[] = []
  if (models.allowed !== undefined) facts.push(fact("allowed", listText("model", models.allowed)))
  if (models.denied !== undefined) facts.push(fact("denied", `Never: ${models.denied.join(", ")}`))
  if (models.providers !== undefined) facts.push(fact("providers", listText("provider", models.providers)))
  if (models.deniedProviders !== undefined) {
    facts.push(fact("deniedProviders", `Never from ${models.deniedProviders.join(", ")}`))
  }
  for (const [alias, name] of Object.entries(models.aliases ?? {})) {
    facts.push(fact(`aliases.${alias}`, `${alias} stands for ${name}`))
  }
  return [...facts, ...whyFacts("models", "models", models)]
}

function listText(what: string, list: PolicyList): string {
  if (list.kind === "none") return `No ${what} may be used`
  const future = list.future === "allow" ? `any ${what} that is not known yet` : `none that is not known yet`
  return `Only ${list.items.join(", ")}, and ${future}`
}

function permissionFacts({ permissions }: PolicyDocument): PolicyFact[] {
  if (permissions === undefined) return []
  const fact = (key: string, text: string): PolicyFact => ({ key: `permissions.${key}`, section: "permissions", text })
  const { defaults = {}, unavailable = {}, overridableDefaults = [], rules = [] } = permissions
  return [
    ...rules.map((rule) => {
      const until = rule.expiresAt === undefined ? "" : `, until ${rule.expiresAt}`
      const loose = rule.overridable === true ? "; a narrower policy may allow it" : ""
      const why = rule.reason === undefined ? "" : `, because: ${rule.reason}`
      const who = rule.owner === undefined ? "" : ` (${rule.owner})`
      const where = rule.when === undefined ? "" : ` ${conditionText(rule.when)}`
      return fact(
        `rules.${rule.id}`,
        `${EFFECT_WORDS[rule.effect]} ${ACTION_WORDS[rule.action]} ${rule.pattern}${where}${until}${loose}${why}${who}`,
      )
    }),
    ...Object.entries(defaults).map(([action, effect]) =>
      fact(`defaults.${action}`, `Where no rule matches ${ACTION_NAMES[action] ?? action}: ${effect}`),
    ),
    ...overridableDefaults.map((action) =>
      fact(
        `overridableDefaults.${action}`,
        `A narrower policy may allow ${ACTION_NAMES[action ?? ""] ?? action} of that kind`,
      ),
    ),
    ...Object.entries(unavailable).map(([action, availability]) =>
      fact(
        `unavailable.${action}`,
        `Without a usable policy, ${ACTION_NAMES[action] ?? action}: ${AVAILABILITY_WORDS[availability ?? ""] ?? availability}`,
      ),
    ),
  ]
}

function boundFacts({ autonomy, budgets = [], review }: PolicyDocument): PolicyFact[] {
  const facts: PolicyFact[] = []
  if (autonomy !== undefined) {
    const fact = (key: string, text: string) => facts.push({ key: `autonomy.${key}`, section: "autonomy", text })
    const outside = autonomy.effect ?? "deny"
    if (autonomy.highestRung !== undefined)
      fact("highestRung", `Agents act up to ${autonomy.highestRung}; past it, ${outside}`)
    if (autonomy.autoApproveModes !== undefined)
      fact("autoApproveModes", listText("mode that approves itself", autonomy.autoApproveModes))
    if (autonomy.isolation !== undefined) {
      const { repositories = [], labels = [] } = autonomy.isolation
      const where = [...repositories, ...labels.map((label) => `repositories labelled ${label}`)]
      fact(
        "isolation",
        `Only in an isolated environment: ${where.length === 0 ? "every repository" : where.join(", ")}`,
      )
    }
    facts.push(...whyFacts("autonomy", "autonomy", autonomy))
  }
  for (const budget of budgets) {
    const { unit, amount } = budget.limit
    const limit = unit === "usd" ? `$${amount.toLocaleString("en")}` : `${amount.toLocaleString("en")} tokens`
    const soft = (budget.softThresholds ?? SOFT_THRESHOLDS).map((share) => `${Math.round(share * 100)} %`)
    const zone = budget.timeZone === undefined ? "" : ` (${budget.timeZone})`
    facts.push({
      key: `budgets.${budget.id}`,
      section: "budgets",
      text: `${limit} a ${budget.period}${zone} for each ${budget.scope}; a warning at ${soft.join(", ")}, then ${budget.hard}`,
    })
    facts.push(...whyFacts("budgets", `budgets.${budget.id}`, budget))
  }
  if (review !== undefined) {
    const files = review.files === undefined ? "" : ` and ${review.files} files`
    const lines = review.changedLines ?? REVIEW_LINES
    facts.push({
      key: "review.limit",
      section: "review",
      text: `A change that nobody has reviewed has at most ${lines} lines${files}; past that, ${review.effect}`,
    })
    facts.push(...whyFacts("review", "review", review))
  }
  return facts
}

function whyFacts(
  section: PolicySection,
  key: string,
  { reason, owner }: { readonly reason?: string | undefined; readonly owner?: string | undefined },
): PolicyFact[] {
  return [
    ...(reason === undefined ? [] : [{ key: `${key}.reason`, section, text: `Because: ${reason}` }]),
    ...(owner === undefined ? [] : [{ key: `${key}.owner`, section, text: `${owner} answers for it` }]),
  ]
}

function conditionText(when: PolicyConditions): string {
  const parts: string[] = []
  if (when.rung !== undefined) parts.push(`at ${when.rung.join(" or ")}`)
  if (when.agentTool !== undefined) parts.push(`in ${when.agentTool.join(" or ")}`)
  if (when.mode !== undefined) parts.push(`in mode ${when.mode.join(" or ")}`)
  if (when.surface !== undefined) parts.push(`on ${when.surface.join(" or ")}`)
  if (when.repository !== undefined) parts.push(`in repository ${when.repository.join(" or ")}`)
  if (when.repositoryLabel !== undefined) parts.push(`in repositories labelled ${when.repositoryLabel.join(" or ")}`)
  if (when.isolated !== undefined) parts.push(when.isolated ? "when isolated" : "when not isolated")
  if (when.dataPractice !== undefined) parts.push(`where the provider is ${when.dataPractice.join(" or ")}`)
  return parts.join(", ")
}

const EFFECT_WORDS = { allow: "Allow", ask: "Ask before", deny: "Deny" } as const

const ACTION_WORDS = {
  shell: "the command",
  edit: "editing",
  read: "reading",
  web: "the web at",
  mcp: "the MCP tool",
  subagent: "the agent",
  model: "the model",
} as const

const ACTION_NAMES: Readonly<Record<string, string>> = {
  shell: "shell commands",
  edit: "edits",
  read: "reads",
  web: "the web",
  mcp: "MCP tools",
  subagent: "other agents",
  model: "models",
}

const AVAILABILITY_WORDS: Readonly<Record<string, string>> = { open: "allow", ask: "ask", closed: "deny" }
