import { lookup as resolve } from "node:dns"
import { request as requestHttp } from "node:http"
import { request as requestHttps } from "node:https"
import { isIP, type LookupFunction } from "node:net"
import { isPublicAddress } from "./addresses.ts"

export interface Outgoing {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** Somebody who answers for the network allows this host to be inside of it. */
  readonly isPrivateAllowed: boolean
}

/** What came of a request, as people are shown it. */
export interface Answer {
  /** Null without an answer. */
  readonly status: number | null
  /** The beginning of what it answered. */
  readonly body: string
  /** Why there is no answer; null when there is one. */
  readonly error: string | null
  readonly durationMs: number
  /** It would be refused again: the address is not one that may be asked. */
  readonly isRefused: boolean
}

const TIMEOUT_MS = 10_000
const BODY_MAX_BYTES = 2000

export function isTaken({ status }: Pick<Answer, "status">): boolean {
  return status !== null && status >= 200 && status < 300
}

/**
 * Posts to an address that people typed in. It has to be one of the public internet, also after its name is resolved: the
 * address that was looked at is the one that is connected to. Redirects are not followed, and all of it takes 10 seconds
 * at most. Never rejects.
 */
export async function post(outgoing: Outgoing): Promise<Answer> {
  const startedAt = performance.now()
  const done = (answer: Partial<Answer>): Answer => ({
    status: null,
    body: "",
    error: null,
    isRefused: false,
    ...answer,
    durationMs: Math.round(performance.now() - startedAt),
  })
  const target = readUrl(outgoing.url)
  if (target === null) return done({ error: "the address is no http or https URL", isRefused: true })
  const host = target.hostname.replace(/^\[(.*)\]$/, "$1")
  if (isIP(host) !== 0 && !outgoing.isPrivateAllowed && !isPublicAddress(host)) return done(REFUSED)
  try {
    return done(await send(target, outgoing))
  } catch (error) {
    if (error instanceof PrivateAddress) return done(REFUSED)
    return done({ error: describe(error) })
  }
}

const REFUSED = {
  error: "the host has an address inside a network, which an owner has to allow first",
  isRefused: true,
} as const

class PrivateAddress extends Error {}

function readUrl(text: string): URL | null {
  const url = URL.canParse(text) ? new URL(text) : null
  return url !== null && (url.protocol === "https:" || url.protocol === "http:") ? url : null
}

function send(target: URL, outgoing: Outgoing): Promise<Pick<Answer, "status" | "body">> {
  return new Promise((settle, reject) => {
    const request = (target.protocol === "https:" ? requestHttps : requestHttp)(target, {
      method: "POST",
      headers: { "user-agent": "Belay", ...outgoing.headers, "content-length": Buffer.byteLength(outgoing.body) },
      lookup: lookupFor(outgoing),
      signal: AbortSignal.timeout(TIMEOUT_MS),
      // Another request over a kept connection would not be looked up again.
      agent: false,
    })
    request.on("error", reject)
    request.on("response", (response) => {
      const chunks: Buffer[] = []
      let length = 0
      const finish = () => {
        const body = Buffer.concat(chunks).subarray(0, BODY_MAX_BYTES).toString("utf8")
        settle({ status: response.statusCode ?? 0, body })
      }
      response.on("data", (chunk: Buffer) => {
        chunks.push(chunk)
        length += chunk.length
        if (length < BODY_MAX_BYTES) return
        finish()
        response.destroy()
      })
      response.on("end", finish)
      response.on("error", reject)
    })
    request.end(outgoing.body)
  })
}

function lookupFor({ isPrivateAllowed }: Outgoing): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { all: true, family: options.family ?? 0 }, (error, addresses) => {
      if (error !== null) return callback(error, "")
      const allowed = isPrivateAllowed ? addresses : addresses.filter(({ address }) => isPublicAddress(address))
      const [first] = allowed
      // A name that has addresses inside and outside is nobody's mistake.
      if (first === undefined || allowed.length < addresses.length) return callback(new PrivateAddress(), "")
      if (options.all === true) return callback(null, allowed)
      return callback(null, first.address, first.family)
    })
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return "it could not be reached"
  if (error.name === "AbortError" || error.name === "TimeoutError") return `no answer within ${TIMEOUT_MS / 1000} s`
  const code = "code" in error ? ` (${String(error.code)})` : ""
  return `it could not be reached${code}`
}
