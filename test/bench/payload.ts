import {
  ATTR_BELAY_AGENT_TOOL,
  ATTR_BELAY_LANGUAGE,
  ATTR_BELAY_LATENCY_MS,
  ATTR_BELAY_LINES_ADDED,
  ATTR_BELAY_OPERATION_ID,
  ATTR_BELAY_ORIGIN,
  ATTR_BELAY_OUTCOME,
  ATTR_BELAY_RUNG,
  ATTR_BELAY_SIGNAL_ID,
  ATTR_BELAY_SURFACE,
  ATTR_ENDUSER_ID,
  ATTR_GEN_AI_CONVERSATION_ID,
  ATTR_GEN_AI_OPERATION_NAME,
  ATTR_GEN_AI_PROVIDER_NAME,
  ATTR_GEN_AI_REQUEST_MODEL,
  ATTR_GEN_AI_RESPONSE_ID,
  ATTR_GEN_AI_RESPONSE_MODEL,
  ATTR_GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK,
  ATTR_GEN_AI_TOOL_CALL_ID,
  ATTR_GEN_AI_TOOL_NAME,
  ATTR_GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS,
  ATTR_GEN_AI_USAGE_INPUT_TOKENS,
  ATTR_GEN_AI_USAGE_OUTPUT_TOKENS,
  ATTR_SERVICE_NAME,
  ATTR_SERVICE_VERSION,
  ATTR_SESSION_ID,
  ATTR_VCS_REPOSITORY_NAME,
  SCOPE_NAME,
} from "#sdk/semconv.ts"

export type Encoding = "protobuf" | "json"
export type PayloadSignal = "traces" | "logs"

/** A request's body that can be made into another one in place: other ids, other times, the same length. */
export interface Payload {
  readonly body: Buffer
  readonly items: number
  /** Gives every id of the body this number, and its items the times from `unixNano` on, a microsecond apart. */
  renew(counter: number, unixNano: bigint): void
}

type Value = string | number

interface Item {
  readonly index: number
  readonly trace: number
  readonly parent: number | null
  readonly name: string
  readonly attributes: readonly (readonly [string, Value])[]
}

/** Stand for the request's number until `renew`; those of an item's own id also tell where its times are. */
const OWN = 0xc0ffee11
const OTHER = 0xc0ffee12
const NANOS = 1_700_000_000_000_000_000n
const TRACE_SPANS = 8

/** A request of one person: spans of the GenAI conventions, or suggestions in Belay's own names as log records. */
export function makePayload(args: {
  signal: PayloadSignal
  encoding: Encoding
  items: number
  person: number
}): Payload {
  const resource: [string, Value][] = [
    [ATTR_SERVICE_NAME, "bench-agent"],
    [ATTR_SERVICE_VERSION, "1.4.2"],
    [ATTR_ENDUSER_ID, `person${args.person}@example.com`],
    ["host.arch", "amd64"],
    ["os.type", "linux"],
  ]
  const makeItem = args.signal === "traces" ? makeSpan : makeSuggestion
  const items = Array.from({ length: args.items }, (_, index) => makeItem(index, args.person))
  const write = args.encoding === "protobuf" ? writeProtobuf : writeJson
  const body = write(args.signal, resource, items)
  return args.encoding === "protobuf" ? renewBinary(body, args) : renewText(body, args)
}

