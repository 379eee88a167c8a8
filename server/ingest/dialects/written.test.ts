import { branchDigest } from "#server/outcomes/events.ts"
import { expect, test } from "vitest"
import type { SignalKind } from "#sdk/ladder.ts"
import { factsOf, listFixtures, normalizeFixture } from "./fixtures.ts"

/** What each written request says, in the order in which it says it. */
const facts: Record<string, readonly object[]> = {
  // The second call has no request id that its event could share, so only the event may count it.
  "claude-agent-sdk.traces.json": [
    { kind: "turn", latencyMs: 654, durationMs: 45000 },
    {
      kind: "model_call",
      model: "claude-sonnet-4-5-20250929",
      provider: "anthropic",
      latencyMs: 641,
      durationMs: 2087,
      inputTokens: 16172,
      outputTokens: 214,
      cachedTokens: 15040,
    },
    { kind: "permission", outcome: "rejected", origin: "human", waitMs: 6880, action: "Edit" },
  ],
  "claude-code.logs.json": [
    { kind: "start", prompts: 1 },
    {
      kind: "model_call",
      model: "claude-sonnet-4-5-20250929",
      durationMs: 2087,
      inputTokens: 16172,
      outputTokens: 214,
      cachedTokens: 15040,
      costUsd: 0.011934,
    },
    { kind: "permission", outcome: "rejected", origin: "human", action: "Edit" },
    { kind: "edit", outcome: "rejected", origin: "human", action: "Edit" },
    { kind: "permission", outcome: "accepted", origin: "rule", action: "Bash" },
    { kind: "tool_call", durationMs: 481, action: "git status" },
    { kind: "model_call", model: "claude-sonnet-4-5-20250929", outcome: "failed", durationMs: 900, error: "http_529" },
    { kind: "mode_change", mode: "acceptEdits", origin: "human" },
    {
      kind: "task",
      model: "claude-haiku-4-5-20251001",
      latencyMs: 27114,
      durationMs: 27114,
      toolCalls: 11,
      action: "Explore",
    },
  ],
  // Sums of what the events say give nothing.
  "claude-code.metrics.json": [
    { kind: "outcome", action: "commit" },
    { kind: "outcome", action: "pull_request" },
    { kind: "presence", durationMs: 18400 },
  ],
  "claude-code.traces.json": [
    { kind: "turn", latencyMs: 654, durationMs: 45000 },
    {
      kind: "model_call",
      model: "claude-sonnet-4-5-20250929",
      provider: "anthropic",
      latencyMs: 641,
      durationMs: 2087,
      inputTokens: 16172,
      outputTokens: 214,
      cachedTokens: 15040,
    },
    { kind: "permission", outcome: "rejected", origin: "human", waitMs: 6880, action: "Edit" },
  ],
  "cline.logs.json": [
    { kind: "outcome", action: "feedback:thumbs_down" },
    { kind: "tool_call", action: "github/list_issues" },
    { kind: "model_call", model: "claude-sonnet-4-5", provider: "anthropic", outcome: "failed", error: "http_529" },
    {
      kind: "edit",
      model: "claude-sonnet-4-5",
      provider: "anthropic",
      outcome: "accepted",
      origin: "human",
      linesAdded: 14,
      linesRemoved: 2,
      action: "replace_in_file",
    },
    {
      kind: "edit",
      model: "claude-sonnet-4-5",
      provider: "anthropic",
      outcome: "rejected",
      origin: "human",
      linesAdded: 40,
      linesRemoved: 0,
      action: "write_to_file",
    },
    {
      kind: "model_call",
      model: "claude-sonnet-4-5",
      provider: "anthropic",
      inputTokens: 12100,
      outputTokens: 210,
      cachedTokens: 9000,
      costUsd: 0.0121,
    },
    { kind: "tool_call", model: "claude-sonnet-4-5", provider: "anthropic", action: "editor" },
    { kind: "task", latencyMs: 9000, durationMs: 9000 },
  ],
  "cline.metrics.json": [],
  "codex.logs.json": [
    { kind: "session", model: "gpt-5-codex", provider: "OpenAI" },
    { kind: "start", model: "gpt-5-codex", prompts: 1 },
    {
      kind: "model_call",
      model: "gpt-5-codex",
      latencyMs: 910,
      durationMs: 3921,
      inputTokens: 18233,
      outputTokens: 402,
      cachedTokens: 16000,
    },
    { kind: "context", model: "gpt-5-codex", costUsd: 0.0213, action: "turn_cost" },
    { kind: "permission", model: "gpt-5-codex", outcome: "accepted", origin: "human", action: "shell" },
    { kind: "tool_call", model: "gpt-5-codex", durationMs: 388, action: "git push" },
    { kind: "permission", model: "gpt-5-codex", outcome: "rejected", origin: "human", action: "apply_patch" },
    { kind: "edit", model: "gpt-5-codex", outcome: "rejected", origin: "human", action: "apply_patch" },
    { kind: "permission", model: "gpt-5-codex", outcome: "accepted", origin: "rule", action: "shell" },
    { kind: "model_call", model: "gpt-5-codex", outcome: "failed", durationMs: 812, error: "http_503" },
  ],
  "codex.metrics.json": [],
  "copilot-cli.metrics.json": [],
  // What the agent span adds up is not counted again.
  "copilot-cli.traces.json": [
    { kind: "turn", latencyMs: 1150, durationMs: 30000 },
    { kind: "outcome", outcome: "applied", linesAdded: 18, linesRemoved: 4, filesChanged: 2 },
    {
      kind: "model_call",
      model: "gpt-5-codex",
      provider: "github",
      latencyMs: 1100,
      durationMs: 4150,
      inputTokens: 9000,
      outputTokens: 300,
    },
    { kind: "tool_call", outcome: "failed", durationMs: 1000, action: "bash", error: "failure" },
  ],
  "gemini-cli.logs.json": [
    { kind: "start", prompts: 1 },
    {
      kind: "model_call",
      model: "gemini-2.5-pro",
      durationMs: 1830,
      inputTokens: 9210,
      outputTokens: 311,
      cachedTokens: 4096,
    },
    { kind: "permission", outcome: "accepted", origin: "human", action: "replace" },
    { kind: "tool_call", durationMs: 35, action: "replace" },
    {
      kind: "edit",
      outcome: "accepted",
      origin: "human",
      linesAdded: 12,
      linesRemoved: 3,
      filesChanged: 1,
      action: "replace",
    },
    { kind: "permission", outcome: "rejected", origin: "human", action: "git push" },
    { kind: "tool_call", durationMs: 4, action: "read_file" },
    { kind: "model_call", model: "gemini-2.5-pro", outcome: "failed", durationMs: 210, error: "QuotaError" },
    { kind: "outcome", outcome: "reverted", origin: "human" },
    { kind: "mode_change", mode: "autoEdit", origin: "human" },
    { kind: "task", latencyMs: 11000, durationMs: 11000, action: "codebase_investigator" },
  ],
  "gemini-cli.metrics.json": [],
  // In traces that no event is in.
  "gemini-cli.traces.json": [],
  "genai-semconv.logs.json": [
    { kind: "outcome", action: "evaluation:fail" },
    {
      kind: "model_call",
      model: "gpt-5-codex",
      provider: "openai",
      inputTokens: 2100,
      outputTokens: 90,
      cachedTokens: 1024,
    },
  ],
  "genai-semconv.metrics.json": [],
  "kilo.traces.json": [
    {
      kind: "model_call",
      model: "claude-sonnet-4-5",
      provider: "anthropic",
      latencyMs: 702.4,
      durationMs: 3280,
      inputTokens: 7000,
      outputTokens: 260,
    },
    { kind: "tool_call", durationMs: 1790, action: "edit" },
    { kind: "edit", outcome: "accepted", origin: "unknown", filesChanged: 1, action: "edit" },
  ],
  // An application log.
  "opencode.logs.json": [],
  "opencode.traces.json": [
    {
      kind: "model_call",
      model: "claude-sonnet-4-5",
      provider: "anthropic",
      latencyMs: 702.4,
      durationMs: 3280,
      inputTokens: 7000,
      outputTokens: 260,
    },
    { kind: "tool_call", durationMs: 1790, action: "edit" },
    { kind: "edit", outcome: "accepted", origin: "unknown", filesChanged: 1, action: "edit" },
  ],
  "qwen-code.logs.json": [
    { kind: "start", prompts: 1 },
    {
      kind: "model_call",
      model: "qwen3-coder-plus",
      durationMs: 1401,
      inputTokens: 5100,
      outputTokens: 190,
      cachedTokens: 0,
    },
    { kind: "permission", outcome: "accepted", origin: "human", action: "edit" },
    { kind: "tool_call", durationMs: 22, action: "edit" },
    {
      kind: "edit",
      outcome: "accepted",
      origin: "human",
      linesAdded: 5,
      linesRemoved: 1,
      filesChanged: 1,
      action: "edit",
    },
    { kind: "permission", outcome: "rejected", origin: "human", action: "run_shell_command" },
    { kind: "outcome", model: "qwen3-coder-plus", action: "feedback:bad" },
    { kind: "task", action: "Explore" },
  ],
  // Calls and tools are counted by their events.
  "qwen-code.traces.json": [
    { kind: "turn", mode: "default", model: "qwen3-coder-plus", latencyMs: 419, durationMs: 16000 },
    { kind: "permission", outcome: "accepted", origin: "human", waitMs: 4378, action: "edit" },
  ],
  "vercel-ai-sdk-v6.traces.json": [
    {
      kind: "model_call",
      model: "gpt-5-codex",
      provider: "openai",
      latencyMs: 480.2,
      durationMs: 2485,
      inputTokens: 2100,
      outputTokens: 90,
    },
    { kind: "tool_call", durationMs: 190, action: "lookupOrder" },
  ],
  "vercel-ai-sdk-v7.metrics.json": [],
  "vercel-ai-sdk-v7.traces.json": [
    { kind: "turn", latencyMs: 495, durationMs: 4000 },
    {
      kind: "model_call",
      model: "gpt-5-codex",
      provider: "openai",
      latencyMs: 480,
      durationMs: 2485,
      inputTokens: 2100,
      outputTokens: 90,
    },
    { kind: "tool_call", durationMs: 190, action: "lookupOrder" },
  ],
  // The whole-file verdict on resp-9 repeats its hunks, and the tool call and the turn are spans.
  "vscode-copilot-chat.logs.json": [
    { kind: "session", model: "claude-sonnet-4.5" },
    { kind: "edit", language: "typescript", outcome: "accepted", origin: "human", linesAdded: 9, linesRemoved: 2 },
    { kind: "edit", language: "typescript", outcome: "rejected", origin: "human", linesAdded: 4, linesRemoved: 0 },
    { kind: "turn", language: "python", outcome: "accepted", origin: "human", linesAdded: 6 },
    { kind: "outcome", outcome: "reverted", origin: "unknown" },
    { kind: "outcome", action: "feedback:negative" },
  ],
  "vscode-copilot-chat.metrics.json": [],
  "vscode-copilot-chat.traces.json": [
    { kind: "turn", repository: "acme/shop", latencyMs: 830, durationMs: 8000 },
    { kind: "outcome", repository: "acme/shop", action: `branch ${branchDigest("acme/shop", "main")}` },
    {
      kind: "model_call",
      model: "claude-sonnet-4.5",
      provider: "github",
      latencyMs: 820,
      durationMs: 2790,
      inputTokens: 14000,
      outputTokens: 420,
    },
    { kind: "tool_call", durationMs: 112, action: "replace_string_in_file" },
    { kind: "turn", durationMs: 2000 },
  ],
}

