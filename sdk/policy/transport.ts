/**
 * Requests to Belay for its policy, over `node:http` in place of `fetch`: an open stream of `fetch` keeps a process from
 * ending, and an agent shall not stay for its policy.
 */
import { type ClientRequest, type IncomingHttpHeaders, type IncomingMessage, request as requestHttp } from "node:http"
import { request as requestHttps } from "node:https"
import { toRetryAfterMs } from "../send.ts"

/** Of an answer; a policy of ten thousand rules has a tenth of it. */
const TEXT_LENGTH_MAX = 32 * 1024 * 1024

/** Where requests go and what goes with each. */
export interface Place {
  /** Of Belay, without a path. */
  readonly endpoint: string
  readonly headers: Readonly<Record<string, string>>
  /** Milliseconds that a request may take. */
  readonly timeoutMs: number
  /** Whether the process waits for answers. */
  readonly isAwaited: boolean
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

export interface Ask {
  readonly method: "GET" | "POST"
  /** `/v1/policy`. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly signal?: AbortSignal | undefined
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** All of it, or what came before the connection was cut. */
  readonly text: string
  readonly retryAfterMs: number | null
}

/** Asks once; redirects are not followed, since the key is for nobody else. Rejects when nobody answers. */
export function ask(place: Place, { signal, ...asked }: Ask): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const timeout = AbortSignal.timeout(place.timeoutMs)
    const until = signal === undefined ? timeout : AbortSignal.any([signal, timeout])
    const request = open(place, { ...asked, signal: until })
    request.on("error", reject)
    request.on("response", (response) => {
      let text = ""
      response.setEncoding("utf8")
      response.on("data", (chunk: string) => {
        text += chunk
        if (text.length > TEXT_LENGTH_MAX) request.destroy()
      })
      const { headers, statusCode: status = 0 } = response
      const retryAfterMs = toRetryAfterMs(headers["retry-after"] ?? null, place.now())
      // What was cut off is looked at all the same: that it cannot be taken is worth a word.
      response.on("error", () => {})
      response.on("close", () => resolve({ status, headers, text, retryAfterMs }))
    })
    request.end(asked.body)
  })
}

/** How a stream ended: with what status, null when nobody answered. */
export interface Ended {
  readonly status: number | null
  readonly retryAfterMs: number | null
}

/** Hands on what comes until it ends, which includes that `signal` aborts it. Never rejects. */
export function stream(place: Place, asked: Ask, onText: (text: string) => void): Promise<Ended> {
  return new Promise((resolve) => {
    const request = open(place, asked)
    request.on("error", () => resolve({ status: null, retryAfterMs: null }))
    request.on("response", (response: IncomingMessage) => {
      const { statusCode: status = 0, headers } = response
      response.setEncoding("utf8")
      if (status === 200) response.on("data", onText)
      else response.resume()
      response.on("error", () => {})
      response.on("close", () =>
        resolve({ status, retryAfterMs: toRetryAfterMs(headers["retry-after"] ?? null, place.now()) }),
      )
    })
    request.end()
  })
}

function open(place: Place, { method, path, headers, body, signal }: Ask): ClientRequest {
  const url = new URL(`${place.endpoint.replace(/\/+$/, "")}${path}`)
  const request = (url.protocol === "https:" ? requestHttps : requestHttp)(url, {
    method,
    // Of its own: a connection of the host's pool would no longer keep the host's process when it is used again.
    agent: false,
    headers: {
      ...place.headers,
      ...headers,
      ...(body !== undefined && { "content-type": "application/json", "content-length": Buffer.byteLength(body) }),
    },
    ...(signal !== undefined && { signal }),
  })
  if (!place.isAwaited) request.on("socket", (socket) => socket.unref())
  return request
}
