import { type Rung, RUNGS } from "#sdk/ladder.ts"
import type { DetectedIncident, Roster } from "./contract.ts"
import { type History, makeHistory, type Reference } from "./reference.ts"
import { makeVolumes, type UnitPlace, type Volumes } from "./scope.ts"
import { AllSeries } from "./all-series.ts"
import { restart, type Series } from "./series.ts"
import { makeTelemetry, type Telemetry } from "./telemetry.ts"

/** An operation at work, or just done. */
export interface OpenOperation {
  readonly rung: Rung
  readonly place: UnitPlace
  lastAt: number
  endedAt: number | null
  prompts: number
  errors: number
  edits: number
  outOfScope: number
  toolCalls: number
  presented: number
  accepted: number
}

/** Everything that the detector knows of one organization. Plain data, so that it can be written down between steps. */
export interface DetectorState {
  firstDay: number
  today: number
  reference: Reference | null
  readonly history: History
  readonly series: AllSeries
  /** Of each person and team that ever added to one. */
  readonly numbers: Map<string, number>
  readonly operations: Map<string, OpenOperation>
  /** Operations that were judged, and on which day: what still comes of them is too late. */
  readonly judged: Map<string, number>
  readonly volumes: Volumes
  readonly telemetry: Telemetry
  readonly incidents: Incidents
  /** `team|half` of a local day that use was judged for: `2 * day + half`. */
  readonly judgedHalves: Map<string, number>
  /** By `rung|team`: half, units and expected units, of the last weeks. */
  readonly use: Map<string, { half: number; units: number; expected: number }[]>
  /** What went wrong by which tool: `rung|watched|action`, hour and times. */
  readonly actions: Map<string, { hour: number; times: number }[]>
  readonly changes: { kind: string; subject: string; at: number }[]
  /** The first day of each `rung|client|…` and `rung|model|…`. */
  readonly firstSeen: Map<string, number>
}

export function startDetector(): DetectorState {
  return {
    firstDay: -1,
    today: -1,
    reference: null,
    history: makeHistory(),
    series: new AllSeries(),
    numbers: new Map(),
    operations: new Map(),
    judged: new Map(),
    volumes: makeVolumes(),
    telemetry: makeTelemetry(),
    incidents: makeIncidents(),
    judgedHalves: new Map(),
    use: new Map(),
    actions: new Map(),
    changes: [],
    firstSeen: new Map(),
  }
}

/** Calendar days before a person's work is judged. */
export const NEW_DAYS = 9

/** Units of these rungs and those expected of them, in a team or in all, from a half of a day on (`2 * day + half`). */
export function sumUse(
  state: DetectorState,
  rungs: readonly Rung[],
  team: string | undefined,
  fromHalf: number,
): { readonly units: number; readonly expected: number } {
  let [units, expected] = [0, 0]
  for (const [key, halves] of state.use) {
    const [rung, ofTeam] = key.split("|")
    if (!rungs.includes(rung as Rung) || (team !== undefined && team !== ofTeam)) continue
    for (const of of halves) {
      if (of.half < fromHalf) continue
      units += of.units
      expected += of.expected
    }
  }
  return { units, expected }
}

/** One hour of one organization. */
export interface Step {
  readonly state: DetectorState
  readonly roster: Roster
  readonly until: number
  /** Of the organization: the days of its median team. */
  readonly day: number
  /** Whether it is the first hour of that day. */
  readonly isNewDay: boolean
  readonly dayOf: (at: number) => number
  readonly localDayOf: (team: string, at: number) => { readonly day: number; readonly hour: number }
  readonly teamOf: (developer: string, at: number) => string
  /** Series by place, once looked up. */
  readonly found: Map<string, readonly Series[]>
}

/** After an incident nothing of it counts as evidence any more. */
export function restartRung(state: DetectorState, rung: Rung): void {
  for (const series of state.series) if (series.rung === rung) restart(series)
}

/** What is kept of an incident between hours. */
export interface OpenIncident {
  incident: DetectedIncident
  /** Key of the series that opened it, and of the one that names its place. */
  primary: Series
  place: Series
  /** The most evidence that the series of its cause had. */
  peak: number
  /** The incident of another rung that this is a part of. It is not reported by itself. */
  mergedInto: string | null
}

export interface Incidents {
  readonly open: OpenIncident[]
  /** Closed a few days ago at most: they may come back. */
  readonly closed: OpenIncident[]
  /** Days of a rung that are no norm. */
  readonly broken: Map<Rung, Set<number>>
}

export function makeIncidents(): Incidents {
  return { open: [], closed: [], broken: new Map(RUNGS.map((rung) => [rung, new Set()])) }
}
