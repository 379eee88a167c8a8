import fc from "fast-check"
import { expect, test } from "vitest"
import { createRandom } from "../demo/random.ts"
import {
  addCount,
  addShare,
  logEvidence,
  makeSeries,
  ratioOf,
  restart,
  type Series,
  settle,
  shareOf,
} from "./series.ts"

const HOUR = 3_600_000
const DAY = 24 * HOUR
const SURE = 0
const EVERYWHERE = { dimension: "", values: [] }

const whose = (day: number, person = 0) => ({ day, person, mark: 2 ** person, team: 0, doubt: SURE })

/** Days of so many units with this share taken where 0.3 is expected, an hour each. */
function takeDays(series: Series, days: number, share: (day: number) => number, units = 40): void {
  for (let day = 1; day <= days; day++) {
    const taken = Math.round(units * share(day))
    for (let person = 0; person < 4; person++) {
      addShare(series, whose(day, person), shareOf(series.watched, units / 4, taken / 4, 0.3))
    }
    settle(series, day * DAY)
  }
}

test("units that come out as expected are no evidence, however many of them there are", () => {
  const series = makeSeries("autocomplete", "acceptance", EVERYWHERE)
  takeDays(series, 60, () => 0.3)
  expect(logEvidence(series)).toBeLessThan(1)
})

test("a lasting loss adds up over days, and the ratio says how large it is", () => {
  const series = makeSeries("autocomplete", "acceptance", EVERYWHERE)
  takeDays(series, 20, (day) => (day <= 10 ? 0.3 : 0.15))
  expect(logEvidence(series)).toBeGreaterThan(12)
  expect(ratioOf(series)).toBeCloseTo(0.5, 1)
})

test("more than expected is no loss", () => {
  const series = makeSeries("autocomplete", "acceptance", EVERYWHERE)
  takeDays(series, 30, () => 0.45)
  expect(logEvidence(series)).toBeLessThan(1)
})

test("units of one person count for less than those of several, since they vary together", () => {
  const [alone, several] = [makeSeries("chat", "acceptance", EVERYWHERE), makeSeries("chat", "acceptance", EVERYWHERE)]
  for (let day = 1; day <= 5; day++) {
    addShare(alone, whose(day), shareOf("acceptance", 400, 60, 0.3))
    for (let person = 0; person < 4; person++) {
      addShare(several, whose(day, person), shareOf("acceptance", 100, 15, 0.3))
    }
    settle(alone, day * DAY)
    settle(several, day * DAY)
  }
  expect(logEvidence(alone)).toBeLessThan(logEvidence(several))
})

test("false evidence over ln(1000) is rare in a thousand series of days as they vary", () => {
  const random = createRandom("a thousand series")
  let over = 0
  for (let run = 0; run < 1000; run++) {
    const series = makeSeries("agent", "prompts", EVERYWHERE)
    for (let day = 1; day <= 20; day++) {
      for (let person = 0; person < 3; person++) {
        const busy = random.logNormal(0.98, 0.17)
        for (let task = 0; task < 4; task++) {
          // Of median and spread so that the mean is 1 and the variance that of the negative binomial of a task.
          const mean = 1.2 * busy * random.logNormal(0.85, 0.57)
          let count = 0
          for (let left = Math.exp(-mean), at = random.next(); at > left; at *= random.next()) count++
          addCount(series, whose(day, person), count, 1.2)
        }
      }
      settle(series, day * DAY)
    }
    if (logEvidence(series) > Math.log(1000)) over++
  }
  expect(over).toBeLessThanOrEqual(10)
})

test("evidence is never below nothing, and does not depend on the order within an hour", () => {
  const tasks = fc.array(fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 9 })), { maxLength: 40 })
  fc.assert(
    fc.property(tasks, (list) => {
      const [one, other] = [makeSeries("agent", "errors", EVERYWHERE), makeSeries("agent", "errors", EVERYWHERE)]
      for (const [person, errors] of list) addCount(one, whose(1, person), errors, 0.5)
      for (const [person, errors] of list.toReversed()) addCount(other, whose(1, person), errors, 0.5)
      settle(one, DAY)
      settle(other, DAY)
      expect(logEvidence(one)).toBeGreaterThanOrEqual(0)
      expect(logEvidence(one)).toBeCloseTo(logEvidence(other), 9)
    }),
  )
})

test("more errors are more evidence", () => {
  const count = fc.integer({ min: 1, max: 20 })
  fc.assert(
    fc.property(count, count, (few, more) => {
      const [one, other] = [makeSeries("agent", "errors", EVERYWHERE), makeSeries("agent", "errors", EVERYWHERE)]
      for (let task = 0; task < 6; task++) {
        addCount(one, whose(1, task), few, 0.5)
        addCount(other, whose(1, task), few + more, 0.5)
      }
      settle(one, DAY)
      settle(other, DAY)
      expect(logEvidence(other)).toBeGreaterThanOrEqual(logEvidence(one))
    }),
  )
})

test("what is forgotten leaves nothing", () => {
  const series = makeSeries("autocomplete", "acceptance", EVERYWHERE)
  takeDays(series, 5, () => 0)
  restart(series)
  expect(logEvidence(series)).toBe(0)
  expect(ratioOf(series)).toBe(1)
})
