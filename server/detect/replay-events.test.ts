import { expect, test } from "vitest"
import { toSignal } from "../ingest/signal.ts"
import { parseEvent, toChange, toReplayedSignal, zoneOf } from "./replay-events.ts"
import { createOffsets } from "./time-zone.ts"

const AT = 1_772_411_147_348
const work = {
  id: "e1",
  ts: AT,
  rx: AT + 5000,
  org: "org-1",
  team: "t1",
  dev: "d03",
  client: "agent-cli",
  client_version: "agent-cli@2.3.1",
  model: "forge-2.0",
  lang: "ts",
}
const known = {
  observedUnixNano: BigInt(AT) * 1_000_000n,
  sourceId: "e1",
  agentTool: "agent-cli",
  agentVersion: "2.3.1",
  identity: { kind: "user", value: "d03" },
  model: "forge-2.0",
  language: "ts",
} as const
const task = { ...work, level: "agent", task: "k5" }

test.each([
  [
    { ...work, level: "autocomplete", type: "suggestion", latency_ms: 57, outcome: "rejected" },
    {
      kind: "suggestion",
      rung: "autocomplete",
      operationId: "e1",
      latencyMs: 57,
      outcome: "rejected",
      origin: "human",
    },
  ],
  [
    { ...work, level: "chat", type: "chat_answer", latency_ms: 900, ctx_files: 9, outcome: "copied" },
    {
      kind: "turn",
      rung: "chat",
      operationId: "e1",
      latencyMs: 900,
      contextFiles: 9,
      outcome: "accepted",
      origin: "human",
    },
  ],
  [
    { ...task, type: "task_start", ctx_files: 19, parallel: 3 },
    { kind: "start", contextFiles: 19 },
  ],
  [
    { ...task, type: "edit", tool: "apply_patch", wrong_path: true },
    { kind: "edit", action: "apply_patch", pathScope: "out_of_scope" },
  ],
  [
    { ...task, type: "edit", tool: "apply_patch", wrong_path: false },
    { kind: "edit", action: "apply_patch", pathScope: "in_scope" },
  ],
  [
    { ...task, type: "permission", tool: "run_shell", decision: "deny", wait_ms: 70 },
    { kind: "permission", action: "run_shell", waitMs: 70, outcome: "rejected", origin: "human" },
  ],
  [
    { ...task, type: "permission", tool: "run_shell", decision: "timeout", wait_ms: 70 },
    { kind: "permission", action: "run_shell", waitMs: 70, outcome: "ignored", origin: "timeout" },
  ],
  [
    { ...task, type: "error", tool: "model_api" },
    { kind: "tool_call", action: "model_api", error: "other" },
  ],
  [
    { ...task, type: "task_end", status: "failed", duration_ms: 5, latency_ms: 3, tool_calls: 4 },
    { kind: "task", durationMs: 5, latencyMs: 3, toolCalls: 4, outcome: "failed" },
  ],
  [
    {
      ...task,
      level: "orchestration",
      type: "task_end",
      status: "cancelled",
      duration_ms: 5,
      latency_ms: 3,
      tool_calls: 4,
    },
    {
      kind: "run",
      rung: "orchestration",
      durationMs: 5,
      latencyMs: 3,
      toolCalls: 4,
      action: "interrupt",
      origin: "human",
    },
  ],
  [
    { ...task, type: "task_outcome", task_ts: AT, outcome: "reverted" },
    { kind: "outcome", outcome: "reverted" },
  ],
] as const)("%j is what a tool reports", (event, fields) => {
  const parsed = parseEvent(JSON.stringify(event))
  if (parsed.type === "change") throw new Error("not a signal")
  expect(toReplayedSignal(parsed)).toEqual(toSignal({ ...known, rung: "agent", operationId: "k5", ...fields }))
})

test("a presence feed says for how long", () => {
  const parsed = parseEvent(
    JSON.stringify({ id: "e1", ts: AT, rx: AT, team: "t1", dev: "d03", type: "presence", active_min: 14 }),
  )
  if (parsed.type !== "presence") throw new Error("not presence")
  expect(toReplayedSignal(parsed)).toMatchObject({ kind: "presence", operationId: null, durationMs: 840_000 })
})

test.each([
  ["client_version", "agent-cli@2.3.1", { kind: "agent_version", subject: "agent-cli 2.3.1" }],
  ["infra", "index-rebuild", { kind: "infra", subject: "index-rebuild" }],
])("a change of %s is named as the way in names it", (what, value, change) => {
  const parsed = parseEvent(JSON.stringify({ id: "e1", ts: AT, rx: AT, type: "change", what, value }))
  if (parsed.type !== "change") throw new Error("not a change")
  expect(toChange(parsed)).toEqual(change)
})

test.each([0, 5, -3, 5.5, -2.5, 13, -11])("a zone %d hours from UTC is that all year", (hours) => {
  const offsets = createOffsets(zoneOf(hours))
  expect([offsets(AT), offsets(AT + 180 * 86_400_000)]).toEqual([hours * 60, hours * 60])
})
