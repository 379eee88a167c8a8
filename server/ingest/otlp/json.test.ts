import { readdirSync, readFileSync } from "node:fs"
import {
  JsonLogsSerializer,
  JsonMetricsSerializer,
  JsonTraceSerializer,
  ProtobufLogsSerializer,
  ProtobufMetricsSerializer,
  ProtobufTraceSerializer,
} from "@opentelemetry/otlp-transformer"
import * as fc from "fast-check"
import { expect, test } from "vitest"
import { logsPayload, metricsPayload, plain, tracePayload } from "./arbitraries.ts"
import { decodeJson } from "./json.ts"
import { decodeProtobuf } from "./protobuf.ts"
import { MalformedOtlp, type OtlpRequest, type OtlpSignal } from "./types.ts"

test("spans read the same from JSON and from protobuf", () => {
  fc.assert(
    fc.property(tracePayload, ({ sdk, expected }) => {
      expect(plain(decodeJson("traces", serialized(JsonTraceSerializer.serializeRequest(sdk))))).toEqual(expected)
      expect(plain(decodeProtobuf("traces", serialized(ProtobufTraceSerializer.serializeRequest(sdk))))).toEqual(
        expected,
      )
    }),
  )
})

test("log records read the same from JSON and from protobuf", () => {
  fc.assert(
    fc.property(logsPayload, ({ sdk, expected }) => {
      expect(plain(decodeJson("logs", serialized(JsonLogsSerializer.serializeRequest(sdk))))).toEqual(expected)
      expect(plain(decodeProtobuf("logs", serialized(ProtobufLogsSerializer.serializeRequest(sdk))))).toEqual(expected)
    }),
  )
})

test("metrics read the same from JSON and from protobuf", () => {
  fc.assert(
    fc.property(metricsPayload, ({ sdk, expected }) => {
      expect(plain(decodeJson("metrics", serialized(JsonMetricsSerializer.serializeRequest(sdk))))).toEqual(expected)
      expect(plain(decodeProtobuf("metrics", serialized(ProtobufMetricsSerializer.serializeRequest(sdk))))).toEqual(
        expected,
      )
    }),
  )
})

test.each(["traces", "logs", "metrics"] as const)("an empty object is an empty request of %s", (signal) => {
  expect(decode(signal, {})).toEqual({ signal, groups: [] })
})

test("missing lists, missing scopes and nulls read as empty", () => {
  const request = { resourceSpans: [{ scopeSpans: [{ spans: null }] }, { resource: null, scopeSpans: null }] }
  const scope = { name: "", version: "" }
  expect(plain(decode("traces", request))).toEqual({
    signal: "traces",
    groups: [{ resource: new Map(), scope, items: [] }],
  })
})

test("fields that are not known are ignored", () => {
  const record = { body: { stringValue: "hello", later: 1 }, entityRefs: [{}], timeUnixNano: "5" }
  expect(onlyRecord(record)).toMatchObject({ body: "hello", timeUnixNano: 5n })
})

test("ids are hex in any case and come out in lower case", () => {
  const record = { traceId: "5B8EFFF798038103D269B633813FC60C", spanId: "EEE19B7EC3C1B174" }
  expect(onlyRecord(record)).toMatchObject({
    traceId: "5b8efff798038103d269b633813fc60c",
    spanId: "eee19b7ec3c1b174",
  })
})

test("64-bit integers are text or numbers, and text keeps every digit", () => {
  expect(onlyRecord({ timeUnixNano: "1795204315007000001" })).toMatchObject({ timeUnixNano: 1795204315007000001n })
  expect(onlyRecord({ timeUnixNano: 5000 })).toMatchObject({ timeUnixNano: 5000n })
  expect(onlyRecord({ body: { intValue: "-42" } })).toMatchObject({ body: -42 })
  expect(onlyRecord({ body: { intValue: 42 } })).toMatchObject({ body: 42 })
})

test("values of every kind are read", () => {
  const values = [
    { stringValue: "text" },
    { boolValue: false },
    { doubleValue: 1.5 },
    { doubleValue: "-Infinity" },
    { bytesValue: "aGk=" },
    { kvlistValue: { values: [{ key: "a", value: { intValue: "1" } }] } },
    { arrayValue: {} },
    {},
  ]
  expect(onlyRecord({ body: { arrayValue: { values } } })).toMatchObject({
    body: ["text", false, 1.5, -Infinity, new Uint8Array([104, 105]), new Map([["a", 1]]), [], null],
  })
  expect(onlyRecord({ body: { doubleValue: "NaN" } })).toMatchObject({ body: NaN })
})

test("temporality is read as a number or by its name", () => {
  const dataPoints = [{ asInt: "1" }]
  const metrics = [
    { name: "a", sum: { aggregationTemporality: 1, dataPoints } },
    { name: "b", histogram: { aggregationTemporality: "AGGREGATION_TEMPORALITY_CUMULATIVE", dataPoints: [{}] } },
    { name: "c", gauge: { dataPoints } },
  ]
  const request = decode("metrics", { resourceMetrics: [{ scopeMetrics: [{ metrics }] }] })
  expect(request.groups[0]?.items).toMatchObject([
    { metric: "a", temporality: "delta", value: 1 },
    { metric: "b", temporality: "cumulative", value: null },
    { metric: "c", temporality: "unspecified", value: 1 },
  ])
})

test("a point that records no value has none", () => {
  const metrics = [{ name: "a", gauge: { dataPoints: [{ asDouble: 0, flags: 1 }] } }]
  const request = decode("metrics", { resourceMetrics: [{ scopeMetrics: [{ metrics }] }] })
  expect(request.groups[0]?.items).toMatchObject([{ value: null }])
})

