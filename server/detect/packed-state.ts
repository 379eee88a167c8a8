import type { DetectorState, OpenIncident } from "./state.ts"
import type { Daily, Person } from "./reference.ts"
import type { Rung } from "#sdk/ladder.ts"
import type { Watched } from "./contract.ts"
import { countNumbers, makeSeries, Series } from "./series.ts"

/**
 * The detector's memory as it is written down after every step: part by part, so that no more than one of them is held
 * beside it, and in few large arrays, since an object for each of a hundred thousand series takes far longer to write and
 * to read than its numbers.
 */
type Part =
  | { readonly part: "series"; readonly of: PackedSeries }
  | { readonly part: "units"; readonly of: PackedUnits }
  | { readonly part: "volumes"; readonly of: readonly (readonly [string, Cell])[] }
  | { readonly part: "people"; readonly of: readonly (readonly [string, PackedPerson])[] }
  | { readonly part: "rest"; readonly of: Rest }

interface PackedSeries {
  readonly keys: string
  readonly names: string
  readonly numbers: Float64Array
}

interface PackedUnits {
  readonly keys: string
  readonly numbers: Float64Array
}

interface PackedPerson {
  readonly first: number
  readonly last: Person["last"]
  readonly halves: Float64Array
}

type Cell = DetectorState["volumes"]["cells"] extends Map<string, infer Value> ? Value : never

interface Rest extends Omit<DetectorState, "series" | "history" | "volumes" | "incidents"> {
  readonly latency: DetectorState["history"]["latency"]
  readonly open: readonly PackedIncident[]
  readonly closed: readonly PackedIncident[]
  readonly broken: DetectorState["incidents"]["broken"]
}

/** Series by their keys: they are part of the series that go on. */
type PackedIncident = Omit<OpenIncident, "primary" | "place"> & { readonly primary: string; readonly place: string }

const SEPARATOR = "\n"
/** Series, people or places in a part: half a megabyte of numbers. */
const PART_SIZE = 1024

/** Each part is to be written before the next is asked for, which takes its place. */
export function* packState(state: DetectorState): Generator {
  yield* partsOf(state)
}

function* partsOf(state: DetectorState): Generator<Part> {
  const { series, history, volumes, incidents, ...rest } = state
  const numbers = new Writer()
  for (const some of chunks(series.values())) yield { part: "series", of: packSeries(some, numbers) }
  for (const some of chunks(history.units)) yield { part: "units", of: packUnits(some, numbers) }
  for (const some of chunks(volumes.cells)) yield { part: "volumes", of: some }
  for (const some of chunks(history.people)) {
    yield {
      part: "people",
      of: some.map(([developer, { first, last, halves }]) => [
        developer,
        { first, last, halves: Float64Array.from([...halves].flatMap(([half, units]) => [half, ...units])) },
      ]),
    }
  }
  const pack = (of: OpenIncident): PackedIncident => ({ ...of, primary: of.primary.key, place: of.place.key })
  const { open, closed, broken } = incidents
  const { latency } = history
  yield { part: "rest", of: { ...rest, latency, open: open.map(pack), closed: closed.map(pack), broken } }
}

function* chunks<Item>(items: Iterable<Item>): Generator<Item[]> {
  let some: Item[] = []
  for (const item of items) {
    some.push(item)
    if (some.length < PART_SIZE) continue
    yield some
    some = []
  }
  if (some.length > 0) yield some
}

/** Takes the parts in the order in which they were written. */
export async function unpackState(parts: AsyncIterable<unknown> | Iterable<unknown>): Promise<DetectorState> {
  const series = new Map<string, Series>()
  const units = new Map<string, Daily>()
  const cells: DetectorState["volumes"]["cells"] = new Map()
  const once = shareTexts()
  const people = new Map<string, Person>()
  let rest: Rest | null = null
  for await (const read of parts) {
    // What is read is what this form wrote, as its format says.
    const part = read as Part
    if (part.part === "series") unpackSeries(part.of, series, once)
    else if (part.part === "units") unpackUnits(part.of, units)
    else if (part.part === "volumes") for (const [key, cell] of part.of) cells.set(key, shareCell(cell, once))
    else if (part.part === "people") {
      for (const [developer, { halves, ...person }] of part.of) {
        people.set(developer, { ...person, halves: unpackHalves(halves) })
      }
    } else rest = part.of
  }
  if (rest === null) throw new Error("The detector's memory has no end")
  const { latency, open, closed, broken, ...others } = rest
  const unpack = (of: PackedIncident): OpenIncident => ({
    ...of,
    primary: find(series, of.primary),
    place: find(series, of.place),
  })
  return {
    ...others,
    series,
    volumes: { cells },
    history: { units, latency, people },
    incidents: { open: open.map(unpack), closed: closed.map(unpack), broken },
  }
}

