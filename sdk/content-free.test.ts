import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { context, trace } from "@opentelemetry/api"
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace"
import { expect, onTestFinished, test as base } from "vitest"
import { belayMiddleware, belayTelemetry, belayTools } from "./ai-sdk.ts"
import { hooksFor, withPermissions } from "./claude-agent-sdk.ts"
import { startBelay, type Task, type Turn } from "./index.ts"
import { belayPlugin, type OpenCodeHooks } from "./opencode.ts"
import { startReceiver } from "./test-receiver.ts"

/** What somebody may pass by mistake where a name is asked for. */
const SECRETS = [
  "Please delete the customer table of ACME, canary",
  "const canary = fetch(url);",
  "/home/ada/canary/plans.txt",
  "src/../canary/plans.txt/",
  "C:\\canary\\plans.txt",
  "https://example.com/canary?token=1",
  "canary@example.com",
  "git push --force canary main now please",
  `sk-proj-canary${"a1".repeat(12)}`,
  `ghp_canary${"a1".repeat(12)}`,
  "canary".repeat(14),
  "canary\nsecond line",
  '{"canary":1}',
] as const

const test = base
  .extend("receiver", async ({}, { onCleanup }) => {
    const receiver = await startReceiver()
    onCleanup(() => receiver.close())
    return receiver
  })
  .extend("spans", ({}, { onCleanup }) => {
    const exporter = new InMemorySpanExporter()
    const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] })
    trace.setGlobalTracerProvider(provider)
    onCleanup(() => {
      trace.disable()
      context.disable()
    })
    return exporter
  })

test.for(SECRETS)("%j is never on the wire, wherever it is passed", async (secret, { receiver, spans }) => {
  const folder = mkdtempSync(path.join(tmpdir(), "belay-content-"))
  // Types allow words only; plain JavaScript passes what it likes.
  const word = secret as never
  const belay = startBelay({
    endpoint: receiver.endpoint,
    ingestKey: "blk_test",
    agent: { name: secret, version: secret },
    // Whose signals they are is an address, and meant to be.
    user: secret === "canary@example.com" ? "ada@example.com" : secret,
    surface: word,
    repository: secret,
    spool: { folder },
    onPrompt: () => Promise.resolve(true),
    policy: {
      decide: () => ({ effect: "ask", because: word, ruleId: secret, reason: secret, layer: secret, version: 1 }),
    },
  })
  const late = (of: { merged: (d: object) => void; survived: (s: { at: string; share: number }) => void }) => {
    of.merged({ origin: word })
    of.survived({ at: secret, share: 0.1 })
  }
  const options = { model: secret, provider: secret, language: secret, mode: secret, sessionId: secret }
  belay.autocomplete.suggest(options).shown().accepted().survived({ at: secret, share: 1 })
  belay.autocomplete.suggest(options).failed(secret)
  belay.chat.turn(options).failed(secret)
  belay.chat.turn(options).firstToken().answered().applied()
  const task = belay.agent.task({ ...options, workspace: folder, boundary: { allow: [secret], sensitive: [secret] } })
  task.model({ model: secret, provider: secret, error: secret, durationMs: 1 })
  task.tool(secret, { error: secret })
  task.edit({ path: secret, outcome: word, origin: word })
  task.prompt(secret).allowed(word)
  task.modeChanged(secret, word)
  late(task.finish({ outcome: word, origin: word, verification: word, error: secret }))
  const run = belay.orchestration.run(options)
  run.spawn(options).finish({ outcome: "failed", error: secret })
  run.merge({ origin: word })
  run.finish({ outcome: word })
  const session = belay.session({ id: secret, rung: word, surface: word })
  session.rungChanged(word, word)
  session.surfaceChanged(word)
  belay.session({ id: secret, rung: "agent" }).rungChanged(word, word)
  await belay.policy.check({ action: secret, rung: word, sessionId: secret })
  late(belay.resume(secret))
  late(belay.resume(`blo1~1~${secret}~${secret}`))
  await belay.shutdown()
  rmSync(folder, { recursive: true, force: true })

  expect(receiver.records.length).toBeGreaterThan(25)
  const texts = [...receiver.requests.map(({ text }) => text), ...spans.getFinishedSpans().map(toText)]
  expect(spans.getFinishedSpans().length).toBe(5)
  expect(texts.flatMap((text) => [...(/.{0,80}canary/i.exec(text) ?? [])])).toEqual([])
})

test.for(SECRETS)("%j is never on the wire, wherever an adapter meets it", async (secret, { receiver, spans }) => {
  const folder = mkdtempSync(path.join(tmpdir(), "belay-content-"))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const belay = startBelay({
    endpoint: receiver.endpoint,
    ingestKey: "blk_test",
    agent: { name: "host" },
    spool: { folder: path.join(folder, "spool") },
  })
  const task = belay.agent.task({ workspace: folder })
  await useAiSdk(task, belay.chat.turn(), secret)
  await useClaudeAgentSdk(task, secret)
  await useOpenCode(await belayPlugin(belay)({ directory: folder, worktree: "/" }), secret)
  await belay.shutdown()

  const told = receiver.records.map((record) => record["event"])
  for (const [kind, count] of [
    ["model_call", 5],
    ["tool_call", 7],
    ["permission", 3],
    ["edit", 2],
    ["turn", 1],
    ["session", 1],
    ["mode_change", 1],
  ] as const) {
    expect([kind, told.filter((event) => event === `belay.${kind}`).length]).toEqual([kind, count])
  }
  const texts = [...receiver.requests.map(({ text }) => text), ...spans.getFinishedSpans().map(toText)]
  expect(texts.flatMap((text) => [...(/.{0,80}canary/i.exec(text) ?? [])])).toEqual([])
})

