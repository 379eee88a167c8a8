import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { LATENCY_BUCKETS, latencyBucketOf } from "../rollup/histogram.ts"
import { budgetLeft, countSlow, judge, NO_ALERT, type Readings, type Timed, WINDOWS } from "./burn.ts"

const HOUR_MS = 3_600_000
const LIMITS = { target: 0.95, requestsMin: 30 }
const AT = { at: 100 * HOUR_MS, ...NO_ALERT }

/** The same share of slow requests everywhere, other than where it is said. */
function readings(share: number, other: Partial<Record<keyof Readings, Timed>> = {}): Readings {
  const timed = { requests: 10_000, slow: 10_000 * share }
  const all = Object.fromEntries(WINDOWS.map(({ name }) => [name, timed])) as Record<keyof Readings, Timed>
  return { ...all, ...other }
}

describe("judge", () => {
  test("has the factors of the workbook, and a faster page for what is slow for two in five", () => {
    const { burns } = judge(readings(0.5), LIMITS, AT)
    expect(burns.map(({ factor }) => Number((factor * 0.05).toFixed(2)))).toEqual([0.4, 0.72, 0.3, 0.15, 0.05])
    expect(judge(readings(0.41), LIMITS, AT).burn.rule.long).toBe("30 min")
    const calmer = readings(0.721, { "30 min": { requests: 1000, slow: 390 } })
    expect(judge(calmer, LIMITS, AT).burn.rule.long).toBe("1 h")
    expect(judge(readings(0.31), LIMITS, AT).burn.rule).toMatchObject({ severity: "page", long: "6 h" })
    expect(judge(readings(0.16), LIMITS, AT).burn.rule).toMatchObject({ severity: "ticket", long: "1 day" })
    expect(judge(readings(0.056), LIMITS, AT).burn.rule).toMatchObject({ severity: "ticket", long: "3 days" })
    expect(judge(readings(0.049), LIMITS, AT)).toMatchObject({ verdict: "calm", severity: null })
  })

  test("needs both windows: what is over does not fire, nor what has only begun", () => {
    const fine = { requests: 1000, slow: 0 }
    const over = readings(0.9, { "5 min": fine, "30 min": fine, "2 h": fine, "6 h": fine })
    expect(judge(over, LIMITS, AT).verdict).toBe("calm")
    const begun = readings(0, { "5 min": { requests: 100, slow: 100 } })
    expect(judge(begun, LIMITS, AT).verdict).toBe("calm")
  })

  test("a ticket does not go by what a quiet night has by chance, after an outage", () => {
    const chance = { requests: 90, slow: 5 }
    expect(judge(readings(0.06, { "6 h": chance, "2 h": chance }), LIMITS, AT).verdict).toBe("calm")
  })

  test("an open ticket lasts over a night that says too little, and is over once less is slow beyond chance", () => {
    const open = { ...AT, isOpen: true }
    const night = { requests: 20, slow: 0 }
    const burning = readings(0.06, { "30 min": { requests: 10, slow: 0 }, "2 h": night, "6 h": night })
    expect(judge(burning, LIMITS, AT).verdict).toBe("calm")
    expect(judge(burning, LIMITS, open)).toMatchObject({ verdict: "firing", severity: "ticket" })
    const morning = { requests: 400, slow: 8 }
    expect(judge({ ...burning, "2 h": morning, "6 h": morning }, LIMITS, open).verdict).toBe("calm")
    // Silence is told as silence.
    const silent = { requests: 0, slow: 0 }
    expect(judge(readings(0.06, { "30 min": silent, "2 h": silent, "6 h": silent }), LIMITS, open).verdict).toBe(
      "unknown",
    )
  })

  test("few requests say nothing, and silence is not calm", () => {
    const few = { requests: 29, slow: 29 }
    const quiet = Object.fromEntries(WINDOWS.map(({ name }) => [name, few])) as Record<keyof Readings, Timed>
    expect(judge(quiet, LIMITS, AT).verdict).toBe("calm")
    const none = Object.fromEntries(WINDOWS.map(({ name }) => [name, { requests: 0, slow: 0 }]))
    expect(judge(none as Record<keyof Readings, Timed>, LIMITS, AT)).toMatchObject({
      verdict: "unknown",
      burn: { longRate: null, shortRate: null },
    })
    expect(judge(readings(0, { "30 min": { requests: 2, slow: 0 } }), LIMITS, AT).verdict).toBe("unknown")
  })

  test("after a page a ticket waits until its short window is past the page", () => {
    const pagedUntil = AT.at - 5 * HOUR_MS
    const burning = readings(0.06)
    expect(judge(burning, LIMITS, { ...AT, pagedUntil }).verdict).toBe("calm")
    expect(judge(burning, LIMITS, { ...AT, at: AT.at + HOUR_MS, pagedUntil }).severity).toBe("ticket")
    // A page does not wait for another.
    expect(judge(readings(0.8), LIMITS, { ...AT, pagedUntil }).severity).toBe("page")
  })

  test("a target that leaves no room for the factor can still page", () => {
    expect(judge(readings(0.7), { ...LIMITS, target: 0.5 }, AT).severity).toBe("ticket")
    expect(judge(readings(0.41), { ...LIMITS, target: 0.99 }, AT).burn.factor).toBeCloseTo(40)
    expect(judge(readings(0.81), { ...LIMITS, target: 0.5 }, AT).severity).toBe("page")
  })

  test("more slow requests never make it calmer, and all of them page whatever the target", () => {
    const rank = { page: 2, ticket: 1 }
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0.5, max: 0.9999, noNaN: true }),
        (a, b, target) => {
          const severity = (share: number) => judge(readings(share), { ...LIMITS, target }, AT).severity
          const [low, high] = [severity(Math.min(a, b)), severity(Math.max(a, b))]
          expect(high === null ? 0 : rank[high]).toBeGreaterThanOrEqual(low === null ? 0 : rank[low])
          expect(severity(1)).toBe("page")
        },
      ),
    )
  })
})

test("the budget that is left falls below nothing, and is unknown where nothing was timed", () => {
  expect(budgetLeft({ requests: 1000, slow: 25 }, 0.95)).toBeCloseTo(0.5)
  expect(budgetLeft({ requests: 1000, slow: 100 }, 0.95)).toBeCloseTo(-1)
  expect(budgetLeft({ requests: 0, slow: 0 }, 0.95)).toBeNull()
})

test("slow requests are counted from a histogram to within those of the threshold's own bucket", () => {
  const latency = fc.double({ min: 0.1, max: 1e6, noNaN: true })
  fc.assert(
    fc.property(fc.array(latency, { maxLength: 200 }), latency, (values, thresholdMs) => {
      const counts = new Float64Array(LATENCY_BUCKETS)
      for (const value of values) {
        const bucket = latencyBucketOf(value)
        counts[bucket] = (counts[bucket] ?? 0) + 1
      }
      const { requests, slow } = countSlow(counts, thresholdMs)
      const truth = values.filter((value) => value >= thresholdMs).length
      expect(requests).toBe(values.length)
      expect(Math.abs(slow - truth)).toBeLessThanOrEqual((counts[latencyBucketOf(thresholdMs)] ?? 0) + 1e-9)
    }),
  )
})
