import { ItemAttributes } from "./item-attributes.ts"
import { Fields, JsonScanner, Misfit } from "./json-scanner.ts"
import { type LateText, type SentValue, Texts } from "./texts.ts"
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
  const json = new JsonScanner(body)
  try {
    const request = readRequest(signal, json)
    json.end()
    return request
  } catch (error) {
    if (!(error instanceof Misfit)) throw error
    const path = JsonScanner.pathTo(body, json.valueAt)
    throw new MalformedOtlp(path === "" ? error.message : `${path}: ${error.message}`)
  }
}

function readRequest(signal: OtlpSignal, json: JsonScanner): OtlpRequest {
  if (signal === "traces") return { signal, groups: readTopLevel(signal, json, SCOPE_SPANS, readSpan) }
  if (signal === "logs") return { signal, groups: readTopLevel(signal, json, SCOPE_LOGS, readLogRecord) }
  const groups = readTopLevel(signal, json, SCOPE_METRICS, readMetric)
  return { signal, groups: groups.map((group) => ({ ...group, items: group.items.flat() })) }
}

type Read<Value> = (json: JsonScanner) => Value

/** The next value is an object, and not null. */
function enterObject(json: JsonScanner): void {
  if (!json.beginObject()) throw new Misfit("not an object")
}

/** A list of objects; empty when it is not set, as null is in protobuf's JSON. */
function readList<Item>(json: JsonScanner, read: Read<Item>): Item[] {
  const items: Item[] = []
  if (!json.beginList()) return items
  while (json.hasItem()) {
    enterObject(json)
    items.push(read(json))
  }
  return items
}

/** What `read` makes of an object; `unset` when there is none. */
function readObject<Value>(json: JsonScanner, read: Read<Value>, unset: Value): Value {
  return json.beginObject() ? read(json) : unset
}

function readText(json: JsonScanner): string {
  return json.skipNull() ? "" : json.text()
}

const HEX = /^[0-9a-fA-F]*$/

/** Empty, or an id of `size` bytes. */
function readId(json: JsonScanner, size: number): string {
  const value = readText(json)
  if (value === "") return value
  if (value.length !== size * 2 || !HEX.test(value)) throw new Misfit(`not ${size * 2} hex digits`)
  return value.toLowerCase()
}

const INTEGER = /^-?\d{1,20}$/
const INT64_LIMIT = 2n ** 63n
const UINT64_LIMIT = 2n ** 64n

function toInteger(value: unknown): bigint {
  if (typeof value === "number" && Number.isInteger(value)) return BigInt(value)
  if (typeof value === "string" && INTEGER.test(value)) return BigInt(value)
  throw new Misfit("not an integer")
}

/** Digits that always fit: 10^19 is less than 2^64, and 10^15 less than 2^53. */
const [UINT64_DIGITS, SAFE_DIGITS] = [19, 15]

/** `fixed64` and `uint64`: times and counts. */
function readUint64(json: JsonScanner): bigint {
  if (json.digits(UINT64_DIGITS)) return joinDigits(json.high, json.low)
  const value = json.scalar()
  if (value === null) return 0n
  const integer = toInteger(value)
  if (integer < 0n || integer >= UINT64_LIMIT) throw new Misfit("not an unsigned 64-bit integer")
  return integer
}

const JOINED = new BigUint64Array(1)
const HALVES = new Uint32Array(JOINED.buffer)

/** high * 10^9 + low, by numbers that stay below 2^53, so that only one bigint is made. */
function joinDigits(high: number, low: number): bigint {
  const upper = Math.floor(high / 2 ** 16) * 1e9
  const lower = (high % 2 ** 16) * 1e9 + low + (upper % 2 ** 16) * 2 ** 16
  HALVES[0] = lower % 2 ** 32
  HALVES[1] = Math.floor(upper / 2 ** 16) + Math.floor(lower / 2 ** 32)
  return JOINED[0] ?? 0n
}

function readInt64(json: JsonScanner): number {
  if (json.digits(SAFE_DIGITS)) return json.high * 1e9 + json.low
  return toInt64(json.scalar())
}

