import { type Rung, RUNGS } from "#sdk/ladder.ts"
import type { Check, DetectedIncident, Evidence, IncidentDay, IncidentScope, Settled, Watched } from "./contract.ts"
import { countMarks, withMarks, withoutMarks } from "./people.ts"
import { SETTINGS } from "./settings.ts"
import { NEW_DAYS, type Step, sumUse } from "./state.ts"
import { daysOf, fromLogit, isWeekend } from "./reference.ts"
import { cellsOf, isInside } from "./scope.ts"
import { daysBetween, logEvidence, marksBetween, type Series, type Sums, sumsBetween } from "./series.ts"
import { isBeyondLimit, isTaskRung, SPECS } from "./watched.ts"

/** The figures of an incident: what stands where, for how many people, and what was ruled out. */

const DAY = 86_400_000

export type Explanation = Pick<
  DetectedIncident,
  | "leading"
  | "evidence"
  | "daily"
  | "checks"
  | "changes"
  | "settled"
  | "fallbackTo"
  | "people"
  | "peopleAffected"
  | "explained"
>

/** `place` is the series of the signal that names the cause. */
export function explainIncident(step: Step, incident: DetectedIncident, place: Series): Explanation {
  const leading = place.watched
  const from = step.dayOf(incident.startedAt)
  // Nobody is slow: who is affected by slowness is who does less.
  const people = peopleIn(step, incident.rung, incident.scope, leading === "slow" ? "use" : leading, from)
  return {
    leading,
    evidence: evidenceOf(step, incident.rung, place, from, incident.startedAt),
    daily: dailyOf(step, incident.rung, place, leading, from),
    checks: checksOf(step, incident, place, leading, from),
    changes: changesOf(step, incident),
    settled: settledOf(step, incident, place),
    fallbackTo: fallbackOf(step, incident.rung, incident.scope, from),
    people: people.length,
    peopleAffected: people.filter(({ isAffected }) => isAffected).length,
    explained: explainedBy(step, incident.rung, place, leading, from),
  }
}

const ALL = Object.keys(SPECS) as Watched[]

function seriesAt(step: Step, rung: Rung, watched: Watched, dimension: string, values: readonly string[]) {
  return step.state.series.get(rung, watched, dimension, values)
}

interface PlaceNamed {
  readonly dimension: string
  readonly values: readonly string[]
}

/**
 * What is outside of a place: the same signal of the other teams, clients, models. Of what a source does not name there is
 * no series, which makes it fewer people than there are at most.
 */
function outsideOf(step: Step, rung: Rung, watched: Watched, place: PlaceNamed): readonly Series[] {
  const names = place.dimension.split("+")
  const outside: Series[] = []
  for (const series of step.state.series) {
    if (series.rung !== rung || series.watched !== watched) continue
    const at = names.indexOf(series.dimension)
    if (at >= 0 && series.values[0] !== place.values[at]) outside.push(series)
  }
  return outside
}

/** How many people added to what is outside of a place on these days, at least; one where all that is known is that some did. */
function countOutside(
  of: { readonly whole: Series; readonly inside: Series; readonly outside: readonly Series[] },
  from: number,
  to: number,
): number {
  const [whole, inside] = [marksBetween(of.whole, from, to), marksBetween(of.inside, from, to)]
  const marks = of.outside.map((series) => marksBetween(series, from, to))
  const people = countMarks(marks.reduce(withMarks, withoutMarks(whole, inside)))
  const isAny = sumsBetween(of.whole, from, to).units > sumsBetween(of.inside, from, to).units
  return isAny ? Math.max(1, people) : people
}

/** 80 %: of a normal distribution between -Z and Z. */
const Z = 1.2816

/**
 * observed / expected with an 80 % interval. Var(ln R) = (1 - p) / O for shares and 1 / O for counts, plus what days of one
 * person and team vary together, over a few days.
 */
function toEvidence(
  series: Series,
  sums: Sums,
  since: number,
  of: Pick<Evidence, "restRatio" | "people" | "restPeople">,
): Evidence {
  const { observed, expected, units } = sums
  const ratio = expected > 0 ? observed / expected : 1
  const half = Z * Math.sqrt(varianceOf(series.watched, sums))
  const base = Math.max(ratio, 0.5 / Math.max(0.5, expected))
  return {
    watched: series.watched,
    observed,
    expected,
    ratio,
    low: base * Math.exp(-half),
    high: base * Math.exp(half),
    logEvidence: logEvidence(series),
    units,
    since,
    ...of,
  }
}

