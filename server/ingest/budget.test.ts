import * as fc from "fast-check"
import { expect, test } from "vitest"
import { createBudget } from "./budget.ts"

test("a sender's only request may have all that is free, and not more", () => {
  const budget = createBudget(100)
  budget.open("b").hold(10)
  const request = budget.open("a")
  expect([request.hold(60), request.hold(30), request.hold(1)]).toEqual(["ok", "ok", "full"])
  request.release()
  expect(budget.open("a").hold(90)).toBe("ok")
})

test("a request that is alone may be larger than all there is, and nobody comes in until it is gone", () => {
  const budget = createBudget(100)
  const large = budget.open("a")
  expect([large.hold(90), large.hold(90)]).toEqual(["ok", "ok"])
  expect([budget.open("b").hold(1), large.hold(1)]).toEqual(["full", "ok"])
  large.release()
  expect(budget.open("b").hold(1)).toBe("ok")
})

test("a sender waits since its oldest request that is not done yet came in", () => {
  const budget = createBudget(100)
  const [first, second] = [budget.open("a"), budget.open("a")]
  expect(budget.waitingSince("a")).toBeNull()
  second.wait(5)
  first.wait(7)
  expect([budget.waitingSince("a"), budget.waitingSince("b")]).toEqual([5, null])
  second.release()
  expect(budget.waitingSince("a")).toBe(7)
  first.release()
  expect(budget.waitingSince("a")).toBeNull()
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
      expect([rest.hold(100 - held), rest.hold(1)]).toEqual(["ok", held === 0 ? "ok" : "full"])
    }),
  )
})
