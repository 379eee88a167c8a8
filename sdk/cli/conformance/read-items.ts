import { decodeProtobuf } from "./decode-protobuf.ts"

/** A log record or a span, in what a report needs of it. */
export interface Item {
  readonly kind: "log" | "span"
  /** Of an event, or of a span. */
  readonly name: string
  /** Whether a log record has text of its own. */
  readonly hasBody: boolean
  /** Milliseconds since the epoch; null without a time. */
  readonly time: number | null
  readonly scope: string
  readonly resource: Attributes
  readonly attributes: Attributes
}

/** Values that are neither text, number nor boolean are kept as `null`. */
export type Attributes = ReadonlyMap<string, string | number | boolean | null>

/** The items of an OTLP request. Throws for a body that is none. */
export function readItems(signal: "logs" | "traces", body: Uint8Array, contentType: string): readonly Item[] {
  const isJson = contentType.startsWith("application/json")
  const request = isJson ? (JSON.parse(new TextDecoder().decode(body)) as unknown) : decodeProtobuf(signal, body)
  const isLogs = signal === "logs"
  return listOf(request, isLogs ? "resourceLogs" : "resourceSpans").flatMap((group) => {
    const resource = attributesOf(fieldOf(group, "resource"))
    return listOf(group, isLogs ? "scopeLogs" : "scopeSpans").flatMap((scoped) => {
      const scope = textOf(fieldOf(scoped, "scope"), "name")
      return listOf(scoped, isLogs ? "logRecords" : "spans").map((item) => {
        const attributes = attributesOf(item)
        const eventName = textOf(item, "eventName") || String(attributes.get("event.name") ?? "")
        const ended = fieldOf(item, "endTimeUnixNano")
        const told = fieldOf(item, "timeUnixNano") ?? fieldOf(item, "observedTimeUnixNano")
        return {
          kind: isLogs ? "log" : "span",
          name: isLogs ? eventName : textOf(item, "name"),
          hasBody: isLogs && fieldOf(item, "body") !== undefined,
          time: toMs(isLogs ? told : ended),
          scope,
          resource,
          attributes,
        }
      })
    })
  })
}

function fieldOf(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined
}

function listOf(value: unknown, key: string): readonly unknown[] {
  const list = fieldOf(value, key)
  return Array.isArray(list) ? list : []
}

function textOf(value: unknown, key: string): string {
  const text = fieldOf(value, key)
  return typeof text === "string" ? text : ""
}

function attributesOf(holder: unknown): Attributes {
  return new Map(listOf(holder, "attributes").map((pair) => [textOf(pair, "key"), toScalar(fieldOf(pair, "value"))]))
}

function toScalar(value: unknown): string | number | boolean | null {
  const [text, flag, double] = ["stringValue", "boolValue", "doubleValue"].map((key) => fieldOf(value, key))
  if (typeof text === "string" || typeof text === "boolean") return text
  if (typeof flag === "boolean") return flag
  if (typeof double === "number") return double
  const integer = fieldOf(value, "intValue")
  return typeof integer === "string" || typeof integer === "number" ? Number(integer) : null
}

function toMs(nanos: unknown): number | null {
  const text = typeof nanos === "number" ? String(nanos) : nanos
  if (typeof text !== "string" || !/^\d+$/.test(text) || /^0*$/.test(text)) return null
  return Number(BigInt(text) / 1_000_000n)
}
