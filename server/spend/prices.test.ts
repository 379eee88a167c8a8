import { readFile } from "node:fs/promises"
import { expect, test } from "vitest"
import { makeSeedPrices, SEED_FILE } from "../../test/setup/generate-prices.ts"
import { ANY_PROVIDER, costOf, createPriceTable, type Price } from "./prices.ts"

const at = (day: string) => new Date(`${day}T12:00:00Z`)
const price = (inputUsd: number, outputUsd: number): Price => ({
  inputUsd,
  outputUsd,
  cachedUsd: null,
  cacheWriteUsd: null,
})

test("the prices that are shipped are those of the pinned package", async () => {
  expect(await readFile(SEED_FILE, "utf8")).toBe(await makeSeedPrices())
})

test("a model is found however a source names it, at its maker where nobody says where", () => {
  const table = createPriceTable([])
  const opus = { inputUsd: 5, cachedUsd: 0.5, cacheWriteUsd: 6.25, outputUsd: 25 }
  for (const [model, provider] of [
    ["claude-opus-4-5-20251101", null],
    ["claude-opus-4.5", "claude"],
    ["us.anthropic.claude-opus-4-5-20251101-v1:0", null],
    ["openrouter/anthropic/claude-opus-4.5", null],
    // Newer than the catalog of the policy, and in the seed.
    ["claude-opus-4-7-20260501", null],
  ] as const) {
    expect(table.priceAt(model, provider, at("2026-11-20")), model).toEqual(opus)
  }
  expect(table.priceAt("gpt-5-codex", null, at("2026-11-20"))).toMatchObject({ inputUsd: 1.25, outputUsd: 10 })
  expect(table.priceAt("gemini-3-pro-preview", null, at("2026-11-20"))).toMatchObject({ inputUsd: 2 })
})

test("what nobody has a price of has none, and a known model at somebody who shows none neither", () => {
  const table = createPriceTable([])
  expect(table.priceAt("our-own-model", null, at("2026-11-20"))).toBeNull()
  expect(table.priceAt("qwen3-coder", "ollama", at("2026-11-20"))).toBeNull()
  const set = { model: "our-own-model", provider: ANY_PROVIDER, validFrom: "2026-11-01", price: price(1, 2) }
  expect(createPriceTable([set]).priceAt("our-own-model", "ollama", at("2026-11-20"))).toEqual(price(1, 2))
  expect(createPriceTable([set]).priceAt("our-own-model", null, at("2026-10-31"))).toBeNull()
})

test("the price is that of the day, shipped or set, and goes back to what is shipped", () => {
  expect(createPriceTable([]).priceAt("o3", null, at("2025-06-09"))).toMatchObject({ inputUsd: 10 })
  expect(createPriceTable([]).priceAt("o3", null, at("2025-06-10"))).toMatchObject({ inputUsd: 2 })
  const o3 = { model: "o3", provider: "openai" }
  const table = createPriceTable([
    { ...o3, validFrom: "2025-05-01", price: price(7, 7) },
    // Corrected: of one day the last that is given counts.
    { ...o3, validFrom: "2025-05-01", price: price(8, 8) },
    { ...o3, validFrom: "2025-06-01", price: null },
    { ...o3, validFrom: "2026-01-01", price: price(1, 1) },
  ])
  const input = (day: string) => table.priceAt("o3", null, at(day))?.inputUsd
  expect(["2025-04-30", "2025-05-01", "2025-05-31", "2025-06-01", "2025-06-10", "2026-01-01"].map(input)).toEqual([
    10, 8, 8, 10, 2, 1,
  ])
})

test("tokens that are read from a cache are a part of those that go in", () => {
  const opus = { inputUsd: 5, cachedUsd: 0.5, cacheWriteUsd: 6.25, outputUsd: 25 }
  // (1,000,000 - 800,000) × 5 + 800,000 × 0.5 + 100,000 × 25, by a million.
  expect(costOf(opus, { inputTokens: 1_000_000, cachedTokens: 800_000, outputTokens: 100_000 })).toBeCloseTo(3.9, 9)
  expect(costOf({ ...opus, cachedUsd: null }, { inputTokens: 10, cachedTokens: 10, outputTokens: 0 })).toBe(5e-5)
})