const files = listFixtures("written")

test("every written request is expected here", () => {
  expect(new Set(Object.keys(facts))).toEqual(new Set(files))
})

test.each(files)("%s gives exactly the signals that it stands for", (file) => {
  expect(factsOf(normalizeFixture("written", file).signals)).toEqual(facts[file])
})

test.each(files)("%s holds no name that is not known, and nothing is refused", (file) => {
  expect(normalizeFixture("written", file)).toMatchObject({ unrecognized: [], rejected: [] })
})

test.each([
  ["claude-agent-sdk.traces.json", "claude-code", "2.1.240", { kind: "user", value: "u-1042" }],
  ["claude-code.logs.json", "claude-code", "2.1.240", { kind: "email", value: "dev1@example.com" }],
  ["claude-code.metrics.json", "claude-code", "2.1.240", { kind: "email", value: "dev1@example.com" }],
  ["cline.logs.json", "cline", "4.1.13", { kind: "account", value: "u-8" }],
  ["codex.logs.json", "codex", "0.169.0", { kind: "email", value: "dev4@example.com" }],
  ["copilot-cli.traces.json", "copilot", "1.0.102", { kind: "user", value: "p-6" }],
  ["gemini-cli.logs.json", "gemini-cli", null, { kind: "email", value: "dev2@example.com" }],
  ["genai-semconv.logs.json", "any-genai-app", "1.0.0", null],
  ["kilo.traces.json", "kilo", "7.7.9", { kind: "user", value: "dev7" }],
  ["opencode.traces.json", "opencode", "1.18.33", { kind: "user", value: "dev7" }],
  ["qwen-code.logs.json", "qwen-code", "0.24.4", null],
  ["qwen-code.traces.json", "qwen-code", "0.24.4", { kind: "user", value: "u-77" }],
  ["vercel-ai-sdk-v6.traces.json", "support-agent", "3.2.0", { kind: "user", value: "u-9" }],
  ["vercel-ai-sdk-v7.traces.json", "support-agent", "3.2.0", null],
  ["vscode-copilot-chat.logs.json", "copilot", "0.42.0", { kind: "user", value: "dev5" }],
  ["vscode-copilot-chat.traces.json", "copilot", "0.42.0", { kind: "user", value: "dev5" }],
])("every signal of %s is by %s %s, for whom the source names", (file, agentTool, agentVersion, identity) => {
  const { signals } = normalizeFixture("written", file)
  expect(signals.length).toBeGreaterThan(0)
  for (const signal of signals) expect(signal).toMatchObject({ agentTool, agentVersion, identity })
})

