import { createHash } from "node:crypto"
import { type Rung, RUNGS } from "#sdk/ladder.ts"
import {
  type Cause,
  CAUSES,
  type DetectedIncident,
  type Evidence,
  type IncidentKind,
  type IncidentScope,
  type IncidentState,
  type RankedCause,
  type Watched,
} from "./contract.ts"
import { type Step, restartRung } from "./detector.ts"
import { overlapOf, scopeOf, widthOf } from "./scope.ts"
import {
  bestAlternative,
  lastingEvidence,
  logEvidence,
  ratioOf,
  type Series,
  sinceOf,
  sumsOf,
} from "./series.ts"
import type { Fault } from "./telemetry.ts"
import { isBeyondLimit, LOSSES, SPECS } from "./watched.ts"

const HOUR = 3_600_000
const DAY = 24 * HOUR

/** What is kept of an incident between hours. */
export interface OpenIncident {
  incident: DetectedIncident
  /** Key of the series that opened it, and of the one that names its place. */
  primary: Series
  place: Series
  peak: number
  /** By hour: observed and expected of the primary since it began, for what it is now. */
  readonly snapshots: { at: number; observed: number; expected: number }[]
}

export interface Incidents {
  readonly open: OpenIncident[]
  /** Days of a rung that are no norm. */
  readonly broken: Map<Rung, Set<number>>
}

export function makeIncidents(): Incidents {
  return { open: [], broken: new Map(RUNGS.map((rung) => [rung, new Set()])) }
}

export const TUNING = {
  /** Evidence over the logarithm of the number of series. */
  bar: 9,
  /** What one supporting signal adds at most, and all together. */
  support: 8,
  allSupport: 12,
  supportFloor: 3,
  leastOwn: 4.5,
  developerPenalty: 2,
  lasting: 0.35,
  refineHours: 48,
  wider: 1.03,
  widerAdd: 1,
  recoveredEvidence: 6,
}

export function updateIncidents(
  step: Step,
  orgId: string,
  faults: readonly Fault[],
  isSilent: boolean,
): readonly DetectedIncident[] {
  const changed: DetectedIncident[] = [...reportFaults(step, orgId, faults)]
  if (isSilent) return changed
  const { state } = step
  const byRung = new Map<Rung, Series[]>(RUNGS.map((rung) => [rung, []]))
  let count = 0
  for (const series of state.series.values()) {
    count++
    if (series.now[bestAlternative(series)]! > 1) byRung.get(series.rung)!.push(series)
  }
  const bar = TUNING.bar + Math.log(Math.max(20, count))
  for (const rung of RUNGS) {
    const here = byRung.get(rung)!
    const open = state.incidents.open.find(({ incident }) => incident.rung === rung)
    if (open === undefined) {
      const found = findBreakage(step, rung, here, bar)
      if (found !== null) changed.push(openIncident(step, orgId, rung, here, found))
    } else {
      const next = follow(step, open, here)
      if (next !== null) changed.push(next)
    }
  }
  for (const { incident } of state.incidents.open) {
    const broken = state.incidents.broken.get(incident.rung)!
    for (let day = step.dayOf(incident.startedAt); day <= step.day; day++) broken.add(day)
  }
  return changed
}

interface Found {
  readonly series: Series
  readonly score: number
  readonly bar: number
  readonly support: readonly Series[]
}

const key = (series: Series) => `${series.watched}|${series.dimension}|${series.values.join("|")}`

/** The series with the most evidence over the bar, its own and that of other signals in overlapping places. */
function findBreakage(step: Step, rung: Rung, here: readonly Series[], bar: number): Found | null {
  const beyond = here
    .filter((series) => isBeyondLimit(series.watched, ratioOf(series)))
    .toSorted((a, b) => (key(a) < key(b) ? -1 : 1))
  let found: Found | null = null
  for (const series of beyond) {
    if (series.watched === "slow") continue
    const own = logEvidence(series)
    if (own < TUNING.leastOwn) continue
    if (own + TUNING.allSupport < bar) continue
    if (series.watched === "use" && hasClimbed(step, series)) continue
    if (lastingEvidence(series) < TUNING.lasting * own) continue
    const support = supportOf(step, rung, series, beyond)
    const penalty = series.dimension === "developer" ? TUNING.developerPenalty : 0
    const score = own + support.total - penalty
    if (score > bar && (found === null || score > found.score)) found = { series, score, bar, support: support.series }
  }
  return found
}

