import { readFile, writeFile } from "node:fs/promises"
import { createRequire } from "node:module"
import path from "node:path"
import { z } from "zod"
import { calcPrice, findProvider, type ModelInfo, type ModelPrice, TieredPrices } from "@pydantic/genai-prices"
import { KNOWN_MODELS } from "#sdk/policy/model-catalog.ts"
import { createModelCatalog } from "#sdk/policy/models.ts"

/**
 * Makes `server/spend/seed-prices.json` of the pinned package: its prices of what agents use to write code, by canonical
 * name. Of prices that rise with the length of a call the base is taken, of those that change with the time of the day
 * the dearer one. A test compares the file with what this gives.
 */

/** The package's providers, by the canonical name that signals are resolved to. */
const PROVIDERS = {
  anthropic: "anthropic",
  "aws.bedrock": "aws",
  "azure.ai.openai": "azure",
  cerebras: "cerebras",
  deepseek: "deepseek",
  "gcp.gemini": "google",
  "gcp.vertex_ai": "google",
  groq: "groq",
  mistral_ai: "mistral",
  moonshot: "moonshotai",
  openai: "openai",
  openrouter: "openrouter",
  together: "together",
  x_ai: "x-ai",
} as const

const PER_TOKEN = ["input_mtok", "cache_read_mtok", "cache_write_mtok", "output_mtok"] as const

interface SeedPrice {
  readonly model: string
  readonly provider: string
  readonly prices: readonly {
    readonly from: string | null
    readonly input: number
    readonly cached: number | null
    readonly cacheWrite: number | null
    readonly output: number
  }[]
}

export async function makeSeedPrices(): Promise<string> {
  const catalog = createModelCatalog()
  const seeds: SeedPrice[] = []
  for (const [provider, theirs] of Object.entries(PROVIDERS)) {
    const byName = new Map<string, ModelInfo>()
    for (const model of findProvider({ providerId: theirs })?.models ?? []) {
      const { name } = catalog.resolve(model.id, provider)
      const before = byName.get(name)
      if (before === undefined || rank(model.id, name) < rank(before.id, name)) byName.set(name, model)
    }
    // What the package finds by a rule of its own rather than by the name.
    for (const name of Object.values(KNOWN_MODELS).flat()) {
      const found = byName.has(name) ? null : calcPrice({ input_tokens: 1 }, name, { providerId: theirs })
      if (found !== null) byName.set(name, found.model)
    }
    for (const [model, info] of [...byName].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
      const prices = toPrices(info)
      if (prices !== null) seeds.push({ model, provider, prices })
    }
  }
  const { version } = await readPackage()
  const head = {
    source: "https://github.com/pydantic/genai-prices",
    package: "@pydantic/genai-prices",
    version,
    licence: "MIT",
  }
  const lines = seeds.map((seed) => `    ${JSON.stringify(seed)}`).join(",\n")
  return `${JSON.stringify(head, null, 2).slice(0, -2)},\n  "models": [\n${lines}\n  ]\n}\n`
}

/** The name itself first, then what is least like a variant of it. */
function rank(id: string, name: string): number {
  return id === name ? 0 : /^(?:regional|us|eu|~)/.test(id) ? 1000 + id.length : id.length
}

function toPrices(info: ModelInfo): SeedPrice["prices"] | null {
  const parts = Array.isArray(info.prices) ? info.prices : [{ prices: info.prices }]
  const dated = new Map<string | null, SeedPrice["prices"][number]>()
  for (const { prices, constraint } of parts) {
    const isTimeOfDay = constraint?.type === "time_of_date"
    // One for some hours stands beside the newest of the whole day.
    const from = constraint?.type === "start_date" ? constraint.start_date : isTimeOfDay ? newest(dated) : null
    const [input, cached, cacheWrite, output] = PER_TOKEN.map((name) => toUsd(prices, name))
    if (input == null || output == null) return null
    const before = isTimeOfDay ? dated.get(from) : undefined
    if (before !== undefined && before.output >= output) continue
    dated.set(from, { from, input, cached: cached ?? null, cacheWrite: cacheWrite ?? null, output })
  }
  return [...dated.values()].toSorted((a, b) => ((a.from ?? "") < (b.from ?? "") ? -1 : 1))
}

function newest(dated: ReadonlyMap<string | null, unknown>): string | null {
  return [...dated.keys()].toSorted((a, b) => ((a ?? "") < (b ?? "") ? 1 : -1))[0] ?? null
}

function toUsd(prices: ModelPrice, name: string): number | null {
  const price = prices[name]
  return price === undefined ? null : price instanceof TieredPrices || typeof price === "object" ? price.base : price
}

async function readPackage() {
  const main = createRequire(import.meta.url).resolve("@pydantic/genai-prices")
  const text = await readFile(path.join(path.dirname(main), "../package.json"), "utf8")
  return z.object({ version: z.string() }).parse(JSON.parse(text))
}

export const SEED_FILE = path.join(import.meta.dirname, "../../server/spend/seed-prices.json")

if (import.meta.main) await writeFile(SEED_FILE, await makeSeedPrices())
