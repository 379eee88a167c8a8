import type { TaskFunnel } from "#server/outcomes/task-queries.ts"
import { shareOf, type Share } from "./share.ts"

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

/** The stages of a funnel that is shown, in order. */
export function stagesOf(funnel: TaskFunnel): readonly Stage[] {
  const { planned, ran, joined, verified, reviewed, merged, matured, alive } = funnel
  return [
    { name: "planned", reached: planned, step: null, unknown: 0 },
    { name: "ran", reached: ran, step: shareOf(ran, planned), unknown: 0 },
    {
      name: "known",
      reached: joined,
      step: shareOf(joined, ran),
      unknown: Math.max(0, (ran ?? planned ?? 0) - (joined ?? 0)),
    },
    { name: "verified", reached: verified, step: shareOf(verified, joined), unknown: 0 },
    { name: "reviewed", reached: reviewed, step: shareOf(funnel.reviewedOfVerified, verified), unknown: 0 },
    { name: "merged", reached: merged, step: shareOf(funnel.mergedOfReviewed, reviewed), unknown: 0 },
    {
      name: "alive",
      reached: alive,
      step: shareOf(alive, matured),
      unknown: Math.max(0, (merged ?? 0) - (matured ?? 0)),
    },
  ]
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
