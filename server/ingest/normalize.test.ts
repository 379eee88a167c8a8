import { expect, test } from "vitest"
import { aPoint, aRecord, aSpan, logsOf, metricsOf, NOW, toSpanId, tracesOf } from "./dialects/requests.ts"
import { normalize } from "./normalize.ts"

const origin = { scope: "example", resource: { "service.name": "shop-bot" } }
const claude = { scope: "com.anthropic.claude_code.events", resource: { "service.name": "claude-code" } }
const DAY_MS = 24 * 60 * 60 * 1000
const chat = { "gen_ai.operation.name": "chat" }

test.each([
  ["at the limit of the past", -30 * DAY_MS, []],
  ["before the limit of the past", -30 * DAY_MS - 1, [{ reason: "time_out_of_range", count: 1 }]],
  ["at the limit of the future", DAY_MS, []],
  ["after the limit of the future", DAY_MS + 1, [{ reason: "time_out_of_range", count: 1 }]],
])("an item %s is judged by its own time", (_, atMs, rejected) => {
  const nanos = BigInt(NOW.getTime() + atMs) * 1_000_000n
  const span = aSpan("chat", chat, { startUnixNano: 0n, endUnixNano: nanos })
  const record = aRecord({ "event.name": "user_prompt" }, { atMs })
  const point = aPoint("claude_code.active_time.total", { type: "user" }, { timeUnixNano: nanos })
  for (const request of [tracesOf(origin, [span]), logsOf(claude, [record]), metricsOf(claude, [point])]) {
    const result = normalize(request, NOW)
    expect(result.rejected).toEqual(rejected)
    expect(result.signals.map((signal) => signal.observedUnixNano)).toEqual(rejected.length === 0 ? [nanos] : [])
  }
})

test("the rest of a batch is kept when some of it is refused, and each reason is counted", () => {
  const tooMany = Object.fromEntries(Array.from({ length: 513 }, (_, index) => [`key.${index}`, index]))
  const spans = [
    aSpan("chat", chat, { id: 1 }),
    aSpan("chat", chat, { traceId: "" }),
    aSpan("chat", chat, { traceId: "0".repeat(32) }),
    aSpan("chat", chat, { spanId: toSpanId(0) }),
    aSpan("chat", tooMany, { id: 2 }),
    aSpan("never seen", {}, { endUnixNano: 0n }),
  ]
  const result = normalize(tracesOf(origin, spans), NOW)
  expect(result.signals).toHaveLength(1)
  expect(result.unrecognized).toEqual([])
  expect(result.rejected).toEqual([
    { reason: "bad_id", count: 3 },
    { reason: "too_many_attributes", count: 1 },
    { reason: "time_out_of_range", count: 1 },
  ])
})

test("512 attributes are not too many", () => {
  const attributes = Object.fromEntries(Array.from({ length: 512 }, (_, index) => [`key.${index}`, index]))
  expect(normalize(tracesOf(origin, [aSpan("chat", attributes)]), NOW).rejected).toEqual([])
})

test("the time of a record is its own, else when it was observed, else when it came", () => {
  const own = aRecord({ "event.name": "user_prompt" }, { atMs: -1000 })
  const observed = { ...own, timeUnixNano: 0n, observedUnixNano: own.timeUnixNano + 1n }
  const neither = { ...own, timeUnixNano: 0n }
  const times = normalize(logsOf(claude, [own, observed, neither]), NOW).signals.map((item) => item.observedUnixNano)
  expect(times).toEqual([own.timeUnixNano, observed.observedUnixNano, BigInt(NOW.getTime()) * 1_000_000n])
})

test("a data point without a time counts when it came", () => {
  const point = aPoint("claude_code.active_time.total", { type: "user" }, { timeUnixNano: 0n })
  expect(normalize(metricsOf(claude, [point]), NOW).signals).toMatchObject([
    { observedUnixNano: BigInt(NOW.getTime()) * 1_000_000n },
  ])
})

test("names that are not known are counted once per dialect and name, over all groups", () => {
  const items = [aSpan("GET /orders/7"), aSpan("GET /orders/8"), aSpan("café")]
  const group = { resource: new Map(), scope: { name: "example", version: "" }, items }
  expect(normalize({ signal: "traces", groups: [group, group] }, NOW).unrecognized).toEqual([
    { dialect: "gen-ai", signal: "traces", name: "GET", count: 4 },
    { dialect: "gen-ai", signal: "traces", name: "(unnamable)", count: 2 },
  ])
})

test("an empty request gives nothing", () => {
  const nothing = { signals: [], unrecognized: [], rejected: [] }
  expect(normalize({ signal: "logs", groups: [] }, NOW)).toEqual(nothing)
})

test("with one tool's key only that tool's items are kept, and of the others each is counted once", () => {
  const own = { scope: "belay", resource: { "service.name": "Release-Bot" } }
  const record = (id: string, tool?: string) =>
    aRecord(
      {
        "belay.signal_id": id,
        "belay.rung": "agent",
        "belay.outcome": "accepted",
        "belay.origin": "human",
        ...(tool !== undefined && { "belay.agent_tool": tool }),
      },
      { eventName: "belay.edit" },
    )
  const mixed = logsOf(own, [record("1"), record("2", "codex"), record("3", "release-bot")])
  const onlyBot = normalize(mixed, NOW, "release-bot")
  expect(onlyBot.signals.map((signal) => signal.sourceId)).toEqual(["belay:1", "belay:3"])
  expect(onlyBot.rejected).toEqual([{ reason: "other_tool", count: 1 }])

  const foreign = normalize(mixed, NOW, "claude-code")
  expect([foreign.signals, foreign.rejected]).toEqual([[], [{ reason: "other_tool", count: 3 }]])
  expect(normalize(mixed, NOW).signals).toHaveLength(3)
  const nothing = normalize(logsOf(claude, [aRecord({ "event.name": "never_seen" })]), NOW, "codex")
  expect([nothing.rejected, nothing.unrecognized.length]).toEqual([[], 1])
})
