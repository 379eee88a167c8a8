import type { OtlpEncoding } from "#server/ingest/otlp/response.ts"
import type {
  Attributes,
  AttributeValue,
  Group,
  LogRecord,
  MetricPoint,
  OtlpRequest,
  Span,
} from "#server/ingest/otlp/types.ts"

export type EncodeRequest = (request: OtlpRequest, encoding: OtlpEncoding) => Buffer

/**
 * Writes what the readers read, also where no exporter would: times and figures out of every range, ids of any length,
 * halves of characters.
 */
export function createEncoder(): EncodeRequest {
  const toProtobuf = createWriter()
  return (request, encoding) =>
    encoding === "protobuf" ? toProtobuf(request) : Buffer.from(JSON.stringify(toJson(request)))
}

/** Room for the largest body, and then for one that is longer than it may be. */
const ROOM_BYTES = 16 * 1024 * 1024

function createWriter() {
  const bytes = Buffer.allocUnsafe(ROOM_BYTES)
  let at = 0

  function varint(value: number): void {
    for (let rest = value; ; rest = Math.floor(rest / 128)) {
      bytes[at++] = rest < 128 ? rest : (rest % 128) | 128
      if (rest < 128) return
    }
  }

  /** A field that `write` fills; its length stands before it and is known after it. */
  function message(number: number, write: () => void): void {
    varint(number * 8 + 2)
    const start = ++at
    write()
    const length = at - start
    if (length < 128) {
      bytes[start - 1] = length
      return
    }
    const more = length < 128 ** 2 ? 1 : length < 128 ** 3 ? 2 : 3
    bytes.copyWithin(start + more, start, at)
    at = start - 1
    varint(length)
    at += length
  }

  function fixed64(number: number, value: bigint): void {
    varint(number * 8 + 1)
    at = bytes.writeBigUInt64LE(BigInt.asUintN(64, value), at)
  }

  function double(number: number, value: number): void {
    varint(number * 8 + 1)
    at = bytes.writeDoubleLE(value, at)
  }

  function integer(number: number, value: number): void {
    varint(number * 8)
    varint(value)
  }

  function text(number: number, value: string, encoding: "utf8" | "hex" = "utf8"): void {
    message(number, () => (at += bytes.write(value, at, encoding)))
  }

  function keyValues(number: number, attributes: Attributes): void {
    for (const [key, value] of attributes) {
      message(number, () => {
        text(1, key)
        message(2, () => anyValue(value))
      })
    }
  }

  function anyValue(value: AttributeValue): void {
    if (value === null) return
    if (typeof value === "string") text(1, value)
    else if (typeof value === "boolean") integer(2, value ? 1 : 0)
    else if (typeof value === "number") {
      if (Number.isSafeInteger(value) && value >= 0) integer(3, value)
      else double(4, value)
    } else if (value instanceof Uint8Array) message(7, () => (at += Buffer.from(value).copy(bytes, at)))
    else if (value instanceof Map) message(6, () => keyValues(1, value))
    else message(5, () => (value as readonly AttributeValue[]).forEach((item) => message(1, () => anyValue(item))))
  }

  function groups<Item>(all: readonly Group<Item>[], write: (item: Item) => void): void {
    for (const { resource, scope, items } of all) {
      message(1, () => {
        message(1, () => keyValues(1, resource))
        message(2, () => {
          message(1, () => {
            text(1, scope.name)
            text(2, scope.version)
          })
          for (const item of items) message(2, () => write(item))
        })
      })
    }
  }

  function span(item: Span): void {
    text(1, item.traceId, "hex")
    text(2, item.spanId, "hex")
    text(4, item.parentSpanId, "hex")
    text(5, item.name)
    fixed64(7, item.startUnixNano)
    fixed64(8, item.endUnixNano)
    keyValues(9, item.attributes)
    for (const event of item.events) {
      message(11, () => {
        fixed64(1, event.timeUnixNano)
        text(2, event.name)
        keyValues(3, event.attributes)
      })
    }
    message(15, () => integer(3, item.statusCode))
  }

  function record(item: LogRecord): void {
    fixed64(1, item.timeUnixNano)
    fixed64(11, item.observedUnixNano)
    text(12, item.eventName)
    message(5, () => anyValue(item.body))
    text(9, item.traceId, "hex")
    text(10, item.spanId, "hex")
    keyValues(6, item.attributes)
  }

  /** A sum, or a histogram where there is more than one observation. */
  function metric(point: MetricPoint): void {
    const isSum = point.count === 1
    text(1, point.metric)
    text(3, point.unit)
    message(isSum ? 7 : 9, () => {
      message(1, () => {
        fixed64(2, point.startUnixNano)
        fixed64(3, point.timeUnixNano)
        if (!isSum) fixed64(4, Number.isFinite(point.count) ? BigInt(Math.trunc(point.count)) : 0n)
        if (point.value !== null) double(isSum ? 4 : 5, point.value)
        keyValues(isSum ? 7 : 9, point.attributes)
      })
      integer(2, point.temporality === "delta" ? 1 : 2)
    })
  }

  return (request: OtlpRequest): Buffer => {
    at = 0
    if (request.signal === "traces") groups(request.groups, span)
    else if (request.signal === "logs") groups(request.groups, record)
    else groups(request.groups, metric)
    return Buffer.from(bytes.subarray(0, at))
  }
}

