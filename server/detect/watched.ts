import type { Rung } from "#sdk/ladder.ts"
import type { Cause, Watched } from "./contract.ts"

/**
 * What is watched at each rung: how a unit of work is expected to come out, which losses are looked for, how much units of
 * one day, person and team vary together, and from which effect on it matters to anybody.
 *
 * A `share` is a yes or no per unit (a suggestion taken, a task that edited a wrong path); its alternatives are shifts of
 * its log odds. A `count` is a number per unit (prompts of a task, tasks of a day); its alternatives are factors.
 */
export interface WatchedSpec {
  readonly type: "share" | "count"
  readonly alternatives: readonly number[]
  /** observed / expected from which on the effect matters. */
  readonly limit: number
  /** Whether fewer is worse. */
  readonly isLoss: boolean
  /** What it says when it stands out alone. */
  readonly cause: Cause
  /** A step of ln(observed / expected) that is large for this signal, to compare signals with each other. */
  readonly spread: number
  /**
   * Variance of the log rate (count) or log odds (share) beyond chance: `person` between days of one person, `team`
   * between days of one team, slow wander included. Of a count also the size `unit` of the negative binomial of one unit.
   */
  readonly dispersion: { readonly person: number; readonly team: number; readonly unit: number }
}

const NONE = Number.POSITIVE_INFINITY

export const SPECS: Readonly<Record<Watched, WatchedSpec>> = {
  acceptance: {
    type: "share",
    alternatives: [-0.25, -0.5, -0.9],
    limit: 0.87,
    isLoss: true,
    cause: "quality",
    spread: 0.35,
    dispersion: { person: 0.04, team: 0.02, unit: NONE },
  },
  outcome: {
    type: "share",
    alternatives: [-0.6, -1.1],
    limit: 0.78,
    isLoss: true,
    cause: "quality",
    spread: 0.45,
    dispersion: { person: 0.06, team: 0.02, unit: NONE },
  },
  slow: {
    type: "share",
    alternatives: [0.7, 1.4, 2.4],
    limit: 1.45,
    isLoss: false,
    cause: "latency",
    spread: 1,
    dispersion: { person: 0.06, team: 0.04, unit: NONE },
  },
  wrong_path: {
    type: "share",
    alternatives: [1, 1.9],
    limit: 1.8,
    isLoss: false,
    cause: "wrong_path",
    spread: 1,
    dispersion: { person: 0.15, team: 0.05, unit: NONE },
  },
  prompts: {
    type: "count",
    alternatives: [1.6, 3, 5],
    limit: 1.55,
    isLoss: false,
    cause: "permission",
    spread: 0.75,
    dispersion: { person: 0.03, team: 0.08, unit: 2.6 },
  },
  errors: {
    type: "count",
    alternatives: [1.8, 3.5, 6],
    limit: 1.7,
    isLoss: false,
    cause: "errors",
    spread: 0.9,
    dispersion: { person: 0.03, team: 0.08, unit: 1.8 },
  },
  context: {
    type: "count",
    alternatives: [0.6, 0.3],
    limit: 0.65,
    isLoss: true,
    cause: "context_loss",
    spread: 0.6,
    dispersion: { person: 0.05, team: 0.05, unit: 4 },
  },
  use: {
    type: "count",
    alternatives: [0.8, 0.55, 0.25, 0.08],
    limit: 0.78,
    isLoss: true,
    cause: "unknown",
    spread: 9,
    dispersion: { person: 0.15, team: 0.04, unit: NONE },
  },
}

/** Losses of trust themselves; the rest is what people go through. */
export const LOSSES: ReadonlySet<Watched> = new Set(["acceptance", "outcome", "use"])

/** Whether an effect matters; with `part` below 1 the limit is so much nearer to no effect, on the scale of logarithms. */
export function isBeyondLimit(watched: Watched, ratio: number, part = 1): boolean {
  const spec = SPECS[watched]
  const limit = spec.limit ** part
  return spec.isLoss ? ratio < limit : ratio > limit
}

/** Rungs on which a unit is a task of minutes or more, not an answer. */
export function isTaskRung(rung: Rung): boolean {
  return rung === "agent" || rung === "orchestration"
}