test.each([
  ["claude-code.logs.json", "ide"], // in an editor's terminal
  ["codex.logs.json", "terminal"],
  ["copilot-cli.traces.json", "terminal"],
  ["gemini-cli.logs.json", "terminal"],
  ["kilo.traces.json", "ide"],
  ["opencode.traces.json", "terminal"],
  ["vercel-ai-sdk-v6.traces.json", null],
  ["vscode-copilot-chat.traces.json", "ide"],
])("the surface of %s is %s", (file, surface) => {
  const { signals } = normalizeFixture("written", file)
  expect(new Set(signals.map((signal) => signal.surface))).toEqual(new Set([surface]))
})

test.each([
  "claude-code.logs.json",
  "claude-code.traces.json",
  "claude-agent-sdk.traces.json",
  "qwen-code.logs.json",
  "qwen-code.traces.json",
  "cline.logs.json",
])("an operation of %s that used a subagent stands on orchestration as a whole", (file) => {
  const { signals } = normalizeFixture("written", file)
  expect(new Set(signals.map((signal) => signal.rung))).toEqual(new Set(["orchestration"]))
})

test("inline chat stands on chat, whatever else the window's agent did", () => {
  const turns = normalizeFixture("written", "vscode-copilot-chat.traces.json").signals.filter(
    (signal) => signal.kind === "turn",
  )
  expect(turns.map((turn) => turn.rung)).toEqual(["agent", "chat"])
})

