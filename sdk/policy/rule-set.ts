/** The rules for one kind of action, compiled, and how they come to one decision. */
import type { PolicyContext } from "./action.ts"
import { type Condition, holdsAll } from "./conditions.ts"
import type { PolicyDecision } from "./decision.ts"
import type { Memo } from "./memo.ts"
import { type Effect, EFFECTS } from "./vocabulary.ts"
import { MAYBE, NO, type Verdict, YES } from "./wildcard.ts"

/** What lifts a rule for some, for a time. */
export interface CompiledException {
  readonly id: string
  readonly expiresAtMs: number
  /** Whether it is for whoever the context says acts. */
  readonly isFor: (context: PolicyContext) => boolean
}

/** A rule that says something of a probe. */
export interface CompiledRule<Probe> {
  readonly id: string
  readonly effect: Effect
  /** 0 for the widest layer. */
  readonly layer: number
  /** Its place among the rules of its action: strictest first, then widest layer, then as written. */
  readonly rank: number
  readonly isOverridable: boolean
  /** Infinity when it does not expire. */
  readonly expiresAtMs: number
  readonly conditions: readonly Condition[]
  readonly exceptions: readonly CompiledException[]
  readonly matches: (probe: Probe) => Verdict
  /** What it decides where it matches, and where it may. */
  readonly decision: PolicyDecision
  readonly doubt: PolicyDecision
}

/** What a layer decides where none of its rules matches. */
export interface LayerDefault {
  readonly layer: number
  readonly isOverridable: boolean
  readonly decision: PolicyDecision
}

/** Finds what may match a probe. */
export interface RuleIndex<Probe> {
  /** Whether it can be used: not where a part of the probe is not known. */
  canFind(probe: Probe): boolean
  collect(probe: Probe, into: CompiledRule<Probe>[]): void
}

/** A rule whose pattern matches or may match a probe. */
export interface Match<Probe> {
  readonly rule: CompiledRule<Probe>
  readonly verdict: Verdict
}

/** All rules for one kind of action. */
export interface RuleSet<Probe> {
  /** By rank. */
  readonly rules: readonly CompiledRule<Probe>[]
  readonly defaults: readonly LayerDefault[]
  readonly index: RuleIndex<Probe>
  readonly hasOverridable: boolean
  /** What matches the probes that were judged, by rank: patterns depend on nothing else. */
  readonly found: Memo<Probe, readonly Match<Probe>[]>
}

/** Why a rule counted or did not. */
export type Standing = "matches" | "may_match" | "no_match" | "conditions" | "expired" | "lifted" | "overridden"

/** Is told of every rule that was considered. */
export type Trace = (rule: Pick<CompiledRule<never>, "id" | "effect" | "layer">, standing: Standing) => void

/** What is considered for a trace: every rule, or those whose pattern matches or may. */
export type Width = "every_rule" | "matching"

/** How a probe is judged. */
export interface Judging {
  /** Whether defaults count. Otherwise what nothing denies or asks about is decided elsewhere. */
  readonly needsAllow: boolean
  /** Whether the program may mean something else, so that a match is one in doubt. */
  readonly isDoubtful: boolean
}

export const STRICTNESS: Readonly<Record<Effect, number>> = { allow: 0, ask: 1, deny: 2 }

/** The stricter of two decisions; the first when they are equally strict, unless it is no rule's. */
export function stricter(a: PolicyDecision, b: PolicyDecision): PolicyDecision {
  const difference = STRICTNESS[b.effect] - STRICTNESS[a.effect]
  if (difference !== 0) return difference > 0 ? b : a
  return a.ruleId === null && b.ruleId !== null ? b : a
}

/** Whether a set says nothing, whatever the probe. */
export function isSilent({ rules, defaults }: RuleSet<never>, { needsAllow }: Judging): boolean {
  return rules.length === 0 && (!needsAllow || defaults.length === 0)
}

/**
 * Decides one probe: deny beats ask beats allow over all layers. A rule that is `overridable` steps back where a
 * narrower layer has a rule that matches. A layer in which no rule matches has its default count, unless that may be
 * overridden and was. Null when nothing is said of it.
 *
 * A deny or ask that cannot be evaluated counts as ask; an allow that cannot, not at all.
 */
