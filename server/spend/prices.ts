import { KNOWN_MODELS } from "#sdk/policy/model-catalog.ts"
import { createModelCatalog, type ModelCatalog } from "#sdk/policy/models.ts"
import seed from "./seed-prices.json" with { type: "json" }

/** US dollars per million tokens. */
export interface Price {
  readonly inputUsd: number
  /** Of input tokens that are read from a cache; null takes `inputUsd`. */
  readonly cachedUsd: number | null
  /** Of input tokens that are written to a cache, for information: signals do not tell them from other input tokens. */
  readonly cacheWriteUsd: number | null
  readonly outputUsd: number
}

/** A price of a model at a provider, as an organization sets it. */
export interface SetPrice {
  /** Canonical, as `resolvePriced` gives it. */
  readonly model: string
  /** Canonical; `ANY_PROVIDER` for all. */
  readonly provider: string
  /** UTC, `YYYY-MM-DD`. */
  readonly validFrom: string
  /** Null: from then on the price that Belay ships counts again. */
  readonly price: Price | null
}

/** A price and since when it counts. */
export interface DatedPrice {
  /** UTC, `YYYY-MM-DD`; null for always. */
  readonly from: string | null
  readonly price: Price | null
  readonly source: "seed" | "set"
}

export const ANY_PROVIDER = "*"

/** Where the prices come from that Belay ships. */
export const SEED_SOURCE = `${seed.package} ${seed.version}`
export const SEED_URL = seed.source

/** Who runs a model where nobody says who does: its maker. */
const MAKERS: Readonly<Record<string, string>> = {
  anthropic: "anthropic",
  openai: "openai",
  google: "gcp.gemini",
  mistralai: "mistral_ai",
  deepseek: "deepseek",
  "x-ai": "x_ai",
  moonshotai: "moonshot",
}
const OWN_PROVIDERS = new Set(Object.values(MAKERS))
const MAKER_OF: ReadonlyMap<string, string> = new Map([
  ...seed.models.flatMap(({ model, provider }) => {
    // Google sells others' models too.
    const isOwn = OWN_PROVIDERS.has(provider) && (provider !== "gcp.gemini" || model.startsWith("gem"))
    return isOwn ? [[keyOf(model), provider] as const] : []
  }),
  ...Object.entries(KNOWN_MODELS).flatMap(([maker, models]) =>
    models.flatMap((model) => {
      const provider = MAKERS[maker]
      return provider === undefined ? [] : [[keyOf(model), provider] as const]
    }),
  ),
])

/** `gpt-5.1` and `gpt-5-1` are one model. */
function keyOf(model: string): string {
  return model.toLowerCase().replace(/[._\s]+/g, "-")
}

const SEED: ReadonlyMap<string, readonly DatedPrice[]> = new Map(
  seed.models.map(({ model, provider, prices }) => [
    `${keyOf(model)}\n${provider}`,
    prices.map(({ from, input, cached, cacheWrite, output }) => ({
      from,
      price: { inputUsd: input, cachedUsd: cached, cacheWriteUsd: cacheWrite, outputUsd: output },
      source: "seed" as const,
    })),
  ]),
)

/** The models and providers that Belay ships prices of, in the order of the file. */
export const SEEDED: readonly { readonly model: string; readonly provider: string }[] = seed.models.map(
  ({ model, provider }) => ({ model, provider }),
)

const SEEDED_NAMES = Object.fromEntries(seed.models.map(({ model }) => [model, model]))

export interface PriceTable {
  /** The canonical model and provider of names as sources give them; the maker is the provider where nobody says. */
  resolve(model: string, provider: string | null): { readonly model: string; readonly provider: string | null }
  /** Every price of a model at a provider, the earliest first. Empty where none is known. */
  history(model: string, provider: string | null): readonly DatedPrice[]
  /** The price at an instant; null where none is known. */
  priceAt(model: string, provider: string | null, at: Date): Price | null
}

/** A price table: what Belay ships, and over it what an organization sets, of one day the last that is given. */
export function createPriceTable(set: readonly SetPrice[]): PriceTable {
  const own = new Map<string, Map<string, DatedPrice>>()
  for (const { model, provider, validFrom, price } of set) {
    const key = `${keyOf(model)}\n${provider}`
    const days = own.get(key) ?? new Map<string, DatedPrice>()
    days.set(validFrom, { from: validFrom, price, source: "set" })
    own.set(key, days)
  }
  const catalog: ModelCatalog = createModelCatalog({
    ...SEEDED_NAMES,
    ...Object.fromEntries(set.map(({ model }) => [model, model])),
  })
  const resolve = (model: string, provider: string | null) => {
    const resolved = catalog.resolve(model, provider ?? undefined)
    return { model: resolved.name, provider: resolved.provider ?? MAKER_OF.get(keyOf(resolved.name)) ?? null }
  }
  const historyOf = (key: string): readonly DatedPrice[] => {
    const shipped = SEED.get(key) ?? []
    const days = own.get(key)
    return days === undefined ? shipped : overlay(shipped, [...days.values()])
  }
  const history: PriceTable["history"] = (model, provider) => {
    if (provider === ANY_PROVIDER) return historyOf(`${keyOf(model)}\n${ANY_PROVIDER}`)
    const named = resolve(model, provider)
    const key = keyOf(named.model)
    const exact = named.provider === null ? [] : historyOf(`${key}\n${named.provider}`)
    return exact.length > 0 ? exact : historyOf(`${key}\n${ANY_PROVIDER}`)
  }
  return {
    resolve,
    history,
    priceAt(model, provider, at) {
      const day = at.toISOString().slice(0, 10)
      return history(model, provider).findLast(({ from }) => from === null || from <= day)?.price ?? null
    },
  }
}

/** What is set counts from its day on, until what is set next; a null goes back to what is shipped. */
function overlay(shipped: readonly DatedPrice[], set: readonly DatedPrice[]): readonly DatedPrice[] {
  const own = set.toSorted(byDay)
  const first = own[0]?.from ?? ""
  const result = shipped.filter(({ from }) => from === null || from < first)
  for (const [index, entry] of own.entries()) {
    if (entry.price !== null) {
      result.push(entry)
      continue
    }
    const from = entry.from ?? ""
    const until = own[index + 1]?.from ?? null
    const again = shipped.findLast((other) => other.from === null || other.from <= from)
    result.push({ from: entry.from, price: again?.price ?? null, source: "seed" })
    result.push(
      ...shipped.filter((other) => other.from !== null && other.from > from && (until === null || other.from < until)),
    )
  }
  return result
}

function byDay(a: DatedPrice, b: DatedPrice): number {
  return (a.from ?? "") < (b.from ?? "") ? -1 : 1
}

/** What tokens cost at a price, in US dollars. `cachedTokens` are a part of `inputTokens`. */
export function costOf(
  price: Price,
  tokens: { readonly inputTokens: number; readonly cachedTokens?: number; readonly outputTokens: number },
): number {
  const { inputTokens, cachedTokens = 0, outputTokens } = tokens
  const input = (inputTokens - cachedTokens) * price.inputUsd + cachedTokens * (price.cachedUsd ?? price.inputUsd)
  return (input + outputTokens * price.outputUsd) / 1e6
}