function supportOf(
  step: Step,
  rung: Rung,
  series: Series,
  beyond: readonly Series[],
): { readonly total: number; readonly series: readonly Series[] } {
  if (series.dimension === "developer") return { total: 0, series: [] }
  const best = new Map<Watched, { series: Series; evidence: number }>()
  const scope = scopeOf(series.dimension, series.values)
  for (const other of beyond) {
    if (other.watched === series.watched || other.dimension === "developer") continue
    // What is only slower or only less used says nothing about what people go through when it stands against it.
    const evidence = logEvidence(other) - TUNING.supportFloor
    if (evidence <= 0 || evidence <= (best.get(other.watched)?.evidence ?? 0)) continue
    if (lastingEvidence(other) < TUNING.lasting * logEvidence(other)) continue
    if (overlapOf(step.state.volumes, rung, scope, scopeOf(other.dimension, other.values)) < 0.3) continue
    best.set(other.watched, { series: other, evidence })
  }
  let total = 0
  for (const { evidence } of best.values()) total += Math.min(TUNING.support, evidence)
  return { total: Math.min(TUNING.allSupport, total), series: [...best.values()].map(({ series: of }) => of) }
}

/** Whether work went up the ladder in the same place since. */
function hasClimbed(step: Step, series: Series): boolean {
  const index = RUNGS.indexOf(series.rung)
  if (index > 1 || series.dimension === "developer") return false
  const from = Math.floor(sinceOf(series) / (12 * HOUR)) - 1
  let [units, expected] = [0, 0]
  for (const rung of RUNGS.slice(index + 1)) {
    for (const [of, list] of step.state.use) {
      const [ofRung, team] = of.split("|")
      if (ofRung !== rung) continue
      if (series.dimension.startsWith("team") && series.values[0] !== team) continue
      for (const half of list) {
        if (half.half < from) continue
        units += half.units
        expected += half.expected
      }
    }
  }
  return expected > 4 && units > 1.35 * expected
}

function uuidOf(...parts: readonly (string | number)[]): string {
  const hex = createHash("sha256").update(parts.join("|")).digest("hex")
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

function openIncident(step: Step, orgId: string, rung: Rung, here: readonly Series[], found: Found): DetectedIncident {
  const { series } = found
  const open: OpenIncident = {
    incident: {
      id: uuidOf(orgId, rung, step.until),
      kind: "breakage",
      rung,
      state: "open",
      openedAt: step.until,
      startedAt: sinceOf(series),
      startedFrom: sinceOf(series),
      startedTo: sinceOf(series),
      closedAt: null,
      reopened: 0,
      scope: scopeOf(series.dimension, series.values),
      cause: "unknown",
      causes: [],
      evidence: [],
      checks: [],
      changes: [],
      recoveredAfter: null,
      action: null,
      fallbackTo: null,
      people: 0,
      peopleAffected: 0,
      explained: null,
      confidence: confidenceOf(found),
      note: null,
    },
    primary: series,
    place: series,
    peak: series.now[bestAlternative(series)]!,
    snapshots: [],
  }
  step.state.incidents.open.push(open)
  explain(step, open, here)
  return open.incident
}

function confidenceOf(found: Found): number {
  const over = found.score - found.bar
  return Math.min(0.99, 1 / (1 + Math.exp(-(1.5 + 0.5 * over + 0.3 * found.support.length))))
}

/** Cause and place: the signal that moved most against its own usual spread, where the evidence for it is largest. */
function explain(step: Step, open: OpenIncident, here: readonly Series[]): void {
  const { primary } = open
  const strong = here.filter(
    (series) =>
      isBeyondLimit(series.watched, ratioOf(series)) && logEvidence(series) > 5 && series.dimension !== "developer",
  )
  if (primary.dimension === "developer") {
    open.incident = { ...open.incident, cause: SPECS[primary.watched].cause }
    return
  }
  const scope = scopeOf(primary.dimension, primary.values)
  const weights = new Map<Watched, number>()
  for (const series of strong) {
    const weight = weightOf(series)
    if (weight <= (weights.get(series.watched) ?? -Infinity)) continue
    if (overlapOf(step.state.volumes, primary.rung, scope, scopeOf(series.dimension, series.values)) < 0.25) continue
    weights.set(series.watched, weight)
  }
  const ranked = [...weights].toSorted(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))
  const leading = ranked[0]?.[0] ?? primary.watched
  const place = placeOf(strong.filter((series) => series.watched === leading)) ?? primary
  open.place = place
  open.incident = {
    ...open.incident,
    cause: SPECS[leading].cause,
    causes: rankCauses(ranked),
    scope: scopeOf(place.dimension, place.values),
    startedAt: sinceOf(place),
    action: actionOf(step, open.incident.rung, leading, sinceOf(place)),
  }
}

function weightOf(series: Series): number {
  const size = Math.abs(Math.log(Math.max(0.05, ratioOf(series)))) / SPECS[series.watched].spread
  const lateness = series.watched === "use" ? 3 : LOSSES.has(series.watched) ? 1 : 0
  return size + Math.min(2, logEvidence(series) / 20) - lateness
}

