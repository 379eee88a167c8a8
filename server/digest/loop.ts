import { type Kysely, sql } from "kysely"
import { openChannel } from "../alert/deliver.ts"
import { asTenant } from "../db/tenant.ts"
import type { DB } from "../db/types.ts"
import type { Jobs, Queue } from "../jobs/queue.ts"
import type { Mailer } from "../mail/mailer.ts"
import { isTaken, post } from "../outbound/post.ts"
import { repeat, type Repeating } from "../repeat.ts"
import { calendarOf } from "../spend/periods.ts"
import { mayDo } from "../team/roles.ts"
import { readDigest, lastWeekOf } from "./digest.ts"
import { subjectOf, toMailText, toSlackBody } from "./words.ts"

const EVERY_MS = 60_000
const HOUR_MS = 3_600_000
/** On Monday, in the organization's zone: before the first meeting. */
const FROM_HOUR = 7
/** So long after midnight on Monday it is still news; later it waits for the next. */
const UNTIL_HOURS = 36
/** One that cannot be sent is given up after so long. */
const GIVEN_UP_AFTER_MS = 24 * HOUR_MS
const SENT_AT_ONCE = 4

interface Options {
  /** Acts as `belay_worker`, which knows of all organizations. */
  readonly worker: Kysely<DB>
  /** Acts as `belay_app`. */
  readonly app: Kysely<DB>
  /** Of all processes: what channels keep is sealed under it. */
  readonly secret: string
  /** Null when no mail server is configured. */
  readonly mailer: Mailer | null
  /** Where people open Belay. */
  readonly publicUrl: () => string
  readonly now: () => Date
}

/**
 * Writes down who is to be sent the digest of the last week, and gives it to the queue in the same transaction: each of them
 * once, however many processes do this. Only on Monday morning of the organization.
 */
export async function queueDigests(worker: Kysely<DB>, queue: Pick<Queue, "add">, now: Date): Promise<number> {
  const { rows } = await sql<{ orgId: string; timeZone: string }>`
    select o.id as "orgId", o.time_zone as "timeZone" from org o
    where exists (select from digest_subscription s where s.org_id = o.id)`.execute(worker)
  let queued = 0
  for (const { orgId, timeZone } of rows) {
    const monday = calendarOf(timeZone).periodAt("week", now).startsAt.getTime()
    if (now.getTime() < monday + FROM_HOUR * HOUR_MS || now.getTime() >= monday + UNTIL_HOURS * HOUR_MS) continue
    const { week } = lastWeekOf(now, timeZone)
    queued += await worker.transaction().execute(async (tx) => {
      const made = await sql<{ id: string }>`
        insert into digest_delivery (org_id, subscription_id, week, state, made_at)
        select org_id, id, ${week}::date, 'waiting', ${now} from digest_subscription where org_id = ${orgId}::uuid
        on conflict (org_id, subscription_id, week) do nothing returning id`.execute(tx)
      await queue.add(
        tx,
        "digest",
        made.rows.map(({ id }) => ({ key: id, data: { orgId, deliveryId: id }, notBefore: null })),
      )
      return made.rows.length
    })
  }
  return queued
}

/**
 * Does a job of the queue: sends a digest and writes down what came of it. Throws when it was not taken, to be tried again,
 * until it is given up. One that is not waiting any more was sent by a worker that died before it could say so.
 */
