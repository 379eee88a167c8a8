import type { Rung } from "#sdk/ladder.ts"
import type { Watched } from "./contract.ts"
import { withMarks } from "./people.ts"
import { SETTINGS } from "./settings.ts"
import { SPECS } from "./watched.ts"

// Lists here have a number for each alternative of the signal, which the linter is told (.oxlintrc.json): a fallback for
// each index would be in the way of reading, and of the few loops that take the time.

/**
 * Evidence that one signal in one place is no longer as before: for each alternative a CUSUM of log likelihood ratios,
 * which restarts at 0, and over the alternatives their mean.
 *
 * If units come out as expected, exp(S) averaged over alternatives is an e-detector: it passes 1/α less often than once
 * in 1/α steps, whatever the volume and however often it is looked at.
 *
 * Units of one day vary together, with the person and the team, and chance alone would take that for evidence. So the
 * evidence of a day is not the sum over its units: of a share, the sum is tempered by how much of the variance is chance
 * (`temper`); of a count, the day's total is held against a negative binomial with the variance of such totals.
 *
 * @see Shin, Ramdas and Rinaldo, "E-detectors" (2023), section 3; Page, "Continuous inspection schemes" (1954)
 */
export interface Series {
  /** Unlike any other of the organization. */
  readonly key: string
  readonly rung: Rung
  readonly watched: Watched
  /** Names of the dimensions of the place, joined by `+`: empty for the organization. */
  readonly dimension: string
  /** Their values, in the same order. */
  readonly values: readonly string[]
  /** By alternative: evidence before the present day, and since when it grows. */
  readonly closed: number[]
  readonly since: number[]
  readonly observed: number[]
  readonly expected: number[]
  readonly units: number[]
  /** Flat: day, observed, expected, units, marks of who added to them (`people.ts`), of each day with any, for the last weeks. */
  readonly daily: number[]
  /** The present day. */
  day: number
  dayUnits: number
  dayObserved: number
  dayExpected: number
  /** Sum of the log likelihood ratios of a share, by alternative. */
  readonly dayRatios: number[]
  /** Of a count: variance of single units. Of a share: its information, the sum of p (1 - p). */
  dayVariance: number
  /** Information or expectation by person and team: what varies together. */
  readonly byPerson: Map<string, number>
  readonly byTeam: Map<string, number>
  /** Evidence now, by alternative. */
  readonly now: number[]
  /** The evidence of single hours since it grows: the last two, and the most that two gave together. */
  lastHour: number
  lastGain: number
  gain: number
  mostOfTwoHours: number
  isTouched: boolean
}

export function seriesKey(rung: Rung, watched: Watched, dimension: string, values: readonly string[]): string {
  return `${rung}|${watched}|${dimension}|${values.join("|")}`
}

export function makeSeries(rung: Rung, watched: Watched, dimension: string, values: readonly string[]): Series {
  const zeros = () => SPECS[watched].alternatives.map(() => 0)
  return {
    key: seriesKey(rung, watched, dimension, values),
    rung,
    watched,
    dimension,
    values,
    closed: zeros(),
    since: zeros(),
    observed: zeros(),
    expected: zeros(),
    units: zeros(),
    daily: [],
    day: -1,
    dayUnits: 0,
    dayObserved: 0,
    dayExpected: 0,
    dayRatios: zeros(),
    dayVariance: 0,
    byPerson: new Map(),
    byTeam: new Map(),
    now: zeros(),
    lastHour: 0,
    lastGain: 0,
    gain: 0,
    mostOfTwoHours: 0,
    isTouched: false,
  }
}

/** Whose work, and on which day it counts. */
export interface Whose {
  readonly day: number
  readonly developer: string
  /** `markOf` the developer. */
  readonly mark: number
  readonly team: string
  /** Variance of what is expected of the person, as far as that is not known. */
  readonly doubt: number
}

/** Units of a share that were expected to come out the same way, ready to be added to many series. */
export interface ShareUnits {
  readonly units: number
  readonly taken: number
  readonly expected: number
  /** Log likelihood ratio by alternative. */
  readonly ratios: readonly number[]
}

/** `taken` of `units`, each with the probability `expected`. */
export function shareOf(watched: Watched, units: number, taken: number, expected: number): ShareUnits {
  const odds = expected / (1 - expected)
  const ratios = SPECS[watched].alternatives.map((shift) => {
    const shifted = odds * Math.exp(shift)
    const q = shifted / (1 + shifted)
    return taken * Math.log(q / expected) + (units - taken) * Math.log((1 - q) / (1 - expected))
  })
  return { units, taken, expected, ratios }
}

