import { normalize, type Normalized, type RejectReason } from "./normalize.ts"
import { decodeJson } from "./otlp/json.ts"
import { decodeProtobuf } from "./otlp/protobuf.ts"
import type { OtlpEncoding } from "./otlp/response.ts"
import { MalformedOtlp, type OtlpRequest, type OtlpSignal, OversizedOtlp } from "./otlp/types.ts"
import type { Batch, Stored } from "./store.ts"

export interface ReceiverOptions {
  /** The organization of a live ingest key, or null. */
  readonly authenticate: (key: string) => Promise<string | null>
  /** Resolves once the batch is committed. */
  readonly store: (orgId: string, batch: Batch) => Promise<Stored>
  /** Tells who is watching that signals came in. */
  readonly onStored: (orgId: string, signals: Normalized["signals"]) => void
  readonly now: () => Date
  readonly log: (message: string, error: unknown) => void
}

export type Read =
  | { readonly ok: true; readonly normalized: Normalized }
  | { readonly ok: false; readonly reason: "malformed" | "too_large"; readonly message: string }

/** Decodes and normalizes one request's body, whatever transport brought it; `now` is when it came in. */
export function readRequest(signal: OtlpSignal, encoding: OtlpEncoding, body: Uint8Array, now: Date): Read {
  let decoded: OtlpRequest
  try {
    decoded = encoding === "json" ? decodeJson(signal, body) : decodeProtobuf(signal, body)
  } catch (error) {
    if (error instanceof OversizedOtlp) return { ok: false, reason: "too_large", message: error.message }
    if (!(error instanceof MalformedOtlp)) throw error
    return { ok: false, reason: "malformed", message: `this is not an OTLP ${signal} request: ${error.message}` }
  }
  return { ok: true, normalized: normalize(decoded, now) }
}

/** Stores what was read and resolves after the commit, with the items that were refused. */
export async function commit(
  options: Pick<ReceiverOptions, "store" | "onStored">,
  orgId: string,
  normalized: Normalized,
): Promise<{ rejected: number; message: string }> {
  await options.store(orgId, normalized)
  options.onStored(orgId, normalized.signals)
  return {
    rejected: normalized.rejected.reduce((sum, item) => sum + item.count, 0),
    message: normalized.rejected.map((item) => `${item.count} refused: ${REFUSALS[item.reason]}`).join("; "),
  }
}

const REFUSALS: Record<RejectReason, string> = {
  bad_id: "no valid trace and span id",
  time_out_of_range: "the time is not within the last 30 days or the next 24 hours",
  too_many_attributes: "more than 512 attributes",
}

/**
 * Whether the database refused what it was given (SQLSTATE class 22, or a check that was not met), as it would every time:
 * a sender who is asked to come back with that would come back forever and send nothing else.
 */
export function isUnstorable(error: unknown): boolean {
  return error instanceof Error && "code" in error && /^(22|23514)/.test(String(error.code))
}

/** The key of an `Authorization` value. Some exporters send the header's percent-encoding as it was configured. */
export function readBearer(authorization: string | undefined): string | null {
  return /^bearer(?: +|%20)(\S+)$/i.exec(authorization ?? "")?.[1] ?? null
}

export const UNKNOWN_KEY =
  "Unknown or revoked ingest key. Send it as the header 'Authorization: Bearer <key>'; keys are on Belay's Connect page."
export const UNSTORABLE = "Belay cannot store what this request holds; nothing of it was kept. Its log says why"
export const NOT_STORED = "Belay cannot store telemetry right now; nothing of this request was kept"

/**
 * Bytes of a body once decompressed. The OTLP specification recommends 64 MiB; JSON is built whole in memory before it
 * can be looked at, at ten times its size when it is made to, so less of it is taken.
 */
export const BODY_MAX_BYTES: Record<OtlpEncoding, number> = { protobuf: 64 * 1024 * 1024, json: 16 * 1024 * 1024 }
export const RETRY_AFTER_SECONDS = 5
