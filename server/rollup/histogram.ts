import { type RawBuilder, sql } from "kysely"

/**
 * Latency as a histogram with fixed, logarithmically spaced buckets, so that histograms add up: bucket 0 holds what is
 * below 1 ms, bucket n from 1 on [1.1^(n-1), 1.1^n) ms, and the last whatever is longer than 24 hours. The database
 * places a value by its function `belay_latency_bucket`, and nothing else does.
 *
 * A value is answered by the geometric middle of its bucket and so is off by √1.1 - 1 = 4.9 % at most, from 1 ms to 24 h.
 *
 * @see Masson, Rim and Lee, "DDSketch" (2019), section 2.1, for the bound
 */
export const LATENCY_BUCKETS = 194
const GROWTH = 1.1
/** Largest relative error of a percentile. */
export const LATENCY_RELATIVE_ERROR = Math.sqrt(GROWTH) - 1

/** Milliseconds that stand for a bucket. */
function middleOf(bucket: number): number {
  if (bucket === 0) return 0.5
  if (bucket === LATENCY_BUCKETS - 1) return GROWTH ** (bucket - 1)
  return GROWTH ** (bucket - 0.5)
}

/**
 * Percentiles in milliseconds, for shares 0..1; null when nothing was timed. `counts` is by bucket and may be sparse.
 * Between two ranks it interpolates as Postgres' `percentile_cont` does.
 */
export function percentilesOf(
  counts: ReadonlyMap<number, number> | readonly number[],
  shares: readonly number[],
): readonly number[] | null {
  const cells = [...counts.entries()].filter(([, count]) => count > 0).toSorted(([a], [b]) => a - b)
  const total = cells.reduce((sum, [, count]) => sum + count, 0)
  if (total === 0) return null
  const atRank = (rank: number) => {
    let below = 0
    for (const [bucket, count] of cells) {
      below += count
      if (rank < below) return middleOf(bucket)
    }
    return middleOf(cells.at(-1)?.[0] ?? 0)
  }
  return shares.map((share) => {
    const rank = share * (total - 1)
    const low = atRank(Math.floor(rank))
    return low + (atRank(Math.ceil(rank)) - low) * (rank - Math.floor(rank))
  })
}

const BUCKET_NUMBERS = Array.from({ length: LATENCY_BUCKETS }, (_, bucket) => bucket)

/** Histograms of a group added up: `int8[]`, or null when none of its rows has one. A sum for each bucket is the quickest. */
export function sumHistograms(column: string): RawBuilder<number[] | null> {
  const sums = BUCKET_NUMBERS.map((bucket) => sql`sum(${sql.ref(column)}[${sql.lit(bucket + 1)}])`)
  return sql`case when count(${sql.ref(column)}) > 0 then array[${sql.join(sums)}] end`
}

/** The histogram of a group whose rows say a `bucket` and how often (`times`); null when nothing of it was timed. */
export const HISTOGRAM_OF_CELLS = sql<number[] | null>`
  nullif(array[${sql.join(
    BUCKET_NUMBERS.map((bucket) => sql`coalesce(sum(times) filter (where bucket = ${sql.lit(bucket)}), 0)`),
  )}]::integer[], array_fill(0, array[${sql.lit(LATENCY_BUCKETS)}]))`
