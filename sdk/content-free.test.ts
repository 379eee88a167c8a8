import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { context, trace } from "@opentelemetry/api"
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace"
import { expect, test as base } from "vitest"
import { startBelay } from "./index.ts"
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

function toText({ name, attributes }: { name: string; attributes: object }): string {
  return JSON.stringify({ name, attributes })
}
