import type { WeekSeats } from "#server/usage/queries.ts"
import { formatShare, plural } from "../../lib/format.ts"

/** The page's answer in a sentence: how many of the seats are used, in the last week that may be shown. */
export function describeUsage(weeks: readonly WeekSeats[], period: string): string {
  if (weeks.length === 0) return `Nobody was in a team ${period}, so there are no seats to count.`
  const last = weeks.findLast(({ active }) => active !== null)
  if (last?.active == null) return `What was used ${period} would tell about too few people to be shown.`
  const people = plural(last.active, "person", "people")
  const when = last === weeks.at(-1) ? "this week" : "in the last week that may be shown"
  if (last.unused === null) return `${people} used agents ${when}; few or no seats are unused.`
  const seats = last.active + last.unused
  return `${people} used agents ${when}: ${formatShare(last.active / seats)} of ${plural(seats, "seat")}, ${last.unused === 0 ? "none" : last.unused} unused.`
}