function toInt64(value: unknown): number {
  if (typeof value === "number" && Number.isSafeInteger(value)) return value
  const integer = toInteger(value)
  if (integer < -INT64_LIMIT || integer >= INT64_LIMIT) throw new Misfit("not a 64-bit integer")
  return Number(integer)
}

/** An enum or a flag set: an integer; an enum's own name is tolerated where `names` has it. */
function readEnum(json: JsonScanner, names: readonly string[] = []): number {
  const value = json.scalar()
  if (value === null) return 0
  const named = typeof value === "string" ? names.indexOf(value) : -1
  return named === -1 ? toInt64(value) : named
}

const NUMBER = /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/

function readDouble(json: JsonScanner): number {
  const value = json.scalar()
  if (typeof value === "number") return value
  if (value === "NaN" || value === "Infinity" || value === "-Infinity") return Number(value)
  if (typeof value === "string" && NUMBER.test(value)) return Number(value)
  throw new Misfit("not a number")
}

function readBoolean(json: JsonScanner): boolean {
  const value = json.scalar()
  if (typeof value !== "boolean") throw new Misfit("not a boolean")
  return value
}

const BASE64 = /^[A-Za-z0-9+/_-]*={0,2}$/

function readBytes(json: JsonScanner): Uint8Array {
  const value = json.scalar()
  if (typeof value !== "string" || !BASE64.test(value)) throw new Misfit("not base64")
  return new Uint8Array(Buffer.from(value, "base64"))
}

const TOP_LEVEL: Record<OtlpSignal, string> = {
  traces: "resourceSpans",
  logs: "resourceLogs",
  metrics: "resourceMetrics",
}
const REQUEST = new Fields("resourceSpans", "resourceLogs", "resourceMetrics")

// What they share, and the lists of one kind of signal each.
const SCOPE_SPANS = { resource: new Fields("resource", "scopeSpans"), scope: new Fields("scope", "spans") }
const SCOPE_LOGS = { resource: new Fields("resource", "scopeLogs"), scope: new Fields("scope", "logRecords") }
const SCOPE_METRICS = { resource: new Fields("resource", "scopeMetrics"), scope: new Fields("scope", "metrics") }

interface Nesting {
  readonly resource: Fields<string>
  readonly scope: Fields<string>
}

function readTopLevel<Item>(
  signal: OtlpSignal,
  json: JsonScanner,
  nesting: Nesting,
  readItem: Read<Item>,
): Group<Item>[] {
  let groups: Group<Item>[] | null = null
  let other: OtlpSignal | null = null
  if (!json.isObject()) throw new MalformedOtlp("the body is not a JSON object")
  enterObject(json)
  for (let field = json.field(REQUEST); field !== null; field = json.field(REQUEST)) {
    if (field === TOP_LEVEL[signal])
      groups = readList(json, (inner) => readResourceGroup(inner, nesting, readItem)).flat()
    else {
      if (field === "resourceSpans") other = "traces"
      else if (field === "resourceLogs") other = "logs"
      else if (field === "resourceMetrics") other = "metrics"
      json.skip()
    }
  }
  // Unknown fields are skipped, so a body of another signal would be taken as an empty one and lost.
  if (groups === null && other !== null) throw new MalformedOtlp(`${TOP_LEVEL[other]} belong to /v1/${other}`)
  return groups ?? []
}

function readResourceGroup<Item>(json: JsonScanner, nesting: Nesting, readItem: Read<Item>): Group<Item>[] {
  let resource: Attributes = new ItemAttributes()
  let scopes: Omit<Group<Item>, "resource">[] = []
  for (let field = json.field(nesting.resource); field !== null; field = json.field(nesting.resource)) {
    if (field === "resource") resource = readObject(json, readResource, new ItemAttributes())
    else if (field === "") json.skip()
    else scopes = readList(json, (inner) => readScopeGroup(inner, nesting, readItem))
  }
  return scopes.map((group) => ({ resource, ...group }))
}

const RESOURCE = new Fields("attributes")

function readResource(json: JsonScanner): Attributes {
  let attributes = new ItemAttributes()
  for (let field = json.field(RESOURCE); field !== null; field = json.field(RESOURCE)) {
    if (field === "attributes") attributes = readAttributes(json)
    else json.skip()
  }
  return attributes
}

