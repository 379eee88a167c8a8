import { spawnSync } from "node:child_process"
import path from "node:path"
import { JsonLogsSerializer, ProtobufLogsSerializer, ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer"
import { resourceFromAttributes } from "@opentelemetry/resources"
import * as fc from "fast-check"
import { expect, test, vi } from "vitest"
import { type SignalFields, toOtlpJson, toRecord } from "../../signal.ts"
import { decodeProtobuf } from "./decode-protobuf.ts"
import { judge, reportLines } from "./judge.ts"
import { readItems } from "./read-items.ts"

// Processes, of which a busy machine starts few in a second.
vi.setConfig({ testTimeout: 60_000 })

const NOW = Date.UTC(2026, 10, 20, 20)
const SENDER = { serviceName: "bot", enduserId: "ada@example.com" }

function judgeSignals(signals: readonly SignalFields[], change: (json: string) => string = (json) => json) {
  const json = new TextDecoder().decode(
    toOtlpJson(
      SENDER,
      signals.map((fields) => toRecord({ sessionId: "s1", ...fields }, NOW)),
    ),
  )
  return judge(readItems("logs", new TextEncoder().encode(change(json)), "application/json"), NOW)
}

const edit: SignalFields = { kind: "edit", rung: "agent", outcome: "accepted", origin: "human", pathScope: "in_scope" }

test("a signal that is right has no findings, and its rung says what is missing with the fix", () => {
  const { items, rungs, findings } = judgeSignals([edit])
  expect({ items, findings }).toEqual({ items: 1, findings: [] })
  expect(rungs[0]).toEqual({ rung: "autocomplete", signals: 0, measured: [], missing: [] })
  expect(rungs[2]).toMatchObject({ rung: "agent", signals: 1, measured: ["edits", "where edits lie"] })
  expect(rungs[2]?.missing).toContainEqual({ fact: "tools", fix: "call tool() after each" })
})

const attribute = (key: string, value: string) => `"attributes":[{"key":"${key}","value":{"stringValue":"${value}"}},`
/** The first attributes are those of the resource. */
const withAttribute = (key: string, value: string) => (json: string) => {
  const at = json.indexOf('"eventName"')
  return json.slice(0, at) + json.slice(at).replace('"attributes":[', attribute(key, value))
}
const without = (key: string) => (json: string) =>
  json.replace(new RegExp(`\\{"key":"${key}","value":\\{[^}]*\\}\\},?`), "").replaceAll(",]", "]")

test.for([
  ["an unknown kind", (json: string) => json.replace("belay.edit", "belay.edits"), "there is no such kind of signal"],
  ["no rung", without("belay.rung"), "belay.rung is missing"],
  ["no id", without("belay.signal_id"), "belay.signal_id is missing"],
  ["a decision of nobody's", without("belay.origin"), "a decision has no belay.origin"],
  ["an unknown name", withAttribute("belay.speed", "9"), "belay.speed is not Belay's"],
  ["an unknown word", (json: string) => json.replace('"human"', '"robot"'), "belay.origin has no such word"],
  ["a figure in words", withAttribute("belay.wait_ms", "long"), "belay.wait_ms is no number of zero or more"],
  ["a path", withAttribute("belay.action", "/home/ada/plan.md"), "belay.action is no name"],
  ["a sentence", withAttribute("belay.mode", "please do not tell anybody about this"), "belay.mode is no name"],
  ["messages", withAttribute("gen_ai.input.messages", "[]"), "content in gen_ai.input.messages"],
  [
    "a body",
    (json: string) => json.replace('"eventName"', '"body":{"stringValue":"hi"},"eventName"'),
    "the record has a body",
  ],
  ["no service", without("service.name"), "the resource has no service.name"],
  [
    "an old time",
    (json: string) => json.replace(/"timeUnixNano":"\d+"/, '"timeUnixNano":"1600000000000000000"'),
    "the time is over 30 days ago",
  ],
  [
    "a future time",
    (json: string) => json.replace(/"timeUnixNano":"\d+"/, '"timeUnixNano":"1900000000000000000"'),
    "the time is over a day ahead",
  ],
] as const)("%s is an error with a fix", ([, change, problem]) => {
  const errors = judgeSignals([edit], change).findings.filter(({ severity }) => severity === "error")
  expect(errors.map((finding) => finding.problem)).toEqual([problem])
  expect(errors[0]?.fix).not.toBe("")
})

test.for([
  ["a conversation of none", without("session.id"), "session.id is missing"],
  ["a person of none", without("enduser.id"), "the resource has no enduser.id"],
  ["no time", (json: string) => json.replace(/"timeUnixNano":"\d+",/, ""), "there is no time"],
] as const)("%s is a warning", ([, change, problem]) => {
  expect(judgeSignals([edit], change).findings).toMatchObject([{ severity: "warning", problem }])
})

test("operations need an id of theirs; the same finding is told once, with its count", () => {
  const report = judgeSignals([
    { kind: "start", rung: "agent" },
    { kind: "start", rung: "agent" },
  ])
  expect(report.findings).toMatchObject([{ where: "belay.start", problem: "belay.operation_id is missing", count: 2 }])
  expect(reportLines(report).join("\n")).toMatch(
    /error +belay\.start: belay\.operation_id is missing \(2×\)[^]*1 thing is wrong\./,
  )
})

test("a report never repeats content", () => {
  const secret = "the plan of zq7canary7xj"
  const changes = [
    withAttribute(secret, "x"),
    withAttribute("belay.action", `run ${secret} now`),
    withAttribute("prompt", secret),
  ]
  for (const change of changes) {
    expect(JSON.stringify(judgeSignals([edit], change))).not.toContain("zq7canary7xj")
  }
})

const value = fc.oneof(fc.string(), fc.boolean(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer())

test("protobuf of OpenTelemetry's own serializer reads as its JSON does", () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.string({ minLength: 1 }), value),
      fc.string({ minLength: 1 }),
      (attributes, eventName) => {
        const record = {
          hrTime: [1_795_204_800, 5_000_000] as [number, number],
          hrTimeObserved: [1_795_204_801, 0] as [number, number],
          eventName,
          body: "text",
          attributes,
          droppedAttributesCount: 0,
          resource: resourceFromAttributes({ "service.name": "bot" }),
          instrumentationScope: { name: "belay" },
        }
        const protobuf = ProtobufLogsSerializer.serializeRequest([record])
        const json = JsonLogsSerializer.serializeRequest([record])
        if (protobuf === undefined || json === undefined) throw new Error("nothing was serialized")
        const items = readItems("logs", protobuf, "application/x-protobuf")
        expect(items).toEqual(readItems("logs", json, "application/json"))
        expect(items).toMatchObject([{ kind: "log", name: eventName, time: 1_795_204_800_005, scope: "belay" }])
        expect(items[0]?.resource.get("service.name")).toBe("bot")
      },
    ),
  )
})

