import { sql } from "kysely"
import type { Counting } from "./counting.ts"

/** Adds the commits that agents say they made to `operation_commit`, of which each is there once. */
export async function addCommits({ tx, orgId }: Counting): Promise<void> {
  const result = await sql`
    insert into operation_commit as o (org_id, commit_id, operation_id, observed_at)
    select ${orgId}::uuid, substring(action from 8), operation_id, min(observed_at)
    from counted_signal
    where sign > 0 and kind = 'outcome' and operation_id is not null and action ~ '^commit [0-9a-f]{7,64}$'
    group by action, operation_id
    order by action, operation_id
    on conflict (org_id, commit_id, operation_id) do update set
      observed_at = least(o.observed_at, excluded.observed_at)`.execute(tx)
  if ((result.numAffectedRows ?? 0n) === 0n) return
  // For who joins by them, and looks only when there is something new.
  await sql`update rollup_state set commits_counted = commits_counted + 1 where org_id = ${orgId}::uuid`.execute(tx)
}
