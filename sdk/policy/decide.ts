/** The decision: one pure function for the SDK, the hooks, the server, the dry run and the tester. */
import type { AgentAction, PolicyContext } from "./action.ts"
import type { CompiledPolicy } from "./compile.ts"
import type { PolicyDecision, PolicyWarning } from "./decision.ts"
import { type NamedKind, type NamedPart, type PathPart, partsOf, type Probes, WHOLE } from "./parts.ts"
import { followLinks } from "./paths.ts"
import { isLifted, isSilent, judge, type Judging, type Standing, stricter, type Trace, type Width } from "./rule-set.ts"
import { type Doubt, DOUBTS } from "./script.ts"
import { type Effect, type Layer, LAYERS, type RuleAction } from "./vocabulary.ts"
import { NO, YES } from "./wildcard.ts"

/** What was considered on the way to a decision. Quotes the action, so it is for whoever may see that. */
export interface Explanation {
  readonly decision: PolicyDecision
  /** Every part of the action that was judged, in order, with what came of it. */
  readonly parts: readonly ExplainedPart[]
  /** What about a shell command cannot be seen. */
  readonly doubts: readonly Doubt[]
  /** Every bound of a section that was considered. */
  readonly bounds: readonly ConsideredRule[]
}

/** A part of an action: a simple command, a file that it names, or the action itself. */
export interface ExplainedPart {
  readonly action: RuleAction
  /** What it is: the command's words, the path as resolved, the address or name. */
  readonly subject: string
  /** What was decided on it; null when nothing is said of it and nothing needs to be. */
  readonly decision: PolicyDecision | null
  /** Every rule on that kind of action, or those whose pattern matches or may. */
  readonly rules: readonly ConsideredRule[]
}

/** A rule that was considered, and what became of it. */
export interface ConsideredRule {
  readonly ruleId: string
  readonly layer: Layer
  readonly effect: Effect | "warn"
  readonly standing: Standing
}

interface Listener {
  readonly width: Width
  part(action: RuleAction, subject: string): { trace: Trace; done(decision: PolicyDecision | null): void }
  bound(bound: ConsideredRule): void
  doubt(doubt: Doubt): void
}

/**
 * Decides one action of an agent.
 *
 * Deny beats ask beats allow, across all layers, whatever the order of rules. Every part of an action has to pass: each
 * simple command of a script and the files it names, each form of a path, the bounds of the sections. Of equally strict
 * reasons the first is named. Where no layer says anything the effect is `allow` and `because` is `unset`: the agent
 * tool's own settings hold, so that a hook has nothing to say.
 *
 * What is not known never counts in the agent's favour: an allow whose conditions or pattern cannot be evaluated does
 * not count; a deny or ask that cannot be counts as ask. A script that cannot be read, or contains what cannot be seen,
 * is never better than ask.
 *
 * Pure and total: no clock, no I/O, never throws. `context.resolveLinks` is called for paths, and what it throws counts
 * as not known.
 *
 * @see XACML 3.0 core, appendix C.2, for deny-overrides, and C.1 for what an undecidable deny does.
 */
export function decide(policy: CompiledPolicy, action: AgentAction, context: PolicyContext): PolicyDecision {
  return decideWith(policy, action, context)
}

/**
 * Decides as `decide` does, and tells what became of each rule: of every one, which are all tried, or with `matching` of those
 * whose pattern matches or may, which takes a fraction of the time.
 */
export function explain(
  policy: CompiledPolicy,
  action: AgentAction,
  context: PolicyContext,
  width: Width = "every_rule",
): Explanation {
  const parts: ExplainedPart[] = []
  const doubts: Doubt[] = []
  const bounds: ConsideredRule[] = []
  const decision = decideWith(policy, action, context, {
    width,
    part(kind, subject) {
      const rules: ConsideredRule[] = []
      return {
        trace: ({ id, layer, effect }, standing) => {
          const name = LAYERS[layer]
          if (name !== undefined) rules.push({ ruleId: id, layer: name, effect, standing })
        },
        done: (decided) => parts.push({ action: kind, subject, decision: decided, rules }),
      }
    },
    bound: (bound) => bounds.push(bound),
    doubt: (doubt) => doubts.push(doubt),
  })
  return { decision, parts, doubts, bounds }
}

