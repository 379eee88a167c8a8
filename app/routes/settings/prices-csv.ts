import { asTenant } from "#server/db/tenant.ts"
import { listPrices } from "#server/spend/price-table.ts"
import { getOrganization } from "#server/team/queries.ts"
import { toCsv } from "../../lib/csv.ts"
import { guard } from "../../lib/guard.server.ts"
import { isoDay } from "../../lib/range.ts"

const COLUMNS = [
  "model",
  "provider",
  "input_usd_per_million",
  "cached_input_usd_per_million",
  "cache_write_usd_per_million",
  "output_usd_per_million",
  "valid_from",
  "next_from",
  "source",
] as const

/** The whole price table as it counts now. An empty field is nothing. */
export const loader = guard("settings.manage", async ({ viewer, context }) => {
  const now = context.now()
  return asTenant(context.db, viewer.orgId, async (tx) => {
    const { timeZone } = await getOrganization(tx)
    const rows = (await listPrices(tx, now)).map(({ model, provider, price, from, nextFrom, source }) => [
      model,
      provider,
      price?.inputUsd ?? null,
      price?.cachedUsd ?? null,
      price?.cacheWriteUsd ?? null,
      price?.outputUsd ?? null,
      from,
      nextFrom,
      source === "seed" ? "shipped" : "set",
    ])
    return new Response(toCsv(COLUMNS, rows), {
      headers: {
        "content-type": "text/csv; charset=utf-8",
        "content-disposition": `attachment; filename="belay-prices-${isoDay(now, timeZone)}.csv"`,
      },
    })
  })
})
