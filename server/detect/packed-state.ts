import type { DetectorState, OpenIncident } from "./state.ts"
import type { Daily, Person } from "./reference.ts"
import type { Rung } from "#sdk/ladder.ts"
import type { Watched } from "./contract.ts"
import { makeSeries, type Series } from "./series.ts"

/**
 * The detector's memory in few large arrays. It is written down after every step, and an object for each of a hundred
 * thousand series takes far longer to write and to read than its numbers.
 */
export interface PackedState extends Omit<DetectorState, "series" | "history" | "incidents"> {
  readonly series: { readonly keys: string; readonly names: string; readonly numbers: Float64Array }
  readonly units: { readonly keys: string; readonly numbers: Float64Array }
  readonly latency: DetectorState["history"]["latency"]
  readonly people: ReadonlyMap<
    string,
    { readonly first: number; readonly last: Person["last"]; readonly halves: Float64Array }
  >
  readonly open: readonly PackedIncident[]
  readonly closed: readonly PackedIncident[]
  readonly broken: DetectorState["incidents"]["broken"]
}

/** Series by their keys: they are part of the series that go on. */
type PackedIncident = Omit<OpenIncident, "primary" | "place"> & { readonly primary: string; readonly place: string }

const SEPARATOR = "\n"

export function packState(state: DetectorState): PackedState {
  const { series, history, incidents, ...rest } = state
  const pack = (of: OpenIncident): PackedIncident => ({ ...of, primary: of.primary.key, place: of.place.key })
  return {
    ...rest,
    series: packSeries(series),
    units: packUnits(history.units),
    latency: history.latency,
    people: new Map(
      [...history.people].map(([developer, { first, last, halves }]) => [
        developer,
        { first, last, halves: Float64Array.from([...halves].flatMap(([half, units]) => [half, ...units])) },
      ]),
    ),
    open: incidents.open.map(pack),
    closed: incidents.closed.map(pack),
    broken: incidents.broken,
  }
}

export function unpackState(packed: PackedState): DetectorState {
  const { series: packedSeries, units, latency, people, open, closed, broken, ...rest } = packed
  const series = unpackSeries(packedSeries)
  const unpack = (of: PackedIncident): OpenIncident => ({
    ...of,
    primary: find(series, of.primary),
    place: find(series, of.place),
  })
  return {
    ...rest,
    series,
    history: {
      units: unpackUnits(units),
      latency,
      people: new Map(
        [...people].map(([developer, { first, last, halves }]) => [
          developer,
          { first, last, halves: unpackHalves(halves) },
        ]),
      ),
    },
    incidents: { open: open.map(unpack), closed: closed.map(unpack), broken },
  }
}

/** The half, and units of the four rungs. */
const HALF_FIELDS = 5

function unpackHalves(numbers: Float64Array): Map<number, number[]> {
  const halves = new Map<number, number[]>()
  for (let at = 0; at < numbers.length; at += HALF_FIELDS) {
    halves.set(numbers[at]!, [...numbers.subarray(at + 1, at + HALF_FIELDS)])
  }
  return halves
}

function find(series: ReadonlyMap<string, Series>, key: string): Series {
  const found = series.get(key)
  if (found !== undefined) return found
  // Its series has nothing left to remember.
  const [rung = "", watched = "", dimension = "", ...values] = key.split("|")
  return makeSeries(rung as Rung, watched as Watched, dimension, values)
}

/** Numbers that are appended one by one. */
class Writer {
  private numbers = new Float64Array(1024)
  private length = 0

  push(value: number): void {
    if (this.length === this.numbers.length) {
      const larger = new Float64Array(this.length * 2)
      larger.set(this.numbers)
      this.numbers = larger
    }
    this.numbers[this.length++] = value
  }

  pushAll(values: readonly number[]): void {
    for (const value of values) this.push(value)
  }

  finish(): Float64Array {
    return this.numbers.slice(0, this.length)
  }
}

class Reader {
  private at = 0
  private readonly numbers: Float64Array

  constructor(numbers: Float64Array) {
    this.numbers = numbers
  }

  next(): number {
    return this.numbers[this.at++]!
  }

  fill(into: number[], length = into.length): void {
    for (let index = 0; index < length; index++) into[index] = this.next()
  }
}

const LISTS = ["closed", "since", "observed", "expected", "units", "dayRatios", "now"] as const
const SCALARS = [
  "day",
  "dayUnits",
  "dayObserved",
  "dayExpected",
  "dayVariance",
  "lastHour",
  "lastGain",
  "gain",
  "mostOfTwoHours",
] as const

function packSeries(all: ReadonlyMap<string, Series>): PackedState["series"] {
  const numbers = new Writer()
  const names = new Map<string, number>()
  const pushSums = (sums: ReadonlyMap<string, number>) => {
    numbers.push(sums.size)
    for (const [name, value] of sums) {
      let index = names.get(name)
      if (index === undefined) names.set(name, (index = names.size))
      numbers.push(index)
      numbers.push(value)
    }
  }
  for (const series of all.values()) {
    const lists = LISTS.filter((name) => series[name].some((value) => value !== 0))
    numbers.push(LISTS.reduce((bits, name, bit) => bits + (lists.includes(name) ? 2 ** bit : 0), 0))
    for (const name of lists) numbers.pushAll(series[name])
    for (const name of SCALARS) numbers.push(series[name])
    numbers.push(series.daily.length)
    numbers.pushAll(series.daily)
    pushSums(series.byPerson)
    pushSums(series.byTeam)
  }
  return {
    keys: [...all.keys()].join(SEPARATOR),
    names: [...names.keys()].join(SEPARATOR),
    numbers: numbers.finish(),
  }
}

function unpackSeries({ keys, names: joined, numbers }: PackedState["series"]): Map<string, Series> {
  const all = new Map<string, Series>()
  if (keys === "") return all
  const names = joined.split(SEPARATOR)
  const reader = new Reader(numbers)
  const fillSums = (sums: Map<string, number>) => {
    for (let left = reader.next(); left > 0; left--) sums.set(names[reader.next()]!, reader.next())
  }
  for (const key of keys.split(SEPARATOR)) {
    const [rung = "", watched = "", dimension = "", ...values] = key.split("|")
    const series = makeSeries(rung as Rung, watched as Watched, dimension, dimension === "" ? [] : values)
    const bits = reader.next()
    for (const [bit, name] of LISTS.entries()) if (bits & (2 ** bit)) reader.fill(series[name])
    for (const name of SCALARS) series[name] = reader.next()
    reader.fill(series.daily, reader.next())
    fillSums(series.byPerson)
    fillSums(series.byTeam)
    all.set(key, series)
  }
  return all
}

function packUnits(all: ReadonlyMap<string, Daily>): PackedState["units"] {
  const numbers = new Writer()
  for (const { days, units, sums } of all.values()) {
    numbers.push(days.length)
    for (const list of [days, units, sums]) numbers.pushAll(list)
  }
  return { keys: [...all.keys()].join(SEPARATOR), numbers: numbers.finish() }
}

function unpackUnits({ keys, numbers }: PackedState["units"]): Map<string, Daily> {
  const all = new Map<string, Daily>()
  if (keys === "") return all
  const reader = new Reader(numbers)
  for (const key of keys.split(SEPARATOR)) {
    const length = reader.next()
    const daily: Daily = { days: [], units: [], sums: [] }
    for (const list of [daily.days, daily.units, daily.sums]) reader.fill(list, length)
    all.set(key, daily)
  }
  return all
}
