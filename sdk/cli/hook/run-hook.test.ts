import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import * as fc from "fast-check"
import { expect, onTestFinished, test } from "vitest"
import { openSpool } from "../../spool.ts"
import type { Host } from "../home.ts"
import { readStatus } from "../status.ts"
import type { Decide, HookDecision } from "./hook.ts"
import { PAYLOADS } from "./payloads.ts"
import { runHook } from "./run-hook.ts"

const NOW = Date.UTC(2026, 10, 20, 20)

function openHost(): Host {
  const home = mkdtempSync(path.join(tmpdir(), "belay-hook-"))
  onTestFinished(() => rmSync(home, { recursive: true, force: true }))
  return { env: {}, home, cwd: home, platform: "linux", now: () => NOW }
}

function hook(host: Host, tool: string, input: unknown, decide: Decide = () => null) {
  const text = typeof input === "string" ? input : JSON.stringify(input)
  return runHook({ tool, read: () => text, decide, host, version: "1.2.3" })
}

interface Sent {
  readonly resource: Record<string, unknown>
  readonly event: string
  readonly facts: Record<string, unknown>
}

/** What the spool would send. */
async function readSpool(host: Host): Promise<readonly Sent[]> {
  const sent: Sent[] = []
  const spool = openSpool({ folder: readStatus(host).folder, now: host.now })
  await spool.drain(({ body }) => {
    const { resourceLogs } = JSON.parse(Buffer.from(body).toString()) as {
      resourceLogs: { resource: Attributed; scopeLogs: { logRecords: (Attributed & { eventName: string })[] }[] }[]
    }
    for (const { resource, scopeLogs } of resourceLogs) {
      for (const record of scopeLogs.flatMap(({ logRecords }) => logRecords)) {
        const { "belay.signal_id": _, ...facts } = toObject(record)
        sent.push({ resource: toObject(resource), event: record.eventName, facts })
      }
    }
    return Promise.resolve("sent")
  })
  return sent
}

interface Attributed {
  readonly attributes: { key: string; value: { stringValue?: string; intValue?: string; doubleValue?: number } }[]
}

function toObject({ attributes }: Attributed): Record<string, unknown> {
  return Object.fromEntries(
    attributes.map(({ key, value }) => [
      key,
      value.stringValue ?? (value.intValue === undefined ? value.doubleValue : Number(value.intValue)),
    ]),
  )
}

const claude = { "belay.agent_tool": "claude-code", "belay.surface": "terminal", "belay.mode": "acceptEdits" }
const claudeSession = { "session.id": "5f1c4b5e-0000-4000-8000-000000000001" }
const cursor = {
  "belay.agent_tool": "cursor",
  "belay.agent_version": "2.4.21",
  "belay.surface": "ide",
  "belay.rung": "agent",
  "session.id": "c0c0c0c0-0000-4000-8000-000000000001",
  "belay.operation_id": "c0c0c0c0-0000-4000-8000-000000000002",
  "gen_ai.request.model": "claude-sonnet-4-5",
}
const { "belay.operation_id": operationId, ...outsideOperation } = cursor

