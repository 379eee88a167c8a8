import { expect, test } from "vitest"
import { aRecord, logsOf, signalsOf } from "./requests.ts"

const origin = { scope: "codex_otel.log_only", resource: { "service.name": "codex_cli_rs" } }

function read(attributes: Record<string, string | number | boolean>, resource = {}) {
  return signalsOf(logsOf({ ...origin, resource: { ...origin.resource, ...resource } }, [aRecord(attributes)]))
}

test.each([
  ["approved", "User", "accepted", "human"],
  ["approved_for_session", "User", "accepted", "human"],
  ["approvedexecpolicyamendment", "User", "accepted", "human"],
  ["approved", "Config", "accepted", "rule"],
  ["approved", "automated_reviewer", "accepted", "rule"],
  ["approved", "Somebody", "accepted", "unknown"],
  ["denied", "User", "rejected", "human"],
  ["abort", "User", "ignored", "dismissed"],
  ["timed_out", "User", "ignored", "timeout"],
  ["postponed", "User", null, "human"],
])("%s by %s is %s, decided by %s", (decision, source, outcome, by) => {
  const signals = read({ "event.name": "codex.tool_decision", tool_name: "shell", decision, source })
  expect(signals).toMatchObject([{ kind: "permission", outcome, origin: by }])
})

test("a decision on a patch is an edit too", () => {
  const decision = {
    "event.name": "codex.tool_decision",
    tool_name: "apply_patch",
    decision: "approved",
    source: "User",
  }
  expect(read(decision)).toMatchObject([
    { kind: "permission", outcome: "accepted" },
    { kind: "edit", outcome: "accepted", origin: "human", action: "apply_patch" },
  ])
})

test.each([
  ["shell", '{"command":["bash","-lc","npm test -- --secret"]}', "npm test"],
  ["exec_command", '{"cmd":"git commit -m \\"secret\\""}', "git commit"],
  ["exec_command", "[redacted 30 chars]", "exec_command"],
  ["update_plan", '{"command":"git push"}', "update_plan"],
])("a run of %s with %s is named %s", (tool_name, args, action) => {
  const result = { "event.name": "codex.tool_result", tool_name, arguments: args, output: "secret", success: "true" }
  expect(read(result)).toMatchObject([{ kind: "tool_call", action }])
})

test("a tool of an MCP server is named with its server", () => {
  const result = { "event.name": "codex.tool_result", tool_name: "list_issues", mcp_server: "github" }
  expect(read(result)).toMatchObject([{ action: "github/list_issues" }])
})

test("of the two events that end a call, the one with tokens counts", () => {
  const completed = { "event.name": "codex.sse_event", "event.kind": "response.completed" }
  expect(read({ ...completed, duration_ms: "2" })).toEqual([])
  expect(read({ ...completed, input_token_count: "900" })).toMatchObject([{ kind: "model_call", inputTokens: 900 }])
  expect(read({ "event.name": "codex.sse_event", "event.kind": "response.created" })).toEqual([])
})

test.each([
  [{ "http.response.status_code": 200 }, []],
  [{ "http.response.status_code": "503" }, [{ kind: "model_call", outcome: "failed", error: "http_503" }]],
  [{ success: "false" }, [{ kind: "model_call", outcome: "failed", error: "other" }]],
])("a request with %j gives %j", (attributes, signals) => {
  expect(read({ "event.name": "codex.api_request", ...attributes })).toMatchObject(signals)
})

test("what an agent that was spawned does stands on orchestration", () => {
  const result = { "event.name": "codex.tool_result", tool_name: "shell" }
  expect(read({ ...result, agent_name: "/root" })).toMatchObject([{ rung: "agent" }])
  expect(read({ ...result, agent_name: "/root/explorer" })).toMatchObject([{ rung: "orchestration" }])
  expect(read({ ...result, "parent.conversation.id": "c1" })).toMatchObject([{ rung: "orchestration" }])
})

test.each([
  [{ "terminal.type": "xterm" }, "terminal"],
  [{ "terminal.type": "vscode/1.117" }, "ide"],
  [{ originator: "codex_vscode" }, "ide"],
])("a record with %j comes from %s", (attributes, surface) => {
  expect(read({ "event.name": "codex.user_prompt", ...attributes })).toMatchObject([{ surface }])
})
