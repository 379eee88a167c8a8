import { type Rung, RUNGS } from "#sdk/ladder.ts"
import { latencyBucketOf } from "../rollup/histogram.ts"
import type { Arrivals, DetectedIncident, OperationPart, Roster, SuggestionCell, Watched } from "./contract.ts"
import { acceptIncident, forgetClosed, updateIncidents } from "./incidents.ts"
import {
  editsGroup,
  forgetBefore,
  fromLogit,
  isWeekend,
  makeReference,
  doubtOfStranger,
  type Person,
  type Reference,
  remember,
  rememberLatency,
  slowBoundOf,
} from "./reference.ts"
import { markOf } from "./people.ts"
import { addVolume, fadeVolumes, placesOf, type UnitPlace } from "./scope.ts"
import { SETTINGS } from "./settings.ts"
import { addCount, addShare, isForgotten, restart, type Series, settle, shareOf, type Whose } from "./series.ts"
import { type DetectorState, NEW_DAYS, type Step } from "./state.ts"
import { checkTelemetry, noteUse } from "./telemetry.ts"
import { isTaskRung } from "./watched.ts"

const HOUR = 3_600_000
const DAY = 24 * HOUR

/** Days before anything can be expected, and before anything is said. */
const LEARNING_DAYS = 8
export const SILENT_DAYS = 12
/** An operation is judged this long after its end, as its last signals may come a little later. */
const SETTLING_MS = 10 * 60_000
/** An operation without an end is over when nothing was heard of it for so long. */
const IDLE_MS = 12 * HOUR

/**
 * Takes what arrived in one hour, changes the state, and returns the incidents that are new or changed. To be called for
 * each hour once and in order, also when nothing arrived. The same arrivals give the same incidents: no clock is read, and
 * the order within an hour does not matter.
 */
export function observe(
  state: DetectorState,
  arrivals: Arrivals,
  roster: Roster,
  orgId: string,
): readonly DetectedIncident[] {
  const step = makeStep(state, arrivals, roster)
  if (state.firstDay < 0) state.firstDay = step.day
  if (step.day !== state.today) startDay(state, step.day)
  for (const id of arrivals.accepted) acceptIncident(state, id)
  state.changes.push(...arrivals.changes)
  for (const { developer, hour } of arrivals.presence) markActive(step, developer, hour)
  for (const cell of arrivals.suggestions) takeSuggestions(step, cell)
  for (const part of arrivals.operations) takeOperation(step, part)
  judgeOperations(step)
  const faults = [...checkTelemetry(state.telemetry, step, arrivals)]
  judgeUse(step)
  for (const rung of state.telemetry.newlyQuiet.splice(0)) {
    faults.push({ fault: "rung_stopped", rung, figure: state.telemetry.missing.get(rung) ?? 0 })
  }
  for (const series of state.series) settle(series, arrivals.until)
  const isSilent = state.reference === null || step.day - state.firstDay < SILENT_DAYS
  return updateIncidents(step, orgId, faults, isSilent)
}

/** Stands for people who are in no team. */
const NO_TEAM = "-"

function makeStep(state: DetectorState, arrivals: Arrivals, roster: Roster): Step {
  const teams = new Map(roster.teams.map((team) => [team.id, team.offsetMinutes]))
  const offsets = roster.teams.map((team) => team.offsetMinutes(arrivals.until)).toSorted((a, b) => a - b)
  const median = offsets[offsets.length >> 1] ?? 0
  const dayOf = (at: number) => Math.floor((at + median * 60_000) / DAY)
  return {
    state,
    roster,
    until: arrivals.until,
    found: new Map(),
    dayOf,
    day: dayOf(arrivals.until - 1),
    isNewDay: dayOf(arrivals.until - 1) !== state.today,
    localDayOf(team, at) {
      const local = at + (teams.get(team)?.(at) ?? median) * 60_000
      const day = Math.floor(local / DAY)
      return { day, hour: (local - day * DAY) / HOUR }
    },
    teamOf(developer, at) {
      const memberships = roster.memberships.get(developer)
      if (memberships === undefined) return NO_TEAM
      for (const { team, from, to } of memberships.toReversed()) {
        if (from <= at && (to === null || at < to)) return team
      }
      return NO_TEAM
    },
  }
}

