import { expect, test } from "vitest"
import { toViewPath } from "./view-path.ts"

test("a view is a page of figures with its filters, and leads nowhere else", () => {
  expect(toViewPath("/latency?rung=agent&range=8w#top")).toBe("/latency?rung=agent&range=8w")
  expect(toViewPath("/?team=a b")).toBe("/?team=a+b")
  expect(toViewPath("/usage?team=a&against=all")).toBe("/usage?team=a&against=all")
  expect(toViewPath("/incidents?state=any&before=2026-11-01_x")).toBe("/incidents?state=any")
  for (const given of [
    "https://example.com/latency",
    "//example.com/usage",
    "/\\example.com",
    "/usage/../keys",
    "/keys",
    "/usage.csv",
    "/\t/example.com",
    "latency",
    "javascript:alert(1)",
    `/usage?${"a".repeat(1000)}`,
    "",
  ]) {
    expect([given, toViewPath(given)]).toEqual([given, null])
  }
})