const NO_SCOPE: Scope = { name: "", version: "" }

function readScopeGroup<Item>(
  json: JsonScanner,
  nesting: Nesting,
  readItem: Read<Item>,
): Omit<Group<Item>, "resource"> {
  let scope = NO_SCOPE
  let items: Item[] = []
  for (let field = json.field(nesting.scope); field !== null; field = json.field(nesting.scope)) {
    if (field === "scope") scope = readObject(json, readScope, NO_SCOPE)
    else if (field === "") json.skip()
    else items = readList(json, readItem)
  }
  return { scope, items }
}

const SCOPE = new Fields("name", "version")

function readScope(json: JsonScanner): Scope {
  let name = ""
  let version = ""
  for (let field = json.field(SCOPE); field !== null; field = json.field(SCOPE)) {
    if (field === "name") name = readText(json)
    else if (field === "version") version = readText(json)
    else json.skip()
  }
  return { name, version }
}

const KEY_VALUE = new Fields("key", "value")

function readAttributes(json: JsonScanner): ItemAttributes {
  const attributes = new ItemAttributes()
  if (!json.beginList()) return attributes
  while (json.hasItem()) {
    const plain = json.textAttribute()
    if (plain !== null) attributes.add(json.texts, plain.key.at, plain.key.length, json.late(plain.value))
    else {
      enterObject(json)
      readAttribute(json, attributes)
    }
  }
  return attributes
}

/** Most of a request is this; hence a key is recognized where it stands, and not made. */
function readAttribute(json: JsonScanner, into: ItemAttributes): void {
  let texts = json.texts
  let keyAt = 0
  let keyLength = 0
  let value: SentValue = null
  for (let field = json.field(KEY_VALUE); field !== null; field = json.field(KEY_VALUE)) {
    if (field === "key") {
      if (json.skipNull()) keyLength = 0
      else {
        const span = json.span()
        if (span.isEscaped) texts = new Texts(Buffer.from(json.unescaped(span)))
        keyAt = span.isEscaped ? 0 : span.at
        keyLength = span.isEscaped ? texts.bytes.length : span.length
      }
    } else if (field === "value") value = json.beginObject() ? readAnyValue(json, 0, readLateText) : null
    else json.skip()
  }
  into.add(texts, keyAt, keyLength, value)
}

function readLateText(json: JsonScanner): string | LateText {
  return json.late(json.span())
}

function readKeyValueList(json: JsonScanner, depth: number): Attributes {
  const values = new Map<string, AttributeValue>()
  if (!json.beginList()) return values
  while (json.hasItem()) {
    enterObject(json)
    let key = ""
    let value: AttributeValue = null
    for (let field = json.field(KEY_VALUE); field !== null; field = json.field(KEY_VALUE)) {
      if (field === "key") key = readText(json)
      else if (field === "value") value = json.beginObject() ? readAnyValue(json, depth, readText) : null
      else json.skip()
    }
    values.set(key, value)
  }
  return values
}

const ANY_VALUE = new Fields(
  "stringValue",
  "intValue",
  "boolValue",
  "doubleValue",
  "arrayValue",
  "kvlistValue",
  "bytesValue",
)

/** The object is entered already. Of several values, of which a sender may set one only, the last counts. */
function readAnyValue<Text extends SentValue>(
  json: JsonScanner,
  depth: number,
  readString: Read<Text>,
): Text | AttributeValue {
  if (depth > MAX_DEPTH) throw new Misfit(`values nested deeper than ${MAX_DEPTH}`)
  let value: Text | AttributeValue = null
  for (let field = json.field(ANY_VALUE); field !== null; field = json.field(ANY_VALUE)) {
    if (field === "") json.skip()
    else if (json.skipNull()) continue
    else if (field === "stringValue") value = readString(json)
    else if (field === "intValue") value = readInt64(json)
    else if (field === "boolValue") value = readBoolean(json)
    else if (field === "doubleValue") value = readDouble(json)
    else if (field === "bytesValue") value = readBytes(json)
    else {
      enterObject(json)
      value = field === "arrayValue" ? readArray(json, depth + 1) : readPairs(json, depth + 1)
    }
  }
  return value
}

