import type {
  LanguageModelV3Middleware,
  LanguageModelV4GenerateResult,
  LanguageModelV4StreamPart,
} from "@ai-sdk/provider"
import {
  APICallError,
  generateText,
  isStepCount,
  jsonSchema,
  type LanguageModelMiddleware,
  streamText,
  type Telemetry,
  tool,
  wrapLanguageModel,
} from "ai"
import { convertArrayToReadableStream, MockLanguageModelV4 } from "ai/test"
import { expect, onTestFinished, test } from "vitest"
import { belayMiddleware, belayTelemetry, belayTools } from "./ai-sdk.ts"
import { startBelay } from "./belay.ts"
import { startReceiver } from "./test-receiver.ts"

const CANARY = "zq7canary7xj"
const usage = {
  inputTokens: { total: 100, noCache: 60, cacheRead: 40, cacheWrite: 0 },
  outputTokens: { total: 20, text: 20, reasoning: 0 },
}
const finished = (unified: "stop" | "tool-calls") => ({ finishReason: { unified, raw: unified }, usage })

const answer: LanguageModelV4GenerateResult = {
  ...finished("stop"),
  content: [{ type: "text", text: CANARY }],
  warnings: [],
}
const asking: LanguageModelV4GenerateResult = {
  ...finished("tool-calls"),
  content: [{ type: "tool-call", toolCallId: "1", toolName: "look_up", input: `{"word":"${CANARY}"}` }],
  warnings: [],
}

const beginning: LanguageModelV4StreamPart[] = [
  { type: "stream-start", warnings: [] },
  { type: "text-start", id: "1" },
  { type: "text-delta", id: "1", delta: CANARY },
]
const whole: LanguageModelV4StreamPart[] = [
  ...beginning,
  { type: "text-end", id: "1" },
  { type: "finish", ...finished("stop") },
]
const broken: LanguageModelV4StreamPart[] = [...beginning, { type: "error", error: new RangeError(CANARY) }]

const streaming = (parts: LanguageModelV4StreamPart[]) =>
  new MockLanguageModelV4({
    provider: "openai.chat",
    modelId: "gpt-5",
    doStream: () => Promise.resolve({ stream: convertArrayToReadableStream(parts) }),
  })
const generating = (doGenerate: LanguageModelV4GenerateResult[] | (() => Promise<LanguageModelV4GenerateResult>)) =>
  new MockLanguageModelV4({ provider: "openai.chat", modelId: "gpt-5", doGenerate })
/** Says the beginning, and goes on until it is aborted. */
const endless = () =>
  new MockLanguageModelV4({
    provider: "openai.chat",
    modelId: "gpt-5",
    doStream: ({ abortSignal }) =>
      Promise.resolve({
        stream: new ReadableStream({
          start(controller) {
            for (const part of beginning) controller.enqueue(part)
            abortSignal?.addEventListener("abort", () => controller.error(new DOMException(CANARY, "AbortError")))
          },
        }),
      }),
  })

const lookUp = (execute: (input: { word: string }) => unknown) => ({
  look_up: tool({ inputSchema: jsonSchema<{ word: string }>({ type: "object" }), execute }),
})

/** Belay over HTTP, and what arrived there: one line for each signal, and the facts of model calls and turns. */
async function open() {
  const receiver = await startReceiver()
  onTestFinished(() => receiver.close())
  const { endpoint } = receiver
  const belay = startBelay({ endpoint, ingestKey: "k", agent: { name: "host" }, spool: false })
  return {
    belay,
    sent: async () => {
      await belay.shutdown()
      const text = receiver.requests.map((request) => request.text).join("")
      expect(text).not.toContain(CANARY)
      return receiver.records
        .filter(({ event }) => event !== "belay.start")
        .map((record) => ({
          told: [record["event"], record["belay.action"], record["error.type"]].filter(Boolean).join(" "),
          model: record["gen_ai.request.model"],
          provider: record["gen_ai.provider.name"],
          tokens: ["input_tokens", "output_tokens", "cache_read.input_tokens"].map(
            (name) => record[`gen_ai.usage.${name}`],
          ),
          latencyMs: record["belay.latency_ms"],
          durationMs: record["belay.duration_ms"],
        }))
    },
  }
}