function startDay(state: DetectorState, day: number): void {
  state.today = day
  forgetBefore(state.history, day)
  const recent = day - 28
  state.series.deleteAll((series) => isForgotten(series, recent))
  for (const [id, on] of state.judged) if (on < day - 3) state.judged.delete(id)
  fadeVolumes(state.volumes)
  forgetClosed(state, day)
  for (const [key, list] of state.use) {
    const kept = list.filter(({ half }) => half >= 2 * (day - 28))
    if (kept.length === 0) state.use.delete(key)
    else state.use.set(key, kept)
  }
  for (const [key, list] of state.actions) {
    const kept = list.filter(({ hour }) => hour * HOUR >= (day - 14) * DAY)
    if (kept.length === 0) state.actions.delete(key)
    else state.actions.set(key, kept)
  }
  state.changes.splice(0, state.changes.length, ...state.changes.filter(({ at }) => at >= (day - 21) * DAY))
  if (day - state.firstDay < LEARNING_DAYS) return
  // Not beside the one before, which is as large.
  state.reference = null
  state.reference = makeReference(state.history, day, (rung, of) => state.incidents.broken.get(rung)?.has(of) ?? false)
}

function personOf(step: Step, developer: string, at: number): Person {
  const { people } = step.state.history
  let person = people.get(developer)
  if (person === undefined) {
    person = { first: step.dayOf(at), halves: new Map(), last: RUNGS.map(() => null) }
    people.set(developer, person)
  }
  return person
}

/** Units by rung in the half of the local day that an instant lies in. */
function halfOf(step: Step, developer: string, team: string, at: number): number[] {
  const { day, hour } = step.localDayOf(team, at)
  const half = 2 * day + (hour < 13 ? 0 : 1)
  const { halves } = personOf(step, developer, at)
  let units = halves.get(half)
  if (units === undefined) halves.set(half, (units = RUNGS.map(() => 0)))
  return units
}

function markActive(step: Step, developer: string, hour: number): void {
  if (developer === step.roster.unattributed) return
  halfOf(step, developer, step.teamOf(developer, hour), hour)
}

function isNew(step: Step, developer: string, at: number): boolean {
  return step.dayOf(at) - personOf(step, developer, at).first < NEW_DAYS
}

/** The series of one signal in all places of a unit. They are looked up once an hour: most units share their places. */
function seriesOf(step: Step, rung: Rung, watched: Watched, place: UnitPlace): readonly Series[] {
  const key = `${rung}|${watched}|${place.team}|${place.client}|${place.model}|${place.language}|${place.mode}`
  let found = step.found.get(key)
  if (found === undefined) {
    found = placesOf(place).map(({ dimension, values }) =>
      step.state.series.getOrMake(rung, watched, dimension, values),
    )
    step.found.set(key, found)
  }
  return found
}

function numberOf({ numbers }: DetectorState, name: string): number {
  let number = numbers.get(name)
  if (number === undefined) numbers.set(name, (number = numbers.size))
  return number
}

function noteFirst(step: Step, rung: Rung, place: UnitPlace): void {
  const { firstSeen } = step.state
  for (const key of [`${rung}|client|${place.client}`, `${rung}|model|${place.model}`]) {
    if (!firstSeen.has(key)) firstSeen.set(key, step.day)
  }
}

function whose(step: Step, rung: Rung, watched: Watched, place: UnitPlace): Whose {
  const { developer, team } = place
  const isOfPerson = watched !== "slow" && watched !== "context"
  const known = step.state.reference?.habits.get(`${rung}|${watched}|${developer}`)?.doubt
  return {
    day: step.day,
    person: numberOf(step.state, developer),
    team: numberOf(step.state, team),
    mark: markOf(developer),
    doubt: isOfPerson ? (known ?? doubtOfStranger()) : 0,
  }
}

function addShareEverywhere(
  step: Step,
  rung: Rung,
  watched: Watched,
  place: UnitPlace,
  units: number,
  taken: number,
  expected: number,
): void {
  const at = whose(step, rung, watched, place)
  const of = shareOf(watched, units, taken, expected)
  for (const series of seriesOf(step, rung, watched, place)) addShare(series, at, of)
}

function addCountEverywhere(
  step: Step,
  rung: Rung,
  watched: Watched,
  place: UnitPlace,
  count: number,
  expected: number,
): void {
  const at = whose(step, rung, watched, place)
  for (const series of seriesOf(step, rung, watched, place)) addCount(series, at, count, expected)
}

