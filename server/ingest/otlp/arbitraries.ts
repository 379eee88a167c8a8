/* oxlint-disable typescript/no-unsafe-enum-assignment -- the SDK's enums are in packages that are not ours to import:
   aggregationTemporality 0 delta, 1 cumulative; dataPointType 0 histogram, 1 exponential, 2 gauge, 3 sum */
import { ValueType } from "@opentelemetry/api"
import type {
  ProtobufLogsSerializer,
  ProtobufMetricsSerializer,
  ProtobufTraceSerializer,
} from "@opentelemetry/otlp-transformer"
import * as fc from "fast-check"
import { ItemAttributes } from "./item-attributes.ts"
import type { AttributeValue, Attributes, LogRecord, MetricPoint, OtlpRequest, Scope, Span } from "./types.ts"

/**
 * Random telemetry for the readers' tests: what OpenTelemetry's own serializers take, and what either reader has to
 * make of it.
 */

/** What a reader made, with attributes of every form as maps. */
export function plain(request: OtlpRequest): unknown {
  return toPlain(request)
}

function toPlain(value: unknown): unknown {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value
  if (Array.isArray(value)) return value.map(toPlain)
  if (isAttributes(value)) return new Map([...value].map(([name, inner]) => [name, toPlain(inner)]))
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, toPlain(inner)]))
}

function isAttributes(value: object): value is Attributes {
  return value instanceof Map || value instanceof ItemAttributes
}

type Serialized<Serializer> = Serializer extends { serializeRequest(input: infer Input): unknown } ? Input : never
type SdkSpans = Serialized<typeof ProtobufTraceSerializer>
type SdkLogs = Serialized<typeof ProtobufLogsSerializer>
type SdkMetrics = Serialized<typeof ProtobufMetricsSerializer>
type SdkMetric = SdkMetrics["scopeMetrics"][number]["metrics"][number]
type SdkResource = SdkMetrics["resource"]

const text = fc.string({ unit: "grapheme", maxLength: 20 })
/** Attributes of the SDK are an object, where this key is none. */
const key = text.filter((value) => value !== "__proto__")
const time = fc.bigInt({ min: 0n, max: 2n ** 62n })
/** Without -0, which is 0 on the wire. */
const integer = fc.maxSafeInteger().map((value) => value + 0)
const fraction = fc.double({ noNaN: true, noDefaultInfinity: true, noInteger: true })

function hex(bytes: number): fc.Arbitrary<string> {
  return fc
    .uint8Array({ minLength: bytes, maxLength: bytes })
    .filter((value) => value.some((byte) => byte !== 0))
    .map((value) => Buffer.from(value).toString("hex"))
}

const scalar = fc.oneof(text, integer, fraction, fc.boolean())
const attributeValue = fc.oneof(scalar, fc.array(scalar, { maxLength: 3 }))
const attributes = fc.dictionary(key, attributeValue, { maxKeys: 4, noNullPrototype: true })

/** Log records also have bytes, nested records and emptiness. */
const { anyValue } = fc.letrec<{ anyValue: Json }>((tie) => ({
  anyValue: fc.oneof(
    { maxDepth: 4, depthSize: "small" },
    scalar,
    fc.uint8Array({ maxLength: 8 }),
    fc.array(tie("anyValue"), { maxLength: 3 }),
    fc.dictionary(key, tie("anyValue"), { maxKeys: 3, noNullPrototype: true }),
  ),
}))
const logAttributes = fc.dictionary(key, anyValue, { maxKeys: 4, noNullPrototype: true })

type Json = string | number | boolean | Uint8Array | Json[] | { [key: string]: Json }

function toValue(value: Json): AttributeValue {
  if (value instanceof Uint8Array || typeof value !== "object") return value
  return Array.isArray(value) ? value.map(toValue) : toAttributes(value)
}

function toAttributes(values: Record<string, Json>): Attributes {
  return new Map(Object.entries(values).map(([name, value]) => [name, toValue(value)]))
}