function decideWith(
  policy: CompiledPolicy,
  action: AgentAction,
  context: PolicyContext,
  listener?: Listener,
): PolicyDecision {
  let decision = judgeAction(policy, action, context, listener)
  let warnings: PolicyWarning[] | null = null
  for (const bound of policy.bounds) {
    const passed = bound.isPassed(action, context)
    const isFree = passed !== NO && isLifted(bound.exceptions, context)
    if (listener) {
      const layer = LAYERS[bound.layer]
      const standing = passed === NO ? "no_match" : isFree ? "lifted" : passed === YES ? "matches" : "may_match"
      if (layer !== undefined) listener.bound({ ruleId: bound.id, layer, effect: bound.effect, standing })
    }
    if (passed !== NO && !isFree && bound.effect !== "warn") {
      decision = stricter(decision, passed === YES ? bound.decision : bound.doubt)
    }
    const warning = bound.warning?.(context) ?? null
    if (warning !== null) (warnings ??= []).push(warning)
  }
  return warnings === null ? decision : { ...decision, warnings }
}

function judgeAction(
  policy: CompiledPolicy,
  action: AgentAction,
  context: PolicyContext,
  listener: Listener | undefined,
): PolicyDecision {
  if (action.kind === "model") {
    const probe = policy.catalog.resolve(action.model, action.provider)
    return judgeProbe(policy, "model", probe, action.model, WHOLE, context, listener) ?? policy.unset
  }
  if (action.kind === "shell" && !policy.speaksOfShell) return policy.unset
  const { parts, doubts } = partsOf(action, context)
  let decision: PolicyDecision | null = null
  for (const part of parts) {
    const decided =
      "path" in part ? judgePath(policy, part, context, listener) : judgeNamed(policy, part, context, listener)
    decision = stricterOf(decision, decided)
  }
  const settled = decision ?? policy.unset
  const [doubt] = doubts
  if (doubt === undefined) return settled
  if (listener) for (const each of doubts) listener.doubt(each)
  return settled.effect === "allow"
    ? { ...policy.unset, effect: "ask", because: "unsure", reason: DOUBTS[doubt] }
    : settled
}

function judgeProbe<Kind extends RuleAction>(
  policy: CompiledPolicy,
  kind: Kind,
  probe: Probes[Kind],
  subject: string,
  judging: Judging,
  context: PolicyContext,
  listener: Listener | undefined,
): PolicyDecision | null {
  const set = policy.sets[kind]
  if (listener === undefined) return judge(set, probe, context, judging)
  const part = listener.part(kind, subject)
  const decision = judge(set, probe, context, judging, part.trace, listener.width)
  part.done(decision)
  return decision
}

function judgeNamed<Kind extends NamedKind>(
  policy: CompiledPolicy,
  { kind, probe, subject, judging }: NamedPart<Kind>,
  context: PolicyContext,
  listener: Listener | undefined,
): PolicyDecision | null {
  if (kind === "web" && isSilent(policy.sets.web, judging)) return null
  return judgeProbe(policy, kind, probe, listener ? subject() : "", judging, context, listener)
}

function judgePath(
  policy: CompiledPolicy,
  { kind, path, judging }: PathPart,
  context: PolicyContext,
  listener: Listener | undefined,
): PolicyDecision | null {
  if (isSilent(policy.sets[kind], judging)) return null
  const written = path()
  let decision: PolicyDecision | null = null
  for (const probe of written.probes) {
    decision = stricterOf(decision, judgeProbe(policy, kind, probe, probe.absolute, judging, context, listener))
  }
  const followed = context.resolveLinks === undefined ? null : followLinks(written, context.resolveLinks)
  if (followed === null) return decision
  return stricterOf(decision, judgeProbe(policy, kind, followed, followed.absolute, judging, context, listener))
}

function stricterOf(a: PolicyDecision | null, b: PolicyDecision | null): PolicyDecision | null {
  if (a === null || b === null) return a ?? b
  return stricter(a, b)
}
