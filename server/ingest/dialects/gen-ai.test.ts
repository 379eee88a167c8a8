import { expect, test } from "vitest"
import { aRecord, aSpan, logsOf, signalsOf, toSpanId, tracesOf } from "./requests.ts"

const app = { scope: "example", resource: { "service.name": "shop-bot" } }
const copilotCli = { scope: "github.copilot", resource: { "service.name": "github-copilot" } }
const aiSdk = { scope: "ai", resource: { "service.name": "shop-bot" } }

const agent = { "gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "planner" }
const tool = { "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search" }
const chat = { "gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-5" }

test("an agent called by an agent is a task of the operation, which stands on orchestration", () => {
  const spans = [
    aSpan("invoke_agent planner", agent, { id: 1 }),
    aSpan("execute_tool search", tool, { id: 2, parent: 1 }),
    aSpan("invoke_agent worker", { ...agent, "gen_ai.agent.name": "worker" }, { id: 3, parent: 2 }),
  ]
  const [turn, call, task] = signalsOf(tracesOf(app, spans))
  expect(turn).toMatchObject({ kind: "turn", rung: "orchestration" })
  expect(call).toMatchObject({ kind: "tool_call", rung: "orchestration", operationId: turn?.operationId })
  expect(task).toMatchObject({ kind: "task", action: "worker", durationMs: 100, parentOperationId: turn?.operationId })
  expect(task?.operationId).not.toBe(turn?.operationId)
})

test("an agent whose parent is in another batch is a turn of a program, and a task of Copilot", () => {
  const spans = [aSpan("invoke_agent planner", agent, { id: 3, parent: 2 })]
  expect(signalsOf(tracesOf(app, spans))).toMatchObject([{ kind: "turn" }])
  expect(signalsOf(tracesOf(copilotCli, spans))).toMatchObject([{ kind: "task" }])
})

test("spans that are each other's parents are read all the same", () => {
  const spans = [aSpan("invoke_agent a", agent, { id: 1, parent: 2 }), aSpan("step", {}, { id: 2, parent: 1 })]
  expect(signalsOf(tracesOf(app, spans))).toHaveLength(1)
})

test("agents that a person called one by one in one trace are an operation each", () => {
  const spans = [
    aSpan("invoke_agent a", agent, { id: 1 }),
    aSpan("chat gpt-5", chat, { id: 2, parent: 1 }),
    aSpan("invoke_agent b", agent, { id: 3 }),
  ]
  const [first, call, second] = signalsOf(tracesOf(app, spans)).map((signal) => signal.operationId)
  expect(call).toBe(first)
  expect(second).not.toBe(first)
})

test("one span of a trace names the session and the person for all of it", () => {
  const named = { ...agent, "gen_ai.conversation.id": "conv-1", "enduser.pseudo.id": "p-1" }
  const spans = [aSpan("chat gpt-5", chat, { id: 2, parent: 1 }), aSpan("invoke_agent", named, { id: 1 })]
  for (const signal of signalsOf(tracesOf(app, spans))) {
    expect(signal).toMatchObject({ sessionId: "conv-1", identity: { kind: "user", value: "p-1" } })
  }
})

test("older names of the conventions are read", () => {
  const old = {
    "gen_ai.operation.name": "text_completion",
    "gen_ai.system": "openai",
    "gen_ai.request.model": "gpt-4",
    "gen_ai.usage.prompt_tokens": 10,
    "gen_ai.usage.completion_tokens": 2,
  }
  expect(signalsOf(tracesOf(app, [aSpan("text_completion gpt-4", old)]))).toMatchObject([
    { kind: "model_call", provider: "openai", model: "gpt-4", inputTokens: 10, outputTokens: 2 },
  ])
})

test("a failed call has the class of its exception when it says no other", () => {
  const exception = { name: "exception", timeUnixNano: 0n, attributes: new Map([["exception.type", "RateLimitError"]]) }
  const failed = aSpan("chat gpt-5", chat, { statusCode: 2, events: [exception] })
  expect(signalsOf(tracesOf(app, [failed]))).toMatchObject([{ outcome: "failed", error: "RateLimitError" }])
  const typed = aSpan("chat gpt-5", { ...chat, "error.type": "timeout" }, { statusCode: 2, events: [exception] })
  expect(signalsOf(tracesOf(app, [typed]))).toMatchObject([{ outcome: "failed", error: "timeout" }])
})

test("a call's details are a call only outside its span", () => {
  const details = aRecord(
    { "gen_ai.request.model": "gpt-5" },
    { eventName: "gen_ai.client.inference.operation.details" },
  )
  expect(signalsOf(logsOf(app, [details]))).toMatchObject([{ kind: "model_call", model: "gpt-5" }])
  expect(signalsOf(logsOf(app, [{ ...details, spanId: toSpanId(1) }]))).toEqual([])
})

test.each([
  ["relevant", "evaluation:relevant"],
  ["because the user asked for it, twice", "evaluation"],
])("an evaluation with label %j is outcome %s", (label, action) => {
  const evaluation = aRecord({ "gen_ai.evaluation.score.label": label }, { eventName: "gen_ai.evaluation.result" })
  expect(signalsOf(logsOf(app, [evaluation]))).toMatchObject([{ kind: "outcome", outcome: null, action }])
})

test("a service that nobody named is unknown", () => {
  const unnamed = { scope: "example", resource: { "service.name": "unknown_service:node" } }
  expect(signalsOf(tracesOf(unnamed, [aSpan("chat", chat)]))).toMatchObject([{ agentTool: "unknown" }])
})

test("of the AI SDK's spans, requests and tools count, and what sums them up does not", () => {
  const spans = [
    aSpan("ai.generateText", { "ai.usage.inputTokens": 20 }, { id: 1 }),
    aSpan("ai.generateText.doGenerate", { "ai.model.id": "m", "ai.usage.inputTokens": 10 }, { id: 2, parent: 1 }),
    aSpan("ai.toolCall", { "ai.toolCall.name": "lookup" }, { id: 3, parent: 1, statusCode: 2 }),
    aSpan("ai.embed.doEmbed", {}, { id: 4 }),
  ]
  expect(signalsOf(tracesOf(aiSdk, spans))).toMatchObject([
    { kind: "model_call", model: "m", inputTokens: 10, outcome: null },
    { kind: "tool_call", action: "lookup", outcome: "failed", error: "other" },
  ])
})

test("Copilot CLI tells how a session ended on whichever span it ended in", () => {
  const names = ["github.copilot.session.abort", "github.copilot.hook.start"]
  const span = aSpan(
    "session",
    {},
    { events: names.map((name) => ({ name, timeUnixNano: 0n, attributes: new Map() })) },
  )
  expect(signalsOf(tracesOf(copilotCli, [span]))).toMatchObject([
    { kind: "outcome", outcome: "ignored", origin: "dismissed" },
  ])
})
