import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import type { Plugin } from "@opencode-ai/plugin"
import type { Event as OldEvent } from "@opencode-ai/sdk"
import type { Event } from "@opencode-ai/sdk/v2"
import { expect, onTestFinished, test, vi } from "vitest"
import { startBelay } from "./belay.ts"
import { belayPlugin, type OpenCodeHooks } from "./opencode.ts"
import { startReceiver } from "./test-receiver.ts"

const CANARY = "zq7canary7xj"
const RECORDED = path.join(import.meta.dirname, "fixtures/opencode-1.18.33.jsonl")

/** The plugin as OpenCode starts it, and what arrived of it. */
async function openPlugin() {
  const receiver = await startReceiver()
  const directory = mkdtempSync(path.join(tmpdir(), "belay-opencode-"))
  onTestFinished(async () => {
    rmSync(directory, { recursive: true, force: true })
    await receiver.close()
  })
  const { endpoint } = receiver
  const belay = startBelay({ endpoint, ingestKey: "k", agent: { name: "opencode" }, surface: "terminal", spool: false })
  const plugin = belayPlugin(belay)
  const hooks = await plugin({ directory, worktree: "/" })
  return {
    directory,
    hooks,
    told: (event: Event | OldEvent) => hooks.event({ event }),
    prompted: (sessionID: string, messageID = "msg_1", agent = "build") =>
      hooks["chat.message"]({ sessionID, agent }, { message: { id: messageID, role: "user", sessionID }, parts: [] }),
    sent: async () => {
      await hooks.dispose()
      await belay.shutdown()
      return receiver.records
    },
    text: () => receiver.requests.map(({ text }) => text).join(""),
  }
}

/** What a record says, in one line. */
function summarize(record: Record<string, string | number>): string {
  const facts = ["action", "outcome", "origin", "path_scope", "lines_added", "lines_removed", "mode"] as const
  const told = facts.flatMap((name) => record[`belay.${name}`] ?? [])
  return [record["belay.rung"], record["event"], ...told, record["error.type"] ?? ""].join(" ").trim()
}

test("the hooks are those that OpenCode and Kilo call", () => {
  const belay = startBelay({
    endpoint: "http://127.0.0.1:9",
    ingestKey: "k",
    agent: { name: "opencode" },
    spool: false,
  })
  onTestFinished(async () => void (await belay.shutdown({ deadlineMs: 1 })))
  const plugin: Plugin = belayPlugin(belay)
  expect(plugin).toBeTypeOf("function")
})

