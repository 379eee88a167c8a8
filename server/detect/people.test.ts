import fc from "fast-check"
import { expect, test } from "vitest"
import { countMarks, markOf, withMarks, withoutMarks } from "./people.ts"

const people = fc.array(fc.uuid(), { maxLength: 80 })
const marksOf = (list: readonly string[]) => list.map(markOf).reduce(withMarks, 0)

test("never more people are counted than there are, and nobody for nobody", () => {
  fc.assert(
    fc.property(people, (list) => {
      const count = countMarks(marksOf([...list, ...list]))
      expect(count).toBe(new Set(list.map(markOf)).size)
      expect(count).toBeLessThanOrEqual(new Set(list).size)
    }),
  )
  expect(countMarks(0)).toBe(0)
})

test("those of one group and not of another are counted without the other", () => {
  fc.assert(
    fc.property(people, people, (one, other) => {
      const [ofOne, ofOther] = [new Set(one.map(markOf)), new Set(other.map(markOf))]
      const left = withoutMarks(marksOf(one), marksOf(other))
      expect(countMarks(left)).toBe([...ofOne].filter((mark) => !ofOther.has(mark)).length)
      expect(withMarks(left, marksOf(other))).toBe(withMarks(marksOf(one), marksOf(other)))
    }),
  )
})

test("people differ in their marks as a rule", () => {
  const ids = Array.from({ length: 500 }, (_, index) => `00000000-0000-4000-8000-${String(index).padStart(12, "0")}`)
  expect(countMarks(marksOf(ids))).toBeGreaterThan(48)
  expect(countMarks(marksOf(ids.slice(0, 12)))).toBeGreaterThanOrEqual(8)
})
