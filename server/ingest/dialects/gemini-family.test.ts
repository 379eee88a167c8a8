import { describe, expect, test } from "vitest"
import { normalize } from "../normalize.ts"
import { aRecord, aSpan, logsOf, NOW, signalsOf, tracesOf } from "./requests.ts"

const origin = { scope: "gemini-cli", resource: { "service.name": "gemini-cli", "session.id": "s1" } }

type Attributes = Record<string, string | number | boolean>

function read(...records: readonly Attributes[]) {
  const named = records.map((attributes, index) => aRecord(attributes, { atMs: index }))
  return signalsOf(logsOf(origin, named)).map(({ kind, outcome, origin: by }) => ({ kind, outcome, by }))
}

const shell = { "event.name": "gemini_cli.tool_call", function_name: "run_shell_command", success: true }
const edit = { "event.name": "gemini_cli.tool_call", function_name: "replace", success: true }

test("a person's yes is a permission, and the tool ran", () => {
  expect(read({ ...shell, decision: "accept" })).toEqual([
    { kind: "permission", outcome: "accepted", by: "human" },
    { kind: "tool_call", outcome: null, by: null },
  ])
})

test("a person's no is a permission, and the tool did not run", () => {
  expect(read({ ...shell, decision: "reject", success: false })).toEqual([
    { kind: "permission", outcome: "rejected", by: "human" },
  ])
})

test.each(["policy_violation", "execution_denied"])(
  "a rule's no (%s) is a permission, and the tool did not run",
  (type) => {
    expect(read({ ...shell, error_type: type, success: false })).toEqual([
      { kind: "permission", outcome: "rejected", by: "rule" },
    ])
  },
)

test("an edit that a person changed is modified", () => {
  expect(read({ ...edit, decision: "modify" })).toEqual([
    { kind: "permission", outcome: "modified", by: "human" },
    { kind: "tool_call", outcome: null, by: null },
    { kind: "edit", outcome: "modified", by: "human" },
  ])
})

test("an edit that a person refused is a rejected edit", () => {
  expect(read({ ...edit, decision: "reject", success: false })).toEqual([
    { kind: "permission", outcome: "rejected", by: "human" },
    { kind: "edit", outcome: "rejected", by: "human" },
  ])
})

test("an edit that failed is no edit", () => {
  expect(read({ ...edit, decision: "auto_accept", success: false })).toEqual([
    { kind: "tool_call", outcome: "failed", by: null },
  ])
})

test("where nobody can be asked, the mode decided", () => {
  expect(read({ ...edit, decision: "accept", interactive: false })).toEqual([
    { kind: "tool_call", outcome: null, by: null },
    { kind: "edit", outcome: "accepted", by: "mode" },
  ])
})

test.each([
  ["yolo", "mode"],
  ["auto_edit", "mode"],
  ["default", "rule"],
])("an edit let through in approval mode %s was decided by %s", (approval_mode, by) => {
  const config = { "event.name": "gemini_cli.config", approval_mode }
  expect(read(config, { ...edit, decision: "auto_accept" }).at(-1)).toEqual({ kind: "edit", outcome: "accepted", by })
})

test("a mode counts from when it was switched on", () => {
  const switched = { "event.name": "gemini_cli.plan.approval_mode_switch", from_mode: "default", to_mode: "yolo" }
  const edits = read({ ...edit, decision: "auto_accept" }, switched, { ...edit, decision: "auto_accept", call_id: "2" })
  expect(edits.filter((signal) => signal.kind === "edit").map((signal) => signal.by)).toEqual(["rule", "mode"])
})

test("lines are read from metadata as JSON text and as a list of keys", () => {
  const metadata = { model_added_lines: 3, model_removed_lines: 1 }
  const asText = aRecord({ ...edit, decision: "accept", metadata: JSON.stringify(metadata) })
  const asList = aRecord({ ...edit, decision: "accept", metadata: new Map(Object.entries(metadata)) })
  for (const record of [asText, asList]) {
    expect(signalsOf(logsOf(origin, [record])).at(-1)).toMatchObject({ kind: "edit", linesAdded: 3, linesRemoved: 1 })
  }
})

test.each([
  ["rewind_and_revert", 1],
  ["revert_only", 1],
  ["rewind_only", 0],
  ["cancel", 0],
])("a rewind with outcome %s gives %i reverts", (outcome, reverts) => {
  expect(read({ "event.name": "gemini_cli.rewind", outcome })).toHaveLength(reverts)
})

test.each([
  ["GOAL", null, null],
  ["ERROR", "failed", "ERROR"],
  ["ABORTED", null, null],
])("an agent that ended with %s has outcome %s", (terminate_reason, outcome, error) => {
  const record = aRecord({ "event.name": "gemini_cli.agent.finish", agent_id: "a1", terminate_reason })
  expect(signalsOf(logsOf(origin, [record]))).toMatchObject([{ kind: "task", operationId: "a1", outcome, error }])
})

