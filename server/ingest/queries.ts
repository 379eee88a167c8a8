import { sql } from "kysely"
import type { TenantTx } from "../db/tenant.ts"
import type { Arrival } from "./arrivals.ts"

/** The latest signal of each agent tool, newest first: what the Connect page shows before anything new arrives. */
export async function listLatestArrivals(tx: TenantTx): Promise<Arrival[]> {
  const result = await sql<{
    agentTool: string
    agentVersion: string | null
    kind: string
    model: string | null
    count: number
    receivedAt: Date
  }>`
    select
      tool.value as "agentTool", version.value as "agentVersion", latest.kind, model.value as model,
      latest.count, latest.received_at as "receivedAt"
    from dimension tool
    cross join lateral (
      select s.kind, s.agent_version_id, s.model_id, s.received_at, 1 as count
      from signal s where s.agent_tool_id = tool.id
      order by s.observed_at desc limit 1
    ) latest
    left join dimension version on version.id = latest.agent_version_id
    left join dimension model on model.id = latest.model_id
    where tool.kind = 'agent_tool'
    order by latest.received_at desc`.execute(tx)
  return result.rows.map((row) => ({ ...row, receivedAt: row.receivedAt.toISOString() }))
}

/** Names that arrived and gave no signal, most frequent first. */
export function listUnrecognized(tx: TenantTx, limit: number) {
  return tx
    .selectFrom("unrecognized_item")
    .select(["dialect", "otlp_signal as otlpSignal", "name", sql<number>`count::float8`.as("count")])
    .select("last_seen_at as lastSeenAt")
    .orderBy("count", "desc")
    .limit(limit)
    .execute()
}
