import type { Rung } from "#sdk/ladder.ts"
import type { Watched } from "./contract.ts"
import { dayIn, endOfDays, joinUnits, moreUnits, unitsIn, withRoom } from "./day-lists.ts"
import { withMarks } from "./people.ts"
import { SETTINGS } from "./settings.ts"
import { added, NO_SUMS, sumOfSquares, type SumsByNumber } from "./sums.ts"
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
export class Series {
  readonly rung: Rung
  readonly watched: Watched
  readonly place: Place
  /**
   * All its single numbers, its lists by alternative and its days (`DAY`), one after the other: there are a hundred
   * thousand series.
   */
  numbers: Float64Array
  /** Information or expectation of the present day by person and team: what varies together. */
  byPerson: SumsByNumber
  byTeam: SumsByNumber
  isTouched: boolean

  constructor(of: Pick<Series, "rung" | "watched" | "place">, numbers: Float64Array) {
    this.rung = of.rung
    this.watched = of.watched
    this.place = of.place
    this.numbers = numbers
    this.byPerson = NO_SUMS
    this.byTeam = NO_SUMS
    this.isTouched = false
  }

  get dimension(): string {
    return this.place.dimension
  }

  get values(): readonly string[] {
    return this.place.values
  }

  /** Unlike that of any other of the organization. */
  get key(): string {
    return `${this.rung}|${this.watched}|${this.dimension}|${this.values.join("|")}`
  }
}

export interface Place {
  /** Names of its dimensions, joined by `+`: empty for the organization. */
  readonly dimension: string
  /** Their values, in the same order. */
  readonly values: readonly string[]
}

/** Where a single number is. */
const AT = {
  /** The present day. */
  day: 0,
  dayUnits: 1,
  dayObserved: 2,
  dayExpected: 3,
  /** Of a count: variance of single units. Of a share: its information, the sum of p (1 - p). */
  dayVariance: 4,
  /** The evidence of single hours since it grows: the last two, and the most that two gave together. */
  lastHour: 5,
  lastGain: 6,
  gain: 7,
  mostOfTwoHours: 8,
} as const
const SINGLE = Object.keys(AT).length

/** Which list by alternative, in the order in which they are kept. */
const LIST = {
  /** Evidence before the present day, and since when it grows. */
  closed: 0,
  since: 1,
  observed: 2,
  expected: 3,
  units: 4,
  /** Sum of the log likelihood ratios of a share. */
  dayRatios: 5,
  /** Evidence now. */
  now: 6,
} as const
const LISTS = Object.keys(LIST).length

type List = keyof typeof LIST

function alternativesOf(series: Series): number {
  return SPECS[series.watched].alternatives.length
}

/** Where the number of an alternative is. */
function slot(series: Series, list: List, alternative: number): number {
  return SINGLE + LIST[list] * alternativesOf(series) + alternative
}

/** What is kept of a day with any units. */
const DAY = {
  /** `joinUnits`. */
  dayAndUnits: 0,
  observed: 1,
  expected: 2,
  /** Of who added to it (`people.ts`). */
  marks: 3,
} as const
const DAY_FIELDS = Object.keys(DAY).length
const KEPT_DAYS = 28

/** How many numbers a series of the signal has before its days. */
function firstDayAt(watched: Watched): number {
  return SINGLE + LISTS * SPECS[watched].alternatives.length
}

export function makeSeries(rung: Rung, watched: Watched, place: Place): Series {
  const numbers = new Float64Array(firstDayAt(watched))
  numbers[AT.day] = -1
  return new Series({ rung, watched, place }, numbers)
}

/** Its numbers with room for the days that it has and one more. */
export function* numbersToKeep({ watched, numbers }: Series): Generator<number> {
  const end = endOfDays(numbers, firstDayAt(watched), DAY_FIELDS)
  yield* numbers.subarray(0, end)
  for (let left = Math.min(DAY_FIELDS, lengthAtMost(watched) - end); left > 0; left--) yield 0
}