test.for([
  [
    "claude-code",
    PAYLOADS["claude-code"].edited,
    "belay.context",
    {
      ...claude,
      ...claudeSession,
      "belay.rung": "agent",
      "belay.action": "Edit",
      "belay.language": "typescript",
      "belay.path_scope": "in_scope",
      "belay.lines_added": 2,
      "belay.lines_removed": 1,
    },
  ],
  [
    "claude-code",
    PAYLOADS["claude-code"].editedTwice,
    "belay.context",
    {
      ...claude,
      ...claudeSession,
      "belay.rung": "agent",
      "belay.action": "MultiEdit",
      "belay.language": "python",
      "belay.path_scope": "out_of_scope",
      "belay.lines_added": 2,
      "belay.lines_removed": 1,
    },
  ],
  [
    "claude-code",
    PAYLOADS["claude-code"].replacedEverywhere,
    "belay.context",
    {
      ...claude,
      ...claudeSession,
      "belay.rung": "agent",
      "belay.action": "Edit",
      "belay.language": "go",
      "belay.path_scope": "in_scope",
    },
  ],
  [
    "claude-code",
    PAYLOADS["claude-code"].created,
    "belay.context",
    {
      ...claude,
      ...claudeSession,
      "belay.rung": "orchestration",
      "belay.action": "Write",
      "belay.path_scope": "sensitive",
      "belay.lines_added": 2,
      "belay.lines_removed": 0,
    },
  ],
  [
    "codex",
    PAYLOADS.codex.edited,
    "belay.context",
    {
      "belay.agent_tool": "codex",
      "belay.surface": "terminal",
      "belay.rung": "agent",
      "belay.mode": "default",
      "gen_ai.request.model": "gpt-5-codex",
      "session.id": "0199a213-0000-7000-8000-000000000001",
      "belay.action": "apply_patch",
      "belay.language": "typescript",
      "belay.path_scope": "out_of_scope",
      "belay.files_changed": 2,
      "belay.lines_added": 3,
      "belay.lines_removed": 1,
    },
  ],
  [
    "gemini-cli",
    PAYLOADS["gemini-cli"].edited,
    "belay.context",
    {
      "belay.agent_tool": "gemini-cli",
      "belay.surface": "terminal",
      "belay.rung": "agent",
      "session.id": "a0a0a0a0-0000-4000-8000-000000000001",
      "belay.action": "replace",
      "belay.language": "typescript",
      "belay.path_scope": "out_of_scope",
    },
  ],
  ["cursor", PAYLOADS.cursor.sessionStart, "belay.session", { ...outsideOperation, "belay.mode": "agent" }],
  ["cursor", PAYLOADS.cursor.prompted, "belay.start", { ...cursor, "belay.prompts": 1 }],
  [
    "cursor",
    PAYLOADS.cursor.ranShell,
    "belay.tool_call",
    { ...cursor, "belay.action": "npm test", "belay.duration_ms": 5432 },
  ],
  [
    "cursor",
    PAYLOADS.cursor.refused,
    "belay.permission",
    { ...cursor, "belay.action": "rm", "belay.outcome": "rejected", "belay.origin": "unknown" },
  ],
  [
    "cursor",
    PAYLOADS.cursor.timedOut,
    "belay.tool_call",
    {
      ...cursor,
      "belay.action": "Grep",
      "belay.duration_ms": 30000,
      "belay.outcome": "failed",
      "error.type": "timeout",
    },
  ],
  [
    "cursor",
    PAYLOADS.cursor.edited,
    "belay.edit",
    {
      ...cursor,
      "belay.outcome": "applied",
      "belay.origin": "unknown",
      "belay.language": "typescript",
      "belay.path_scope": "in_scope",
      "belay.files_changed": 1,
      "belay.lines_added": 2,
      "belay.lines_removed": 1,
    },
  ],
  [
    "cursor",
    PAYLOADS.cursor.tabbed,
    "belay.suggestion",
    {
      ...outsideOperation,
      "belay.rung": "autocomplete",
      "belay.outcome": "accepted",
      "belay.origin": "human",
      "belay.language": "python",
      "belay.path_scope": "in_scope",
      "belay.lines_added": 1,
      "belay.lines_removed": 1,
    },
  ],
  [
    "cursor",
    PAYLOADS.cursor.subagentStop,
    "belay.task",
    {
      ...outsideOperation,
      "belay.rung": "orchestration",
      "belay.parent_operation_id": operationId,
      "belay.action": "explore",
      "belay.duration_ms": 45000,
      "belay.latency_ms": 45000,
      "belay.outcome": "failed",
      "error.type": "other",
    },
  ],
  [
    "cursor",
    PAYLOADS.cursor.compacted,
    "belay.context",
    { ...cursor, "belay.action": "compaction", "gen_ai.usage.input_tokens": 120000 },
  ],
  [
    "cursor",
    PAYLOADS.cursor.stopped,
    "belay.turn",
    { ...cursor, "belay.outcome": "abandoned", "belay.origin": "human" },
  ],
] as const)("%s: %j is %s", async ([tool, payload, event, facts]) => {
  const host = openHost()
  expect(hook(host, tool, payload)).toEqual({
    answer: { stdout: tool === "cursor" ? "{}\n" : "", stderr: "", exitCode: 0 },
    isKept: true,
  })
  const person = tool === "cursor" ? { "enduser.id": "ada@example.com" } : {}
  expect(await readSpool(host)).toEqual([
    { resource: { "service.name": "belay-hook", "service.version": "1.2.3", ...person }, event, facts },
  ])
})

test.for([
  [
    "claude-code",
    [
      "userPromptSubmit",
      "preToolUse",
      "permissionRequest",
      "notification",
      "ranShell",
      "stop",
      "subagentStop",
      "sessionEnd",
      "byCursor",
    ],
  ],
  ["codex", ["preToolUse", "permissionRequest", "ranShell", "userPromptSubmit", "stop"]],
  ["gemini-cli", ["beforeTool", "editFailed", "read", "notification", "beforeAgent", "sessionStart"]],
  ["cursor", ["beforeShell", "beforeMcp", "beforeRead", "sessionEnd"]],
] as const)("%s: what its telemetry or another event tells is not told again: %j", async ([tool, names]) => {
  const host = openHost()
  const payloads: Record<string, unknown> = PAYLOADS[tool]
  for (const name of names) hook(host, tool, payloads[name])
  expect(await readSpool(host)).toEqual([])
  expect(readStatus(host).failures.count).toBe(0)
})

