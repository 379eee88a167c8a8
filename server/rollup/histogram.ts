import { sql } from "kysely"

/**
 * Latency as a histogram with fixed, logarithmically spaced buckets, so that histograms add up: bucket 0 holds what is
 * below 1 ms, bucket n from 1 on [1.1^(n-1), 1.1^n) ms, and the last whatever is longer than 24 hours. The database
 * places a value by its function `belay_latency_bucket`; `latencyBucketOf` is the same for what is timed outside of it.
 *
 * A value is answered by the geometric middle of its bucket and so is off by √1.1 - 1 = 4.9 % at most, from 1 ms to 24 h.
 *
 * @see Masson, Rim and Lee, "DDSketch" (2019), section 2.1, for the bound
 */
export const LATENCY_BUCKETS = 194
const GROWTH = 1.1
/** Largest relative error of a percentile. */
export const LATENCY_RELATIVE_ERROR = Math.sqrt(GROWTH) - 1

/** The bucket of a latency in milliseconds. */
export function latencyBucketOf(ms: number): number {
  return ms < 1 ? 0 : Math.min(LATENCY_BUCKETS - 1, Math.floor(Math.log(ms) / Math.log(GROWTH)) + 1)
}

/** Where a bucket begins, milliseconds. */
function startOf(bucket: number): number {
  return bucket === 0 ? 0 : GROWTH ** (bucket - 1)
}

/** What is too little for a bucket each stands in bands of so many: 1.46 times as long from one to the next. */
export const BUCKETS_PER_BAND = 4

/** A band of latencies, `[fromMs, toMs)`; the last has no end. */
export function bandOf(band: number): { readonly fromMs: number; readonly toMs: number } {
  const next = (band + 1) * BUCKETS_PER_BAND
  return { fromMs: startOf(band * BUCKETS_PER_BAND), toMs: next >= LATENCY_BUCKETS ? Infinity : startOf(next) }
}

/**
 * The share of a histogram above a limit in milliseconds; null when it is empty. Of the bucket that the limit is in, the
 * part above it on the logarithmic scale counts.
 */
export function shareAbove(histogram: Histogram, limitMs: number): number | null {
  const at = latencyBucketOf(limitMs)
  const part = at === 0 ? 1 : 1 - Math.log(limitMs / startOf(at)) / Math.log(GROWTH)
  let [total, above] = [0, 0]
  for (const [bucket, count] of histogram) {
    total += count
    if (bucket > at) above += count
    else if (bucket === at) above += count * part
  }
  return total <= 0 ? null : above / total
}

/** Milliseconds that stand for a bucket. */
function middleOf(bucket: number): number {
  if (bucket === 0) return 0.5
  if (bucket === LATENCY_BUCKETS - 1) return GROWTH ** (bucket - 1)
  return GROWTH ** (bucket - 0.5)
}

/** How often each bucket was met; those that were not may be left out. */
export type Histogram = ReadonlyMap<number, number>

/**
 * Percentiles in milliseconds, for shares 0..1; null when nothing was timed. Between two ranks it interpolates as
 * Postgres' `percentile_cont` does.
 */
export function percentilesOf(histogram: Histogram, shares: readonly number[]): readonly number[] | null {
  const buckets = [...histogram.keys()].toSorted((a, b) => a - b)
  let total = 0
  for (const count of histogram.values()) total += count
  if (total <= 0) return null
  const atRank = (rank: number) => {
    let below = 0
    for (const bucket of buckets) {
      below += histogram.get(bucket) ?? 0
      if (rank < below) return middleOf(bucket)
    }
    return middleOf(buckets.at(-1) ?? 0)
  }
  return shares.map((share) => {
    const rank = share * (total - 1)
    const low = atRank(Math.floor(rank))
    return low + (atRank(Math.ceil(rank)) - low) * (rank - Math.floor(rank))
  })
}

/**
 * The two columns of a histogram as text, which is read several times as quickly as arrays are: `1,2,5` and `7,1,1`.
 */
export const HISTOGRAM_AS_TEXT = sql<string>`
  array_to_string(latency_buckets, ',') as buckets, array_to_string(latency_counts, ',') as counts`

/** Adds a histogram that was read as text to another one. */
export function addHistogram(
  into: Map<number, number>,
  row: { readonly buckets: string; readonly counts: string },
): void {
  if (row.buckets === "") return
  const counts = row.counts.split(",")
  for (const [index, bucket] of row.buckets.split(",").entries()) {
    into.set(Number(bucket), (into.get(Number(bucket)) ?? 0) + Number(counts[index]))
  }
}

const IS_FILLED = sql`bucket is not null and times <> 0`

/**
 * The columns `latency_buckets` and `latency_counts` of a group whose rows say a `bucket` and how often (`times`), each
 * bucket once: without what is empty, as most of it is.
 */
export const HISTOGRAM_OF_CELLS = sql`
  coalesce(array_agg(bucket order by bucket) filter (where ${IS_FILLED}), '{}'),
  coalesce(array_agg(times order by bucket) filter (where ${IS_FILLED}), '{}')`

/** For an upsert: adds the histogram of the row that is excluded to the one of the row `r`. */
export const ADD_HISTOGRAM = sql`
  (latency_buckets, latency_counts) = (
    select buckets, counts from belay_add_histograms(
      r.latency_buckets, r.latency_counts, excluded.latency_buckets, excluded.latency_counts
    )
  )`
