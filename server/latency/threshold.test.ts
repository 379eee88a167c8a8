import { expect, test } from "vitest"
import { type DecidedCell, findThreshold } from "./threshold.ts"

/** The same week many times over: `accepted` of 100 in each band from 10 on. */
const weeks = (acceptedOf100: readonly number[], times = 4): DecidedCell[] =>
  Array.from({ length: times }, () =>
    acceptedOf100.map((accepted, index) => ({ band: 10 + index, accepted, presented: 100 })),
  ).flat()

test("the threshold is where acceptance falls, with the shares on either side", () => {
  expect(findThreshold(weeks([40, 41, 39, 20, 19]))).toEqual({
    state: "seen",
    band: 13,
    fromMs: expect.closeTo(1.1 ** 51),
    below: 0.4,
    above: 0.195,
    chance: expect.toSatisfy((chance: number) => chance > 0 && chance < 1e-10),
  })
})

test("acceptance that is the same everywhere, or rises, has no threshold", () => {
  expect(findThreshold(weeks([40, 41, 39, 40, 41]))).toEqual({ state: "none" })
  expect(findThreshold(weeks([20, 20, 40, 40, 40]))).toEqual({ state: "none" })
  expect(findThreshold(weeks([0, 0, 0, 0, 0]))).toEqual({ state: "none" })
})

test("few decisions, or all in one band, say nothing", () => {
  expect(findThreshold(weeks([9, 0], 1).map((cell) => ({ ...cell, presented: 20 })))).toEqual({ state: "no_data" })
  expect(findThreshold(weeks([40]))).toEqual({ state: "no_data" })
})

test("a difference between weeks that disagree as much among themselves is none", () => {
  // As far apart as 35 and 25 of 100, which is told when all weeks agree.
  const split = (spread: number) => [...weeks([35 + spread, 25 + spread], 4), ...weeks([35 - spread, 25 - spread], 4)]
  expect(findThreshold(split(0))).toMatchObject({ state: "seen", band: 11 })
  expect(findThreshold(split(20))).toEqual({ state: "none" })
})

/** Of decisions that know nothing of latency, the share in which a threshold is seen stays near the level that is allowed. */
test("chance alone is rarely taken for a threshold", () => {
  let state = 1
  const random = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647
  let seen = 0
  for (let round = 0; round < 400; round++) {
    const cells = Array.from({ length: 40 }, (_, index) => {
      let accepted = 0
      for (let decision = 0; decision < 25; decision++) if (random() < 0.3) accepted++
      return { band: index % 8, accepted, presented: 25 }
    })
    if (findThreshold(cells).state === "seen") seen++
  }
  expect(seen).toBeLessThan(8)
})