function toSdkResource(values: SdkResource["attributes"]): SdkResource {
  const resource: SdkResource = { attributes: values, merge: () => resource, getRawAttributes: () => [] }
  return resource
}

function toHrTime(nanos: bigint): [number, number] {
  return [Number(nanos / 1_000_000_000n), Number(nanos % 1_000_000_000n)]
}

/** What the items of one resource and one scope become, or nothing when there are none. */
function toGroups<Item>(resource: Attributes, scope: Scope, items: readonly Item[]) {
  return items.length === 0 ? [] : [{ resource, scope, items }]
}

const frame = fc.record({ resource: attributes, scope: fc.record({ name: text, version: text }) })

const span = fc.record({
  traceId: hex(16),
  spanId: hex(8),
  parentSpanId: fc.option(hex(8), { nil: "" }),
  name: text,
  start: time,
  end: time,
  attributes,
  events: fc.array(fc.record({ time, name: text, attributes }), { maxLength: 2 }),
  statusCode: fc.constantFrom(0, 1, 2),
})

export const tracePayload: fc.Arbitrary<{ sdk: SdkSpans; expected: OtlpRequest }> = fc
  .record({ frame, spans: fc.array(span, { maxLength: 3 }) })
  .map(({ frame: { resource, scope }, spans }) => {
    const sdkResource = toSdkResource(resource)
    const sdk: SdkSpans = spans.map((item) => ({
      name: item.name,
      kind: 0,
      spanContext: () => ({ traceId: item.traceId, spanId: item.spanId, traceFlags: 1 }),
      ...(item.parentSpanId === ""
        ? {}
        : { parentSpanContext: { traceId: item.traceId, spanId: item.parentSpanId, traceFlags: 1 } }),
      startTime: toHrTime(item.start),
      endTime: toHrTime(item.end),
      status: { code: item.statusCode },
      attributes: item.attributes,
      links: [],
      events: item.events.map((event) => ({
        time: toHrTime(event.time),
        name: event.name,
        attributes: event.attributes,
      })),
      duration: [0, 0],
      ended: true,
      resource: sdkResource,
      instrumentationScope: scope,
      droppedAttributesCount: 0,
      droppedEventsCount: 0,
      droppedLinksCount: 0,
    }))
    const items = spans.map((item): Span => ({
      traceId: item.traceId,
      spanId: item.spanId,
      parentSpanId: item.parentSpanId,
      name: item.name,
      startUnixNano: item.start,
      endUnixNano: item.end,
      attributes: toAttributes(item.attributes),
      events: item.events.map((event) => ({
        timeUnixNano: event.time,
        name: event.name,
        attributes: toAttributes(event.attributes),
      })),
      statusCode: item.statusCode,
    }))
    return { sdk, expected: { signal: "traces", groups: toGroups(toAttributes(resource), scope, items) } }
  })

const logRecord = fc.record({
  time,
  observed: time,
  eventName: text,
  body: fc.option(anyValue),
  ids: fc.option(fc.record({ traceId: hex(16), spanId: hex(8) })),
  attributes: logAttributes,
})

export const logsPayload: fc.Arbitrary<{ sdk: SdkLogs; expected: OtlpRequest }> = fc
  .record({ frame, records: fc.array(logRecord, { maxLength: 3 }) })
  .map(({ frame: { resource, scope }, records }) => {
    const sdkResource = toSdkResource(resource)
    const sdk: SdkLogs = records.map((item) => ({
      hrTime: toHrTime(item.time),
      hrTimeObserved: toHrTime(item.observed),
      eventName: item.eventName,
      ...(item.body === null ? {} : { body: item.body }),
      ...(item.ids === null ? {} : { spanContext: { ...item.ids, traceFlags: 1 } }),
      resource: sdkResource,
      instrumentationScope: scope,
      attributes: item.attributes,
      droppedAttributesCount: 0,
    }))
    const items = records.map((item): LogRecord => ({
      timeUnixNano: item.time,
      observedUnixNano: item.observed,
      eventName: item.eventName,
      body: item.body === null ? null : toValue(item.body),
      traceId: item.ids?.traceId ?? "",
      spanId: item.ids?.spanId ?? "",
      attributes: toAttributes(item.attributes),
    }))
    return { sdk, expected: { signal: "logs", groups: toGroups(toAttributes(resource), scope, items) } }
  })

