import { sql } from "kysely"
import { type AuditActor, recordAudit } from "../audit/commands.ts"
import type { TenantTx } from "../db/tenant.ts"
import { createPriceTable, type Price, type PriceTable, SEEDED, type SetPrice } from "./prices.ts"

/** What the organization set, the oldest change first. */
export async function listSetPrices(tx: TenantTx): Promise<readonly (SetPrice & PriceChange)[]> {
  const rows = await tx
    .selectFrom("model_price as p")
    .leftJoin("account as a", "a.id", "p.changed_by")
    .select(["p.model", "p.provider", sql<string>`p.valid_from::text`.as("validFrom"), "p.changed_at as changedAt"])
    .select(["p.input_usd", "p.cached_usd", "p.cache_write_usd", "p.output_usd", "a.email as changedBy"])
    .orderBy("p.sequence")
    .execute()
  return rows.map(({ model, provider, validFrom, changedAt, changedBy, ...row }) => ({
    model,
    provider,
    validFrom,
    changedAt,
    changedBy,
    price:
      row.input_usd === null || row.output_usd === null
        ? null
        : {
            inputUsd: Number(row.input_usd),
            cachedUsd: row.cached_usd === null ? null : Number(row.cached_usd),
            cacheWriteUsd: row.cache_write_usd === null ? null : Number(row.cache_write_usd),
            outputUsd: Number(row.output_usd),
          },
  }))
}

/** When a price was set and by whom; null for somebody who is gone. */
export interface PriceChange {
  readonly changedAt: Date
  readonly changedBy: string | null
}

/** The price table of the organization. */
export async function readPriceTable(tx: TenantTx): Promise<PriceTable> {
  const set = await listSetPrices(tx)
  return set.length === 0 ? SHIPPED : createPriceTable(set)
}

const SHIPPED = createPriceTable([])

/**
 * Adds a price that counts from a day on, in place of what was set for that day; earlier ones stay on record. A null
 * price goes back to the one that Belay ships. False when it changes nothing.
 */
export async function setPrice(
  tx: TenantTx,
  args: {
    readonly model: string
    readonly provider: string
    readonly validFrom: string
    readonly price: Price | null
    readonly by: AuditActor
  },
): Promise<boolean> {
  const { model, provider, validFrom, price, by } = args
  const all = await listSetPrices(tx)
  const before = all.findLast((one) => one.model === model && one.provider === provider && one.validFrom === validFrom)
  if (before === undefined ? price === null : isSame(before.price, price)) return false
  await tx
    .insertInto("model_price")
    .values({
      org_id: by.orgId,
      model,
      provider,
      valid_from: sql<Date>`${validFrom}::date`,
      input_usd: price?.inputUsd ?? null,
      cached_usd: price?.cachedUsd ?? null,
      cache_write_usd: price?.cacheWriteUsd ?? null,
      output_usd: price?.outputUsd ?? null,
      changed_at: by.occurredAt,
      changed_by: by.actorId,
    })
    .execute()
  const said = (shown: Price | null | undefined) => (shown == null ? { price: "as shipped" } : { ...shown })
  await recordAudit(tx, {
    ...by,
    action: price === null ? "price.reset" : "price.set",
    targetKind: "model_price",
    before: said(before?.price),
    after: { model, provider, validFrom, ...said(price) },
  })
  return true
}

function isSame(a: Price | null, b: Price | null): boolean {
  if (a === null || b === null) return a === b
  return (
    a.inputUsd === b.inputUsd &&
    a.cachedUsd === b.cachedUsd &&
    a.cacheWriteUsd === b.cacheWriteUsd &&
    a.outputUsd === b.outputUsd
  )
}

/** A model at a provider with the price of now. */
export interface ListedPrice {
  readonly model: string
  readonly provider: string
  /** Null where what was set starts later, or nothing is known. */
  readonly price: Price | null
  /** Since when it counts; null for always. */
  readonly from: string | null
  readonly source: "seed" | "set"
  /** When the next price counts; null when none is known. */
  readonly nextFrom: string | null
  /** Of the last change in the organization; null when it changed nothing. */
  readonly change: PriceChange | null
}

