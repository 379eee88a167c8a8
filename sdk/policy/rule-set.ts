/** The rules for one kind of action, compiled, and how they come to one decision. */
import type { PolicyContext } from "./action.ts"
import { type Condition, holdsAll } from "./conditions.ts"
import type { PolicyDecision } from "./decision.ts"
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
  collect(probe: Probe, into: CompiledRule<Probe>[]): void
}

/** All rules for one kind of action. */
export interface RuleSet<Probe> {
  /** By rank. */
  readonly rules: readonly CompiledRule<Probe>[]
  readonly defaults: readonly LayerDefault[]
  readonly index: RuleIndex<Probe>
  readonly hasOverridable: boolean
}

/** Why a rule counted or did not. */
export type Standing = "matches" | "may_match" | "no_match" | "conditions" | "expired" | "lifted" | "overridden"

/** Is told of every rule that was considered. */
export type Trace = (rule: Pick<CompiledRule<never>, "id" | "effect" | "layer">, standing: Standing) => void

/** How a probe is judged. */
export interface Judging {
  /** Whether defaults count. Otherwise what nothing denies or asks about is decided elsewhere. */
  readonly needsAllow: boolean
  /** Whether the program may mean something else, so that a match is one in doubt. */
  readonly isDoubtful: boolean
  /** Whether the index cannot be used, because a part of the probe is not known. */
  readonly isWide: boolean
}

export const STRICTNESS: Readonly<Record<Effect, number>> = { allow: 0, ask: 1, deny: 2 }

/** The stricter of two decisions; the first when they are equally strict, unless it is no rule's. */
export function stricter(a: PolicyDecision, b: PolicyDecision): PolicyDecision {
  const difference = STRICTNESS[b.effect] - STRICTNESS[a.effect]
  if (difference !== 0) return difference > 0 ? b : a
  return a.ruleId === null && b.ruleId !== null ? b : a
}

interface Hit<Probe> {
  readonly rule: CompiledRule<Probe>
  readonly isSure: boolean
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
  { needsAllow, isDoubtful, isWide }: Judging,
  trace?: Trace,
): PolicyDecision | null {
  let candidates: readonly CompiledRule<Probe>[] = set.rules
  if (!isWide && trace === undefined) {
    const found: CompiledRule<Probe>[] = []
    set.index.collect(probe, found)
    candidates = found
  }
  // Nothing is stricter than a sure deny. Short of it every match counts, since it takes its layer's default away.
  const stopsAtDeny = !set.hasOverridable && trace === undefined
  const overridable: Hit<Probe>[] = []
  let best: Hit<Probe> | null = null
  let bestAllow: CompiledRule<Probe> | null = null
  let layers = 0
  let narrowest = -1
  for (const rule of candidates) {
    if (stopsAtDeny && best !== null && strictnessOf(best) === STRICTNESS.deny && rule.rank > best.rule.rank) continue
    if (rule.effect === "allow" && !needsAllow && !set.hasOverridable && trace === undefined) continue
    const standing = standingOf(rule, probe, context, isDoubtful)
    if (standing !== "matches" && standing !== "may_match") {
      trace?.(rule, standing)
      continue
    }
    const isSure = standing === "matches"
    if (isSure) {
      layers |= 1 << rule.layer
      if (rule.layer > narrowest) narrowest = rule.layer
    }
    if (rule.effect === "allow") {
      trace?.(rule, standing)
      if (bestAllow === null || rule.rank < bestAllow.rank) bestAllow = rule
    } else if (rule.isOverridable) {
      overridable.push({ rule, isSure })
    } else {
      trace?.(rule, standing)
      if (best === null || isStronger({ rule, isSure }, best)) best = { rule, isSure }
    }
  }
  for (const hit of overridable) {
    const isOverridden = narrowest > hit.rule.layer
    trace?.(hit.rule, isOverridden ? "overridden" : hit.isSure ? "matches" : "may_match")
    if (!isOverridden && (best === null || isStronger(hit, best))) best = hit
  }
  const ruled = best === null ? null : best.isSure ? best.rule.decision : best.rule.doubt
  if (!needsAllow) return ruled
  let decision: PolicyDecision | null = ruled ?? bestAllow?.decision ?? null
  for (const fallback of set.defaults) {
    const isSpokenFor = (layers & (1 << fallback.layer)) !== 0 || (fallback.isOverridable && narrowest > fallback.layer)
    if (isSpokenFor) continue
    decision = decision === null ? fallback.decision : stricter(decision, fallback.decision)
  }
  return decision
}

function strictnessOf({ rule, isSure }: Hit<never>): number {
  return isSure ? STRICTNESS[rule.effect] : STRICTNESS.ask
}

function isStronger<Probe>(hit: Hit<Probe>, than: Hit<Probe>): boolean {
  const difference = strictnessOf(hit) - strictnessOf(than)
  if (difference !== 0) return difference > 0
  return hit.isSure === than.isSure ? hit.rule.rank < than.rule.rank : hit.isSure
}

/** What has become of one rule. The pattern comes first: it fails most often. */
function standingOf<Probe>(
  rule: CompiledRule<Probe>,
  probe: Probe,
  context: PolicyContext,
  isDoubtful: boolean,
): Standing {
  const matched = rule.matches(probe)
  if (matched === NO) return "no_match"
  if (context.nowMs >= rule.expiresAtMs) return "expired"
  const verdict = rule.conditions.length === 0 ? matched : lesser(matched, holdsAll(rule.conditions, context))
  if (verdict === NO) return "conditions"
  if (isLifted(rule.exceptions, context)) return "lifted"
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
