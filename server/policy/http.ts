import { hash, randomUUID } from "node:crypto"
import type { IncomingMessage, ServerResponse } from "node:http"
import { type Kysely } from "kysely"
import { z } from "zod"
import { compilePolicy } from "#sdk/policy/compile.ts"
import { sealBudgets, sealPolicy } from "#sdk/policy/envelope.ts"
import { NATIVE_TOOLS } from "#sdk/policy/native/compile-native.ts"
import type { OpenedDatabase } from "../db/client.ts"
import { asTenant, type TenantTx } from "../db/tenant.ts"
import type { DB } from "../db/types.ts"
import type { SignalStore } from "../ingest/signal-store.ts"
import { BUDGET_CHANNEL } from "../spend/recount.ts"
import { decideUnderBudgets, prepareBudgets, readBudgetStates } from "../spend/decide.ts"
import { type AuthenticateKey, type LiveKey, readBearer } from "../team/key-authenticator.ts"
import { bundleOf, type PoliciesInForce, readPolicies, teamsOf } from "./bundles.ts"
import { findByEnduser, findByEndusers, noteClient } from "./clients.ts"
import { decideRequestSchema, statusReportSchema } from "./http-schemas.ts"
import { NATIVE_PATH, parseNativeRequest, toDownload, toNativeFiles } from "./native-files.ts"
import { OPENAPI } from "./openapi.ts"
import { RELEASE_CHANNEL } from "./releases.ts"
import { toDecisionSignal } from "./to-signal.ts"
import { readSigningKeys, type SigningKeys } from "./signing-keys.ts"

/** Names the person for whom a client asks, as `enduser.id` in its telemetry. */
const ENDUSER_HEADER = "belay-enduser"
/** Of a report or a question. */
const BODY_MAX_BYTES = 256 * 1024
const HEARTBEAT_MS = 15_000
/** After that long clients are sent their bundle anew: teams change at midnight, and exceptions are over. */
const REFRESH_MS = 5 * 60_000

interface Options {
  /** Acts as `belay_app`. */
  readonly database: OpenedDatabase
  readonly authenticate: AuthenticateKey
  /** Takes the decisions that are made here, as it takes those of clients. */
  readonly store: Pick<SignalStore, "store">
  /** Of all processes: signing keys are kept under it. */
  readonly secret: string
  readonly now: () => Date
  readonly log: (message: string, error: unknown) => void
}

export interface PolicyEndpoint {
  /** Answers a request for `/v1/policy…`, `/v1/decide` or `/v1/openapi.json`; false when the path is another. */
  handle(request: IncomingMessage, response: ServerResponse): boolean
  /** Ends what is streamed. */
  close(): Promise<void>
}

/** A client that is told of every change. */
interface Subscriber {
  readonly orgId: string
  readonly enduser: string | null
  readonly response: ServerResponse
  /** What it was last sent. */
  etag: string | null
}

/** An envelope with the tag of what it says, apart from when it was signed. */
interface Sealed {
  readonly envelope: string
  readonly etag: string
}

type Answer = { readonly status: number; readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> }

const NO_POLICY: Answer = {
  status: 404,
  body: { error: "no_policy", message: "Nothing is published that binds this person. Ask again, or listen for it." },
}

/**
 * How clients get their policy: a signed bundle with an entity tag, pushed anew over server-sent events when something is
 * published; reports of what they go by; and decisions for those who cannot decide by themselves.
 */
