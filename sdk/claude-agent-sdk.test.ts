import type { CanUseTool, HookInput, Options } from "@anthropic-ai/claude-agent-sdk"
import { expect, onTestFinished, test } from "vitest"
import { startBelay } from "./belay.ts"
import { hooksFor, withPermissions } from "./claude-agent-sdk.ts"
import { PAYLOADS } from "./cli/hook/payloads.ts"
import { startReceiver } from "./test-receiver.ts"

const FACTS = [
  "event",
  "belay.action",
  "belay.outcome",
  "belay.origin",
  "belay.lines_added",
  "belay.path_scope",
  "error.type",
  "belay.duration_ms",
]

/** A task over HTTP, and what arrived of it. */
async function openTask() {
  const receiver = await startReceiver()
  onTestFinished(() => receiver.close())
  const { endpoint } = receiver
  const belay = startBelay({ endpoint, ingestKey: "k", agent: { name: "host" }, spool: false })
  return {
    task: belay.agent.task({ workspace: "/srv/project" }),
    sent: async () => {
      await belay.shutdown()
      return receiver.records.map((record) => FACTS.flatMap((name) => record[name] ?? []).join(" "))
    },
    text: () => receiver.requests.map(({ text }) => text).join(""),
  }
}

test("fits the options of the package", async () => {
  const { task, sent } = await openTask()
  const ask: CanUseTool = (toolName) =>
    Promise.resolve(toolName === "Write" ? null : { behavior: "deny", message: "not today" })
  const options: Options = { canUseTool: withPermissions(task, ask), hooks: hooksFor(task) }
  const context = { signal: AbortSignal.timeout(1000), toolUseID: "toolu_01", requestId: "1" }
  expect(await options.canUseTool?.("Read", {}, context)).toEqual({ behavior: "deny", message: "not today" })
  // The host answers another way.
  expect(await options.canUseTool?.("Write", {}, context)).toBeNull()
  const failed: HookInput = {
    hook_event_name: "PostToolUseFailure",
    session_id: "s",
    transcript_path: "/home/dev/zq7canary7xj.jsonl",
    cwd: "/srv/project",
    tool_name: "mcp__github__create_issue",
    tool_input: {},
    tool_use_id: "toolu_01",
    error: "zq7canary7xj",
    duration_ms: 31,
  }
  const callback = options.hooks?.PostToolUseFailure?.[0]?.hooks[0]
  expect(await callback?.(failed, undefined, { signal: context.signal })).toEqual({})
  expect(await sent()).toEqual([
    "belay.start",
    "belay.permission Read rejected human",
    "belay.tool_call github/create_issue other 31",
  ])
})

test("what was asked and answered is told with its origin, and passes through", async () => {
  const { task, sent, text } = await openTask()
  const allowed = { behavior: "allow", updatedInput: { command: "git push" } } as const
  const denied = { behavior: "deny", message: "not today" } as const
  const ask = withPermissions(task, (tool: string) => Promise.resolve(tool === "Bash" ? allowed : denied))
  expect(await ask("Bash", { command: "git push --force zq7canary7xj" }, {})).toBe(allowed)
  expect(await ask("mcp__github__create_issue", { title: "zq7canary7xj is here" }, {})).toBe(denied)
  const byRule = withPermissions(task, () => Promise.resolve(allowed), "rule")
  await byRule("Read", {}, {})
  const aborted = withPermissions(task, () => Promise.reject(new Error("aborted")))
  await expect(aborted("Write", {}, {})).rejects.toThrow("aborted")
  expect(await sent()).toEqual([
    "belay.start",
    "belay.permission git push accepted human",
    "belay.permission github/create_issue rejected human",
    "belay.permission Read accepted rule",
    "belay.permission Write ignored dismissed",
  ])
  expect(text()).not.toContain("zq7canary7xj")
})

test("hooks tell of tools, failures, edits and compaction, and decide nothing", async () => {
  const { task, sent } = await openTask()
  const hooks = hooksFor(task)
  const call = (event: keyof typeof hooks, input: unknown) => hooks[event][0].hooks[0](input)
  const { edited, ranShell } = PAYLOADS["claude-code"]
  expect(await call("PostToolUse", ranShell)).toEqual({})
  await call("PostToolUse", edited)
  await call("PostToolUseFailure", { ...ranShell, error: "it broke", is_interrupt: true })
  await call("PreCompact", { hook_event_name: "PreCompact", trigger: "auto" })
  for (const broken of [null, "x", undefined]) expect(await call("PostToolUse", broken)).toEqual({})
  expect((await sent()).toSorted()).toEqual([
    "belay.context compact",
    "belay.edit 2 in_scope",
    "belay.start",
    "belay.tool_call Edit",
    "belay.tool_call npm test",
    "belay.tool_call npm test interrupted",
  ])
})