/** Remembers units of a share, and holds them against what was expected of them. */
function judgeShare(
  step: Step,
  of: { rung: Rung; watched: Watched; group: string; place: UnitPlace; at: number },
  units: number,
  taken: number,
): void {
  const { rung, watched, group, place, at } = of
  const { developer } = place
  remember(step.state.history, `${rung}|${watched}|${group}|${developer}`, step.dayOf(at), units, taken)
  const { reference } = step.state
  const rate = reference?.rates.get(`${rung}|${watched}|${group}`)
  if (rate === undefined || isNew(step, developer, at)) return
  const offset = reference?.habits.get(`${rung}|${watched}|${developer}`)?.offset ?? null
  // Who takes how much differs too much to judge somebody by what others do.
  if (offset === null && watched === "acceptance") return
  addShareEverywhere(step, rung, watched, place, units, taken, clampShare(fromLogit(rate + (offset ?? 0))))
}

const clampShare = (share: number) => Math.min(0.98, Math.max(0.02, share))

function judgeCount(
  step: Step,
  of: { rung: Rung; watched: Watched; place: UnitPlace; at: number },
  count: number,
): void {
  const { rung, watched, place, at } = of
  const { developer } = place
  remember(step.state.history, `${rung}|${watched}||${developer}`, step.dayOf(at), 1, count)
  const { reference } = step.state
  const rate = reference?.rates.get(`${rung}|${watched}|`)
  if (rate === undefined || isNew(step, developer, at)) return
  const offset = watched === "context" ? 0 : (reference?.habits.get(`${rung}|${watched}|${developer}`)?.offset ?? 0)
  addCountEverywhere(step, rung, watched, place, count, Math.max(0.02, rate * Math.exp(offset)))
}

function judgeLatency(
  step: Step,
  rung: Rung,
  place: UnitPlace,
  at: number,
  buckets: readonly number[],
  counts: readonly number[],
): void {
  const day = step.dayOf(at)
  const key = `${rung}|${place.team}|${place.model ?? ""}`
  for (const [index, bucket] of buckets.entries()) {
    rememberLatency(step.state.history, key, day, bucket, counts[index]!)
  }
  const { reference } = step.state
  if (reference === null || isNew(step, place.developer, at)) return
  const bound = slowBoundOf(reference, rung, place.team, place.model)
  if (bound === undefined) return
  let units = 0
  let slow = 0
  for (const [index, bucket] of buckets.entries()) {
    units += counts[index]!
    if (bucket >= bound.bucket) slow += counts[index]!
  }
  if (units > 0) addShareEverywhere(step, rung, "slow", place, units, slow, clampShare(bound.share))
}

function takeSuggestions(step: Step, cell: SuggestionCell): void {
  const team = step.teamOf(cell.developer, cell.hour)
  const place: UnitPlace = { ...cell, team }
  const rung = "autocomplete"
  addVolume(step.state.volumes, rung, place, cell.units)
  noteFirst(step, rung, place)
  if (cell.developer !== step.roster.unattributed) {
    halfOf(step, cell.developer, team, cell.hour)[0]! += cell.units
    setLast(step, cell.developer, 0, cell.hour, place)
  }
  const of = { rung, watched: "acceptance", group: cell.language ?? "", place, at: cell.hour } as const
  if (cell.presented > 0) judgeShare(step, of, cell.presented, cell.accepted)
  judgeLatency(step, rung, place, cell.hour, cell.latencyBuckets, cell.latencyCounts)
}

function setLast(step: Step, developer: string, rung: number, at: number, place: UnitPlace): void {
  const { client, model, language, mode } = place
  personOf(step, developer, at).last[rung] = { client, model, language, mode }
}

