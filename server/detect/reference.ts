import { type Rung, RUNGS } from "#sdk/ladder.ts"
import type { Watched } from "./contract.ts"
import { type DayList, dayIn, endOfDays, joinUnits, moreUnits, unitsIn, withRoom } from "./day-lists.ts"
import { SETTINGS } from "./settings.ts"

/**
 * What is expected of one unit of work: of this person, in this language, at this kind of task. Calendar, absence, work mix
 * and reorganisation are then in the expectation and need no model of their own.
 */

/** Days that history is kept for. */
const KEPT_DAYS = 42
/** The newest days are left out: they may be what is looked for. */
const NEWEST_LEFT_OUT = 4
/** Weight of a day that is one day older. */
const AGEING = 0.98
/** A busy day counts at most this many times the median day: a hackathon is no norm. */
const BUSY = 1.4

/** Of each day, in order, how many units, and how many of those or what sum. */
export type Daily = DayList

const DAILY_FIELDS = 2

export function* daysOf(
  daily: Daily,
): Generator<{ readonly day: number; readonly units: number; readonly sum: number }> {
  const end = endOfDays(daily, 0, DAILY_FIELDS)
  for (let at = 0; at < end; at += DAILY_FIELDS) {
    yield { day: dayIn(daily[at]!), units: unitsIn(daily[at]!), sum: daily[at + 1]! }
  }
}

/** Its numbers with room for the days that it has and one more. */
export function* dailyToKeep(daily: Daily): Generator<number> {
  yield* daily.subarray(0, endOfDays(daily, 0, DAILY_FIELDS))
  yield* [0, 0]
}

export interface History {
  /** `rung|watched|group|developer`; the group is what else a unit depends on: its language, its size. */
  readonly units: Map<string, Daily>
  /** `rung|team|model`, by day and bucket. */
  readonly latency: Map<string, Map<number, Map<number, number>>>
  readonly people: Map<string, Person>
}

/** A half of a local day: until 13:00 and after. `2 * day + half`. */
export interface Person {
  /** The first day with any signal. */
  readonly first: number
  /** Halves in which the person was at work with any agent, and units by rung in them. */
  readonly halves: Map<number, number[]>
  /** The client and model last used, by rung. */
  readonly last: ({ client: string; model: string | null; language: string | null; mode: string | null } | null)[]
}

export function makeHistory(): History {
  return { units: new Map(), latency: new Map(), people: new Map() }
}

export function remember(history: History, key: string, day: number, units: number, sum: number): void {
  let daily = history.units.get(key) ?? NO_DAYS
  const end = endOfDays(daily, 0, DAILY_FIELDS)
  let at = end - DAILY_FIELDS
  while (at >= 0 && dayIn(daily[at]!) > day) at -= DAILY_FIELDS
  if (at >= 0 && dayIn(daily[at]!) === day) {
    daily[at]! += moreUnits(units)
    daily[at + 1]! += sum
    return
  }
  if (end === daily.length) history.units.set(key, (daily = withRoom(daily, DAILY_FIELDS)))
  const next = at + DAILY_FIELDS
  daily.copyWithin(next + DAILY_FIELDS, next, end)
  daily.set([joinUnits(day, units), sum], next)
}

const NO_DAYS: Daily = new Float64Array()

export function rememberLatency(history: History, key: string, day: number, bucket: number, times: number): void {
  let days = history.latency.get(key)
  if (days === undefined) history.latency.set(key, (days = new Map()))
  let buckets = days.get(day)
  if (buckets === undefined) days.set(day, (buckets = new Map()))
  buckets.set(bucket, (buckets.get(bucket) ?? 0) + times)
}

/** Drops what is too old to count. */
export function forgetBefore(history: History, today: number): void {
  const from = today - KEPT_DAYS
  for (const [key, daily] of history.units) {
    const end = endOfDays(daily, 0, DAILY_FIELDS)
    let old = 0
    while (old < end && dayIn(daily[old]!) < from) old += DAILY_FIELDS
    if (old === end) history.units.delete(key)
    else if (old > 0) daily.copyWithin(0, old).fill(0, end - old)
  }
  for (const [key, days] of history.latency) {
    for (const day of days.keys()) if (day < from) days.delete(day)
    if (days.size === 0) history.latency.delete(key)
  }
  for (const person of history.people.values()) {
    for (const half of person.halves.keys()) if (half < 2 * from) person.halves.delete(half)
  }
}

/** A latency that is called slow, and the share of units that are so in normal times. */
export interface SlowBound {
  /** Buckets from this one on. */
  readonly bucket: number
  readonly share: number
}

