import type { IncomingMessage, ServerResponse } from "node:http"
import { promisify } from "node:util"
import { gunzip } from "node:zlib"
import type { LiveKey } from "../team/key-authenticator.ts"
import {
  admit,
  type Admission,
  BODY_MAX_BYTES,
  BUSY,
  findBusy,
  commit,
  isUnstorable,
  NOT_STORED,
  NOTHING_STORED,
  prepare,
  type Ready,
  readRequest,
  type ReceiverOptions,
  RETRY_AFTER_SECONDS,
  TEST_HEADER,
  UNSTORABLE,
} from "./accept.ts"
import { receiveBody } from "./body.ts"
import type { Holding } from "./budget.ts"
import type { RequestOutcome } from "./meter.ts"
import { createLane } from "../lane.ts"
import { CONTENT_TYPES, encodeExportResponse, encodeStatus, type OtlpEncoding, RPC_CODE } from "./otlp/response.ts"
import type { OtlpSignal } from "./otlp/types.ts"

/** Bytes of a body as sent. */
const COMPRESSED_MAX_BYTES = 16 * 1024 * 1024

/** Bodies inflated and decoded at once: what comes out of a small one may be large. Storing is not counted. */
const READ_AT_ONCE = 2

export interface OtlpReceiver {
  /** Answers an OTLP request; false when the path is none of OTLP's. */
  handle(request: IncomingMessage, response: ServerResponse): boolean
}

interface Answer {
  readonly status: number
  readonly body: Uint8Array
  readonly headers?: Record<string, string>
}

const PATHS: ReadonlyMap<string, OtlpSignal> = new Map([
  ["/v1/traces", "traces"],
  ["/v1/logs", "logs"],
  ["/v1/metrics", "metrics"],
])

/**
 * OTLP/HTTP: authenticate, limit, decode, normalize, store, and only then acknowledge.
 *
 * @see https://opentelemetry.io/docs/specs/otlp/#otlphttp
 */
export function createOtlpReceiver(options: ReceiverOptions): OtlpReceiver {
  const inLane = createLane(READ_AT_ONCE)

  async function receive(request: IncomingMessage, signal: OtlpSignal, encoding: OtlpEncoding): Promise<Answer> {
    const { authorization } = request.headers
    const clientAddress = request.socket.remoteAddress ?? null
    const admission = await admit(options, { authorization, clientAddress })
    if (!admission.ok) {
      options.meter.request(null, admission.reason)
      return refused(encoding, admission)
    }
    const { key } = admission
    try {
      const answer = await receiveFrom(key, request, signal, encoding)
      options.meter.request(key.orgId, OUTCOMES[answer.status] ?? "failed")
      return answer
    } catch (error) {
      options.meter.request(key.orgId, isUnstorable(error) ? "unstorable" : "failed")
      throw error
    }
  }

  async function receiveFrom(
    key: LiveKey,
    request: IncomingMessage,
    signal: OtlpSignal,
    encoding: OtlpEncoding,
  ): Promise<Answer> {
    const announced = Number(request.headers["content-length"] ?? 0)
    if (announced > COMPRESSED_MAX_BYTES) return tooLarge(encoding, COMPRESSED_MAX_BYTES)

    const holding = options.budget.open(key.id)
    try {
      const isBusy = findBusy(options, key, holding, announced)
      if (isBusy !== null) return busy(encoding, isBusy)
      const read = await receiveAndRead(request, signal, encoding, key, holding, announced)
      if (!("ready" in read)) return read
      await commit(options, key, read.ready)
      const headers = read.ready.batch === null ? { [TEST_HEADER]: NOTHING_STORED } : {}
      const { rejected, message } = read.ready
      return { status: 200, body: encodeExportResponse(signal, encoding, rejected, message), headers }
    } finally {
      holding.release()
    }
  }

  /** Apart from `receive`, which waits for the commit and would keep the body all the while. */
  async function receiveAndRead(
    request: IncomingMessage,
    signal: OtlpSignal,
    encoding: OtlpEncoding,
    key: LiveKey,
    holding: Holding,
    announced: number,
  ): Promise<Answer | { ready: Ready }> {
    // What was announced is held already.
    let left = announced
    const hold = (bytes: number) => {
      const covered = Math.min(bytes, left)
      left -= covered
      return bytes === covered ? "ok" : holding.hold(bytes - covered)
    }
    const sent = await receiveBody(request, COMPRESSED_MAX_BYTES, hold)
    if (!sent.ok) {
      if (sent.reason === "too_large") return tooLarge(encoding, COMPRESSED_MAX_BYTES)
      return sent.reason === "aborted"
        ? malformed(encoding, "the body ended before its end")
        : busy(encoding, sent.reason)
    }
    holding.wait(options.now().getTime())
    return inLane(async () => {
      const body = await decompress(request, sent.body, BODY_MAX_BYTES[encoding], holding)
      if (!body.ok) {
        if (body.reason === "too_large") return tooLarge(encoding, BODY_MAX_BYTES[encoding])
        return body.reason === "broken"
          ? malformed(encoding, "the body is not valid gzip")
          : busy(encoding, body.reason)
      }
      const read = await readRequest(signal, encoding, body.body, options.now(), key.agentTool)
      if (read.ok) return { ready: await prepare(options, key, read.normalized, holding) }
      return read.reason === "malformed"
        ? malformed(encoding, read.message)
        : failure(encoding, 413, RPC_CODE.resourceExhausted, read.message)
    })
  }

  async function answer(request: IncomingMessage, response: ServerResponse, signal: OtlpSignal): Promise<void> {
    const encoding = encodingOf(request)
    let result: Answer
    if (request.method !== "POST") {
      const message = `${request.url} takes POST`
      result = { ...failure("json", 405, RPC_CODE.unimplemented, message), headers: { allow: "POST" } }
    } else if (encoding === null) {
      const message = "Content-Type is application/x-protobuf or application/json"
      result = failure("json", 415, RPC_CODE.invalidArgument, message)
    } else if (!isKnownContentEncoding(request)) {
      const message = "Content-Encoding is gzip or absent"
      result = failure(encoding, 415, RPC_CODE.invalidArgument, message)
    } else {
      try {
        result = await receive(request, signal, encoding)
      } catch (error) {
        // Nothing was committed: the sender keeps the batch and comes back, unless it would be refused again.
        options.log("ingest failed", error)
        result = isUnstorable(error)
          ? malformed(encoding, UNSTORABLE)
          : retryLater(failure(encoding, 503, RPC_CODE.unavailable, NOT_STORED))
      }
    }
    await drain(request)
    send(response, encoding ?? "json", result)
  }

  return {
    handle(request, response) {
      const signal = PATHS.get((request.url ?? "").split("?", 1)[0] ?? "")
      if (signal === undefined) return false
      void answer(request, response, signal)
      return true
    },
  }
}