function takeOperation(step: Step, part: OperationPart): void {
  const { state } = step
  const at = part.firstAt ?? part.lastAt ?? step.until
  const team = step.teamOf(part.developer, at)
  const place: UnitPlace = {
    developer: part.developer,
    client: part.client,
    model: part.model,
    language: part.language,
    mode: part.mode,
    team,
  }
  if (part.outcome !== null) judgeOutcome(step, part, place)
  if (part.firstAt === null || part.lastAt === null) return
  const id = part.parent ?? part.operation
  if (state.judged.has(id)) return
  const known = state.operations.get(id)
  if (known === undefined) {
    const { rung } = part
    const isOwn = part.parent === null
    if (isOwn) {
      addVolume(state.volumes, rung, place, 1)
      noteFirst(step, rung, place)
      if (part.developer !== step.roster.unattributed) {
        const index = RUNGS.indexOf(rung)
        halfOf(step, part.developer, team, part.firstAt)[index]! += 1
        setLast(step, part.developer, index, part.firstAt, place)
      }
    }
    if (part.contextFiles !== null) judgeCount(step, { rung, watched: "context", place, at }, part.contextFiles)
    state.operations.set(id, {
      rung,
      place,
      lastAt: part.lastAt,
      endedAt: part.hasEnded ? step.until : null,
      prompts: part.prompts,
      errors: part.errors,
      edits: part.edits,
      outOfScope: part.outOfScope,
      toolCalls: part.toolCalls,
      presented: part.presented,
      accepted: part.accepted,
    })
  } else {
    known.lastAt = Math.max(known.lastAt, part.lastAt)
    if (part.hasEnded && part.parent === null) known.endedAt ??= step.until
    known.prompts += part.prompts
    known.errors += part.errors
    known.edits += part.edits
    known.outOfScope += part.outOfScope
    known.toolCalls += part.toolCalls
    known.presented += part.presented
    known.accepted += part.accepted
  }
  const rung = known?.rung ?? part.rung
  if (part.hasEnded && part.latencyMs !== null && part.parent === null) {
    judgeLatency(step, rung, place, at, [latencyBucketOf(part.latencyMs)], [1])
  }
  const hour = Math.floor(step.until / HOUR)
  for (const [watched, actions] of [
    ["wrong_path", part.outOfScopeActions],
    ["errors", part.errorActions],
  ] as const) {
    for (const action of actions) countAction(state, `${rung}|${watched}|${action}`, hour)
  }
}

function countAction(state: DetectorState, key: string, hour: number): void {
  const list = state.actions.get(key) ?? []
  state.actions.set(key, list)
  const last = list.at(-1)
  if (last?.hour === hour) last.times++
  else list.push({ hour, times: 1 })
}

function judgeOutcome(step: Step, part: OperationPart, place: UnitPlace): void {
  const { rung, outcome } = part
  const at = step.until
  // What was merged and is taken back was no success after all.
  const [units, taken] = outcome === "reverted" ? [0, -1] : [1, outcome === "merged" ? 1 : 0]
  judgeShare(step, { rung, watched: "outcome", group: "", place, at }, units, taken)
}

/** Operations that are over are judged once, in the order of their ids. */
function judgeOperations(step: Step): void {
  const { state, until } = step
  const over = [...state.operations]
    .filter(([, operation]) =>
      operation.endedAt === null ? operation.lastAt < until - IDLE_MS : operation.lastAt <= until - SETTLING_MS,
    )
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
  for (const [id, operation] of over) {
    state.operations.delete(id)
    state.judged.set(id, step.day)
    const { rung, place, lastAt: at } = operation
    if (operation.presented > 0) {
      const group = place.language ?? ""
      const of = { rung, watched: "acceptance", group, place, at } as const
      judgeShare(step, of, operation.presented, operation.accepted)
    }
    if (!isTaskRung(rung)) continue
    remember(state.history, `${rung}|calls||${place.developer}`, step.dayOf(at), 1, operation.toolCalls)
    judgeCount(step, { rung, watched: "prompts", place, at }, operation.prompts)
    judgeCount(step, { rung, watched: "errors", place, at }, operation.errors)
    if (operation.edits > 0) {
      const of = { rung, watched: "wrong_path", group: editsGroup(operation.edits), place, at } as const
      judgeShare(step, of, 1, operation.outOfScope > 0 ? 1 : 0)
    }
  }
}

/** Local hours at which the halves of a day are over, delivery included. */
const HALF_ENDS = [14, 21]
/** Units that are expected before everybody at zero at once means an exporter and no distrust. */
const QUIET_PAUSE_MS = 16 * HOUR
/** Of how busy an organization is, as much as is known before it is looked at. */
const ACTIVITY_PRIOR = 12
const AUTOCOMPLETE_WEIGHT = 0.25

/**
 * Units of a rung per half day of work of each person, held against what that person used to do, once the half is over.
 * Who was not at work adds nothing.
 */
function judgeUse(step: Step): void {
  const { state } = step
  const { reference, telemetry } = state
  const halves: Half[] = []
  for (const team of teamsOf(step)) {
    const { day, hour } = step.localDayOf(team, step.until)
    for (const which of [0, 1]) {
      const key = `${team}|${which}`
      if (isWeekend(day) || hour < HALF_ENDS[which]! || state.judgedHalves.get(key) === day) continue
      state.judgedHalves.set(key, day)
      if (reference !== null && telemetry.lateUntil <= step.until)
        halves.push(takeHalf(step, reference, team, day, which))
    }
  }
  for (const [index, rung] of RUNGS.entries()) {
    const people = halves.flatMap((half) => half.people[index]!)
    if (people.length === 0) continue
    // Over all teams: an exporter that stops does so for all of them.
    if (noteUse(telemetry, rung, sumOf(people, "units"), sumOf(people, "expected"), step.until)) {
      for (const series of state.series) if (series.rung === rung && series.watched === "use") restart(series)
    }
    const quietSince = telemetry.quiet.get(rung)
    if (quietSince !== undefined && step.until - quietSince < QUIET_PAUSE_MS) continue
    for (const half of halves) addHalf(step, half, rung, index)
  }
}