const metric = fc.record({
  name: text,
  unit: text,
  kind: fc.constantFrom("int", "double", "gauge", "histogram", "exponential"),
  temporality: fc.constantFrom("delta", "cumulative"),
  points: fc.array(
    fc.record({ start: time, end: time, attributes, integer, fraction, count: fc.nat(), sum: fc.option(fraction) }),
    { maxLength: 2 },
  ),
})
type MetricModel = typeof metric extends fc.Arbitrary<infer Model> ? Model : never

export const metricsPayload: fc.Arbitrary<{ sdk: SdkMetrics; expected: OtlpRequest }> = fc
  .record({ frame, metrics: fc.array(metric, { maxLength: 3 }) })
  .map(({ frame: { resource, scope }, metrics: models }) => {
    const sdk: SdkMetrics = {
      resource: toSdkResource(resource),
      scopeMetrics: [{ scope, metrics: models.map(toSdkMetric) }],
    }
    const groups = [{ resource: toAttributes(resource), scope, items: models.flatMap(toPoints) }]
    return { sdk, expected: { signal: "metrics", groups } }
  })

function sumOf(sum: number | null) {
  return sum === null ? {} : { sum }
}

function toSdkMetric(model: MetricModel): SdkMetric {
  const common = {
    descriptor: {
      name: model.name,
      description: "",
      unit: model.unit,
      valueType: model.kind === "int" ? ValueType.INT : ValueType.DOUBLE,
    },
    aggregationTemporality: model.temporality === "delta" ? (0 as const) : (1 as const),
  }
  const points = model.points.map((point) => ({
    startTime: toHrTime(point.start),
    endTime: toHrTime(point.end),
    attributes: point.attributes,
    point,
  }))
  if (model.kind === "histogram") {
    return {
      ...common,
      dataPointType: 0,
      dataPoints: points.map(({ point, ...rest }) => ({
        ...rest,
        value: { buckets: { boundaries: [1], counts: [0, 1] }, count: point.count, ...sumOf(point.sum) },
      })),
    }
  }
  if (model.kind === "exponential") {
    const buckets = { offset: 0, bucketCounts: [1] }
    const shape = { scale: 1, zeroCount: 0, positive: buckets, negative: buckets }
    return {
      ...common,
      dataPointType: 1,
      dataPoints: points.map(({ point, ...rest }) => ({
        ...rest,
        value: { ...shape, count: point.count, ...sumOf(point.sum) },
      })),
    }
  }
  const dataPoints = points.map(({ point, ...rest }) => ({
    ...rest,
    value: model.kind === "int" ? point.integer : point.fraction,
  }))
  if (model.kind === "gauge") return { ...common, dataPointType: 2, dataPoints }
  return { ...common, dataPointType: 3, isMonotonic: true, dataPoints }
}

function toPoints(model: MetricModel): MetricPoint[] {
  const isNumber = model.kind === "int" || model.kind === "double" || model.kind === "gauge"
  return model.points.map((point) => ({
    metric: model.name,
    unit: model.unit,
    temporality: model.kind === "gauge" ? "unspecified" : model.temporality,
    startUnixNano: point.start,
    timeUnixNano: point.end,
    value: isNumber ? (model.kind === "int" ? point.integer : point.fraction) : point.sum,
    count: isNumber ? 1 : point.count,
    attributes: toAttributes(point.attributes),
  }))
}
