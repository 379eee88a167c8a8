import { latencyBucketOf, LATENCY_BUCKETS } from "../rollup/histogram.ts"
import { type BurnLimits, countSlow, type Timed } from "../slo/burn.ts"
import { simulate } from "./simulate.ts"

/** Eight weeks of an organization's latency, simulated by the minute, and what two ways of alerting make of it. */

export const REPLAY_WEEKS = 8
const MINUTE_MS = 60_000
const DAY_MINUTES = 24 * 60
const WEEK_MINUTES = 7 * DAY_MINUTES

/** Something that slowed answers, worth somebody's evening or not. */
interface Episode {
  readonly name: string
  /** Minutes after the start. */
  readonly from: number
  readonly to: number
  /** Share 0..1 of requests that are slowed. */
  readonly share: number
  /** How many times as long those take. */
  readonly times: number
  /** Whether somebody should be told: it uses up 2 % of the month's budget or more. */
  readonly isReal: boolean
}

export interface ReplayResult {
  readonly detected: number
  readonly missed: number
  readonly falseAlarms: number
  /** Minutes from the start of an episode until it was told of, of those that were. */
  readonly detectionMinutes: readonly number[]
}

export interface Replay {
  readonly requests: number
  readonly realEpisodes: number
  readonly burnRate: ReplayResult
  /** By how many minutes in a row it has to be over its threshold. */
  readonly staticThreshold: ReadonlyMap<number, ReplayResult>
}

/** The usual remedy for a static threshold that cries wolf is to wait. */
export const STATIC_WAITS = [0, 5, 10, 15, 20, 30, 45]

/** The same numbers for the same seed: xorshift32, Marsaglia (2003). */
function randomFrom(seed: number): () => number {
  let state = seed | 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}

/**
 * Of each week: an outage, one that slows every other request, two busy hours in which a few more requests than usual are
 * slow, and blips of a few minutes that are over before anybody could act. Every other week a working day on which nearly
 * one request in five is slow. Nights and weekends have few requests, which by chance are slow together.
 */
function planEpisodes(random: () => number): readonly Episode[] {
  const episodes: Episode[] = []
  const atWork = (week: number, day: number) =>
    week * WEEK_MINUTES + day * DAY_MINUTES + 9 * 60 + Math.floor(random() * 5 * 60)
  for (let week = 0; week < REPLAY_WEEKS; week++) {
    const outage = atWork(week, 1)
    episodes.push({
      name: "outage",
      from: outage,
      to: outage + 60 + random() * 60,
      share: 0.95,
      times: 8,
      isReal: true,
    })
    const partial = atWork(week, 3)
    episodes.push({ name: "partial", from: partial, to: partial + 150, share: 0.5, times: 6, isReal: true })
    if (week % 2 === 1) {
      const from = week * WEEK_MINUTES + 4 * DAY_MINUTES + 8 * 60 + random() * 60
      episodes.push({ name: "slow burn", from, to: from + 600, share: 0.18, times: 6, isReal: true })
    }
    for (const day of [0, 2]) {
      const from = atWork(week, day)
      const to = from + 45 + random() * 30
      // 8 % slow in an hour of two hundred: less than 1 % of the month's budget.
      episodes.push({ name: "busy hour", from, to, share: 0.07, times: 6, isReal: false })
    }
    for (let blip = 0; blip < 6; blip++) {
      const from = atWork(week, Math.floor(random() * 5))
      episodes.push({ name: "blip", from, to: from + 2 + random() * 4, share: 0.8, times: 6, isReal: false })
    }
  }
  // No blip inside of what is real: it would be told of with that.
  const real = episodes.filter(({ isReal }) => isReal)
  return episodes.filter(
    (one) => one.isReal || !real.some(({ from, to }) => one.from < to + 4 * 60 && one.to > from - 30),
  )
}

/** Requests a minute: people work on weekdays, in some hours more than in others. */
function trafficAt(minute: number): number {
  const day = Math.floor(minute / DAY_MINUTES) % 7
  const hour = (minute % DAY_MINUTES) / 60
  if (day >= 5) return 0.15
  if (hour < 7 || hour > 20) return 0.25
  return 6 + 10 * Math.max(0, Math.sin(((hour - 7) / 13) * Math.PI))
}

