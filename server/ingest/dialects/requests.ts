import { normalize } from "../normalize.ts"
import type { AttributeValue, LogRecord, MetricPoint, OtlpRequest, Span } from "../otlp/types.ts"
import type { Signal } from "../signal.ts"

/** Small requests for tests, with boring defaults. */

export const NOW = new Date("2026-11-20T20:00:00Z")
const NOW_NANOS = BigInt(NOW.getTime()) * 1_000_000n
const TRACE = "0af7651916cd43dd8448eb211c80319c"

type Values = Record<string, AttributeValue>

export interface Origin {
  readonly scope: string
  readonly resource?: Values
}

/** `atMs` counts from NOW. */
export function aRecord(attributes: Values, more: Partial<LogRecord> & { atMs?: number } = {}): LogRecord {
  const { atMs = 0, ...rest } = more
  return {
    timeUnixNano: NOW_NANOS + BigInt(atMs) * 1_000_000n,
    observedUnixNano: 0n,
    eventName: "",
    body: null,
    traceId: "",
    spanId: "",
    attributes: new Map(Object.entries(attributes)),
    ...rest,
  }
}

/** `startMs` and `endMs` count from NOW; `id` and `parent` are short for span ids. */
export function aSpan(
  name: string,
  attributes: Values = {},
  more: Partial<Span> & { id?: number; parent?: number; startMs?: number; endMs?: number } = {},
): Span {
  const { id = 1, parent, startMs = 0, endMs = 100, ...rest } = more
  return {
    traceId: TRACE,
    spanId: toSpanId(id),
    parentSpanId: parent === undefined ? "" : toSpanId(parent),
    name,
    startUnixNano: NOW_NANOS + BigInt(startMs) * 1_000_000n,
    endUnixNano: NOW_NANOS + BigInt(endMs) * 1_000_000n,
    attributes: new Map(Object.entries(attributes)),
    events: [],
    statusCode: 0,
    ...rest,
  }
}

export function toSpanId(number: number): string {
  return number.toString(16).padStart(16, "0")
}

export function aPoint(metric: string, attributes: Values, more: Partial<MetricPoint> = {}): MetricPoint {
  return {
    metric,
    unit: "",
    temporality: "delta",
    startUnixNano: NOW_NANOS,
    timeUnixNano: NOW_NANOS,
    value: 1,
    count: 1,
    attributes: new Map(Object.entries(attributes)),
    ...more,
  }
}

export function logsOf(origin: Origin, items: readonly LogRecord[]): OtlpRequest {
  return { signal: "logs", groups: [{ ...frameOf(origin), items }] }
}

export function tracesOf(origin: Origin, items: readonly Span[]): OtlpRequest {
  return { signal: "traces", groups: [{ ...frameOf(origin), items }] }
}

export function metricsOf(origin: Origin, items: readonly MetricPoint[]): OtlpRequest {
  return { signal: "metrics", groups: [{ ...frameOf(origin), items }] }
}

function frameOf({ scope, resource = {} }: Origin) {
  return { resource: new Map(Object.entries(resource)), scope: { name: scope, version: "" } }
}

export function signalsOf(request: OtlpRequest): readonly Signal[] {
  return normalize(request, NOW).signals
}
