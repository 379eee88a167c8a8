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

/** Adds the branches that agents say a session worked on to `session_branch`, with from when to when they said so. */
export async function addBranches({ tx, orgId }: Counting): Promise<void> {
  await sql`
    insert into session_branch as b (org_id, session_id, branch, first_at, last_at)
    select ${orgId}::uuid, session_id, substring(action from 8), min(observed_at), max(observed_at)
    from counted_signal
    where sign > 0 and kind = 'outcome' and session_id is not null and action ~ '^branch [0-9a-f]{32}$'
    group by session_id, action
    order by session_id, action
    on conflict (org_id, session_id, branch) do update set
      first_at = least(b.first_at, excluded.first_at), last_at = greatest(b.last_at, excluded.last_at)`.execute(tx)
}