/** Of ln R. */
function varianceOf(watched: Watched, { observed, expected, units }: Sums): number {
  const spec = SPECS[watched]
  const share = spec.type === "share" ? Math.min(1, expected / Math.max(1, units)) : 0
  return (1 - share) / Math.max(0.5, observed) + spec.dispersion.person / 3 + spec.dispersion.team / 2
}

function evidenceOf(step: Step, rung: Rung, place: PlaceNamed, from: number, since: number): readonly Evidence[] {
  const list: Evidence[] = []
  for (const watched of ALL) {
    const series = seriesAt(step, rung, watched, place.dimension, place.values)
    if (series === undefined) continue
    const sums = sumsBetween(series, from, step.day)
    if (sums.units === 0) continue
    const whole = seriesAt(step, rung, watched, "", [])
    let restRatio: number | null = null
    let restPeople = 0
    if (whole !== undefined && place.dimension !== "") {
      const all = sumsBetween(whole, from, step.day)
      const expected = all.expected - sums.expected
      if (expected > 0.5) restRatio = (all.observed - sums.observed) / expected
      const outside = outsideOf(step, rung, watched, place)
      restPeople = countOutside({ whole, inside: series, outside }, from, step.day)
    }
    const people = countMarks(marksBetween(series, from, step.day))
    list.push(toEvidence(series, sums, since, { restRatio, people, restPeople }))
  }
  return list.toSorted((a, b) => b.logEvidence - a.logEvidence)
}

const DAYS_BEFORE = 14

/** The leading signal in the place and outside of it, day by day, as far back as it is known. */
function dailyOf(step: Step, rung: Rung, place: PlaceNamed, leading: Watched, from: number): readonly IncidentDay[] {
  const inside = seriesAt(step, rung, leading, place.dimension, place.values)
  const whole = place.dimension === "" ? undefined : seriesAt(step, rung, leading, "", [])
  if (inside === undefined) return []
  const outside = whole === undefined ? [] : outsideOf(step, rung, leading, place)
  const days: IncidentDay[] = []
  for (let day = from - DAYS_BEFORE; day <= step.day; day++) {
    const { observed, expected, units } = sumsBetween(inside, day, day)
    const all = whole === undefined ? null : sumsBetween(whole, day, day)
    if (units === 0 && (all === null || all.units === 0)) continue
    days.push({
      day: new Date(day * DAY).toISOString().slice(0, 10),
      isSince: day >= from,
      observed,
      expected,
      restObserved: all === null ? null : all.observed - observed,
      restExpected: all === null ? null : all.expected - expected,
      units,
      marks: marksBetween(inside, day, day),
      restPeople: whole === undefined ? 0 : countOutside({ whole, inside, outside }, day, day),
    })
  }
  return days
}

/**
 * The level over the last working days, once the last few of them say the same as the others, within what chance makes of
 * either. Days without work, such as holidays, do not count, nor does the present one.
 */
function settledOf(step: Step, incident: DetectedIncident, place: Series): Settled | null {
  const { proposeDays, settledDays, settledLeast, settledMost } = SETTINGS
  const worked = daysBetween(place, step.dayOf(incident.openedAt) + 1, step.day - 1).filter((day) => !isWeekend(day))
  const [first, turn, last] = [worked.at(-proposeDays), worked.at(-settledDays), worked.at(-1)]
  if (incident.state !== "open" || worked.length < proposeDays) return null
  if (first === undefined || turn === undefined || last === undefined) return null
  const [before, after] = [sumsBetween(place, first, turn - 1), sumsBetween(place, turn, last)]
  const { observed, expected } = sumsBetween(place, first, last)
  const ratio = observed / expected
  if (!isBeyondLimit(place.watched, ratio, SETTINGS.recoveredLimit)) return null
  const levelOf = (sums: Sums) => Math.log(Math.max(0.5, sums.observed) / Math.max(0.5, sums.expected))
  const chance = Z * Math.sqrt(varianceOf(place.watched, before) + varianceOf(place.watched, after))
  const bound = Math.min(settledMost, Math.max(settledLeast, chance))
  if (Math.abs(levelOf(after) - levelOf(before)) > bound) return null
  return { ratio, people: countMarks(marksBetween(place, first, last)) }
}

interface Affected {
  readonly developer: string
  readonly isAffected: boolean
}

