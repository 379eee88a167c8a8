import { expect, test } from "vitest"
import { aRecord, aSpan, logsOf, signalsOf, toSpanId, tracesOf } from "./requests.ts"

const own = { scope: "opencode", resource: { "service.name": "opencode", "service.version": "1.18.0" } }
const ai = { ...own, scope: "ai" }
const TRACE = "0af7651916cd43dd8448eb211c80319c"

function aStream(id: number, fields: object) {
  return aRecord({}, { body: ["stream", JSON.stringify(fields)], traceId: TRACE, spanId: toSpanId(id) })
}

function aLoop(step: number) {
  return aRecord({}, { body: ["loop", `{"session.id":"s","step":${step}}`], traceId: TRACE })
}

/** LLM.run > ai.streamText > doStream, numbered from `id`. */
function aCall(id: number, parent: number, startMs: number) {
  return [
    aSpan("ai.streamText.doStream", { "ai.response.msToFirstChunk": 50 }, { id: id + 2, parent: id + 1, startMs }),
    aSpan("ai.streamText", {}, { id: id + 1, parent: id, startMs }),
    aSpan("LLM.run", {}, { id, parent, startMs }),
  ]
}

test("a retried request is the call that was announced, and its first try a call of its own", () => {
  const spans = [
    aSpan("ai.streamText.doStream", {}, { id: 3, parent: 2, statusCode: 2 }),
    aSpan("ai.streamText.doStream", {}, { id: 4, parent: 2 }),
    aSpan("ai.streamText", {}, { id: 2, parent: 1 }),
  ]
  const [announced] = signalsOf(logsOf(own, [aStream(1, { modelID: "m" })]))
  const calls = signalsOf(tracesOf(own, spans))
  expect(calls.map((call) => call.occurrence?.id ?? null)).toEqual([null, announced?.occurrence?.id])
})

test("a title that Kilo makes belongs to the session that it names", () => {
  const fields = { "session.id": "title-ses_1", small: "true", modelID: "m", agent: "title" }
  expect(signalsOf(logsOf(own, [aStream(1, fields)]))).toMatchObject([{ sessionId: "ses_1", mode: null }])
})

test("a turn waits for its answer, not for its session's title", () => {
  const spans = [
    ...aCall(10, 2, 100),
    aSpan("SessionPrompt.ensureTitle", {}, { id: 2, parent: 1, startMs: 50 }),
    ...aCall(20, 3, 400),
    aSpan("SessionPrompt.loop", {}, { id: 1, startMs: 0, endMs: 5000 }),
  ]
  const turn = signalsOf(tracesOf(own, spans)).find((signal) => signal.kind === "turn")
  expect(turn?.latencyMs).toBe(450)
})

test("a tool's run is counted once, by OpenCode's own span where there is one", () => {
  const tool = aSpan("Tool.execute", { "tool.name": "bash" }, { id: 1 })
  const call = aSpan("ai.toolCall", { "ai.toolCall.name": "bash" }, { id: 2 })
  expect(signalsOf(tracesOf(own, [tool, call]))).toMatchObject([{ kind: "tool_call", action: "bash" }])
  expect(signalsOf(tracesOf(ai, [call]))).toMatchObject([{ kind: "tool_call", action: "bash" }])
})

test("an edit that failed is no edit", () => {
  const span = aSpan("Tool.execute", { "tool.name": "edit" }, { statusCode: 2 })
  expect(signalsOf(tracesOf(own, [span])).map((signal) => signal.kind)).toEqual(["tool_call"])
})

test("only the first step of a loop is a prompt", () => {
  expect(signalsOf(logsOf(own, [0, 1, 2].map(aLoop)))).toMatchObject([{ kind: "start", sessionId: "s" }])
})

test("an announced call names the persona, unless it serves the tool itself", () => {
  const persona = { agent: "architect", mode: "primary", small: "false", modelID: "m", providerID: "p" }
  const records = [
    aStream(1, persona),
    aStream(2, { ...persona, agent: "title", small: "true" }),
    aStream(3, { ...persona, agent: "explore", mode: "subagent" }),
  ]
  const calls = records.flatMap((record) => signalsOf(logsOf(own, [record])))
  expect(calls).toMatchObject([
    { mode: "architect", rung: "chat", model: "m", provider: "p" },
    { mode: null, rung: "chat" },
    { mode: "explore", rung: "orchestration" },
  ])
})

test("an announcement that was cut gives no more than the call", () => {
  const record = aRecord({}, { body: ["stream", '{"modelID":"m'], traceId: TRACE, spanId: toSpanId(1) })
  expect(signalsOf(logsOf(own, [record]))).toMatchObject([{ kind: "model_call", model: null, sessionId: null }])
})

test.each([
  [{ "service.name": "opencode", "service.version": "1.18.0" }, "opencode"],
  [{ "service.name": "opencode", "service.version": "7.7.7" }, "kilo"],
  [{ "service.name": "kilo-code", "service.version": "1.0.0" }, "kilo"],
  [{ "service.name": "opencode" }, "opencode"],
])("%j is %s", (resource, agentTool) => {
  const tool = aSpan("Tool.execute", { "tool.name": "bash" })
  expect(signalsOf(tracesOf({ scope: "opencode", resource }, [tool]))).toMatchObject([{ agentTool }])
})

test("a span of Kilo's own tells that it is Kilo", () => {
  const spans = [aSpan("KiloSessionPrompt.ask"), aSpan("Tool.execute", { "tool.name": "bash" }, { id: 2 })]
  expect(signalsOf(tracesOf(own, spans))).toMatchObject([{ agentTool: "kilo" }])
})

test.each([
  ["cli", "terminal"],
  ["vscode", "ide"],
  ["jetbrains", "ide"],
  ["desktop", null],
])("client %s is surface %s", (client, surface) => {
  const resource = { ...own.resource, "opencode.client": client }
  const tool = aSpan("Tool.execute", { "tool.name": "bash" })
  expect(signalsOf(tracesOf({ ...own, resource }, [tool]))).toMatchObject([{ surface }])
})

test("a user that OpenCode does not know is nobody, not one busy person", () => {
  const call = aSpan("ai.streamText.doStream", { "ai.telemetry.metadata.userId": "unknown" })
  expect(signalsOf(tracesOf(own, [call]))).toMatchObject([{ identity: null }])
})
