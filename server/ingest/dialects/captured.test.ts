import { expect, test } from "vitest"
import { normalize } from "../normalize.ts"
import type { Signal } from "../signal.ts"
import { factsOf, listFixtures, mergeOccurrences, normalizeFixture, readFixture, SENT_AT } from "./fixtures.ts"

/**
 * Runs of the real agents: one prompt, two model calls, one tool call that nobody was asked about, and for all but
 * Codex one file written. OpenCode makes a title besides.
 */

const call = { kind: "model_call" }

const runs: Record<string, { from: Partial<Signal>; facts: readonly object[] }> = {
  claude: {
    from: { agentTool: "claude-code", agentVersion: "2.1.197", surface: "terminal" },
    facts: [
      { kind: "permission", action: "Write", outcome: "accepted", origin: "rule", waitMs: 4 },
      { kind: "turn", latencyMs: 142, durationMs: 202 },
      { kind: "start", prompts: 1 },
      { ...call, ...claudeUsage(), durationMs: 26 },
      { kind: "edit", action: "Write", outcome: "accepted", origin: "rule", filesChanged: 1 },
      { kind: "tool_call", action: "Write", durationMs: 9 },
      { ...call, ...claudeUsage(), durationMs: 12 },
    ],
  },
  codex: {
    from: { agentTool: "codex", agentVersion: "0.169.0", surface: "terminal" },
    facts: [
      { kind: "session", model: "gpt-5", provider: "fake" },
      { kind: "start", model: "gpt-5", prompts: 1 },
      { kind: "turn", model: "gpt-5", latencyMs: 76 },
      { ...call, model: "gpt-5", inputTokens: 900, outputTokens: 40, cachedTokens: 100 },
      { kind: "permission", model: "gpt-5", action: "exec_command", outcome: "accepted", origin: "rule" },
      { kind: "tool_call", model: "gpt-5", action: "exec_command", durationMs: 55 },
      { ...call, model: "gpt-5", inputTokens: 900, outputTokens: 40, cachedTokens: 100 },
    ],
  },
  gemini: {
    from: { agentTool: "gemini-cli", agentVersion: null, surface: "terminal" },
    facts: [
      { kind: "session", mode: "yolo", model: "gemini-2.5-pro" },
      { kind: "start", prompts: 1 },
      { ...call, model: "gemini-2.5-pro", durationMs: 83, inputTokens: 1200, outputTokens: 30, cachedTokens: 0 },
      { kind: "tool_call", action: "write_file", durationMs: 11 },
      { kind: "edit", action: "write_file", outcome: "accepted", origin: "mode", filesChanged: 1 },
      { ...call, model: "gemini-2.5-pro", durationMs: 11, inputTokens: 1200, outputTokens: 30, cachedTokens: 0 },
    ],
  },
  qwen: {
    from: { agentTool: "qwen-code", agentVersion: "0.15.10", surface: "terminal" },
    facts: [
      { kind: "session", mode: "yolo", model: "qwen3-coder" },
      { kind: "start", prompts: 1 },
      { ...call, model: "qwen3-coder", durationMs: 23, inputTokens: 800, outputTokens: 20, cachedTokens: 0 },
      { kind: "tool_call", action: "write_file", durationMs: 6 },
      {
        kind: "edit",
        action: "write_file",
        outcome: "accepted",
        origin: "mode",
        linesAdded: 1,
        linesRemoved: 0,
        filesChanged: 1,
      },
      { ...call, model: "qwen3-coder", durationMs: 12, inputTokens: 800, outputTokens: 20, cachedTokens: 0 },
    ],
  },
  opencode: {
    from: { agentTool: "opencode", agentVersion: "1.18.33", surface: "terminal" },
    facts: [
      { ...call, ...openCodeUsage(), latencyMs: 14.177939000000151, durationMs: 21.252 },
      { kind: "start", prompts: 1 },
      { ...call, ...openCodeUsage(), mode: "build", latencyMs: 43.83935600000041, durationMs: 89.65 },
      { ...call, ...openCodeUsage(), mode: "build", latencyMs: 303.5103060000001, durationMs: 357.172 },
      { kind: "tool_call", action: "write", durationMs: 15.827 },
      { kind: "edit", action: "write", outcome: "accepted", origin: "unknown", filesChanged: 1 },
      { kind: "turn", latencyMs: 476.2893560000004, durationMs: 924.07 },
    ],
  },
  kilo: {
    from: { agentTool: "kilo", agentVersion: "7.7.7", surface: "terminal" },
    facts: [
      { kind: "start", prompts: 1 },
      // Without spans of its model calls, their announcements are all there is; the second was cut from the run.
      { ...call, model: "m1", provider: "fake", mode: "code" },
      { kind: "tool_call", action: "write", durationMs: 129.25 },
      { kind: "edit", action: "write", outcome: "accepted", origin: "unknown", filesChanged: 1 },
    ],
  },
}

