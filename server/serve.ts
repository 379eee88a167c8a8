import type { Server } from "node:http"
import type { Kysely } from "kysely"
import { createAlertsEndpoint } from "./alert/http.ts"
import { ANSWER_AGE, type AnswerAge, openAnswers } from "./answers.ts"
import type { AppContext } from "./context.ts"
import type { OpenedDatabase } from "./db/client.ts"
import type { DB } from "./db/types.ts"
import { createAppServer, createOtlpServer, listen, type PageServer } from "./http.ts"
import { type Arrivals, openArrivals } from "./ingest/arrivals.ts"
import { BUDGET_BYTES, type ReceiverOptions } from "./ingest/accept.ts"
import { closeGrpc, createGrpcServer, listenGrpc } from "./ingest/grpc.ts"
import { createOtlpReceiver } from "./ingest/http.ts"
import { createBudget } from "./ingest/budget.ts"
import type { IngestMeter } from "./ingest/meter.ts"
import type { SignalStore } from "./ingest/signal-store.ts"
import { createOutcomesEndpoint } from "./outcomes/http.ts"
import { createPolicyEndpoint } from "./policy/http.ts"
import { createLane } from "./lane.ts"
import { bindIfFree, STANDARD_GRPC_PORT, STANDARD_OTLP_PORT } from "./ports.ts"
import type { Mailer } from "./mail/mailer.ts"
import { type Auth, createAuth, type IdentityProvider } from "./sign-in/auth.ts"
import { repeat } from "./repeat.ts"
import type { SelfTelemetry } from "./self-telemetry.ts"
import type { SignIn } from "./sign-in/sessions.ts"
import { listAllStanding } from "./standing.ts"
import { createKeyAuthenticator } from "./team/key-authenticator.ts"

export interface ServeOptions {
  /** Acts as `belay_app`. */
  readonly app: OpenedDatabase
  /** Acts as `belay_auth`. */
  readonly auth: OpenedDatabase
  readonly authSecret: string
  readonly identityProvider: IdentityProvider | null
  readonly mailer: Mailer | null
  /** Acts as `belay_ingest`. */
  readonly ingest: OpenedDatabase
  /** Acts as `belay_worker`. Undefined has only made ready what was asked before: for tests. */
  readonly worker?: Kysely<DB>
  readonly store: SignalStore
  readonly meter: IngestMeter
  /** Answers `GET /metrics`. */
  readonly selfTelemetry: SelfTelemetry
  readonly pages: Promise<PageServer>
  readonly host: string
  /** 0 takes a free port. */
  readonly port: number
  /** Undefined takes the standard port when it is free, and else leaves OTLP/HTTP to the pages' port. */
  readonly otlpPort: number | undefined
  /** Undefined takes the standard port when it is free, and else leaves OTLP/gRPC out. */
  readonly grpcPort: number | undefined
  /** Where people open Belay, when that is not the address it is bound to. */
  readonly publicUrl?: string | undefined
  /** Of one ingest key, over all processes. */
  readonly ingestRequestsPerMinute: number
  /** Where the audit log is sent on to; null when it is not. */
  readonly auditEndpoint: string | null
  readonly retentionDays: number
  readonly demoOrgId: string | null
  /** How old the figures of a page may be. Default `ANSWER_AGE`. */
  readonly answerAge?: AnswerAge
  readonly now: () => Date
  readonly log: (message: string, error: unknown) => void
  /** What the operator should know and nothing failed for. */
  readonly tell: (line: string) => void
}

export interface Served {
  /** Where people open Belay. */
  readonly url: string
  /** Where it listens; behind a proxy that is another address. */
  readonly boundUrl: string
  readonly otlpUrl: string
  /** OTLP/gRPC without TLS; null when it is left out. */
  readonly grpcUrl: string | null
  readonly arrivals: Arrivals
  readonly signIn: SignIn
  readonly store: SignalStore
  /** Takes no new requests and lets those in hand finish. */
  close(): Promise<void>
}

/** Passwords hashed at once: they leave a core to everything else. */
const PASSWORDS_AT_ONCE = 1

/** Requests in hand get this long to finish. */
const CLOSE_GRACE_MS = 10_000

const PREPARE_EVERY_MS = 60_000

