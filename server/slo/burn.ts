import { LATENCY_BUCKETS } from "../rollup/histogram.ts"
import { computeWilsonInterval } from "../rungs/wilson.ts"

/**
 * Burn rates over several windows, as in Google's "The Site Reliability Workbook" (2018), chapter 5, "Alerting on SLOs",
 * section 6. Burn rate 1 uses up the error budget exactly in the objective's window: at a target of 95 % it is one slow
 * request in twenty. A rule fires when both of its windows burn faster than its factor: the long one says that it matters,
 * the short one that it still goes on.
 *
 * @see https://sre.google/workbook/alerting-on-slos/
 */

export type Severity = "page" | "ticket"

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

/** The windows that are read, the shortest first. */
export const WINDOWS = [
  { name: "5 min", ms: 5 * MINUTE_MS },
  { name: "30 min", ms: 30 * MINUTE_MS },
  { name: "1 h", ms: HOUR_MS },
  { name: "2 h", ms: 2 * HOUR_MS },
  { name: "6 h", ms: 6 * HOUR_MS },
  { name: "1 day", ms: 24 * HOUR_MS },
  { name: "3 days", ms: 72 * HOUR_MS },
] as const
export type WindowName = (typeof WINDOWS)[number]["name"]

export interface BurnRule {
  readonly severity: Severity
  readonly long: WindowName
  readonly short: WindowName
  readonly factor: number
  /** Never with less of the requests than this share slow, 0..1, whatever the factor says. */
  readonly shareMin?: number
}

/**
 * The workbook's, for a window of 30 days: 2 % of the budget in an hour, 5 % in six, 10 % in a day, 10 % in three. They are
 * made for targets such as 99.9 %, at which an outage is told of in a minute. At 95 % it would take three quarters of an
 * hour: the first rule is ours, for when two requests in five are slow for half an hour, of which an outage makes as many
 * in a quarter.
 */
export const BURN_RULES: readonly BurnRule[] = [
  { severity: "page", long: "30 min", short: "5 min", factor: 6, shareMin: 0.4 },
  { severity: "page", long: "1 h", short: "5 min", factor: 14.4 },
  { severity: "page", long: "6 h", short: "30 min", factor: 6 },
  { severity: "ticket", long: "1 day", short: "2 h", factor: 3 },
  { severity: "ticket", long: "3 days", short: "6 h", factor: 1 },
]

/** What was timed in a window. */
export interface Timed {
  readonly requests: number
  /** Of those, how many took longer than the threshold. Whole where the threshold is the edge of a bucket. */
  readonly slow: number
}

export type Readings = Readonly<Record<WindowName, Timed>>

export interface Burn {
  readonly rule: BurnRule
  /** What the rate is held against: the rule's factor, as far as its share and the target leave room for it. */
  readonly factor: number
  /** Null when nothing was timed. */
  readonly longRate: number | null
  readonly shortRate: number | null
  readonly requests: number
  readonly isBurning: boolean
}

export interface Judgement {
  /** `unknown`: too little was timed lately to say that it is calm. */
  readonly verdict: "firing" | "calm" | "unknown"
  readonly severity: Severity | null
  /** Of the rule that fires, or of the fastest. */
  readonly burn: Burn
  readonly burns: readonly Burn[]
}

/** With so much slower than the threshold it is time to page whatever the target, since more may not be possible. */
const PAGE_SHARE_MAX = 0.8
/** So many slow requests at least: one of a few is chance. */
const SLOW_MIN = 5
/** The short window of a page needs a tenth of what the long one does; a ticket's is long enough to need the same. */
const SHORT_SHARE = 0.1

export interface BurnLimits {
  /** Share 0..1 that should be in time. */
  readonly target: number
  /** In the long window, at least. */
  readonly requestsMin: number
}

/** Share of slow requests ÷ the share that the target allows; null when nothing was timed. */
export function burnRate({ requests, slow }: Timed, target: number): number | null {
  return requests === 0 ? null : slow / requests / (1 - target)
}

/** How an objective's alert stands. Times are milliseconds since 1970. */
export interface AlertSoFar {
  /** When the objective last paged: until the short window of a ticket's rule is past that, it would tell of that again. */
  readonly pagedUntil: number | null
  readonly isOpen: boolean
}

export const NO_ALERT: AlertSoFar = { pagedUntil: null, isOpen: false }

