import type { Kysely } from "kysely"
import { sql } from "kysely"
import type { DB } from "../db/types.ts"
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

/** Counts every few seconds until the returned function is called, which waits for the step in hand. */
export function startRollups(options: {
  readonly db: Kysely<DB>
  readonly now: () => Date
  readonly log: (message: string, error: unknown) => void
}): () => Promise<void> {
  let timer: NodeJS.Timeout | undefined
  let isStopped = false
  let work = Promise.resolve()
  const run = () => {
    work = countAll(options.db, options.now())
      .catch((error: unknown) => options.log("rollups fell behind", error))
      .finally(() => {
        if (!isStopped) timer = setTimeout(run, EVERY_MS)
      })
  }
  run()
  return async () => {
    isStopped = true
    clearTimeout(timer)
    await work
  }
}