export async function createPolicyEndpoint(options: Options): Promise<PolicyEndpoint> {
  const { database, now, log } = options
  const subscribers = new Set<Subscriber>()
  const pushing = new Map<string, Promise<void>>()

  const push = (orgId: string) => {
    // One after the other in an organization, so that nobody is sent an older one last.
    const before = pushing.get(orgId) ?? Promise.resolve()
    const next = before
      .then(() => pushTo(orgId))
      .catch((error: unknown) => log("policy not pushed", error))
      .finally(() => {
        if (pushing.get(orgId) === next) pushing.delete(orgId)
      })
    pushing.set(orgId, next)
  }

  async function pushTo(orgId: string): Promise<void> {
    const waiting = [...subscribers].filter((subscriber) => subscriber.orgId === orgId)
    if (waiting.length === 0) return
    await withPolicies(options, orgId, async (tx, inForce) => {
      const endusers = new Set(waiting.flatMap(({ enduser }) => (enduser === null ? [] : [enduser])))
      const people = await findByEndusers(tx, [...endusers])
      const sealed = new Map<string | null, Sealed | null>()
      for (const subscriber of waiting) {
        const developerId = subscriber.enduser === null ? null : (people.get(subscriber.enduser) ?? null)
        let own = sealed.get(developerId)
        if (own === undefined) sealed.set(developerId, (own = seal(inForce, orgId, developerId, now())))
        if (own !== null) send(subscriber, own)
      }
    })
  }

  const pushAll = () => {
    for (const orgId of new Set([...subscribers].map((subscriber) => subscriber.orgId))) push(orgId)
  }

  const subscription = await database.sql.listen(RELEASE_CHANNEL, push, () => {
    // Also after the database was away, when changes may have been missed.
    pushAll()
  })
  // Those who decide by themselves ask how their budgets stand.
  const budgetSubscription = await database.sql.listen(BUDGET_CHANNEL, (orgId) => {
    for (const subscriber of subscribers) {
      if (subscriber.orgId === orgId) subscriber.response.write("event: budgets\ndata: {}\n\n")
    }
  })
  const heartbeat = setInterval(() => {
    for (const { response } of subscribers) response.write(":\n\n")
  }, HEARTBEAT_MS)
  const refresh = setInterval(pushAll, REFRESH_MS)
  heartbeat.unref()
  refresh.unref()

  function subscribe(request: IncomingMessage, response: ServerResponse, key: LiveKey): void {
    const etag = request.headers["last-event-id"]
    const subscriber = {
      orgId: key.orgId,
      enduser: enduserOf(request),
      response,
      etag: typeof etag === "string" ? etag : null,
    }
    response.writeHead(200, {
      "content-type": "text/event-stream",
      "cache-control": "no-store",
      // Proxies that collect answers would keep it to themselves.
      "x-accel-buffering": "no",
    })
    response.write("retry: 2000\n\n")
    subscribers.add(subscriber)
    response.on("close", () => subscribers.delete(subscriber))
    push(key.orgId)
  }

  async function answer(request: IncomingMessage, response: ServerResponse, route: Route): Promise<void> {
    if (route === "openapi") {
      reply(response, { status: 200, body: OPENAPI })
      return
    }
    const admitted = await admit(options, request)
    if (!admitted.ok) {
      reply(response, admitted.answer)
      return
    }
    const { key } = admitted
    if (route === "events") subscribe(request, response, key)
    else reply(response, await HANDLERS[route](options, request, key))
  }

  return {
    handle(request, response) {
      const [path = ""] = (request.url ?? "").split("?", 1)
      const found = path.startsWith(NATIVE_PATH) ? NATIVE : ROUTES.get(path)
      if (found === undefined) return false
      if (request.method !== found.method) {
        request.resume()
        const message = `${path} takes ${found.method}.`
        reply(response, { status: 405, body: { error: "method", message }, headers: { allow: found.method } })
        return true
      }
      answer(request, response, found.route).catch((error: unknown) => {
        log("policy request failed", error)
        const message = "Belay cannot answer now. Go on with the policy that you have, and ask again."
        reply(response, { status: 503, body: { error: "unavailable", message }, headers: { "retry-after": "5" } })
      })
      return true
    },
    async close() {
      clearInterval(heartbeat)
      clearInterval(refresh)
      for (const { response } of subscribers) response.end()
      subscribers.clear()
      await Promise.all(pushing.values())
      await Promise.all([subscription.unlisten(), budgetSubscription.unlisten()])
    },
  }
}

type Route = "policy" | "budgets" | "keys" | "events" | "status" | "decide" | "native" | "openapi"

const ROUTES: ReadonlyMap<string, { readonly method: "GET" | "POST"; readonly route: Route }> = new Map([
  ["/v1/policy", { method: "GET", route: "policy" }],
  ["/v1/policy/budgets", { method: "GET", route: "budgets" }],
  ["/v1/policy/keys", { method: "GET", route: "keys" }],
  ["/v1/policy/events", { method: "GET", route: "events" }],
  ["/v1/policy/status", { method: "POST", route: "status" }],
  ["/v1/decide", { method: "POST", route: "decide" }],
  ["/v1/openapi.json", { method: "GET", route: "openapi" }],
])

const NATIVE = { method: "GET", route: "native" } as const

type Handler = (options: Options, request: IncomingMessage, key: LiveKey) => Promise<Answer>