const DENY: HookDecision = {
  effect: "deny",
  reason: "not on main",
  because: "rule",
  ruleId: "no-push",
  layer: "org",
  policyVersion: 7,
}
const asked = (reason: string) => `${reason} (a person has to decide this, and this`

test.for([
  [
    "claude-code",
    "preToolUse",
    "deny",
    {
      hookSpecificOutput: {
        hookEventName: "PreToolUse",
        permissionDecision: "deny",
        permissionDecisionReason: "not on main",
      },
    },
  ],
  [
    "claude-code",
    "preToolUse",
    "ask",
    {
      hookSpecificOutput: {
        hookEventName: "PreToolUse",
        permissionDecision: "ask",
        permissionDecisionReason: "not on main",
      },
    },
  ],
  [
    "claude-code",
    "preToolUse",
    "allow",
    {
      hookSpecificOutput: {
        hookEventName: "PreToolUse",
        permissionDecision: "allow",
        permissionDecisionReason: "not on main",
      },
    },
  ],
  [
    "claude-code",
    "permissionRequest",
    "deny",
    {
      hookSpecificOutput: {
        hookEventName: "PermissionRequest",
        decision: { behavior: "deny", message: "not on main" },
      },
    },
  ],
  [
    "claude-code",
    "permissionRequest",
    "allow",
    { hookSpecificOutput: { hookEventName: "PermissionRequest", decision: { behavior: "allow" } } },
  ],
  ["claude-code", "permissionRequest", "ask", null],
  [
    "codex",
    "preToolUse",
    "deny",
    {
      hookSpecificOutput: {
        hookEventName: "PreToolUse",
        permissionDecision: "deny",
        permissionDecisionReason: "not on main",
      },
    },
  ],
  [
    "codex",
    "permissionRequest",
    "deny",
    {
      hookSpecificOutput: {
        hookEventName: "PermissionRequest",
        decision: { behavior: "deny", message: "not on main" },
      },
    },
  ],
  ["codex", "permissionRequest", "ask", null],
  ["gemini-cli", "beforeTool", "deny", { decision: "deny", reason: "not on main" }],
  ["gemini-cli", "beforeTool", "allow", null],
  ["gemini-cli", "beforeTool", "ask", { decision: "deny", reason: `${asked("not on main")} tool's hooks cannot ask)` }],
  ["cursor", "beforeShell", "ask", { permission: "ask", user_message: "not on main", agent_message: "not on main" }],
  [
    "cursor",
    "beforeMcp",
    "deny",
    {
      permission: "deny",
      decision: "deny",
      reason: "not on main",
      user_message: "not on main",
      agent_message: "not on main",
    },
  ],
  ["cursor", "beforeShell", "allow", { permission: "allow", decision: "allow" }],
  [
    "cursor",
    "beforeRead",
    "ask",
    {
      permission: "deny",
      decision: "deny",
      reason: `${asked("not on main")} hook cannot ask)`,
      user_message: `${asked("not on main")} hook cannot ask)`,
      agent_message: `${asked("not on main")} hook cannot ask)`,
    },
  ],
] as const)(
  "%s, %s: a decision to %s is answered in its protocol, and signalled",
  async ([tool, name, effect, want]) => {
    const host = openHost()
    const payloads: Record<string, unknown> = PAYLOADS[tool]
    const { answer } = hook(host, tool, payloads[name], () => ({ ...DENY, effect }))
    expect(answer).toEqual({ stdout: want === null ? "" : `${JSON.stringify(want)}\n`, stderr: "", exitCode: 0 })
    const [signal] = await readSpool(host)
    expect(signal).toMatchObject({
      event: "belay.policy_decision",
      facts: {
        "belay.policy.effect": effect,
        "belay.policy.rule_id": "no-push",
        "belay.policy.layer": "org",
        "belay.policy_version": 7,
        "belay.origin": "rule",
      },
    })
  },
)

test("the policy sees the whole action, and only its program is sent", async () => {
  const host = openHost()
  const seen: unknown[] = []
  hook(host, "claude-code", PAYLOADS["claude-code"].preToolUse, (action) => {
    seen.push(action)
    return DENY
  })
  expect(seen).toEqual([{ kind: "shell", tool: "Bash", command: "git push --force origin main", paths: [] }])
  expect((await readSpool(host))[0]?.facts["belay.action"]).toBe("git push")
})

