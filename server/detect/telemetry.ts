import { type Rung } from "#sdk/ladder.ts"
import type { Arrivals } from "./contract.ts"

/** Faults of the telemetry itself, which look like people leaving and are not. */

const HOUR = 3_600_000

export interface Telemetry {
  /** Signals that arrived, by hour of arrival (hours since 1970), of the last weeks. */
  readonly arrived: Map<number, number>
  /** The last hours: for shares over half a day. */
  readonly recent: { hour: number; signals: number; late: number; duplicates: number }[]
  /** Since when a rung is known to be silent. */
  readonly quiet: Map<Rung, number>
  /** Units that were expected of a rung since the last one came. */
  readonly missing: Map<Rung, number>
  /** Units of a rung over those expected, lately, as long as there were any. */
  readonly usual: Map<Rung, number>
  /** Rungs that fell silent in this hour. */
  readonly newlyQuiet: Rung[]
  /** Use is not judged until then: part of it is still on the way. */
  lateUntil: number
  silentHours: number
  silentExpected: number
  /** When each fault was last seen. */
  readonly seen: Map<string, number>
}

export interface Fault {
  readonly fault: "stopped" | "rung_stopped" | "late" | "duplicates"
  readonly rung: Rung | null
  /** The number that says so. */
  readonly figure: number
}

export function makeTelemetry(): Telemetry {
  return {
    arrived: new Map(),
    recent: [],
    quiet: new Map(),
    missing: new Map(),
    usual: new Map(),
    newlyQuiet: [],
    lateUntil: 0,
    silentHours: 0,
    silentExpected: 0,
    seen: new Map(),
  }
}

const KEPT_HOURS = 24 * 7 * 4
const WINDOW_HOURS = 12
const LATE_SHARE = 0.2
const DUPLICATE_SHARE = 0.08
const FEWEST = 80
/** Signals that were expected while none came. */
const SILENT_EXPECTED = 25
/** Signals of an hour in the middle of work. */
const BUSY_HOUR = 6
/** Units of one rung that were expected while none came and other rungs went on. */
const MISSING_EXPECTED = 14
/** Weight of the newest half day in what is usual lately. */
const LATEST = 0.4
/** Units over those expected before they stopped: below it, people were leaving already. */
const STILL_USED = 0.6

export function checkTelemetry(
  telemetry: Telemetry,
  step: { readonly until: number },
  arrivals: Arrivals,
): readonly Fault[] {
  const hour = Math.floor((step.until - 1) / HOUR)
  const { delivery } = arrivals
  const faults: Fault[] = []
  const silence = checkSilence(telemetry, hour, delivery.signals)
  if (silence !== null) faults.push(silence)
  telemetry.arrived.set(hour, delivery.signals)
  telemetry.arrived.delete(hour - KEPT_HOURS)

  telemetry.recent.push({ hour, ...delivery })
  while (telemetry.recent[0] !== undefined && telemetry.recent[0].hour <= hour - WINDOW_HOURS) telemetry.recent.shift()
  let [signals, late, duplicates] = [0, 0, 0]
  for (const of of telemetry.recent) {
    signals += of.signals
    late += of.late
    duplicates += of.duplicates
  }
  if (signals >= FEWEST && late > LATE_SHARE * signals) {
    telemetry.lateUntil = step.until + HOUR
    faults.push({ fault: "late", rung: null, figure: late / signals })
  }
  if (signals >= FEWEST && duplicates > DUPLICATE_SHARE * (signals + duplicates)) {
    faults.push({ fault: "duplicates", rung: null, figure: duplicates / (signals + duplicates) })
  }
  return faults
}

/** Nothing from anybody, in the middle of work. A holiday begins at night. */
function checkSilence(telemetry: Telemetry, hour: number, signals: number): Fault | null {
  if (signals > 0) {
    telemetry.silentHours = 0
    telemetry.silentExpected = 0
    return null
  }
  const expected = usualArrivals(telemetry, hour)
  // At the edge of work a few hours without anything are nothing, however many of them there are.
  if (expected < BUSY_HOUR) return null
  if (telemetry.silentHours === 0) {
    // The last hour with any may have ended early.
    const wasBusy = [1, 2].some((back) => {
      const before = telemetry.arrived.get(hour - back) ?? 0
      return before > 0 && before >= 0.3 * usualArrivals(telemetry, hour - back)
    })
    if (!wasBusy) return null
  }
  telemetry.silentHours++
  telemetry.silentExpected += expected
  if (telemetry.silentExpected < SILENT_EXPECTED || telemetry.silentHours < 2) return null
  return { fault: "stopped", rung: null, figure: telemetry.silentExpected }
}

/** Median of what came in this hour on the last working days, or what came a week or two ago if that is less. */
function usualArrivals(telemetry: Telemetry, hour: number): number {
  const values: number[] = []
  for (let back = 1; back <= 14; back++) {
    const at = hour - 24 * back
    const day = Math.floor(at / 24)
    if ((day + 3) % 7 > 4) continue
    const value = telemetry.arrived.get(at)
    if (value !== undefined) values.push(value)
  }
  if (values.length < 4) return 0
  const weekly = [7, 14].map((days) => telemetry.arrived.get(hour - 24 * days)).filter((value) => value !== undefined)
  return Math.min(values.toSorted((a, b) => a - b)[values.length >> 1]!, ...weekly)
}

/**
 * Counts what was expected of a rung while it gave nothing at all. True once that is too much for people who made up their
 * minds one by one: they leave over days, and an exporter stops at once.
 */
export function noteUse(telemetry: Telemetry, rung: Rung, units: number, expected: number, until: number): boolean {
  const before = telemetry.usual.get(rung) ?? 1
  if (units > 0) {
    telemetry.missing.set(rung, 0)
    telemetry.usual.set(rung, before + LATEST * (units / Math.max(1, expected) - before))
    return false
  }
  const missing = (telemetry.missing.get(rung) ?? 0) + expected
  telemetry.missing.set(rung, missing)
  if (missing < MISSING_EXPECTED || before < STILL_USED) return false
  telemetry.quiet.set(rung, until)
  telemetry.newlyQuiet.push(rung)
  return true
}
