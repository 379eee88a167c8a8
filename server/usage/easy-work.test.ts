import { expect, test } from "vitest"
import type { ModelCost } from "./cost-queries.ts"
import { compareEasyWork } from "./easy-work.ts"

const model = (name: string, closed: number, merged: number, standing: number, usd: number): ModelCost => ({
  rung: "agent",
  name,
  hasSeveral: false,
  isEasy: true,
  state: "shown",
  cost: { closed, merged, standing, usd, perStanding: null, interval: null, people: 9 },
})

test("easy work of the dear model is held against the cheapest's, and a saving needs that to be no worse", () => {
  const dear = model("opus", 200, 180, 171, 90)
  const [found] = compareEasyWork([model("haiku", 200, 182, 176, 18.2), dear, model("sonnet", 20, 20, 20, 6)])
  expect(found).toMatchObject({ dear: "opus", cheap: "haiku", changes: 180, usd: 90, isEqual: true })
  // 180 changes of 0.50 each, at 0.10.
  expect(found?.savingUsd).toBeCloseTo(72)
  expect(found?.shareOfSpend).toBeCloseTo(90 / 114.2)
  // 91 % less 90 %: as Newcombe's method 10 gives it.
  expect(found?.acceptance.low).toBeCloseTo(-0.0488, 3)
  expect(found?.acceptance.high).toBeCloseTo(0.069, 3)

  // Of few changes nothing is said to be equal, and nothing is compared with itself, with several models or with none.
  expect(compareEasyWork([model("haiku", 10, 9, 9, 1), dear])[0]).toMatchObject({ isEqual: false })
  expect(compareEasyWork([dear])).toEqual([])
  expect(compareEasyWork([dear, { ...model("", 9, 9, 9, 1), name: null, hasSeveral: true }])).toEqual([])
  expect(compareEasyWork([dear, { ...model("haiku", 200, 182, 176, 18), isEasy: false }])).toEqual([])
})
