import { generateKeyPairSync, type KeyObject } from "node:crypto"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { systemClock } from "../clock.ts"
import type { PolicyDocument, PolicyException } from "./document.ts"
import {
  type BudgetUse,
  type PolicyKey,
  sealBudgets,
  sealPolicy,
  type SignedBudgets,
  type SignedPolicy,
} from "./envelope.ts"

/** A key as an organization has one. */
export interface TestKey extends PolicyKey {
  readonly privateKey: KeyObject
}

export function makeKey(id: string): TestKey {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519")
  return { id, publicKey: publicKey.export({ format: "jwk" }).x ?? "", privateKey }
}

export const KEY = makeKey("first")

/** What denies `pattern` as a shell command, unless `more` says otherwise. */
export function sealed(
  version: number,
  pattern: string,
  {
    key = KEY,
    announced = [key],
    document,
    exceptions,
    ...more
  }: Partial<Omit<SignedPolicy, "keys" | "bundle">> & {
    readonly key?: TestKey
    readonly announced?: readonly TestKey[]
    readonly document?: PolicyDocument
    readonly exceptions?: PolicyException[]
  } = {},
): string {
  const rules = [{ id: "no", effect: "deny", action: "shell", pattern, reason: "not here", owner: "platform" } as const]
  return sealPolicy(
    {
      organization: "acme",
      subject: "ada",
      teams: ["web"],
      issuedAt: "2026-11-20T12:00:00Z",
      ...more,
      keys: announced.map(({ id, publicKey }) => ({ id, publicKey })),
      bundle: {
        version,
        layers: [
          {
            layer: "organization",
            version,
            document: document ?? { schema: "belay.policy/1", permissions: { rules } },
          },
        ],
        ...(exceptions && { exceptions }),
      },
    },
    key,
  )
}

/** Answers a request; undefined leaves it to the server. */
type Behave = (request: IncomingMessage, response: ServerResponse) => boolean

interface SignedAs extends Partial<Omit<SignedBudgets, "budgets">> {
  readonly key?: TestKey
}

export interface TestPolicyServer {
  readonly endpoint: string
  /** Paths that were asked for, with their methods. */
  readonly asked: { readonly line: string; readonly headers: IncomingMessage["headers"] }[]
  /** What clients reported. */
  readonly reports: Record<string, unknown>[]
  /** What `/v1/policy` answers; null is `no_policy`. */
  publish(envelope: string | null): void
  /** How budgets stand, as `/v1/policy/budgets` answers, signed as said; null for a server that has no such path. */
  stand(budgets: readonly BudgetUse[] | null, signed?: SignedAs): void
  /** Says to all that listen that a budget reached a threshold. */
  pushBudgets(): void
  /** Sends an envelope, or what is none, to all that listen. */
  push(data: string): void
  /** How many listen. */
  listeners(): number
  /** Takes the server's place for requests that it answers, which it says by true. */
  behave: Behave
  /** Ends all connections and takes no more. */
  stop(): Promise<void>
  /** Takes connections again, on the same port. */
  start(): Promise<void>
}

/** Serves what a test says, as Belay serves policies. */
export async function startPolicyServer(): Promise<TestPolicyServer> {
  let envelope: string | null = null
  let budgets: (() => string) | null = null
  const streams = new Set<ServerResponse>()
  const etagOf = () =>
    `"${Buffer.from(envelope ?? "")
      .toString("base64url")
      .slice(-24)}"`
  const json = (response: ServerResponse, status: number, body: unknown) =>
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body))
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const { method = "", url = "", headers } = request
    const chunks: Buffer[] = []
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
    server.asked.push({ line: `${method} ${url}`, headers })
    if (server.behave(request, response)) return
    switch (url) {
      case "/v1/policy/keys":
        return json(response, 200, { organization: "acme", keys: [{ id: KEY.id, publicKey: KEY.publicKey }] })
      case "/v1/policy/status":
        server.reports.push(JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>)
        return response.writeHead(204).end()
      case "/v1/policy/events":
        response.writeHead(200, { "content-type": "text/event-stream" }).write("retry: 2000\n\n")
        streams.add(response)
        return response.on("close", () => streams.delete(response))
      case "/v1/policy":
        if (envelope === null) return json(response, 404, { error: "no_policy", message: "nothing" })
        if (headers["if-none-match"] === etagOf()) return response.writeHead(304, { etag: etagOf() }).end()
        return response.writeHead(200, { etag: etagOf() }).end(envelope)
      case "/v1/policy/budgets": {
        if (budgets === null) return response.writeHead(404).end("not found")
        return json(response, 200, { envelope: budgets() })
      }
      default:
        // The pipeline's signals, which are not looked at here.
        return json(response, 200, {})
    }
  }
  const http = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy())
  })
  const listen = (port: number) => new Promise<void>((resolve) => void http.listen(port, "127.0.0.1", resolve))
  await listen(0)
  const { port } = http.address() as AddressInfo
  const server: TestPolicyServer = {
    endpoint: `http://127.0.0.1:${port}`,
    asked: [],
    reports: [],
    publish: (next) => (envelope = next),
    stand(next, { key = KEY, ...said } = {}) {
      budgets =
        next === null
          ? null
          : () =>
              sealBudgets(
                {
                  organization: "acme",
                  subject: "ada",
                  version: 1,
                  asOf: new Date(systemClock.now()).toISOString(),
                  budgets: next,
                  ...said,
                },
                key,
              )
    },
    pushBudgets() {
      for (const stream of streams) stream.write("event: budgets\ndata: {}\n\n")
    },
    push(data) {
      for (const stream of streams) stream.write(`event: policy\nid: ${etagOf()}\ndata: ${data}\n\n`)
    },
    listeners: () => streams.size,
    behave: () => false,
    stop: () =>
      new Promise((resolve) => {
        http.close(() => resolve())
        http.closeAllConnections()
      }),
    start: () => listen(port),
  }
  return server
}
