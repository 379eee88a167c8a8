import type { Loops } from "#server/outcomes/loop-queries.ts"
import type { ChangeFigures } from "#server/outcomes/review-queries.ts"
import type { TaskFunnel } from "#server/outcomes/task-queries.ts"
import { computeWilsonInterval } from "#server/rungs/wilson.ts"
import type { Share, Stage } from "./stages.ts"

/** A part of a whole with its 95 % interval; null when either is unknown, or there is no whole. */
export function shareOf(part: number | null, whole: number | null): Share | null {
  if (part === null || whole === null) return null
  const interval = computeWilsonInterval(part, whole)
  return interval === null ? null : { value: part / whole, interval, part, whole }
}

/** The stages of a funnel that is shown, in order; none of another. */
export function stagesOf(funnel: TaskFunnel): readonly Stage[] {
  const { planned, ran, joined, verified, reviewed, merged, matured, alive } = funnel
  if (funnel.state !== "shown") return []
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

/** Shares of changes; each is null where its figures are withheld or there is nothing to divide by. */
export function sharesOf(row: ChangeFigures) {
  const { changes, sized, within, unclear, merged } = row
  return {
    reviewable: shareOf(within, sized),
    /** Larger than the limit without a doubt. */
    over: sized === null || within === null || unclear === null ? null : shareOf(sized - within - unclear, sized),
    unreviewed: shareOf(row.mergedUnreviewed, merged),
    verified: shareOf(row.verified, changes),
    unverified: shareOf(row.mergedUnverified, merged),
    reverted: shareOf(row.reverted, merged),
    abandoned: shareOf(row.abandoned, changes),
  }
}

/** A row with its shares, which the browser does not work out. */
export function withShares<T extends ChangeFigures>(row: T) {
  return { ...row, shares: sharesOf(row) }
}

/** A row with its share of tasks, which the browser does not work out. */
export function withLoopShare(row: Loops) {
  return { ...row, share: shareOf(row.loops, row.tasks) }
}