function makeSpan(index: number, person: number): Item {
  const place = index % TRACE_SPANS
  const trace = Math.floor(index / TRACE_SPANS)
  const common: [string, Value][] = [
    [ATTR_GEN_AI_PROVIDER_NAME, "anthropic"],
    [ATTR_GEN_AI_CONVERSATION_ID, `conversation-${person}-${trace % 4}`],
    [ATTR_VCS_REPOSITORY_NAME, `example/repository-${person % 12}`],
    ["server.address", "api.example.com"],
    ["server.port", 443],
    ["thread.id", 1],
  ]
  const span = { index, trace, parent: place === 0 ? null : trace * TRACE_SPANS }
  if (place === 0) {
    const own: [string, Value][] = [
      [ATTR_GEN_AI_OPERATION_NAME, "invoke_agent"],
      ["gen_ai.agent.name", "coder"],
    ]
    return { ...span, name: "invoke_agent coder", attributes: [...own, ...common] }
  }
  if (place % 2 === 0) {
    const own: [string, Value][] = [
      [ATTR_GEN_AI_OPERATION_NAME, "execute_tool"],
      [ATTR_GEN_AI_TOOL_NAME, ["read_file", "edit_file", "run_tests"][index % 3] ?? "read_file"],
      [ATTR_GEN_AI_TOOL_CALL_ID, `call_${index}`],
      ["gen_ai.tool.type", "function"],
    ]
    return { ...span, name: "execute_tool", attributes: [...own, ...common] }
  }
  const model = ["claude-opus-4-5", "claude-sonnet-4-5", "gpt-5"][index % 3] ?? "gpt-5"
  const own: [string, Value][] = [
    [ATTR_GEN_AI_OPERATION_NAME, "chat"],
    [ATTR_GEN_AI_REQUEST_MODEL, model],
    [ATTR_GEN_AI_RESPONSE_MODEL, model],
    [ATTR_GEN_AI_RESPONSE_ID, `msg_${person}_${index}`],
    ["gen_ai.request.max_tokens", 4096],
    ["gen_ai.request.temperature", 0.2],
    [ATTR_GEN_AI_USAGE_INPUT_TOKENS, 1200 + index],
    [ATTR_GEN_AI_USAGE_OUTPUT_TOKENS, 80 + index],
    [ATTR_GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS, 700],
    [ATTR_GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK, 0.18 + index / 10_000],
  ]
  return { ...span, name: `chat ${model}`, attributes: [...own, ...common] }
}

function makeSuggestion(index: number, person: number): Item {
  return {
    index,
    trace: index,
    parent: null,
    name: "belay.suggestion",
    attributes: [
      [ATTR_BELAY_SIGNAL_ID, `${hex(OWN)}${hex(index)}`],
      [ATTR_BELAY_OPERATION_ID, `${hex(OTHER)}${hex(index)}`],
      [ATTR_SESSION_ID, `session-${person}`],
      [ATTR_BELAY_AGENT_TOOL, "bench-editor"],
      [ATTR_BELAY_RUNG, "autocomplete"],
      [ATTR_BELAY_SURFACE, "ide"],
      [ATTR_BELAY_OUTCOME, index % 3 === 0 ? "accepted" : "ignored"],
      [ATTR_BELAY_ORIGIN, "human"],
      [ATTR_BELAY_LATENCY_MS, 80 + (index % 200)],
      [ATTR_BELAY_LINES_ADDED, index % 9],
      [ATTR_BELAY_LANGUAGE, index % 2 === 0 ? "typescript" : "python"],
      [ATTR_GEN_AI_REQUEST_MODEL, "codestral-2"],
    ],
  }
}

function hex(value: number): string {
  return value.toString(16).padStart(8, "0")
}

const traceIdOf = (item: Item) => `${hex(7)}${hex(OTHER)}${hex(OTHER)}${hex(item.trace)}`
const spanIdOf = (mark: number, index: number) => `${hex(mark)}${hex(index)}`

// Ids and times stand side by side, in either encoding: `renew` finds the times by the id.

function writeProtobuf(signal: PayloadSignal, resource: Item["attributes"], items: readonly Item[]): Buffer {
  const write = signal === "traces" ? protobufSpan : protobufRecord
  const scope = field(1, field(1, Buffer.from(signal === "traces" ? "bench" : SCOPE_NAME)))
  const scopeGroup = Buffer.concat([scope, ...items.map((item) => field(2, write(item)))])
  const resourceField = field(1, Buffer.concat(resource.map(([key, value]) => field(1, keyValue(key, value)))))
  return field(1, Buffer.concat([resourceField, field(2, scopeGroup)]))
}

function protobufSpan(item: Item): Buffer {
  return Buffer.concat([
    field(1, Buffer.from(traceIdOf(item), "hex")),
    field(2, Buffer.from(spanIdOf(OWN, item.index), "hex")),
    fixed64(7, NANOS),
    fixed64(8, NANOS),
    ...(item.parent === null ? [] : [field(4, Buffer.from(spanIdOf(OTHER, item.parent), "hex"))]),
    field(5, Buffer.from(item.name)),
    ...item.attributes.map(([key, value]) => field(9, keyValue(key, value))),
  ])
}

function protobufRecord(item: Item): Buffer {
  return Buffer.concat([
    field(9, Buffer.from(traceIdOf(item), "hex")),
    field(10, Buffer.from(spanIdOf(OWN, item.index), "hex")),
    fixed64(1, NANOS),
    fixed64(11, NANOS),
    field(12, Buffer.from(item.name)),
    ...item.attributes.map(([key, value]) => field(6, keyValue(key, value))),
  ])
}