test("what OpenCode 1.18.33 did with a model that edits, asks, fails, is stopped and undone", async () => {
  vi.useFakeTimers({ toFake: ["performance"] })
  onTestFinished(() => void vi.useRealTimers())
  const { directory, hooks, sent, text } = await openPlugin()
  let now = 0
  for (const line of readFileSync(RECORDED, "utf8").replaceAll("/srv/shop", directory).trim().split("\n")) {
    const { hook, at, event, input, output } = JSON.parse(line) as Record<string, unknown> & {
      hook: string
      at: number
    }
    vi.advanceTimersByTime(at - now)
    now = at
    if (hook === "event") await hooks.event({ event })
    else if (hook in hooks) await hooks[hook as "chat.message"](input, output)
  }
  vi.useRealTimers()
  const records = await sent()
  const of = (kind: string) => records.filter(({ event }) => event === `belay.${kind}`)
  expect(of("permission").map((record) => [record["belay.wait_ms"], summarize(record)])).toEqual([
    [439, "agent belay.permission git push accepted human build"],
    [317, "agent belay.permission ls rejected human build"],
    [444, "agent belay.permission external_directory accepted human build"],
  ])
  // What changed is counted beside the agent's work, and may be known of the second edit first.
  expect(of("edit").map(summarize).toSorted()).toEqual([
    "agent belay.edit in_scope 2 1 build",
    "agent belay.edit in_scope 2 build",
  ])
  expect(of("tool_call").map((record) => [record["belay.duration_ms"], summarize(record)])).toEqual([
    [50, "agent belay.tool_call write build"],
    [49, "agent belay.tool_call edit build"],
    [201, "agent belay.tool_call git push build"],
    [3, "agent belay.tool_call ls build rejected"],
    [14, "agent belay.tool_call read build other"],
    [393, "agent belay.tool_call task build"],
  ])
  expect(of("model_call").map(summarize).slice(-3)).toEqual([
    "agent belay.model_call build",
    "agent belay.model_call build http_400",
    "agent belay.model_call build aborted",
  ])
  // Of an answer that never came there is nothing to count.
  expect(of("model_call").map((record) => record["gen_ai.usage.input_tokens"])).toEqual([
    ...Array.from({ length: 8 }, () => 100),
    undefined,
    undefined,
  ])
  expect(of("model_call")[0]).toMatchObject({
    "gen_ai.request.model": "coder-1",
    "gen_ai.provider.name": "fake",
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.cache_read.input_tokens": 40,
    "gen_ai.usage.output_tokens": 20,
    "belay.latency_ms": 52,
    "belay.duration_ms": 52,
  })
  expect(of("session").map((record) => record["belay.action"])).toEqual(["start", "start", "start", "end"])
  // The person undid the first prompt and all that followed.
  expect(of("outcome").map(summarize)).toEqual([
    "agent belay.outcome interrupt human",
    "agent belay.outcome reverted human",
    "agent belay.outcome reverted human",
  ])
  expect([...of("task"), ...of("run")].map(summarize)).toEqual([
    "agent belay.task 4 1 build",
    "orchestration belay.task general",
    "agent belay.task build",
    "agent belay.task failed unknown build http_400",
    "agent belay.task abandoned human build",
    "orchestration belay.run build",
  ])
  const [handedOn] = records.filter((record) => record["belay.mode"] === "general")
  expect(handedOn?.["belay.parent_operation_id"]).toBe(of("run")[0]?.["belay.operation_id"])
  expect(text()).not.toContain(CANARY)
  expect(text()).not.toContain(directory)
})

test("a rejected edit, a secret, and a question that nobody answers are told as such", async () => {
  const { directory, told, prompted, sent } = await openPlugin()
  await prompted("ses_1")
  const ask = (id: string, callID: string, permission: string) =>
    told({
      id: "evt",
      type: "permission.asked",
      properties: {
        id,
        sessionID: "ses_1",
        permission,
        patterns: [CANARY],
        metadata: { filepath: CANARY },
        always: [],
        tool: { messageID: "msg_2", callID },
      },
    })
  const answer = (requestID: string, reply: "once" | "reject") =>
    told({ id: "evt", type: "permission.replied", properties: { sessionID: "ses_1", requestID, reply } })
  const edited = (callID: string, file: string, error?: string) =>
    told({
      type: "message.part.updated",
      properties: {
        part: {
          id: "prt",
          sessionID: "ses_1",
          messageID: "msg_2",
          type: "tool",
          callID,
          tool: "edit",
          state:
            error === undefined
              ? {
                  status: "completed",
                  input: { filePath: file },
                  output: CANARY,
                  title: CANARY,
                  metadata: { filediff: { file, patch: CANARY, additions: 5, deletions: 1 } },
                  time: { start: 1, end: 2 },
                }
              : { status: "error", input: { filePath: file }, error, time: { start: 1, end: 2 } },
        },
      },
    })
  await ask("per_1", "call_1", "edit")
  await answer("per_1", "reject")
  await edited("call_1", path.join(directory, "a.ts"), "The user rejected permission to use this specific tool call.")
  await ask("per_2", "call_2", "edit")
  await answer("per_2", "once")
  await edited("call_2", path.join(directory, ".env"))
  // Told again, as OpenCode does.
  await edited("call_2", path.join(directory, ".env"))
  await edited("call_3", path.join(tmpdir(), "elsewhere.ts"), "it broke")
  await ask("per_3", "call_4", "webfetch")
  await told({ type: "session.compacted", properties: { sessionID: "ses_1" } })
  await told({ type: "session.idle", properties: { sessionID: "ses_1" } })
  const lines = (await sent()).map(summarize)
  expect(lines.toSorted()).toEqual(
    [
      "agent belay.session start",
      "agent belay.start build",
      "agent belay.permission edit rejected human build",
      "agent belay.tool_call edit build rejected",
      "agent belay.edit rejected human in_scope build",
      "agent belay.permission edit accepted human build",
      "agent belay.tool_call edit build",
      "agent belay.edit accepted human sensitive 5 1 build",
      "agent belay.tool_call edit build other",
      "agent belay.permission webfetch ignored dismissed build",
      "agent belay.context compact build",
      "agent belay.task 5 1 build",
    ].toSorted(),
  )
})

