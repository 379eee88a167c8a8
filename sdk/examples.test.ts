import { execFile } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { promisify } from "node:util"
import { expect, onTestFinished, test as base, vi } from "vitest"
import { noBelay } from "./index.ts"
import { sealed, startPolicyServer } from "./policy/test-policy-server.ts"
import { startReceiver, type TestReceiver } from "./test-receiver.ts"

/** Each example is run as a program of its own, which sends over HTTP. */
const EXAMPLES = path.join(import.meta.dirname, "examples")
const run = promisify(execFile)
// Processes take their time on a machine that is busy with other tests.
vi.setConfig({ testTimeout: 60_000 })

const test = base
  .extend("receiver", async ({}, { onCleanup }) => {
    const receiver = await startReceiver()
    onCleanup(() => receiver.close())
    return receiver
  })
  .extend("folder", ({}, { onCleanup }) => {
    const folder = mkdtempSync(path.join(tmpdir(), "belay-example-"))
    onCleanup(() => rmSync(folder, { recursive: true, force: true }))
    return folder
  })

function environment(receiver: TestReceiver, more: Record<string, string> = {}) {
  return { ...process.env, BELAY_ENDPOINT: receiver.endpoint, BELAY_INGEST_KEY: "blk_test", ...more }
}

function summarize(receiver: TestReceiver): readonly string[] {
  const facts = ["belay.action", "belay.outcome", "belay.origin", "error.type"] as const
  return receiver.records.map((record) => [record["event"], ...facts.flatMap((name) => record[name] ?? [])].join(" "))
}

test.concurrent("four-rungs uses all rungs", async ({ receiver }) => {
  await run(process.execPath, [path.join(EXAMPLES, "four-rungs.ts")], { env: environment(receiver) })
  const rungs = new Set(receiver.records.map((record) => record["belay.rung"]))
  expect([...rungs]).toEqual(["autocomplete", "chat", "agent", "orchestration"])
  expect(summarize(receiver).at(-1)).toMatch(/^belay\.(outcome|edit)/)
})

test.concurrent("ai-sdk tells an agent's loop and a chat turn", async ({ receiver }) => {
  const { stdout } = await run(process.execPath, [path.join(EXAMPLES, "ai-sdk.ts")], { env: environment(receiver) })
  expect(stdout).toBe("Because of the cache.")
  expect(summarize(receiver)).toEqual([
    "belay.start",
    "belay.model_call",
    "belay.tool_call run_tests",
    "belay.model_call",
    "belay.outcome verification passed",
    "belay.task accepted human",
    "belay.turn",
    "belay.edit accepted human",
  ])
})

test.concurrent("claude-agent-sdk tells what the person was asked and what ran, through the real package", async ({
  receiver,
  folder,
}) => {
  const claudeCode = path.join(folder, "claude-code.mjs")
  writeFileSync(claudeCode, readFileSync(path.join(import.meta.dirname, "fixtures/claude-code.mjs")))
  const child = run(process.execPath, [path.join(EXAMPLES, "claude-agent-sdk.ts")], {
    env: environment(receiver, { CLAUDE_CODE: claudeCode }),
    cwd: folder,
  })
  child.child.stdin?.end("yes\n")
  await child
  expect(summarize(receiver)).toEqual([
    "belay.start",
    "belay.permission git push accepted human",
    "belay.tool_call git push",
    "belay.task",
  ])
  expect(receiver.requests.map(({ text }) => text).join("")).not.toContain("zq7canary7xj")
})

