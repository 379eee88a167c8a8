import { expect, test } from "vitest"
import { createOffsets } from "./time-zone.ts"

test.each([
  ["UTC", "2026-03-29T01:00:00Z", 0],
  ["Europe/Berlin", "2026-03-29T00:59:00Z", 60],
  ["Europe/Berlin", "2026-03-29T01:00:00Z", 120],
  ["Asia/Kolkata", "2026-03-29T01:00:00Z", 330],
  ["America/St_Johns", "2026-01-29T01:00:00Z", -210],
  ["Etc/GMT+3", "2026-03-29T01:00:00Z", -180],
])("in %s at %s the clocks are %i minutes from UTC", (timeZone, at, offset) => {
  expect(createOffsets(timeZone)(Date.parse(at))).toBe(offset)
})