export async function sendDigest(options: Options, { orgId, deliveryId }: Jobs["digest"]): Promise<void> {
  const { worker, now } = options
  const row = await worker
    .selectFrom("digest_delivery as d")
    .innerJoin("digest_subscription as s", (join) =>
      join.onRef("s.org_id", "=", "d.org_id").onRef("s.id", "=", "d.subscription_id"),
    )
    .select(["d.made_at as madeAt", "s.account_id as accountId", "s.channel_id as channelId"])
    .where("d.org_id", "=", orgId)
    .where("d.id", "=", deliveryId)
    .where("d.state", "=", "waiting")
    .executeTakeFirst()
  if (row === undefined) return
  const result = await (
    row.accountId !== null
      ? mailDigest(options, { orgId, deliveryId, accountId: row.accountId, at: row.madeAt })
      : postDigest(options, { orgId, channelId: row.channelId ?? "", at: row.madeAt })
  ).catch((error: unknown) => ({ error: error instanceof Error ? error.message.slice(0, 500) : "it was refused" }))
  const error = typeof result === "string" ? null : result.error
  const isOver = error === null || now().getTime() >= row.madeAt.getTime() + GIVEN_UP_AFTER_MS
  await worker
    .updateTable("digest_delivery")
    .set({
      error,
      ...(isOver && { state: typeof result === "string" ? result : "dead", done_at: now() }),
    })
    .where("org_id", "=", orgId)
    .where("id", "=", deliveryId)
    .where("state", "=", "waiting")
    .execute()
  if (!isOver && error !== null) throw new Error(error)
}

type Sent = "sent" | "nothing"

/** As it was when it was due, so that one sent late tells of the same week. */
async function mailDigest(
  { app, mailer, publicUrl }: Options,
  args: { orgId: string; deliveryId: string; accountId: string; at: Date },
): Promise<Sent> {
  const { accountId, at } = args
  const found = await asTenant(app, args.orgId, async (tx) => {
    const account = await tx
      .selectFrom("account")
      .select(["email", "role"])
      .where("id", "=", accountId)
      .executeTakeFirst()
    if (account === undefined || !mayDo(account.role, "digest.read")) return null
    const digest = await readDigest(tx, { reader: { accountId, role: account.role }, now: at })
    return digest === null ? null : { digest, to: account.email }
  })
  if (found === null) return "nothing"
  if (mailer === null) throw new Error("no mail server is configured")
  const { digest, to } = found
  await mailer.send({
    to,
    subject: subjectOf(digest),
    text: toMailText(digest, publicUrl()),
    messageId: `<${args.deliveryId}@belay>`,
  })
  return "sent"
}

/** A channel is read by whoever is in it: it gets what may be told of the organization as a whole. */
async function postDigest(
  { app, secret, publicUrl }: Options,
  { orgId, channelId, at }: { orgId: string; channelId: string; at: Date },
): Promise<Sent> {
  const found = await asTenant(app, orgId, async (tx) => {
    const row = await tx
      .selectFrom("alert_channel")
      .select(["id", "org_id as orgId", "kind", "sealed_secret as sealed", "is_private_allowed as isPrivateAllowed"])
      .where("id", "=", channelId)
      .where("is_enabled", "=", true)
      .executeTakeFirst()
    const digest = row === undefined ? null : await readDigest(tx, { reader: { role: "api" }, now: at })
    return row === undefined || digest === null ? null : { row, digest }
  })
  if (found === null) return "nothing"
  const { row, digest } = found
  const channel = openChannel(row, secret)
  if (channel?.kind !== "slack") throw new Error("its settings cannot be opened: set the channel up again")
  const answer = await post({
    url: channel.url,
    headers: { "content-type": "application/json" },
    body: toSlackBody(digest, publicUrl()),
    isPrivateAllowed: row.isPrivateAllowed,
  })
  if (!isTaken(answer)) throw new Error(answer.error ?? `it answered ${answer.status}`)
  return "sent"
}

/** Looks every minute whether it is Monday morning somewhere, and sends what is queued, until it is stopped. */
export async function startDigests(
  options: Options & { readonly queue: Queue; readonly log: (message: string, error: unknown) => void },
): Promise<Repeating> {
  await options.queue.work("digest", SENT_AT_ONCE, (job) => sendDigest(options, job))
  return repeat({
    everyMs: EVERY_MS,
    work: () => queueDigests(options.worker, options.queue, options.now()),
    onError: (error) => options.log("digests fell behind", error),
  })
}