/** Serves pages, API and OTLP over a migrated database. */
export async function serve(options: ServeOptions): Promise<Served> {
  const { app, ingest, host, now, log } = options
  const arrivals = await openArrivals(app, { now, log })
  const answers = openAnswers({
    db: app.kysely,
    age: options.answerAge ?? ANSWER_AGE,
    onError: (error) => log("Figures could not be made anew", error),
  })
  const preparing = repeat({
    everyMs: PREPARE_EVERY_MS,
    async work() {
      const { worker } = options
      const { listStanding } = await options.pages
      const at = now()
      const isKnown = worker !== undefined && listStanding !== undefined
      const standing = isKnown ? await listAllStanding({ worker, app: app.kysely, listStanding, now: at }) : []
      await answers.prepare(at, standing)
    },
    onError: (error) => log("Figures could not be prepared", error),
  })
  const budget = createBudget(BUDGET_BYTES)
  options.meter.watch({ heldBytes: () => budget.held(), heldBytesMax: () => BUDGET_BYTES })
  const receiving: ReceiverOptions = {
    authenticate: createKeyAuthenticator(ingest.kysely, {
      now,
      tell: options.tell,
      isBehindProxy: options.publicUrl !== undefined,
      requestsPerMinute: options.ingestRequestsPerMinute,
    }),
    store: options.store,
    budget,
    meter: options.meter,
    onStored: (orgId, arrived) => arrivals.announce(orgId, arrived),
    now,
    log,
  }
  const receiver = createOtlpReceiver(receiving)
  const policy = await createPolicyEndpoint({
    database: app,
    authenticate: receiving.authenticate,
    store: options.store,
    secret: options.authSecret,
    now,
    log,
  })
  const alerts = createAlertsEndpoint({ db: app.kysely, secret: options.authSecret, now, log })
  const outcomes = createOutcomesEndpoint({
    db: app.kysely,
    authenticate: receiving.authenticate,
    secret: options.authSecret,
    now,
    log,
  })
  const grpcServer = createGrpcServer(receiving)
  const servers: Server[] = []
  const close = async () => {
    // What is streamed has no end of its own, and would be waited for.
    await Promise.all([policy.close(), closeGrpc(grpcServer, CLOSE_GRACE_MS), ...servers.map(closeServer)])
    await preparing.stop()
    await Promise.all([arrivals.close(), answers.close()])
  }
  const bind = async (server: Server, port: number) => {
    const bound = await listen(server, port, host)
    servers.push(server)
    return `http://${host}:${bound}`
  }
  try {
    const { otlpPort = STANDARD_OTLP_PORT, grpcPort = STANDARD_GRPC_PORT, tell } = options
    const bindOtlp = () => bind(createOtlpServer(receiver, policy), otlpPort)
    const bindGrpc = async () => `http://${host}:${await listenGrpc(grpcServer, grpcPort, host)}`
    const ownOtlpUrl = await bindIfFree(bindOtlp, options.otlpPort !== undefined, tell)
    const grpcUrl = await bindIfFree(bindGrpc, options.grpcPort !== undefined, tell)
    // A free port is known once it is bound, which is before any page asks for it.
    let url = options.publicUrl ?? ""
    // Made at the first request, because it has to know the address; forgotten when its provider was away.
    let auth: Auth | null = null
    const passwordLane = createLane(PASSWORDS_AT_ONCE)
    const context: AppContext = {
      db: app.kysely,
      answers,
      signIn: {
        db: options.auth.kysely,
        log,
        passwordLane,
        get auth() {
          return (auth ??= createAuth({
            db: options.auth.kysely,
            secret: options.authSecret,
            publicUrl: url,
            provider: options.identityProvider,
            passwordLane,
            log,
          }))
        },
      },
      authenticate: receiving.authenticate,
      secret: options.authSecret,
      providerName: options.identityProvider?.name ?? null,
      retryProvider() {
        auth = null
      },
      mailer: options.mailer,
      now,
      get otlpUrl() {
        return ownOtlpUrl ?? url
      },
      get publicUrl() {
        return url
      },
      auditHost: options.auditEndpoint === null ? null : new URL(options.auditEndpoint).host,
      retentionDays: options.retentionDays,
      demoOrgId: options.demoOrgId,
    }
    const appServer = createAppServer({
      context,
      receiver,
      policy,
      alerts,
      outcomes,
      arrivals,
      pages: await options.pages,
      selfTelemetry: options.selfTelemetry,
      isBehindProxy: options.publicUrl !== undefined,
    })
    const boundUrl = await bind(appServer, options.port)
    url ||= boundUrl
    return {
      url,
      boundUrl,
      otlpUrl: ownOtlpUrl ?? url,
      grpcUrl,
      arrivals,
      signIn: context.signIn,
      store: options.store,
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const deadline = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS)
    server.close(() => {
      clearTimeout(deadline)
      resolve()
    })
    server.closeIdleConnections()
  })
}