test.each([
  ["v24.21.0", null],
  ["0.61.0", "0.61.0"],
])("service version %s is version %s of the tool: Node's is not its own", (version, agentVersion) => {
  const resource = { "service.name": "gemini-cli", "service.version": version }
  const prompt = aRecord({ "event.name": "gemini_cli.user_prompt" })
  expect(signalsOf(logsOf({ scope: "gemini-cli", resource }, [prompt]))).toMatchObject([{ agentVersion }])
})

test("the same prompt number in two sessions is two operations", () => {
  const prompts = ["s1", "s2"].map((session) =>
    aRecord({ "event.name": "gemini_cli.user_prompt", "session.id": session, prompt_id: "0" }),
  )
  expect(signalsOf(logsOf(origin, prompts)).map((signal) => signal.operationId)).toEqual(["s1:0", "s2:0"])
})

test("Qwen Code's configuration and its session are one session", () => {
  const qwen = { scope: "qwen-code", resource: { "service.name": "qwen-code", "session.id": "s1" } }
  const records = ["qwen-code.config", "qwen-code.session.start"].map((event) => aRecord({ "event.name": event }))
  expect(signalsOf(logsOf(qwen, records)).map((signal) => [signal.kind, signal.occurrence])).toEqual([
    ["session", { id: "session:s1", evidence: "secondary" }],
    ["session", { id: "session:s1", evidence: "primary" }],
  ])
})

describe("what Qwen Code does for its own memory", () => {
  const qwen = { scope: "qwen-code", resource: { "service.name": "qwen-code", "session.id": "s1" } }
  const own = { prompt_id: "s1#managed-auto-memory-extractor-1f2e#0", subagent_name: "managed-auto-memory-extractor" }
  const prompt = aRecord({ "event.name": "qwen-code.user_prompt", prompt_id: "s1########0" })
  const readAfterPrompt = (...records: readonly Attributes[]) => {
    const later = records.map((attributes, index) => aRecord(attributes, { atMs: index + 1 }))
    const { signals, unrecognized } = normalize(logsOf(qwen, [prompt, ...later]), NOW)
    expect(unrecognized).toEqual([])
    return signals.map(({ kind, rung, operationId }) => ({ kind, rung, operationId }))
  }
  const start = { kind: "start", rung: "chat", operationId: "s1########0" }

  test.each([
    { subagent_name: own.subagent_name, prompt_id: own.prompt_id },
    { subagent_name: own.subagent_name },
    { prompt_id: own.prompt_id },
  ])("is a call of the prompt before it, which stays a chat, by %j", (named) => {
    const response = { "event.name": "qwen-code.api_response", model: "m1", ...named }
    const error = { "event.name": "qwen-code.api_error", error_type: "BadRequestError", ...named }
    const call = { kind: "model_call", rung: "chat", operationId: "s1########0" }
    expect(readAfterPrompt(response, error)).toEqual([start, call, call])
  })

  test("has no operation without a prompt before it", () => {
    const response = aRecord({ "event.name": "qwen-code.api_response", model: "m1", ...own })
    expect(signalsOf(logsOf(qwen, [response]))).toMatchObject([
      { kind: "model_call", rung: "chat", operationId: null, sessionId: "s1" },
    ])
  })

  test.each(["managed-auto-memory-extractor", "managed-auto-memory-dreamer", "managed-auto-memory-remember"])(
    "is no task that anybody handed to %s",
    (subagent_name) => {
      const execution = { "event.name": "qwen-code.subagent_execution", subagent_name, terminate_reason: "GOAL" }
      expect(readAfterPrompt({ ...execution, status: "started" }, { ...execution, status: "completed" })).toEqual([
        start,
      ])
    },
  )

  test("is neither a tool call nor an edit of the person's, nor is its refusal a decision", () => {
    const tool = { "event.name": "qwen-code.tool_call", prompt_id: own.prompt_id }
    const refused = { ...tool, function_name: "run_shell_command", success: false, error_type: "execution_denied" }
    expect(readAfterPrompt({ ...tool, function_name: "write_file", success: true }, refused)).toEqual([start])
  })

  test("does not hide what a subagent did that was asked for", () => {
    const execution = { "event.name": "qwen-code.subagent_execution", subagent_name: "Explore", status: "completed" }
    expect(readAfterPrompt(execution)).toMatchObject([{ kind: "start", rung: "orchestration" }, { kind: "task" }])
  })
})

test("Qwen Code's session event without its prefix and its HTTP requests are known and say nothing", () => {
  const resource = { "service.name": "qwen-code" }
  const started = logsOf({ scope: "qwen-code", resource }, [aRecord({ "event.name": "session.start" })])
  const request = tracesOf({ scope: "@opentelemetry/instrumentation-undici", resource }, [aSpan("POST")])
  for (const sent of [started, request]) {
    expect(normalize(sent, NOW)).toMatchObject({ signals: [], unrecognized: [] })
  }
})
