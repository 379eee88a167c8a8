import { expect, test } from "vitest"
import { newTimes, quantileOf } from "./times.ts"

test("a quantile is at most 9 % off, over five orders of magnitude", () => {
  for (let exponent = 0; exponent < 5; exponent++) {
    for (let lead = 1; lead < 10; lead += 0.37) {
      const ms = lead * 10 ** exponent
      const times = newTimes()
      times.add(ms)
      const read = quantileOf(times.counts, 0.5) ?? 0
      expect([ms, Math.abs(read / ms - 1) < 0.0906]).toEqual([ms, true])
    }
  }
})

test("quantiles go by rank, and nothing has none", () => {
  const times = newTimes()
  for (let count = 0; count < 95; count++) times.add(10)
  for (let count = 0; count < 5; count++) times.add(1000)
  const [p50, p95, p96] = [0.5, 0.95, 0.96].map((share) => Math.round(quantileOf(times.counts, share) ?? 0))
  expect([p50 === p95, (p96 ?? 0) > 900]).toEqual([true, true])
  expect(quantileOf(newTimes().counts, 0.5)).toBeNull()
})

test("what is immediate and what takes an hour count as the shortest and the longest", () => {
  const times = newTimes()
  for (const ms of [0, -1, 3_600_000]) times.add(ms)
  expect([times.counts[0], times.counts.at(-1)]).toEqual([2, 1])
})