/** What the readings say of an objective at a time. A page suppresses a ticket. */
export function judge(
  readings: Readings,
  limits: BurnLimits,
  { at, pagedUntil, isOpen }: AlertSoFar & { readonly at: number },
): Judgement {
  const burns = BURN_RULES.map((rule) => burnOf(rule, readings, limits, isOpen))
  const firing =
    burns.find(({ isBurning, rule }) => isBurning && rule.severity === "page") ??
    burns.find(({ isBurning, rule }) => isBurning && (pagedUntil === null || at - pagedUntil >= msOf(rule.short)))
  if (firing !== undefined) return { verdict: "firing", severity: firing.rule.severity, burn: firing, burns }
  const isSeen = readings["30 min"].requests >= shortMin(limits)
  const fastest =
    burns.toSorted((a, b) => closeness(b) - closeness(a))[0] ?? burnOf(FIRST_RULE, readings, limits, isOpen)
  return { verdict: isSeen ? "calm" : "unknown", severity: null, burn: fastest, burns }
}

const [FIRST_RULE] = BURN_RULES as [BurnRule, ...BurnRule[]]

/** How near both windows are to the factor. */
const closeness = ({ longRate, shortRate, factor }: Burn) => Math.min(longRate ?? 0, shortRate ?? 0) / factor

function shortMin({ requestsMin }: BurnLimits): number {
  return Math.ceil(requestsMin * SHORT_SHARE)
}

function burnOf(rule: BurnRule, readings: Readings, limits: BurnLimits, isOpen: boolean): Burn {
  const [long, short] = [readings[rule.long], readings[rule.short]]
  const { factor: least, shareMin = 0 } = rule
  const allowed = 1 - limits.target
  const factor = Math.min(Math.max(least, shareMin / allowed), PAGE_SHARE_MAX / allowed)
  const [longRate, shortRate] = [burnRate(long, limits.target), burnRate(short, limits.target)]
  const goesOn =
    rule.severity === "page"
      ? short.requests >= shortMin(limits) && short.slow >= 1 && (shortRate ?? 0) >= factor
      : isTicketOn(short, limits, { share: factor * allowed, isOpen })
  const isBurning = long.requests >= limits.requestsMin && long.slow >= SLOW_MIN && (longRate ?? 0) >= factor && goesOn
  return { rule, factor, longRate, shortRate, requests: long.requests, isBurning }
}

/**
 * A ticket does not hurry. Days after an outage its long window still burns, and a few slow requests of a quiet night would
 * make it tell of that again: to open one the short window has to be over the share beyond chance. And one that is open
 * would be over each night and open again each morning: to end it the short window has to be below beyond chance.
 */
function isTicketOn(
  short: Timed,
  limits: BurnLimits,
  of: { readonly share: number; readonly isOpen: boolean },
): boolean {
  const interval = computeWilsonInterval(short.slow, short.requests)
  if (interval === null) return false
  if (of.isOpen) return interval.high >= of.share
  return short.requests >= limits.requestsMin && short.slow >= SLOW_MIN && interval.low >= of.share
}

export function msOf(window: WindowName): number {
  return WINDOWS.find(({ name }) => name === window)?.ms ?? 0
}

/** Part 0..1 of the error budget that is left, negative when more than all of it is used; null when nothing was timed. */
export function budgetLeft(window: Timed, target: number): number | null {
  const rate = burnRate(window, target)
  return rate === null ? null : 1 - rate
}

const GROWTH = 1.1

/**
 * How many of a histogram's values are above a threshold in milliseconds, with how many there are. Inside the bucket of the
 * threshold they are taken to be spread evenly, so that it is off by no more than the values in that bucket, which are
 * within 10 % of the threshold; on the edge of a bucket it is exact. `counts` has LATENCY_BUCKETS places.
 */
export function countSlow(counts: ArrayLike<number>, thresholdMs: number): Timed {
  let requests = 0
  let slow = 0
  for (let bucket = 0; bucket < LATENCY_BUCKETS; bucket++) {
    const count = counts[bucket] ?? 0
    if (count === 0) continue
    requests += count
    const from = bucket === 0 ? 0 : GROWTH ** (bucket - 1)
    const to = bucket === LATENCY_BUCKETS - 1 ? Infinity : GROWTH ** bucket
    if (thresholdMs <= from) slow += count
    else if (thresholdMs < to && to !== Infinity) slow += (count * (to - thresholdMs)) / (to - from)
  }
  return { requests, slow }
}
