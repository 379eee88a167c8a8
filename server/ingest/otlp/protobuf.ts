import { ItemAttributes } from "./item-attributes.ts"
import { type SentValue, Texts } from "./texts.ts"
import {
  type AttributeValue,
  type Attributes,
  type Group,
  type LogRecord,
  MAX_DEPTH,
  MalformedOtlp,
  MAX_MESSAGES,
  type MetricPoint,
  type OtlpRequest,
  OversizedOtlp,
  type OtlpSignal,
  type Scope,
  type Span,
  type SpanEvent,
  TEMPORALITIES,
  type Temporality,
} from "./types.ts"

/**
 * Reads an OTLP/HTTP protobuf body: `ExportTraceServiceRequest`, `ExportLogsServiceRequest` or
 * `ExportMetricsServiceRequest`, by walking the wire format once. Fields that no dialect needs are skipped.
 *
 * Throws `OversizedOtlp` past `MAX_MESSAGES`, and `MalformedOtlp` on truncation, a bad wire type, text that is not UTF-8, ids of the wrong length, or
 * nesting past `MAX_DEPTH`.
 *
 * @see https://protobuf.dev/programming-guides/encoding/ for the wire format
 * @see https://opentelemetry.io/docs/specs/otlp/ ; field numbers are those of opentelemetry-proto 1.x
 */
export function decodeProtobuf(signal: OtlpSignal, body: Uint8Array): OtlpRequest {
  const reader = new Reader(body)
  if (signal === "traces") return { signal, groups: readGroups(reader, readSpan) }
  if (signal === "logs") return { signal, groups: readGroups(reader, readLogRecord) }
  return { signal, groups: readGroups(reader, readMetric) }
}

const VARINT = 0
const FIXED64 = 1
const LENGTH_DELIMITED = 2
const FIXED32 = 5

const TRACE_ID_BYTES = 16

class Reader {
  readonly #texts: Texts
  readonly #bytes: Buffer
  readonly #view: DataView
  #traceIdAt = -1
  #traceId = ""
  #at = 0
  #end: number
  #messages = 0
  wireType = 0

  constructor(bytes: Uint8Array) {
    this.#texts = new Texts(bytes)
    this.#bytes = this.#texts.bytes
    this.#view = this.#texts.view
    this.#end = bytes.length
  }

  /** The next field number, or 0 at the end of the current message. */
  next(): number {
    if (this.#at >= this.#end) return 0
    const first = this.#bytes[this.#at] ?? 0
    if (first >= 8 && first < 0x80) {
      this.#at++
      this.wireType = first & 7
      return first >> 3
    }
    const tag = this.varint()
    this.wireType = tag & 7
    const field = Math.floor(tag / 8)
    if (field === 0) throw new MalformedOtlp("field number 0")
    return field
  }

  /** Reads a nested message with `read`, which sees only that message's bytes. */
  message<T>(read: (reader: Reader) => T): T {
    const outerEnd = this.enter()
    const value = read(this)
    this.leave(outerEnd)
    return value
  }

  /** Begins a nested message, after which `leave` has to be called with what this answers. */
  enter(): number {
    this.#count(1)
    const length = this.#length()
    const outerEnd = this.#end
    this.#end = this.#at + length
    return outerEnd
  }

  #count(messages: number): void {
    this.#messages += messages
    if (this.#messages > MAX_MESSAGES) {
      throw new OversizedOtlp(`more than ${MAX_MESSAGES} items, attributes and values; send smaller batches`)
    }
  }

  leave(outerEnd: number): void {
    this.#at = this.#end
    this.#end = outerEnd
  }

