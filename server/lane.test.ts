import { expect, test } from "vitest"
import { createLane } from "./lane.ts"

test("no more than its width runs at once, and what waits runs in order, whether or not what ran failed", async () => {
  const inLane = createLane(2)
  const started: number[] = []
  const doors = Array.from({ length: 5 }, () => Promise.withResolvers<void>())
  const results = doors.map((door, index) =>
    inLane(async () => {
      started.push(index)
      await door.promise
      if (index === 1) throw new Error("broken")
      return index
    }).catch(() => "failed"),
  )
  await Promise.resolve()
  expect(started).toEqual([0, 1])
  doors[1]?.resolve()
  await results[1]
  expect(started).toEqual([0, 1, 2])
  for (const door of doors) door.resolve()
  expect(await Promise.all(results)).toEqual([0, "failed", 2, 3, 4])
  expect(started).toEqual([0, 1, 2, 3, 4])
})