/** How a person differs from the others. */
export interface Habit {
  /** What the person adds to the log odds, or to the logarithm of the rate; null when too little is known. */
  readonly offset: number | null
  /** Variance of that offset, as far as it is not known. */
  readonly doubt: number
}

export interface Reference {
  /** Log odds, or rate per unit: `rung|watched|group`. */
  readonly rates: ReadonlyMap<string, number>
  /** `rung|watched|developer`. */
  readonly habits: ReadonlyMap<string, Habit>
  /** `rung|team|model`, `rung|team|`, `rung||`. */
  readonly slow: ReadonlyMap<string, SlowBound>
  /** Units in a half day of work: `rung|developer|half`. */
  readonly use: ReadonlyMap<string, number>
}

const SHARES: ReadonlySet<string> = new Set<Watched>(["acceptance", "outcome", "wrong_path"])
/** Units that a rate of the organization rests on at least. */
const FEWEST_OF_GROUP = 12
const FEWEST_OF_PERSON = 12
const FEWEST_TIMED = 60
const SLOW_SHARE = 0.2

/**
 * Expected values from the days until `today`; `isBroken` says which days of a rung are part of an incident and no norm.
 */
export function makeReference(
  history: History,
  today: number,
  isBroken: (rung: Rung, day: number) => boolean,
): Reference {
  const weights = new Map<Rung, (day: number) => number>(
    RUNGS.map((rung) => [
      rung,
      (day) => (day > today - NEWEST_LEFT_OUT || isBroken(rung, day) ? 0 : AGEING ** (today - day)),
    ]),
  )
  const weightOf = (rung: string, day: number) => weights.get(rung as Rung)?.(day) ?? 0
  return {
    ...makeRates(history, weightOf),
    slow: makeSlowBounds(history, weightOf),
    use: makeUse(history, weightOf),
  }
}

type WeightOf = (rung: string, day: number) => number

function weighted(daily: Daily, rung: string, weightOf: WeightOf): readonly [units: number, sum: number] {
  let units = 0
  let sum = 0
  for (const of of daysOf(daily)) {
    const weight = weightOf(rung, of.day)
    units += weight * of.units
    sum += weight * of.sum
  }
  return [units, sum]
}

export const toLogit = (share: number) => Math.log(share / (1 - share))
export const fromLogit = (odds: number) => 1 / (1 + Math.exp(-odds))

/** Variance of the offset of somebody of whom nothing is known. */
export const doubtOfStranger = () => 1 / SETTINGS.shrinkage

function makeRates(history: History, weightOf: WeightOf): Pick<Reference, "rates" | "habits"> {
  const groups = new Map<string, { units: number; sum: number }>()
  for (const { group, units, sum } of weightedRows(history, weightOf)) {
    const whole = groups.get(group)
    if (whole === undefined) groups.set(group, { units, sum })
    else {
      whole.units += units
      whole.sum += sum
    }
  }
  const rates = new Map<string, number>()
  for (const [key, { units, sum }] of groups) {
    if (units < FEWEST_OF_GROUP) continue
    const isShare = SHARES.has(key.split("|")[1] ?? "")
    rates.set(
      key,
      isShare ? toLogit(Math.min(0.97, Math.max(0.004, (sum + 0.5) / (units + 1)))) : (sum + 0.5) / (units + 0.5),
    )
  }
  const people = new Map<string, { isShare: boolean; units: number; excess: number; expected: number }>()
  for (const { group, watched, person, units, sum } of weightedRows(history, weightOf)) {
    const rate = rates.get(group)
    if (rate === undefined) continue
    const isShare = SHARES.has(watched)
    const of = people.get(person) ?? { isShare, units: 0, excess: 0, expected: 0 }
    people.set(person, of)
    of.units += units
    if (isShare) {
      const share = fromLogit(rate)
      of.excess += sum - units * share
      of.expected += units * share * (1 - share)
    } else {
      of.excess += sum
      of.expected += units * rate
    }
  }
  const habits = new Map<string, Habit>()
  for (const [key, { isShare, units, excess, expected }] of people) {
    const weight = expected + SETTINGS.shrinkage
    const ofShare = units >= FEWEST_OF_PERSON ? excess / weight : null
    habits.set(key, {
      offset: isShare ? ofShare : Math.log((excess + SETTINGS.shrinkage) / weight),
      doubt: 1 / weight,
    })
  }
  return { rates, habits }
}

interface WeightedRow {
  readonly watched: string
  /** `rung|watched|group` and `rung|watched|developer`. */
  readonly group: string
  readonly person: string
  readonly units: number
  readonly sum: number
}