export function addShare(series: Series, whose: Whose, of: ShareUnits): void {
  openDay(series, whose.day)
  for (let index = 0; index < of.ratios.length; index++) series.dayRatios[index]! += of.ratios[index]!
  const information = of.units * of.expected * (1 - of.expected)
  series.dayVariance += information
  add(series.byPerson, whose.developer, information * doubtFactor(series.watched, whose.doubt))
  add(series.byTeam, whose.team, information)
  noteDay(series, whose, of.taken, of.units * of.expected, of.units)
  series.dayUnits += of.units
  series.dayObserved += of.taken
  series.dayExpected += of.units * of.expected
  series.isTouched = true
}

/** One unit, or units that are counted together, with so many to be expected. */
export function addCount(series: Series, at: Whose, count: number, expected: number, units = 1): void {
  openDay(series, at.day)
  series.dayVariance += (SETTINGS.dispersion * expected * expected) / units / SPECS[series.watched].dispersion.unit
  add(series.byPerson, at.developer, expected * doubtFactor(series.watched, at.doubt))
  add(series.byTeam, at.team, expected)
  noteDay(series, at, count, expected, units)
  series.dayUnits += units
  series.dayObserved += count
  series.dayExpected += expected
  series.isTouched = true
}

const FIELDS = 5
const KEPT_DAYS = 28

function noteDay(series: Series, { day, mark }: Whose, observed: number, expected: number, units: number): void {
  const { daily } = series
  const last = daily.length - FIELDS
  if (last >= 0 && daily[last] === day) {
    daily[last + 1]! += observed
    daily[last + 2]! += expected
    daily[last + 3]! += units
    daily[last + 4] = withMarks(daily[last + 4]!, mark)
    return
  }
  daily.push(day, observed, expected, units, mark)
  if (daily.length > KEPT_DAYS * FIELDS) daily.splice(0, FIELDS)
}

/** Sums over days, both ends included. */
export function sumsBetween(series: Series, from: number, to: number): Sums {
  const { daily } = series
  let [observed, expected, units] = [0, 0, 0]
  for (let index = 0; index < daily.length; index += FIELDS) {
    const day = daily[index]!
    if (day < from || day > to) continue
    observed += daily[index + 1]!
    expected += daily[index + 2]!
    units += daily[index + 3]!
  }
  return { observed, expected, units }
}

/** Marks of who added on these days, both ends included. */
export function marksBetween({ daily }: Series, from: number, to: number): number {
  let marks = 0
  for (let index = 0; index < daily.length; index += FIELDS) {
    const day = daily[index]!
    if (day >= from && day <= to) marks = withMarks(marks, daily[index + 4]!)
  }
  return marks
}

/** Days with any units, both ends included, earliest first. */
export function daysBetween({ daily }: Series, from: number, to: number): readonly number[] {
  const days: number[] = []
  for (let index = 0; index < daily.length; index += FIELDS) {
    const day = daily[index]!
    if (day >= from && day <= to && daily[index + 3]! > 0) days.push(day)
  }
  return days
}

/** Of those with any units; before all others when there is none. */
export function lastDayOf({ daily }: Series): number {
  return daily[daily.length - FIELDS] ?? -Infinity
}

function add(sums: Map<string, number>, key: string, value: number): void {
  sums.set(key, (sums.get(key) ?? 0) + value)
}

/** What varies with the person is the days of one person, and what nobody knows of them yet. */
function doubtFactor(watched: Watched, doubt: number): number {
  const { person } = SPECS[watched].dispersion
  return Math.sqrt((person + doubt) / person)
}

/** Σ of squares by person and team, times how much those vary. */
function sharedVariance(series: Series): number {
  const { person, team } = SPECS[series.watched].dispersion
  let ofPeople = 0
  for (const value of series.byPerson.values()) ofPeople += value * value
  let ofTeams = 0
  for (const value of series.byTeam.values()) ofTeams += value * value
  return SETTINGS.dispersion * (person * ofPeople + team * ofTeams)
}

