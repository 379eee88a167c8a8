import { bandOf } from "../rollup/histogram.ts"
import type { Interval } from "../rungs/wilson.ts"

/** What people decided on operations of one band of latency, in one week and group of people. */
export interface DecidedCell {
  readonly band: number
  readonly accepted: number
  /** More than 0. */
  readonly presented: number
}

/** From where on less is accepted. */
export type Threshold =
  | {
      readonly state: "seen"
      /** The first band above it, and where that begins. */
      readonly band: number
      readonly fromMs: number
      /** Shares accepted on either side, 0..1. */
      readonly below: number
      readonly above: number
      /** Of a difference as large anywhere, if latency made none. */
      readonly chance: number
    }
  /** There are enough decisions, and none of the places where latencies can be cut in two tells them apart. */
  | { readonly state: "none" }
  | { readonly state: "no_data" }

/** Cuts leave at least this share of the decisions on either side, and as many as the approximation needs. */
const SHARE_MIN = 0.02
const SIDE_MIN = 50
/** A difference that chance makes as rarely is told. */
const CHANCE_MAX = 0.01

/**
 * Finds the latency from which on people accept less, by the maximally selected chi-square statistic: of all places where
 * the bands can be cut in two that leave enough decisions on either side, the one where acceptance differs most,
 * held against what the best of so many places would show by chance (Miller and Siegmund's approximation, its formula as
 * in Lausen and Schumacher). One person's decisions are alike and so are a week's: the statistic is divided by the
 * dispersion that cells show around the two shares, as quasi-likelihood does. It tells what goes together and not what
 * is the cause.
 *
 * @see Miller, R. and Siegmund, D. (1982), Maximally selected chi square statistics. Biometrics 38.
 * @see Lausen, B. and Schumacher, M. (1992), Maximally selected rank statistics. Biometrics 48.
 * @see McCullagh, P. and Nelder, J. (1989), Generalized linear models, section 4.5, for the dispersion
 */
export function findThreshold(cells: readonly DecidedCell[]): Threshold {
  const bands = [...new Set(cells.map(({ band }) => band))].toSorted((a, b) => a - b)
  const whole = sumOf(cells)
  if (whole.presented < 2 * SIDE_MIN || bands.length < 2) return { state: "no_data" }
  let best: { band: number; chiSquare: number; below: number; above: number } | null = null
  for (const band of bands.slice(1)) {
    const below = sumOf(cells.filter((cell) => cell.band < band))
    const above = sumOf(cells.filter((cell) => cell.band >= band))
    if (Math.min(below.presented, above.presented) < Math.max(SIDE_MIN, SHARE_MIN * whole.presented)) continue
    const shares = { below: below.accepted / below.presented, above: above.accepted / above.presented }
    const share = whole.accepted / whole.presented
    const variance = share * (1 - share) * (1 / below.presented + 1 / above.presented)
    if (variance === 0) continue
    const chiSquare = (shares.below - shares.above) ** 2 / variance
    if (best === null || chiSquare > best.chiSquare) best = { band, chiSquare, ...shares }
  }
  if (best === null) return { state: whole.accepted % whole.presented === 0 ? "none" : "no_data" }
  const chance = chanceOf(Math.sqrt(best.chiSquare / dispersionOf(cells, best)))
  if (chance > CHANCE_MAX || best.above >= best.below) return { state: "none" }
  return {
    state: "seen",
    band: best.band,
    fromMs: bandOf(best.band).fromMs,
    below: best.below,
    above: best.above,
    chance,
  }
}

function sumOf(cells: readonly DecidedCell[]): { accepted: number; presented: number } {
  return cells.reduce(
    (sum, cell) => ({ accepted: sum.accepted + cell.accepted, presented: sum.presented + cell.presented }),
    { accepted: 0, presented: 0 },
  )
}

/** Pearson's statistic of the cells around the two shares, by its degrees of freedom; never below 1. */
function dispersionOf(cells: readonly DecidedCell[], cut: { band: number; below: number; above: number }): number {
  if (cells.length <= 2) return 1
  let sum = 0
  for (const { band, accepted, presented } of cells) {
    const share = band < cut.band ? cut.below : cut.above
    const variance = presented * share * (1 - share)
    if (variance > 0) sum += (accepted - presented * share) ** 2 / variance
  }
  return Math.max(1, sum / (cells.length - 2))
}

/** How often the largest standardized difference over all cuts is `b` or more by chance. */
function chanceOf(b: number): number {
  if (b <= 1) return 1
  const density = Math.exp((-b * b) / 2) / Math.sqrt(2 * Math.PI)
  const range = Math.log((1 - SHARE_MIN) ** 2 / SHARE_MIN ** 2)
  return Math.min(1, (4 * density) / b + density * (b - 1 / b) * range)
}

/** Of one band: what was accepted of what was presented. */
export interface DoseBand {
  readonly band: number
  /** `[fromMs, toMs)`. */
  readonly fromMs: number
  readonly toMs: number
  readonly people: number
  readonly accepted: number
  readonly presented: number
  /** A ratio 0..1, with its 95 % Wilson interval. */
  readonly acceptance: number
  readonly interval: Interval
}