const span = "resourceSpans[0].scopeSpans[0].spans[1]"

test.each([
  [{ startTimeUnixNano: "soon" }, `${span}.startTimeUnixNano: not an integer`],
  [{ startTimeUnixNano: 1.5 }, `${span}.startTimeUnixNano: not an integer`],
  [{ endTimeUnixNano: "-1" }, `${span}.endTimeUnixNano: not an unsigned 64-bit integer`],
  [{ endTimeUnixNano: "18446744073709551616" }, `${span}.endTimeUnixNano: not an unsigned 64-bit integer`],
  [{ traceId: "5b8efff798038103" }, `${span}.traceId: not 32 hex digits`],
  [{ spanId: "EEE19B7EC3C1B17Z" }, `${span}.spanId: not 16 hex digits`],
  [{ parentSpanId: 7 }, `${span}.parentSpanId: not a string`],
  [{ name: ["a"] }, `${span}.name: not a string`],
  [{ attributes: {} }, `${span}.attributes: not a list`],
  [{ attributes: [{ key: "a", value: 1 }] }, `${span}.attributes[0].value: not an object`],
  [{ attributes: [{ key: "a", value: { boolValue: "yes" } }] }, `${span}.attributes[0].value.boolValue: not a boolean`],
  [
    { attributes: [{ key: "a", value: { intValue: 2 ** 70 } }] },
    `${span}.attributes[0].value.intValue: not a 64-bit integer`,
  ],
  [
    { attributes: [{ key: "a", value: { doubleValue: "x" } }] },
    `${span}.attributes[0].value.doubleValue: not a number`,
  ],
  [{ attributes: [{ key: "a", value: { bytesValue: "?" } }] }, `${span}.attributes[0].value.bytesValue: not base64`],
  [{ attributes: [null] }, `${span}.attributes[0]: not an object`],
  [{ status: { code: "BAD" } }, `${span}.status.code: not an integer`],
  [{ events: [{ name: 1 }] }, `${span}.events[0].name: not a string`],
  [
    { attributes: [{ key: "a", value: { arrayValue: { values: [{}, { intValue: "x" }] } } }] },
    `${span}.attributes[0].value.arrayValue.values[1].intValue: not an integer`,
  ],
])("%j is refused by its path", (bad, message) => {
  const request = { resourceSpans: [{ scopeSpans: [{ spans: [{}, bad] }] }] }
  expect(() => decode("traces", request)).toThrow(new MalformedOtlp(message))
})

test.each([
  ["[]", "the body is not a JSON object"],
  ["null", "the body is not a JSON object"],
  ['{"resourceLogs": [', "the body is not valid JSON"],
  ["", "the body is not valid JSON"],
  ['{"resourceLogs": 1}', "resourceLogs: not a list"],
])("the body %s is refused, without being quoted", (body, message) => {
  expect(() => decodeJson("logs", Buffer.from(body))).toThrow(new MalformedOtlp(message))
})

test("a body that is not UTF-8 is refused", () => {
  expect(() => decodeJson("logs", new Uint8Array([0x7b, 0xff, 0x7d]))).toThrow(
    new MalformedOtlp("the body is not valid UTF-8"),
  )
})

test("values nested past the limit are refused, at the limit read", () => {
  const nested = (depth: number): object => (depth === 0 ? {} : { arrayValue: { values: [nested(depth - 1)] } })
  expect(() => onlyRecord({ body: nested(32) })).not.toThrow()
  expect(() => onlyRecord({ body: nested(33) })).toThrow("values nested deeper than 32")
})

const fixtures = new URL("../../../test/fixtures/otlp/captured/", import.meta.url)
const bodies = readdirSync(fixtures).filter((file) => file.endsWith(".json"))

test.each(bodies)("%s cut off anywhere is read or refused, and never fails otherwise", (file) => {
  const body = readFileSync(new URL(file, fixtures))
  const signal = file.includes("traces") ? "traces" : file.includes("logs") ? "logs" : "metrics"
  fc.assert(
    fc.property(fc.nat(body.length), (length) => {
      expect(isReadOrRefused(signal, body.subarray(0, length))).toBe(true)
    }),
  )
})

test("any JSON is read or refused, and never fails otherwise", () => {
  const signal = fc.constantFrom<OtlpSignal>("traces", "logs", "metrics")
  const names = fc.constantFrom("resourceSpans", "scopeSpans", "spans", "attributes", "value", "key", "body", "traceId")
  const json = fc.anything({ key: names, withNullPrototype: false, maxDepth: 6, values: [fc.jsonValue()] })
  fc.assert(
    fc.property(signal, json, (which, value) => {
      const body = Buffer.from(JSON.stringify({ resourceSpans: [value], resourceLogs: value }))
      expect(isReadOrRefused(which, body)).toBe(true)
    }),
  )
})

function decode(signal: OtlpSignal, request: unknown): OtlpRequest {
  return decodeJson(signal, Buffer.from(JSON.stringify(request)))
}

function onlyRecord(record: object) {
  const request = decode("logs", { resourceLogs: [{ scopeLogs: [{ logRecords: [record] }] }] })
  return request.groups[0]?.items[0]
}

function serialized(body: Uint8Array | undefined): Uint8Array {
  if (body === undefined) throw new Error("nothing was serialized")
  return body
}

function isReadOrRefused(signal: OtlpSignal, body: Uint8Array): boolean {
  try {
    decodeJson(signal, body)
    return true
  } catch (error) {
    return error instanceof MalformedOtlp
  }
}
