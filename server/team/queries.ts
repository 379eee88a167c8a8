import { sql } from "kysely"
import type { TenantTx } from "../db/tenant.ts"

/** The organization of the transaction. */
export function getOrganization(tx: TenantTx) {
  return tx
    .selectFrom("org")
    .select(["name", "time_zone as timeZone", "min_group_size as minGroupSize", "is_demo as isDemo"])
    .executeTakeFirstOrThrow()
}

/** The day that it is in the organization's time zone, `YYYY-MM-DD`. */
export async function getToday(tx: TenantTx, now: Date): Promise<string> {
  const row = await tx
    .selectFrom("org")
    .select(sql<string>`(${now}::timestamptz at time zone time_zone)::date::text`.as("today"))
    .executeTakeFirstOrThrow()
  return row.today
}
