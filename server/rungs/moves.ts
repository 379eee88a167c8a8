import { type Rung, RUNGS } from "#sdk/ladder.ts"

/**
 * On which rung a developer works, and how that changes, from the days of their work. Days are counted from 1970-01-01,
 * a Thursday, in the organization's zone.
 */

/** What a developer did at one rung on one day. */
export interface RungWork {
  readonly day: number
  readonly rung: Rung
  /** Suggestions, turns, tasks or runs. */
  readonly operations: number
  /** Human-decided, `modified` included. */
  readonly accepted: number
}

/** What in the window of a fall speaks against its being the developer's own choice. */
export type Forcing = "absence" | "new_team" | "policy_change" | "outage" | "client_upgrade"

/** Something that happened to a developer, from a day to a day, both inclusive. */
export interface Disruption {
  readonly kind: Exclude<Forcing, "absence">
  readonly from: number
  readonly to: number
}

export const MOVE_CLASSES = ["climb", "voluntary_fall_back", "forced", "disengagement", "recovery"] as const
/**
 * Why an operating rung changed. Upwards: `recovery` when it reaches again the rung that an earlier fall left, `climb`
 * otherwise. Downwards, the first that holds: `forced`, something else happened in the window; `disengagement`, total use
 * fell too; `voluntary_fall_back`.
 */
export type MoveClass = (typeof MOVE_CLASSES)[number]

export interface Move {
  /** The first day with the new operating rung. */
  readonly day: number
  readonly from: Rung
  readonly to: Rung
  readonly class: MoveClass
  /** Of a forced move, in alphabetical order; empty otherwise. */
  readonly forcedBy: readonly Forcing[]
  /** Of a recovery: calendar days since the first fall from the rung that is reached again. Null otherwise. */
  readonly recoveredAfterDays: number | null
}

/** Where a developer stands at the end of an active day. */
export interface Standing {
  readonly day: number
  /** Null when the day's work reaches no rung. */
  readonly position: Rung | null
  /** Null with too few active days, or when no rung is reached on enough of them. */
  readonly operating: Rung | null
  /** 1 (autocomplete) to 4 (orchestration). */
  readonly gravity: number
}

/** Active days that the operating rung looks back on, how many it needs, and the share that has to reach a rung. */
const HABIT_DAYS = 10
const HABIT_DAYS_MIN = 6
const HABIT_SHARE = 0.4
const GRAVITY_DAYS = 5
/** Hours of work, more or less, that one operation stands for. */
const HOURS_PER_OPERATION: Readonly<Record<Rung, number>> = {
  autocomplete: 1 / 60,
  chat: 1 / 6,
  agent: 1,
  orchestration: 3,
}
/** Working days without any activity that are an absence. */
const ABSENCE_DAYS = 5
/** Total use is that of so many working days, compared with that of so many before the window. */
const USE_DAYS = 5
const USE_BEFORE_DAYS = 10
/** Below this share of the use before, use has not held. */
const USE_HELD = 0.5

interface ActiveDay {
  readonly day: number
  readonly position: Rung | null
  /** In the unit of `HOURS_PER_OPERATION`, and the same times the rung's number. */
  readonly hours: number
  readonly moment: number
}

/**
 * The position of a day: the highest rung with at least one accepted suggestion; one accepted turn or three turns; one
 * task; one run. Null when it reaches none. (Ladder position of a developer-day, of the method's definitions; a task or
 * run counts when it ran, whatever came of it, as the rollups do not say whether it came to an end.)
 */
export function positionOf(work: Iterable<Omit<RungWork, "day">>): Rung | null {
  const reached = new Set<Rung>()
  for (const { rung, operations, accepted } of sumByRung(work)) {
    if (isReached(rung, operations, accepted)) reached.add(rung)
  }
  return RUNGS.findLast((rung) => reached.has(rung)) ?? null
}

function isReached(rung: Rung, operations: number, accepted: number): boolean {
  switch (rung) {
    case "autocomplete":
      return accepted >= 1
    case "chat":
      return accepted >= 1 || operations >= 3
    case "agent":
    case "orchestration":
      return operations >= 1
  }
}

function sumByRung(work: Iterable<Omit<RungWork, "day">>) {
  const sums = new Map<Rung, { rung: Rung; operations: number; accepted: number }>()
  for (const { rung, operations, accepted } of work) {
    const sum = sums.get(rung) ?? { rung, operations: 0, accepted: 0 }
    sum.operations += operations
    sum.accepted += accepted
    sums.set(rung, sum)
  }
  return sums.values()
}

/** Days with any activity, earliest first, in whatever order and however split the work comes. */
function activeDaysOf(work: readonly RungWork[]): ActiveDay[] {
  const days = Map.groupBy(work, ({ day }) => day)
  return [...days]
    .toSorted(([a], [b]) => a - b)
    .flatMap(([day, parts]) => {
      const rungs = RUNGS.flatMap((rung) => [...sumByRung(parts.filter((part) => part.rung === rung))])
      if (rungs.every(({ operations, accepted }) => operations <= 0 && accepted <= 0)) return []
      const hoursOf = ({ rung, operations }: (typeof rungs)[number]) => operations * HOURS_PER_OPERATION[rung]
      return [
        {
          day,
          position: positionOf(rungs),
          hours: rungs.reduce((sum, part) => sum + hoursOf(part), 0),
          moment: rungs.reduce((sum, part) => sum + hoursOf(part) * numberOf(part.rung), 0),
        },
      ]
    })
}

function numberOf(rung: Rung): number {
  return RUNGS.indexOf(rung) + 1
}

