/**
 * OTLP's protobuf read into what OTLP's JSON would be, as far as a report needs it.
 *
 * No package with the message definitions is small enough to be loaded for this, and those of the server are not part of
 * this one; the wire format is five cases. A test holds it against OpenTelemetry's own serializer.
 */

type Kind = "string" | "hex" | "bytes" | "fixed64" | "int64" | "double" | "bool" | "int" | Message
interface Message {
  readonly [field: number]: readonly [name: string, kind: Kind, isRepeated?: true]
}

const ANY_VALUE: Record<number, readonly [string, Kind, true?]> = {
  1: ["stringValue", "string"],
  2: ["boolValue", "bool"],
  3: ["intValue", "int64"],
  4: ["doubleValue", "double"],
  7: ["bytesValue", "bytes"],
}
const KEY_VALUE: Message = { 1: ["key", "string"], 2: ["value", ANY_VALUE] }
ANY_VALUE[5] = ["arrayValue", { 1: ["values", ANY_VALUE, true] }]
ANY_VALUE[6] = ["kvlistValue", { 1: ["values", KEY_VALUE, true] }]

const RESOURCE: Message = { 1: ["attributes", KEY_VALUE, true] }
const SCOPE: Message = { 1: ["name", "string"], 2: ["version", "string"] }
const LOG_RECORD: Message = {
  1: ["timeUnixNano", "fixed64"],
  5: ["body", ANY_VALUE],
  6: ["attributes", KEY_VALUE, true],
  9: ["traceId", "hex"],
  10: ["spanId", "hex"],
  11: ["observedTimeUnixNano", "fixed64"],
  12: ["eventName", "string"],
}
const SPAN: Message = {
  1: ["traceId", "hex"],
  2: ["spanId", "hex"],
  4: ["parentSpanId", "hex"],
  5: ["name", "string"],
  7: ["startTimeUnixNano", "fixed64"],
  8: ["endTimeUnixNano", "fixed64"],
  9: ["attributes", KEY_VALUE, true],
}
const REQUESTS = {
  logs: {
    1: [
      "resourceLogs",
      {
        1: ["resource", RESOURCE],
        2: ["scopeLogs", { 1: ["scope", SCOPE], 2: ["logRecords", LOG_RECORD, true] }, true],
      },
      true,
    ],
  },
  traces: {
    1: [
      "resourceSpans",
      { 1: ["resource", RESOURCE], 2: ["scopeSpans", { 1: ["scope", SCOPE], 2: ["spans", SPAN, true] }, true] },
      true,
    ],
  },
} as const satisfies Record<string, Message>

/** The request as OTLP's JSON has it. Throws for bytes that are no protobuf. */
export function decodeProtobuf(signal: "logs" | "traces", bytes: Uint8Array): unknown {
  return readMessage(new Reader(bytes), REQUESTS[signal])
}

function readMessage(reader: Reader, message: Message): Record<string, unknown> {
  const fields: Record<string, unknown> = {}
  while (!reader.isAtEnd) {
    const tag = Number(reader.varint())
    const [wire, known] = [tag & 7, message[tag >>> 3]]
    if (known === undefined) {
      reader.skip(wire)
      continue
    }
    const [name, kind, isRepeated] = known
    const value = readValue(reader, kind)
    if (isRepeated === true) fields[name] = [...((fields[name] as unknown[] | undefined) ?? []), value]
    else fields[name] = value
  }
  return fields
}

function readValue(reader: Reader, kind: Kind): unknown {
  switch (kind) {
    case "string":
      return new TextDecoder().decode(reader.bytes())
    case "hex":
      return Buffer.from(reader.bytes()).toString("hex")
    case "bytes":
      return Buffer.from(reader.bytes()).toString("base64")
    case "fixed64":
      return reader.fixed64().toString()
    case "int64":
      return BigInt.asIntN(64, reader.varint()).toString()
    case "int":
      return Number(reader.varint())
    case "bool":
      return reader.varint() !== 0n
    case "double":
      return reader.double()
    default:
      return readMessage(new Reader(reader.bytes()), kind)
  }
}

class Reader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length
  }

  varint(): bigint {
    let value = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#view.getUint8(this.#at++)
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
    throw new RangeError("a number does not end")
  }

  bytes(): Uint8Array {
    return this.#take(Number(this.varint()))
  }

  fixed64(): bigint {
    const value = this.#view.getBigUint64(this.#at, true)
    this.#at += 8
    return value
  }

  double(): number {
    const value = this.#view.getFloat64(this.#at, true)
    this.#at += 8
    return value
  }

  skip(wire: number): void {
    if (wire === 0) this.varint()
    else if (wire === 1) this.#take(8)
    else if (wire === 2) this.bytes()
    else if (wire === 5) this.#take(4)
    else throw new RangeError(`there is no wire type ${wire}`)
  }

  #take(length: number): Uint8Array {
    const end = this.#at + length
    if (end > this.#bytes.length) throw new RangeError("the message is cut off")
    const taken = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return taken
  }
}
