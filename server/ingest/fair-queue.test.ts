import * as fc from "fast-check"
import { expect, test } from "vitest"
import { createFairQueue, type Waiting } from "./fair-queue.ts"

const item = (sender: string, rows = 1, orgId = "org") => ({ orgId, sender, rows })

function queueOf(items: readonly Waiting[]) {
  const queue = createFairQueue<Waiting>()
  for (const each of items) queue.push(each)
  return queue
}

const sendersOf = (items: readonly Waiting[]) => items.map((each) => each.sender).join("")

test("a sender of much cannot keep one of little waiting for more than a turn", () => {
  const queue = queueOf([...Array.from({ length: 100 }, () => item("a", 10)), item("b", 10), item("c", 10)])
  expect(sendersOf(queue.take(40))).toBe("abca")
  queue.push(item("b", 10))
  expect(sendersOf(queue.take(20))).toBe("ab")
})

test("whoever was served goes to the end of the line", () => {
  const queue = queueOf([item("a"), item("a"), item("a"), item("b"), item("b")])
  expect([queue.take(1), queue.take(1), queue.take(1), queue.take(1), queue.take(1)].map(sendersOf)).toEqual([
    "a",
    "b",
    "a",
    "b",
    "a",
  ])
  expect(queue.isEmpty()).toBe(true)
})

test("an item with more rows than are asked for is taken alone", () => {
  const queue = queueOf([item("a", 100), item("a", 1)])
  expect([queue.take(10), queue.take(10)].map((taken) => taken.map((each) => each.rows))).toEqual([[100], [1]])
})

test("items of two organizations are never taken together", () => {
  const queue = queueOf([item("a", 1, "one"), item("b", 1, "two"), item("c", 1, "one"), item("b", 1, "two")])
  expect([queue.take(10), queue.take(10)].map(sendersOf)).toEqual(["ac", "bb"])
})

test("whatever comes in comes out once, in its sender's order and within what was asked for", () => {
  const items = fc.array(
    fc.record({ sender: fc.constantFrom("a", "b", "c", "d"), rows: fc.integer({ min: 0, max: 20 }) }),
  )
  fc.assert(
    fc.property(items, fc.integer({ min: 1, max: 30 }), (given, rowsMax) => {
      const numbered = given.map((each, index) => ({ ...each, orgId: each.sender < "c" ? "one" : "two", index }))
      const queue = createFairQueue<(typeof numbered)[number]>()
      for (const each of numbered) queue.push(each)
      const taken: typeof numbered = []
      while (!queue.isEmpty()) {
        const group = queue.take(rowsMax)
        const rows = group.reduce((sum, each) => sum + each.rows, 0)
        expect(group.length === 1 || rows <= rowsMax).toBe(true)
        expect(new Set(group.map((each) => each.orgId)).size).toBe(1)
        taken.push(...group)
      }
      for (const sender of ["a", "b", "c", "d"]) {
        const of = (all: typeof numbered) => all.filter((each) => each.sender === sender).map((each) => each.index)
        expect(of(taken)).toEqual(of(numbered))
      }
    }),
  )
})
