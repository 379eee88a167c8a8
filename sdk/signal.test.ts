import { expect, test } from "vitest"
import { otlpJsonHead, newId, OTLP_JSON_TAIL, recordToJson, toOtlpJson, toRecord } from "./signal.ts"

const NOW = Date.UTC(2026, 10, 20, 12)

test("a record is named by its kind and says what its fields do", () => {
  const fields = { kind: "edit", rung: "agent", signalId: "s1", outcome: "accepted", origin: "human" } as const
  expect(
    toRecord({ ...fields, linesAdded: 3, latencyMs: 1.5, model: "gpt-5", language: "Visual Basic .NET" }, NOW),
  ).toEqual({
    eventName: "belay.edit",
    timeUnixNano: "1795176000000000000",
    attributes: {
      "belay.signal_id": "s1",
      "belay.rung": "agent",
      "gen_ai.request.model": "gpt-5",
      "belay.language": "Visual Basic .NET",
      "belay.outcome": "accepted",
      "belay.origin": "human",
      "belay.latency_ms": 1.5,
      "belay.lines_added": 3,
    },
  })
})

test.each([
  "please delete the customer table",
  "/home/ada/plans.txt",
  "C:\\secrets",
  "https://example.com/x",
  "ada@example.com",
  "const a = 1;",
  `sk-proj-${"a1".repeat(12)}`,
  `ghp_${"a1".repeat(12)}`,
  "x".repeat(81),
])("%j is no name, whatever it is given as", (secret) => {
  const names = { model: secret, mode: secret, language: secret, action: secret, repository: secret, agentTool: secret }
  const ids = { sessionId: secret, operationId: secret, parentOperationId: secret, signalId: secret, error: secret }
  const { attributes } = toRecord({ kind: "turn", rung: "chat", ...names, ...ids }, NOW)
  expect(JSON.stringify(attributes)).not.toContain(secret)
  expect(attributes["session.id"]).toMatch(/^[0-9a-f]{32}$/)
  expect(attributes["session.id"]).toBe(attributes["belay.operation_id"])
  expect(attributes["error.type"]).toBe("other")
})

test.each([
  "claude-sonnet-4-5-20250929",
  "gpt-5",
  "openai/gpt-5",
  "mcp__github__create_issue",
  "git push",
  "C++",
  "v1.2.3",
])("%s is a name", (name) => {
  expect(toRecord({ kind: "turn", rung: "chat", model: name }, NOW).attributes["gen_ai.request.model"]).toBe(name)
})

test("a figure that is none is left out", () => {
  const { attributes } = toRecord(
    { kind: "turn", rung: "chat", latencyMs: Number.NaN, waitMs: -1, costUsd: Infinity },
    NOW,
  )
  expect(Object.keys(attributes)).toEqual(["belay.signal_id", "belay.rung"])
})

test("a clock that answers nonsense gives a time that the receiver fills in", () => {
  expect([Number.NaN, -5, 1e300].map((now) => toRecord({ kind: "turn", rung: "chat" }, now).timeUnixNano)).toEqual([
    "0",
    "0",
    "0",
  ])
})

test("ids do not repeat", () => {
  expect(new Set(Array.from({ length: 1000 }, newId)).size).toBe(1000)
})

test("a request put together from its parts is the one made at once", () => {
  const resource = { serviceName: 'a "quoted" bot', serviceVersion: "1.0", enduserId: "ada@example.com" }
  const records = [1, 2].map((ms) => toRecord({ kind: "turn", rung: "chat", costUsd: 0.5 }, ms))
  const text = otlpJsonHead(resource) + records.map(recordToJson).join(",") + OTLP_JSON_TAIL
  expect(Buffer.from(toOtlpJson(resource, records)).toString()).toBe(text)
  expect(JSON.parse(text)).toMatchObject({
    resourceLogs: [
      {
        resource: { attributes: [{ value: { stringValue: "unknown" } }, {}, { key: "enduser.id" }] },
        scopeLogs: [
          { scope: { name: "belay" }, logRecords: [{ timeUnixNano: "1000000" }, { eventName: "belay.turn" }] },
        ],
      },
    ],
  })
})