/** Who worked in the place since, and who of them shows what names the cause: own figures beyond the limit. */
function peopleIn(step: Step, rung: Rung, scope: IncidentScope, leading: Watched, from: number): readonly Affected[] {
  const developers = developersIn(step, rung, scope, leading)
  const ratios = ratiosOf(step, rung, leading, developers, scope, from)
  return [...developers].toSorted().map((developer) => {
    const ratio = ratios.get(developer)
    return { developer, isAffected: ratio !== undefined && isBeyondLimit(leading, ratio) }
  })
}

function developersIn(step: Step, rung: Rung, scope: IncidentScope, leading: Watched): ReadonlySet<string> {
  const { history, volumes, reference } = step.state
  const developers = new Set<string>()
  for (const cell of cellsOf(volumes)) {
    if (cell.rung === rung && isInside(scope, cell.place)) developers.add(cell.place.developer)
  }
  if (scope.developer !== undefined) developers.add(scope.developer)
  // People who left the rung have done nothing there lately, and belong to their team all the same.
  if (leading === "use" && scope.client === undefined && scope.model === undefined) {
    for (const developer of history.people.keys()) {
      const isIn = scope.team === undefined || step.teamOf(developer, step.until) === scope.team
      const isUser = [0, 1].some((half) => (reference?.use.get(`${rung}|${developer}|${half}`) ?? 0) > 0.1)
      if (isIn && isUser && scope.developer === undefined) developers.add(developer)
    }
  }
  return developers
}

/** observed / expected of each person since a day, where anything was expected of them. */
function ratiosOf(
  step: Step,
  rung: Rung,
  watched: Watched,
  developers: ReadonlySet<string>,
  scope: IncidentScope,
  from: number,
): ReadonlyMap<string, number> {
  const { history, reference } = step.state
  const sums = new Map<string, { observed: number; expected: number }>()
  const add = (developer: string, observed: number, expected: number) => {
    const sum = sums.get(developer) ?? { observed: 0, expected: 0 }
    sums.set(developer, sum)
    sum.observed += observed
    sum.expected += expected
  }
  if (watched === "use") {
    const index = RUNGS.indexOf(rung)
    for (const developer of developers) {
      for (const [half, units] of history.people.get(developer)?.halves ?? []) {
        const usual = reference?.use.get(`${rung}|${developer}|${half & 1}`)
        if (half >= 2 * from && usual !== undefined) add(developer, units[index]!, usual)
      }
    }
  } else {
    for (const [key, daily] of history.units) {
      const [ofRung = "", of = "", group = "", developer = ""] = key.split("|")
      if (ofRung !== rung || of !== watched || !developers.has(developer)) continue
      if (scope.language !== undefined && watched === "acceptance" && group !== scope.language) continue
      const rate = reference?.rates.get(`${rung}|${watched}|${group}`)
      if (rate === undefined) continue
      const offset = reference?.habits.get(`${rung}|${watched}|${developer}`)?.offset ?? 0
      const usual = SPECS[watched].type === "share" ? fromLogit(rate + offset) : rate * Math.exp(offset)
      for (const { day, units, sum } of daysOf(daily)) if (day >= from) add(developer, sum, units * usual)
    }
  }
  return new Map(
    [...sums]
      .filter(([, sum]) => sum.expected > 0.5)
      .map(([developer, sum]) => [developer, sum.observed / sum.expected]),
  )
}

/**
 * How much more those went through who fell back than those at the same rung who did not, as a ratio of means, and how many
 * the fewer of them are; null where there are none of either.
 */
export function exposureOf(
  step: Step,
  incident: DetectedIncident,
  watched: Watched,
): { readonly ratio: number; readonly people: number } | null {
  const { rung, scope } = incident
  const from = step.dayOf(incident.startedAt)
  const developers = developersIn(step, rung, scope, "use")
  const use = ratiosOf(step, rung, "use", developers, scope, from)
  const experience = ratiosOf(step, rung, watched, developers, scope, from)
  const left: number[] = []
  const stayed: number[] = []
  for (const [developer, ratio] of experience) {
    const ofUse = use.get(developer)
    if (ofUse !== undefined) (isBeyondLimit("use", ofUse) ? left : stayed).push(ratio)
  }
  if (left.length === 0 || stayed.length === 0) return null
  const mean = (list: readonly number[]) => list.reduce((sum, value) => sum + value, 0) / list.length
  const people = Math.min(left.length, stayed.length)
  return mean(stayed) > 0 ? { ratio: mean(left) / mean(stayed), people } : null
}

