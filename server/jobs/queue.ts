import { type Kysely, sql, type Transaction } from "kysely"
import { fromKysely, PgBoss } from "pg-boss"
import { findClientConfig } from "../db/copy-client.ts"
import type { DB } from "../db/types.ts"

/**
 * The job queue: pg-boss, in a schema of its own beside Belay's tables. Jobs name rows of ours and hold nothing else, as
 * its tables know no organizations.
 */
const SCHEMA = "pgboss"

/** What can be queued, by the name of the queue. */
export interface Jobs {
  /** Send a delivery of an alert. */
  readonly alert_delivery: { readonly orgId: string; readonly deliveryId: string }
  /** Send the digest of a week. */
  readonly digest: { readonly orgId: string; readonly deliveryId: string }
}

/** A worker that says nothing for so long is dead, and its job is another's: found every `SUPERVISE_SECONDS`. */
const HEARTBEAT_SECONDS = 10
export const SUPERVISE_SECONDS = 5
const NOTHING_FROM_ITSELF = { schedule: false, reindex: false, monitorVacuum: false } as const

const SENDING = {
  // What has the same key is done in order: a job that waits to be tried again holds up those behind it.
  policy: "key_strict_fifo",
  heartbeatSeconds: HEARTBEAT_SECONDS,
  expireInSeconds: 60,
  retryLimit: 1000,
  retryDelay: 2,
  retryBackoff: true,
  retryDelayMax: 30 * 60,
  retentionSeconds: 3 * 86_400,
  deleteAfterSeconds: 3600,
  notify: true,
} as const

const QUEUES: Record<keyof Jobs, Parameters<PgBoss["createQueue"]>[1]> = {
  alert_delivery: SENDING,
  // A digest is read from every rollup, of every team.
  digest: { ...SENDING, expireInSeconds: 600 },
}

/** Makes or updates the queue's tables, as their owner. Any number of processes may do this at once. */
export async function installQueue(url: string, owner: Kysely<DB>): Promise<void> {
  const { rows } = await sql<{ role: string }>`select current_user as role`.execute(owner)
  const config = await findClientConfig({
    url,
    role: rows[0]?.role ?? "",
    applicationName: "belay migrate",
    connectTimeoutMs: 10_000,
  })
  const boss = new PgBoss({
    ...toOptions(config),
    ...NOTHING_FROM_ITSELF,
    max: 2,
    schema: SCHEMA,
    supervise: false,
  })
  boss.on("error", () => {})
  await boss.start()
  try {
    for (const [name, options] of Object.entries(QUEUES)) {
      await boss.createQueue(name, options)
      // A queue that is there keeps what it was made with otherwise.
      const { policy: _, ...changeable } = options ?? {}
      await boss.updateQueue(name, changeable)
    }
  } finally {
    await boss.stop({ graceful: false })
  }
  await sql`grant usage on schema ${sql.id(SCHEMA)} to belay_worker`.execute(owner)
  await sql`grant select, insert, update, delete on all tables in schema ${sql.id(SCHEMA)} to belay_worker`.execute(
    owner,
  )
  await sql`grant usage on all sequences in schema ${sql.id(SCHEMA)} to belay_worker`.execute(owner)
  await sql`grant execute on all functions in schema ${sql.id(SCHEMA)} to belay_worker`.execute(owner)
}

function toOptions(config: Awaited<ReturnType<typeof findClientConfig>>) {
  const { host, port, user, password, database, ssl, options, application_name } = config
  return {
    ...(host !== undefined && { host }),
    ...(port !== undefined && { port }),
    ...(user !== undefined && { user }),
    ...(typeof password === "string" && { password }),
    ...(database !== undefined && { database }),
    ...(options !== undefined && { options }),
    ...(application_name !== undefined && { application_name }),
    ssl,
  }
}

export interface Queue {
  /** Adds jobs in the transaction, which takes effect when it commits. What has the same key is done in order. */
  add<Name extends keyof Jobs>(
    tx: Transaction<DB>,
    name: Name,
    jobs: readonly { readonly key: string; readonly data: Jobs[Name]; readonly notBefore: Date | null }[],
  ): Promise<void>
  /** Does the jobs of a queue from now on, so many at once. One that throws is tried again, later each time. */
  work<Name extends keyof Jobs>(name: Name, width: number, handle: (data: Jobs[Name]) => Promise<void>): Promise<void>
  /** Lets what is at work finish for a few seconds. */
  stop(): Promise<void>
}

/** Opens the queue as `belay_worker`. */
export async function openQueue(options: {
  readonly url: string
  readonly log: (message: string, error: unknown) => void
}): Promise<Queue> {
  const config = await findClientConfig({
    url: options.url,
    role: "belay_worker",
    applicationName: "belay jobs",
    connectTimeoutMs: 10_000,
  })
  const boss = new PgBoss({
    ...toOptions(config),
    ...NOTHING_FROM_ITSELF,
    schema: SCHEMA,
    max: 3,
    migrate: false,
    createSchema: false,
    useListenNotify: true,
    superviseIntervalSeconds: SUPERVISE_SECONDS,
    monitorIntervalSeconds: SUPERVISE_SECONDS,
  })
  boss.on("error", (error) => options.log("the job queue failed", error))
  await boss.start()
  return {
    async add(tx, name, jobs) {
      if (jobs.length === 0) return
      await boss.insert(
        name,
        jobs.map(({ key, data, notBefore }) => ({
          data,
          singletonKey: key,
          ...(notBefore !== null && { startAfter: notBefore }),
        })),
        { db: fromKysely(tx) },
      )
    },
    async work(name, width, handle) {
      const polling = { pollingIntervalSeconds: 1, notifyPollingIntervalSeconds: 5, localConcurrency: width }
      await boss.work<Jobs[typeof name]>(name, polling, async ([job]) => {
        if (job !== undefined) await handle(job.data)
      })
    },
    stop: () => boss.stop({ graceful: true, timeout: 5000 }),
  }
}
