import { type Kysely, sql, type Transaction } from "kysely"

import type { DB } from "./types.ts"

declare const scoped: unique symbol

/** A transaction that sees the rows of one organization. Only `asTenant` makes one. */
export type TenantTx = Transaction<DB> & { readonly [scoped]: true }

/**
 * Runs `work` in one transaction that sees and writes the rows of organization `orgId` only: committed when `work`
 * resolves, rolled back when it throws, which is passed on.
 *
 * Throws when `orgId` is not a UUID in its canonical form.
 */
export async function asTenant<T>(db: Kysely<DB>, orgId: string, work: (tx: TenantTx) => Promise<T>): Promise<T> {
  // A literal SET LOCAL, hence the check: set_config() does not reach Citus workers.
  const setOrg = sql`set local belay.org_id = ${sql.lit(requireUuid(orgId))}`
  return db.transaction().execute(async (tx) => {
    await setOrg.execute(tx)
    return work(tx as TenantTx)
  })
}

const CANONICAL_UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** Returns `value` when it is a UUID as Postgres prints it: lower case, with hyphens. Throws otherwise. */
export function requireUuid(value: string): string {
  // `test` takes anything for a string, and at run time anything can arrive here.
  if (typeof value !== "string" || !CANONICAL_UUID.test(value)) {
    throw new Error(`Not a UUID in canonical form: ${JSON.stringify(value)}`)
  }
  return value
}
