import { expect, test } from "vitest"
import { createRecent } from "./recent.ts"

test("never holds more than its maximum, and forgets what was used longest ago", () => {
  const recent = createRecent<number>(3)
  for (const value of [1, 2, 3]) recent.set(`n${value}`, value)
  recent.get("n1")
  for (let value = 4; value <= 1000; value++) {
    recent.set(`n${value}`, value)
    expect(recent.get("n1")).toBe(1)
    expect(recent.size).toBe(3)
  }
  expect([recent.get("n2"), recent.get("n999")]).toEqual([undefined, 999])
  recent.delete("n1")
  expect(recent.get("n1")).toBeUndefined()
})
