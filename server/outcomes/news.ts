import { sql } from "kysely"
import type { TenantTx } from "../db/tenant.ts"

/**
 * How much is known: equal marks mean that there is nothing new to join. A time cannot be the mark, since what began
 * earlier may be committed later.
 */
export interface NewsMark {
  /** Goes up when signals are counted. */
  readonly steps: number
  /** Goes up when agents say more of what they committed. */
  readonly commits: number
  /** Goes up when more is known of changes, or of what became of operations. */
  readonly noted: number
}

export async function readNewsMark(tx: TenantTx): Promise<NewsMark> {
  const found = await sql<NewsMark>`
    select coalesce(max(r.steps), 0)::float8 as steps, coalesce(max(r.commits_counted), 0)::float8 as commits,
      coalesce((select max(noted) from outcome_state), 0)::float8 as noted
    from rollup_state r`.execute(tx)
  return found.rows[0] ?? { steps: 0, commits: 0, noted: 0 }
}

/** To be called in the transaction that writes what is new. */
export async function noteNews(tx: TenantTx, orgId: string): Promise<void> {
  await tx
    .insertInto("outcome_state")
    .values({ org_id: orgId, noted: 1 })
    .onConflict((conflict) => conflict.column("org_id").doUpdateSet({ noted: sql`outcome_state.noted + 1` }))
    .execute()
}