  /** An unsigned varint as a number; exact up to 2^53. */
  varint(): number {
    const first = this.#at < this.#end ? (this.#bytes[this.#at] ?? 0) : 0x80
    if (first < 0x80) {
      this.#at++
      return first
    }
    let value = 0
    let scale = 1
    for (let count = 0; count < 10; count++) {
      if (this.#at >= this.#end) throw new MalformedOtlp("truncated varint")
      const byte = this.#bytes[this.#at++] ?? 0
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
      scale *= 128
    }
    throw new MalformedOtlp("varint longer than 10 bytes")
  }

  /** An `int64` varint in two's complement. */
  int64(): number {
    this.#expect(VARINT)
    const start = this.#at
    const value = this.varint()
    if (value < 2 ** 53) return value
    let exact = 0n
    for (let at = start, shift = 0n; at < this.#at; at++, shift += 7n) {
      exact |= BigInt((this.#bytes[at] ?? 0) & 0x7f) << shift
    }
    return Number(BigInt.asIntN(64, exact))
  }

  enum(): number {
    this.#expect(VARINT)
    return this.varint()
  }

  bool(): boolean {
    return this.enum() !== 0
  }

  fixed64(): bigint {
    return this.#view.getBigUint64(this.#fixed(FIXED64, 8), true)
  }

  sfixed64(): number {
    return Number(this.#view.getBigInt64(this.#fixed(FIXED64, 8), true))
  }

  double(): number {
    return this.#view.getFloat64(this.#fixed(FIXED64, 8), true)
  }

  string(): string {
    const length = this.#length()
    const start = this.#at
    this.#at += length
    return this.#texts.read(start, length)
  }

  /** A string that may be long and that nobody may ask for. */
  lateString(): SentValue {
    const length = this.#length()
    const start = this.#at
    this.#at += length
    return this.#texts.readLate(start, length)
  }

  /** A `KeyValue`. */
  attribute(into: ItemAttributes): void {
    if (this.#shortTextAttribute(into)) return
    let keyAt = this.#at
    let keyLength = 0
    let value: SentValue = null
    const outerEnd = this.enter()
    for (let field = this.next(); field !== 0; field = this.next()) {
      if (field === 1) {
        keyLength = this.#length()
        keyAt = this.#at
        this.#at += keyLength
      } else if (field === 2) {
        const end = this.enter()
        value = readSentValue(this)
        this.leave(end)
      } else this.skip()
    }
    this.leave(outerEnd)
    into.add(this.#texts, keyAt, keyLength, value)
  }

  /**
   * Most of a request are attributes with a text, all of whose lengths take one byte. They are read here as what they
   * look like: 0a length key, 12 length (0a length text). False, and nothing was read, when it is another one.
   */
  #shortTextAttribute(into: ItemAttributes): boolean {
    const bytes = this.#bytes
    const start = this.#at + 1
    const keyLength = bytes[start + 1] ?? 0
    const keyAt = start + 2
    const valueAt = keyAt + keyLength
    const textLength = bytes[valueAt + 3] ?? 0
    const textAt = valueAt + 4
    const end = textAt + textLength
    const isOne =
      this.wireType === LENGTH_DELIMITED &&
      end <= this.#end &&
      end - start < 0x80 &&
      bytes[this.#at] === end - start &&
      bytes[start] === 0x0a &&
      bytes[valueAt] === 0x12 &&
      bytes[valueAt + 1] === textLength + 2 &&
      bytes[valueAt + 2] === 0x0a
    if (!isOne) return false
    this.#count(2)
    this.#at = end
    into.add(this.#texts, keyAt, keyLength, this.#texts.readLate(textAt, textLength))
    return true
  }

  bytes(): Uint8Array {
    const length = this.#length()
    const start = this.#at
    this.#at += length
    return new Uint8Array(this.#bytes.subarray(start, this.#at))
  }

  /** A trace or span id as hex; empty, or exactly `size` bytes. */
  id(size: number): string {
    const length = this.#length()
    if (length !== 0 && length !== size) throw new MalformedOtlp(`an id of ${length} bytes where ${size} are due`)
    const start = this.#at
    this.#at += length
    if (length !== TRACE_ID_BYTES) return this.#bytes.toString("hex", start, this.#at)
    // Spans of one trace follow one another.
    const before = this.#traceIdAt
    if (before === -1 || this.#bytes.compare(this.#bytes, before, before + length, start, this.#at) !== 0) {
      this.#traceId = this.#bytes.toString("hex", start, this.#at)
      this.#traceIdAt = start
    }
    return this.#traceId
  }

  skip(): void {
    switch (this.wireType) {
      case VARINT:
        this.varint()
        return
      case FIXED64:
        this.#fixed(FIXED64, 8)
        return
      case LENGTH_DELIMITED: {
        const length = this.#length()
        this.#at += length
        return
      }
      case FIXED32:
        this.#fixed(FIXED32, 4)
        return
      default:
        throw new MalformedOtlp(`wire type ${this.wireType}`)
    }
  }

  #length(): number {
    this.#expect(LENGTH_DELIMITED)
    const length = this.varint()
    if (length > this.#end - this.#at) throw new MalformedOtlp("truncated: a field is longer than its message")
    return length
  }

  #fixed(wireType: number, size: number): number {
    this.#expect(wireType)
    const start = this.#at
    if (size > this.#end - start) throw new MalformedOtlp("truncated fixed-width field")
    this.#at += size
    return start
  }

  #expect(wireType: number): void {
    if (this.wireType !== wireType) throw new MalformedOtlp(`wire type ${this.wireType} where ${wireType} is due`)
  }
}

type ReadItem<Item> = (reader: Reader) => Item | readonly Item[]

function readGroups<Item>(reader: Reader, readItem: ReadItem<Item>): Group<Item>[] {
  const groups: Group<Item>[] = []
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) {
      for (const group of reader.message((inner) => readResourceGroup(inner, readItem))) groups.push(group)
    } else reader.skip()
  }
  return groups
}

function readResourceGroup<Item>(reader: Reader, readItem: ReadItem<Item>): Group<Item>[] {
  let resource: Attributes = new Map()
  const scopes: { scope: Scope; items: Item[] }[] = []
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) resource = reader.message(readResource)
    else if (field === 2) scopes.push(reader.message((inner) => readScopeGroup(inner, readItem)))
    else reader.skip()
  }
  return scopes.map((group) => ({ resource, ...group }))
}

function readResource(reader: Reader): Attributes {
  const attributes = new ItemAttributes()
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) reader.attribute(attributes)
    else reader.skip()
  }
  return attributes
}

function readScopeGroup<Item>(reader: Reader, readItem: ReadItem<Item>): { scope: Scope; items: Item[] } {
  let scope: Scope = { name: "", version: "" }
  const items: Item[] = []
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) scope = reader.message(readScope)
    else if (field === 2) {
      const read = reader.message(readItem)
      // One by one: a metric may have more points than a call has arguments.
      if (Array.isArray(read)) for (const item of read as readonly Item[]) items.push(item)
      else items.push(read as Item)
    } else reader.skip()
  }
  return { scope, items }
}

