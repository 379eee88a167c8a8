/**
 * OTLP as Belay reads it: the fields the dialects need, one shape for protobuf and JSON.
 *
 * Names follow opentelemetry-proto; ids are lower-case hex, times are Unix nanoseconds as bigint (past 2^53).
 */

/**
 * An OTLP `AnyValue`. A 64-bit integer becomes a number: counts and durations stay far below 2^53, and ids that
 * do not are only ever hashed. An empty `AnyValue` is null.
 */
export type AttributeValue = string | number | boolean | null | Uint8Array | readonly AttributeValue[] | Attributes

/** By key, in the order in which they came. A `Map` is one; a reader may have a form that costs it less. */
export interface Attributes extends Iterable<[string, AttributeValue]> {
  readonly size: number
  get(key: string): AttributeValue | undefined
  has(key: string): boolean
}

export interface Scope {
  readonly name: string
  readonly version: string
}

/** Items that came under one resource and one instrumentation scope. */
export interface Group<Item> {
  readonly resource: Attributes
  readonly scope: Scope
  readonly items: readonly Item[]
}

export interface SpanEvent {
  readonly name: string
  readonly timeUnixNano: bigint
  readonly attributes: Attributes
}

export interface Span {
  readonly traceId: string
  readonly spanId: string
  /** Empty for a root span. */
  readonly parentSpanId: string
  readonly name: string
  readonly startUnixNano: bigint
  readonly endUnixNano: bigint
  readonly attributes: Attributes
  readonly events: readonly SpanEvent[]
  /** 0 unset, 1 ok, 2 error. */
  readonly statusCode: number
}

export interface LogRecord {
  /** 0 when the source gave none. */
  readonly timeUnixNano: bigint
  readonly observedUnixNano: bigint
  /** `LogRecord.event_name`; many sources use the attribute `event.name` or the body instead. */
  readonly eventName: string
  readonly body: AttributeValue
  readonly traceId: string
  readonly spanId: string
  readonly attributes: Attributes
}

/** In the order of the enum's numbers. */
export const TEMPORALITIES = ["unspecified", "delta", "cumulative"] as const
export type Temporality = (typeof TEMPORALITIES)[number]

/** One data point of a sum, gauge, histogram or summary. */
export interface MetricPoint {
  readonly metric: string
  readonly unit: string
  readonly temporality: Temporality
  readonly startUnixNano: bigint
  readonly timeUnixNano: bigint
  /** The value of a number point, the sum of a distribution; null when the point records none. */
  readonly value: number | null
  /** Observations behind a distribution; 1 for a number point. */
  readonly count: number
  readonly attributes: Attributes
}

export type OtlpRequest =
  | { readonly signal: "traces"; readonly groups: readonly Group<Span>[] }
  | { readonly signal: "logs"; readonly groups: readonly Group<LogRecord>[] }
  | { readonly signal: "metrics"; readonly groups: readonly Group<MetricPoint>[] }

export type OtlpSignal = OtlpRequest["signal"]

/** Nesting of `AnyValue` that is read, in either encoding; protobuf's own default limit is 100 messages. */
export const MAX_DEPTH = 32

/** Items, attributes and values of one request, so that a few bytes each cannot fill the memory. */
export const MAX_MESSAGES = 500_000

/** The body holds more than is read at once. The message is safe to return to the sender. */
export class OversizedOtlp extends Error {
  override name = "OversizedOtlp"
}

/** The body is not what it claims to be. The message is safe to return to the sender. */
export class MalformedOtlp extends Error {
  override name = "MalformedOtlp"
}
