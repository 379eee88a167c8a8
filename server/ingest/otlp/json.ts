import {
  type AttributeValue,
  type Attributes,
  type Group,
  type LogRecord,
  MAX_DEPTH,
  MalformedOtlp,
  type MetricPoint,
  type OtlpRequest,
  type OtlpSignal,
  type Scope,
  type Span,
  type SpanEvent,
  TEMPORALITIES,
  type Temporality,
} from "./types.ts"

/**
 * Reads an OTLP/HTTP JSON body into the same shape as `decodeProtobuf`. Fields that no dialect needs are skipped.
 *
 * OTLP's JSON is protobuf's with three changes: ids are hex in any case, enums are integers, and only lowerCamelCase
 * names count. 64-bit integers come as text or number; as a number past 2^53 they keep what a double keeps.
 *
 * Throws `MalformedOtlp` on text that is not UTF-8 or not JSON, on a value of the wrong type and on nesting past
 * `MAX_DEPTH`; the message names the path.
 *
 * @see https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
 */
export function decodeJson(signal: OtlpSignal, body: Uint8Array): OtlpRequest {
  const request = parse(body)
  refuseOtherSignal(signal, request)
  try {
    return readRequest(signal, request)
  } catch (error) {
    if (!(error instanceof Misfit)) throw error
    throw new MalformedOtlp(error.at === "" ? error.problem : `${error.at}: ${error.problem}`)
  }
}

const TOP_LEVEL: Record<OtlpSignal, string> = {
  traces: "resourceSpans",
  logs: "resourceLogs",
  metrics: "resourceMetrics",
}

/** Unknown fields are skipped, so a body of another signal would be taken as an empty one and lost. */
function refuseOtherSignal(signal: OtlpSignal, request: JsonObject): void {
  if (TOP_LEVEL[signal] in request) return
  for (const other of ["traces", "logs", "metrics"] as const) {
    if (TOP_LEVEL[other] in request) throw new MalformedOtlp(`${TOP_LEVEL[other]} belong to /v1/${other}`)
  }
}

function readRequest(signal: OtlpSignal, request: JsonObject): OtlpRequest {
  if (signal === "traces") {
    return { signal, groups: readGroups(request, "resourceSpans", "scopeSpans", "spans", readSpan) }
  }
  if (signal === "logs") {
    return { signal, groups: readGroups(request, "resourceLogs", "scopeLogs", "logRecords", readLogRecord) }
  }
  const groups = readGroups(request, "resourceMetrics", "scopeMetrics", "metrics", readMetric)
  return { signal, groups: groups.map((group) => ({ ...group, items: group.items.flat() })) }
}

/** A value that does not fit; its path is put together while the error passes outwards, so reading costs nothing. */
class Misfit extends Error {
  override name = "Misfit"
  readonly at: string
  readonly problem: string

  constructor(at: string, problem: string) {
    super(problem)
    this.at = at
    this.problem = problem
  }
}

function within(step: string, error: unknown): unknown {
  if (!(error instanceof Misfit)) return error
  const joint = error.at === "" || error.at.startsWith("[") ? "" : "."
  return new Misfit(step + joint + error.at, error.problem)
}

type JsonObject = Readonly<Record<string, unknown>>

const utf8 = new TextDecoder("utf-8", { fatal: true })

function parse(body: Uint8Array): JsonObject {
  let text: string
  try {
    text = utf8.decode(body)
  } catch {
    throw new MalformedOtlp("the body is not valid UTF-8")
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // The parser's own message quotes the body, which may hold content.
    throw new MalformedOtlp("the body is not valid JSON")
  }
  if (!isObject(value)) throw new MalformedOtlp("the body is not a JSON object")
  return value
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}

/** Protobuf's JSON reads null as "not set". */
function isUnset(value: unknown): value is null | undefined {
  return value === undefined || value === null
}

function readObject<T>(from: JsonObject, key: string, read: (value: JsonObject) => T): T | undefined {
  const value = from[key]
  if (isUnset(value)) return undefined
  if (!isObject(value)) throw new Misfit(key, "not an object")
  try {
    return read(value)
  } catch (error) {
    throw within(key, error)
  }
}

