import type { Kysely } from "kysely"
import { sql } from "kysely"
import type { DB } from "../db/types.ts"
import { repeat, type Repeating } from "../repeat.ts"
import { rebuildNext } from "./rebuild.ts"
import { countNext, type Step } from "./step.ts"

/** Between looks for what was committed: dashboards are as old as this at most, and a step has rows worth its start. */
const EVERY_MS = 5000

/** Counts whatever waits, of every organization that nobody else counts. Takes the worker's database. */
export async function countAll(db: Kysely<DB>, now: Date): Promise<void> {
  while ((await rebuildNext(db, now)) !== null);
  for (let step = await countNext(db, now); step !== null; step = await countNext(db, now)) await summarize(db, step)
}

/** So that the next step finds its rows by the index and reads no more of the table than those. */
async function summarize(db: Kysely<DB>, step: Step): Promise<void> {
  if (step.days.length > 0) await sql`select belay_summarize_signal_batches(${step.days}::date[])`.execute(db)
}

/** Seconds since the oldest signals that are not counted were stored; 0 when all are. Takes the worker's database. */
async function findLagSeconds(db: Kysely<DB>, now: Date): Promise<number> {
  const oldest = await sql<{ batch_id: number | null }>`select min(batch_id) as batch_id from signal_batch`.execute(db)
  const since = oldest.rows[0]?.batch_id ?? null
  return since === null ? 0 : Math.max(0, now.getTime() / 1000 - since / 1e6)
}

export interface Rollups extends Repeating {
  /** Null before the first look. */
  lagSeconds(): number | null
}

/** Counts every few seconds until it is stopped. */
export function startRollups(options: {
  readonly db: Kysely<DB>
  readonly now: () => Date
  readonly log: (message: string, error: unknown) => void
}): Rollups {
  let lagSeconds: number | null = null
  const loop = repeat({
    everyMs: EVERY_MS,
    async work() {
      lagSeconds = await findLagSeconds(options.db, options.now())
      await countAll(options.db, options.now())
    },
    onError: (error) => options.log("rollups fell behind", error),
  })
  return { ...loop, lagSeconds: () => lagSeconds }
}