/** The evidence of the present day, by alternative. */
function evidenceOfDay(series: Series): readonly number[] {
  const spec = SPECS[series.watched]
  const shared = sharedVariance(series)
  if (spec.type === "share") {
    const temper = series.dayVariance > 0 ? series.dayVariance / (series.dayVariance + shared) : 1
    return series.dayRatios.map((ratio) => temper * ratio)
  }
  const { dayObserved: x, dayExpected: mu } = series
  const excess = series.dayVariance + shared
  if (mu <= 0) return spec.alternatives.map(() => 0)
  const size = excess > 0 ? (mu * mu) / excess : 1e9
  return spec.alternatives.map(
    (factor) => x * Math.log(factor) - (x + size) * Math.log((size + factor * mu) / (size + mu)),
  )
}

function openDay(series: Series, day: number): void {
  if (series.day === day) return
  if (series.day >= 0) closeDay(series)
  series.day = day
}

/** The day becomes part of what is before it. */
function closeDay(series: Series): void {
  const evidence = evidenceOfDay(series)
  for (const [index, gained] of evidence.entries()) {
    const value = series.closed[index]! + gained
    if (value <= 0) {
      series.closed[index] = 0
      series.observed[index] = 0
      series.expected[index] = 0
      series.units[index] = 0
    } else {
      series.closed[index] = value
      series.observed[index]! += series.dayObserved
      series.expected[index]! += series.dayExpected
      series.units[index]! += series.dayUnits
    }
    series.dayRatios[index] = 0
  }
  series.dayVariance = 0
  series.dayUnits = 0
  series.dayObserved = 0
  series.dayExpected = 0
  series.byPerson.clear()
  series.byTeam.clear()
}

/** Brings `now` up to what was added, at the end of an hour. */
export function settle(series: Series, until: number): void {
  if (!series.isTouched) return
  series.isTouched = false
  const before = bestOf(series)
  const evidence = evidenceOfDay(series)
  for (let index = 0; index < evidence.length; index++) {
    const value = Math.max(0, series.closed[index]! + evidence[index]!)
    if (series.now[index] === 0 && value > 0) series.since[index] = until - HOUR
    series.now[index] = value
  }
  const best = bestOf(series)
  if (best === 0) {
    // What came before within the day spoke against a change: it must not be held against one that begins now.
    restart(series)
    return
  }
  const hour = Math.floor(until / HOUR)
  const gain = best - before
  series.lastGain = hour - series.lastHour === 1 ? series.gain : 0
  series.gain = gain
  series.lastHour = hour
  series.mostOfTwoHours = Math.max(series.mostOfTwoHours, gain + Math.max(0, series.lastGain))
}

const HOUR = 3_600_000

function bestOf(series: Series): number {
  let best = 0
  for (const value of series.now) if (value > best) best = value
  return best
}

/** The alternative with the most evidence. */
export function bestAlternative(series: Series): number {
  const { now } = series
  let best = 0
  for (let index = 1; index < now.length; index++) if (now[index]! > now[best]!) best = index
  return best
}

/** Natural logarithm of the e-value: of the mean over alternatives. */
export function logEvidence(series: Series): number {
  const best = series.now[bestAlternative(series)]!
  let sum = 0
  for (const value of series.now) sum += Math.exp(value - best)
  return best + Math.log(sum / series.now.length)
}

/** Evidence without the two hours that gave the most: what lasted. */
export function lastingEvidence(series: Series): number {
  return series.now[bestAlternative(series)]! - series.mostOfTwoHours
}

export interface Sums {
  readonly observed: number
  readonly expected: number
  readonly units: number
}

/** Since the evidence grows. */
export function sumsOf(series: Series): Sums {
  const best = bestAlternative(series)
  return {
    observed: series.observed[best]! + series.dayObserved,
    expected: series.expected[best]! + series.dayExpected,
    units: series.units[best]! + series.dayUnits,
  }
}

/** observed / expected since the evidence grows. */
export function ratioOf(series: Series): number {
  const { observed, expected } = sumsOf(series)
  return expected > 0 ? observed / expected : 1
}

export function sinceOf(series: Series): number {
  return series.since[bestAlternative(series)]!
}

/** Whether it has nothing left to remember: no units since a day, and no evidence. */
export function isForgotten(series: Series, since: number): boolean {
  return lastDayOf(series) < since && series.now.every((value) => value === 0)
}

/** Forgets what it knows, as after an incident. */
export function restart(series: Series): void {
  for (const list of [series.closed, series.observed, series.expected, series.units, series.dayRatios, series.now]) {
    list.fill(0)
  }
  series.dayVariance = 0
  series.dayUnits = 0
  series.dayObserved = 0
  series.dayExpected = 0
  series.byPerson.clear()
  series.byTeam.clear()
  series.mostOfTwoHours = 0
  series.gain = 0
  series.lastGain = 0
}