/** Units that what is said of autonomy rests on at least. */
const FEWEST_OF_AUTONOMY = 15

/**
 * Whether people let the agent do more, or unasked, while what comes of it gets worse: trust that nothing justifies. In the
 * place of the incident since it began, or in its team where only that is counted.
 */
export function isMoreAutonomous(
  step: Step,
  incident: DetectedIncident,
  place: PlaceNamed & { readonly watched: Watched },
): boolean {
  if (place.watched !== "outcome") return false
  const from = step.dayOf(incident.startedAt)
  const prompts = seriesAt(step, incident.rung, "prompts", place.dimension, place.values)
  const sums = prompts === undefined ? null : sumsBetween(prompts, from, step.day)
  const asked = sums !== null && sums.expected >= FEWEST_OF_AUTONOMY ? sums.observed / sums.expected : 1
  return (useOf(step, [incident.rung], incident.scope, from) ?? 1) > 1.4 || asked < 0.6
}

/** Share of the loss of the whole organization that lies in the place. */
function explainedBy(step: Step, rung: Rung, place: PlaceNamed, leading: Watched, from: number): number | null {
  if (place.dimension === "") return 1
  const inside = seriesAt(step, rung, leading, place.dimension, place.values)
  const whole = seriesAt(step, rung, leading, "", [])
  if (inside === undefined || whole === undefined) return null
  const here = sumsBetween(inside, from, step.day)
  const all = sumsBetween(whole, from, step.day)
  const total = all.observed - all.expected
  if (Math.abs(total) < 1e-9) return null
  return Math.min(1, Math.max(0, (here.observed - here.expected) / total))
}

/** The lower rung with the largest excess of work since, in the teams of the place. */
function fallbackOf(step: Step, rung: Rung, scope: IncidentScope, from: number): Rung | null {
  let best: { rung: Rung; excess: number } | null = null
  for (const lower of RUNGS.slice(0, RUNGS.indexOf(rung))) {
    const { units, expected } = sumUse(step.state, [lower], scope.team, 2 * from)
    const excess = expected > 0 ? units / expected : 0
    if (excess > 1.08 && (best === null || excess > best.excess)) best = { rung: lower, excess }
  }
  return best?.rung ?? null
}

const BEFORE_MS = 2 * DAY

function changesOf(step: Step, incident: DetectedIncident): DetectedIncident["changes"] {
  return step.state.changes
    .filter(({ at }) => at >= incident.startedAt - BEFORE_MS && at <= incident.startedAt + DAY)
    .toSorted((a, b) => a.at - b.at || (a.subject < b.subject ? -1 : 1))
    .map((change) => ({ ...change, fits: fitsPlace(change, incident) }))
}

/** A change names no cause by itself: most of them are harmless. It fits when it is of this place, or of this cause. */
export function fitsPlace(
  change: { readonly kind: string; readonly subject: string },
  incident: DetectedIncident,
): boolean {
  const { scope, cause } = incident
  // Changes that are noticed name a client `tool version`.
  if (scope.client !== undefined && change.subject.replace(" ", "@") === scope.client) return true
  if (scope.model !== undefined && change.subject.split("+").includes(scope.model)) return true
  if (change.kind === "infra") return cause === "latency" || cause === "errors" || cause === "context_loss"
  return change.kind === "policy" && cause === "permission"
}

