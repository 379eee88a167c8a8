/** A bundle as one list of rules for one tool, in the only terms that a tool's file has: a pattern and an effect. */
import type { PolicyBundle, PolicyConditions, PolicyRule } from "../document.ts"
import { type Effect, type Layer, LAYERS, RULE_ACTIONS, type RuleAction } from "../vocabulary.ts"
import { isStricter, type LossSubject, type Report, strictest } from "./report.ts"

/** A rule that holds wherever the tool is used. */
export interface ToolRule extends LossSubject {
  readonly ruleId: string
  readonly layer: Layer
  readonly action: RuleAction
  readonly effect: Effect
  /** What the rule says where all its conditions hold. */
  readonly written: Effect
  readonly pattern: string
  readonly reason: string | undefined
}

/** What holds where no rule matches. */
export interface ToolDefault extends LossSubject {
  readonly layer: Layer
}

export interface ToolPolicy {
  /** Strictest first, otherwise as written. */
  readonly rules: readonly ToolRule[]
  readonly defaults: Readonly<Partial<Record<RuleAction, ToolDefault>>>
  /** Whether the policy says anything of what a shell command can do: then what cannot be seen through is asked. */
  readonly speaksOfShell: boolean
}

interface PlacedRule {
  readonly at: number
  readonly layer: Layer
  readonly rule: PolicyRule
}

interface PlacedDefault {
  readonly at: number
  readonly layer: Layer
  readonly effect: Effect
  readonly isOverridable: boolean
}

/**
 * Brings a bundle's rules and defaults into one list for a tool that goes by `agentTools`, at `nowMs`.
 *
 * Nothing comes out milder than `decide` would say, except what `report` is told: a deny under a condition that no file
 * of a tool can know becomes an ask, as it does in the engine where the condition is not known. Allows that hold only
 * for a time or under a condition are left out, and nothing is lifted by exceptions, which are for some people only.
 */
export function toToolPolicy(
  bundle: PolicyBundle,
  agentTools: readonly string[],
  nowMs: number,
  report: Report,
): ToolPolicy {
  const layers = bundle.layers
    .map((entry) => ({ ...entry, at: LAYERS.indexOf(entry.layer) }))
    .toSorted((a, b) => a.at - b.at)
  const placed = layers.flatMap(({ document, layer, at }) =>
    (document.permissions?.rules ?? [])
      .filter((rule) => isLive(rule, agentTools, nowMs))
      .map((rule): PlacedRule => ({ at, layer, rule: { ...rule, when: withoutTool(rule.when) } })),
  )
  const defaults: Partial<Record<RuleAction, ToolDefault>> = {}
  const rules: ToolRule[] = []
  for (const action of RULE_ACTIONS) {
    const own = layers.flatMap(({ document, layer, at }): PlacedDefault[] => {
      const effect = document.permissions?.defaults?.[action]
      const isOverridable = document.permissions?.overridableDefaults?.includes(action) === true
      return effect === undefined ? [] : [{ at, layer, effect, isOverridable }]
    })
    const strictestDefault = own.reduce<PlacedDefault | null>(
      (best, entry) => (best === null || isStricter(entry.effect, best.effect) ? entry : best),
      null,
    )
    if (strictestDefault !== null) {
      const { layer, effect } = strictestDefault
      defaults[action] = { ruleId: `permissions.defaults.${action}`, layer, action, effect }
    }
    const concerned = placed.filter(({ rule }) => rule.action === action)
    for (const entry of concerned) {
      const rule = toRule(entry, action, own, concerned, report)
      if (rule !== null) rules.push(rule)
    }
  }
  reportExceptions(bundle, nowMs, rules, report)
  reportUntil(placed, nowMs, report)
  const speaksOfShell = (["shell", "edit", "read", "web"] as const).some(
    (action) =>
      defaults[action] !== undefined ||
      layers.some(({ document }) => document.permissions?.rules?.some((rule) => rule.action === action)),
  )
  const order: readonly Effect[] = ["deny", "ask", "allow"]
  return {
    rules: rules.toSorted((a, b) => order.indexOf(a.effect) - order.indexOf(b.effect)),
    defaults,
    speaksOfShell,
  }
}