const CALL = { told: "belay.model_call", model: "gpt-5", provider: "openai.chat", tokens: [100, 20, 40] }
const failed = (error: string) => ({
  ...CALL,
  told: `belay.model_call ${error}`,
  tokens: [undefined, undefined, undefined],
})

test("fits the types of ai 6 and 7", async () => {
  const { belay, sent } = await open()
  const task = belay.agent.task()
  const middleware: LanguageModelMiddleware & LanguageModelV3Middleware = belayMiddleware(task)
  const telemetry: Telemetry = belayTelemetry(task)
  expect([middleware.specificationVersion, typeof telemetry.onError]).toEqual(["v3", "function"])
  expect(await sent()).toEqual([])
})

test("a loop with a tool, by middleware and tools and by telemetry", async () => {
  const { belay, sent } = await open()
  const task = belay.agent.task()
  const settings = { prompt: CANARY, stopWhen: isStepCount(3) }
  const tools = lookUp(({ word }) => Promise.resolve(word))
  const model = wrapLanguageModel({ model: generating([asking, answer]), middleware: belayMiddleware(task) })
  const { text, steps } = await generateText({ ...settings, model, tools: belayTools(task, tools) })
  expect([text, steps[0]?.toolResults[0]?.output]).toEqual([CANARY, CANARY])
  const telemetry = { integrations: belayTelemetry(task) }
  await generateText({ ...settings, model: generating([asking, answer]), tools, telemetry })
  const loop = [CALL, { told: "belay.tool_call look_up", durationMs: expect.any(Number) as number }, CALL]
  expect(await sent()).toMatchObject([...loop, ...loop])
})

test("a stream's time to the first token is within its duration, and the stream is the model's", async () => {
  const { belay, sent } = await open()
  const task = belay.agent.task()
  const model = wrapLanguageModel({ model: streaming(whole), middleware: belayMiddleware(task) })
  expect(await streamText({ model, prompt: CANARY }).text).toBe(CANARY)
  await streamText({ model: streaming(whole), prompt: CANARY, telemetry: { integrations: belayTelemetry(task) } }).text
  const calls = await sent()
  expect(calls).toMatchObject([CALL, CALL])
  for (const { latencyMs, durationMs } of calls) {
    expect(latencyMs).toBeGreaterThan(0)
    expect(durationMs).toBeGreaterThanOrEqual(Number(latencyMs))
  }
})

test("failures, broken streams and aborts are told by their class, and are the host's as they were", async () => {
  const { belay, sent } = await open()
  const task = belay.agent.task()
  const limited = new APICallError({
    message: CANARY,
    url: CANARY,
    requestBodyValues: {},
    statusCode: 429,
    isRetryable: false,
  })
  const wrap = (model: MockLanguageModelV4) => wrapLanguageModel({ model, middleware: belayMiddleware(task) })
  const telemetry = { integrations: belayTelemetry(task) }
  const ways = [
    (model: MockLanguageModelV4) => ({ model: wrap(model), prompt: CANARY }),
    (model: MockLanguageModelV4) => ({ model, prompt: CANARY, telemetry }),
  ]
  for (const way of ways) {
    await expect(generateText(way(generating(() => Promise.reject(limited))))).rejects.toBe(limited)
    const problems: unknown[] = []
    const onError = ({ error }: { error: unknown }) => void problems.push(error)
    await streamText({ ...way(streaming(broken)), onError }).consumeStream()
    expect(problems).toEqual([broken.at(-1)].map((part) => part?.type === "error" && part.error))
    await streamText({ ...way(streaming(beginning)), onError }).consumeStream()
    const abort = new AbortController()
    const aborted = streamText({ ...way(endless()), abortSignal: abort.signal })
    for await (const part of aborted.stream) if (part.type === "text-delta") abort.abort()
  }
  expect(await sent()).toMatchObject([
    failed("http_429"),
    failed("RangeError"),
    failed("incomplete"),
    failed("aborted"),
    failed("http_429"),
    // Telemetry is not told the error of a part.
    failed("other"),
    failed("incomplete"),
    failed("aborted"),
  ])
})

