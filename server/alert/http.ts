import { createHmac, randomUUID, timingSafeEqual } from "node:crypto"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Kysely } from "kysely"
import { z } from "zod"
import { asTenant } from "../db/tenant.ts"
import type { DB } from "../db/types.ts"
import { ACKNOWLEDGE_ACTION } from "./channels.ts"
import { acknowledgeAlert, readChannel } from "./commands.ts"

/** What Slack sends is a few kilobytes. */
const BODY_MAX_BYTES = 100_000
/** As Slack says: what is older may be somebody who recorded it. */
const AGE_MAX_SECONDS = 300

interface Options {
  /** Acts as `belay_app`. */
  readonly db: Kysely<DB>
  /** Of all processes: what channels keep is sealed under it. */
  readonly secret: string
  readonly now: () => Date
  readonly log: (message: string, error: unknown) => void
}

export interface AlertsEndpoint {
  /** Answers a request for `/webhooks/slack`; false when the path is another. */
  handle(request: IncomingMessage, response: ServerResponse): boolean
}

/** Takes what somebody pressed in a message of Slack. */
export function createAlertsEndpoint(options: Options): AlertsEndpoint {
  return {
    handle(request, response) {
      const [path = ""] = (request.url ?? "").split("?", 1)
      if (path !== "/webhooks/slack") return false
      void answerPress(options, request, response)
      return true
    },
  }
}

async function answerPress(options: Options, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { status, text } = await takePress(options, request).catch((error: unknown) => {
    options.log("an acknowledgement from Slack was not taken", error)
    return { status: 503, text: "Belay cannot take it now; press again." }
  })
  request.resume()
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(`${text}\n`)
}

const payloadSchema = z.object({
  type: z.literal("block_actions"),
  user: z.object({ id: z.string().max(100), username: z.string().max(200).optional() }),
  actions: z.array(z.object({ action_id: z.string(), value: z.string().max(200).optional() })).max(20),
})

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

async function takePress(
  { db, secret, now }: Options,
  request: IncomingMessage,
): Promise<{ readonly status: number; readonly text: string }> {
  if (request.method !== "POST") return { status: 405, text: "Slack posts here." }
  const body = await readBody(request)
  const payload = body === null ? null : parsePayload(body)
  if (body === null || payload === null) return { status: 400, text: "This is no press of a button in Slack." }
  const pressed = payload.actions.find(({ action_id: id }) => id === ACKNOWLEDGE_ACTION)?.value
  // The button that opens Belay is told of as well, and nothing is to be done about it.
  if (pressed === undefined) return { status: 200, text: "" }
  const [orgId = "", channelId = "", alertId = ""] = pressed.split(" ")
  if (![orgId, channelId, alertId].every((id) => UUID.test(id))) return { status: 400, text: "This is no alert." }
  const at = now()
  return asTenant(db, orgId, async (tx) => {
    const known = await readChannel(tx, { id: channelId, orgId, secret })
    // Whose it is was not known before: only the channel that it names can say whether it is signed.
    if (known?.channel.kind !== "slack" || known.channel.signingSecret === null) return NOT_SIGNED
    if (!isSigned(request, body, known.channel.signingSecret, at)) return NOT_SIGNED
    const via = `${payload.user.username ?? payload.user.id} in Slack`
    const by = { orgId, actorId: null, actorEmail: null, occurredAt: at, requestId: randomUUID() }
    const done = await acknowledgeAlert(tx, { id: alertId, readable: null, by, via })
    return { status: 200, text: done.ok ? "Acknowledged." : "It is not open any more." }
  })
}

const NOT_SIGNED = { status: 401, text: "The signature is not right, or too old." }

/** @see https://docs.slack.dev/authentication/verifying-requests-from-slack */
function isSigned(request: IncomingMessage, body: string, signingSecret: string, at: Date): boolean {
  const timestamp = String(request.headers["x-slack-request-timestamp"] ?? "")
  if (!/^\d{1,12}$/.test(timestamp)) return false
  if (Math.abs(at.getTime() / 1000 - Number(timestamp)) > AGE_MAX_SECONDS) return false
  const signature = Buffer.from(String(request.headers["x-slack-signature"] ?? ""))
  const wanted = Buffer.from(
    `v0=${createHmac("sha256", signingSecret).update(`v0:${timestamp}:${body}`).digest("hex")}`,
  )
  return signature.length === wanted.length && timingSafeEqual(signature, wanted)
}

function parsePayload(body: string): z.infer<typeof payloadSchema> | null {
  try {
    const parsed = payloadSchema.safeParse(JSON.parse(new URLSearchParams(body).get("payload") ?? ""))
    return parsed.success ? parsed.data : null
  } catch {
    return null
  }
}

/** Null when it is too long. */
async function readBody(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > BODY_MAX_BYTES) return null
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString("utf8")
}