function checksOf(
  step: Step,
  incident: DetectedIncident,
  place: PlaceNamed,
  leading: Watched,
  from: number,
): readonly Check[] {
  const { recent, seen } = step.state.telemetry
  const wasSeen = (...faults: string[]) => faults.some((fault) => (seen.get(fault) ?? 0) >= incident.startedAt - DAY)
  const of = (check: Check["check"], isFound: boolean, figure: number | null, people: number | null): Check => ({
    check,
    result: figure === null ? "not_checked" : isFound ? "found" : "excluded",
    figure,
    people,
  })
  const hasStopped = wasSeen("stopped", "rung_stopped")
  const sum = (field: "signals" | "late" | "duplicates") => recent.reduce((total, hour) => total + hour[field], 0)
  const signals = Math.max(1, sum("signals"))
  const mix = mixOf(step, incident.rung, place, leading, from)
  const otherRungs = RUNGS.filter((rung) => rung !== incident.rung)
  const rungsAbove = RUNGS.slice(RUNGS.indexOf(incident.rung) + 1).filter(isTaskRung)
  const [others, above] = [otherRungs, rungsAbove].map((rungs) => useOf(step, rungs, incident.scope, from))
  const size = sizeOf(step, incident.rung, from)
  const added = newPeople(step, incident)
  const usersOf = (rungs: readonly Rung[]) => countUsers(step, rungs, incident.scope, from)
  return [
    of("telemetry_stopped", hasStopped, hasStopped ? 1 : 0, null),
    of("telemetry_late", wasSeen("late"), sum("late") / signals, null),
    of("duplicates", wasSeen("duplicates"), sum("duplicates") / signals, null),
    of("work_mix", mix !== null && Math.abs(mix.ratio - 1) > 0.1, mix?.ratio ?? null, mix?.people ?? null),
    of("slow_week", others != null && others < 0.75, others ?? null, usersOf(otherRungs)),
    of("new_people", false, added, added),
    of("climbing", above != null && above > SETTINGS.climbed, above ?? null, usersOf(rungsAbove)),
    of("larger_tasks", size !== null && size.ratio > 1.4, size?.ratio ?? null, size?.people ?? null),
  ]
}

/** A figure, and how many people it rests on at least. */
interface Rated {
  readonly ratio: number
  readonly people: number
}

/** What the mix of work alone would do to the rate: what is expected now over what was expected before. */
function mixOf(step: Step, rung: Rung, place: PlaceNamed, leading: Watched, from: number): Rated | null {
  const series = seriesAt(step, rung, leading, place.dimension, place.values) ?? seriesAt(step, rung, leading, "", [])
  if (series === undefined || leading === "use") return null
  const now = sumsBetween(series, from, step.day)
  const whole = seriesAt(step, rung, leading, "", [])
  if (whole === undefined) return null
  const before = sumsBetween(whole, from - 14, from - 1)
  if (before.units === 0 || now.units === 0) return null
  const people = [marksBetween(series, from, step.day), marksBetween(whole, from - 14, from - 1)].map(countMarks)
  return { ratio: now.expected / now.units / (before.expected / before.units), people: Math.min(...people) }
}

function useOf(step: Step, rungs: readonly Rung[], scope: IncidentScope, from: number): number | null {
  const { units, expected } = sumUse(step.state, rungs, scope.team, 2 * from)
  return expected > 3 ? units / expected : null
}

/** Whose use of these rungs since is held against what was usual, as in `useOf`. */
function countUsers(step: Step, rungs: readonly Rung[], { team }: IncidentScope, from: number): number {
  const { history, reference } = step.state
  let count = 0
  for (const [developer, person] of history.people) {
    const isUser = [...person.halves.keys()].some(
      (half) =>
        half >= 2 * from &&
        (half >> 1) - person.first >= NEW_DAYS &&
        (team === undefined || step.teamOf(developer, ((half >> 1) + 0.5) * DAY) === team) &&
        rungs.some((rung) => reference?.use.has(`${rung}|${developer}|${half & 1}`)),
    )
    if (isUser) count++
  }
  return count
}

/** Tool calls per task since, over those before. */
function sizeOf(step: Step, rung: Rung, from: number): Rated | null {
  if (!isTaskRung(rung)) return null
  const [now, before] = [
    { tasks: 0, calls: 0, people: new Set<string>() },
    { tasks: 0, calls: 0, people: new Set<string>() },
  ]
  for (const [key, daily] of step.state.history.units) {
    if (!key.startsWith(`${rung}|calls|`)) continue
    for (const { day, units, sum } of daysOf(daily)) {
      const of = day >= from ? now : before
      of.tasks += units
      of.calls += sum
      of.people.add(key)
    }
  }
  if (now.tasks < 5 || before.tasks < 5 || before.calls === 0) return null
  const people = Math.min(now.people.size, before.people.size)
  return { ratio: now.calls / now.tasks / (before.calls / before.tasks), people }
}

/** People in the place whose work is too new to be judged. */
function newPeople(step: Step, incident: DetectedIncident): number {
  let count = 0
  for (const [developer, person] of step.state.history.people) {
    const { team } = incident.scope
    if (team !== undefined && step.teamOf(developer, step.until) !== team) continue
    if (step.day - person.first < NEW_DAYS) count++
  }
  return count
}
