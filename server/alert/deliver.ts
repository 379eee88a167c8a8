import { type Kysely, sql } from "kysely"
import type { DB, Json } from "../db/types.ts"
import type { Jobs } from "../jobs/queue.ts"
import type { Mailer } from "../mail/mailer.ts"
import { type Answer, isTaken, post } from "../outbound/post.ts"
import { unseal } from "../sealed.ts"
import { type ChannelSettings, parseChannel, type Sending, toMail, toRequest } from "./channels.ts"
import type { AlertMessage } from "./message.ts"

export interface DeliveryOptions {
  /** Of all processes: what channels keep is sealed under it. */
  readonly secret: string
  /** Null when no mail server is configured. */
  readonly mailer: Mailer | null
  /** Where people open Belay. */
  readonly publicUrl: () => string
  readonly now: () => Date
}

export const CHANNEL_PURPOSE = "belay alert channel"

/** The settings of a channel from its row; null when they cannot be opened or read. */
export function openChannel(
  row: { readonly id: string; readonly orgId: string; readonly kind: string; readonly sealed: Buffer | null },
  secret: string,
): ChannelSettings | null {
  if (row.sealed === null) return null
  try {
    const plain = unseal(row.sealed, { secret, orgId: row.orgId, id: row.id, purpose: CHANNEL_PURPOSE })
    return parseChannel(row.kind, JSON.parse(plain.toString("utf8")))
  } catch {
    return null
  }
}

/** Sends a message through a channel, once. Never rejects. */
export async function send(
  channel: ChannelSettings,
  message: AlertMessage,
  args: Omit<Sending, "link" | "at"> & { readonly isPrivateAllowed: boolean },
  { mailer, publicUrl, now }: DeliveryOptions,
): Promise<Answer> {
  const isTest = message.event === "test"
  const link = `${publicUrl()}/alerts${isTest ? "" : `/${message.alert.id}`}`
  const sending = { ...args, link, at: now() }
  if (channel.kind === "email") return sendMail(mailer, channel.to, message, sending)
  return post({ ...toRequest(channel, message, sending), isPrivateAllowed: args.isPrivateAllowed })
}

const MAIL_TAKEN = 250

async function sendMail(mailer: Mailer | null, to: string, message: AlertMessage, sending: Sending): Promise<Answer> {
  const startedAt = performance.now()
  const done = (answer: Omit<Answer, "durationMs" | "isRefused">): Answer => ({
    ...answer,
    isRefused: false,
    durationMs: Math.round(performance.now() - startedAt),
  })
  if (mailer === null) return done({ status: null, body: "", error: "no mail server is configured" })
  const { thread, ...mail } = toMail(message, sending)
  try {
    const response = await mailer.send({ to, ...mail, references: thread })
    return done({ status: MAIL_TAKEN, body: response ?? "", error: null })
  } catch (error) {
    return done({
      status: null,
      body: "",
      error: error instanceof Error ? error.message.slice(0, 500) : "it was refused",
    })
  }
}

/**
 * Does a job of the queue: sends the delivery and writes down what came of it. Throws when it was not taken, to be tried
 * again, until it has expired; then it is dead, and what comes after it is sent. A delivery that is not waiting any more
 * was sent by a worker that died before it could say so to the queue.
 *
 * Takes the worker's database.
 */
export async function deliver(
  db: Kysely<DB>,
  { orgId, deliveryId }: Jobs["alert_delivery"],
  options: DeliveryOptions,
): Promise<void> {
  const row = await db
    .selectFrom("alert_delivery as d")
    .innerJoin("alert_channel as c", (join) =>
      join.onRef("c.org_id", "=", "d.org_id").onRef("c.id", "=", "d.channel_id"),
    )
    .select([
      "d.message",
      "d.state",
      "d.expires_at as expiresAt",
      "c.id as channelId",
      "c.kind",
      "c.is_enabled as isEnabled",
    ])
    .select(["c.sealed_secret as sealed", "c.is_private_allowed as isPrivateAllowed"])
    .where("d.org_id", "=", orgId)
    .where("d.id", "=", deliveryId)
    .executeTakeFirst()
  if (row === undefined || row.state !== "waiting") return
  const channel = openChannel({ id: row.channelId, orgId, kind: row.kind, sealed: row.sealed }, options.secret)
  const answer =
    channel === null || !row.isEnabled
      ? refusal(channel === null ? "its settings cannot be opened: set it up again" : "the channel is switched off")
      : await send(
          channel,
          row.message as unknown as AlertMessage, // as `tell` wrote it
          { deliveryId, channelId: row.channelId, orgId, isPrivateAllowed: row.isPrivateAllowed },
          options,
        )
  const at = options.now()
  const isDead = !isTaken(answer) && (answer.isRefused || at >= row.expiresAt)
  await db
    .updateTable("alert_delivery")
    .set((eb) => ({
      attempts: eb("attempts", "+", 1),
      tried_at: at,
      answer: sql<Json>`${JSON.stringify(answer)}::text::jsonb`,
      ...(isTaken(answer) && { state: "delivered", delivered_at: at }),
      ...(isDead && { state: "dead" }),
    }))
    .where("org_id", "=", orgId)
    .where("id", "=", deliveryId)
    .where("state", "=", "waiting")
    .execute()
  if (!isTaken(answer) && !isDead) throw new Error(answer.error ?? `it answered ${answer.status}`)
}

function refusal(error: string): Answer {
  return { status: null, body: "", error, durationMs: 0, isRefused: true }
}