function readList<T>(from: JsonObject, key: string, read: (value: JsonObject) => T): T[] {
  const values = from[key]
  if (isUnset(values)) return []
  if (!Array.isArray(values)) throw new Misfit(key, "not a list")
  return values.map((value: unknown, index) => {
    if (!isObject(value)) throw new Misfit(`${key}[${index}]`, "not an object")
    try {
      return read(value)
    } catch (error) {
      throw within(`${key}[${index}]`, error)
    }
  })
}

function readText(from: JsonObject, key: string): string {
  const value = from[key]
  if (isUnset(value)) return ""
  if (typeof value !== "string") throw new Misfit(key, "not a string")
  return value
}

const HEX = /^[0-9a-fA-F]*$/

/** Empty, or an id of `size` bytes. */
function readId(from: JsonObject, key: string, size: number): string {
  const value = readText(from, key)
  if (value === "") return value
  if (value.length !== size * 2 || !HEX.test(value)) throw new Misfit(key, `not ${size * 2} hex digits`)
  return value.toLowerCase()
}

const INTEGER = /^-?\d{1,20}$/
const INT64_LIMIT = 2n ** 63n
const UINT64_LIMIT = 2n ** 64n

function toInteger(value: unknown, key: string): bigint {
  if (typeof value === "number" && Number.isInteger(value)) return BigInt(value)
  if (typeof value === "string" && INTEGER.test(value)) return BigInt(value)
  throw new Misfit(key, "not an integer")
}

/** `fixed64` and `uint64`: times and counts. */
function readUint64(from: JsonObject, key: string): bigint {
  const value = from[key]
  if (isUnset(value)) return 0n
  const integer = toInteger(value, key)
  if (integer < 0n || integer >= UINT64_LIMIT) throw new Misfit(key, "not an unsigned 64-bit integer")
  return integer
}

function toInt64(value: unknown, key: string): number {
  if (typeof value === "number" && Number.isSafeInteger(value)) return value
  const integer = toInteger(value, key)
  if (integer < -INT64_LIMIT || integer >= INT64_LIMIT) throw new Misfit(key, "not a 64-bit integer")
  return Number(integer)
}

/** An enum or a flag set: an integer; an enum's own name is tolerated where `names` has it. */
function readEnum(from: JsonObject, key: string, names: readonly string[] = []): number {
  const value = from[key]
  if (isUnset(value)) return 0
  const named = typeof value === "string" ? names.indexOf(value) : -1
  return named === -1 ? toInt64(value, key) : named
}

const NUMBER = /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/

function toDouble(value: unknown, key: string): number {
  if (typeof value === "number") return value
  if (value === "NaN" || value === "Infinity" || value === "-Infinity") return Number(value)
  if (typeof value === "string" && NUMBER.test(value)) return Number(value)
  throw new Misfit(key, "not a number")
}

const BASE64 = /^[A-Za-z0-9+/_-]*={0,2}$/

function toBytes(value: unknown, key: string): Uint8Array {
  if (typeof value !== "string" || !BASE64.test(value)) throw new Misfit(key, "not base64")
  return new Uint8Array(Buffer.from(value, "base64"))
}

function readGroups<Item>(
  request: JsonObject,
  resourcesKey: string,
  scopesKey: string,
  itemsKey: string,
  readItem: (value: JsonObject) => Item,
): Group<Item>[] {
  const perResource = readList(request, resourcesKey, (entry) => {
    const resource = readObject(entry, "resource", readAttributes) ?? new Map()
    return readList(entry, scopesKey, (group) => ({
      resource,
      scope: readObject(group, "scope", readScope) ?? { name: "", version: "" },
      items: readList(group, itemsKey, readItem),
    }))
  })
  return perResource.flat()
}

function readScope(value: JsonObject): Scope {
  return { name: readText(value, "name"), version: readText(value, "version") }
}

function readAttributes(from: JsonObject): Attributes {
  return readKeyValues(from, "attributes", 0)
}

function readKeyValues(from: JsonObject, key: string, depth: number): Attributes {
  const attributes = new Map<string, AttributeValue>()
  readList(from, key, (pair) => {
    const value = readObject(pair, "value", (any) => readAnyValue(any, depth)) ?? null
    attributes.set(readText(pair, "key"), value)
  })
  return attributes
}