/** The threshold, the median and the spread of a normal answer: 1 in 60 is slow by itself, where 1 in 20 may be. */
const OBJECTIVE = { thresholdMs: 2000, medianMs: 600, sigma: 0.566 }
const LIMITS: BurnLimits = { target: 0.95, requestsMin: 30 }

export function replay(seed: number): Replay {
  const random = randomFrom(seed)
  const episodes = planEpisodes(random)
  const minutes = REPLAY_WEEKS * WEEK_MINUTES
  const buckets: Timed[] = []
  let requests = 0
  for (let minute = 0; minute < minutes; minute++) {
    const histogram = new Float64Array(LATENCY_BUCKETS)
    const running = episodes.filter(({ from, to }) => minute >= from && minute < to)
    const count = poisson(trafficAt(minute), random)
    for (let request = 0; request < count; request++) {
      let ms = OBJECTIVE.medianMs * Math.exp(OBJECTIVE.sigma * normal(random))
      for (const { share, times } of running) if (random() < share) ms *= times
      const bucket = latencyBucketOf(ms)
      histogram[bucket] = (histogram[bucket] ?? 0) + 1
    }
    requests += count
    buckets.push(countSlow(histogram, OBJECTIVE.thresholdMs))
  }
  const firings = simulate(buckets, { startAt: 0, bucketMs: MINUTE_MS, from: 0, limits: LIMITS })
  const burn = firings.map(({ openedAt, resolvedAt }) => ({
    from: openedAt / MINUTE_MS,
    to: (resolvedAt ?? Infinity) / MINUTE_MS,
  }))
  return {
    requests,
    realEpisodes: episodes.filter(({ isReal }) => isReal).length,
    burnRate: score(burn, episodes),
    staticThreshold: new Map(
      STATIC_WAITS.map((waitMinutes) => [waitMinutes, score(staticAlarms(buckets, waitMinutes), episodes)]),
    ),
  }
}

interface Alarm {
  readonly from: number
  readonly to: number
}

/**
 * What is usual: the 95th percentile of five minutes is above the threshold, of as many requests as a burn rate needs, for
 * so many minutes in a row. Over after five minutes below it.
 */
function staticAlarms(buckets: readonly Timed[], waitMinutes: number): readonly Alarm[] {
  const alarms: { from: number; to: number }[] = []
  let open: { from: number; to: number } | null = null
  let [over, calm] = [0, 0]
  for (let end = 5; end <= buckets.length; end++) {
    let [requests, slow] = [0, 0]
    for (const bucket of buckets.slice(end - 5, end)) {
      requests += bucket.requests
      slow += bucket.slow
    }
    const isOver = requests >= LIMITS.requestsMin && slow / requests > 1 - LIMITS.target
    over = isOver ? over + 1 : 0
    calm = isOver ? 0 : calm + 1
    if (over > waitMinutes && open === null) {
      open = { from: end, to: Infinity }
      alarms.push(open)
    }
    if (open !== null && calm >= 5) {
      open.to = end
      open = null
    }
  }
  return alarms
}

/** An alarm is of an episode when it begins while that lasts, or up to an hour later, as windows trail. */
const TRAIL_MINUTES = 60

function score(alarms: readonly Alarm[], episodes: readonly Episode[]): ReplayResult {
  const real = episodes.filter(({ isReal }) => isReal)
  const detectionMinutes: number[] = []
  for (const episode of real) {
    // What was open before by chance told nobody of this.
    const first = alarms.find(({ from }) => from > episode.from && from < episode.to)
    if (first !== undefined) detectionMinutes.push(first.from - episode.from)
  }
  const falseAlarms = alarms.filter(
    ({ from }) => !real.some((episode) => from >= episode.from && from <= episode.to + TRAIL_MINUTES),
  ).length
  return {
    detected: detectionMinutes.length,
    missed: real.length - detectionMinutes.length,
    falseAlarms,
    detectionMinutes,
  }
}

/** Box and Muller (1958). */
function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}

/** Knuth, "The Art of Computer Programming" 2, section 3.4.1. */
function poisson(mean: number, random: () => number): number {
  const limit = Math.exp(-mean)
  let count = 0
  for (let product = random(); product > limit; product *= random()) count++
  return count
}