function toJson(request: OtlpRequest): object {
  if (request.signal === "traces")
    return {
      resourceSpans: jsonGroups(request.groups, "scopeSpans", "spans", (span) => ({
        traceId: span.traceId,
        spanId: span.spanId,
        parentSpanId: span.parentSpanId,
        name: span.name,
        kind: 1,
        startTimeUnixNano: String(span.startUnixNano),
        endTimeUnixNano: String(span.endUnixNano),
        attributes: jsonKeyValues(span.attributes),
        events: span.events.map((event) => ({
          timeUnixNano: String(event.timeUnixNano),
          name: event.name,
          attributes: jsonKeyValues(event.attributes),
        })),
        status: { code: span.statusCode },
      })),
    }
  if (request.signal === "logs")
    return {
      resourceLogs: jsonGroups(request.groups, "scopeLogs", "logRecords", (record) => ({
        timeUnixNano: String(record.timeUnixNano),
        observedTimeUnixNano: String(record.observedUnixNano),
        eventName: record.eventName,
        body: jsonValue(record.body),
        traceId: record.traceId,
        spanId: record.spanId,
        attributes: jsonKeyValues(record.attributes),
      })),
    }
  return {
    resourceMetrics: jsonGroups(request.groups, "scopeMetrics", "metrics", (point) => {
      const frame = {
        startTimeUnixNano: String(point.startUnixNano),
        timeUnixNano: String(point.timeUnixNano),
        attributes: jsonKeyValues(point.attributes),
      }
      const aggregationTemporality = point.temporality === "delta" ? 1 : 2
      const data =
        point.count === 1
          ? { sum: { aggregationTemporality, dataPoints: [{ ...frame, asDouble: jsonNumber(point.value) }] } }
          : {
              histogram: {
                aggregationTemporality,
                dataPoints: [{ ...frame, count: point.count, sum: jsonNumber(point.value) }],
              },
            }
      return { name: point.metric, unit: point.unit, ...data }
    }),
  }
}

function jsonGroups<Item>(all: readonly Group<Item>[], scopes: string, items: string, write: (item: Item) => object) {
  return all.map((group) => ({
    resource: { attributes: jsonKeyValues(group.resource) },
    [scopes]: [{ scope: group.scope, [items]: group.items.map(write) }],
  }))
}

function jsonKeyValues(attributes: Attributes): object[] {
  return [...attributes].map(([key, value]) => ({ key, value: jsonValue(value) }))
}

function jsonValue(value: AttributeValue): object {
  if (value === null) return {}
  if (typeof value === "string") return { stringValue: value }
  if (typeof value === "boolean") return { boolValue: value }
  if (typeof value === "number") {
    return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: jsonNumber(value) }
  }
  if (value instanceof Uint8Array) return { bytesValue: Buffer.from(value).toString("base64") }
  if (value instanceof Map) return { kvlistValue: { values: jsonKeyValues(value) } }
  return { arrayValue: { values: (value as readonly AttributeValue[]).map(jsonValue) } }
}

/** JSON has no word for them. */
function jsonNumber(value: number | null): number | string | null {
  return value === null || Number.isFinite(value) ? value : String(value)
}