function rankCauses(ranked: readonly (readonly [Watched, number])[]): readonly RankedCause[] {
  const weights = new Map<Cause, number>()
  for (const [watched, weight] of ranked) {
    const { cause } = SPECS[watched]
    weights.set(cause, Math.max(weights.get(cause) ?? -Infinity, weight))
  }
  const total = [...weights.values()].reduce((sum, weight) => sum + Math.exp(weight), 0)
  return CAUSES.filter((cause) => weights.has(cause))
    .map((cause) => ({ cause, share: Math.exp(weights.get(cause)!) / total, reasons: [] }))
    .toSorted((a, b) => b.share - a.share)
}

/** Where the evidence is largest: too narrow a place misses some of it, too wide a one dilutes it. The wider on a near tie. */
function placeOf(candidates: readonly Series[]): Series | null {
  let top: Series | null = null
  const ordered = candidates.toSorted(
    (a, b) => widthOf(b.dimension) - widthOf(a.dimension) || (key(a) < key(b) ? -1 : 1),
  )
  for (const series of ordered) {
    const evidence = series.now[bestAlternative(series)]!
    const toBeat = top === null ? -1 : top.now[bestAlternative(top)]!
    const isWider = top !== null && widthOf(series.dimension) === widthOf(top.dimension)
    if (top === null || (isWider ? evidence > toBeat : evidence > toBeat * TUNING.wider + TUNING.widerAdd)) top = series
  }
  return top
}

function actionOf(step: Step, rung: Rung, watched: Watched, since: number): string | null {
  if (watched !== "wrong_path" && watched !== "errors") return null
  const counts = new Map<string, number>()
  let total = 0
  for (const [of, list] of step.state.actions) {
    const [ofRung, ofWatched, action = ""] = of.split("|")
    if (ofRung !== rung || ofWatched !== watched) continue
    for (const { hour, times } of list) {
      if ((hour + 1) * HOUR <= since) continue
      counts.set(action, (counts.get(action) ?? 0) + times)
      total += times
    }
  }
  const top = [...counts].toSorted(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))[0]
  return top !== undefined && top[1] > 0.6 * total ? top[0] : null
}

function follow(step: Step, open: OpenIncident, here: readonly Series[]): DetectedIncident | null {
  const before = open.incident
  const { primary } = open
  if (step.until - before.openedAt <= TUNING.refineHours * HOUR) explain(step, open, here)
  const best = bestAlternative(primary)
  const evidence = primary.now[best]!
  open.peak = Math.max(open.peak, evidence)
  const sums = sumsOf(primary)
  open.snapshots.push({ at: step.until, observed: sums.observed, expected: sums.expected })
  const old = open.snapshots.find(({ at }) => at >= step.until - 2 * DAY)
  if (old !== undefined) open.snapshots.splice(0, open.snapshots.indexOf(old))
  const expected = sums.expected - (old?.expected ?? 0)
  const recent = expected > 0 ? (sums.observed - (old?.observed ?? 0)) / expected : 1
  if (evidence === 0 || (open.peak - evidence > TUNING.recoveredEvidence && !isBeyondLimit(primary.watched, recent))) {
    open.incident = { ...open.incident, state: "recovered", closedAt: step.until }
    step.state.incidents.open.splice(step.state.incidents.open.indexOf(open), 1)
    restartRung(step.state, before.rung)
  }
  return open.incident === before ? null : open.incident
}

const FAULT_NOTES: Record<Fault["fault"], string> = {
  stopped: "telemetry_stopped",
  rung_stopped: "rung_stopped",
  late: "telemetry_late",
  duplicates: "duplicates",
}

/** Each fault once while it lasts: a day without it, and it is a new one. */
function reportFaults(step: Step, orgId: string, faults: readonly Fault[]): readonly DetectedIncident[] {
  const { seen } = step.state.telemetry
  const reports: DetectedIncident[] = []
  for (const { fault, rung, figure } of faults) {
    const last = seen.get(fault)
    seen.set(fault, step.until)
    if (last !== undefined && step.until - last <= DAY) continue
    reports.push({
      id: uuidOf(orgId, fault, step.until),
      kind: "data_quality" satisfies IncidentKind,
      rung: rung ?? "autocomplete",
      state: "recovered" satisfies IncidentState,
      openedAt: step.until,
      startedAt: step.until,
      startedFrom: step.until,
      startedTo: step.until,
      closedAt: step.until,
      reopened: 0,
      scope: {} satisfies IncidentScope,
      cause: "unknown",
      causes: [],
      evidence: [] satisfies Evidence[],
      checks: [{ check: "telemetry_stopped", result: "found", figure }],
      changes: [],
      recoveredAfter: null,
      action: null,
      fallbackTo: null,
      people: 0,
      peopleAffected: 0,
      explained: null,
      confidence: 0.9,
      note: FAULT_NOTES[fault],
    })
  }
  return reports
}
