import { randomUUID } from "node:crypto"
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { fileURLToPath } from "node:url"
import { constants } from "node:zlib"
import { createRequestHandler } from "@remix-run/express"
import type { ServerBuild } from "@remix-run/node"
import compression from "compression"
import express from "express"
import { sql } from "kysely"
import type { AlertsEndpoint } from "./alert/http.ts"
import type { AppContext } from "./context.ts"
import type { Arrivals } from "./ingest/arrivals.ts"
import type { OtlpReceiver } from "./ingest/http.ts"
import type { OutcomesEndpoint } from "./outcomes/http.ts"
import type { PolicyEndpoint } from "./policy/http.ts"
import { PortTaken } from "./ports.ts"
import type { SelfTelemetry } from "./self-telemetry.ts"
import { getViewer } from "./sign-in/sessions.ts"
import type { ListStanding } from "./standing.ts"
import { countAttempt, limitOfAccount } from "./team/rate-limit.ts"

const CLIENT_BUILD = fileURLToPath(new URL("../build/client", import.meta.url))

/** Past this a page's script takes ten times as long to compress and is 1 % smaller. */
const BROTLI_QUALITY = 5

export interface PageServer {
  /** The Remix build; in development it is loaded anew for each request. */
  readonly build: ServerBuild | (() => Promise<ServerBuild>)
  /** Serves modules and styles in development, before the built files. */
  readonly middleware?: RequestListener
  /** What is asked when pages are opened; not in development. */
  readonly listStanding?: ListStanding
}

/**
 * The app's port: OTLP is answered before Express sees the request, then the few plain endpoints, then the pages.
 */
export function createAppServer(options: {
  context: AppContext
  receiver: OtlpReceiver
  policy: PolicyEndpoint
  alerts: AlertsEndpoint
  outcomes: OutcomesEndpoint
  arrivals: Arrivals
  pages: PageServer
  selfTelemetry: SelfTelemetry
  isBehindProxy: boolean
}): Server {
  const { context, receiver, policy, alerts, outcomes, arrivals, pages, selfTelemetry } = options
  const app = express()
  app.disable("x-powered-by")
  // Sites elsewhere can have no page made with somebody's cookie, which is `SameSite`, and so learn nothing from its size.
  const compress = compression({
    filter: (request, response) =>
      !String(response.getHeader("content-type")).startsWith("text/event-stream") &&
      compression.filter(request, response),
    brotli: { params: { [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY } },
  })
  if (!pages.middleware) {
    // Before the headers of pages: a page has some sixty modules, which are never asked for again.
    const setHeaders = (response: express.Response) => response.set("x-content-type-options", "nosniff")
    const options = { immutable: true, maxAge: "1y", etag: false, lastModified: false, setHeaders }
    app.use("/assets", compress, express.static(`${CLIENT_BUILD}/assets`, options))
  }
  app.use((_request, response, next) => {
    const requestId = randomUUID()
    response.locals["requestId"] = requestId
    response.set({
      "x-request-id": requestId,
      "x-content-type-options": "nosniff",
      "referrer-policy": "same-origin",
      "x-frame-options": "DENY",
      "cross-origin-opener-policy": "same-origin",
      "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
      // Only where people do come over TLS: elsewhere it would lock them out.
      ...(context.publicUrl.startsWith("https:") && { "strict-transport-security": "max-age=31536000" }),
    })
    next()
  })
  app.get("/healthz", (_request, response) => void response.type("text").send("ok\n"))
  app.get("/readyz", (_request, response) => {
    sql`select 1`.execute(context.db).then(
      () => response.type("text").send("ready\n"),
      () => response.status(503).type("text").send("The database does not answer.\n"),
    )
  })
  app.get("/metrics", (request, response) => selfTelemetry.answer(request, response))
  app.get("/events/arrivals", (request, response) => void streamArrivals(request, response, context, arrivals))
  app.use((request, response, next) => {
    if (isForeignWrite(request)) response.status(403).type("text").send("This form was sent from another site.\n")
    else next()
  })
  app.use(compress)
  app.use(pages.middleware ?? express.static(CLIENT_BUILD, { maxAge: "1h" }))
  const getLoadContext = (request: express.Request, response: express.Response) => ({
    ...context,
    isDev: pages.middleware !== undefined,
    requestId: String(response.locals["requestId"]),
    clientAddress: options.isBehindProxy ? null : (request.socket.remoteAddress ?? null),
  })
  const answerPage = createRequestHandler({ build: pages.build, getLoadContext })
  app.all("*", (request, response, next) => void answerPage(request, response, next))

  return createServer((request, response) => {
    const endpoints = [receiver, policy, alerts, outcomes]
    if (!endpoints.some((endpoint) => endpoint.handle(request, response))) app(request, response)
  })
}

/** The port that agents expect, where nothing but OTLP and the policy is answered. */
export function createOtlpServer(receiver: OtlpReceiver, policy: PolicyEndpoint): Server {
  return createServer((request, response) => {
    if (receiver.handle(request, response) || policy.handle(request, response)) return
    const isHealth = request.url === "/healthz"
    response.writeHead(isHealth ? 200 : 404, { "content-type": "text/plain" })
    response.end(isHealth ? "ok\n" : "This port takes OTLP: POST /v1/traces, /v1/logs or /v1/metrics.\n")
  })
}

/** Resolves with the port that was bound; port 0 takes a free one. */
export function listen(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException) => {
      reject(error.code === "EADDRINUSE" ? new PortTaken(port) : error)
    }
    server.once("error", onError)
    server.listen(port, host, () => {
      server.off("error", onError)
      resolve((server.address() as AddressInfo).port)
    })
  })
}

/** A write whose `Origin` is another site's: a cross-site request forgery. Clients without an origin have no cookie. */
function isForeignWrite(request: IncomingMessage): boolean {
  const { origin, host } = request.headers
  if (request.method === "GET" || request.method === "HEAD" || origin === undefined) return false
  try {
    return new URL(origin).host !== host
  } catch {
    return true
  }
}

const HEARTBEAT_MS = 15_000

/** Server-sent events: one `arrival` for each batch of signals of the viewer's organization. */
async function streamArrivals(
  request: IncomingMessage,
  response: ServerResponse,
  context: AppContext,
  arrivals: Arrivals,
): Promise<void> {
  const now = context.now()
  const viewer = await getViewer(context.signIn, request.headers.cookie ?? null).catch(() => null)
  if (viewer === null) {
    response.writeHead(401, { "content-type": "text/plain" }).end("Sign in first.\n")
    return
  }
  const attempt = await countAttempt(context.db, limitOfAccount(viewer.accountId), now).catch(() => null)
  if (attempt?.ok !== true) {
    const seconds = attempt?.retryAfterSeconds ?? 5
    const headers = { "content-type": "text/plain", "retry-after": String(seconds) }
    response.writeHead(attempt === null ? 503 : 429, headers).end(`Come back in ${seconds} s.\n`)
    return
  }
  response.writeHead(200, {
    "content-type": "text/event-stream",
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",
  })
  response.write("retry: 2000\n\n")
  const unsubscribe = arrivals.subscribe(viewer.orgId, (arrival) => {
    response.write(`event: arrival\ndata: ${JSON.stringify(arrival)}\n\n`)
  })
  const heartbeat = setInterval(() => response.write(": still here\n\n"), HEARTBEAT_MS)
  response.on("close", () => {
    clearInterval(heartbeat)
    unsubscribe()
  })
}