test("older versions' questions, another plugin's answers, and a change of agent are understood", async () => {
  const { hooks, told, prompted, sent } = await openPlugin()
  await prompted("ses_1", "msg_1", "plan")
  const question = {
    id: "per_1",
    type: "bash",
    sessionID: "ses_1",
    messageID: "msg_2",
    title: CANARY,
    metadata: { command: `npm publish ${CANARY}` },
    time: { created: 1 },
  }
  await hooks["permission.ask"](question, { status: "ask" })
  await told({ type: "permission.updated", properties: question })
  const replied = { sessionID: "ses_1", permissionID: "per_1", response: "always" }
  await told({ type: "permission.replied", properties: replied })
  await hooks["permission.ask"](question, { status: "deny" })
  await told({ type: "session.idle", properties: { sessionID: "ses_1" } })
  await prompted("ses_1", "msg_3", "build")
  const lines = (await sent()).map(summarize)
  expect(lines).toEqual([
    "agent belay.session start",
    "agent belay.start plan",
    "agent belay.permission npm publish accepted human plan",
    "agent belay.permission npm publish rejected hook plan",
    "agent belay.task plan",
    "agent belay.start build",
    "agent belay.mode_change human build",
  ])
})

test("a conversation is remembered while it is worked on, however many come after it", async () => {
  const { told, prompted, sent } = await openPlugin()
  await prompted("ses_first")
  for (let at = 0; at < 1100; at++) await hand(at)
  await told({ type: "session.idle", properties: { sessionID: "ses_first" } })
  const records = await sent()
  expect(records.at(-1)).toMatchObject({ event: "belay.task", "session.id": "ses_first" })
  expect(records).toHaveLength(1103)

  function hand(at: number) {
    const info = {
      id: `ses_${at}`,
      projectID: "p",
      directory: "/",
      title: "",
      version: "1",
      time: { created: 1, updated: 1 },
    }
    return told({ type: "session.created", properties: { info } })
  }
})

test("nothing that OpenCode may hand over makes a hook fail", async () => {
  const { hooks, prompted, sent } = await openPlugin()
  const names = ["event", "chat.message", "chat.params", "permission.ask"] as const
  const throwing = new Proxy(
    {},
    {
      get() {
        throw new Error(CANARY)
      },
    },
  )
  await prompted("ses_1")
  for (const value of [undefined, null, "x", 7, [], {}, { event: null }, { sessionID: 3 }, throwing]) {
    for (const name of names) {
      const hook: OpenCodeHooks["permission.ask"] = (input, output) => hooks[name](input as { event: unknown }, output)
      await expect(hook(value, value)).resolves.toBeUndefined()
      await expect(hooks.event({ event: value })).resolves.toBeUndefined()
    }
  }
  expect((await sent()).map(summarize)).toEqual(["agent belay.session start", "agent belay.start build"])
})
