import { sql } from "kysely"
import type { TenantTx } from "../db/tenant.ts"

export type SavedView = Awaited<ReturnType<typeof listSavedViews>>[number]

/** One's own views and those that others share, by name. */
export function listSavedViews(tx: TenantTx, accountId: string) {
  return tx
    .selectFrom("saved_view as v")
    .innerJoin("account as a", "a.id", "v.account_id")
    .select(["v.id", "v.name", "v.path", "v.is_shared as isShared", "a.email as byEmail"])
    .select(sql<boolean>`v.account_id = ${accountId}::uuid`.as("isOwn"))
    .where((eb) => eb.or([eb("v.account_id", "=", accountId), eb("v.is_shared", "=", true)]))
    .orderBy(sql`lower(v.name)`)
    .orderBy("v.id")
    .execute()
}