function readAnyValue(value: JsonObject, depth: number): AttributeValue {
  if (depth > MAX_DEPTH) throw new Misfit("", `values nested deeper than ${MAX_DEPTH}`)
  if (!isUnset(value.stringValue)) return readText(value, "stringValue")
  if (!isUnset(value.intValue)) return toInt64(value.intValue, "intValue")
  if (!isUnset(value.boolValue)) {
    if (typeof value.boolValue !== "boolean") throw new Misfit("boolValue", "not a boolean")
    return value.boolValue
  }
  if (!isUnset(value.doubleValue)) return toDouble(value.doubleValue, "doubleValue")
  if (!isUnset(value.bytesValue)) return toBytes(value.bytesValue, "bytesValue")
  const list = readObject(value, "arrayValue", (array) =>
    readList(array, "values", (any) => readAnyValue(any, depth + 1)),
  )
  return list ?? readObject(value, "kvlistValue", (pairs) => readKeyValues(pairs, "values", depth + 1)) ?? null
}

const STATUS_CODES = ["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"]

function readSpan(value: JsonObject): Span {
  return {
    traceId: readId(value, "traceId", 16),
    spanId: readId(value, "spanId", 8),
    parentSpanId: readId(value, "parentSpanId", 8),
    name: readText(value, "name"),
    startUnixNano: readUint64(value, "startTimeUnixNano"),
    endUnixNano: readUint64(value, "endTimeUnixNano"),
    attributes: readAttributes(value),
    events: readList(value, "events", readSpanEvent),
    statusCode: readObject(value, "status", (status) => readEnum(status, "code", STATUS_CODES)) ?? 0,
  }
}

function readSpanEvent(value: JsonObject): SpanEvent {
  return {
    timeUnixNano: readUint64(value, "timeUnixNano"),
    name: readText(value, "name"),
    attributes: readAttributes(value),
  }
}

function readLogRecord(value: JsonObject): LogRecord {
  return {
    timeUnixNano: readUint64(value, "timeUnixNano"),
    observedUnixNano: readUint64(value, "observedTimeUnixNano"),
    eventName: readText(value, "eventName"),
    body: readObject(value, "body", (any) => readAnyValue(any, 0)) ?? null,
    traceId: readId(value, "traceId", 16),
    spanId: readId(value, "spanId", 8),
    attributes: readAttributes(value),
  }
}

type Point = Omit<MetricPoint, "metric" | "unit" | "temporality">

const POINT_READERS = [
  ["gauge", readNumberPoint],
  ["sum", readNumberPoint],
  ["histogram", readDistributionPoint],
  ["exponentialHistogram", readDistributionPoint],
  ["summary", readDistributionPoint],
] as const

function readMetric(value: JsonObject): MetricPoint[] {
  const metric = readText(value, "name")
  const unit = readText(value, "unit")
  for (const [key, readPoint] of POINT_READERS) {
    const points = readObject(value, key, (data) => {
      const temporality = readTemporality(data)
      return readList(data, "dataPoints", (point) => ({ metric, unit, temporality, ...readPoint(point) }))
    })
    if (points !== undefined) return points
  }
  return []
}

const TEMPORALITY_NAMES = TEMPORALITIES.map((temporality) => `AGGREGATION_TEMPORALITY_${temporality.toUpperCase()}`)

function readTemporality(data: JsonObject): Temporality {
  return TEMPORALITIES[readEnum(data, "aggregationTemporality", TEMPORALITY_NAMES)] ?? "unspecified"
}

/** Data point flag: the point says that it records no value. */
const NO_RECORDED_VALUE = 1

function readNumberPoint(point: JsonObject): Point {
  let value: number | null = null
  if (!isUnset(point.asDouble)) value = toDouble(point.asDouble, "asDouble")
  else if (!isUnset(point.asInt)) value = toInt64(point.asInt, "asInt")
  if ((readEnum(point, "flags") & NO_RECORDED_VALUE) !== 0) value = null
  return { ...readPointFrame(point), value, count: 1 }
}

/** Histogram, exponential histogram and summary points share the fields that are read here. */
function readDistributionPoint(point: JsonObject): Point {
  const value = isUnset(point.sum) ? null : toDouble(point.sum, "sum")
  return { ...readPointFrame(point), value, count: Number(readUint64(point, "count")) }
}

function readPointFrame(point: JsonObject) {
  return {
    startUnixNano: readUint64(point, "startTimeUnixNano"),
    timeUnixNano: readUint64(point, "timeUnixNano"),
    attributes: readAttributes(point),
  }
}
