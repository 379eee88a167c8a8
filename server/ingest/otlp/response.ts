import type { OtlpSignal } from "./types.ts"

/** The two encodings of OTLP/HTTP; an answer has the encoding of its request. */
export type OtlpEncoding = "protobuf" | "json"

export const CONTENT_TYPES: Record<OtlpEncoding, string> = {
  protobuf: "application/x-protobuf",
  json: "application/json",
}

/** `google.rpc.Code` values that OTLP receivers answer with. */
export const RPC_CODE = {
  invalidArgument: 3,
  permissionDenied: 7,
  resourceExhausted: 8,
  unimplemented: 12,
  unavailable: 14,
  unauthenticated: 16,
} as const

const REJECTED_FIELD: Record<OtlpSignal, string> = {
  traces: "rejectedSpans",
  logs: "rejectedLogRecords",
  metrics: "rejectedDataPoints",
}

/**
 * `Export…ServiceResponse`: empty on full success, otherwise with `partial_success`.
 *
 * @see https://opentelemetry.io/docs/specs/otlp/#partial-success-1
 */
export function encodeExportResponse(
  signal: OtlpSignal,
  encoding: OtlpEncoding,
  rejected: number,
  message: string,
): Uint8Array {
  if (encoding === "json") {
    const partialSuccess = { [REJECTED_FIELD[signal]]: String(rejected), errorMessage: message }
    return Buffer.from(JSON.stringify(rejected === 0 ? {} : { partialSuccess }))
  }
  if (rejected === 0) return new Uint8Array()
  return lengthDelimited(1, Buffer.concat([varintField(1, rejected), lengthDelimited(2, Buffer.from(message))]))
}

/** `google.rpc.Status`, the body of every OTLP/HTTP error. */
export function encodeStatus(encoding: OtlpEncoding, code: number, message: string): Uint8Array {
  if (encoding === "json") return Buffer.from(JSON.stringify({ code, message }))
  return Buffer.concat([varintField(1, code), lengthDelimited(2, Buffer.from(message))])
}

/**
 * `google.rpc.Status` with a `google.rpc.RetryInfo` detail: when a gRPC sender should come back.
 *
 * @see https://opentelemetry.io/docs/specs/otlp/#otlpgrpc-throttling
 */
export function encodeRetryInfo(code: number, message: string, seconds: number): Buffer {
  const retryInfo = lengthDelimited(1, varintField(1, seconds))
  const detail = Buffer.concat([
    lengthDelimited(1, Buffer.from("type.googleapis.com/google.rpc.RetryInfo")),
    lengthDelimited(2, retryInfo),
  ])
  return Buffer.concat([encodeStatus("protobuf", code, message), lengthDelimited(3, detail)])
}

function varint(value: number): number[] {
  const bytes: number[] = []
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest]
    bytes.push((rest % 128) | 128)
  }
}

function varintField(field: number, value: number): Uint8Array {
  return Uint8Array.from([field * 8, ...varint(value)])
}

function lengthDelimited(field: number, content: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.from([field * 8 + 2, ...varint(content.length)]), content])
}