function toRule(
  { at, layer, rule }: PlacedRule,
  action: RuleAction,
  defaults: readonly PlacedDefault[],
  others: readonly PlacedRule[],
  report: Report,
): ToolRule | null {
  const { id: ruleId, effect: written, pattern, reason, when, expiresAt, overridable } = rule
  const subject = { ruleId, layer, action, effect: written }
  // Where a rule matches, its own layer's default does not count; another layer's still does.
  const held = defaults
    .filter((entry) => entry.at !== at && !(entry.isOverridable && at > entry.at))
    .filter((entry) => !others.some((other) => other.at === entry.at && isWhereverThis(other.rule, rule)))
    .reduce<Effect>((effect, entry) => strictest(effect, entry.effect), "allow")
  if (written === "allow") {
    if (when !== undefined) {
      report.stricter(subject, "ask", "It holds under conditions that the tool's files cannot know; left out.", false)
      return null
    }
    if (expiresAt !== undefined) {
      report.stricter(subject, "ask", "It ends, and the tool's files have no end; left out.", false)
      return null
    }
  } else if (overridable === true && others.some((other) => other.at > at)) {
    report.stricter(subject, written, "Rules of narrower layers may override it; the tool's files hold it everywhere.")
  }
  const fallback = defaults.reduce<Effect>((effect, entry) => strictest(effect, entry.effect), "allow")
  if (when === undefined) {
    const effect = strictest(written, held)
    // Where another layer's default decides, the default says so already.
    if (written === "allow" && effect !== written && effect === fallback) return null
    return { ruleId, layer, action, effect, written, pattern, reason }
  }
  // Where the condition does not hold, the defaults do.
  const whole = strictest("ask", fallback)
  report.looser(
    subject,
    whole,
    "It holds under conditions that the tool's files cannot know; asked everywhere instead.",
  )
  report.stricter(subject, whole, "It holds under conditions only; the tool's files hold it everywhere.")
  return { ruleId, layer, action, effect: whole, written, pattern, reason }
}

function isLive({ expiresAt, when }: PolicyRule, agentTools: readonly string[], nowMs: number): boolean {
  if (expiresAt !== undefined && nowMs >= Date.parse(expiresAt)) return false
  return when?.agentTool === undefined || when.agentTool.some((name) => agentTools.includes(name.toLowerCase()))
}

/** The conditions but for the tool, which is known; undefined when none is left. */
function withoutTool(when: PolicyConditions | undefined): PolicyConditions | undefined {
  if (when === undefined) return undefined
  const { agentTool: _, ...rest } = when
  return Object.keys(rest).length === 0 ? undefined : rest
}

/**
 * Whether a rule matches wherever `other` does, at all times: then it takes its own layer's default away there. An allow
 * takes less for its pattern than an ask.
 */
function isWhereverThis(rule: PolicyRule, other: PolicyRule): boolean {
  return (
    rule.when === undefined &&
    rule.expiresAt === undefined &&
    rule.pattern === other.pattern &&
    (rule.effect !== "allow" || other.effect === "allow")
  )
}

function reportExceptions(bundle: PolicyBundle, nowMs: number, rules: readonly ToolRule[], report: Report): void {
  for (const { rule, layer, expiresAt } of bundle.exceptions ?? []) {
    if (nowMs >= Date.parse(expiresAt)) continue
    for (const subject of rules) {
      if (subject.ruleId !== rule || (layer !== undefined && layer !== subject.layer) || subject.effect === "allow") {
        continue
      }
      report.stricter(subject, subject.effect, "An exception lifts it for some; the tool's files hold it for everyone.")
    }
  }
}

function reportUntil(placed: readonly PlacedRule[], nowMs: number, report: Report): void {
  const ends = placed
    .map(({ rule }) => (rule.expiresAt === undefined ? Infinity : Date.parse(rule.expiresAt)))
    .filter((end) => end > nowMs)
  const first = Math.min(...ends)
  if (first < Infinity) {
    report.note(`A rule ends at ${new Date(first).toISOString()}: compile again then, or the files stay stricter.`)
  }
}

/** Tells what a tool's files cannot say of budgets, review and autonomy. `modes` is what they do say of auto-approval. */
export function reportSections(bundle: PolicyBundle, report: Report, modes: string | null): void {
  for (const { document, layer } of bundle.layers) {
    const { autonomy, budgets = [], review } = document
    const effect = autonomy?.effect ?? "deny"
    if (autonomy?.highestRung) {
      report.looser(
        { ruleId: "autonomy.highestRung", layer, action: null, effect },
        "allow",
        "The tool knows no rungs of trust.",
      )
    }
    if (autonomy?.isolation) {
      report.looser(
        { ruleId: "autonomy.isolation", layer, action: null, effect },
        "allow",
        "The tool's files cannot depend on the repository or on where the tool runs.",
      )
    }
    if (autonomy?.autoApproveModes) {
      report.looser(
        { ruleId: "autonomy.autoApproveModes", layer, action: null, effect },
        "allow",
        modes ?? "The tool's files cannot switch a mode off.",
      )
    }
    for (const { id, hard } of budgets) {
      if (hard === "warn") continue
      report.looser(
        { ruleId: `budgets.${id}`, layer, action: null, effect: hard },
        "allow",
        "The tool does not add up what is used.",
      )
    }
    if (review && review.effect !== "warn") {
      report.looser(
        { ruleId: "review", layer, action: "edit", effect: review.effect },
        "allow",
        "The tool does not measure how large a change has grown.",
      )
    }
  }
}

/** Whether any layer lets no agent approve its own actions in a mode that goes by one of these names. */
export function forbidsMode(bundle: PolicyBundle, names: readonly string[]): boolean {
  return bundle.layers.some(({ document }) => {
    const list = document.autonomy?.autoApproveModes
    if (list === undefined) return false
    if (list.kind === "none") return true
    const items = list.items.map((item) => item.toLowerCase())
    // A pattern may name any mode, and then the hook decides.
    return !items.some((item) => item.includes("*") || names.includes(item))
  })
}