/** The whole price table by model and provider, at `now`. */
export async function listPrices(tx: TenantTx, now: Date): Promise<readonly ListedPrice[]> {
  const set = await listSetPrices(tx)
  const table = createPriceTable(set)
  const changes = new Map(set.map((one) => [`${one.model}\n${one.provider}`, one]))
  const names = new Map(
    [...SEEDED, ...set].map(({ model, provider }) => [`${model}\n${provider}`, { model, provider }]),
  )
  const day = now.toISOString().slice(0, 10)
  return [...names]
    .map(([key, { model, provider }]) => {
      const history = table.history(model, provider)
      const current = history.findLast(({ from }) => from === null || from <= day)
      const next = history.find(({ from }) => from !== null && from > day)
      const change = changes.get(key)
      return {
        model,
        provider,
        price: current?.price ?? null,
        from: current?.from ?? null,
        source: current?.source ?? "set",
        nextFrom: next?.from ?? null,
        change: change === undefined ? null : { changedAt: change.changedAt, changedBy: change.changedBy },
      }
    })
    .toSorted((a, b) => a.model.localeCompare(b.model) || a.provider.localeCompare(b.provider))
}

/** The prices of what was used in a period, as columns for a join: a row for each name, provider and time. */
export interface PricedNames {
  readonly modelIds: readonly number[]
  readonly providerIds: readonly number[]
  /** ISO 8601, inclusive and exclusive: the driver has no arrays of dates. */
  readonly from: readonly string[]
  readonly until: readonly string[]
  readonly inputUsd: readonly number[]
  readonly cachedUsd: readonly number[]
  readonly outputUsd: readonly number[]
}

/** For sums of what needs no price. */
export const NO_PRICES: PricedNames = {
  modelIds: [],
  providerIds: [],
  from: [],
  until: [],
  inputUsd: [],
  cachedUsd: [],
  outputUsd: [],
}

const EVER = { from: "1970-01-01T00:00:00Z", until: "9999-01-01T00:00:00Z" }

/** Names of models as they were used since `from`, whose calls the source gave no cost of. */
export async function listOpenNames(tx: TenantTx, from: Date) {
  const found = await sql<{ modelId: number; providerId: number; model: string | null; provider: string | null }>`
    select u.model_id as "modelId", u.provider_id as "providerId", m.value as model, p.value as provider
    from (
      select distinct model_id, provider_id from model_use_day
      where utc_day >= (${from}::timestamptz at time zone 'UTC')::date and open_calls > 0
    ) u
    left join dimension m on m.id = u.model_id left join dimension p on p.id = u.provider_id`.execute(tx)
  return found.rows
}

/** Finds the prices of what was used since `from`. What is not among them has no price. */
export async function priceNames(tx: TenantTx, from: Date): Promise<PricedNames> {
  const table = await readPriceTable(tx)
  const rows = (await listOpenNames(tx, from)).flatMap(({ modelId, providerId, model, provider }) => {
    if (model === null) return []
    const history = table.history(model, provider)
    return history.flatMap((entry, index) => {
      const { price } = entry
      if (price === null) return []
      const next = history[index + 1]?.from ?? null
      return [
        {
          modelId,
          providerId,
          from: entry.from === null ? EVER.from : `${entry.from}T00:00:00Z`,
          until: next === null ? EVER.until : `${next}T00:00:00Z`,
          price,
        },
      ]
    })
  })
  return {
    modelIds: rows.map((row) => row.modelId),
    providerIds: rows.map((row) => row.providerId),
    from: rows.map((row) => row.from),
    until: rows.map((row) => row.until),
    inputUsd: rows.map(({ price }) => price.inputUsd),
    cachedUsd: rows.map(({ price }) => price.cachedUsd ?? price.inputUsd),
    outputUsd: rows.map(({ price }) => price.outputUsd),
  }
}

/** A common table expression `price`, one row a name and time, as `PricedNames` has them. */
export function priceRows(prices: PricedNames) {
  return sql`
    price as (
      select * from unnest(
        ${prices.modelIds}::int[], ${prices.providerIds}::int[], ${prices.from}::text[]::timestamptz[],
        ${prices.until}::text[]::timestamptz[], ${prices.inputUsd}::numeric[], ${prices.cachedUsd}::numeric[],
        ${prices.outputUsd}::numeric[]
      ) as price (model_id, provider_id, valid_from, valid_until, input_usd, cached_usd, output_usd)
    )`
}