function keyValue(key: string, value: Value): Buffer {
  return Buffer.concat([field(1, Buffer.from(key)), field(2, anyValue(value))])
}

function anyValue(value: Value): Buffer {
  if (typeof value === "string") return field(1, Buffer.from(value))
  if (Number.isInteger(value)) return Buffer.concat([varint(3 * 8), varint(value)])
  const double = Buffer.alloc(8)
  double.writeDoubleLE(value)
  return Buffer.concat([varint(4 * 8 + 1), double])
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    bytes.push(rest < 128 ? rest : (rest % 128) | 128)
    if (rest < 128) return Buffer.from(bytes)
  }
}

function field(number: number, content: Buffer): Buffer {
  return Buffer.concat([varint(number * 8 + 2), varint(content.length), content])
}

function fixed64(number: number, value: bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(value)
  return Buffer.concat([varint(number * 8 + 1), bytes])
}

function renewBinary(body: Buffer, args: { signal: PayloadSignal; items: number }): Payload {
  const [own, other] = [placesOf(body, bytesOf(OWN)), placesOf(body, bytesOf(OTHER))]
  const texts = [...placesOf(body, Buffer.from(hex(OWN))), ...placesOf(body, Buffer.from(hex(OTHER)))]
  const lead = args.signal === "traces" ? 250_000_000n : 0n
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
  return {
    body,
    items: args.items,
    renew(counter, unixNano) {
      for (const at of other) view.setUint32(at, counter)
      const digits = Buffer.from(hex(counter))
      for (const at of texts) writeDigits(body, at, digits)
      for (const [index, at] of own.entries()) {
        view.setUint32(at, counter)
        const time = unixNano + BigInt(index) * 1000n
        // After the id's eight bytes and a tag of one byte each.
        view.setBigUint64(at + 9, time - lead, true)
        view.setBigUint64(at + 18, time, true)
      }
    },
  }
}

/** Byte by byte, as a call for a few of them costs the sender more than they do. */
function writeDigits(body: Buffer, start: number, digits: Buffer): void {
  for (let index = 0; index < digits.length; index++) body[start + index] = digits[index] ?? 0
}

function bytesOf(mark: number): Buffer {
  return Buffer.from(hex(mark), "hex")
}

function placesOf(body: Buffer, mark: Buffer): number[] {
  const places: number[] = []
  for (let at = body.indexOf(mark); at !== -1; at = body.indexOf(mark, at + 1)) places.push(at)
  return places
}

function writeJson(signal: PayloadSignal, resource: Item["attributes"], items: readonly Item[]): Buffer {
  const attributesOf = (attributes: Item["attributes"]) =>
    attributes.map(([key, value]) => {
      if (typeof value === "string") return { key, value: { stringValue: value } }
      return { key, value: Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value } }
    })
  const nanos = String(NANOS)
  const common = (item: Item) => ({ traceId: traceIdOf(item), spanId: spanIdOf(OWN, item.index) })
  const spans = items.map((item) => ({
    ...common(item),
    startTimeUnixNano: nanos,
    endTimeUnixNano: nanos,
    parentSpanId: item.parent === null ? "" : spanIdOf(OTHER, item.parent),
    name: item.name,
    kind: 3,
    attributes: attributesOf(item.attributes),
    status: {},
  }))
  const logRecords = items.map((item) => ({
    ...common(item),
    timeUnixNano: nanos,
    observedTimeUnixNano: nanos,
    eventName: item.name,
    attributes: attributesOf(item.attributes),
  }))
  const resourceField = { attributes: attributesOf(resource) }
  return Buffer.from(
    JSON.stringify(
      signal === "traces"
        ? { resourceSpans: [{ resource: resourceField, scopeSpans: [{ scope: { name: "bench" }, spans }] }] }
        : { resourceLogs: [{ resource: resourceField, scopeLogs: [{ scope: { name: SCOPE_NAME }, logRecords }] }] },
    ),
  )
}

function renewText(body: Buffer, args: { items: number }): Payload {
  const ids = [...placesOf(body, Buffer.from(hex(OWN))), ...placesOf(body, Buffer.from(hex(OTHER)))]
  const times = placesOf(body, Buffer.from(String(NANOS)))
  return {
    body,
    items: args.items,
    renew(counter, unixNano) {
      const digits = Buffer.from(hex(counter))
      for (const at of ids) writeDigits(body, at, digits)
      for (const [index, at] of times.entries()) {
        body.write(String(unixNano + BigInt(index >> 1) * 1000n), at, "latin1")
      }
    },
  }
}