export function judge<Probe>(
  set: RuleSet<Probe>,
  probe: Probe,
  context: PolicyContext,
  { needsAllow, isDoubtful }: Judging,
  trace?: Trace,
  width: Width = "matching",
): PolicyDecision | null {
  const matches = width === "matching" ? matchesOf(set, probe) : tryAll(set, probe)
  // Nothing is stricter than a sure deny. Short of it every match counts, since it takes its layer's default away.
  const stopsAtDeny = !set.hasOverridable && trace === undefined
  let overridable: Hit<Probe>[] | null = null
  let best: CompiledRule<Probe> | null = null
  let isBestSure = false
  let bestAllow: CompiledRule<Probe> | null = null
  let layers = 0
  let narrowest = -1
  for (const { rule, verdict } of matches) {
    if (rule.effect === "allow" && !needsAllow && !set.hasOverridable && trace === undefined) continue
    const standing = standingOf(rule, verdict, context, isDoubtful)
    if (standing !== "matches" && standing !== "may_match") {
      trace?.(rule, standing)
      continue
    }
    const isSure = standing === "matches"
    if (isSure) {
      layers |= 1 << rule.layer
      if (rule.layer > narrowest) narrowest = rule.layer
    }
    if (rule.effect !== "allow" && rule.isOverridable) {
      ;(overridable ??= []).push({ rule, isSure })
      continue
    }
    trace?.(rule, standing)
    if (rule.effect === "allow") {
      bestAllow ??= rule
    } else if (best === null || isStronger(rule, isSure, best, isBestSure)) {
      best = rule
      isBestSure = isSure
      if (stopsAtDeny && isSure && rule.effect === "deny") break
    }
  }
  for (const { rule, isSure } of overridable ?? NO_HITS) {
    const isOverridden = narrowest > rule.layer
    trace?.(rule, isOverridden ? "overridden" : isSure ? "matches" : "may_match")
    if (isOverridden || (best !== null && !isStronger(rule, isSure, best, isBestSure))) continue
    best = rule
    isBestSure = isSure
  }
  const ruled = best === null ? null : isBestSure ? best.decision : best.doubt
  if (!needsAllow) return ruled
  let decision: PolicyDecision | null = ruled ?? bestAllow?.decision ?? null
  for (const fallback of set.defaults) {
    const isSpokenFor = (layers & (1 << fallback.layer)) !== 0 || (fallback.isOverridable && narrowest > fallback.layer)
    if (isSpokenFor) continue
    decision = decision === null ? fallback.decision : stricter(decision, fallback.decision)
  }
  return decision
}

interface Hit<Probe> {
  readonly rule: CompiledRule<Probe>
  readonly isSure: boolean
}
const NO_HITS: readonly never[] = []

/** What matches or may match, by rank. */
function matchesOf<Probe>(set: RuleSet<Probe>, probe: Probe): readonly Match<Probe>[] {
  const known = set.found.get(probe)
  if (known !== undefined) return known
  let candidates: readonly CompiledRule<Probe>[] = set.rules
  if (set.index.canFind(probe)) {
    const found: CompiledRule<Probe>[] = []
    set.index.collect(probe, found)
    candidates = found.length > 1 ? found.toSorted((a, b) => a.rank - b.rank) : found
  }
  let matches: Match<Probe>[] | null = null
  let last = -1
  for (const rule of candidates) {
    // Found under two names.
    if (rule.rank === last) continue
    last = rule.rank
    const verdict = rule.matches(probe)
    if (verdict !== NO) (matches ??= []).push({ rule, verdict })
  }
  set.found.set(probe, matches ?? NO_HITS)
  return matches ?? NO_HITS
}

function tryAll<Probe>({ rules }: RuleSet<Probe>, probe: Probe): readonly Match<Probe>[] {
  return rules.map((rule) => ({ rule, verdict: rule.matches(probe) }))
}

function isStronger<Probe>(
  rule: CompiledRule<Probe>,
  isSure: boolean,
  than: CompiledRule<Probe>,
  isThanSure: boolean,
): boolean {
  const difference =
    (isSure ? STRICTNESS[rule.effect] : STRICTNESS.ask) - (isThanSure ? STRICTNESS[than.effect] : STRICTNESS.ask)
  if (difference !== 0) return difference > 0
  return isSure === isThanSure ? rule.rank < than.rank : isSure
}

/** What has become of one rule. */
function standingOf<Probe>(
  rule: CompiledRule<Probe>,
  matched: Verdict,
  context: PolicyContext,
  isDoubtful: boolean,
): Standing {
  if (matched === NO) return "no_match"
  if (context.nowMs >= rule.expiresAtMs) return "expired"
  const verdict = rule.conditions.length === 0 ? matched : lesser(matched, holdsAll(rule.conditions, context))
  if (verdict === NO) return "conditions"
  if (rule.exceptions.length > 0 && isLifted(rule.exceptions, context)) return "lifted"
  const isSure = verdict === YES && !(isDoubtful && rule.effect !== "allow")
  if (isSure) return "matches"
  return rule.effect === "allow" ? (matched === MAYBE ? "no_match" : "conditions") : "may_match"
}

/** Whether an exception holds. */
export function isLifted(exceptions: readonly CompiledException[], context: PolicyContext): boolean {
  return exceptions.some(({ expiresAtMs, isFor }) => context.nowMs < expiresAtMs && isFor(context))
}

function lesser(a: Verdict, b: Verdict): Verdict {
  return a < b ? a : b
}

/** Sorts rules as their ranks have to be: strictest first, then widest layer; equal ones stay as they are. */
export function byRank(a: { readonly effect: Effect; readonly layer: number }, b: typeof a): number {
  return EFFECTS.indexOf(b.effect) - EFFECTS.indexOf(a.effect) || a.layer - b.layer
}
