import fc from "fast-check"
import { expect, test } from "vitest"
import { addHistogram, LATENCY_BUCKETS, LATENCY_RELATIVE_ERROR, percentilesOf } from "./histogram.ts"

/** As `belay_latency_bucket`, which a database test holds to the same bound. */
const bucketOf = (ms: number) => (ms < 1 ? 0 : Math.min(193, 1 + Math.floor(Math.log(ms) / Math.log(1.1))))

function countsOf(buckets: readonly number[]): ReadonlyMap<number, number> {
  return new Map([...Map.groupBy(buckets, (bucket) => bucket)].map(([bucket, all]) => [bucket, all.length]))
}

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
        const told = percentilesOf(countsOf(values.map(bucketOf)), [share])?.[0] ?? Number.NaN
        expect(Math.abs(told / percentileCont(values, share) - 1)).toBeLessThanOrEqual(LATENCY_RELATIVE_ERROR + 1e-9)
      },
    ),
  )
  expect(LATENCY_RELATIVE_ERROR).toBeLessThan(0.05)
})

test("nothing timed has no percentile", () => {
  expect(percentilesOf(new Map(), [0.5])).toBeNull()
  expect(percentilesOf(new Map([[3, 0]]), [0.5])).toBeNull()
})

test("histograms that were added up say what one of all values says", () => {
  const buckets = fc.array(fc.nat({ max: LATENCY_BUCKETS - 1 }))
  const toText = (histogram: ReadonlyMap<number, number>) => ({
    buckets: [...histogram.keys()].join(","),
    counts: [...histogram.values()].join(","),
  })
  fc.assert(
    fc.property(buckets, buckets, (one, other) => {
      const added = new Map<number, number>()
      for (const part of [one, other]) addHistogram(added, toText(countsOf(part)))
      expect(percentilesOf(added, [0.5, 0.99])).toEqual(percentilesOf(countsOf([...one, ...other]), [0.5, 0.99]))
    }),
  )
})
