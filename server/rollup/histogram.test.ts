import fc from "fast-check"
import { expect, test } from "vitest"
import { LATENCY_BUCKETS, LATENCY_RELATIVE_ERROR, percentilesOf } from "./histogram.ts"

/** As `belay_latency_bucket`, which a database test holds to the same bound. */
const bucketOf = (ms: number) => (ms < 1 ? 0 : Math.min(193, 1 + Math.floor(Math.log(ms) / Math.log(1.1))))

/** Postgres' `percentile_cont`. */
function percentileCont(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const rank = share * (sorted.length - 1)
  const [low = 0, high = 0] = [sorted[Math.floor(rank)], sorted[Math.ceil(rank)]]
  return low + (high - low) * (rank - Math.floor(rank))
}

test("percentiles are off by the stated share at most, from a millisecond to a day", () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 1, max: 86_400_000, noNaN: true }), { minLength: 1, maxLength: 200 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (values, share) => {
        const counts = Array<number>(LATENCY_BUCKETS).fill(0)
        for (const value of values) counts[bucketOf(value)] = (counts[bucketOf(value)] ?? 0) + 1
        const told = percentilesOf(counts, [share])?.[0] ?? Number.NaN
        expect(Math.abs(told / percentileCont(values, share) - 1)).toBeLessThanOrEqual(LATENCY_RELATIVE_ERROR + 1e-9)
      },
    ),
  )
  expect(LATENCY_RELATIVE_ERROR).toBeLessThan(0.05)
})

test("nothing timed has no percentile", () => {
  expect(percentilesOf([], [0.5])).toBeNull()
  expect(percentilesOf([0, 0], [0.5])).toBeNull()
})

test("histograms that were added up say what one of all values says", () => {
  const values = [
    fc.array(fc.nat({ max: LATENCY_BUCKETS - 1 }), { minLength: 1 }),
    fc.array(fc.nat({ max: 193 })),
  ] as const
  fc.assert(
    fc.property(...values, (one, other) => {
      const countsOf = (buckets: readonly number[]) =>
        new Map([...Map.groupBy(buckets, (bucket) => bucket)].map(([bucket, all]) => [bucket, all.length]))
      const added = new Map(countsOf(one))
      for (const [bucket, count] of countsOf(other)) added.set(bucket, (added.get(bucket) ?? 0) + count)
      expect(percentilesOf(added, [0.5, 0.99])).toEqual(percentilesOf(countsOf([...one, ...other]), [0.5, 0.99]))
    }),
  )
})