test.concurrent("opencode-plugin is a plugin that starts, and sends when the tool ends", async ({
  receiver,
  folder,
}) => {
  const program = `
    const { Belay, ...others } = await import(${JSON.stringify(path.join(EXAMPLES, "opencode-plugin.ts"))})
    if (Object.keys(others).length > 0) throw new Error("OpenCode takes every export for a plugin")
    const hooks = await Belay({ directory: process.cwd(), worktree: process.cwd() })
    await hooks["chat.message"]({ sessionID: "ses_1", agent: "build" }, { message: { id: "msg_1" }, parts: [] })
    await hooks.event({ event: { type: "session.idle", properties: { sessionID: "ses_1" } } })
    await hooks.dispose()`
  await run(process.execPath, ["--input-type=module", "-e", program], {
    env: environment(receiver, { HOME: folder }),
    cwd: folder,
  })
  expect(summarize(receiver)).toEqual(["belay.session start", "belay.start", "belay.task"])
})

test.concurrent("late-outcome says of the tasks that a commit names what became of them", async ({ receiver }) => {
  const [first, second] = [noBelay.agent.task({ sessionId: "conversation-1" }), noBelay.orchestration.run()]
  const message = `Add zq7canary7xj\n\nBelay-Operation: ${first.token}\nBelay-Operation: ${second.token}\n`
  const child = run(process.execPath, [path.join(EXAMPLES, "late-outcome.ts"), "reverted"], {
    env: environment(receiver),
  })
  child.child.stdin?.end(message)
  await child
  expect(summarize(receiver)).toEqual(["belay.outcome reverted human", "belay.outcome reverted human"])
  expect(receiver.records).toMatchObject([
    { "belay.rung": "agent", "session.id": "conversation-1", "belay.operation_id": first.token.split("~")[2] },
    { "belay.rung": "orchestration", "belay.operation_id": second.token.split("~")[2] },
  ])
})

test.concurrent("existing-otel-host's spans go where they went, and signals to Belay alone", async ({ receiver }) => {
  const host = await startReceiver()
  try {
    await run(process.execPath, [path.join(EXAMPLES, "existing-otel-host.ts")], {
      env: environment(receiver, {
        OTEL_EXPORTER_OTLP_ENDPOINT: host.endpoint,
        OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
        OTEL_TRACES_EXPORTER: "otlp",
        OTEL_LOGS_EXPORTER: "otlp",
        OTEL_METRICS_EXPORTER: "none",
        OTEL_NODE_RESOURCE_DETECTORS: "none",
      }),
    })
    expect(new Set(host.requests.map((request) => request.path))).toEqual(new Set(["/v1/traces"]))
    const spans = host.requests.map(({ text }) => text).join("")
    for (const name of ["POST /assist", "invoke_agent support", "execute_tool orders/refund"]) {
      expect(spans).toContain(`"name":"${name}"`)
    }
    expect(new Set(receiver.requests.map((request) => request.path))).toEqual(new Set(["/v1/logs"]))
    expect(summarize(receiver)).toEqual([
      "belay.start",
      "belay.model_call",
      "belay.tool_call orders/refund",
      "belay.task accepted human",
    ])
  } finally {
    await host.close()
  }
})

test.concurrent("policy obeys what is published, and asks where it says so", async () => {
  const server = await startPolicyServer()
  onTestFinished(() => server.stop())
  const rules = [
    { id: "no-push", effect: "deny", action: "shell", pattern: "git push *" },
    { id: "tests", effect: "ask", action: "shell", pattern: "npm test *" },
  ] as const
  server.publish(sealed(3, "", { document: { schema: "belay.policy/1", permissions: { rules: [...rules] } } }))
  const env = { ...process.env, BELAY_ENDPOINT: server.endpoint, BELAY_INGEST_KEY: "blk_test" }
  const decide = async (command: string, answer: string) => {
    const child = run(process.execPath, [path.join(EXAMPLES, "policy.ts"), ...command.split(" ")], { env })
    child.child.stdin?.end(answer)
    return (await child).stdout.split(" {")[0]
  }
  const asked = [decide("git push origin", ""), decide("npm test", "y\n"), decide("npm test", "n\n"), decide("ls", "")]
  expect(await Promise.all(asked)).toEqual(["not allowed", "allowed", "not allowed", "allowed"])
})
