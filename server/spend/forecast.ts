import { addDays } from "./periods.ts"

/** What will be used by the end of a period, with an 80 % interval; `no_data` when there is too little to go by. */
export type Forecast =
  | { readonly state: "shown"; readonly expected: number; readonly low: number; readonly high: number }
  | { readonly state: "no_data" }

/** Weeks whose days are looked back on. */
export const FORECAST_WEEKS = 4
/** Fewer than this many of each weekday say nothing of how they differ. */
const WEEKS_MIN = 2
/** Student's t for 80 %, two-sided, with 21 degrees of freedom (28 days less 7 means) and with 7 (14 less 7). */
const T_80 = { whole: 1.323, short: 1.415 }

/**
 * Forecasts use to the end of a period from the same weekdays of the last four weeks.
 *
 * Each day that is left counts with the mean m of its weekday over the last n = 2 to 4 whole weeks, so that a weekend is
 * what weekends are; of today what is left of its mean: max(0, m − used today). The variance of the sum is Σ s² (1 + 1/n),
 * s² being the weekday's own variance (n − 1), and the interval t · √variance with Student's t for 80 %. It never goes
 * below what is used already.
 *
 * `days` has what was used on each whole day before `today`; one that is not in it had nothing. `since` is the first day
 * with any use: from before two weeks, or there is no forecast. `until` is exclusive. All `YYYY-MM-DD`.
 */
export function forecast(args: {
  readonly spent: number
  readonly spentToday: number
  readonly days: ReadonlyMap<string, number>
  readonly since: string | null
  readonly today: string
  readonly until: string
}): Forecast {
  const { spent, spentToday, days, since, today, until } = args
  const weeks = since === null ? 0 : Math.min(FORECAST_WEEKS, Math.floor(daysBetween(since, today) / 7))
  if (weeks < WEEKS_MIN) return { state: "no_data" }
  let expected = spent
  let variance = 0
  for (let day = today; day < until; day = addDays(day, 1)) {
    const past: number[] = []
    for (let week = 1; week <= weeks + Math.ceil(daysBetween(today, day) / 7); week++) {
      const same = addDays(day, -7 * week)
      if (same < today && daysBetween(same, today) <= weeks * 7) past.push(days.get(same) ?? 0)
    }
    const mean = past.reduce((sum, value) => sum + value, 0) / past.length
    const squares = past.reduce((sum, value) => sum + (value - mean) ** 2, 0)
    expected += day === today ? Math.max(0, mean - spentToday) : mean
    variance += (squares / (past.length - 1)) * (1 + 1 / past.length)
  }
  const half = (weeks === FORECAST_WEEKS ? T_80.whole : T_80.short) * Math.sqrt(variance)
  return { state: "shown", expected, low: Math.max(spent, expected - half), high: expected + half }
}

function daysBetween(from: string, to: string): number {
  return Math.round((Date.parse(to) - Date.parse(from)) / 86_400_000)
}