const HANDLERS: Record<Exclude<Route, "events" | "openapi">, Handler> = {
  policy: (options, request, { orgId }) =>
    withPolicies(options, orgId, async (tx, inForce) => {
      const developerId = await personOf(tx, request)
      const sealed = seal(inForce, orgId, developerId, options.now())
      if (sealed === null) return NO_POLICY
      const headers = { etag: sealed.etag, "cache-control": "no-cache" }
      if (isKnown(request, sealed.etag)) return { status: 304, headers }
      return { status: 200, body: sealed.envelope, headers }
    }),

  async native(options, request, { orgId }) {
    const asked = parseNativeRequest(request.url ?? "")
    if (asked === null) return noSuchFile(`Ask for ${NATIVE_PATH} and one of ${NATIVE_TOOLS.join(", ")}.`)
    return withPolicies(options, orgId, async (tx, { policies }) => {
      const bundle = bundleOf(policies, await personOf(tx, request))
      if (bundle === null) return NO_POLICY
      const files = toNativeFiles(asked, bundle, options.now())
      const headers = { etag: files.etag, "cache-control": "no-cache", "belay-policy-version": String(files.version) }
      const download = asked.file === null ? null : toDownload(files, asked.file)
      if (asked.file !== null && download === null) {
        const names = files.files.map(({ name }) => name).join(", ")
        return noSuchFile(`${asked.tool} has no ${asked.file}: its files are ${names}.`)
      }
      if (isKnown(request, files.etag)) return { status: 304, headers }
      if (download !== null) return { status: 200, body: download.body, headers: { ...headers, ...download.headers } }
      const { etag: _, ...body } = files
      return { status: 200, body, headers }
    })
  },

  keys: (options, _request, { orgId }) =>
    withPolicies(options, orgId, async (_tx, { keys }) => ({
      status: 200,
      body: { organization: orgId, keys: keys.keys },
    })),

  async status(options, request, key) {
    const read = await readBody(request, statusReportSchema)
    if (!read.ok) return read.answer
    await asTenant(options.database.kysely, key.orgId, async (tx) => {
      const developerId = await personOf(tx, request)
      await noteClient(tx, { report: read.value, orgId: key.orgId, developerId, keyId: key.id, now: options.now() })
    })
    return { status: 204 }
  },

  budgets: (options, request, { orgId }) =>
    withPolicies(options, orgId, async (tx, { policies, keys }) => {
      const developerId = await personOf(tx, request)
      if (bundleOf(policies, developerId) === null) return NO_POLICY
      const now = options.now()
      const prepared = await prepareBudgets(tx, { orgId, policies, developerId, now })
      const budgets = await readBudgetStates(tx, prepared, now)
      const etag = `"${hash("sha256", JSON.stringify(budgets), "hex").slice(0, 32)}"`
      const headers = { etag, "cache-control": "private, max-age=15" }
      if (isKnown(request, etag)) return { status: 304, headers }
      const asOf = now.toISOString()
      const uses = budgets.map(({ layer, id, used, limit, resetsAt }) => ({ layer, id, used, limit, resetsAt }))
      const envelope = sealBudgets(
        { organization: orgId, subject: developerId, version: policies.release, asOf, budgets: uses },
        keys.signer,
      )
      return { status: 200, body: { asOf, budgets, envelope }, headers }
    }),

  async decide(options, request, { orgId }) {
    const read = await readBody(request, decideRequestSchema)
    if (!read.ok) return read.answer
    const { action, context, call, record } = read.value
    const now = options.now()
    const asked = await withPolicies(options, orgId, async (tx, { policies }) => {
      const developerId = await personOf(tx, request)
      const bundle = bundleOf(policies, developerId)
      if (bundle === null) return null
      return {
        policy: compilePolicy(bundle),
        context: {
          ...context,
          nowMs: now.getTime(),
          ...(developerId !== null && { personId: developerId, teamIds: teamsOf(policies, developerId) }),
        },
        prepared: await prepareBudgets(tx, { orgId, policies, developerId, now }),
      }
    })
    if (asked === null) return NO_POLICY
    // In a transaction of its own, which locks what the other may have added.
    const { decision, budgets, reservation } = await asTenant(options.database.kysely, orgId, (tx) =>
      decideUnderBudgets(tx, asked.prepared, { policy: asked.policy, context: asked.context, action, call, now }),
    )
    if (record) {
      const signal = toDecisionSignal({
        id: randomUUID(),
        at: now,
        action,
        context,
        enduser: enduserOf(request),
        decision,
      })
      // Whoever waits for a decision gets it, also when it cannot be kept.
      await options.store
        .store(orgId, { signals: [signal], unrecognized: [] })
        .catch((error: unknown) => options.log("decision not recorded", error))
    }
    return { status: 200, body: { ...decision, budgets, reservation } }
  },
}

