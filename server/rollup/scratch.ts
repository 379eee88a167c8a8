import { sql, type Transaction } from "kysely"
import type { DB } from "../db/types.ts"
import { dayOf } from "../ingest/partitions.ts"

/** Columns of a signal that rollups are made of. */
export const SCRATCH_COLUMNS = sql.raw(
  `developer_id, observed_at, kind, rung, operation_id, parent_operation_id, agent_tool_id, model_id, outcome, origin,
   latency_ms, duration_ms, wait_ms, input_tokens, output_tokens, cached_tokens, cost_usd, lines_added, lines_removed,
   path_scope, error, agent_version_id, mode_id, language_id, tool_calls, context_files, action, provider_id, surface,
   repository_id, policy_effect, policy_because, policy_rule, policy_layer, policy_version, session_id`,
)

/**
 * Temporary tables of the connection, emptied at the end of each transaction. Statements that read from one and write to
 * one, rather than a single statement that does it all, since Citus can plan those.
 *
 * `counted_signal.sign` is 1 for what is added and -1 for what is taken back. `role` says what the row is to its
 * operation: `current` its present state, `counted` a state that was counted in an earlier step, `past` neither.
 * `batch_id` is the batch with which the row came, or which took it back; only steps know it.
 */
const TABLES = [
  `create temporary table if not exists counted_signal on commit delete rows as
     select ''::text as role, 1 as sign, developer_id, observed_at, kind, rung, operation_id, parent_operation_id,
       agent_tool_id, model_id, outcome, origin, latency_ms, duration_ms, wait_ms, input_tokens, output_tokens,
       cached_tokens, cost_usd, lines_added, lines_removed, path_scope, error, agent_version_id, mode_id, language_id,
       tool_calls, context_files, action, provider_id, surface, repository_id, policy_effect, policy_because,
       policy_rule, policy_layer, policy_version, session_id, batch_id
     from signal with no data`,
  `create temporary table if not exists counted_operation on commit delete rows as
     select * from operation with no data`,
  `create temporary table if not exists touched_operation (operation_id text, is_recounted boolean not null)
     on commit delete rows`,
  `create temporary table if not exists touched_day (developer_id uuid, day date) on commit delete rows`,
]

/** Makes sure that the tables are there and empty. */
export async function makeScratch(tx: Transaction<DB>): Promise<void> {
  await sql`set local client_min_messages = warning`.execute(tx)
  for (const table of TABLES) await sql.raw(table).execute(tx)
  await emptyScratch(tx)
}

export async function emptyScratch(tx: Transaction<DB>): Promise<void> {
  await sql`truncate counted_signal, counted_operation, touched_operation, touched_day`.execute(tx)
}

/** Midnight UTC of a day, `YYYY-MM-DD`, as an instant. */
export function dayOfInstant(day: string) {
  return sql`timestamptz ${sql.lit(`${day} 00:00:00+00`)}`
}

/** Observed on this UTC day. In literals, so that the other partitions are left out before they are planned for. */
export function isObservedOn(day: string) {
  return sql`observed_at >= ${dayOfInstant(day)} and observed_at < ${dayOfInstant(dayOf(new Date(day), 1))}`
}
