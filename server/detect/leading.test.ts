import { expect, test } from "vitest"
import type { Evidence } from "./contract.ts"
import { closingRatio, leadingEvidence } from "./leading.ts"

function evidence(watched: Evidence["watched"], logEvidence: number): Evidence {
  const figures = { observed: 2, expected: 1, ratio: 2, low: 1.5, high: 2.5, units: 9, since: 0, restRatio: null }
  return { watched, logEvidence, ...figures }
}

test("an incident stands on the signal that names its cause, though another has more evidence", () => {
  const all = [evidence("use", 30), evidence("slow", 12), evidence("acceptance", 9)]
  expect(leadingEvidence({ cause: "latency", evidence: all })?.watched).toBe("slow")
  expect(leadingEvidence({ cause: "quality", evidence: all })?.watched).toBe("acceptance")
  expect(leadingEvidence({ cause: "permission", evidence: all })?.watched).toBe("use")
  expect(leadingEvidence({ cause: "permission", evidence: [] })).toBeNull()
})

test("it closes nearer to what is expected than it opens", () => {
  expect(closingRatio("slow").isLeast).toBe(false)
  expect(closingRatio("slow").ratio).toBeCloseTo(1.45 ** 0.8)
  expect(closingRatio("use").isLeast).toBe(true)
  expect(closingRatio("use").ratio).toBeCloseTo(0.78 ** 0.8)
})
