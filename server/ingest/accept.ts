import { setImmediate as nextTurn } from "node:timers/promises"
import { type AuthenticateKey, type LiveKey, readBearer } from "../team/key-authenticator.ts"
import { normalize, type Normalized, type RejectReason } from "./normalize.ts"
import { decodeJson } from "./otlp/json.ts"
import { decodeProtobuf } from "./otlp/protobuf.ts"
import type { OtlpEncoding } from "./otlp/response.ts"
import { MalformedOtlp, type OtlpRequest, type OtlpSignal, OversizedOtlp } from "./otlp/types.ts"
import { type Arrived, summarize } from "./arrivals.ts"
import type { Budget, Holding } from "./budget.ts"
import type { IngestMeter } from "./meter.ts"
import type { SignalStore } from "./signal-store.ts"
import type { PreparedBatch } from "./store.ts"

export interface ReceiverOptions {
  readonly authenticate: AuthenticateKey
  readonly store: Pick<SignalStore, "prepare" | "commit">
  /** Of the memory that bodies and what is read from them may take, over all transports. */
  readonly budget: Budget
  readonly meter: IngestMeter
  /** Tells who is watching that signals came in. */
  readonly onStored: (orgId: string, arrived: readonly Arrived[]) => void
  readonly now: () => Date
  readonly log: (message: string, error: unknown) => void
}

export type Read = { readonly ok: true; readonly normalized: Normalized } | Extract<Decoded, { ok: false }>

export type Refusal = "unauthenticated" | "forbidden" | "throttled"

export type Admission =
  | { readonly ok: true; readonly key: LiveKey }
  | {
      readonly ok: false
      readonly reason: Refusal
      readonly message: string
      /** Null where coming back would not help. */
      readonly retryAfterSeconds: number | null
    }

/** Whether the sender may send telemetry: with a live key of the scope, not too often. Takes the `Authorization` value. */
export async function admit(
  options: Pick<ReceiverOptions, "authenticate">,
  sender: { authorization: string | undefined; clientAddress: string | null },
): Promise<Admission> {
  const key = readBearer(sender.authorization)
  const found =
    key === null
      ? { ok: false as const, reason: "unknown" as const }
      : await options.authenticate(key, sender.clientAddress)
  if (found.ok) {
    if (found.key.scopes.includes("ingest") || found.key.scopes.includes("test")) return found
    return { ok: false, reason: "forbidden", message: WRONG_SCOPE, retryAfterSeconds: null }
  }
  if (found.reason === "unknown") {
    return { ok: false, reason: "unauthenticated", message: UNKNOWN_KEY, retryAfterSeconds: null }
  }
  const message = found.reason === "too_many" ? TOO_MANY : TOO_MANY_WRONG
  return { ok: false, reason: "throttled", message, retryAfterSeconds: found.retryAfterSeconds }
}

/** More than this is read in two turns of the event loop, so that a large body holds the others up half as long. */
const ONE_TURN_MAX_BYTES = 512 * 1024

/**
 * Decodes and normalizes one request's body, whatever transport brought it; `now` is when it came in. `onlyTool` is the
 * agent tool that the key is for, null for any.
 */
export async function readRequest(
  signal: OtlpSignal,
  encoding: OtlpEncoding,
  body: Uint8Array,
  now: Date,
  onlyTool: string | null,
): Promise<Read> {
  const decoded = decodeRequest(signal, encoding, body)
  if (!decoded.ok) return decoded
  if (body.length > ONE_TURN_MAX_BYTES) await nextTurn()
  return { ok: true, normalized: normalize(decoded.request, now, onlyTool) }
}

export type Decoded =
  | { readonly ok: true; readonly request: OtlpRequest }
  | { readonly ok: false; readonly reason: "malformed" | "too_large"; readonly message: string }

export function decodeRequest(signal: OtlpSignal, encoding: OtlpEncoding, body: Uint8Array): Decoded {
  try {
    return { ok: true, request: encoding === "json" ? decodeJson(signal, body) : decodeProtobuf(signal, body) }
  } catch (error) {
    if (error instanceof OversizedOtlp) return { ok: false, reason: "too_large", message: error.message }
    if (!(error instanceof MalformedOtlp)) throw error
    return { ok: false, reason: "malformed", message: `this is not an OTLP ${signal} request: ${error.message}` }
  }
}

/** What is left of a request between its reading and its commit. */
export interface Ready {
  readonly batch: PreparedBatch | null
  readonly arrived: readonly Arrived[]
  readonly rejected: number
  readonly message: string
}