test("a subagent's task is an operation of its own under the one that started it", () => {
  const { signals } = normalizeFixture("written", "gemini-cli.logs.json")
  const prompt = "7c1c6f1a-30c2-4b7e-8c1d-000000000002:sess########0"
  expect(signals.filter((signal) => signal.kind === "task")).toMatchObject([
    { operationId: "agent-1", parentOperationId: prompt, rung: "orchestration" },
  ])
  expect(signals.find((signal) => signal.kind === "start")).toMatchObject({
    operationId: prompt,
    rung: "orchestration",
  })
})

test("Qwen Code's answer in the log and its wait in the span are one permission", () => {
  const [wait] = occurrencesOf("qwen-code.traces.json", "permission")
  const [answer] = occurrencesOf("qwen-code.logs.json", "permission")
  expect(wait).toEqual({ id: answer?.id, evidence: "secondary" })
  expect(answer?.evidence).toBe("primary")
})

test("Claude Code's model call in the log and in the span are one call", () => {
  const id = "model_call:req_sample_1"
  expect(occurrencesOf("claude-code.logs.json", "model_call")[0]).toEqual({ id, evidence: "primary" })
  expect(occurrencesOf("claude-code.traces.json", "model_call")[0]).toEqual({ id, evidence: "secondary" })
})

function occurrencesOf(file: string, kind: SignalKind) {
  const { signals } = normalizeFixture("written", file)
  return signals.filter((signal) => signal.kind === kind).map((signal) => signal.occurrence)
}