/**
 * The habitual position H: the highest rung that the position reaches or passes on at least 40 % of the last 10 active
 * days; null with fewer than 6. A day at a higher rung counts for the ones below, so that work added above never lowers it.
 */
function operatingRungOf(window: readonly ActiveDay[]): Rung | null {
  if (window.length < HABIT_DAYS_MIN) return null
  const reaches = (rung: Rung) =>
    window.filter(({ position }) => position !== null && numberOf(position) >= numberOf(rung)).length
  return RUNGS.findLast((rung) => reaches(rung) >= HABIT_SHARE * window.length) ?? null
}

/** The centre of gravity G: sum(l w u) / sum(w u) over 5 active days, with u operations of rung l worth w hours each. */
function gravityOf(days: readonly ActiveDay[]): number {
  const hours = days.reduce((sum, day) => sum + day.hours, 0)
  // Decided upon and not counted: its operation is of another day.
  return hours === 0 ? 1 : days.reduce((sum, day) => sum + day.moment, 0) / hours
}

/** Where a developer stood on each active day, earliest first. */
export function standingsOf(work: readonly RungWork[]): Standing[] {
  const days = activeDaysOf(work)
  return days.map(({ day, position }, index) => ({
    day,
    position,
    operating: operatingRungOf(days.slice(Math.max(0, index + 1 - HABIT_DAYS), index + 1)),
    gravity: gravityOf(days.slice(Math.max(0, index + 1 - GRAVITY_DAYS), index + 1)),
  }))
}

/**
 * Every change of a developer's operating rung, earliest first: each starts where the last ended. Only an active day can
 * change it. The window of a move are the active days that its operating rung looks back on, from the first of them.
 */
export function findMoves(work: readonly RungWork[], disruptions: readonly Disruption[]): Move[] {
  const days = activeDaysOf(work)
  const moves: Move[] = []
  let standing: Rung | null = null
  /** The highest rung that was left and not reached again. */
  let left: { rung: Rung; day: number }[] = []
  for (const [index, { day }] of days.entries()) {
    const window = days.slice(Math.max(0, index + 1 - HABIT_DAYS), index + 1)
    const operating = operatingRungOf(window)
    if (operating === null || operating === standing) continue
    const from: Rung | null = standing
    standing = operating
    if (from === null) continue
    if (numberOf(operating) < numberOf(from)) {
      const forcedBy = findForcing(window, disruptions)
      const ownClass = hasUseFallen(days.slice(0, index + 1), window) ? "disengagement" : "voluntary_fall_back"
      moves.push({
        day,
        from,
        to: operating,
        class: forcedBy.length > 0 ? "forced" : ownClass,
        forcedBy,
        recoveredAfterDays: null,
      })
      left.push({ rung: from, day })
      continue
    }
    const reached = left.filter(({ rung }) => numberOf(rung) <= numberOf(operating))
    left = left.filter((fall) => !reached.includes(fall))
    const highest = reached.reduce<{ rung: Rung; day: number } | null>(
      (best, fall) => (best === null || numberOf(fall.rung) > numberOf(best.rung) ? fall : best),
      null,
    )
    moves.push({
      day,
      from,
      to: operating,
      class: highest === null ? "climb" : "recovery",
      forcedBy: [],
      recoveredAfterDays: highest === null ? null : day - highest.day,
    })
  }
  return moves
}

function findForcing(window: readonly ActiveDay[], disruptions: readonly Disruption[]): Forcing[] {
  const [first, last] = [window[0]?.day ?? 0, window.at(-1)?.day ?? 0]
  const found = new Set<Forcing>()
  for (const { kind, from, to } of disruptions) if (from <= last && to >= first) found.add(kind)
  const isAway = window.some((day, index) => {
    const next = window[index + 1]
    return next !== undefined && countWorkingDays(day.day + 1, next.day - 1) >= ABSENCE_DAYS
  })
  if (isAway) found.add("absence")
  return [...found].toSorted((a, b) => a.localeCompare(b))
}

/**
 * Whether total use did not hold: in the last 5 working days it is below half of what it was, a working day, in the 10
 * before the window (fallback event of the method's definitions: total activity at least 50 % of expected). Operations
 * of different rungs add up by the hours that they stand for. Unknown is held.
 */
function hasUseFallen(days: readonly ActiveDay[], window: readonly ActiveDay[]): boolean {
  const last = window.at(-1)?.day ?? 0
  const beforeEnd = (window[0]?.day ?? 0) - 1
  const beforeStart = goBack(beforeEnd, USE_BEFORE_DAYS)
  const firstEver = days[0]?.day ?? last
  const working = countWorkingDays(Math.max(beforeStart, firstEver), beforeEnd)
  if (working === 0) return false
  const sum = (from: number, to: number) =>
    days.reduce((hours, day) => (day.day >= from && day.day <= to ? hours + day.hours : hours), 0)
  return sum(goBack(last, USE_DAYS), last) / USE_DAYS < (USE_HELD * sum(beforeStart, beforeEnd)) / working
}

function isWorkingDay(day: number): boolean {
  const weekday = (((day + 4) % 7) + 7) % 7
  return weekday >= 1 && weekday <= 5
}

/** Mondays to Fridays between two days, both inclusive. */
function countWorkingDays(from: number, to: number): number {
  let count = 0
  for (let day = from; day <= to; day++) if (isWorkingDay(day)) count++
  return count
}

/** The latest day from which until `to`, both inclusive, there are so many working days. */
function goBack(to: number, workingDays: number): number {
  let day = to
  for (let left = workingDays - (isWorkingDay(to) ? 1 : 0); left > 0;) {
    day--
    if (isWorkingDay(day)) left--
  }
  return day
}
