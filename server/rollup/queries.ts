import { sql } from "kysely"
import type { Rung } from "#sdk/ladder.ts"
import type { TenantTx } from "../db/tenant.ts"
import type { SignalKind } from "../db/types.ts"
import { dayOf } from "../ingest/partitions.ts"
import { addHistogram, HISTOGRAM_AS_TEXT, percentilesOf } from "./histogram.ts"
import { HOURS_KEPT_DAYS, MINUTES_KEPT_DAYS, operationsKeptDays, TEAM_HOURS_KEPT_DAYS } from "./retention.ts"

export interface HourLatency {
  readonly hour: Date
  readonly rung: Rung
  /** Values that were timed. */
  readonly count: number
  /** Milliseconds, off by `LATENCY_RELATIVE_ERROR` at most. */
  readonly p50Ms: number
  readonly p95Ms: number
  readonly p99Ms: number
}

/**
 * Latency percentiles of the whole organization for each hour and rung in which something was timed, oldest first.
 * `from` is inclusive and `to` exclusive; `kinds` says of which signals, added up.
 */
export async function listHourLatency(
  tx: TenantTx,
  { from, to, kinds }: { from: Date; to: Date; kinds: readonly SignalKind[] },
): Promise<HourLatency[]> {
  const result = await sql<{ hour: Date; rung: Rung; buckets: string; counts: string }>`
    select hour, rung, ${HISTOGRAM_AS_TEXT}
    from latency_hour
    where hour >= ${from} and hour < ${to} and kind = any(${kinds}::text[]::signal_kind[])
    order by hour, rung`.execute(tx)
  const groups = Map.groupBy(result.rows, (row) => `${row.hour.getTime()} ${row.rung}`)
  return [...groups.values()].flatMap((rows) => {
    const histogram = new Map<number, number>()
    for (const row of rows) addHistogram(histogram, row)
    const [p50Ms, p95Ms, p99Ms] = percentilesOf(histogram, [0.5, 0.95, 0.99]) ?? []
    const first = rows[0]
    if (first === undefined || p50Ms === undefined || p95Ms === undefined || p99Ms === undefined) return []
    const count = [...histogram.values()].reduce((sum, times) => sum + times, 0)
    return { hour: first.hour, rung: first.rung, count, p50Ms, p95Ms, p99Ms }
  })
}

export interface RollupProgress {
  /** When the newest counted signals were stored; null before the first. */
  readonly countedUntil: Date | null
  /** Signals that wait to be counted, and since when the oldest does. */
  readonly waiting: number
  readonly waitingSince: Date | null
  /** Everything is being counted anew. */
  readonly isRebuilding: boolean
}

export async function getRollupProgress(tx: TenantTx): Promise<RollupProgress> {
  const result = await sql<RollupProgress>`
    select
      (select counted_until from rollup_state) as "countedUntil",
      coalesce((select needs_rebuild from rollup_state), true) as "isRebuilding",
      coalesce(sum(rows), 0)::int as waiting,
      to_timestamp(min(batch_id) / 1e6) as "waitingSince"
    from signal_batch`.execute(tx)
  return result.rows[0] ?? { countedUntil: null, waiting: 0, waitingSince: null, isRebuilding: true }
}

export interface TableStorage {
  readonly name: string
  readonly partitions: number
  readonly bytes: number
  /** As Postgres last estimated; null before it did. */
  readonly rows: number | null
  /** Null where rows are kept for good. */
  readonly keptDays: number | null
  /** Bytes of a full day at the recent pace; null when there is no full day yet. */
  readonly bytesPerDay: number | null
  /** Bytes once as many days are there as are kept, or a year from now where they are kept for good. */
  readonly forecastBytes: number | null
}

/** Full days that tell the pace. */
const PACE_DAYS = 7

/** What the tables that grow take on disk, with their indexes, and will take. Of the whole installation. */
export async function listStorage(
  tx: TenantTx,
  { now, retentionDays }: { now: Date; retentionDays: number },
): Promise<TableStorage[]> {
  const parts = await sql<{ name: string; part: string | null; bytes: number; rows: number | null }>`
    select name, part, bytes, row_estimate as rows from belay_table_sizes() order by name, part`.execute(tx)
  const first = await sql<{ days: number | null }>`
    select (${dayOf(now, 0)}::date - min(day))::int as days from signal_day`.execute(tx)
  const daysSoFar = first.rows[0]?.days ?? 0
  const kept: Readonly<Record<string, number | null>> = {
    signal: retentionDays,
    signal_occurrence: 31,
    operation: operationsKeptDays(retentionDays),
    signal_minute: MINUTES_KEPT_DAYS,
    team_latency_minute: MINUTES_KEPT_DAYS,
    team_latency_hour: TEAM_HOURS_KEPT_DAYS,
    signal_hour: HOURS_KEPT_DAYS,
    latency_hour: HOURS_KEPT_DAYS,
  }
  return [...Map.groupBy(parts.rows, (row) => row.name)].map(([name, rows]) => {
    const bytes = rows.reduce((sum, row) => sum + row.bytes, 0)
    const keptDays = kept[name] ?? null
    const bytesPerDay = rows.some((row) => row.part?.length === 8)
      ? paceOfDays(rows, now)
      : daysSoFar > 0
        ? bytes / Math.min(daysSoFar, keptDays ?? Infinity)
        : null
    return {
      name,
      partitions: rows.filter((row) => row.part !== null).length,
      bytes,
      rows: rows.every((row) => row.rows === null) ? null : rows.reduce((sum, row) => sum + (row.rows ?? 0), 0),
      keptDays,
      bytesPerDay,
      forecastBytes:
        bytesPerDay === null ? null : keptDays === null ? bytes + bytesPerDay * 365 : bytesPerDay * keptDays,
    }
  })
}

/** Mean bytes of the last full days that hold anything; one without rows takes a few pages for each index. */
function paceOfDays(rows: readonly { part: string | null; bytes: number }[], now: Date): number | null {
  const today = dayOf(now, 0).replaceAll("-", "")
  const full = rows
    .filter(({ part, bytes }) => part !== null && part < today && bytes > EMPTY_BYTES_MAX)
    .slice(-PACE_DAYS)
  return full.length === 0 ? null : full.reduce((sum, row) => sum + row.bytes, 0) / full.length
}

const EMPTY_BYTES_MAX = 128 * 1024