function readScope(reader: Reader): Scope {
  let name = ""
  let version = ""
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) name = reader.string()
    else if (field === 2) version = reader.string()
    else reader.skip()
  }
  return { name, version }
}

/** An `AnyValue` whose text is only made when it is asked for. */
function readSentValue(reader: Reader): SentValue {
  let value: SentValue = null
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    value = field === 1 ? reader.lateString() : readValueField(reader, field, value, 0)
  }
  return value
}

function readKeyValue(reader: Reader, into: Map<string, AttributeValue>, depth: number): void {
  let key = ""
  let value: AttributeValue = null
  const outerEnd = reader.enter()
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) key = reader.string()
    else if (field === 2) {
      const end = reader.enter()
      value = readAnyValue(reader, depth)
      reader.leave(end)
    } else reader.skip()
  }
  reader.leave(outerEnd)
  into.set(key, value)
}

function readAnyValue(reader: Reader, depth: number): AttributeValue {
  if (depth > MAX_DEPTH) throw new MalformedOtlp(`values nested deeper than ${MAX_DEPTH}`)
  let value: AttributeValue = null
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    value = field === 1 ? reader.string() : readValueField(reader, field, value, depth)
  }
  return value
}

/** A field of an `AnyValue` that is no string; `before` when it is not known. */
function readValueField<Before extends SentValue>(
  reader: Reader,
  field: number,
  before: Before,
  depth: number,
): Before | AttributeValue {
  if (field === 2) return reader.bool()
  if (field === 3) return reader.int64()
  if (field === 4) return reader.double()
  if (field === 5) return reader.message((inner) => readArray(inner, depth + 1))
  if (field === 6) return reader.message((inner) => readKeyValueList(inner, depth + 1))
  if (field === 7) return reader.bytes()
  reader.skip()
  return before
}

function readArray(reader: Reader, depth: number): AttributeValue[] {
  const values: AttributeValue[] = []
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) values.push(reader.message((inner) => readAnyValue(inner, depth)))
    else reader.skip()
  }
  return values
}

function readKeyValueList(reader: Reader, depth: number): Attributes {
  const values = new Map<string, AttributeValue>()
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) readKeyValue(reader, values, depth)
    else reader.skip()
  }
  return values
}

function readSpan(reader: Reader): Span {
  let traceId = ""
  let spanId = ""
  let parentSpanId = ""
  let name = ""
  let startUnixNano = 0n
  let endUnixNano = 0n
  let statusCode = 0
  const attributes = new ItemAttributes()
  const events: SpanEvent[] = []
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) traceId = reader.id(16)
    else if (field === 2) spanId = reader.id(8)
    else if (field === 4) parentSpanId = reader.id(8)
    else if (field === 5) name = reader.string()
    else if (field === 7) startUnixNano = reader.fixed64()
    else if (field === 8) endUnixNano = reader.fixed64()
    else if (field === 9) reader.attribute(attributes)
    else if (field === 11) events.push(reader.message(readSpanEvent))
    else if (field === 15) statusCode = reader.message(readStatusCode)
    else reader.skip()
  }
  return { traceId, spanId, parentSpanId, name, startUnixNano, endUnixNano, attributes, events, statusCode }
}

