import { describe, expect, test } from "vitest"
import { normalize } from "../normalize.ts"
import type { Span } from "../otlp/types.ts"
import { aPoint, aSpan, metricsOf, NOW, signalsOf, tracesOf } from "./requests.ts"

const copilot = { scope: "github.copilot", resource: { "service.name": "github-copilot" } }

const session = { "gen_ai.conversation.id": "c1" }
const agent = { "gen_ai.operation.name": "invoke_agent", ...session }
const UNASKED = "denied-no-approval-rule-and-could-not-request-from-user"

function read(...spans: readonly Span[]) {
  return signalsOf(tracesOf(copilot, spans))
}

function aPermission(result: string, kind = "shell") {
  const attributes = { "github.copilot.permission.kind": kind, "github.copilot.permission.result": result }
  return aSpan("permission", { ...session, ...attributes }, { id: 3, parent: 2, startMs: 100, endMs: 4400 })
}

function aTool(tool: string, more: Partial<Span> = {}) {
  const attributes = { "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": tool, ...session }
  return aSpan(`execute_tool ${tool}`, attributes, { id: 2, parent: 1, endMs: 5000, ...more })
}

function anEvent(name: string) {
  return { name, timeUnixNano: BigInt(NOW.getTime()) * 1_000_000n, attributes: new Map() }
}

describe("a permission", () => {
  test.each([
    ["approved", "accepted", "human", 4300],
    ["approved-for-session", "accepted", "human", 4300],
    ["denied-interactively-by-user", "rejected", "human", 4300],
    [UNASKED, "rejected", "rule", null],
    ["denied-by-rules", "rejected", "rule", null],
    ["denied-by-content-exclusion-policy", "rejected", "rule", null],
    ["denied-by-permission-request-hook", "rejected", "hook", null],
    ["denied-by-something-new", "rejected", "unknown", null],
    ["user-left", null, "unknown", null],
  ])("that ended with %s is %s, decided by %s", (result, outcome, origin, waitMs) => {
    expect(read(aPermission(result))).toMatchObject([{ kind: "permission", outcome, origin, waitMs }])
  })

  test("belongs to the operation and session of its tool, and names it", () => {
    const root = aSpan("invoke_agent", agent, { id: 1, endMs: 6000 })
    const [permission, call, turn] = read(aPermission("approved"), aTool("bash"), root)
    expect(permission).toMatchObject({ kind: "permission", rung: "agent", action: "bash", sessionId: "c1" })
    expect([call?.operationId, turn?.operationId]).toEqual([permission?.operationId, permission?.operationId])
  })

  test("whose tool is in another batch names what kind of thing was asked for", () => {
    expect(read(aPermission("approved", "write"))).toMatchObject([{ action: "write" }])
  })
})

describe("a tool's run", () => {
  test.each([
    ["create", 1],
    ["edit", 1],
    ["str_replace", 1],
    ["apply_patch", null],
  ])("with %s is an edit that nobody is known to have let through", (tool, filesChanged) => {
    const [call, edit] = read(aTool(tool))
    expect(call).toMatchObject({ kind: "tool_call", action: tool })
    expect(edit).toMatchObject({ kind: "edit", rung: "agent", outcome: "accepted", origin: "unknown", filesChanged })
    expect(edit?.sourceId).not.toBe(call?.sourceId)
  })

  test.each(["bash", "view", "str_replace_editor"])("with %s is no edit", (tool) => {
    expect(read(aTool(tool)).map((signal) => signal.kind)).toEqual(["tool_call"])
  })

  test("that was refused is no edit", () => {
    const refused = aTool("create", { statusCode: 2 })
    expect(read(refused, aPermission(UNASKED, "write")).map((signal) => signal.kind)).toEqual([
      "tool_call",
      "permission",
    ])
  })
})

describe("a message of the user", () => {
  const events = [anEvent("github.copilot.user.message"), anEvent("github.copilot.session.usage_info")]

  test("starts the operation of the turn that it is on", () => {
    const [turn, start] = read(aSpan("invoke_agent", agent, { events }))
    expect(turn?.kind).toBe("turn")
    expect(start).toMatchObject({ kind: "start", rung: "chat", prompts: 1, operationId: turn?.operationId })
    expect(start?.sessionId).toBe("c1")
  })

  test("is an agent's own words where an agent was called by another", () => {
    const nested = aSpan("invoke_agent", agent, { id: 3, parent: 2, events })
    expect(read(nested).map((signal) => signal.kind)).toEqual(["task"])
  })
})

test("notices of the terminal and counts of the sandbox are known and say nothing", () => {
  const events = [anEvent("github.copilot.custom_notification")]
  const notice = tracesOf(copilot, [aSpan("custom_notification", session, { events })])
  const count = metricsOf(copilot, [aPoint("github.copilot.sandbox.operation.count", {})])
  for (const sent of [notice, count]) expect(normalize(sent, NOW)).toMatchObject({ signals: [], unrecognized: [] })
})

test("a span that is not known is counted by name, with and without events", () => {
  const spans = [aSpan("session"), aSpan("session", {}, { id: 2, events: [anEvent("github.copilot.hook.start")] })]
  expect(normalize(tracesOf(copilot, spans), NOW).unrecognized).toMatchObject([{ name: "session", count: 2 }])
})
