import type { DetectorState, OpenIncident } from "./state.ts"
import { type Daily, dailyToKeep, type Habit, type Person, type Reference } from "./reference.ts"
import type { Rung } from "#sdk/ladder.ts"
import type { Watched } from "./contract.ts"
import { type Cell, isSamePlace, type UnitPlace } from "./scope.ts"
import { NO_SUMS } from "./sums.ts"
import { AllSeries } from "./all-series.ts"
import { makeSeries, numbersToKeep, Series } from "./series.ts"

/**
 * The detector's memory as it is written down after every step: part by part, so that no more than one of them is held
 * beside it, and in few large arrays, since an object for each of a hundred thousand series takes far longer to write and
 * to read than its numbers.
 */
type Part =
  | { readonly part: "series"; readonly of: PackedSeries }
  | { readonly part: "units"; readonly of: PackedLists }
  | { readonly part: "volumes"; readonly of: readonly (readonly [string, readonly Cell[]])[] }
  | { readonly part: "people"; readonly of: readonly (readonly [string, PackedPerson])[] }
  | { readonly part: "entries"; readonly of: { readonly name: MapName; readonly entries: readonly Entry[] } }
  | { readonly part: "rest"; readonly of: Rest }

/** The lists one after the other, each after its length. */
interface PackedLists {
  readonly keys: string
  readonly lists: Float64Array
}

interface PackedSeries extends PackedLists {
  /** Sums by person and by team of each: apart, as they are over with the day and the others are not. */
  readonly sums: Float64Array
}

interface PackedPerson {
  readonly first: number
  readonly last: Person["last"]
  readonly halves: Float64Array
}

/** Maps that have entries by the ten thousand, which are written down some at a time. */
const MAPS = ["numbers", "operations", "judged", "latency", "habits", "use"] as const
type MapName = (typeof MAPS)[number]
type Entry = readonly [string, unknown]

function mapsOf({ numbers, operations, judged, history, reference }: DetectorState): Record<MapName, Iterable<Entry>> {
  const { habits = [], use = [] } = reference ?? {}
  return { numbers, operations, judged, latency: history.latency, habits, use }
}

interface Rest extends Omit<
  DetectorState,
  "series" | "history" | "volumes" | "incidents" | "reference" | "numbers" | "operations" | "judged"
> {
  readonly reference: Omit<Reference, "habits" | "use"> | null
  readonly open: readonly PackedIncident[]
  readonly closed: readonly PackedIncident[]
  readonly broken: DetectorState["incidents"]["broken"]
}

/** Series by their keys: they are part of the series that go on. */
type PackedIncident = Omit<OpenIncident, "primary" | "place"> & { readonly primary: string; readonly place: string }

const SEPARATOR = "\n"
/** Series, people or places in a part: some hundred kilobytes, so that what is made of a part is freed soon. */
const PART_SIZE = 256

/** Each part is to be written before the next is asked for, which takes its place. */
export function* packState(state: DetectorState): Generator {
  yield* partsOf(state)
}

function* partsOf(state: DetectorState): Generator<Part> {
  const { series, history, volumes, incidents, reference } = state
  const [lists, sums] = [new Writer(), new Writer()]
  for (const some of chunks(series)) yield { part: "series", of: packSeries(some, lists, sums) }
  for (const some of chunks(history.units)) yield { part: "units", of: packUnits(some, lists) }
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
  const maps = mapsOf(state)
  for (const name of MAPS) {
    for (const entries of chunks(maps[name])) yield { part: "entries", of: { name, entries } }
  }
  const pack = (of: OpenIncident): PackedIncident => ({ ...of, primary: of.primary.key, place: of.place.key })
  const { open, closed, broken } = incidents
  const { firstDay, today, telemetry, judgedHalves, use, actions, changes, firstSeen } = state
  yield {
    part: "rest",
    of: {
      firstDay,
      today,
      telemetry,
      judgedHalves,
      use,
      actions,
      changes,
      firstSeen,
      reference: reference === null ? null : { rates: reference.rates, slow: reference.slow },
      open: open.map(pack),
      closed: closed.map(pack),
      broken,
    },
  }
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
  const series = new AllSeries()
  const units = new Map<string, Daily>()
  const cells: DetectorState["volumes"]["cells"] = new Map()
  const once = shareTexts()
  const people = new Map<string, Person>()
  const maps = Object.fromEntries(MAPS.map((name) => [name, new Map()])) as unknown as LargeMaps
  let rest: Rest | null = null
  for await (const read of parts) {
    // What is read is what this form wrote, as its format says.
    const part = read as Part
    if (part.part === "series") unpackSeries(part.of, series, once)
    else if (part.part === "units") unpackUnits(part.of, units)
    else if (part.part === "volumes") {
      for (const [developer, own] of part.of) {
        const places: UnitPlace[] = []
        cells.set(
          developer,
          own.map(({ rung, place, units }) => ({ rung: once(rung), place: sharePlace(place, places, once), units })),
        )
      }
    } else if (part.part === "people") {
      for (const [developer, { halves, ...person }] of part.of) {
        people.set(developer, { ...person, halves: unpackHalves(halves) })
      }
    } else if (part.part === "entries") {
      const into: Map<string, unknown> = maps[part.of.name]
      for (const [key, value] of part.of.entries) into.set(key, value)
    } else rest = part.of
  }
  if (rest === null) throw new Error("The detector's memory has no end")
  const { open, closed, broken, reference, ...others } = rest
  const { numbers, operations, judged, latency, habits, use } = maps
  const unpack = (of: PackedIncident): OpenIncident => ({
    ...of,
    primary: find(series, of.primary),
    place: find(series, of.place),
  })
  return {
    ...others,
    numbers,
    operations,
    judged,
    reference: reference === null ? null : { ...reference, habits, use },
    series,
    volumes: { cells },
    history: { units, latency, people },
    incidents: { open: open.map(unpack), closed: closed.map(unpack), broken },
  }
}