function readSpanEvent(reader: Reader): SpanEvent {
  let timeUnixNano = 0n
  let name = ""
  const attributes = new ItemAttributes()
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) timeUnixNano = reader.fixed64()
    else if (field === 2) name = reader.string()
    else if (field === 3) reader.attribute(attributes)
    else reader.skip()
  }
  return { timeUnixNano, name, attributes }
}

function readStatusCode(reader: Reader): number {
  let code = 0
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 3) code = reader.enum()
    else reader.skip()
  }
  return code
}

function readLogRecord(reader: Reader): LogRecord {
  let timeUnixNano = 0n
  let observedUnixNano = 0n
  let eventName = ""
  let body: AttributeValue = null
  let traceId = ""
  let spanId = ""
  const attributes = new ItemAttributes()
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) timeUnixNano = reader.fixed64()
    else if (field === 5) body = reader.message((inner) => readAnyValue(inner, 0))
    else if (field === 6) reader.attribute(attributes)
    else if (field === 9) traceId = reader.id(16)
    else if (field === 10) spanId = reader.id(8)
    else if (field === 11) observedUnixNano = reader.fixed64()
    else if (field === 12) eventName = reader.string()
    else reader.skip()
  }
  return { timeUnixNano, observedUnixNano, eventName, body, traceId, spanId, attributes }
}

interface PointFields {
  startUnixNano: bigint
  timeUnixNano: bigint
  value: number | null
  count: number
  attributes: ItemAttributes
}

/** Where a kind of metric keeps its points, and under which field number a point keeps its attributes. */
const POINT_ATTRIBUTES = new Map([
  [5, 7], // gauge
  [7, 7], // sum
  [9, 9], // histogram
  [10, 1], // exponential histogram
  [11, 7], // summary
])
const NUMBER_METRICS: ReadonlySet<number> = new Set([5, 7])

function readMetric(reader: Reader): MetricPoint[] {
  let metric = ""
  let unit = ""
  let temporality: Temporality = "unspecified"
  const points: PointFields[] = []
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    const attributesField = POINT_ATTRIBUTES.get(field)
    if (field === 1) metric = reader.string()
    else if (field === 3) unit = reader.string()
    else if (attributesField !== undefined) {
      const readPoint = NUMBER_METRICS.has(field) ? readNumberPoint : readDistributionPoint
      reader.message((data) => {
        for (let inner = data.next(); inner !== 0; inner = data.next()) {
          if (inner === 1) points.push(data.message((point) => readPoint(point, attributesField)))
          else if (inner === 2) temporality = TEMPORALITIES[data.enum()] ?? "unspecified"
          else data.skip()
        }
      })
    } else reader.skip()
  }
  return points.map((point) => ({ metric, unit, temporality, ...point }))
}

/** Data point flag: the point says that it records no value. */
const NO_RECORDED_VALUE = 1

function readNumberPoint(reader: Reader): PointFields {
  const point: PointFields = {
    startUnixNano: 0n,
    timeUnixNano: 0n,
    value: null,
    count: 1,
    attributes: new ItemAttributes(),
  }
  let flags = 0
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 2) point.startUnixNano = reader.fixed64()
    else if (field === 3) point.timeUnixNano = reader.fixed64()
    else if (field === 4) point.value = reader.double()
    else if (field === 6) point.value = reader.sfixed64()
    else if (field === 7) reader.attribute(point.attributes)
    else if (field === 8) flags = reader.enum()
    else reader.skip()
  }
  if ((flags & NO_RECORDED_VALUE) !== 0) point.value = null
  return point
}

/** Histogram, exponential histogram and summary points share the fields that are read here. */
function readDistributionPoint(reader: Reader, attributesField: number): PointFields {
  const point: PointFields = {
    startUnixNano: 0n,
    timeUnixNano: 0n,
    value: null,
    count: 0,
    attributes: new ItemAttributes(),
  }
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === attributesField) reader.attribute(point.attributes)
    else if (field === 2) point.startUnixNano = reader.fixed64()
    else if (field === 3) point.timeUnixNano = reader.fixed64()
    else if (field === 4) point.count = Number(reader.fixed64())
    else if (field === 5) point.value = reader.double()
    else reader.skip()
  }
  return point
}
