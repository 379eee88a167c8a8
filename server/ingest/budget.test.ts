import * as fc from "fast-check"
import { expect, test } from "vitest"
import { createBudget } from "./budget.ts"

test("a sender's only request may have all that is free, and not more", () => {
  const budget = createBudget(100)
  const request = budget.open("a")
  expect([request.hold(60), request.hold(40), request.hold(1)]).toEqual(["ok", "ok", "full"])
  request.release()
  expect(budget.open("a").hold(100)).toBe("ok")
})

test("a sender without end gets half, and there is room for whoever comes next", () => {
  const budget = createBudget(100)
  const answers = Array.from({ length: 12 }, () => budget.open("noisy").hold(10))
  expect(answers.filter((answer) => answer === "ok")).toHaveLength(5)
  expect(answers.at(-1)).toBe("unfair")
  expect([budget.open("quiet").hold(10), budget.open("quiet").hold(10)]).toEqual(["ok", "ok"])
})

test("what is given back can be had again", () => {
  const budget = createBudget(100)
  const requests = Array.from({ length: 5 }, () => budget.open("a"))
  for (const request of requests) request.hold(10)
  expect(budget.open("a").hold(10)).toBe("unfair")
  requests[0]?.become(1)
  requests[1]?.release()
  expect(budget.open("a").hold(10)).toBe("ok")
})

test("never more is held than there is, whoever asks for what and gives back when", () => {
  const steps = fc.array(
    fc.record({
      sender: fc.constantFrom("a", "b", "c"),
      bytes: fc.integer({ min: 0, max: 60 }),
      isReleased: fc.boolean(),
    }),
  )
  fc.assert(
    fc.property(steps, (given) => {
      const budget = createBudget(100)
      let held = 0
      for (const { sender, bytes, isReleased } of given) {
        const request = budget.open(sender)
        if (request.hold(bytes) === "ok") held += isReleased ? 0 : bytes
        if (isReleased) request.release()
        expect(held).toBeLessThanOrEqual(100)
      }
      const rest = budget.open("someone else")
      expect([rest.hold(100 - held), rest.hold(1)]).toEqual(["ok", "full"])
    }),
  )
})
