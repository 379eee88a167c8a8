/** What the sections on models, autonomy, budgets and review say of an action, apart from the permission rules. */
import { type ActionOf, type AgentAction, budgetKey, type PolicyContext } from "./action.ts"
import { hasLabel, isRepository } from "./conditions.ts"
import type { PolicyWarning } from "./decision.ts"
import type { AutonomySection, ModelsSection, PolicyBudget, PolicyList, ReviewSection } from "./document.ts"
import { RUNGS } from "../ladder.ts"
import type { ModelCatalog } from "./models.ts"
import { toModelPattern } from "./targets.ts"
import { AUTO_APPROVE_MODES, type Layer, type LimitEffect, REVIEW_LINES, SOFT_THRESHOLDS } from "./vocabulary.ts"
import { MAYBE, NO, starsToRegex, type Verdict, YES } from "./wildcard.ts"

/** One bound that a section sets. */
export interface Bound {
  /** `models.allowed`, `budgets.<id>`. */
  readonly id: string
  readonly effect: LimitEffect
  readonly reason: string
  readonly owner: string | null
  /** Whether the action passes the bound; `MAYBE` when that is not known. */
  readonly isPassed: (action: AgentAction, context: PolicyContext) => Verdict
  /** Near or passed without stopping anything; null where there is nothing to warn of. */
  readonly warning?: (context: PolicyContext) => PolicyWarning | null
}

/** Modes in which a person approves, by the tools' own names and ours. */
const PERSON_APPROVES: ReadonlySet<string> = new Set(
  "architect ask code debug default interactive manual on-request orchestrator plan untrusted".split(" "),
)
const KNOWN_AUTO: ReadonlySet<string> = new Set(AUTO_APPROVE_MODES.map((mode) => mode.toLowerCase()))

/** Whether a list allows what goes by these names. */
function listTest(
  list: PolicyList,
  toPattern: (item: string) => string,
): (names: readonly string[], isKnown: boolean) => boolean {
  if (list.kind === "none") return () => false
  const isNamed = namedTest(list.items, toPattern)
  const isFutureAllowed = list.future === "allow"
  return (names, isKnown) => isNamed(names) || (!isKnown && isFutureAllowed)
}

function namedTest(
  items: readonly string[],
  toPattern: (item: string) => string,
): (names: readonly string[]) => boolean {
  const exact = new Set<string>()
  const tests: RegExp[] = []
  for (const item of items.map(toPattern)) {
    if (item.includes("*")) tests.push(starsToRegex(item, "is"))
    else exact.add(item)
  }
  return (names) => names.some((name) => exact.has(name) || tests.some((test) => test.test(name)))
}

/** The bounds on models and providers. They are about calls of models. */
export function modelBounds(section: ModelsSection, catalog: ModelCatalog): readonly Bound[] {
  const owner = section.owner ?? null
  const bounds: Bound[] = []
  const bound = (id: string, words: string, isPassed: (action: ActionOf<"model">) => Verdict): void => {
    bounds.push({
      id: `models.${id}`,
      effect: "deny",
      reason: section.reason ?? words,
      owner,
      isPassed: (action) => (action.kind === "model" ? isPassed(action) : NO),
    })
  }
  const names = ({ model, provider }: ActionOf<"model">) => catalog.resolve(model, provider).names
  const toPattern = (item: string): string => toModelPattern(item, catalog)
  if (section.denied) {
    const isNamed = namedTest(section.denied, toPattern)
    bound("denied", "This model is not to be used.", (action) => (isNamed(names(action)) ? YES : NO))
  }
  if (section.allowed) {
    const isAllowed = listTest(section.allowed, toPattern)
    bound("allowed", "This model is not among those that may be used.", (action) =>
      isAllowed(names(action), catalog.resolve(action.model, action.provider).isKnown) ? NO : YES,
    )
  }
  const toProvider = (item: string): string => (item.includes("*") ? item : catalog.provider(item))
  if (section.deniedProviders) {
    const isNamed = namedTest(section.deniedProviders, toProvider)
    bound("deniedProviders", "This provider is not to be used.", ({ model, provider }) => {
      const resolved = catalog.resolve(model, provider)
      return resolved.provider === null ? MAYBE : isNamed([resolved.provider]) ? YES : NO
    })
  }
  if (section.providers) {
    const { kind } = section.providers
    const isAllowed = listTest(section.providers, toProvider)
    bound("providers", "This provider is not among those that may be used.", ({ model, provider }) => {
      const resolved = catalog.resolve(model, provider)
      if (resolved.provider === null) return kind === "none" ? YES : MAYBE
      return isAllowed([resolved.provider], resolved.isKnownProvider) ? NO : YES
    })
  }
  return bounds
}

