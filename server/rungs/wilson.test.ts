import fc from "fast-check"
import { expect, test } from "vitest"
import { computeWilsonInterval } from "./wilson.ts"

test("known intervals are met", () => {
  // Newcombe (1998), Statistics in Medicine 17, table I: 81/263 and 15/148.
  const first = computeWilsonInterval(81, 263)
  expect(first?.low).toBeCloseTo(0.2553, 4)
  expect(first?.high).toBeCloseTo(0.3662, 4)
  const second = computeWilsonInterval(15, 148)
  expect(second?.low).toBeCloseTo(0.0624, 4)
  expect(second?.high).toBeCloseTo(0.1605, 4)
})

test("without trials there is no interval", () => {
  expect(computeWilsonInterval(0, 0)).toBeNull()
})

test("an interval lies in 0..1 around its share and narrows with more trials", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5000 }), fc.double({ min: 0, max: 1, noNaN: true }), (trials, share) => {
      const successes = Math.round(trials * share)
      const interval = computeWilsonInterval(successes, trials)
      const wider = computeWilsonInterval(successes * 4, trials * 4)
      if (interval === null || wider === null) throw new Error("there were trials")
      expect(interval.low).toBeGreaterThanOrEqual(0)
      expect(interval.high).toBeLessThanOrEqual(1)
      expect(interval.low).toBeLessThanOrEqual(successes / trials + 1e-12)
      expect(interval.high).toBeGreaterThanOrEqual(successes / trials - 1e-12)
      expect(wider.high - wider.low).toBeLessThan(interval.high - interval.low)
    }),
  )
})