function lengthAtMost(watched: Watched): number {
  return firstDayAt(watched) + KEPT_DAYS * DAY_FIELDS
}

/** Whose work, and on which day it counts. */
export interface Whose {
  readonly day: number
  /** Numbers of the person and the team. */
  readonly person: number
  readonly team: number
  /** `markOf` the developer. */
  readonly mark: number
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
  const first = slot(series, "dayRatios", 0)
  for (let index = 0; index < of.ratios.length; index++) series.numbers[first + index]! += of.ratios[index]!
  const information = of.units * of.expected * (1 - of.expected)
  series.numbers[AT.dayVariance]! += information
  noteShared(series, whose, information)
  noteUnits(series, whose, of.taken, of.units * of.expected, of.units)
}

/** One unit, or units that are counted together, with so many to be expected. */
export function addCount(series: Series, at: Whose, count: number, expected: number, units = 1): void {
  openDay(series, at.day)
  series.numbers[AT.dayVariance]! +=
    (SETTINGS.dispersion * expected * expected) / units / SPECS[series.watched].dispersion.unit
  noteShared(series, at, expected)
  noteUnits(series, at, count, expected, units)
}

function noteUnits(series: Series, { day, mark }: Whose, observed: number, expected: number, units: number): void {
  const { numbers } = series
  numbers[AT.dayUnits]! += units
  numbers[AT.dayObserved]! += observed
  numbers[AT.dayExpected]! += expected
  series.isTouched = true
  const end = endOfDays(numbers, firstDayAt(series.watched), DAY_FIELDS)
  const last = end - DAY_FIELDS
  if (lastDayOf(series) !== day) {
    addDay(series, end, { day, observed, expected, units, marks: mark })
    return
  }
  numbers[last]! += moreUnits(units)
  numbers[last + DAY.observed]! += observed
  numbers[last + DAY.expected]! += expected
  numbers[last + DAY.marks] = withMarks(numbers[last + DAY.marks]!, mark)
}

interface Day extends Sums {
  readonly day: number
  readonly marks: number
}

/** Adds a day, of which nothing was known, where the days end: instead of the oldest when there are enough. */
function addDay(series: Series, end: number, { day, observed, expected, units, marks }: Day): void {
  let at = end
  if (end === lengthAtMost(series.watched)) {
    const first = firstDayAt(series.watched)
    series.numbers.copyWithin(first, first + DAY_FIELDS)
    at -= DAY_FIELDS
  } else if (end === series.numbers.length) {
    const left = (lengthAtMost(series.watched) - end) / DAY_FIELDS
    series.numbers = withRoom(series.numbers, DAY_FIELDS, Math.min(4, left))
  }
  series.numbers.set([joinUnits(day, units), observed, expected, marks], at)
}

/** Its days from one to another, both included, earliest first. */
function* daysOf({ watched, numbers }: Series, from: number, to: number): Generator<Day> {
  const end = endOfDays(numbers, firstDayAt(watched), DAY_FIELDS)
  for (let at = firstDayAt(watched); at < end; at += DAY_FIELDS) {
    const day = dayIn(numbers[at]!)
    if (day < from || day > to) continue
    yield {
      day,
      units: unitsIn(numbers[at]!),
      observed: numbers[at + DAY.observed]!,
      expected: numbers[at + DAY.expected]!,
      marks: numbers[at + DAY.marks]!,
    }
  }
}

/** Sums over days, both ends included. */
export function sumsBetween(series: Series, from: number, to: number): Sums {
  let [observed, expected, units] = [0, 0, 0]
  for (const day of daysOf(series, from, to)) {
    observed += day.observed
    expected += day.expected
    units += day.units
  }
  return { observed, expected, units }
}

/** Marks of who added on these days, both ends included. */
export function marksBetween(series: Series, from: number, to: number): number {
  let marks = 0
  for (const day of daysOf(series, from, to)) marks = withMarks(marks, day.marks)
  return marks
}

