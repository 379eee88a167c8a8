import { sql } from "kysely"
import type { TenantTx } from "../db/tenant.ts"
import { minutesFrom } from "../rollup/retention.ts"
import type { Timed } from "../slo/burn.ts"
import type { Objective } from "../slo/objectives.ts"
import { findShownScopes, readSlowCounts } from "../slo/readings.ts"
import { scopeKey } from "../slo/objectives.ts"
import { type Firing, simulate } from "./simulate.ts"

export const PREVIEW_DAYS = 14
/** Before the preview, so that its longest window is full. */
const LEAD_DAYS = 3
const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
const STEP_MS = 5 * 60_000

export interface PreviewHour {
  /** Unix milliseconds of its start. */
  readonly at: number
  readonly requests: number
  /** Share 0..1 that took longer than the threshold; null when nothing was timed. */
  readonly slowShare: number | null
}

/** `withheld`: too few people are behind the scope. */
export type Preview =
  | { readonly state: "withheld" | "no_data" }
  | {
      readonly state: "shown"
      readonly from: number
      readonly to: number
      readonly firings: readonly Firing[]
      readonly hours: readonly PreviewHour[]
      readonly overall: Timed
    }

/**
 * What alerts an objective would have given in the last 14 days, from the rollups: of the days whose minutes are kept to
 * five minutes, of those before by the hour, as if what an hour timed were spread evenly over it.
 */
export async function previewObjective(
  tx: TenantTx,
  { objective, now }: { readonly objective: Objective; readonly now: Date },
): Promise<Preview> {
  const shown = await findShownScopes(tx, { scopes: [objective], at: now })
  if (!shown.has(scopeKey(objective))) {
    const known = await sql`select from developer_usage_day where rung = ${objective.rung}::rung limit 1`.execute(tx)
    return { state: known.rows.length === 0 ? "no_data" : "withheld" }
  }
  const end = Math.ceil(now.getTime() / STEP_MS) * STEP_MS
  const from = end - PREVIEW_DAYS * DAY_MS
  const startAt = Math.floor((from - LEAD_DAYS * DAY_MS) / HOUR_MS) * HOUR_MS
  // What has minutes is not read by the hour as well.
  const minutesAt = Math.max(startAt, new Date(`${minutesFrom(now)}T00:00:00Z`).getTime())
  const count = (table: "hour" | "minute", range: { from: number; to: number }) =>
    readSlowCounts(tx, { objective, table, from: new Date(range.from), to: new Date(range.to) })
  const byHour = await count("hour", { from: startAt, to: minutesAt })
  const byMinute = await count("minute", { from: minutesAt, to: end })
  const buckets: { requests: number; slow: number }[] = Array.from({ length: (end - startAt) / STEP_MS }, () => ({
    requests: 0,
    slow: 0,
  }))
  const add = (at: number, { requests, slow }: Timed, share: number) => {
    const bucket = buckets[Math.floor((at - startAt) / STEP_MS)]
    if (bucket === undefined) return
    bucket.requests += requests * share
    bucket.slow += slow * share
  }
  const steps = HOUR_MS / STEP_MS
  for (const [at, timed] of byHour) for (let part = 0; part < steps; part++) add(at + part * STEP_MS, timed, 1 / steps)
  for (const [at, timed] of byMinute) add(at, timed, 1)

  const hours: PreviewHour[] = []
  const overall = { requests: 0, slow: 0 }
  for (let at = Math.floor(from / HOUR_MS) * HOUR_MS; at < end; at += HOUR_MS) {
    const first = Math.max(0, (at - startAt) / STEP_MS)
    const of = buckets.slice(first, first + steps)
    const requests = Math.round(of.reduce((sum, bucket) => sum + bucket.requests, 0))
    const slow = of.reduce((sum, bucket) => sum + bucket.slow, 0)
    overall.requests += requests
    overall.slow += slow
    hours.push({ at, requests, slowShare: requests === 0 ? null : Math.min(1, slow / requests) })
  }
  if (overall.requests === 0) return { state: "no_data" }
  const firings = simulate(buckets, { startAt, bucketMs: STEP_MS, from, limits: objective })
  return { state: "shown", from, to: end, firings, hours, overall }
}
