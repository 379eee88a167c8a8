import { type Kysely, sql } from "kysely"
import type { DB } from "../db/types.ts"
import type { Queue } from "../jobs/queue.ts"
import { repeat, type Repeating } from "../repeat.ts"
import { deliver, type DeliveryOptions } from "./deliver.ts"
import { evaluateRules } from "./evaluate.ts"

/** Between looks for what was counted since. */
const EVERY_MS = 2000
/** Windows move on by themselves, and rules other than latency are of what is not counted. */
const AT_LEAST_EVERY_MS = 60_000

interface Databases {
  /** Acts as `belay_worker`, which knows of all organizations. */
  readonly worker: Kysely<DB>
  /** Acts as `belay_app`. */
  readonly app: Kysely<DB>
}

/**
 * Evaluates the rules of every organization of which signals were counted since, or a minute has passed. Any number of
 * processes may do this at once. One that fails keeps no other waiting; the first error is thrown at the end.
 */
export async function evaluateAll({ worker, app }: Databases, now: Date): Promise<void> {
  const earlier = new Date(now.getTime() - AT_LEAST_EVERY_MS)
  const { rows } = await sql<{ orgId: string; isWhole: boolean }>`
    select o.id as "orgId", coalesce(s.all_evaluated_at <= ${earlier}, true) as "isWhole"
    from org o left join alert_state s on s.org_id = o.id left join rollup_state r on r.org_id = o.id
    where s.evaluated_at is null or s.all_evaluated_at is null or s.evaluated_at <= ${earlier}
      or s.all_evaluated_at <= ${earlier} or r.counted_until is distinct from s.counted_until
    order by o.id`.execute(worker)
  const errors: unknown[] = []
  for (const { orgId, isWhole } of rows) {
    await evaluateRules(app, { orgId, at: now, isWhole }).catch((error: unknown) => errors.push(error))
  }
  if (errors.length > 0) throw errors[0]
}

/** Gives the deliveries that were written down to the job queue, each once. Takes the worker's database. */
export async function queueDeliveries(worker: Kysely<DB>, queue: Pick<Queue, "add">, now: Date): Promise<number> {
  return worker.transaction().execute(async (tx) => {
    const { rows } = await sql<{ orgId: string; id: string; alertId: string; channelId: string; notBefore: Date }>`
      with taken as (
        select org_id, id from alert_delivery where queued_at is null
        order by made_at, sequence limit 1000 for update skip locked
      )
      update alert_delivery d set queued_at = ${now} from taken t where d.org_id = t.org_id and d.id = t.id
      returning d.org_id as "orgId", d.id, d.alert_id as "alertId", d.channel_id as "channelId",
        d.not_before as "notBefore", d.sequence`.execute(tx)
    await queue.add(
      tx,
      "alert_delivery",
      rows.map(({ orgId, id, alertId, channelId, notBefore }) => ({
        // In order for an alert in a channel, which one that does not answer does not hold up elsewhere.
        key: `${alertId} ${channelId}`,
        data: { orgId, deliveryId: id },
        notBefore: notBefore > now ? notBefore : null,
      })),
    )
    return rows.length
  })
}

/** Deliveries that are sent at once: one that waits for its answer holds up few others. */
const SENT_AT_ONCE = 4

/** Looks every few seconds, and sends what is queued, until it is stopped. */
export async function startAlerts(
  options: Databases &
    DeliveryOptions & { readonly queue: Queue; readonly log: (message: string, error: unknown) => void },
): Promise<Repeating> {
  await options.queue.work("alert_delivery", SENT_AT_ONCE, (job) => deliver(options.worker, job, options))
  return repeat({
    everyMs: EVERY_MS,
    async work() {
      const evaluated = await evaluateAll(options, options.now()).catch((error: unknown) => ({ error }))
      await queueDeliveries(options.worker, options.queue, options.now())
      if (evaluated !== undefined) throw evaluated.error
    },
    onError: (error) => options.log("alerts fell behind", error),
  })
}