/** Days with any units, both ends included, earliest first. */
export function daysBetween(series: Series, from: number, to: number): readonly number[] {
  return [...daysOf(series, from, to)].filter(({ units }) => units > 0).map(({ day }) => day)
}

/** Of those with any units; before all others when there is none. */
export function lastDayOf({ watched, numbers }: Series): number {
  const first = firstDayAt(watched)
  const end = endOfDays(numbers, first, DAY_FIELDS)
  return end === first ? -Infinity : dayIn(numbers[end - DAY_FIELDS]!)
}

function noteShared(series: Series, whose: Whose, value: number): void {
  series.byPerson = added(series.byPerson, whose.person, value * doubtFactor(series.watched, whose.doubt))
  series.byTeam = added(series.byTeam, whose.team, value)
}

/** What varies with the person is the days of one person, and what nobody knows of them yet. */
function doubtFactor(watched: Watched, doubt: number): number {
  const { person } = SPECS[watched].dispersion
  return Math.sqrt((person + doubt) / person)
}

/** Σ of squares by person and team, times how much those vary. */
function sharedVariance(series: Series): number {
  const { person, team } = SPECS[series.watched].dispersion
  return SETTINGS.dispersion * (person * sumOfSquares(series.byPerson) + team * sumOfSquares(series.byTeam))
}

/** The evidence of the present day, by alternative. */
function evidenceOfDay(series: Series): readonly number[] {
  const spec = SPECS[series.watched]
  const shared = sharedVariance(series)
  if (spec.type === "share") {
    const temper =
      series.numbers[AT.dayVariance]! > 0
        ? series.numbers[AT.dayVariance]! / (series.numbers[AT.dayVariance]! + shared)
        : 1
    return spec.alternatives.map((_, index) => temper * series.numbers[slot(series, "dayRatios", index)]!)
  }
  const [x, mu] = [series.numbers[AT.dayObserved]!, series.numbers[AT.dayExpected]!]
  const excess = series.numbers[AT.dayVariance]! + shared
  if (mu <= 0) return spec.alternatives.map(() => 0)
  const size = excess > 0 ? (mu * mu) / excess : 1e9
  return spec.alternatives.map(
    (factor) => x * Math.log(factor) - (x + size) * Math.log((size + factor * mu) / (size + mu)),
  )
}

function openDay(series: Series, day: number): void {
  const before = series.numbers[AT.day]!
  if (before === day) return
  if (before >= 0) closeDay(series)
  series.numbers[AT.day] = day
}

/** The day becomes part of what is before it. */
function closeDay(series: Series): void {
  const { numbers } = series
  for (const [index, gained] of evidenceOfDay(series).entries()) {
    const closed = slot(series, "closed", index)
    const value = numbers[closed]! + gained
    const isKept = value > 0
    numbers[closed] = isKept ? value : 0
    for (const [list, ofDay] of SUMS) {
      const at = slot(series, list, index)
      numbers[at] = isKept ? numbers[at]! + numbers[ofDay]! : 0
    }
  }
  forgetDay(series)
}

/** What is summed up since the evidence grows, and where that of the day is. */
const SUMS = [
  ["observed", AT.dayObserved],
  ["expected", AT.dayExpected],
  ["units", AT.dayUnits],
] as const

function forgetDay(series: Series): void {
  const { numbers } = series
  numbers.fill(0, slot(series, "dayRatios", 0), slot(series, "now", 0))
  numbers[AT.dayVariance] = 0
  numbers[AT.dayUnits] = 0
  numbers[AT.dayObserved] = 0
  numbers[AT.dayExpected] = 0
  series.byPerson = NO_SUMS
  series.byTeam = NO_SUMS
}

