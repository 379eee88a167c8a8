import { type Kysely, sql } from "kysely"
import type { DB } from "../db/types.ts"
import type { IngestMeter, Minute } from "./meter.ts"

export interface MeterLogOptions {
  /** Acts as `belay_worker`. */
  readonly db: Kysely<DB>
  readonly meter: IngestMeter
  /** Of this process, as long as it runs. */
  readonly processId: string
  readonly now: () => Date
  readonly log: (message: string, error: unknown) => void
}

const KEPT_MS = 48 * 60 * 60 * 1000

/**
 * Keeps what the meter counted, so that the status page knows of every process. A minute is written again until it is
 * over: its row is this process's alone, and always holds all of it.
 */
export function startMeterLog(options: MeterLogOptions & { everyMs: number }): () => Promise<void> {
  const { db, processId, log } = options
  const startedAt = options.now()
  let writing: Promise<void> | null = null
  const write = async () => {
    writing ??= writeMeter(options, startedAt)
      .catch((error: unknown) => log("what came in was not counted", error))
      .finally(() => (writing = null))
    await writing
  }
  void write()
  const timer = setInterval(() => void write(), options.everyMs)
  return async () => {
    clearInterval(timer)
    await writing
    await write()
    await sql`select belay_forget_process(${processId}::uuid)`.execute(db).catch(() => {})
  }
}

/** Once. When the database refuses, nothing is lost until it is tried again. */
export async function writeMeter(options: Omit<MeterLogOptions, "log">, startedAt: Date): Promise<void> {
  const { db, meter, processId, now } = options
  const minutes = meter.takeChanged()
  try {
    if (minutes.length > 0) {
      await db.transaction().execute(async (tx) => {
        await writeMinutes(tx, minutes, processId)
        await writeTools(tx, minutes)
      })
    }
  } catch (error) {
    meter.giveBack(minutes)
    throw error
  }
  const { gauges, totals } = meter
  const unknown = totals.requests.get("unauthenticated") ?? 0
  await sql`
    select belay_note_process(${processId}::uuid, ${startedAt}, ${now()}, ${gauges.heldBytes()}::int8,
      ${gauges.heldBytesMax()}::int8, ${process.memoryUsage.rss()}::int8, ${gauges.rollupLagSeconds()}::real,
      ${unknown}::int8)`.execute(db)
}

async function writeMinutes(tx: Kysely<DB>, minutes: readonly Minute[], processId: string): Promise<void> {
  const rows = minutes.map((minute) => ({
    org_id: minute.orgId,
    minute: new Date(minute.startMs).toISOString(),
    requests: minute.requests,
    signals: minute.signals,
    duplicates: minute.duplicates,
    late: minute.late,
    refused: Object.fromEntries(minute.refusedRequests),
    rejected: Object.fromEntries(minute.rejectedItems),
    folded: Object.fromEntries(minute.folded),
    queue_times: minute.queueTimes.counts,
    commit_times: minute.commitTimes.counts,
  }))
  // Of an organization that is gone since, nothing is kept. In one order, though no other process writes these rows.
  await sql`
    insert into ingest_minute
    select m.org_id, m.minute, ${processId}::uuid, m.requests, m.signals, m.duplicates, m.late, m.refused, m.rejected,
      m.folded, m.queue_times, m.commit_times
    from jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) as m(org_id uuid, minute timestamptz, requests int4,
      signals int8, duplicates int8, late int8, refused jsonb, rejected jsonb, folded jsonb, queue_times int4[],
      commit_times int4[])
    join org o on o.id = m.org_id
    order by m.org_id, m.minute
    on conflict (org_id, minute, process_id) do update set requests = excluded.requests, signals = excluded.signals,
      duplicates = excluded.duplicates, late = excluded.late, refused = excluded.refused, rejected = excluded.rejected,
      folded = excluded.folded, queue_times = excluded.queue_times, commit_times = excluded.commit_times`.execute(tx)
}

/** Only names that are kept for signals: whatever else was sent is one of many others. */
async function writeTools(tx: Kysely<DB>, minutes: readonly Minute[]): Promise<void> {
  const tools = minutes.flatMap(({ orgId, tools }) => [...tools].map(([name, at]) => ({ orgId, name, at })))
  if (tools.length === 0) return
  await sql`
    insert into agent_tool_arrival as arrival (org_id, agent_tool_id, last_received_at)
    select t.org_id, d.id, max(t.at)
    from unnest(
      ${tools.map((tool) => tool.orgId)}::uuid[], ${tools.map((tool) => tool.name)}::text[],
      ${tools.map((tool) => new Date(tool.at).toISOString())}::text[]::timestamptz[]
    ) as t(org_id, name, at)
    join dimension d on d.org_id = t.org_id and d.kind = 'agent_tool' and d.value = t.name
    group by t.org_id, d.id order by t.org_id, d.id
    on conflict (org_id, agent_tool_id)
    do update set last_received_at = greatest(arrival.last_received_at, excluded.last_received_at)`.execute(tx)
}

export async function forgetMinutes(db: Kysely<DB>, now: Date): Promise<void> {
  await db
    .deleteFrom("ingest_minute")
    .where("minute", "<", new Date(now.getTime() - KEPT_MS))
    .execute()
}