function claudeUsage() {
  // 700 uncached and 50 cached: the source counts them apart.
  return { model: "claude-opus-4-5", inputTokens: 750, outputTokens: 25, cachedTokens: 50, costUsd: 0.00415 }
}

function openCodeUsage() {
  return { model: "m1", provider: "fake", inputTokens: 800, outputTokens: 20, cachedTokens: 0 }
}

const agents = Object.keys(runs)

function signalsOf(agent: string): readonly Signal[] {
  const files = listFixtures("captured").filter((file) => file.startsWith(`${agent}-`))
  return files.flatMap((file) => normalizeFixture("captured", file).signals)
}

test("every captured file belongs to a run that is expected here", () => {
  const known = listFixtures("captured").map((file) => file.split("-", 1)[0])
  expect(new Set(known)).toEqual(new Set(agents))
})

test.each(agents)("a run of %s gives exactly its calls, decisions and edits", (agent) => {
  expect(factsOf(signalsOf(agent))).toEqual(runs[agent]?.facts)
})

test.each(agents)("every signal of a run of %s names its tool, session and operation", (agent) => {
  const signals = signalsOf(agent)
  const { from } = runs[agent] ?? {}
  for (const signal of signals) expect(signal).toMatchObject(from ?? {})
  expect(new Set(signals.map((signal) => signal.sessionId)).size).toBe(1)
  const operations = new Set(signals.filter((signal) => signal.kind !== "session").map((signal) => signal.operationId))
  expect(operations.size).toBe(1)
  expect(operations).not.toContain(null)
})

test.each(agents)("a re-sent run of %s has the same ids, and no two signals share one", (agent) => {
  const files = listFixtures("captured").filter((file) => file.startsWith(`${agent}-`))
  const idsAt = (now: Date) =>
    files.flatMap((file) => normalize(readFixture("captured", file), now).signals.map((signal) => signal.sourceId))
  const ids = idsAt(SENT_AT.captured)
  expect(idsAt(new Date(SENT_AT.captured.getTime() + 60_000))).toEqual(ids)
  expect(new Set(ids).size).toBe(ids.length)
})

test("a model call that OpenCode announces in its log and sends as a span is one call", () => {
  const calls = signalsOf("opencode").filter((signal) => signal.kind === "model_call")
  expect(calls).toHaveLength(6)
  expect(mergeOccurrences(calls)).toHaveLength(3)
})

test("a permission that Claude Code reports as a record and as a span is one, with the span's wait", () => {
  const permissions = signalsOf("claude").filter((signal) => signal.kind === "permission")
  expect(permissions.map((signal) => signal.occurrence?.evidence)).toEqual(["secondary", "primary"])
  expect(mergeOccurrences(permissions)).toMatchObject([{ outcome: "accepted", origin: "rule", waitMs: 4 }])
})

test("nobody is said to have decided in a run without a person", () => {
  const origins = agents.flatMap(signalsOf).map((signal) => signal.origin)
  expect(origins).not.toContain("human")
})

test("what a run has no signal for is counted by name, and nothing is refused", () => {
  const results = listFixtures("captured").map((file) => normalizeFixture("captured", file))
  expect(results.flatMap((result) => result.rejected)).toEqual([])
  const dialects = new Set(results.flatMap((result) => result.unrecognized.map((item) => item.dialect)))
  expect(dialects).toEqual(new Set(["codex", "opencode"])) // spans of their internals
  expect(results.flatMap((result) => result.unrecognized)).toContainEqual({
    dialect: "opencode",
    signal: "traces",
    name: "sql.execute",
    count: 19,
  })
})
