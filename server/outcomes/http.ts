import { createHmac, hash, timingSafeEqual } from "node:crypto"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Kysely } from "kysely"
import { z } from "zod"
import { asTenant } from "../db/tenant.ts"
import type { DB } from "../db/types.ts"
import { type AuthenticateKey, readBearer } from "../team/key-authenticator.ts"
import { recordDelivery } from "./deliveries.ts"
import { findWebhookOrganization, noteRefusedDelivery, readIdentify, readWebhookSecrets } from "./endpoints.ts"
import type { Provider, Reduce } from "./events.ts"
import { reduceGithub } from "./github.ts"
import { reduceGitlab } from "./gitlab.ts"
import { outcomesRequestSchema } from "./http-schemas.ts"
import { recordReportedOutcomes } from "./reported.ts"

/** What GitHub sends at most; GitLab sends less. */
const DELIVERY_MAX_BYTES = 25 * 1024 * 1024
const REPORT_MAX_BYTES = 1024 * 1024
/** As much of what nobody wants is read, so that its sender sees why. */
const UNWANTED_MAX_BYTES = 1024 * 1024

interface Options {
  /** Acts as `belay_app`. */
  readonly db: Kysely<DB>
  readonly authenticate: AuthenticateKey
  /** Of all processes: webhook secrets are kept under it. */
  readonly secret: string
  readonly now: () => Date
  readonly log: (message: string, error: unknown) => void
}

export interface OutcomesEndpoint {
  /** Answers a request for `/webhooks/…` or `/v1/outcomes`; false when the path is another. */
  handle(request: IncomingMessage, response: ServerResponse): boolean
}

