import type { WeekSeats } from "#server/usage/queries.ts"
import { type Against, sayDifference } from "../../lib/against.ts"
import { formatDay, formatPoints, formatShare } from "../../lib/format.ts"

/**
 * The share of seats in use against that of another team, in the last week in which the page's own may be shown; null
 * without such a week. People are no more when a team is larger, the share is not.
 */
export function compareActiveShares(
  weeks: readonly WeekSeats[],
  other: readonly WeekSeats[],
  against: Against,
  timeZone: string,
): string | null {
  const last = weeks.findLast((week) => activeShareOf(week) !== null)
  const own = last === undefined ? null : activeShareOf(last)
  if (last === undefined || own === null) return null
  const beside = other.find(({ week }) => week.getTime() === last.week.getTime())
  const share = beside === undefined ? null : activeShareOf(beside)
  const points = share === null ? null : formatPoints(own - share)
  return `Of seats ${formatShare(own)} are in use in the week of ${formatDay(last.week, timeZone)}, ${sayDifference(against, points, beside?.state ?? "no_data") ?? ""}.`
}

function activeShareOf({ active, unused }: WeekSeats): number | null {
  return active === null || unused === null || active + unused === 0 ? null : active / (active + unused)
}