/** Worked out anew for whoever asks: there are as many as a person has groups, times all people. */
function* weightedRows(history: History, weightOf: WeightOf): Generator<WeightedRow> {
  for (const [key, daily] of history.units) {
    const [rung = "", watched = "", group = "", developer = ""] = key.split("|")
    const [units, sum] = weighted(daily, rung, weightOf)
    if (units === 0) continue
    yield {
      watched,
      group: `${rung}|${watched}|${group}`,
      person: `${rung}|${watched}|${developer}`,
      units,
      sum,
    }
  }
}

function makeSlowBounds(history: History, weightOf: WeightOf): ReadonlyMap<string, SlowBound> {
  const sums = new Map<string, Map<number, number>>()
  for (const [key, days] of history.latency) {
    const [rung = "", team = "", model = ""] = key.split("|")
    for (const [day, buckets] of days) {
      const weight = weightOf(rung, day)
      if (weight === 0) continue
      for (const place of [`${rung}|${team}|${model}`, `${rung}|${team}|`, `${rung}||${model}`, `${rung}||`]) {
        let into = sums.get(place)
        if (into === undefined) sums.set(place, (into = new Map()))
        for (const [bucket, times] of buckets) into.set(bucket, (into.get(bucket) ?? 0) + times * weight)
      }
    }
  }
  const bounds = new Map<string, SlowBound>()
  for (const [key, buckets] of sums) {
    let total = 0
    for (const times of buckets.values()) total += times
    if (total < FEWEST_TIMED) continue
    let above = 0
    let bound = 0
    for (const bucket of [...buckets.keys()].toSorted((a, b) => b - a)) {
      const next = above + buckets.get(bucket)!
      if (next > SLOW_SHARE * total) break
      above = next
      bound = bucket
    }
    if (above > 0) bounds.set(key, { bucket: bound, share: above / total })
  }
  return bounds
}

/** The bound for a unit: of its team and model, or of what is known that comes nearest. */
export function slowBoundOf(
  reference: Reference,
  rung: Rung,
  team: string,
  model: string | null,
): SlowBound | undefined {
  const { slow } = reference
  return (
    slow.get(`${rung}|${team}|${model ?? ""}`) ??
    slow.get(`${rung}||${model ?? ""}`) ??
    slow.get(`${rung}|${team}|`) ??
    slow.get(`${rung}||`)
  )
}

/** Half days of work that a person's own rate of use rests on at least. */
const FEWEST_HALVES = 4

function makeUse(history: History, weightOf: WeightOf): ReadonlyMap<string, number> {
  const use = new Map<string, number>()
  for (const [rungIndex, rung] of RUNGS.entries()) {
    const total = new Map<number, number>()
    const active = new Map<number, number>()
    for (const person of history.people.values()) {
      for (const [half, units] of person.halves) {
        const day = half >> 1
        if (weightOf(rung, day) === 0) continue
        active.set(day, (active.get(day) ?? 0) + 1)
        total.set(day, (total.get(day) ?? 0) + units[rungIndex]!)
      }
    }
    const perHalf = [...active]
      .filter(([, count]) => count >= 3)
      .map(([day, count]) => total.get(day)! / count)
      .toSorted((a, b) => a - b)
    const median = perHalf[perHalf.length >> 1] ?? 0
    const capOf = (day: number) => {
      const count = active.get(day) ?? 0
      const rate = total.get(day)! / count
      return count >= 3 && median > 0 && rate > 0 ? Math.min(1, (BUSY * median) / rate) : 1
    }
    for (const [developer, person] of history.people) {
      const halves = [0, 0]
      const sums = [0, 0]
      const counted = [0, 0]
      for (const [half, units] of person.halves) {
        const day = half >> 1
        const weight = weightOf(rung, day)
        if (weight === 0 || isWeekend(day)) continue
        const which = half & 1
        counted[which]!++
        halves[which]! += weight
        sums[which]! += weight * units[rungIndex]! * capOf(day)
      }
      for (const which of [0, 1]) {
        if (counted[which]! >= FEWEST_HALVES) use.set(`${rung}|${developer}|${which}`, sums[which]! / halves[which]!)
      }
    }
  }
  return use
}

/** Days are counted from Thursday, 1 January 1970. */
export function isWeekend(day: number): boolean {
  const weekday = (day + 3) % 7
  return weekday > 4
}

/** By how many edits a task made: more edits, more chances that one goes astray. */
export function editsGroup(edits: number): string {
  if (edits < 2) return "1"
  if (edits < 4) return "3"
  return edits < 8 ? "7" : "9"
}
