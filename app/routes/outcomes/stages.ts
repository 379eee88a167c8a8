import type { Interval } from "#server/rungs/wilson.ts"

/** A part of a whole, with its 95 % interval. */
export interface Share {
  /** A ratio 0..1. */
  readonly value: number
  readonly interval: Interval
  readonly part: number
  readonly whole: number
}

export type StageName = "planned" | "ran" | "known" | "verified" | "reviewed" | "merged" | "alive"

/** A stage of tasks' lives. */
export interface Stage {
  readonly name: StageName
  readonly reached: number | null
  /** Of those that reached the stage before, the ones that reached this one too; null of the first. */
  readonly step: Share | null
  /** What is not known yet or at all of it: drawn hatched behind `reached`. */
  readonly unknown: number
}

export const STAGE_LABELS: Record<StageName, string> = {
  planned: "Planned",
  ran: "Ran",
  known: "Known what became",
  verified: "Verified",
  reviewed: "Reviewed",
  merged: "Merged",
  alive: "Alive after 14 days",
}

/** Above this share of a step nothing is said to break there. */
const HOLDS = 0.95

/** Where most is lost of what came as far: null where every step holds. What is not known what became of it is not lost. */
export function findBreak(stages: readonly Stage[]): Stage | null {
  const [worst] = stages
    .filter(({ name, step }) => name !== "known" && step !== null && step.value < HOLDS)
    .toSorted((a, b) => (a.step?.value ?? 1) - (b.step?.value ?? 1))
  return worst ?? null
}