function isKnown(request: IncomingMessage, etag: string): boolean {
  return (request.headers["if-none-match"] ?? "").split(",").some((tag) => tag.trim() === etag)
}

function noSuchFile(message: string): Answer {
  return { status: 404, body: { error: "no_such_file", message } }
}

interface InForce {
  readonly policies: PoliciesInForce
  readonly keys: SigningKeys
}

function withPolicies<T>(
  { database, secret, now }: Options,
  orgId: string,
  work: (tx: TenantTx, inForce: InForce) => Promise<T>,
): Promise<T> {
  const db: Kysely<DB> = database.kysely
  return asTenant(db, orgId, async (tx) => {
    const at = now()
    return work(tx, {
      policies: await readPolicies(tx, at),
      keys: await readSigningKeys(tx, { orgId, secret, now: at }),
    })
  })
}

function seal({ policies, keys }: InForce, orgId: string, developerId: string | null, at: Date): Sealed | null {
  const bundle = bundleOf(policies, developerId)
  if (bundle === null) return null
  const said = {
    organization: orgId,
    subject: developerId,
    keys: keys.keys,
    teams: teamsOf(policies, developerId),
    bundle,
  }
  const etag = `"${hash("sha256", JSON.stringify([keys.signer.id, said]), "hex").slice(0, 32)}"`
  return { envelope: sealPolicy({ ...said, issuedAt: at.toISOString() }, keys.signer), etag }
}

function send(subscriber: Subscriber, { envelope, etag }: Sealed): void {
  if (subscriber.etag === etag || subscriber.response.destroyed) return
  subscriber.etag = etag
  subscriber.response.write(`event: policy\nid: ${etag}\ndata: ${envelope}\n\n`)
}

function enduserOf(request: IncomingMessage): string | null {
  const value = request.headers[ENDUSER_HEADER]
  return typeof value === "string" && value.trim() !== "" ? value.trim() : null
}

async function personOf(tx: TenantTx, request: IncomingMessage): Promise<string | null> {
  const enduser = enduserOf(request)
  return enduser === null ? null : findByEnduser(tx, enduser)
}

type Admitted = { readonly ok: true; readonly key: LiveKey } | { readonly ok: false; readonly answer: Answer }

async function admit({ authenticate }: Options, request: IncomingMessage): Promise<Admitted> {
  const secret = readBearer(request.headers.authorization)
  const found =
    secret === null
      ? { ok: false as const, reason: "unknown" as const }
      : await authenticate(secret, request.socket.remoteAddress ?? null)
  const refuse = (status: number, error: string, message: string, headers = {}): Admitted => ({
    ok: false,
    answer: { status, body: { error, message }, headers },
  })
  if (found.ok) {
    if (found.key.scopes.includes("policy:read")) return found
    return refuse(403, "wrong_scope", "This key may not read policies. Make one with policy:read on the Keys page.")
  }
  if (found.reason === "unknown") {
    const message = "Send Authorization: Bearer with a key that works. The Keys page of Belay makes one."
    return refuse(401, "unknown_key", message, { "www-authenticate": "Bearer" })
  }
  const message = "Too many requests in a minute. Go on with the policy that you have."
  return refuse(429, "too_many", message, { "retry-after": String(found.retryAfterSeconds) })
}

type Read<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly answer: Answer }

async function readBody<T>(request: IncomingMessage, schema: z.ZodType<T>): Promise<Read<T>> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    // What is too large is read to its end, so that its sender sees the answer.
    if (size <= BODY_MAX_BYTES) chunks.push(chunk)
  }
  const refuse = (status: number, error: string, message: string): Read<T> => ({
    ok: false,
    answer: { status, body: { error, message } },
  })
  if (size > BODY_MAX_BYTES) return refuse(413, "too_large", `A body has at most ${BODY_MAX_BYTES / 1024} KiB.`)
  let value: unknown
  try {
    value = JSON.parse(Buffer.concat(chunks).toString("utf8"))
  } catch {
    return refuse(400, "malformed", "The body has to be JSON.")
  }
  const parsed = schema.safeParse(value)
  if (parsed.success) return { ok: true, value: parsed.data }
  return refuse(422, "invalid", z.prettifyError(parsed.error))
}

function reply(response: ServerResponse, { status, body, headers }: Answer): void {
  if (response.destroyed || response.headersSent) return
  const text = body === undefined ? "" : typeof body === "string" ? body : `${JSON.stringify(body)}\n`
  response.writeHead(status, {
    ...(text !== "" && { "content-type": "application/json", "content-length": Buffer.byteLength(text) }),
    ...headers,
  })
  response.end(text)
}