interface LargeMaps extends Pick<DetectorState, "numbers" | "operations" | "judged"> {
  readonly latency: DetectorState["history"]["latency"]
  readonly habits: Map<string, Habit>
  readonly use: Map<string, number>
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

/** The place as it is known already, or with texts that are. */
function sharePlace(place: UnitPlace, known: UnitPlace[], once: Once): UnitPlace {
  const same = known.find((one) => isSamePlace(one, place))
  if (same !== undefined) return same
  const { team, developer, client, model, language, mode } = place
  const shared = {
    team: once(team),
    developer: once(developer),
    client: once(client),
    model: once(model),
    language: once(language),
    mode: once(mode),
  }
  known.push(shared)
  return shared
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

function find(all: AllSeries, key: string): Series {
  const [rung = "", name = "", dimension = "", ...rest] = key.split("|")
  const [watched, values] = [name as Watched, dimension === "" ? [] : rest]
  return (
    all.get(rung as Rung, watched, dimension, values) ??
    // It had nothing left to remember.
    makeSeries(rung as Rung, watched, all.placeOf(dimension, values))
  )
}

/** Numbers that are appended list by list. */
class Writer {
  private numbers = new Float64Array(1024)
  private length = 0

  pushList(values: Iterable<number>): void {
    const lengthAt = this.length
    this.push(0)
    for (const value of values) this.push(value)
    this.numbers[lengthAt] = this.length - lengthAt - 1
  }

  private push(value: number): void {
    if (this.length === this.numbers.length) {
      const larger = new Float64Array(this.length * 2)
      larger.set(this.numbers)
      this.numbers = larger
    }
    this.numbers[this.length++] = value
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

  /** The next list, which stays a part of what is read. */
  takeList(): Float64Array {
    const from = this.at + 1
    this.at = from + this.numbers[this.at]!
    return this.numbers.subarray(from, this.at)
  }
}

function packSeries(some: readonly Series[], lists: Writer, sums: Writer): PackedSeries {
  for (const series of some) {
    lists.pushList(numbersToKeep(series))
    sums.pushList(series.byPerson)
    sums.pushList(series.byTeam)
  }
  return { keys: some.map(({ key }) => key).join(SEPARATOR), lists: lists.finish(), sums: sums.finish() }
}

function unpackSeries(packed: PackedSeries, into: AllSeries, once: Once): void {
  // A copy, since what was read has the keys in the same memory.
  const lists = new Reader(packed.lists.slice())
  const sums = new Reader(packed.sums)
  const takeSums = () => {
    const list = sums.takeList()
    return list.length === 0 ? NO_SUMS : Array.from(list)
  }
  for (const key of packed.keys.split(SEPARATOR)) {
    const [rung = "", name = "", dimension = "", ...values] = key.split("|").map(once)
    const place = into.placeOf(dimension, dimension === "" ? [] : values)
    const series = new Series({ rung: rung as Rung, watched: name as Watched, place }, lists.takeList())
    series.byPerson = takeSums()
    series.byTeam = takeSums()
    into.add(series)
  }
}

function packUnits(some: readonly (readonly [string, Daily])[], lists: Writer): PackedLists {
  for (const [, daily] of some) lists.pushList(dailyToKeep(daily))
  return { keys: some.map(([key]) => key).join(SEPARATOR), lists: lists.finish() }
}

function unpackUnits(packed: PackedLists, into: Map<string, Daily>): void {
  const lists = new Reader(packed.lists.slice())
  for (const key of packed.keys.split(SEPARATOR)) into.set(key, lists.takeList())
}
