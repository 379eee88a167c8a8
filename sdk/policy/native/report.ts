/** What is lost when a policy is written in an agent tool's own terms. */
import type { Effect, Layer, RuleAction } from "../vocabulary.ts"
import { EFFECTS } from "../vocabulary.ts"

/** Something of the policy that the tool's own files do not say as the policy does. */
export interface NativeLoss {
  /**
   * The permission rule, or a section's such as `models.allowed`, `budgets.monthly` and `permissions.defaults.shell`.
   * Null for what no rule says: that a command which cannot be seen through is never better than ask.
   */
  readonly ruleId: string | null
  /** Who wrote it; null with a null `ruleId`. */
  readonly layer: Layer | null
  /** On which actions it shows; null for whatever the agent does. A rule on files shows on `shell` too. */
  readonly action: RuleAction | null
  /** `looser`: the tool may let through what the policy does not. `stricter`: the tool stops or asks where it need not. */
  readonly direction: "looser" | "stricter"
  /** What the policy says. */
  readonly effect: Effect
  /** What the tool does instead where the loss shows; with `looser` at its mildest. */
  readonly nativeEffect: Effect
  /** What is lost, for a person. */
  readonly what: string
  /** Whether the tool's Belay hook decides these actions as the policy does, so that the loss does not show with it. */
  readonly isCoveredByHook: boolean
}

/** What a loss is about. */
export interface LossSubject {
  readonly ruleId: string | null
  readonly layer: Layer | null
  readonly action: RuleAction | null
  readonly effect: Effect
}

/** What the Belay hook of a tool can do. */
export interface HookReach {
  /** The actions that it is asked about. */
  readonly actions: ReadonlySet<RuleAction>
  /** Whether its allow spares a person a prompt of the tool's that no rule of the tool's files demands. */
  readonly canAllow: boolean
}

export const NO_HOOK: HookReach = { actions: new Set(), canAllow: false }

/** Whether `a` stops more than `b`. */
export function isStricter(a: Effect, b: Effect): boolean {
  return EFFECTS.indexOf(a) > EFFECTS.indexOf(b)
}

/** The stricter of two effects. */
export function strictest(a: Effect, b: Effect): Effect {
  return isStricter(a, b) ? a : b
}

/** Gathers what is lost. The same loss is kept once. */
export class Report {
  readonly #losses = new Map<string, NativeLoss>()
  readonly #notes = new Set<string>()
  readonly #hook: HookReach

  constructor(hook: HookReach) {
    this.#hook = hook
  }

  /** The tool may let through what the policy does not; `nativeEffect` is the mildest that may come of it. */
  looser(subject: LossSubject, nativeEffect: Effect, what: string): void {
    if (!isStricter(subject.effect, nativeEffect)) return
    const { actions } = this.#hook
    this.#add({
      ...toSubject(subject),
      direction: "looser",
      nativeEffect,
      what,
      isCoveredByHook: subject.action === null ? actions.size > 0 : actions.has(subject.action),
    })
  }

  /**
   * The tool stops or asks where the policy does not. `isHeld` is whether a rule in the tool's files does so, which no
   * hook can lift.
   */
  stricter(subject: LossSubject, nativeEffect: Effect, what: string, isHeld = true): void {
    const { actions, canAllow } = this.#hook
    this.#add({
      ...toSubject(subject),
      direction: "stricter",
      nativeEffect,
      what,
      isCoveredByHook: !isHeld && canAllow && subject.action !== null && actions.has(subject.action),
    })
  }

  note(text: string): void {
    this.#notes.add(text)
  }

  get losses(): readonly NativeLoss[] {
    return [...this.#losses.values()]
  }

  get notes(): readonly string[] {
    return [...this.#notes]
  }

  #add(loss: NativeLoss): void {
    const { ruleId, layer, action, direction } = loss
    const key = JSON.stringify([ruleId, layer, action, direction])
    const known = this.#losses.get(key)
    if (known === undefined) {
      this.#losses.set(key, loss)
      return
    }
    // Of one thing the worst is told, with all that makes it so.
    const worst = isStricter(known.nativeEffect, loss.nativeEffect) ? loss.nativeEffect : known.nativeEffect
    this.#losses.set(key, {
      ...known,
      nativeEffect: direction === "looser" ? worst : strictest(known.nativeEffect, loss.nativeEffect),
      what: known.what.includes(loss.what) ? known.what : `${known.what} ${loss.what}`,
      isCoveredByHook: known.isCoveredByHook && loss.isCoveredByHook,
    })
  }
}

/** Rules have more to them, which is not part of a loss. */
function toSubject({ ruleId, layer, action, effect }: LossSubject): LossSubject {
  return { ruleId, layer, action, effect }
}