const VALUES = new Fields("values")

function readArray(json: JsonScanner, depth: number): AttributeValue[] {
  let values: AttributeValue[] = []
  for (let field = json.field(VALUES); field !== null; field = json.field(VALUES)) {
    if (field === "values") values = readList(json, (inner) => readAnyValue(inner, depth, readText))
    else json.skip()
  }
  return values
}

function readPairs(json: JsonScanner, depth: number): Attributes {
  let values: Attributes = new Map()
  for (let field = json.field(VALUES); field !== null; field = json.field(VALUES)) {
    if (field === "values") values = readKeyValueList(json, depth)
    else json.skip()
  }
  return values
}

const SPAN = new Fields(
  "traceId",
  "spanId",
  "parentSpanId",
  "name",
  "startTimeUnixNano",
  "endTimeUnixNano",
  "attributes",
  "events",
  "status",
)

function readSpan(json: JsonScanner): Span {
  let traceId = ""
  let spanId = ""
  let parentSpanId = ""
  let name = ""
  let startUnixNano = 0n
  let endUnixNano = 0n
  let attributes: ItemAttributes | null = null
  let events: SpanEvent[] = []
  let statusCode = 0
  for (let field = json.field(SPAN); field !== null; field = json.field(SPAN)) {
    if (field === "traceId") traceId = readId(json, 16)
    else if (field === "spanId") spanId = readId(json, 8)
    else if (field === "parentSpanId") parentSpanId = readId(json, 8)
    else if (field === "name") name = readText(json)
    else if (field === "startTimeUnixNano") startUnixNano = readUint64(json)
    else if (field === "endTimeUnixNano") endUnixNano = readUint64(json)
    else if (field === "attributes") attributes = readAttributes(json)
    else if (field === "events") events = readList(json, readSpanEvent)
    else if (field === "status") statusCode = readObject(json, readStatusCode, 0)
    else json.skip()
  }
  attributes ??= new ItemAttributes()
  return { traceId, spanId, parentSpanId, name, startUnixNano, endUnixNano, attributes, events, statusCode }
}

const SPAN_EVENT = new Fields("timeUnixNano", "name", "attributes")

function readSpanEvent(json: JsonScanner): SpanEvent {
  let timeUnixNano = 0n
  let name = ""
  let attributes: ItemAttributes | null = null
  for (let field = json.field(SPAN_EVENT); field !== null; field = json.field(SPAN_EVENT)) {
    if (field === "timeUnixNano") timeUnixNano = readUint64(json)
    else if (field === "name") name = readText(json)
    else if (field === "attributes") attributes = readAttributes(json)
    else json.skip()
  }
  return { timeUnixNano, name, attributes: attributes ?? new ItemAttributes() }
}

const STATUS = new Fields("code")
const STATUS_CODES = ["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"]

function readStatusCode(json: JsonScanner): number {
  let code = 0
  for (let field = json.field(STATUS); field !== null; field = json.field(STATUS)) {
    if (field === "code") code = readEnum(json, STATUS_CODES)
    else json.skip()
  }
  return code
}

const LOG_RECORD = new Fields(
  "timeUnixNano",
  "observedTimeUnixNano",
  "body",
  "eventName",
  "attributes",
  "traceId",
  "spanId",
)

function readLogRecord(json: JsonScanner): LogRecord {
  let timeUnixNano = 0n
  let observedUnixNano = 0n
  let eventName = ""
  let body: AttributeValue = null
  let traceId = ""
  let spanId = ""
  let attributes: ItemAttributes | null = null
  for (let field = json.field(LOG_RECORD); field !== null; field = json.field(LOG_RECORD)) {
    if (field === "timeUnixNano") timeUnixNano = readUint64(json)
    else if (field === "observedTimeUnixNano") observedUnixNano = readUint64(json)
    else if (field === "body") body = json.beginObject() ? readAnyValue(json, 0, readText) : null
    else if (field === "eventName") eventName = readText(json)
    else if (field === "attributes") attributes = readAttributes(json)
    else if (field === "traceId") traceId = readId(json, 16)
    else if (field === "spanId") spanId = readId(json, 8)
    else json.skip()
  }
  attributes ??= new ItemAttributes()
  return { timeUnixNano, observedUnixNano, eventName, body, traceId, spanId, attributes }
}