test("a tool's failure is told by its class, whether it throws, rejects or stops giving", async () => {
  const { belay, sent } = await open()
  const task = belay.agent.task()
  const settings = { prompt: CANARY, stopWhen: isStepCount(2) }
  const problem = new TypeError(CANARY)
  async function* giving() {
    yield CANARY
    await Promise.reject(problem)
  }
  const executions = [
    () => {
      throw problem
    },
    () => Promise.reject(problem),
    giving,
  ]
  for (const execute of executions) {
    const tools = belayTools(task, lookUp(execute))
    const { steps } = await generateText({ ...settings, model: generating([asking, answer]), tools })
    expect(steps[0]?.content.at(-1)).toMatchObject({ type: "tool-error", error: problem })
  }
  const telemetry = { integrations: belayTelemetry(task) }
  await generateText({ ...settings, model: generating([asking, answer]), tools: lookUp(giving), telemetry })
  const told = (await sent()).map((signal) => signal.told)
  const failure = "belay.tool_call look_up TypeError"
  expect(told).toEqual([failure, failure, failure, "belay.model_call", failure, "belay.model_call"])
})

test("tools without an execution, and what else they have, are left as they are", async () => {
  const { belay } = await open()
  const provided = { description: "by the provider" }
  const { seen, streamed } = belayTools(belay.agent.task(), {
    seen: provided,
    streamed: {
      description: "bit by bit",
      async *execute(input: number) {
        yield* [input, input + 1]
      },
    },
  })
  expect([seen, streamed.description]).toEqual([provided, "bit by bit"])
  const given: number[] = []
  for await (const part of streamed.execute(1)) given.push(part)
  expect(given).toEqual([1, 2])
})

test("a turn with a tool loop is one answer, from its first token, on which the person decides", async () => {
  const { belay, sent } = await open()
  const middleware = belayMiddleware(belay.chat.turn({ model: "gpt-5", provider: "openai.chat" }), {
    onAnswered: (answered) => answered.applied({ lines: 3 }),
  })
  const parts: LanguageModelV4StreamPart[] = [
    { type: "tool-call", toolCallId: "1", toolName: "look_up", input: "{}" },
    { type: "finish", ...finished("tool-calls") },
  ]
  await streamText({
    model: wrapLanguageModel({ model: streaming(parts), middleware }),
    prompt: CANARY,
  }).consumeStream()
  await streamText({
    model: wrapLanguageModel({ model: streaming(whole), middleware }),
    prompt: CANARY,
  }).consumeStream()
  const [turn, edit] = await sent()
  expect(turn).toMatchObject({ ...CALL, told: "belay.turn", tokens: [200, 40, 80] })
  expect(turn?.latencyMs).toBeLessThan(Number(turn?.durationMs))
  expect(edit?.told).toBe("belay.edit")
})

test("a turn failed when its last try has", async () => {
  const { belay, sent } = await open()
  const busy = (statusCode: number) =>
    new APICallError({ message: CANARY, url: CANARY, requestBodyValues: {}, statusCode, isRetryable: true })
  const flaky = [() => Promise.reject(busy(503)), () => Promise.resolve(answer)]
  const ask = (model: MockLanguageModelV4, maxRetries: number) => {
    const middleware = belayMiddleware(belay.chat.turn(), { maxRetries })
    return generateText({ model: wrapLanguageModel({ model, middleware }), prompt: CANARY, maxRetries })
  }
  const once = { responseHeaders: { "retry-after-ms": "1" } }
  const model = generating(() => {
    const attempt = flaky.shift() ?? (() => Promise.resolve(answer))
    return attempt().catch((error: unknown) => Promise.reject(Object.assign(error as Error, once)))
  })
  await ask(model, 1)
  await expect(
    ask(
      generating(() => Promise.reject(busy(503))),
      0,
    ),
  ).rejects.toThrow(CANARY)
  expect((await sent()).map((signal) => signal.told)).toEqual(["belay.turn", "belay.turn http_503"])
})

test("a Belay that breaks does not break the model or the tool", async () => {
  const explode = () => {
    throw new Error("broken")
  }
  const task = { ...(await open()).belay.agent.task(), model: explode, tool: explode } as never
  const model = wrapLanguageModel({ model: generating([asking, answer]), middleware: belayMiddleware(task) })
  const tools = belayTools(
    task,
    lookUp(({ word }) => word),
  )
  const { text, steps } = await generateText({ model, tools, prompt: CANARY, stopWhen: isStepCount(2) })
  expect([text, steps[0]?.content.at(-1)?.type]).toEqual([CANARY, "tool-result"])
})
