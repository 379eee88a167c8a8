import { sql } from "kysely"
import type { TenantTx } from "../db/tenant.ts"
import type { Arrival } from "./arrivals.ts"
import { quantileOf } from "./times.ts"

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

/** A count for each reason or kind that there was any of. */
export type CountsByName = Readonly<Record<string, number>>

export type Intake = Awaited<ReturnType<typeof getIntake>>

/**
 * What all processes counted in the minutes from `from` (inclusive) on. Times are milliseconds, at most 9 % off, and
 * null when nothing was stored.
 */
export async function getIntake(tx: TenantTx, from: Date) {
  const sumOf = (column: "refused" | "rejected" | "folded") => sql`(
    select coalesce(jsonb_object_agg(name, count), '{}') from (
      select key as name, sum(value::int8) as count from recent, jsonb_each_text(${sql.ref(column)}) group by key
    ) counted)`
  const timesOf = (column: "queue_times" | "commit_times") => sql`(
    select array_agg(count order by place) from (
      select place, sum(count)::float8 as count
      from recent, unnest(${sql.ref(column)}) with ordinality as class(count, place) group by place
    ) classes)`
  const result = await sql<{
    requests: number
    signals: number
    duplicates: number
    late: number
    lastAt: Date | null
    refused: CountsByName
    rejected: CountsByName
    folded: CountsByName
    queueTimes: number[] | null
    commitTimes: number[] | null
  }>`
    with recent as (select * from ingest_minute where minute >= ${from})
    select coalesce(sum(requests), 0)::float8 as requests, coalesce(sum(signals), 0)::float8 as signals,
      coalesce(sum(duplicates), 0)::float8 as duplicates, coalesce(sum(late), 0)::float8 as late,
      max(minute) filter (where signals > 0) as "lastAt",
      ${sumOf("refused")} as refused, ${sumOf("rejected")} as rejected, ${sumOf("folded")} as folded,
      ${timesOf("queue_times")} as "queueTimes", ${timesOf("commit_times")} as "commitTimes"
    from recent`.execute(tx)
  const [row] = result.rows
  if (row === undefined) throw new Error("a sum is always one row")
  const { queueTimes, commitTimes, ...counts } = row
  const quantilesOf = (times: number[] | null) => ({
    p50Ms: quantileOf(times ?? [], 0.5),
    p95Ms: quantileOf(times ?? [], 0.95),
  })
  return { ...counts, queue: quantilesOf(queueTimes), commit: quantilesOf(commitTimes) }
}

/** Each agent tool with when it last sent a signal, latest first; null when that was before it was noted. */
export function listToolArrivals(tx: TenantTx) {
  return tx
    .selectFrom("dimension as tool")
    .leftJoin("agent_tool_arrival as arrival", "arrival.agent_tool_id", "tool.id")
    .where("tool.kind", "=", "agent_tool")
    .select(["tool.value as agentTool", "arrival.last_received_at as lastReceivedAt"])
    .orderBy("arrival.last_received_at", (order) => order.desc().nullsLast())
    .orderBy("tool.value")
    .limit(TOOLS_LISTED)
    .execute()
}

const TOOLS_LISTED = 100

/** How many names of each dialect are not known, and how often they came; most frequent dialect first. */
export function listUnknownNames(tx: TenantTx) {
  return tx
    .selectFrom("unrecognized_item")
    .groupBy("dialect")
    .select(["dialect", sql<number>`count(*)::float8`.as("names"), sql<number>`sum(count)::float8`.as("items")])
    .select(sql<Date>`max(last_seen_at)`.as("lastSeenAt"))
    .orderBy("items", "desc")
    .execute()
}

/** Processes that were heard of since `since`, oldest first. They serve every organization. */
export async function listProcesses(tx: TenantTx, since: Date) {
  const result = await sql<{
    id: string
    startedAt: Date
    seenAt: Date
    heldBytes: number | null
    heldBytesMax: number | null
    residentBytes: number
    rollupLagSeconds: number | null
    unknownSenders: number
  }>`
    select id, started_at as "startedAt", seen_at as "seenAt", held_bytes as "heldBytes",
      held_bytes_max as "heldBytesMax", resident_bytes as "residentBytes", rollup_lag_seconds as "rollupLagSeconds",
      unknown_senders as "unknownSenders"
    from belay_list_processes(${since})`.execute(tx)
  return result.rows
}
