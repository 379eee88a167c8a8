import { setImmediate as nextTurn } from "node:timers/promises"
import type { Kysely } from "kysely"
import { type CopyClient, openCopyClient } from "../db/copy-client.ts"
import type { DB } from "../db/types.ts"
import { createFairQueue } from "./fair-queue.ts"
import { createInterner } from "./intern.ts"
import type { IngestMeter } from "./meter.ts"
import { type Batch, prepareBatch, type PreparedBatch, storeBatches } from "./store.ts"

export interface SignalStore {
  prepare(orgId: string, batch: Batch): Promise<PreparedBatch>
  /** Resolves once the batch is committed, together with others. `sender` is whose turn it takes. */
  commit(batch: PreparedBatch, sender: string): Promise<void>
  /** `prepare` and `commit`. */
  store(orgId: string, batch: Batch, sender?: string): Promise<void>
  /** Stores what waits, then disconnects. */
  close(): Promise<void>
}

export interface SignalStoreOptions {
  /** Of the database in which signals are stored. */
  readonly url: string
  /** Acts as `belay_ingest`, for names and people. */
  readonly db: Kysely<DB>
  readonly now: () => Date
  /** Counts what is stored. */
  readonly meter?: IngestMeter
}

/** While one commits, the next is filled; more share a core with Postgres and win nothing. */
const CONNECTIONS = 2
/** Fewer rows wait for the commit that is under way and share the next one, as a commit costs what so many rows do. */
const ROWS_FOR_SECOND = 256
/** Rows that share a commit; past it a larger one gains little. */
const GROUP_ROWS_MAX = 8192
const CONNECT_TIMEOUT_MS = 10_000
const ATTEMPTS_MAX = 4

interface Waiting {
  readonly orgId: string
  readonly sender: string
  readonly rows: number
  readonly batch: PreparedBatch
  /** On the clock of `performance`. */
  readonly sinceMs: number
  readonly done: PromiseWithResolvers<void>
}

/**
 * Stores batches with group commit: whatever waits when a connection is free shares its transaction, so that commits are
 * as large as the load makes them, and nobody waits for a timer.
 */
export function openSignalStore(options: SignalStoreOptions): SignalStore {
  const interner = createInterner(options.db, { now: options.now, meter: options.meter })
  const queue = createFairQueue<Waiting>()
  /** Organizations of which something came again just now: trying without expecting that would be in vain. */
  const repeating = new Set<string>()
  const connections = Array.from({ length: CONNECTIONS }, (): Connection => ({ client: null, work: null }))

  let lastBatchId = 0
  /** Microseconds, so that newer rows have larger ids; two processes with the same one try again. */
  const nextBatchId = () => (lastBatchId = Math.max(lastBatchId + 1, options.now().getTime() * 1000))

  async function commitGroup(client: CopyClient, orgId: string, batches: readonly PreparedBatch[]): Promise<number> {
    for (let attempt = 1; ; attempt++) {
      const mayRepeat = repeating.has(orgId)
      try {
        const { stored } = await storeBatches(client, orgId, nextBatchId(), batches, mayRepeat)
        if (mayRepeat && stored === batches.reduce((sum, batch) => sum + batch.rows, 0)) repeating.delete(orgId)
        return stored
      } catch (error) {
        if (client.isLost() || attempt === ATTEMPTS_MAX) throw error
        await client.copy("rollback", [])
        if (!isRepeated(error) && !isDeadlock(error)) throw error
        repeating.add(orgId)
      }
    }
  }

  /** Stores the group, or those of it that can be stored when one cannot. */
  async function settle(client: CopyClient, group: readonly Waiting[]): Promise<void> {
    const orgId = group[0]?.orgId ?? ""
    const startedMs = performance.now()
    try {
      const stored = await commitGroup(
        client,
        orgId,
        group.map((item) => item.batch),
      )
      options.meter?.committed(orgId, {
        rows: group.reduce((sum, item) => sum + item.rows, 0),
        stored,
        commitMs: performance.now() - startedMs,
        queueMs: group.map((item) => startedMs - item.sinceMs),
      })
      for (const item of group) item.done.resolve()
    } catch (error) {
      if (group.length === 1 || client.isLost()) for (const item of group) item.done.reject(error)
      else for (const item of group) await settle(client, [item])
    }
  }

  async function workOff(connection: Connection): Promise<void> {
    // Requests that were read in the same turn of the event loop share the commit.
    await nextTurn()
    while (!queue.isEmpty()) {
      const group = queue.take(GROUP_ROWS_MAX)
      try {
        if (connection.client === null || connection.client.isLost()) {
          connection.client = await openCopyClient({
            url: options.url,
            role: "belay_ingest",
            applicationName: "belay_ingest",
            connectTimeoutMs: CONNECT_TIMEOUT_MS,
          })
        }
      } catch (error) {
        for (const item of group) item.done.reject(error)
        continue
      }
      await settle(connection.client, group)
    }
  }

  function wake(): void {
    const free = connections.find((connection) => connection.work === null)
    if (free === undefined) return
    if (queue.rows() < ROWS_FOR_SECOND && connections.some((connection) => connection.work !== null)) return
    free.work = workOff(free).finally(() => {
      free.work = null
      if (!queue.isEmpty()) wake()
    })
  }

  const store: SignalStore = {
    prepare: (orgId, batch) => prepareBatch(interner, orgId, batch),
    commit(batch, sender) {
      if (batch.rows === 0 && batch.unrecognized.length === 0) return Promise.resolve()
      const done = Promise.withResolvers<void>()
      const { orgId, rows } = batch
      queue.push({ orgId, sender, rows, batch, sinceMs: performance.now(), done })
      wake()
      return done.promise
    },
    async store(orgId, batch, sender = orgId) {
      await store.commit(await store.prepare(orgId, batch), sender)
    },
    async close() {
      for (const { work } of connections) await work
      for (const { client } of connections) await client?.close()
    },
  }
  return store
}

interface Connection {
  client: CopyClient | null
  work: Promise<void> | null
}

/** unique_violation */
function isRepeated(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "23505"
}

/** deadlock_detected, serialization_failure: two transactions met in the same rows, and one has to come again. */
function isDeadlock(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "40P01" || error.code === "40001")
}