test("what is no protobuf is refused and nothing else", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        decodeProtobuf("traces", bytes)
      } catch (error) {
        // oxlint-disable-next-line vitest/no-conditional-expect -- both ways are right
        expect(error).toBeInstanceOf(RangeError)
      }
    }),
  )
  expect(ProtobufTraceSerializer.serializeRequest([])).toBeDefined()
})

const CLI = path.join(import.meta.dirname, "../belay-cli.ts")
const EXAMPLE = path.join(import.meta.dirname, "../../examples/four-rungs.ts")

function conformance(args: readonly string[]) {
  const { status, stdout } = spawnSync(process.execPath, [CLI, "conformance", ...args], { encoding: "utf8" })
  return { status, stdout }
}

test("the example uses all four rungs and has nothing wrong or missing", () => {
  const { status, stdout } = conformance(["--json", "--", process.execPath, EXAMPLE])
  const report = JSON.parse(stdout) as ReturnType<typeof judge>
  expect(report.findings).toEqual([])
  expect(report.rungs.map(({ rung, missing }) => ({ rung, missing }))).toEqual(
    ["autocomplete", "chat", "agent", "orchestration"].map((rung) => ({ rung, missing: [] })),
  )
  expect(status).toBe(0)
})

test("a program that sends what Belay would drop ends with 1, and the report says what", () => {
  const program = `fetch(process.env.OTEL_EXPORTER_OTLP_ENDPOINT + "/v1/logs", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ resourceLogs: [{ scopeLogs: [{ logRecords: [{ eventName: "belay.dance" }] }] }] }),
  })`
  const { status, stdout } = conformance(["--", process.execPath, "-e", program])
  expect(status).toBe(1)
  expect(stdout).toContain("error    belay.dance: there is no such kind of signal (1×)")
})