interface Answer {
  readonly status: number
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/** Takes what code hosts and other systems say of what became of work. What is answered with 2xx is committed. */
export function createOutcomesEndpoint(options: Options): OutcomesEndpoint {
  return {
    handle(request, response) {
      const [path = ""] = (request.url ?? "").split("?", 1)
      const handler = findHandler(path)
      if (handler === null) return false
      void answer(options, request, response, { handler, path })
      return true
    },
  }
}

async function answer(
  options: Options,
  request: IncomingMessage,
  response: ServerResponse,
  { handler, path }: { readonly handler: Handler; readonly path: string },
): Promise<void> {
  const answered = await (
    request.method === "POST"
      ? handler(options, request)
      : Promise.resolve(refuse(405, "method", `${path} takes POST.`, { allow: "POST" }))
  ).catch((error: unknown) => {
    options.log("outcome not taken", error)
    return refuse(503, "unavailable", "Belay cannot take it now; send it again.", { "retry-after": "5" })
  })
  reply(response, answered)
  // What is not read yet would hold up the next request of the connection.
  discard(request)
}

type Handler = (options: Options, request: IncomingMessage) => Promise<Answer>

const WEBHOOK = /^\/webhooks\/(github|gitlab)\/([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$/

function findHandler(path: string): Handler | null {
  if (path === "/v1/outcomes") return takeReport
  if (!path.startsWith("/webhooks/")) return null
  const [, provider, id = ""] = WEBHOOK.exec(path) ?? []
  if (provider === "github" || provider === "gitlab") {
    return (options, request) => takeDelivery(options, request, { provider, id })
  }
  return () => Promise.resolve(NO_SUCH_ENDPOINT)
}

const NO_SUCH_ENDPOINT = refuse(404, "no_such_endpoint", "The address is on the page Webhooks of Belay's settings.")

interface Host {
  readonly reduce: Reduce
  readonly eventHeader: string
  /** What it calls a delivery, the same when it sends it again. */
  readonly deliveryHeaders: readonly string[]
  /** Whether it may be signed, as far as that is known before its body: what is not is not read. */
  mayBeSigned(request: IncomingMessage, secret: string): boolean
  isSigned(request: IncomingMessage, body: Buffer, secret: string): boolean
}

const HOSTS: Record<Provider, Host> = {
  github: {
    reduce: reduceGithub,
    eventHeader: "x-github-event",
    deliveryHeaders: ["x-github-delivery"],
    mayBeSigned: (request) => /^sha256=[0-9a-f]{64}$/.test(headerOf(request, "x-hub-signature-256")),
    isSigned: (request, body, secret) =>
      isSame(
        headerOf(request, "x-hub-signature-256"),
        `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`,
      ),
  },
  gitlab: {
    reduce: reduceGitlab,
    eventHeader: "x-gitlab-event",
    deliveryHeaders: ["idempotency-key", "x-gitlab-event-uuid"],
    mayBeSigned: (request, secret) => isSame(headerOf(request, "x-gitlab-token"), secret),
    isSigned: (request, _body, secret) => isSame(headerOf(request, "x-gitlab-token"), secret),
  },
}

async function takeDelivery(
  { db, secret, now }: Options,
  request: IncomingMessage,
  { provider, id }: { readonly provider: Provider; readonly id: string },
): Promise<Answer> {
  const orgId = await findWebhookOrganization(db, provider, id)
  if (orgId === null) return NO_SUCH_ENDPOINT
  const host = HOSTS[provider]
  const at = now()
  const { secrets, identify } = await asTenant(db, orgId, async (tx) => ({
    secrets: await readWebhookSecrets(tx, { id, orgId, secret, now: at }),
    identify: await readIdentify(tx),
  }))
  const refuseSignature = async () => {
    await asTenant(db, orgId, (tx) => noteRefusedDelivery(tx, id, at))
    return refuse(401, "wrong_signature", "The signature is not of this webhook's secret. Set the secret anew.")
  }
  if (!secrets.some((one) => host.mayBeSigned(request, one))) return refuseSignature()
  const body = await readAll(request, DELIVERY_MAX_BYTES)
  if (body === null) return refuse(413, "too_large", `A delivery has at most ${DELIVERY_MAX_BYTES} bytes.`)
  if (!secrets.some((one) => host.isSigned(request, body, one))) return refuseSignature()
  const payload = parseJson(body)
  if (payload === undefined) return refuse(400, "malformed", "Set the content type of the webhook to application/json.")
  const event = headerOf(request, host.eventHeader).slice(0, 60)
  const events = host.reduce(event, payload, identify)
  if (events === null) return refuse(422, "invalid", `This is not what ${provider} documents of the event ${event}.`)
  const named = host.deliveryHeaders.map((name) => headerOf(request, name)).find((name) => name !== "")
  const deliveryId = named?.slice(0, 100) ?? hash("sha256", body, "hex")
  await asTenant(db, orgId, (tx) =>
    recordDelivery(tx, { orgId, endpointId: id, provider, deliveryId, event, events, now: at }),
  )
  return { status: 202, body: { events: events.length } }
}

async function takeReport({ db, authenticate, now }: Options, request: IncomingMessage): Promise<Answer> {
  const bearer = readBearer(request.headers.authorization)
  const found =
    bearer === null
      ? { ok: false as const, reason: "unknown" as const }
      : await authenticate(bearer, request.socket.remoteAddress ?? null)
  if (!found.ok) {
    if (found.reason === "unknown") {
      const message = "Send Authorization: Bearer with a key that works. The Keys page of Belay makes one."
      return refuse(401, "unknown_key", message, { "www-authenticate": "Bearer" })
    }
    const headers = { "retry-after": String(found.retryAfterSeconds) }
    return refuse(429, "too_many", "Too many requests in a minute; send it again later.", headers)
  }
  const { key } = found
  if (!key.scopes.includes("ingest")) {
    return refuse(403, "wrong_scope", "This key may not send outcomes. Make one with ingest on the Keys page.")
  }
  const body = await readAll(request, REPORT_MAX_BYTES)
  if (body === null) return refuse(413, "too_large", `A body has at most ${REPORT_MAX_BYTES / 1024} KiB.`)
  const parsed = outcomesRequestSchema.safeParse(parseJson(body))
  if (!parsed.success) return refuse(422, "invalid", z.prettifyError(parsed.error))
  const { outcomes } = parsed.data
  const taken = await asTenant(db, key.orgId, (tx) =>
    recordReportedOutcomes(tx, { orgId: key.orgId, outcomes, now: now() }),
  )
  return { status: 200, body: { taken, known: outcomes.length - taken } }
}

/** In a time that does not tell how much of it is right. */
function isSame(given: string, wanted: string): boolean {
  const [a, b] = [given, wanted].map((text) => hash("sha256", text, "buffer"))
  return a !== undefined && b !== undefined && timingSafeEqual(a, b)
}

function headerOf(request: IncomingMessage, name: string): string {
  const value = request.headers[name]
  return typeof value === "string" ? value : ""
}

/** Null when it is larger; the rest is not read then. */
async function readAll(request: IncomingMessage, maxBytes: number): Promise<Buffer | null> {
  if (Number(request.headers["content-length"] ?? 0) > maxBytes) return null
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maxBytes) return null
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** Reads what is left and forgets it; of more than anybody sends by mistake the connection is cut off. */
function discard(request: IncomingMessage): void {
  let size = 0
  request.on("data", (chunk: Buffer) => {
    size += chunk.length
    if (size > UNWANTED_MAX_BYTES) request.destroy()
  })
  request.resume()
}

/** Undefined of what is no JSON. */
function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"))
  } catch {
    return undefined
  }
}

function refuse(
  status: number,
  error: string,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  return { status, body: { error, message }, headers }
}

function reply(response: ServerResponse, { status, body, headers }: Answer): void {
  if (response.destroyed || response.headersSent) return
  const text = `${JSON.stringify(body ?? {})}\n`
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
    ...headers,
  })
  response.end(text)
}
