import { computeWilsonInterval, type Interval } from "../rungs/wilson.ts"
import type { ModelCost } from "./cost-queries.ts"

/** As much worse a cheaper model may be and still count as equal. */
export const MARGIN = 0.1

/** How the easy work of two models compares at one rung. */
export interface EasyWork {
  readonly rung: ModelCost["rung"]
  readonly dear: string
  readonly cheap: string
  /** Changes that the dear one made and that were merged, and what they cost. */
  readonly changes: number
  readonly usd: number
  /** Of what all easy work of the rung that may be shown cost, a ratio 0..1. */
  readonly shareOfSpend: number
  /** What they would have cost less at the cheaper one's cost of a merged change. */
  readonly savingUsd: number
  /** The cheaper one's share less the dear one's: of closed changes that were merged, and of those that stand. */
  readonly acceptance: Interval
  readonly survival: Interval
  /** Whether the data rule out that the cheaper one is worse by more than the margin. Only then a saving is one. */
  readonly isEqual: boolean
}

/**
 * For each rung the model whose merged easy changes cost most a piece, beside the cheapest. It compares what people gave to
 * one model with what they gave to the other; they may differ in more than their lines.
 */
export function compareEasyWork(models: readonly ModelCost[]): readonly EasyWork[] {
  const byRung = Map.groupBy(
    models.filter(({ isEasy, hasSeveral }) => isEasy && !hasSeveral),
    ({ rung }) => rung,
  )
  return [...byRung].flatMap(([rung, rows]) => {
    const known = rows
      .flatMap(({ name, cost }) => (name === null || cost === null || cost.merged === 0 ? [] : [{ name, ...cost }]))
      .toSorted((a, b) => b.usd / b.merged - a.usd / a.merged)
    const [dear, cheap] = [known.at(0), known.at(-1)]
    if (dear === undefined || cheap === undefined || dear === cheap) return []
    const acceptance = differenceOf([cheap.merged, cheap.closed], [dear.merged, dear.closed])
    const survival = differenceOf([cheap.standing, cheap.merged], [dear.standing, dear.merged])
    if (acceptance === null || survival === null) return []
    const spend = known.reduce((sum, { usd }) => sum + usd, 0)
    return [
      {
        rung,
        dear: dear.name,
        cheap: cheap.name,
        changes: dear.merged,
        usd: dear.usd,
        shareOfSpend: spend === 0 ? 0 : dear.usd / spend,
        savingUsd: dear.usd - (dear.merged * cheap.usd) / cheap.merged,
        acceptance,
        survival,
        isEqual: Math.min(acceptance.low, survival.low) >= -MARGIN,
      },
    ]
  })
}

/**
 * Interval of the difference of two proportions, 95 %.
 *
 * @see Newcombe, Interval estimation for the difference between independent proportions (1998), method 10
 */
function differenceOf([a, ofA]: readonly [number, number], [b, ofB]: readonly [number, number]): Interval | null {
  const [one, other] = [computeWilsonInterval(a, ofA), computeWilsonInterval(b, ofB)]
  if (one === null || other === null) return null
  const [p, q] = [a / ofA, b / ofB]
  return {
    low: p - q - Math.hypot(p - one.low, other.high - q),
    high: p - q + Math.hypot(one.high - p, q - other.low),
  }
}
