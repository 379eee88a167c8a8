import { readdirSync, readFileSync } from "node:fs"
import {
  ProtobufLogsSerializer,
  ProtobufMetricsSerializer,
  ProtobufTraceSerializer,
} from "@opentelemetry/otlp-transformer"
import * as fc from "fast-check"
import { expect, test } from "vitest"
import { logsPayload, metricsPayload, plain, tracePayload } from "./arbitraries.ts"
import { decodeProtobuf } from "./protobuf.ts"
import { MalformedOtlp, type OtlpSignal } from "./types.ts"

test("spans that OpenTelemetry's SDK encodes come out as they went in", () => {
  fc.assert(
    fc.property(tracePayload, ({ sdk, expected }) => {
      expect(plain(decodeProtobuf("traces", serialized(ProtobufTraceSerializer.serializeRequest(sdk))))).toEqual(
        expected,
      )
    }),
  )
})

test("log records that OpenTelemetry's SDK encodes come out as they went in", () => {
  fc.assert(
    fc.property(logsPayload, ({ sdk, expected }) => {
      expect(plain(decodeProtobuf("logs", serialized(ProtobufLogsSerializer.serializeRequest(sdk))))).toEqual(expected)
    }),
  )
})

test("metrics that OpenTelemetry's SDK encodes come out as they went in", () => {
  fc.assert(
    fc.property(metricsPayload, ({ sdk, expected }) => {
      expect(plain(decodeProtobuf("metrics", serialized(ProtobufMetricsSerializer.serializeRequest(sdk))))).toEqual(
        expected,
      )
    }),
  )
})

const captured = new URL("../../../test/fixtures/otlp/captured/", import.meta.url)
const bodies: readonly (readonly [string, OtlpSignal])[] = readdirSync(captured)
  .filter((file) => file.endsWith(".pb"))
  .map((file) => [file, file.includes("traces") ? "traces" : file.includes("logs") ? "logs" : "metrics"])

test.each(bodies)("%s cut off at any byte is read or refused, and never fails otherwise", (file, signal) => {
  const body = readFileSync(new URL(file, captured))
  const lengths = Array.from(body.keys())
  expect(lengths.filter((length) => !isReadOrRefused(signal, body.subarray(0, length)))).toEqual([])
})

test.each(bodies)("%s with any byte changed is read or refused, and never fails otherwise", (file, signal) => {
  const body = readFileSync(new URL(file, captured))
  fc.assert(
    fc.property(fc.nat(body.length - 1), fc.nat(255), (at, byte) => {
      const changed = new Uint8Array(body)
      changed[at] = byte
      expect(isReadOrRefused(signal, changed)).toBe(true)
    }),
  )
})

test("random bytes are read or refused, and never fail otherwise", () => {
  const signal = fc.constantFrom<OtlpSignal>("traces", "logs", "metrics")
  fc.assert(
    fc.property(signal, fc.uint8Array({ maxLength: 200 }), (which, body) => {
      expect(isReadOrRefused(which, body)).toBe(true)
    }),
    { numRuns: 1000 },
  )
})

test("an empty body is an empty request", () => {
  expect(decodeProtobuf("traces", new Uint8Array())).toEqual({ signal: "traces", groups: [] })
})

test("values nested past the limit are refused before they exhaust the stack", () => {
  // Each layer is an AnyValue that holds a list of one AnyValue.
  let value = field(1, Buffer.from("deep"))
  for (let depth = 0; depth < 200; depth++) value = field(5, field(1, value))
  const record = field(5, value)
  const body = field(1, field(2, field(2, record)))
  expect(() => decodeProtobuf("logs", body)).toThrow(new MalformedOtlp("values nested deeper than 32"))
})

function serialized(body: Uint8Array | undefined): Uint8Array {
  if (body === undefined) throw new Error("nothing was serialized")
  return body
}

function isReadOrRefused(signal: OtlpSignal, body: Uint8Array): boolean {
  try {
    decodeProtobuf(signal, body)
    return true
  } catch (error) {
    return error instanceof MalformedOtlp
  }
}

/** A length-delimited field. */
function field(number: number, content: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from([number * 8 + 2]), varint(content.length), content])
}

function varint(value: number): Uint8Array {
  return value < 128
    ? Buffer.from([value])
    : Buffer.concat([Buffer.from([(value % 128) + 128]), varint(Math.floor(value / 128))])
}
