import type { PolicyBudget } from "#sdk/policy/document.ts"
import { createOffsets } from "../detect/time-zone.ts"

export type PeriodKind = PolicyBudget["period"]

/** A day, week or month of a budget, `[startsAt, endsAt)`. */
export interface Period {
  readonly startsAt: Date
  readonly endsAt: Date
}

const DAY_MS = 86_400_000
const MINUTE_MS = 60_000

/** Calendars of time zones, which are made once each. */
export interface Calendar {
  /** The period in which an instant is. A week begins on Monday. */
  periodAt(kind: PeriodKind, at: Date): Period
  /** The day that it is, `YYYY-MM-DD`. */
  dayAt(at: Date): string
  /** When a day, `YYYY-MM-DD`, begins: at its first instant, which is not midnight where clocks go forward then. */
  startOf(day: string): Date
}

const calendars = new Map<string, Calendar>()

/** The calendar of an IANA time zone; throws a RangeError when there is none. */
export function calendarOf(timeZone: string): Calendar {
  const known = calendars.get(timeZone)
  if (known !== undefined) return known
  const calendar = createCalendar(timeZone)
  calendars.set(timeZone, calendar)
  return calendar
}

function createCalendar(timeZone: string): Calendar {
  const offsetAt = createOffsets(timeZone)
  /** The local time as if it were UTC. */
  const toLocal = (at: number) => at + offsetAt(at) * MINUTE_MS
  const startOfLocal = (midnight: number): Date => {
    // By the offset of the day before and of the day after: the first of them that is in the day. Where clocks go back
    // over midnight, the hour before comes twice, and midnight by the first of them is not in the day yet.
    const candidates = [-DAY_MS, DAY_MS].map((shift) => midnight - offsetAt(midnight + shift) * MINUTE_MS)
    const within = candidates.toSorted((a, b) => a - b).find((candidate) => toLocal(candidate) >= midnight)
    return new Date(within ?? Math.max(...candidates))
  }
  const midnightOf = (at: Date): number => Math.floor(toLocal(at.getTime()) / DAY_MS) * DAY_MS
  return {
    periodAt(kind, at) {
      const midnight = midnightOf(at)
      const day = new Date(midnight)
      const [year, month] = [day.getUTCFullYear(), day.getUTCMonth()]
      const monday = midnight - ((day.getUTCDay() + 6) % 7) * DAY_MS
      const [from, to] =
        kind === "day"
          ? [midnight, midnight + DAY_MS]
          : kind === "week"
            ? [monday, monday + 7 * DAY_MS]
            : [Date.UTC(year, month), Date.UTC(year, month + 1)]
      return { startsAt: startOfLocal(from), endsAt: startOfLocal(to) }
    },
    dayAt: (at) => new Date(midnightOf(at)).toISOString().slice(0, 10),
    startOf: (day) => startOfLocal(Date.parse(day)),
  }
}

/** The day so many days later, `YYYY-MM-DD`. */
export function addDays(day: string, days: number): string {
  return new Date(Date.parse(day) + days * DAY_MS).toISOString().slice(0, 10)
}
