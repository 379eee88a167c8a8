import { expect, test } from "vitest"
import { normalize } from "../normalize.ts"
import { aRecord, logsOf, NOW, signalsOf } from "./requests.ts"

const origin = { scope: "belay", resource: { "service.name": "release-bot", "service.version": "3.2.0" } }

const permission = {
  "belay.rung": "agent",
  "belay.outcome": "accepted",
  "belay.origin": "human",
  "belay.action": "git push",
  "belay.wait_ms": 1200,
}

test("a signal of our own comes out with every fact that it came with", () => {
  const record = aRecord(
    {
      "belay.signal_id": "018f-1",
      "belay.rung": "orchestration",
      "belay.surface": "ci",
      "belay.mode": "architect",
      "belay.language": "TypeScript",
      "belay.operation_id": "op-1",
      "belay.parent_operation_id": "op-0",
      "belay.outcome": "modified",
      "belay.origin": "human",
      "belay.latency_ms": 120,
      "belay.duration_ms": 3000,
      "belay.wait_ms": 400,
      "belay.cost_usd": 0.25,
      "belay.lines_added": 10,
      "belay.lines_removed": 4,
      "belay.files_changed": 2,
      "belay.tool_calls": 7,
      "belay.prompts": 1,
      "belay.path_scope": "out_of_scope",
      "belay.action": "github/create_issue",
      "belay.policy_version": 12,
      "belay.context.files": 5,
      "error.type": "timeout",
      "session.id": "s-1",
      "enduser.id": "Dev@Example.com",
      "vcs.repository.name": "acme/shop",
      "gen_ai.request.model": "gpt-5",
      "gen_ai.provider.name": "openai",
      "gen_ai.usage.input_tokens": 100,
      "gen_ai.usage.output_tokens": 20,
      "gen_ai.usage.cache_read.input_tokens": 60,
    },
    { eventName: "belay.edit" },
  )
  expect(signalsOf(logsOf(origin, [record]))).toEqual([
    {
      observedUnixNano: record.timeUnixNano,
      sourceId: "belay:018f-1",
      kind: "edit",
      rung: "orchestration",
      agentTool: "release-bot",
      agentVersion: "3.2.0",
      surface: "ci",
      developerId: null,
      identity: { kind: "email", value: "dev@example.com" },
      operationId: "op-1",
      parentOperationId: "op-0",
      sessionId: "s-1",
      occurrence: null,
      mode: "architect",
      model: "gpt-5",
      provider: "openai",
      language: "TypeScript",
      repository: "acme/shop",
      outcome: "modified",
      origin: "human",
      latencyMs: 120,
      durationMs: 3000,
      waitMs: 400,
      inputTokens: 100,
      outputTokens: 20,
      cachedTokens: 60,
      costUsd: 0.25,
      linesAdded: 10,
      linesRemoved: 4,
      filesChanged: 2,
      toolCalls: 7,
      prompts: 1,
      pathScope: "out_of_scope",
      action: "github/create_issue",
      error: "timeout",
      policyVersion: 12,
      policyEffect: null,
      policyBecause: null,
      policyRule: null,
      policyLayer: null,
      contextFiles: 5,
    },
  ])
})

test("a decision comes with what was decided, why and by which rule, as far as these can be words of a policy", () => {
  const decision = (said: Record<string, string>, eventName = "belay.policy_decision") =>
    signalsOf(logsOf(origin, [aRecord({ "belay.rung": "agent", "belay.action": "git push", ...said }, { eventName })]))
  const said = {
    "belay.policy.effect": "deny",
    "belay.policy.because": "rule",
    "belay.policy.rule_id": "no-push",
    "belay.policy.layer": "team",
  }
  const words = { policyEffect: "deny", policyBecause: "rule", policyRule: "no-push", policyLayer: "team" }
  expect(decision(said)).toMatchObject([words])
  expect(decision({ ...said, "belay.policy.rule_id": "models.allowed" })).toMatchObject([
    { policyRule: "models.allowed" },
  ])
  const text = { "belay.policy.rule_id": "Ada's password", "belay.policy.effect": "shrug", "belay.policy.layer": "x" }
  expect(decision({ ...said, ...text })).toMatchObject([{ policyRule: null, policyEffect: null, policyLayer: null }])
  // Nobody but a policy decides by rules.
  expect(decision(said, "belay.permission")).toMatchObject([{ policyRule: null, policyEffect: null }])
})

test("a hook acts for another tool, whose version it does not know", () => {
  const record = aRecord({ ...permission, "belay.agent_tool": "cursor" }, { eventName: "belay.permission" })
  expect(signalsOf(logsOf(origin, [record]))).toMatchObject([{ agentTool: "cursor", agentVersion: null }])
})

test("without an id of its own a signal is known by what it says", () => {
  const records = [1, 1, 2].map((waitMs) =>
    aRecord({ ...permission, "belay.wait_ms": waitMs }, { eventName: "belay.permission" }),
  )
  const [first, same, other] = signalsOf(logsOf(origin, records)).map((signal) => signal.sourceId)
  expect(same).toBe(first)
  expect(other).not.toBe(first)
})

test.each([
  [{ "belay.rung": "cloud" }],
  [{ "belay.rung": null }],
  [{ "belay.outcome": "great" }],
  [{ "belay.origin": "robot" }],
  [{ "belay.surface": "watch" }],
  [{ "belay.path_scope": 1 }],
])("a signal with %j gives nothing and is counted as invalid", (wrong) => {
  const record = aRecord({ ...permission, ...wrong }, { eventName: "belay.permission" })
  expect(normalize(logsOf(origin, [record]), NOW)).toEqual({
    signals: [],
    unrecognized: [{ dialect: "belay", signal: "logs", name: "belay.permission (invalid)", count: 1 }],
    rejected: [],
  })
})

test("a kind that is not known is counted by its name", () => {
  const record = aRecord(permission, { eventName: "belay.daydream" })
  expect(normalize(logsOf(origin, [record]), NOW).unrecognized).toMatchObject([{ name: "belay.daydream" }])
})
