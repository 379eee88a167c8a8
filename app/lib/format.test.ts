import { expect, test } from "vitest"
import {
  formatAge,
  formatBytes,
  formatCount,
  formatDuration,
  formatMargin,
  formatPoints,
  formatShare,
  formatUntil,
  plural,
} from "./format.ts"
import { toLocalPath } from "./paths.ts"

test("milliseconds come in the unit in which people think of them", () => {
  expect([0, 199.6, 1500, 90_000, 5_400_000].map(formatDuration)).toEqual([
    "0 ms",
    "200 ms",
    "1.5 s",
    "1.5 min",
    "1.5 h",
  ])
})

test("bytes come in the largest unit that they fill", () => {
  expect([0, 1023, 1536, 24 * 1024 ** 2, 3.2 * 1024 ** 3].map(formatBytes)).toEqual([
    "0 bytes",
    "1,023 bytes",
    "1.5 KiB",
    "24 MiB",
    "3.2 GiB",
  ])
})

test("a ratio becomes a percentage, a difference points with a sign", () => {
  expect(formatShare(0.714)).toBe("71 %")
  expect([0.06, -0.014, 0.001].map(formatPoints)).toEqual(["+6 pts", "−1 pt", "±0 pts"])
  expect(formatMargin({ low: 0.68, high: 0.74 })).toBe("± 3")
})

test("counts are grouped, and short when they are long", () => {
  expect([1, 12_345, 1_234_567].map(formatCount)).toEqual(["1", "12,345", "1.2M"])
  expect([plural(1, "person", "people"), plural(0, "run")]).toEqual(["1 person", "0 runs"])
})

test("an age says the largest unit, and a clock that runs ahead is just now", () => {
  const now = new Date("2026-11-20T12:00:00Z")
  const ago = (seconds: number) => formatAge(new Date(now.getTime() - seconds * 1000), now)
  expect([-10, 2, 40, 200, 7200, 90_000, 200_000].map(ago)).toEqual([
    "just now",
    "just now",
    "40 s ago",
    "3 min ago",
    "2 h ago",
    "1 day ago",
    "2 days ago",
  ])
})

test("a time ahead says the largest unit, and one that is over is now", () => {
  const now = new Date("2026-11-20T12:00:00Z")
  const ahead = (seconds: number) => formatUntil(new Date(now.getTime() + seconds * 1000), now)
  expect([-10, 30, 200, 82_000, 100_000, 200_000].map(ahead)).toEqual([
    "now",
    "in 30 s",
    "in 3 min",
    "in 23 h",
    "in 28 h",
    "in 2 days",
  ])
})

test("a way back that would leave Belay leads to the ladder", () => {
  expect(
    ["/connect?tool=codex", "//evil.example", "/\\evil.example", "https://evil.example", null].map(toLocalPath),
  ).toEqual(["/connect?tool=codex", "/", "/", "/", "/"])
})