/** One half of a day of one team: what each person did and was expected to do, by rung. */
interface Half {
  readonly team: string
  readonly half: number
  readonly people: readonly (readonly Expected[])[]
}

function sumOf(people: readonly Expected[], field: "units" | "expected"): number {
  return people.reduce((sum, person) => sum + person[field], 0)
}

function teamsOf(step: Step): readonly string[] {
  const teams = new Set(step.roster.teams.map(({ id }) => id))
  for (const developer of step.state.history.people.keys()) {
    if (step.teamOf(developer, step.until) === NO_TEAM) teams.add(NO_TEAM)
  }
  return [...teams].toSorted()
}

interface Expected {
  readonly developer: string
  readonly person: Person
  readonly units: number
  readonly expected: number
}

function takeHalf(step: Step, reference: Reference, team: string, day: number, which: number): Half {
  const half = 2 * day + which
  const factors = activityOf(step, reference, half, which)
  const people: Expected[][] = RUNGS.map(() => [])
  for (const [developer, person] of step.state.history.people) {
    const inHalf = person.halves.get(half)
    if (inHalf === undefined || day - person.first < NEW_DAYS || step.teamOf(developer, step.until) !== team) continue
    for (const [index, rung] of RUNGS.entries()) {
      const usual = reference.use.get(`${rung}|${developer}|${which}`)
      if (usual === undefined) continue
      people[index]!.push({ developer, person, units: inHalf[index]!, expected: usual * factors[index]! })
    }
  }
  return { team, half, people }
}

function addHalf(step: Step, { team, half, people }: Half, rung: Rung, index: number): void {
  const ofRung = people[index]!
  if (ofRung.length === 0) return
  const list = step.state.use.get(`${rung}|${team}`) ?? []
  step.state.use.set(`${rung}|${team}`, list)
  list.push({ half, units: sumOf(ofRung, "units"), expected: sumOf(ofRung, "expected") })
  for (const of of ofRung) addUse(step, rung, index, team, of)
}

function addUse(step: Step, rung: Rung, index: number, team: string, of: Expected): void {
  const { developer, person, units, expected } = of
  if (expected < 0.05) return
  const at = {
    day: step.day,
    person: numberOf(step.state, developer),
    team: numberOf(step.state, team),
    mark: markOf(developer),
    doubt: 0,
  }
  const last = person.last[index]
  const places: [string, string[]][] = [
    ["", []],
    ["team", [team]],
  ]
  if (last) {
    places.push(["client", [last.client]], ["team+client", [team, last.client]])
    if (last.model !== null) places.push(["model", [last.model]])
  }
  if (rung !== "autocomplete" && expected >= 0.5) places.push(["developer", [developer]])
  for (const [dimension, values] of places) {
    addCount(step.state.series.getOrMake(rung, "use", dimension, values), at, units, expected)
  }
}

/**
 * How busy the organization was in a half day, by rung, judged from the other rungs: a slow week is no distrust of one of
 * them. 0.4 to 1.
 */
function activityOf(step: Step, reference: Reference, half: number, which: number): readonly number[] {
  const units = RUNGS.map(() => 0)
  const expected = RUNGS.map(() => 0)
  for (const [developer, person] of step.state.history.people) {
    const inHalf = person.halves.get(half)
    if (inHalf === undefined || (half >> 1) - person.first < NEW_DAYS) continue
    for (const [index, rung] of RUNGS.entries()) {
      const usual = reference.use.get(`${rung}|${developer}|${which}`)
      if (usual === undefined) continue
      const weight = rung === "autocomplete" ? AUTOCOMPLETE_WEIGHT : 1
      units[index]! += weight * inHalf[index]!
      expected[index]! += weight * usual
    }
  }
  return RUNGS.map((_, of) => {
    let x = ACTIVITY_PRIOR
    let m = ACTIVITY_PRIOR
    for (const [index] of RUNGS.entries()) {
      if (index === of) continue
      x += units[index]!
      m += expected[index]!
    }
    return Math.min(1, Math.max(SETTINGS.leastActivity, x / m))
  })
}
