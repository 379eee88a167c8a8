/** What comes of asking a policy. */
import type { Effect, Layer } from "./vocabulary.ts"

/** What a policy decides on an action. Content-free: it can be sent as it is. */
export interface PolicyDecision {
  /** Whether the agent may act, has to ask the person, or may not. */
  readonly effect: Effect
  /**
   * - `rule`: a rule matched, or a section's bound was passed.
   * - `default`: no rule matched; a layer says what holds then.
   * - `unset`: no layer says anything; the agent tool's own settings hold.
   * - `unsure`: what decides could not be seen or is not known, so that a person is asked.
   */
  readonly because: "rule" | "default" | "unset" | "unsure"
  /** The rule that decided, or the section's bound, such as `models.allowed`; null when none did. */
  readonly ruleId: string | null
  /** For the person who is asked or refused. */
  readonly reason: string | null
  /** Who answers for the rule. */
  readonly owner: string | null
  /** The layer that the rule or default is in. */
  readonly layer: Layer | null
  /** The bundle's version. */
  readonly version: number
  /** The version of that layer's document. */
  readonly layerVersion: number | null
  /** Limits that are near or passed and do not stop the action. */
  readonly warnings: readonly PolicyWarning[]
}

/** A limit that is near or passed and does not stop the action. */
export interface PolicyWarning {
  /** `budgets.<id>` or `review`. */
  readonly ruleId: string
  /** The layer that it is in. */
  readonly layer: Layer
  /** The share of the limit that is used: 1 is all. */
  readonly share: number
  /** What the policy says of it. */
  readonly reason: string | null
}

export const NO_WARNINGS: readonly PolicyWarning[] = []
