import { type Kysely, sql } from "kysely"
import type { Origin, Outcome, Rung } from "#sdk/ladder.ts"
import { asTenant, type TenantTx } from "../db/tenant.ts"
import type { DB } from "../db/types.ts"
import type { SignalStore } from "../ingest/signal-store.ts"
import { type Signal, toSignal } from "../ingest/signal.ts"
import { repeat, type Repeating } from "../repeat.ts"
import { joinByCommit } from "./changes.ts"
import { concludeJoins } from "./conclude.ts"
import { type NewsMark, readNewsMark } from "./news.ts"
import { placeJoinedOperations } from "./place.ts"

/** Outcomes become signals once the operation that they are of is counted: then it is known whose they are. */

/** Older signals are not taken: their rollups may be closed. */
const SIGNAL_AGE_MAX_MS = 30 * 86_400_000
/** A delivery is kept on record that long, to be looked at when something is missing. */
const DELIVERY_AGE_MAX_MS = 30 * 86_400_000
const AT_ONCE = 500
/** As often as signals are counted. */
const EVERY_MS = 5000
/** At most: all operations that are kept are looked at, which takes two seconds of 150,000. */
const CONCLUDED_EVERY_MS = 60_000

interface Options {
  /** Acts as `belay_worker`, which knows of all organizations. */
  readonly worker: Kysely<DB>
  /** Acts as `belay_app`. */
  readonly app: Kysely<DB>
  readonly store: Pick<SignalStore, "store">
}

/**
 * Joins changes to the work of agents, and sends the outcomes of operations that are known. What was sent and could not be
 * noted is sent again, and stored once. `looked` has what of each organization was known when it was last joined, and is
 * written to: while that is all, nothing but that is read.
 */
export async function settleAll(options: Options, now: Date, looked = new Map<string, Looked>()): Promise<void> {
  const organizations = await options.worker.selectFrom("org").select("id").orderBy("id").execute()
  const errors: unknown[] = []
  for (const { id } of organizations) {
    try {
      looked.set(id, await join(options, { orgId: id, now, before: looked.get(id) }))
      while ((await settle(options, id, now)) === AT_ONCE);
      await options.worker
        .deleteFrom("webhook_delivery")
        .where("org_id", "=", id)
        .where("received_at", "<", new Date(now.getTime() - DELIVERY_AGE_MAX_MS))
        .execute()
    } catch (error) {
      errors.push(error)
    }
  }
  if (errors.length > 0) throw errors[0]
}

/** What was known when an organization was last looked at. */
export interface Looked {
  readonly mark: NewsMark
  readonly concluded: { readonly mark: NewsMark; readonly at: Date }
}

async function join(
  { app }: Pick<Options, "app">,
  { orgId, now, before }: { readonly orgId: string; readonly now: Date; readonly before: Looked | undefined },
): Promise<Looked> {
  const mark = await asTenant(app, orgId, readNewsMark)
  const isNew = before === undefined || !isSame(mark, before.mark)
  if (isNew) {
    await asTenant(app, orgId, (tx) => joinByCommit(tx, { now, orgId, isAll: mark.commits !== before?.mark.commits }))
  }
  const isConcluding =
    before === undefined ||
    (!isSame(mark, before.concluded.mark) && now.getTime() - before.concluded.at.getTime() >= CONCLUDED_EVERY_MS)
  if (isConcluding) await asTenant(app, orgId, (tx) => concludeJoins(tx, { orgId, now }))
  if (isNew || isConcluding) await asTenant(app, orgId, (tx) => placeJoinedOperations(tx, { now }))
  return { mark, concluded: isConcluding ? { mark, at: now } : before.concluded }
}

function isSame(a: NewsMark, b: NewsMark): boolean {
  return a.steps === b.steps && a.commits === b.commits && a.noted === b.noted
}

/** Returns how many were settled. */
async function settle({ app, store }: Options, orgId: string, now: Date): Promise<number> {
  const known = await asTenant(app, orgId, (tx) => listKnownOutcomes(tx, { now, limit: AT_ONCE }))
  const isTooOld = (row: KnownOutcome) => now.getTime() - row.occurredAt.getTime() > SIGNAL_AGE_MAX_MS
  const sent = known.filter((row) => !isTooOld(row))
  if (sent.length > 0) await store.store(orgId, { signals: sent.map(toOutcomeSignal), unrecognized: [] })
  await asTenant(app, orgId, async (tx) => {
    await markSettled(tx, { sourceIds: sent.map((row) => row.sourceId), state: "sent", now })
    await markSettled(tx, { sourceIds: known.filter(isTooOld).map((row) => row.sourceId), state: "too_old", now })
  })
  return known.length
}

export interface KnownOutcome {
  readonly sourceId: string
  readonly operationId: string
  readonly outcome: Outcome
  readonly origin: Origin
  readonly occurredAt: Date
  readonly developerId: string
  readonly agentTool: string
  readonly rung: Rung
}

/** Outcomes that wait and whose operation is counted, the oldest first. */
export async function listKnownOutcomes(
  tx: TenantTx,
  { now, limit }: { readonly now: Date; readonly limit: number },
): Promise<readonly KnownOutcome[]> {
  const found = await sql<KnownOutcome>`
    select l.source_id as "sourceId", l.operation_id as "operationId", l.outcome, l.origin,
      l.occurred_at as "occurredAt", o.developer_id as "developerId", d.value as "agentTool", o.rung
    from late_outcome l
    join operation o on o.org_id = l.org_id and o.operation_id = l.operation_id
    join dimension d on d.org_id = o.org_id and d.id = o.agent_tool_id
    where l.state = 'waiting' and l.occurred_at <= ${now}::timestamptz
    order by l.occurred_at, l.source_id
    limit ${limit}`.execute(tx)
  return found.rows
}

/** Marks outcomes that waited as done with. */
export async function markSettled(
  tx: TenantTx,
  args: { readonly sourceIds: readonly string[]; readonly state: "sent" | "too_old"; readonly now: Date },
): Promise<void> {
  if (args.sourceIds.length === 0) return
  await tx
    .updateTable("late_outcome")
    .set({ state: args.state, settled_at: args.now })
    .where("source_id", "in", args.sourceIds)
    .where("state", "=", "waiting")
    .execute()
}

function toOutcomeSignal(row: KnownOutcome): Signal {
  return toSignal({
    observedUnixNano: BigInt(row.occurredAt.getTime()) * 1_000_000n,
    sourceId: `outcome:${row.sourceId}`,
    // Also when the operation is somebody else's by then.
    occurrence: { id: `outcome:${row.sourceId}`, evidence: "primary" },
    kind: "outcome",
    rung: row.rung,
    agentTool: row.agentTool,
    developerId: row.developerId,
    operationId: row.operationId,
    outcome: row.outcome,
    origin: row.origin,
  })
}

/** Looks every few seconds until it is stopped. */
export function startOutcomes(
  options: Options & { readonly now: () => Date; readonly log: (message: string, error: unknown) => void },
): Repeating {
  const looked = new Map<string, Looked>()
  return repeat({
    everyMs: EVERY_MS,
    work: () => settleAll(options, options.now(), looked),
    onError: (error) => options.log("outcomes fell behind", error),
  })
}
