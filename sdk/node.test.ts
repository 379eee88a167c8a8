import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { context, logs, metrics, propagation, trace } from "@opentelemetry/api"
import { InMemoryLogRecordExporter, LoggerProvider, SimpleLogRecordProcessor } from "@opentelemetry/sdk-logs"
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace"
import { afterEach, expect, test as base } from "vitest"
import { type BelayOptions, startBelay } from "./belay.ts"
import { startBelayWithOpenTelemetry } from "./node.ts"
import { startReceiver } from "./test-receiver.ts"

const test = base
  .extend("receiver", async ({}, { onCleanup }) => {
    const receiver = await startReceiver()
    onCleanup(() => receiver.close())
    return receiver
  })
  .extend("options", ({ receiver }, { onCleanup }): BelayOptions => {
    const folder = mkdtempSync(path.join(tmpdir(), "belay-node-"))
    onCleanup(() => rmSync(folder, { recursive: true, force: true }))
    const agent = { name: "release-bot", version: "1.2.3" }
    return { endpoint: receiver.endpoint, ingestKey: "blk_test", agent, spool: { folder } }
  })

afterEach(() => {
  for (const api of [trace, context, propagation, metrics, logs]) api.disable()
})

const useGenAi = () => trace.getTracer("some-library").startSpan("chat gpt-5").end()
const pathsOf = (requests: readonly { path: string }[]) => requests.map((request) => request.path).toSorted()

test("a host without OpenTelemetry gets one, whose spans go to Belay", async ({ options, receiver }) => {
  const belay = startBelayWithOpenTelemetry(options)
  useGenAi()
  const task = belay.agent.task({ mode: "code" })
  task.tool("bash", { durationMs: 5 })
  task.finish({ outcome: "accepted" })
  await belay.shutdown()
  expect(pathsOf(receiver.requests)).toEqual(["/v1/logs", "/v1/traces"])
  const [traces] = receiver.requests.filter((request) => request.path === "/v1/traces")
  expect(traces?.headers["authorization"]).toBe("Bearer blk_test")
  expect(traces?.text).toContain("chat gpt-5")
  expect(traces?.text).toContain("execute_tool bash")
  expect(traces?.text).toContain("release-bot")
  expect(traces?.text).not.toContain(process.execPath)
  expect(receiver.records.map((record) => record["event"])).toEqual(["belay.start", "belay.tool_call", "belay.task"])
})

test("a host with OpenTelemetry keeps its own: no second provider, no signal twice", async ({ options, receiver }) => {
  const spans = new InMemorySpanExporter()
  const records = new InMemoryLogRecordExporter()
  const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter: spans })] })
  trace.setGlobalTracerProvider(provider)
  logs.setGlobalLoggerProvider(
    new LoggerProvider({ processors: [new SimpleLogRecordProcessor({ exporter: records })] }),
  )
  const belay = startBelayWithOpenTelemetry(options)
  useGenAi()
  const run = belay.orchestration.run({ mode: "plan" })
  const task = run.spawn({ mode: "code" })
  task.model({ model: "gpt-5", provider: "openai", durationMs: 1000, error: "timeout" })
  task.finish({ outcome: "accepted" })
  run.finish({ outcome: "accepted" })
  await belay.shutdown()
  expect(pathsOf(receiver.requests)).toEqual(["/v1/logs"])
  expect(records.getFinishedLogRecords()).toEqual([])
  const finished = spans.getFinishedSpans()
  expect(finished.map((span) => span.name)).toEqual([
    "chat gpt-5",
    "chat gpt-5",
    "invoke_agent code",
    "invoke_agent plan",
  ])
  const [, chat, agent, planner] = finished
  expect(chat?.parentSpanContext?.spanId).toBe(agent?.spanContext().spanId)
  expect(agent?.parentSpanContext?.spanId).toBe(planner?.spanContext().spanId)
  expect(chat?.attributes).toEqual({
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "gpt-5",
    "gen_ai.provider.name": "openai",
    "error.type": "timeout",
  })
  expect(Math.round(chat?.duration[0] ?? 0)).toBe(1)
})

test("a host that asks for it sends the signals itself", async ({ options, receiver }) => {
  const records = new InMemoryLogRecordExporter()
  logs.setGlobalLoggerProvider(
    new LoggerProvider({ processors: [new SimpleLogRecordProcessor({ exporter: records })] }),
  )
  const belay = startBelay({ ...options, logs: "host" })
  belay.chat.turn({ model: "gpt-5" }).answered()
  await belay.shutdown()
  expect(receiver.requests).toEqual([])
  expect(records.getFinishedLogRecords()).toMatchObject([
    {
      eventName: "belay.turn",
      instrumentationScope: { name: "belay" },
      attributes: { "gen_ai.request.model": "gpt-5" },
    },
  ])
})

test("options that make no sense give a Belay that does nothing, and no error", async ({ options }) => {
  const wrong = startBelayWithOpenTelemetry({ ...options, endpoint: "not a URL" })
  wrong.chat.turn().answered()
  expect(await wrong.shutdown()).toEqual({ isComplete: true })
  const nothing = startBelay(undefined as never)
  nothing.agent.task(null as never).edit(null as never)
  nothing.autocomplete.suggest(7 as never).shown()
  expect(nothing.stats().emitted).toBe(0)
})

test("wrong arguments from plain JavaScript are left out, and what is right still counts", async ({
  options,
  receiver,
}) => {
  const belay = startBelay(options)
  const trap = {
    get model(): string {
      throw new Error("not readable")
    },
  }
  const wrong = [undefined, null, 7, "text", [], trap, () => {}] as never[]
  for (const value of wrong) {
    belay.autocomplete.suggest(value).shown().accepted(value)
    belay.chat.turn(value).firstToken().answered(value).applied(value)
    const task = belay.agent.task(value)
    task.model(value)
    task.tool(value, value)
    task.edit(value)
    task.prompt(value).allowed(value)
    task.modeChanged(value, value)
    task.finish(value)
    const run = belay.orchestration.run(value)
    run.spawn(value).finish(value)
    run.merge(value)
    run.finish(value)
    belay.session(value).rungChanged(value, value)
    belay.resume(value).survived(value)
    belay.policy.decide(value)
    await belay.policy.check(value)
  }
  belay.chat.turn({ model: "gpt-5" }).answered()
  await belay.shutdown()
  expect(receiver.records.at(-1)).toMatchObject({ event: "belay.turn", "gen_ai.request.model": "gpt-5" })
})