type Point = Omit<MetricPoint, "metric" | "unit" | "temporality">
type Data = { readonly temporality: Temporality; readonly points: readonly Point[] }

const METRIC = new Fields("name", "unit", "gauge", "sum", "histogram", "exponentialHistogram", "summary")

function readMetric(json: JsonScanner): MetricPoint[] {
  let metric = ""
  let unit = ""
  let data: Data = { temporality: "unspecified", points: [] }
  for (let field = json.field(METRIC); field !== null; field = json.field(METRIC)) {
    if (field === "name") metric = readText(json)
    else if (field === "unit") unit = readText(json)
    else if (field === "") json.skip()
    else if (json.beginObject()) {
      data = readData(json, field === "gauge" || field === "sum" ? readNumberPoint : readDistributionPoint)
    }
  }
  return data.points.map((point) => ({ metric, unit, temporality: data.temporality, ...point }))
}

const DATA = new Fields("aggregationTemporality", "dataPoints")
const TEMPORALITY_NAMES = TEMPORALITIES.map((temporality) => `AGGREGATION_TEMPORALITY_${temporality.toUpperCase()}`)

function readData(json: JsonScanner, readPoint: Read<Point>): Data {
  let temporality: Temporality = "unspecified"
  let points: Point[] = []
  for (let field = json.field(DATA); field !== null; field = json.field(DATA)) {
    if (field === "aggregationTemporality") {
      temporality = TEMPORALITIES[readEnum(json, TEMPORALITY_NAMES)] ?? "unspecified"
    } else if (field === "dataPoints") points = readList(json, readPoint)
    else json.skip()
  }
  return { temporality, points }
}

/** Data point flag: the point says that it records no value. */
const NO_RECORDED_VALUE = 1

const NUMBER_POINT = new Fields("attributes", "startTimeUnixNano", "timeUnixNano", "asDouble", "asInt", "flags")

function readNumberPoint(json: JsonScanner): Point {
  let attributes: ItemAttributes | null = null
  let startUnixNano = 0n
  let timeUnixNano = 0n
  let value: number | null = null
  let flags = 0
  for (let field = json.field(NUMBER_POINT); field !== null; field = json.field(NUMBER_POINT)) {
    if (field === "attributes") attributes = readAttributes(json)
    else if (field === "startTimeUnixNano") startUnixNano = readUint64(json)
    else if (field === "timeUnixNano") timeUnixNano = readUint64(json)
    else if (field === "flags") flags = readEnum(json)
    else if (field === "") json.skip()
    else if (!json.skipNull()) value = field === "asDouble" ? readDouble(json) : readInt64(json)
  }
  if ((flags & NO_RECORDED_VALUE) !== 0) value = null
  return { startUnixNano, timeUnixNano, attributes: attributes ?? new ItemAttributes(), value, count: 1 }
}

const DISTRIBUTION_POINT = new Fields("attributes", "startTimeUnixNano", "timeUnixNano", "count", "sum")

/** Histogram, exponential histogram and summary points share the fields that are read here. */
function readDistributionPoint(json: JsonScanner): Point {
  let attributes: ItemAttributes | null = null
  let startUnixNano = 0n
  let timeUnixNano = 0n
  let count = 0
  let value: number | null = null
  for (let field = json.field(DISTRIBUTION_POINT); field !== null; field = json.field(DISTRIBUTION_POINT)) {
    if (field === "attributes") attributes = readAttributes(json)
    else if (field === "startTimeUnixNano") startUnixNano = readUint64(json)
    else if (field === "timeUnixNano") timeUnixNano = readUint64(json)
    else if (field === "count") count = Number(readUint64(json))
    else if (field === "") json.skip()
    else if (!json.skipNull()) value = readDouble(json)
  }
  return { startUnixNano, timeUnixNano, attributes: attributes ?? new ItemAttributes(), value, count }
}