/** Makes what was read ready to be stored, which is nothing with a key that only tests. */
export async function prepare(
  options: Pick<ReceiverOptions, "store" | "meter" | "now">,
  key: LiveKey,
  normalized: Normalized,
  holding: Holding,
): Promise<Ready> {
  const isTest = !key.scopes.includes("ingest")
  const arrived = isTest ? [] : summarize(normalized.signals)
  if (!isTest) {
    const late = countLate(normalized.signals, options.now())
    options.meter.received(key.orgId, { ...normalized, late, tools: arrived })
  }
  const batch = isTest ? null : await options.store.prepare(key.orgId, normalized)
  holding.become(batch?.bytes ?? 0)
  return {
    batch,
    arrived,
    rejected: normalized.rejected.reduce((sum, item) => sum + item.count, 0),
    message: normalized.rejected
      .map((item) => `${item.count} refused: ${describeRefusal(item.reason, key)}`)
      .join("; "),
  }
}

/** What is older when it comes in was held back on its way: a sender that was offline, or one that is behind. */
const LATE_MS = 60 * 60 * 1000

function countLate(signals: Normalized["signals"], now: Date): number {
  const before = BigInt(now.getTime() - LATE_MS) * 1_000_000n
  let late = 0
  for (const signal of signals) if (signal.observedUnixNano < before) late++
  return late
}

/** Resolves after the commit; of a test, at once. */
export async function commit(
  options: Pick<ReceiverOptions, "store" | "onStored">,
  key: LiveKey,
  { batch, arrived }: Ready,
): Promise<void> {
  if (batch === null) return
  await options.store.commit(batch, key.id)
  options.onStored(key.orgId, arrived)
}

/** A sender of whom something waits longer than this is asked to come back: we, or the database, are too slow. */
const WAIT_MS_MAX = 5000

/**
 * Asks for room for a request of so many bytes. Answers why there is none: `full` for nobody, `unfair` for this sender,
 * as the others need what is left; null when there is.
 */
export function findBusy(
  options: Pick<ReceiverOptions, "budget" | "now">,
  key: LiveKey,
  holding: Holding,
  bytes: number,
): "full" | "unfair" | null {
  const since = options.budget.waitingSince(key.id)
  if (since !== null && options.now().getTime() - since > WAIT_MS_MAX) return "full"
  const held = holding.hold(bytes)
  return held === "ok" ? null : held
}

export const BUSY = {
  full: "Belay has more in hand than it can store right now; send again",
  unfair: "This ingest key has sent more than its share of what Belay can hold; send again",
}

function describeRefusal(reason: RejectReason, key: LiveKey): string {
  switch (reason) {
    case "bad_id":
      return "no valid trace and span id"
    case "time_out_of_range":
      return "the time is not within the last 30 days or the next 24 hours"
    case "too_many_attributes":
      return "more than 512 attributes"
    case "other_tool":
      return `this ingest key is for ${key.agentTool} only, and they came from another agent tool`
  }
}

/** Header of an answer, or metadata over gRPC, that says that the key only tests; exporters look past it. */
export const TEST_HEADER = "belay-test"
export const NOTHING_STORED = "nothing of this request was stored: the ingest key has the scope test"

/**
 * Whether the database refused what it was given (SQLSTATE class 22, or a check that was not met), as it would every time:
 * a sender who is asked to come back with that would come back forever and send nothing else.
 */
export function isUnstorable(error: unknown): boolean {
  return error instanceof Error && "code" in error && /^(22|23514)/.test(String(error.code))
}

const UNKNOWN_KEY =
  "Unknown, revoked or expired ingest key. Send it as the header 'Authorization: Bearer <key>'; an owner or admin makes one on Belay's page Keys."
const WRONG_SCOPE =
  "This ingest key may not send telemetry: that takes the scope ingest, or test to try it out without storing anything. Make another on Belay's page Keys."
const TOO_MANY_WRONG =
  "Too many wrong ingest keys came from your network; unknown ones are not looked at until the minute is over."
const TOO_MANY = "This ingest key was used more often in a minute than Belay is set to take; send larger batches."
export const UNSTORABLE = "Belay cannot store what this request holds; nothing of it was kept. Its log says why"
export const NOT_STORED = "Belay cannot store telemetry right now; nothing of this request was kept"

/**
 * Bytes of a body once decompressed. The OTLP specification recommends 64 MiB; JSON is built whole in memory before it
 * can be looked at, at ten times its size when it is made to, so less of it is taken.
 */
export const BODY_MAX_BYTES: Record<OtlpEncoding, number> = { protobuf: 64 * 1024 * 1024, json: 16 * 1024 * 1024 }
export const RETRY_AFTER_SECONDS = 5

/** Bytes of bodies, and of what was read from them, that wait to be stored; past it senders are asked to come back. */
export const BUDGET_BYTES = 24 * 1024 * 1024
