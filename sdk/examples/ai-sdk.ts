import { generateText, isStepCount, jsonSchema, streamText, tool, wrapLanguageModel } from "ai"
import { MockLanguageModelV4, simulateReadableStream } from "ai/test"
import { belayMiddleware, belayTelemetry } from "../ai-sdk.ts"
import { startBelay } from "../index.ts"

/**
 * An agent and a chat with the Vercel AI SDK. In a program of yours the imports are from "@belay/sdk" and
 * "@belay/sdk/ai-sdk", and the models are a provider's: `openai("gpt-5")`.
 *
 *     BELAY_ENDPOINT=http://127.0.0.1:4318 BELAY_INGEST_KEY=blk_… node ai-sdk.ts
 */
const { BELAY_ENDPOINT = "http://127.0.0.1:4318", BELAY_INGEST_KEY = "" } = process.env

const belay = startBelay({
  endpoint: BELAY_ENDPOINT,
  ingestKey: BELAY_INGEST_KEY,
  agent: { name: "ai-sdk-agent", version: "1.0.0" },
  user: "ada@example.com",
  surface: "terminal",
  spool: false,
})

const usage = {
  inputTokens: { total: 900, noCache: 100, cacheRead: 800, cacheWrite: 0 },
  outputTokens: { total: 60, text: 60, reasoning: 0 },
}
const stop = { unified: "stop", raw: "stop" } as const
/** Asks for a tool, then answers. */
const agentModel = new MockLanguageModelV4({
  modelId: "gpt-5",
  provider: "openai",
  doGenerate: [
    {
      content: [{ type: "tool-call", toolCallId: "1", toolName: "run_tests", input: "{}" }],
      finishReason: { unified: "tool-calls", raw: "tool_calls" },
      usage,
      warnings: [],
    },
    { content: [{ type: "text", text: "All tests pass." }], finishReason: stop, usage, warnings: [] },
  ],
})
const chatModel = new MockLanguageModelV4({
  modelId: "gpt-5",
  provider: "openai",
  doStream: {
    stream: simulateReadableStream({
      initialDelayInMs: 20,
      chunks: [
        { type: "text-start", id: "1" },
        { type: "text-delta", id: "1", delta: "Because of the cache." },
        { type: "text-end", id: "1" },
        { type: "finish", finishReason: stop, usage },
      ],
    }),
  },
})

// Agent: telemetry tells the task of each model call and each tool.
const task = belay.agent.task({ mode: "code", workspace: process.cwd() })
await generateText({
  model: agentModel,
  prompt: "Do the tests pass?",
  tools: {
    run_tests: tool({
      inputSchema: jsonSchema<object>({ type: "object" }),
      execute: () => Promise.resolve("42 passed"),
    }),
  },
  stopWhen: isStepCount(5),
  telemetry: { integrations: belayTelemetry(task) },
})
task.finish({ outcome: "accepted", verification: "passed" })

// Chat: the middleware of one turn sees the first token and the end.
const turn = belay.chat.turn({ model: "gpt-5", provider: "openai" })
const model = wrapLanguageModel({
  model: chatModel,
  // The person takes the answer over.
  middleware: belayMiddleware(turn, { onAnswered: (answer) => answer.applied({ lines: 3 }) }),
})
const { textStream } = streamText({ model, prompt: "Why is it slow?" })
for await (const text of textStream) process.stdout.write(text)

await belay.shutdown()