/** Gives equal texts as one: what is read has a copy of a team's name for each of its places. */
function shareTexts(): <Text extends string | null>(text: Text) => Text {
  const known = new Map<string | null, string | null>()
  return <Text extends string | null>(text: Text): Text => {
    const found = known.get(text)
    if (found !== undefined) return found as Text
    known.set(text, text)
    return text
  }
}

type Once = ReturnType<typeof shareTexts>

function shareCell({ rung, place, units }: Cell, once: Once): Cell {
  const { team, developer, client, model, language, mode } = place
  const shared = {
    team: once(team),
    developer: once(developer),
    client: once(client),
    model: once(model),
    language: once(language),
    mode: once(mode),
  }
  return { rung: once(rung), place: shared, units }
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

  /** Those since the last time, to be read before the next is pushed. */
  finish(): Float64Array {
    const written = this.numbers.subarray(0, this.length)
    this.length = 0
    return written
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

  /** A list of exactly as many numbers, without room for more. */
  take(length: number): number[] {
    const list = Array.from(this.numbers.subarray(this.at, this.at + length))
    this.at += length
    return list
  }
}

function packSeries(some: readonly Series[], numbers: Writer): PackedSeries {
  const names = new Map<string, number>()
  const pushSums = (sums: ReadonlyMap<string, number> | null) => {
    numbers.push(sums?.size ?? 0)
    for (const [name, value] of sums ?? []) {
      let index = names.get(name)
      if (index === undefined) names.set(name, (index = names.size))
      numbers.push(index)
      numbers.push(value)
    }
  }
  for (const series of some) {
    numbers.pushAll(series.numbers)
    numbers.push(series.daily.length)
    numbers.pushAll(series.daily)
    pushSums(series.byPerson)
    pushSums(series.byTeam)
  }
  return {
    keys: some.map(({ key }) => key).join(SEPARATOR),
    names: [...names.keys()].join(SEPARATOR),
    numbers: numbers.finish(),
  }
}

function unpackSeries({ keys, names: joined, numbers }: PackedSeries, into: Map<string, Series>, once: Once): void {
  const names = joined.split(SEPARATOR).map(once)
  const reader = new Reader(numbers)
  const takeSums = () => {
    const size = reader.next()
    if (size === 0) return null
    const sums = new Map<string, number>()
    for (let left = size; left > 0; left--) sums.set(names[reader.next()]!, reader.next())
    return sums
  }
  for (const key of keys.split(SEPARATOR)) {
    const [rung = "", name = "", dimension = "", ...values] = key.split("|").map(once)
    const watched = name as Watched
    const of = { key, rung: rung as Rung, watched, dimension, values: dimension === "" ? [] : values }
    const series = new Series(of, reader.take(countNumbers(watched)), reader.take(reader.next()))
    series.byPerson = takeSums()
    series.byTeam = takeSums()
    into.set(key, series)
  }
}

function packUnits(some: readonly (readonly [string, Daily])[], numbers: Writer): PackedUnits {
  for (const [, daily] of some) {
    numbers.push(daily.length)
    numbers.pushAll(daily)
  }
  return { keys: some.map(([key]) => key).join(SEPARATOR), numbers: numbers.finish() }
}

function unpackUnits({ keys, numbers }: PackedUnits, into: Map<string, Daily>): void {
  const reader = new Reader(numbers)
  for (const key of keys.split(SEPARATOR)) into.set(key, reader.take(reader.next()))
}