/** Brings `now` up to what was added, at the end of an hour. */
export function settle(series: Series, until: number): void {
  if (!series.isTouched) return
  series.isTouched = false
  const before = bestOf(series)
  const { numbers } = series
  for (const [index, gained] of evidenceOfDay(series).entries()) {
    const now = slot(series, "now", index)
    const value = Math.max(0, numbers[slot(series, "closed", index)]! + gained)
    if (numbers[now] === 0 && value > 0) numbers[slot(series, "since", index)] = until - HOUR
    numbers[now] = value
  }
  const best = bestOf(series)
  if (best === 0) {
    // What came before within the day spoke against a change: it must not be held against one that begins now.
    restart(series)
    return
  }
  const hour = Math.floor(until / HOUR)
  const gain = best - before
  const hoursSince = hour - numbers[AT.lastHour]!
  const lastGain = hoursSince === 1 ? numbers[AT.gain]! : 0
  numbers[AT.lastGain] = lastGain
  numbers[AT.gain] = gain
  numbers[AT.lastHour] = hour
  numbers[AT.mostOfTwoHours] = Math.max(numbers[AT.mostOfTwoHours]!, gain + Math.max(0, lastGain))
}

const HOUR = 3_600_000

/** The most evidence that an alternative has. */
export function bestOf(series: Series): number {
  return series.numbers[slot(series, "now", bestAlternative(series))]!
}

/** The alternative with the most evidence. */
function bestAlternative(series: Series): number {
  const first = slot(series, "now", 0)
  let best = first
  for (let at = first + 1; at < firstDayAt(series.watched); at++) {
    if (series.numbers[at]! > series.numbers[best]!) best = at
  }
  return best - first
}

/** Natural logarithm of the e-value: of the mean over alternatives. */
export function logEvidence(series: Series): number {
  const best = bestOf(series)
  let sum = 0
  for (let at = slot(series, "now", 0); at < firstDayAt(series.watched); at++) {
    sum += Math.exp(series.numbers[at]! - best)
  }
  return best + Math.log(sum / alternativesOf(series))
}

/** Evidence without the two hours that gave the most: what lasted. */
export function lastingEvidence(series: Series): number {
  return bestOf(series) - series.numbers[AT.mostOfTwoHours]!
}

export interface Sums {
  readonly observed: number
  readonly expected: number
  readonly units: number
}

/** Since the evidence grows. */
export function sumsOf(series: Series): Sums {
  const { numbers } = series
  const best = bestAlternative(series)
  return {
    observed: numbers[slot(series, "observed", best)]! + numbers[AT.dayObserved]!,
    expected: numbers[slot(series, "expected", best)]! + numbers[AT.dayExpected]!,
    units: numbers[slot(series, "units", best)]! + numbers[AT.dayUnits]!,
  }
}

/** observed / expected since the evidence grows. */
export function ratioOf(series: Series): number {
  const { observed, expected } = sumsOf(series)
  return expected > 0 ? observed / expected : 1
}

export function sinceOf(series: Series): number {
  return series.numbers[slot(series, "since", bestAlternative(series))]!
}

/** Since when the evidence grows, of each alternative that has more than `evidence`. */
export function sincesOf(series: Series, evidence: number): readonly number[] {
  return SPECS[series.watched].alternatives.flatMap((_, index) =>
    series.numbers[slot(series, "now", index)]! > evidence ? [series.numbers[slot(series, "since", index)]!] : [],
  )
}

/** Whether it has nothing left to remember: no units since a day, and no evidence. */
export function isForgotten(series: Series, since: number): boolean {
  return lastDayOf(series) < since && bestOf(series) === 0
}

/** Forgets what it knows, as after an incident. Since when evidence grew is written anew when it grows again. */
export function restart(series: Series): void {
  forgetDay(series)
  const { numbers } = series
  for (const list of ["closed", "observed", "expected", "units", "now"] as const) {
    const first = slot(series, list, 0)
    numbers.fill(0, first, first + alternativesOf(series))
  }
  numbers[AT.mostOfTwoHours] = 0
  numbers[AT.gain] = 0
  numbers[AT.lastGain] = 0
}
