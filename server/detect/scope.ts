import type { Rung } from "#sdk/ladder.ts"
import type { IncidentScope } from "./contract.ts"

/** Places in which evidence is gathered: the organization, one dimension, or two that break together. */

export interface UnitPlace {
  readonly team: string
  readonly developer: string
  readonly client: string
  readonly model: string | null
  readonly language: string | null
  readonly mode: string | null
}

type Dimension = keyof UnitPlace

const SINGLE = ["team", "client", "model", "language", "mode"] as const

const PAIRS: readonly (readonly [Dimension, Dimension])[] = [
  ["team", "client"],
  ["team", "model"],
  ["team", "language"],
  ["client", "language"],
  ["model", "language"],
  ["mode", "client"],
  ["mode", "model"],
]

/** The series that a unit adds to: names and values of the dimensions of each. */
export function placesOf(
  unit: UnitPlace,
): readonly { readonly dimension: string; readonly values: readonly string[] }[] {
  const places: { dimension: string; values: string[] }[] = [{ dimension: "", values: [] }]
  for (const dimension of SINGLE) {
    const value = unit[dimension]
    if (value !== null) places.push({ dimension, values: [value] })
  }
  for (const [one, other] of PAIRS) {
    const [first, second] = [unit[one], unit[other]]
    if (first !== null && second !== null) places.push({ dimension: `${one}+${other}`, values: [first, second] })
  }
  return places
}

export function scopeOf(dimension: string, values: readonly string[]): IncidentScope {
  if (dimension === "") return {}
  return Object.fromEntries(dimension.split("+").map((name, index) => [name, values[index]]))
}

/** How many dimensions a place fixes, and which come first when two places explain the same: the wider, the more stable. */
export function widthOf(dimension: string): number {
  const WIDTH: Record<string, number> = { "": 8, client: 6, model: 6, team: 5, mode: 5, language: 5, developer: 0 }
  return WIDTH[dimension] ?? 2
}

export function isInside(scope: IncidentScope, unit: UnitPlace): boolean {
  for (const name in scope) if (unit[name as Dimension] !== scope[name as keyof IncidentScope]) return false
  return true
}

/** How much was done where lately, of one person at one rung in one place. */
export interface Cell {
  readonly rung: Rung
  readonly place: UnitPlace
  units: number
}

/** Of everyone. Old work fades by the day. */
export interface Volumes {
  /** By developer: each has a few. */
  readonly cells: Map<string, readonly Cell[]>
}

export function makeVolumes(): Volumes {
  return { cells: new Map() }
}

export function addVolume(volumes: Volumes, rung: Rung, of: UnitPlace, units: number): void {
  const own = volumes.cells.get(of.developer) ?? []
  const cell = own.find((one) => one.rung === rung && isSamePlace(one.place, of))
  if (cell !== undefined) {
    cell.units += units
    return
  }
  const { team, developer, client, model, language, mode } = of
  const place = own.find((one) => isSamePlace(one.place, of))?.place ?? {
    team,
    developer,
    client,
    model,
    language,
    mode,
  }
  volumes.cells.set(developer, own.concat([{ rung, place, units }]))
}

/** Of one developer. */
export function isSamePlace(one: UnitPlace, other: UnitPlace): boolean {
  return (
    one.team === other.team &&
    one.client === other.client &&
    one.model === other.model &&
    one.language === other.language &&
    one.mode === other.mode
  )
}

export function* cellsOf(volumes: Volumes): Generator<Cell> {
  for (const own of volumes.cells.values()) yield* own
}

/** Once a day. */
export function fadeVolumes(volumes: Volumes): void {
  for (const [developer, own] of volumes.cells) {
    for (const cell of own) cell.units *= 0.6
    const kept = own.filter(({ units }) => units >= 0.05)
    if (kept.length === 0) volumes.cells.delete(developer)
    else volumes.cells.set(developer, kept)
  }
}

/** What was done at one rung, ready to be asked how much two places share. */
export interface VolumeIndex {
  /** By dimension and value: the cells that have it. */
  readonly cells: ReadonlyMap<string, readonly { readonly place: UnitPlace; readonly units: number }[]>
  readonly all: readonly { readonly place: UnitPlace; readonly units: number }[]
  readonly totals: Map<string, number>
}

export function indexVolumes(volumes: Volumes, rung: Rung): VolumeIndex {
  const cells = new Map<string, { readonly place: UnitPlace; readonly units: number }[]>()
  const all: { readonly place: UnitPlace; readonly units: number }[] = []
  for (const cell of cellsOf(volumes)) {
    if (cell.rung !== rung) continue
    all.push(cell)
    for (const dimension of SINGLE) {
      const key = `${dimension}|${cell.place[dimension]}`
      const list = cells.get(key)
      if (list === undefined) cells.set(key, [cell])
      else list.push(cell)
    }
  }
  return { cells, all, totals: new Map() }
}

/** The fewest cells among which all of a place are. */
function candidatesOf(index: VolumeIndex, scope: IncidentScope): VolumeIndex["all"] {
  let fewest = index.all
  for (const dimension of SINGLE) {
    const value = scope[dimension]
    if (value === undefined) continue
    const list = index.cells.get(`${dimension}|${value}`) ?? []
    if (list.length < fewest.length) fewest = list
  }
  return fewest
}

function totalOf(index: VolumeIndex, scope: IncidentScope): number {
  const key = JSON.stringify(scope)
  let total = index.totals.get(key)
  if (total === undefined) {
    total = 0
    for (const cell of candidatesOf(index, scope)) if (isInside(scope, cell.place)) total += cell.units
    index.totals.set(key, total)
  }
  return total
}

/** Units that are in both places over units that are in either (Jaccard index); 0 where there were none. */
export function overlapOf(index: VolumeIndex, one: IncidentScope, other: IncidentScope): number {
  const [ofOne, ofOther] = [candidatesOf(index, one), candidatesOf(index, other)]
  let both = 0
  for (const cell of ofOne.length <= ofOther.length ? ofOne : ofOther) {
    if (isInside(one, cell.place) && isInside(other, cell.place)) both += cell.units
  }
  const either = totalOf(index, one) + totalOf(index, other) - both
  return either > 0 ? both / either : 0
}
