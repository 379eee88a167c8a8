import { promisify } from "node:util"
import { constants, gzip } from "node:zlib"

/** Where telemetry goes, and how long one attempt may take. */
export interface Target {
  /** Of the OTLP receiver, with its `/v1/logs`. */
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** Milliseconds. */
  readonly timeoutMs: number
}

export interface OtlpBody {
  readonly body: Uint8Array<ArrayBuffer>
  readonly contentType: string
  readonly contentEncoding?: "gzip" | undefined
}

/** What became of one attempt. */
export type Sent =
  /** Taken; `rejected` counts what the receiver did not want of it. It is not to be sent again. */
  | { readonly result: "sent"; readonly rejected: number }
  /** Not now. `retryAfterMs` is what the receiver asks for, null when it does not say. */
  | { readonly result: "retry"; readonly retryAfterMs: number | null; readonly reason: string }
  /** Never: the same request will not be taken later. */
  | { readonly result: "refused"; readonly reason: string }

const RETRIED: ReadonlySet<number> = new Set([429, 502, 503, 504])
/** What an administrator puts right: the request itself is good, and would be lost for a mistyped or expired key. */
const DENIED: ReadonlySet<number> = new Set([401, 403])
const DENIED_RETRY_MS = 5 * 60_000
/** Less is not worth the work. */
const GZIP_BYTES_MIN = 1024
/** Most of what the slowest level gives, for a fraction of the time. */
const compress = promisify(gzip)
const GZIP = { level: constants.Z_BEST_SPEED }

/**
 * One attempt to send an OTLP/HTTP request, compressed when that pays. Never rejects.
 *
 * By OTLP's rules 429, 502, 503 and 504 are sent again, as is what did not come through at all; other failures are not.
 * Unlike there, a request that was denied (401, 403) is kept for later: somebody will put the key right.
 *
 * @see https://opentelemetry.io/docs/specs/otlp/#otlphttp-response
 */
export async function send(target: Target, request: OtlpBody, now: () => number, signal?: AbortSignal): Promise<Sent> {
  try {
    const isCompressed = request.contentEncoding === undefined && request.body.length >= GZIP_BYTES_MIN
    const encoding = isCompressed ? "gzip" : request.contentEncoding
    const timeout = AbortSignal.timeout(target.timeoutMs)
    const response = await fetch(target.url, {
      method: "POST",
      body: isCompressed ? await compress(request.body, GZIP) : request.body,
      headers: {
        ...target.headers,
        "content-type": request.contentType,
        ...(encoding !== undefined && { "content-encoding": encoding }),
      },
      // Followed as a GET it would be lost, and whoever redirects may not be whom the key is for.
      redirect: "error",
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    })
    const text = await response.text()
    if (response.ok) return { result: "sent", rejected: rejectedOf(text) }
    const reason = `HTTP ${response.status}`
    if (DENIED.has(response.status)) return { result: "retry", retryAfterMs: DENIED_RETRY_MS, reason }
    if (!RETRIED.has(response.status)) return { result: "refused", reason }
    return { result: "retry", retryAfterMs: toRetryAfterMs(response.headers.get("retry-after"), now()), reason }
  } catch (error) {
    return { result: "retry", retryAfterMs: null, reason: error instanceof Error ? error.name : "unknown" }
  }
}

/** Signals that a partial success names as rejected. */
function rejectedOf(text: string): number {
  try {
    const answer = JSON.parse(text) as { partialSuccess?: { rejectedLogRecords?: string | number } } | null
    const rejected = Number(answer?.partialSuccess?.rejectedLogRecords ?? 0)
    return rejected > 0 && Number.isSafeInteger(rejected) ? rejected : 0
  } catch {
    return 0 // an answer of some proxy, or none
  }
}

const RETRY_AFTER_MS_MAX = 60 * 60_000

/** Milliseconds that `Retry-After` asks for, in seconds or as a date; an hour at most, null when it says nothing. */
export function toRetryAfterMs(value: string | null, now: number): number | null {
  if (value === null) return null
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), RETRY_AFTER_MS_MAX) : null
}

const FIRST_MS = 1000
const LAST_MS = 5 * 60_000

/** How long to wait after each of so many failures in a row. */
export interface Backoff {
  /** Milliseconds: what the receiver asked for and a little more, else twice as long each time, half of it random. */
  next(retryAfterMs: number | null): number
  reset(): void
}

/** `random` gives 0..1; no wait that the receiver did not ask for is longer than `lastMs`. */
export function createBackoff(random: () => number, lastMs = LAST_MS): Backoff {
  let failures = 0
  return {
    next(retryAfterMs) {
      const wait = retryAfterMs ?? Math.min(FIRST_MS * 2 ** failures, lastMs) / 2
      failures++
      // Senders that were turned away together shall not come back together.
      return Math.round(wait + random() * (retryAfterMs === null ? wait : Math.min(wait, FIRST_MS)))
    },
    reset() {
      failures = 0
    },
  }
}
