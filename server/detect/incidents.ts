import { createHash } from "node:crypto"
import { type Rung, RUNGS } from "#sdk/ladder.ts"
import {
  type Change,
  type Cause,
  CAUSES,
  type DetectedIncident,
  type Evidence,
  type FaultNote,
  type IncidentKind,
  type IncidentScope,
  type IncidentState,
  type RankedCause,
  type Reason,
  type Watched,
} from "./contract.ts"
import { type DetectorState, type OpenIncident, restartRung, type Step, sumUse } from "./state.ts"
import { explainIncident, exposureOf, fitsPlace, isMoreAutonomous } from "./explain.ts"
import { indexVolumes, overlapOf, scopeOf, type VolumeIndex, widthOf } from "./scope.ts"
import { SETTINGS } from "./settings.ts"
import {
  bestOf,
  lastDayOf,
  lastingEvidence,
  logEvidence,
  ratioOf,
  type Series,
  sinceOf,
  sincesOf,
  sumsBetween,
} from "./series.ts"
import type { Fault } from "./telemetry.ts"
import { isBeyondLimit, isTaskRung, LOSSES, SPECS } from "./watched.ts"

const HOUR = 3_600_000
const DAY = 24 * HOUR

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
  for (const series of state.series) {
    if (!series.dimension.includes("+")) count++
    if (bestOf(series) > 1) byRung.get(series.rung)!.push(series)
  }
  const bar = SETTINGS.bar + Math.log(Math.max(20, count))
  for (const rung of RUNGS) {
    const here = byRung.get(rung)!
    const open = state.incidents.open.find(({ incident }) => incident.rung === rung)
    if (open === undefined) {
      const found = findBreakage(step, rung, here, bar)
      if (found !== null) {
        const opened = openIncident(step, orgId, rung, here, found)
        const same = sameAtOtherRung(step, opened)
        if (same === null) changed.push(opened.incident)
        else {
          opened.mergedInto = same.incident.id
          same.incident = { ...same.incident, alsoRungs: [...same.incident.alsoRungs, rung] }
          changed.push(same.incident)
        }
      }
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

/** What is looked at when a breakage is looked for at one rung. */
interface Search {
  readonly step: Step
  readonly rung: Rung
  readonly bar: number
  /** Of each signal what stands out in a place of its own, the most first. */
  readonly supporting: ReadonlyMap<Watched, readonly { readonly series: Series; readonly evidence: number }[]>
  /** Made when it is first asked for. */
  readonly volumes: () => VolumeIndex
}

/** The series with the most evidence over the bar, its own and that of other signals in overlapping places. */
function findBreakage(step: Step, rung: Rung, here: readonly Series[], bar: number): Found | null {
  const search = makeSearch(step, rung, here, bar)
  const isSlow = (search.supporting.get("slow")?.[0]?.evidence ?? 0) >= bar
  let found: Found | null = null
  for (const series of here) {
    const { watched } = series
    if (watched === "slow") continue
    const own = logEvidence(series)
    if (own < (isSlow && LOSSES.has(watched) ? SETTINGS.lossFloor : SETTINGS.leastOwn)) continue
    const next = judge(search, series, own)
    if (next === null) continue
    const isMore = found === null || next.score - next.bar > found.score - found.bar
    const isSame = found !== null && next.score - next.bar === found.score - found.bar
    if (isMore || (isSame && found !== null && next.series.key < found.series.key)) found = next
  }
  return found
}

function makeSearch(step: Step, rung: Rung, here: readonly Series[], bar: number): Search {
  const supporting = new Map<Watched, { series: Series; evidence: number }[]>()
  for (const series of here) {
    if (series.dimension === "developer" || series.dimension.includes("+")) continue
    const evidence = logEvidence(series)
    if (evidence < SETTINGS.lossFloor || !lasts(series, evidence)) continue
    if (!isBeyondLimit(series.watched, ratioOf(series), SETTINGS.softLimit)) continue
    const list = supporting.get(series.watched) ?? []
    supporting.set(series.watched, list)
    list.push({ series, evidence })
  }
  for (const list of supporting.values()) {
    list.sort((a, b) => b.evidence - a.evidence || (a.series.key < b.series.key ? -1 : 1))
  }
  let index: VolumeIndex | null = null
  return { step, rung, bar, supporting, volumes: () => (index ??= indexVolumes(step.state.volumes, rung)) }
}

function lasts(series: Series, evidence: number): boolean {
  return lastingEvidence(series) >= SETTINGS.lasting * evidence
}

/** Whether a series opens an incident, with what speaks for it. */
function judge(search: Search, series: Series, own: number): Found | null {
  const { step, bar } = search
  const { watched, dimension } = series
  const ratio = ratioOf(series)
  const isOfPerson = dimension === "developer"
  if (!isBeyondLimit(watched, ratio) || (isOfPerson && ratio > SETTINGS.developerLimit) || !lasts(series, own))
    return null
  const isNew = isFresh(step, series)
  const penalty = isOfPerson ? SETTINGS.developerPenalty : dimension.includes("+") ? SETTINGS.pairPenalty : 0
  const needed = bar + penalty - (isNew ? SETTINGS.freshBonus : 0)
  const known = knownCause(search, series)
  if (known === null) {
    if (own < SETTINGS.leastOwn || own + SETTINGS.allSupport <= needed) return null
    if (!isNew && watched === "acceptance" && ratio > SETTINGS.wanderLimit) return null
  }
  if (watched === "use" && hasClimbed(step, series)) return null
  const support = supportOf(search, series)
  const score = own + Math.max(support.total, known === null ? 0 : needed - SETTINGS.leastLoss + support.losses)
  if (score <= needed) return null
  return { series, score, bar: needed, support: known === null ? support.series : [known, ...support.series] }
}

function isFresh(step: Step, series: Series): boolean {
  const names = series.dimension.split("+")
  return names.some((name, index) => {
    if (name !== "client" && name !== "model") return false
    const first = step.state.firstSeen.get(`${series.rung}|${name}|${series.values[index]}`)
    return first !== undefined && first > step.state.firstDay + 3 && step.day - first <= SETTINGS.freshDays
  })
}

/** How many places of one signal are looked at, the ones that stand out most first. */
const PLACES_LOOKED_AT = 40

/**
 * Slowness over the bar in the same place, since shortly before the loss: then little of a loss says the rest, as most
 * people mind.
 */
function knownCause(search: Search, series: Series): Series | null {
  if (!LOSSES.has(series.watched) || series.dimension === "developer") return null
  const scope = scopeOf(series.dimension, series.values)
  for (const { series: slow, evidence } of search.supporting.get("slow")?.slice(0, PLACES_LOOKED_AT) ?? []) {
    if (evidence < search.bar) break
    if (ratioOf(slow) < SETTINGS.slowEnough) continue
    const after = sinceOf(series) - sinceOf(slow)
    if (after < -12 * HOUR || after > 12 * DAY) continue
    if (overlapOf(search.volumes(), scope, scopeOf(slow.dimension, slow.values)) >= 0.3) return slow
  }
  return null
}

function supportOf(
  search: Search,
  series: Series,
): { readonly total: number; readonly losses: number; readonly series: readonly Series[] } {
  if (series.dimension === "developer") return { total: 0, losses: 0, series: [] }
  const scope = scopeOf(series.dimension, series.values)
  const supporting: Series[] = []
  let [total, losses] = [0, 0]
  for (const [watched, list] of search.supporting) {
    if (watched === series.watched) continue
    const isLoss = LOSSES.has(watched)
    for (const { series: other, evidence } of list.slice(0, PLACES_LOOKED_AT)) {
      if (evidence <= (isLoss ? SETTINGS.lossFloor : SETTINGS.supportFloor)) break
      const place = scopeOf(other.dimension, other.values)
      if (overlapOf(search.volumes(), scope, place) < SETTINGS.supportOverlap) continue
      if (watched === "use" && hasClimbed(search.step, other)) continue
      supporting.push(other)
      if (isLoss) losses += evidence - SETTINGS.lossFloor
      total += Math.min(SETTINGS.support, Math.max(0, evidence - SETTINGS.supportFloor))
      break
    }
  }
  return { total: Math.min(SETTINGS.allSupport, total), losses, series: supporting }
}

/** Whether work went up the ladder in the same place since. */
function hasClimbed(step: Step, series: Series): boolean {
  const index = RUNGS.indexOf(series.rung)
  if (index > 1 || series.dimension === "developer") return false
  const from = Math.floor(sinceOf(series) / (12 * HOUR)) - 1
  const team = series.dimension.startsWith("team") ? series.values[0] : undefined
  const { units, expected } = sumUse(step.state, RUNGS.filter(isTaskRung), team, from)
  return units > SETTINGS.climbed * expected + 4
}

function uuidOf(...parts: readonly (string | number)[]): string {
  const hex = createHash("sha256").update(parts.join("|")).digest("hex")
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

function openIncident(step: Step, orgId: string, rung: Rung, here: readonly Series[], found: Found): OpenIncident {
  const { series } = found
  const open: OpenIncident = {
    incident: {
      id: uuidOf(orgId, rung, step.until),
      kind: "breakage",
      rung,
      alsoRungs: [],
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
      leading: null,
      evidence: [],
      checks: [],
      changes: [],
      daily: [],
      settled: null,
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
    peak: 0,
    mergedInto: null,
  }
  explain(step, open, here)
  const { incidents } = step.state
  const again = incidents.closed.find(
    ({ incident }) =>
      incident.rung === rung &&
      step.until - (incident.closedAt ?? 0) <= SETTINGS.reopenDays * DAY &&
      overlapOf(indexVolumes(step.state.volumes, rung), incident.scope, open.incident.scope) >= 0.3,
  )
  if (again !== undefined) {
    incidents.closed.splice(incidents.closed.indexOf(again), 1)
    const { id, openedAt, startedAt, startedFrom, startedTo, reopened } = again.incident
    open.incident = { ...open.incident, id, openedAt, startedAt, startedFrom, startedTo, reopened: reopened + 1 }
  }
  incidents.open.push(open)
  return open
}

function confidenceOf(found: Found): number {
  const over = found.score - found.bar
  return Math.min(0.99, 1 / (1 + Math.exp(-(1.5 + 0.5 * over + 0.3 * found.support.length))))
}

function explain(step: Step, open: OpenIncident, here: readonly Series[]): void {
  placeIncident(step, open, here)
  const kind = isMoreAutonomous(step, open.incident, open.place) ? "over_trust" : "breakage"
  open.incident = { ...open.incident, kind }
  refresh(step, open)
}

function refresh(step: Step, open: OpenIncident): void {
  const { place } = open
  open.incident = { ...open.incident, ...explainIncident(step, open.incident, place) }
}

/** Cause and place: the signal that moved most against its own usual spread, where the evidence for it is largest. */
function placeIncident(step: Step, open: OpenIncident, here: readonly Series[]): void {
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
  const volumes = indexVolumes(step.state.volumes, primary.rung)
  const weights = new Map<Watched, number>()
  for (const series of strong) {
    const weight = weightOf(series)
    if (weight <= (weights.get(series.watched) ?? -Infinity)) continue
    if (overlapOf(volumes, scope, scopeOf(series.dimension, series.values)) < 0.25) continue
    weights.set(series.watched, weight)
  }
  const ranked = [...weights].toSorted(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))
  const leading = ranked[0]?.[0] ?? primary.watched
  const place = placeOf(strong.filter((series) => series.watched === leading)) ?? primary
  open.place = place
  open.incident = {
    ...open.incident,
    cause: SPECS[leading].cause,
    causes: rankCauses(step, open, ranked, strong),
    scope: scopeOf(place.dimension, place.values),
    ...startOf(place),
    action: actionOf(step, open.incident.rung, leading, sinceOf(place)),
  }
}

function weightOf(series: Series): number {
  const size = Math.abs(Math.log(Math.max(0.05, ratioOf(series)))) / SPECS[series.watched].spread
  const lateness = series.watched === "use" ? 3 : LOSSES.has(series.watched) ? 1 : 0
  return size + Math.min(2, logEvidence(series) / 20) - lateness
}

/** The start by the best alternative, and by those that have nearly as much evidence, as far apart as half a day or more. */
function startOf(place: Series): Pick<DetectedIncident, "startedAt" | "startedFrom" | "startedTo"> {
  const near = sincesOf(place, bestOf(place) - 2)
  const startedAt = sinceOf(place)
  return {
    startedAt,
    startedFrom: Math.min(startedAt - 6 * HOUR, ...near),
    startedTo: Math.max(startedAt + 6 * HOUR, ...near),
  }
}

function rankCauses(
  step: Step,
  open: OpenIncident,
  ranked: readonly (readonly [Watched, number])[],
  strong: readonly Series[],
): readonly RankedCause[] {
  const weights = new Map<Cause, { weight: number; watched: Watched }>()
  for (const [watched, weight] of ranked) {
    const { cause } = SPECS[watched]
    if (weight > (weights.get(cause)?.weight ?? -Infinity)) weights.set(cause, { weight, watched })
  }
  const total = [...weights.values()].reduce((sum, { weight }) => sum + Math.exp(weight), 0)
  return CAUSES.filter((cause) => weights.has(cause))
    .map((cause) => {
      const { weight, watched } = weights.get(cause)!
      return { cause, share: Math.exp(weight) / total, ...reasonsOf(step, open, watched, cause, strong) }
    })
    .toSorted((a, b) => b.share - a.share)
}

/** What speaks for a cause besides how much it stands out. */
function reasonsOf(
  step: Step,
  open: OpenIncident,
  watched: Watched,
  cause: Cause,
  strong: readonly Series[],
): Pick<RankedCause, "reasons" | "exposed"> {
  const { incident } = open
  const reasons: Reason[] = []
  let exposed: number | null = null
  if (!LOSSES.has(watched)) {
    const started = Math.min(...strong.filter((series) => series.watched === watched).map(sinceOf))
    const lost = Math.min(...strong.filter((series) => LOSSES.has(series.watched)).map(sinceOf))
    if (Number.isFinite(started) && Number.isFinite(lost) && started <= lost + 2 * HOUR)
      reasons.push("began_before_loss")
    const exposure = exposureOf(step, incident, watched)
    if (exposure !== null && exposure.ratio > 1.2) {
      reasons.push("exposed_left_more")
      exposed = exposure.people
    }
  }
  const isNearby = step.state.changes.some(
    (change) =>
      change.at >= incident.startedAt - DAY &&
      change.at <= incident.startedAt + 2 * HOUR &&
      fitsPlace(change, { ...incident, cause }),
  )
  if (isNearby) reasons.push("change_nearby")
  return { reasons, exposed }
}

/** Where the evidence is largest: too narrow a place misses some of it, too wide a one dilutes it. The wider on a near tie. */
function placeOf(candidates: readonly Series[]): Series | null {
  let top: Series | null = null
  const ordered = candidates.toSorted((a, b) => widthOf(b.dimension) - widthOf(a.dimension) || (a.key < b.key ? -1 : 1))
  for (const series of ordered) {
    const evidence = bestOf(series)
    const toBeat = top === null ? -1 : bestOf(top)
    const isWider = top !== null && widthOf(series.dimension) === widthOf(top.dimension)
    if (top === null || (isWider ? evidence > toBeat : evidence > toBeat * SETTINGS.wider + SETTINGS.widerAdd))
      top = series
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
  if (step.until - before.openedAt <= SETTINGS.refineHours * HOUR) explain(step, open, here)
  else if (step.isNewDay) refresh(step, open)
  const leading = open.place
  const evidence = logEvidence(leading)
  open.peak = Math.max(open.peak, evidence)
  const today = step.day
  const { observed, expected, units } = sumsBetween(leading, today - 2, today)
  const isInside =
    units > 0 && expected > 0 && !isBeyondLimit(leading.watched, observed / expected, SETTINGS.recoveredLimit)
  const isDown = open.peak - evidence > SETTINGS.recoveredEvidence
  if (step.until - before.openedAt >= DAY && ((isInside && isDown) || isGone(step, leading))) {
    open.incident = {
      ...open.incident,
      state: "recovered",
      closedAt: step.until,
      recoveredAfter: changeBefore(step, open),
    }
    const { incidents } = step.state
    incidents.open.splice(incidents.open.indexOf(open), 1)
    incidents.closed.push(open)
    restartRung(step.state, before.rung)
  } else {
    const state = isInside && isDown ? "recovering" : "open"
    if (state !== open.incident.state) open.incident = { ...open.incident, state }
  }
  return open.incident === before || open.mergedInto !== null ? null : open.incident
}

/** What changed last before it got better: of this place, or else anything. */
function changeBefore(step: Step, { incident }: OpenIncident): Change | null {
  const near = step.state.changes
    .filter(({ at }) => at > incident.openedAt && at <= step.until && at > step.until - 5 * DAY)
    .toSorted((a, b) => b.at - a.at || (a.subject < b.subject ? -1 : 1))
  return near.find((change) => isOfPlace(change, incident)) ?? near[0] ?? null
}

/** Of the same client or model, in whichever version. */
function isOfPlace(change: Change, incident: DetectedIncident): boolean {
  const tool = incident.scope.client?.split("@")[0]
  return fitsPlace(change, incident) || (tool !== undefined && change.subject.split(/[@ ]/)[0] === tool)
}

/** What closed too long ago to come back is of no use any more. */
export function forgetClosed({ incidents: { closed } }: DetectorState, today: number): void {
  const recent = closed.filter(
    ({ incident }) => today * DAY - (incident.closedAt ?? 0) <= (SETTINGS.reopenDays + 2) * DAY,
  )
  closed.splice(0, closed.length, ...recent)
}

/** Units of the rung in a few days, from which on it says something that none of them is in a place. */
const FEWEST_ELSEWHERE = 10

/** Whether the client or model is used no more, while work goes on without it. */
function isGone(step: Step, place: Series): boolean {
  const { rung, watched, dimension } = place
  if (!dimension.includes("client") && !dimension.includes("model")) return false
  const from = step.day - 3
  const whole = step.state.series.get(rung, watched, "", [])
  return lastDayOf(place) < from && whole !== undefined && sumsBetween(whole, from, step.day).units >= FEWEST_ELSEWHERE
}

/** Somebody said that it is the new normal: its days are the norm from now on, and evidence against it starts anew. */
export function acceptIncident(state: DetectorState, id: string): void {
  const { open, broken } = state.incidents
  for (const of of open.filter(({ incident, mergedInto }) => incident.id === id || mergedInto === id)) {
    open.splice(open.indexOf(of), 1)
    broken.get(of.incident.rung)?.clear()
    restartRung(state, of.incident.rung)
  }
}

/** An incident of another rung with the same known cause in the same place, of these days: the same trouble. */
function sameAtOtherRung(step: Step, opened: OpenIncident): OpenIncident | null {
  const { cause, scope, rung } = opened.incident
  if (cause === "unknown" || cause === "quality" || opened.primary.dimension === "developer") return null
  return (
    step.state.incidents.open.find(
      ({ incident, mergedInto }) =>
        mergedInto === null &&
        incident.rung !== rung &&
        incident.cause === cause &&
        step.until - incident.openedAt <= SETTINGS.reopenDays * DAY &&
        (scope.team === undefined || incident.scope.team === undefined || scope.team === incident.scope.team),
    ) ?? null
  )
}

const FAULT_NOTES: Record<Fault["fault"], FaultNote> = {
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
      alsoRungs: [],
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
      leading: null,
      evidence: [] satisfies Evidence[],
      checks: [{ check: "telemetry_stopped", result: "found", figure, people: null }],
      changes: [],
      daily: [],
      settled: null,
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
