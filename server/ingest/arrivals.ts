import { sql } from "kysely"
import type { OpenedDatabase } from "../db/client.ts"
import type { Signal } from "./signal.ts"

/** A signal came in: what may be shown to whoever waits for it. Content-free, without the person. */
export interface Arrival {
  readonly agentTool: string
  readonly agentVersion: string | null
  readonly kind: string
  readonly model: string | null
  readonly count: number
  /** ISO 8601. */
  readonly receivedAt: string
}

/** What is announced of an agent tool's part of a batch. */
export type Arrived = Omit<Arrival, "receivedAt">

/** One for each agent tool, in the words of its latest signal. */
export function summarize(signals: readonly Signal[]): readonly Arrived[] {
  return [...Map.groupBy(signals, (signal) => signal.agentTool)].map(([agentTool, group]) => {
    const last = group.at(-1)
    return {
      agentTool,
      agentVersion: last?.agentVersion ?? null,
      kind: last?.kind ?? "start",
      model: group.findLast((signal) => signal.model !== null)?.model ?? null,
      count: group.length,
    }
  })
}

export interface Arrivals {
  /** Tells every process's listeners; at most once a second per agent tool. Never throws. */
  announce(orgId: string, arrived: readonly Arrived[]): void
  /** Calls `listener` for each arrival of the organization until the returned function is called. */
  subscribe(orgId: string, listener: (arrival: Arrival) => void): () => void
  close(): Promise<void>
}

const CHANNEL = "belay_arrival"
const ANNOUNCE_EVERY_MS = 1000

export async function openArrivals(
  database: OpenedDatabase,
  options: { now: () => Date; log: (message: string, error: unknown) => void },
): Promise<Arrivals> {
  const listeners = new Map<string, Set<(arrival: Arrival) => void>>()
  const announcedAt = new Map<string, number>()
  const announcing = new Set<Promise<unknown>>()
  const subscription = await database.sql.listen(CHANNEL, (payload) => {
    const { orgId, ...arrival } = JSON.parse(payload) as Arrival & { orgId: string }
    for (const listener of listeners.get(orgId) ?? []) listener(arrival)
  })

  return {
    announce(orgId, arrived) {
      const now = options.now()
      for (const one of arrived) {
        const key = `${orgId} ${one.agentTool}`
        if (now.getTime() - (announcedAt.get(key) ?? 0) < ANNOUNCE_EVERY_MS) continue
        announcedAt.set(key, now.getTime())
        const payload = JSON.stringify({ orgId, ...one, receivedAt: now.toISOString() })
        const announcement = sql`select pg_notify(${CHANNEL}, ${payload})`
          .execute(database.kysely)
          .catch((error: unknown) => options.log("arrival not announced", error))
          .finally(() => announcing.delete(announcement))
        announcing.add(announcement)
      }
    },
    subscribe(orgId, listener) {
      const own = listeners.get(orgId) ?? new Set()
      listeners.set(orgId, own.add(listener))
      return () => {
        own.delete(listener)
        if (own.size === 0) listeners.delete(orgId)
      }
    },
    async close() {
      listeners.clear()
      await Promise.all(announcing)
      await subscription.unlisten()
    },
  }
}