/** The bounds on how much is left to the agent. They are about whatever it does. */
export function autonomyBounds(section: AutonomySection): readonly Bound[] {
  const { highestRung, autoApproveModes, isolation, effect = "deny", owner = null } = section
  const bounds: Bound[] = []
  const bound = (id: string, words: string, isPassed: (context: PolicyContext) => Verdict): void => {
    bounds.push({
      id: `autonomy.${id}`,
      effect,
      reason: section.reason ?? words,
      owner,
      isPassed: (_, context) => isPassed(context),
    })
  }
  if (highestRung) {
    const highest = RUNGS.indexOf(highestRung)
    bound("highestRung", `An agent may act on no higher rung than ${highestRung}.`, ({ rung }) =>
      rung === undefined ? MAYBE : RUNGS.indexOf(rung) > highest ? YES : NO,
    )
  }
  if (autoApproveModes) {
    const toPattern = (item: string): string => item.toLowerCase()
    const isAllowed = listTest(autoApproveModes, toPattern)
    bound("autoApproveModes", "An agent may not approve its own actions in this mode.", ({ mode, isAutoApproving }) => {
      if (isAutoApproving === false) return NO
      if (mode === undefined) return autoApproveModes.kind === "none" && isAutoApproving ? YES : MAYBE
      const name = mode.toLowerCase()
      const isKnown = KNOWN_AUTO.has(name)
      if (!isKnown && isAutoApproving === undefined && PERSON_APPROVES.has(name)) return NO
      if (isAllowed([name], isKnown)) return NO
      // Of a mode that nobody knows it has not been said whether it is one of these.
      return isKnown || isAutoApproving ? YES : MAYBE
    })
  }
  if (isolation) {
    const byName = isolation.repositories ? isRepository(isolation.repositories) : null
    const byLabel = isolation.labels ? hasLabel(isolation.labels) : null
    const isConcerned = (context: PolicyContext): Verdict => {
      if (byName === null && byLabel === null) return YES
      const [name, label] = [byName?.(context) ?? NO, byLabel?.(context) ?? NO]
      return name > label ? name : label
    }
    bound("isolation", "In this repository an agent acts in an isolated environment only.", (context) => {
      if (context.isIsolated === true) return NO
      const concerned = isConcerned(context)
      return concerned === YES && context.isIsolated === undefined ? MAYBE : concerned
    })
  }
  return bounds
}

/**
 * The bound that a budget sets: what is spent reaches the limit. It is about whatever an agent does, since hardly a tool
 * asks before it calls a model. What is spent and is not known counts as unknown, unless the budget only warns.
 */
export function budgetBound(budget: PolicyBudget, layer: Layer): Bound {
  const { id, limit, hard, softThresholds = SOFT_THRESHOLDS, owner = null } = budget
  const key = budgetKey(layer, id)
  const first = Math.min(...softThresholds)
  return {
    id: `budgets.${id}`,
    effect: hard,
    reason: budget.reason ?? `The ${budget.period}'s budget is used up.`,
    owner,
    isPassed(_, { spent }) {
      const used = spent?.get(key)
      if (used === undefined) return hard === "warn" ? NO : MAYBE
      return used >= limit.amount ? YES : NO
    },
    warning({ spent }) {
      const used = spent?.get(key)
      if (used === undefined || used / limit.amount < first) return null
      return { ruleId: `budgets.${id}`, layer, share: used / limit.amount, reason: budget.reason ?? null }
    },
  }
}

/** The bound on how large a change may grow before a person has reviewed it. It is about edits. */
export function reviewBound(section: ReviewSection, layer: Layer): Bound {
  const { changedLines = REVIEW_LINES, files = Infinity, effect, owner = null } = section
  const share = ({ change }: PolicyContext): number | null =>
    change === undefined ? null : Math.max(change.lines / changedLines, change.files / files)
  return {
    id: "review",
    effect,
    reason: section.reason ?? `The change is larger than a person can review in one sitting (${changedLines} lines).`,
    owner,
    isPassed(action, context) {
      if (action.kind !== "edit") return NO
      const used = share(context)
      if (used === null) return effect === "warn" ? NO : MAYBE
      return used > 1 ? YES : NO
    },
    warning(context) {
      const used = share(context)
      return effect === "warn" && used !== null && used > 1
        ? { ruleId: "review", layer, share: used, reason: section.reason ?? null }
        : null
    },
  }
}