/** Of a failure, all that is said of it. */
function failing(secret: string): Promise<never> {
  const cause = Object.assign(new Error(secret), { name: secret, code: secret, body: secret })
  return Promise.reject(
    Object.assign(new Error(secret, { cause }), { name: secret, url: secret, responseBody: secret }),
  )
}

async function useAiSdk(task: Task, turn: Turn, secret: string): Promise<void> {
  const model = { provider: secret, modelId: secret }
  const usage = { inputTokens: { total: 1, cacheRead: 1 }, outputTokens: { total: 1 }, raw: { secret } }
  const parts = [
    { type: secret },
    { type: "text-delta", delta: secret },
    { type: "finish", usage, finishReason: { unified: "stop" } },
  ]
  const answer = { content: [{ type: "text", text: secret }], usage, finishReason: { unified: secret, raw: secret } }
  const call = {
    model,
    doGenerate: () => Promise.resolve(answer),
    doStream: () => Promise.resolve({ stream: toStream(parts) }),
  }
  for (const middleware of [belayMiddleware(task), belayMiddleware(turn)]) {
    const { stream } = await middleware.wrapStream(call)
    await stream.pipeTo(new WritableStream({ write: (part) => expect(parts).toContain(part) }))
  }
  await belayMiddleware(task).wrapGenerate(call)
  await expect(belayMiddleware(task).wrapGenerate({ ...call, doGenerate: () => failing(secret) })).rejects.toThrow(
    secret,
  )
  const tools = belayTools(task, {
    [secret]: { execute: (word: string) => word },
    failing: { execute: failing },
  })
  expect(tools[secret]?.execute(secret)).toBe(secret)
  await expect(tools["failing"]?.execute(secret)).rejects.toThrow(secret)
  const telemetry = belayTelemetry(task)
  const event = { callId: secret, ...model, messages: [secret] }
  telemetry.onLanguageModelCallStart(event)
  await failing(secret).catch((error: unknown) => telemetry.onError({ callId: secret, error }))
  for (const type of ["tool-result", "tool-error"]) {
    const toolOutput = { type, output: secret, error: { name: secret, message: secret } }
    telemetry.onToolExecutionEnd({ toolCall: { toolName: secret }, toolExecutionMs: 1, toolOutput })
  }
}

function toStream<Part>(parts: readonly Part[]): ReadableStream<Part> {
  return new ReadableStream({
    start(controller) {
      for (const part of parts) controller.enqueue(part)
      controller.close()
    },
  })
}

async function useClaudeAgentSdk(task: Task, secret: string): Promise<void> {
  // A program's name is meant to be told; what it is called with is not.
  const input = { command: `git commit -m '${secret}'`, file_path: secret, old_string: secret, new_string: secret }
  await withPermissions(task, () => Promise.resolve({ behavior: "deny", message: secret }))(secret, input, secret)
  const { PostToolUse, PostToolUseFailure } = hooksFor(task)
  await PostToolUse[0].hooks[0]({
    hook_event_name: "PostToolUse",
    tool_name: "Edit",
    tool_input: { ...input, command: undefined },
    tool_response: { filePath: secret, structuredPatch: [{ lines: [`+${secret}`] }] },
  })
  await PostToolUseFailure[0].hooks[0]({ tool_name: secret, tool_input: input, error: secret })
}

async function useOpenCode(hooks: OpenCodeHooks, secret: string): Promise<void> {
  const ids = { sessionID: secret, messageID: secret, callID: secret }
  const told = (type: string, properties: object) => hooks.event({ event: { type, properties } })
  await hooks["chat.message"]({ ...ids, agent: secret }, { message: { id: secret }, parts: [{ text: secret }] })
  await hooks["chat.params"]({ ...ids, agent: secret, model: { id: secret } })
  await hooks["permission.ask"](
    { ...ids, type: secret, metadata: { command: `git commit -m ${secret}` } },
    { status: "deny" },
  )
  await told("permission.asked", { ...ids, id: secret, permission: secret, patterns: [secret], metadata: { secret } })
  await told("permission.replied", { ...ids, requestID: secret, reply: secret })
  const input = { filePath: secret, content: secret, command: undefined }
  const metadata = { filediff: { file: secret, patch: secret, additions: 1 }, diff: secret }
  const state = { status: "completed", input, metadata, output: secret, title: secret, time: { start: 1, end: 2 } }
  await told("message.part.updated", { part: { ...ids, type: "tool", tool: "edit", state } })
  const error = { name: secret, data: { message: secret } }
  const info = { ...ids, role: "assistant", modelID: secret, providerID: secret, mode: `other ${secret}`, error }
  await told("message.updated", { info: { ...info, id: secret, tokens: { input: 1 }, time: { completed: 1 } } })
  await told("session.error", { ...ids, error })
  await told("session.idle", ids)
}

function toText({ name, attributes }: { name: string; attributes: object }): string {
  return JSON.stringify({ name, attributes })
}
