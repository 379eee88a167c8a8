import { expect, test } from "vitest"
import { closingRatio } from "./leading.ts"

test("it closes nearer to what is expected than it opens", () => {
  expect(closingRatio("slow").isLeast).toBe(false)
  expect(closingRatio("slow").ratio).toBeCloseTo(1.45 ** 0.8)
  expect(closingRatio("use").isLeast).toBe(true)
  expect(closingRatio("use").ratio).toBeCloseTo(0.78 ** 0.8)
})