test.for([
  ["", "no_input"],
  ["not json", "bad_input"],
  ["[1]", "bad_input"],
  ["null", "bad_input"],
  ['{"hook_event_name":"SomethingNew"}', "unknown_event"],
  ["{}", "unknown_event"],
] as const)("%j is no opinion, and counted as %s", ([input, reason]) => {
  for (const tool of ["claude-code", "codex", "gemini-cli", "cursor"]) {
    const host = openHost()
    const { answer, isKept } = hook(host, tool, input)
    expect({ ...answer, isKept }).toEqual({
      stdout: tool === "cursor" ? "{}\n" : "",
      stderr: "",
      exitCode: 0,
      isKept: false,
    })
    expect(readStatus(host).failures).toEqual({ count: 1, lastAt: NOW, reasons: { [reason]: 1 } })
  }
})

test("a decision is answered when nothing can be kept, and a policy that fails is no opinion", () => {
  const host = openHost()
  // Where the folder should be there is a file.
  writeFileSync(path.join(host.home, ".belay"), "")
  expect(hook(host, "claude-code", PAYLOADS["claude-code"].edited).answer.exitCode).toBe(0)
  const denied = hook(host, "gemini-cli", PAYLOADS["gemini-cli"].beforeTool, () => DENY)
  expect(denied).toEqual({
    answer: { stdout: '{"decision":"deny","reason":"not on main"}\n', stderr: "", exitCode: 0 },
    isKept: false,
  })
  const failing = hook(openHost(), "gemini-cli", PAYLOADS["gemini-cli"].beforeTool, () => {
    throw new Error("no bundle")
  })
  expect(failing.answer).toEqual({ stdout: "", stderr: "", exitCode: 0 })
})

/** The canary: never part of a fixture, and not a word that a name is made of. */
const TOKEN = "zq7canary7xj"

const secret = fc.constantFrom(
  `/home/dev/${TOKEN}/plan.ts`,
  `../${TOKEN}/plan.ts`,
  `C:\\Users\\${TOKEN}`,
  `https://intranet.example/${TOKEN}?q=1`,
  `please rename ${TOKEN} in the billing code`,
  `const key = "${TOKEN}"`,
  `a line of ${TOKEN}\nand a second line`,
  `all ${`${TOKEN} `.repeat(20)}`,
  `git commit -m "${TOKEN}"`,
  `git push --force origin HEAD:${TOKEN}`,
  `KEY="a ${TOKEN}" make`,
  `sk-${TOKEN}${TOKEN}`,
  `*** Add File: ${TOKEN}.ts\n+${TOKEN}`,
  JSON.stringify({ command: `rm -rf ${TOKEN}`, file_path: `/srv/${TOKEN}` }),
)

/** Without these no event is recognized, and nothing would be sent to look at. */
const KEPT: ReadonlySet<string> = new Set(["hook_event_name", "tool_name", "failure_type", "status"])

function stuff(value: unknown, text: string, key = ""): unknown {
  if (typeof value === "string") return KEPT.has(key) ? value : text
  if (Array.isArray(value)) return value.map((item) => stuff(item, text, key))
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, stuff(item, text, key)]))
}

function bytesIn(folder: string): string {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name + readFileSync(path.join(entry.parentPath, entry.name), "latin1"))
    .join("\n")
}

const everyPayload = Object.entries(PAYLOADS).flatMap(([tool, payloads]) =>
  Object.entries(payloads).map(([name, payload]) => ({ tool, name, payload })),
)

test.each(everyPayload)("$tool, $name: a secret in every string is not on disk", ({ tool, payload }) => {
  fc.assert(
    fc.property(secret, (text) => {
      const host = openHost()
      hook(host, tool, stuff(payload, text), () => DENY)
      hook(host, tool, stuff(payload, text))
      expect(bytesIn(host.home)).not.toContain(TOKEN)
    }),
    { numRuns: 14 },
  )
})

test("even a name is none when it is a sentence, a path or a key; as a word it would be seen", () => {
  const host = openHost()
  const named = { ...PAYLOADS.cursor.ranShell, tool_name: "Custom" }
  for (const tool_name of [`say ${TOKEN} five times over`, `/opt/${TOKEN}`, `ghp_${TOKEN}${TOKEN}`]) {
    hook(host, "cursor", { ...named, tool_name })
  }
  expect(bytesIn(host.home)).not.toContain(TOKEN)
  hook(host, "cursor", { ...named, tool_name: TOKEN })
  expect(bytesIn(host.home)).toContain(TOKEN)
})