function encodingOf(request: IncomingMessage): OtlpEncoding | null {
  const contentType = (request.headers["content-type"] ?? "").split(";", 1)[0]?.trim().toLowerCase()
  if (contentType === CONTENT_TYPES.protobuf) return "protobuf"
  return contentType === CONTENT_TYPES.json ? "json" : null
}

function contentEncoding(request: IncomingMessage): string {
  return (request.headers["content-encoding"] ?? "identity").trim().toLowerCase()
}

function isKnownContentEncoding(request: IncomingMessage): boolean {
  return ["identity", "gzip"].includes(contentEncoding(request))
}

const inflate = promisify(gunzip)

type Decompressed = { ok: true; body: Uint8Array } | { ok: false; reason: "too_large" | "broken" | "full" | "unfair" }

/** Stops at the limit while inflating, so a small body cannot become a large one in memory. */
async function decompress(
  request: IncomingMessage,
  body: Uint8Array,
  maxBytes: number,
  holding: Holding,
): Promise<Decompressed> {
  if (contentEncoding(request) !== "gzip") return { ok: true, body }
  try {
    const inflated = await inflate(body, { maxOutputLength: maxBytes })
    const held = holding.hold(inflated.length)
    return held === "ok" ? { ok: true, body: inflated } : { ok: false, reason: held }
  } catch (error) {
    const isTooLarge = error instanceof Error && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE"
    return { ok: false, reason: isTooLarge ? "too_large" : "broken" }
  }
}

/** What an answer says of the request, where its sender is known. */
const OUTCOMES: Readonly<Record<number, RequestOutcome>> = {
  200: "stored",
  400: "malformed",
  413: "too_large",
  429: "unfair",
  503: "busy",
}

const REFUSED = {
  unauthenticated: { status: 401, code: RPC_CODE.unauthenticated },
  forbidden: { status: 403, code: RPC_CODE.permissionDenied },
  throttled: { status: 429, code: RPC_CODE.resourceExhausted },
}

function refused(encoding: OtlpEncoding, refusal: Extract<Admission, { ok: false }>): Answer {
  const { reason, message, retryAfterSeconds } = refusal
  const answer = failure(encoding, REFUSED[reason].status, REFUSED[reason].code, message)
  if (retryAfterSeconds !== null) return retryLater(answer, retryAfterSeconds)
  return reason === "unauthenticated" ? { ...answer, headers: { "www-authenticate": "Bearer" } } : answer
}

function failure(encoding: OtlpEncoding, status: number, code: number, message: string): Answer {
  return { status, body: encodeStatus(encoding, code, message) }
}

function malformed(encoding: OtlpEncoding, message: string): Answer {
  return failure(encoding, 400, RPC_CODE.invalidArgument, message)
}

function tooLarge(encoding: OtlpEncoding, limit: number): Answer {
  const message = `A body may hold ${limit / 1024 / 1024} MiB; send smaller batches`
  return failure(encoding, 413, RPC_CODE.resourceExhausted, message)
}

/** 503 when nobody can send right now, 429 when only this sender cannot. */
function busy(encoding: OtlpEncoding, reason: "full" | "unfair"): Answer {
  return retryLater(
    reason === "full"
      ? failure(encoding, 503, RPC_CODE.unavailable, BUSY.full)
      : failure(encoding, 429, RPC_CODE.resourceExhausted, BUSY.unfair),
  )
}

function retryLater(answer: Answer, seconds = RETRY_AFTER_SECONDS): Answer {
  return { ...answer, headers: { "retry-after": String(seconds) } }
}

/** Bytes of a refused body that are read and thrown away; a sender of more is cut off. */
const DRAIN_MAX_BYTES = 256 * 1024 * 1024

/** Reads what is left of a refused body: a sender that is cut off in the middle sees a reset in place of the answer. */
function drain(request: IncomingMessage): Promise<void> {
  if (request.complete || request.destroyed) return Promise.resolve()
  return new Promise((resolve) => {
    let drained = 0
    request.on("data", (chunk: Buffer) => {
      drained += chunk.length
      if (drained > DRAIN_MAX_BYTES) request.destroy()
    })
    request
      .on("end", resolve)
      .on("close", resolve)
      .on("error", () => resolve())
    request.resume()
  })
}

function send(response: ServerResponse, encoding: OtlpEncoding, answer: Answer): void {
  if (response.destroyed) return
  response.writeHead(answer.status, {
    "content-type": CONTENT_TYPES[encoding],
    "content-length": answer.body.length,
    ...answer.headers,
  })
  // An empty body that is given would be a write of its own.
  if (answer.body.length === 0) response.end()
  else response.end(answer.body)
}
