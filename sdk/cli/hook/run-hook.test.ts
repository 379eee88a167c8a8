import { hash } from "node:crypto"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import * as fc from "fast-check"
import { expect, onTestFinished, test } from "vitest"
import type { Unavailable } from "../../policy/note.ts"
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

function hook(
  host: Host,
  tool: string,
  input: unknown,
  decide: Decide = () => null,
  unavailable: () => Unavailable | null = () => null,
) {
  const text = typeof input === "string" ? input : JSON.stringify(input)
  return runHook({ tool, read: () => text, decide, unavailable, host, version: "1.2.3" })
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
  expect(await hook(host, tool, payload)).toEqual({
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
  for (const name of names) await hook(host, tool, payloads[name])
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
  ["claude-code", "preToolUse", "allow", null],
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
  ["claude-code", "permissionRequest", "allow", null],
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
  [
    "codex",
    "preToolUse",
    "ask",
    {
      hookSpecificOutput: {
        hookEventName: "PreToolUse",
        permissionDecision: "deny",
        permissionDecisionReason: `${asked("not on main")} tool's hooks cannot ask)`,
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
  ["cursor", "beforeShell", "allow", null],
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
    const { answer } = await hook(host, tool, payloads[name], () => ({ ...DENY, effect }))
    const silent = tool === "cursor" ? "{}\n" : ""
    expect(answer).toEqual({ stdout: want === null ? silent : `${JSON.stringify(want)}\n`, stderr: "", exitCode: 0 })
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
  await hook(host, "claude-code", PAYLOADS["claude-code"].preToolUse, (...asked) => {
    seen.push(...asked)
    return DENY
  })
  expect(seen).toEqual([
    { tool: "Bash", actions: [{ kind: "shell", command: "git push --force origin main" }] },
    {
      agentTool: "claude-code",
      rung: "agent",
      surface: "terminal",
      mode: "acceptEdits",
      sessionId: "5f1c4b5e-0000-4000-8000-000000000001",
      workspace: "/srv/project",
      cwd: "/srv/project",
    },
  ])
  expect((await readSpool(host))[0]?.facts["belay.action"]).toBe("git push")
})

test("an agent's edit tells which branch its session is on, of which nothing but a digest is sent", async () => {
  const host = openHost()
  const git = path.join(host.home, ".git")
  const edit = { ...PAYLOADS["claude-code"].edited, cwd: host.home }
  const branches = async () => {
    await hook(host, "claude-code", edit)
    await hook(host, "claude-code", { ...PAYLOADS["claude-code"].preToolUse, cwd: host.home })
    const sent = await readSpool(host)
    expect(JSON.stringify(sent)).not.toContain("confidential")
    return sent.filter(({ facts }) => String(facts["belay.action"]).startsWith("branch "))
  }
  expect(await branches()).toEqual([])
  mkdirSync(git)
  writeFileSync(path.join(git, "config"), '[remote "origin"]\n\turl = git@example.com:acme/shop.git\n')
  writeFileSync(path.join(git, "HEAD"), "ref: refs/heads/fix/confidential\n")
  const digest = hash("sha256", "acme/shop\nfix/confidential", "hex").slice(0, 32)
  expect(await branches()).toMatchObject([
    {
      event: "belay.outcome",
      facts: { ...claudeSession, "belay.action": `branch ${digest}`, "vcs.repository.name": "acme/shop" },
    },
  ])
  // None is checked out.
  writeFileSync(path.join(git, "HEAD"), `${"a".repeat(40)}\n`)
  expect(await branches()).toEqual([])
})

test.for([
  ["", "no_input"],
  ["not json", "bad_input"],
  ["[1]", "bad_input"],
  ["null", "bad_input"],
  ['{"hook_event_name":"SomethingNew"}', "unknown_event"],
  ["{}", "unknown_event"],
] as const)("%j is no opinion, and counted as %s", async ([input, reason]) => {
  for (const tool of ["claude-code", "codex", "gemini-cli", "cursor"]) {
    const host = openHost()
    const { answer, isKept } = await hook(host, tool, input)
    expect({ ...answer, isKept }).toEqual({
      stdout: tool === "cursor" ? "{}\n" : "",
      stderr: "",
      exitCode: 0,
      isKept: false,
    })
    expect(readStatus(host).failures).toEqual({ count: 1, lastAt: NOW, reasons: { [reason]: 1 } })
  }
})

test("a decision is answered when nothing can be kept, and a policy that fails is no opinion", async () => {
  const host = openHost()
  // Where the folder should be there is a file.
  writeFileSync(path.join(host.home, ".belay"), "")
  expect((await hook(host, "claude-code", PAYLOADS["claude-code"].edited)).answer.exitCode).toBe(0)
  const denied = await hook(host, "gemini-cli", PAYLOADS["gemini-cli"].beforeTool, () => DENY)
  expect(denied).toEqual({
    answer: { stdout: '{"decision":"deny","reason":"not on main"}\n', stderr: "", exitCode: 0 },
    isKept: false,
  })
  const failing = await hook(openHost(), "gemini-cli", PAYLOADS["gemini-cli"].beforeTool, () => {
    throw new Error("no bundle")
  })
  expect(failing.answer).toEqual({ stdout: "", stderr: "", exitCode: 0 })
})

test("a hook that fails lets nothing through where the last known policy says closed, and only there", async () => {
  const shut: Unavailable = { shell: "closed", edit: "open" }
  const broken = () => {
    throw new Error("no bundle")
  }
  const blocked = { stdout: "", stderr: expect.stringContaining("belay doctor"), exitCode: 2 }
  for (const [tool, payload] of [
    ["claude-code", PAYLOADS["claude-code"].preToolUse],
    ["codex", PAYLOADS.codex.preToolUse],
    ["gemini-cli", PAYLOADS["gemini-cli"].beforeTool],
    ["cursor", PAYLOADS.cursor.beforeShell],
    ["claude-code", "{ what is it"],
  ] as const) {
    expect((await hook(openHost(), tool, payload, broken, () => shut)).answer).toEqual(blocked)
    expect((await hook(openHost(), tool, payload, broken, () => ({ shell: "ask" }))).answer.exitCode).toBe(0)
  }
  const edit = { ...PAYLOADS["claude-code"].permissionRequest, hook_event_name: "PreToolUse" }
  expect((await hook(openHost(), "claude-code", edit, broken, () => shut)).answer.exitCode).toBe(0)
})

const claudeCall = (tool_name: string, tool_input: unknown) =>
  ["claude-code", { ...PAYLOADS["claude-code"].preToolUse, tool_name, tool_input }] as const
const codexCall = (tool_name: string, tool_input: unknown) =>
  ["codex", { ...PAYLOADS.codex.preToolUse, tool_name, tool_input }] as const
const geminiCall = (tool_name: string, tool_input: unknown) =>
  ["gemini-cli", { ...PAYLOADS["gemini-cli"].beforeTool, tool_name, tool_input }] as const
const cursorCall = (tool_name: string, tool_input: unknown) =>
  ["cursor", { ...PAYLOADS.cursor.beforeRead, hook_event_name: "preToolUse", tool_name, tool_input }] as const

test.for([
  [claudeCall("Bash", { command: "ls" }), [{ kind: "shell", command: "ls" }]],
  [claudeCall("Bash", {}), [{ kind: "shell", command: "$UNKNOWN" }]],
  [claudeCall("Write", { file_path: "/a/b" }), [{ kind: "edit", path: "/a/b" }]],
  [claudeCall("Write", { other: "/a/b" }), [{ kind: "edit", path: "\0" }]],
  [claudeCall("NotebookEdit", { notebook_path: "n.ipynb" }), [{ kind: "edit", path: "n.ipynb" }]],
  [claudeCall("Read", { file_path: "/a/.env" }), [{ kind: "read", path: "/a/.env" }]],
  [claudeCall("Grep", { pattern: "/etc/x" }), [{ kind: "read", path: "." }]],
  [claudeCall("Glob", { pattern: "/etc/ssl/*.pem" }), [{ kind: "read", path: "/etc/ssl/" }]],
  [claudeCall("Glob", { pattern: "**/*.ts", path: "src" }), [{ kind: "read", path: "src" }]],
  [claudeCall("WebFetch", { url: "https://example.com/a" }), [{ kind: "web", url: "https://example.com/a" }]],
  [claudeCall("WebSearch", { query: "how" }), [{ kind: "web", url: "https://unknown.invalid/" }]],
  [claudeCall("Task", { subagent_type: "Explore" }), [{ kind: "subagent", name: "Explore" }]],
  [claudeCall("Agent", {}), [{ kind: "subagent", name: "general-purpose" }]],
  [claudeCall("mcp__git_hub__create__issue", {}), [{ kind: "mcp", server: "git_hub", tool: "create__issue" }]],
  [claudeCall("TodoWrite", { todos: [] }), null],
  [
    codexCall("shell", { command: ["bash", "-lc", "rm x"], workdir: "sub" }),
    [{ kind: "shell", command: ["bash", "-lc", "rm x"], cwd: "sub" }],
  ],
  [codexCall("exec_command", { cmd: "ls" }), [{ kind: "shell", command: "ls" }]],
  [
    codexCall("apply_patch", { command: PAYLOADS.codex.edited.tool_input.command }),
    [
      { kind: "edit", path: "src/a.ts" },
      { kind: "edit", path: "/srv/other/b.ts" },
    ],
  ],
  [geminiCall("run_shell_command", { command: "ls", dir_path: "a" }), [{ kind: "shell", command: "ls", cwd: "a" }]],
  [
    geminiCall("read_many_files", { include: ["a", "b/*"] }),
    [
      { kind: "read", path: "a" },
      { kind: "read", path: "b/*" },
    ],
  ],
  [
    geminiCall("web_fetch", { prompt: "compare https://a.example/x and http://b.example." }),
    [
      { kind: "web", url: "https://a.example/x" },
      { kind: "web", url: "http://b.example." },
    ],
  ],
  [cursorCall("Write", { file_path: "/a" }), [{ kind: "edit", path: "/a" }]],
  [cursorCall("Shell", { command: "ls" }), null],
  [["cursor", PAYLOADS.cursor.beforeShell], [{ kind: "shell", command: "npm publish" }]],
  [
    ["cursor", PAYLOADS.cursor.beforeMcp],
    [{ kind: "mcp", server: "unknown", tool: "create_issue", url: "https://mcp.example.com" }],
  ],
  [["cursor", PAYLOADS.cursor.beforeRead], [{ kind: "read", path: "/srv/project/.env" }]],
] as const)("what a hook is about to let through: %j is %j", async ([[tool, payload], want]) => {
  const seen: unknown[] = []
  await hook(openHost(), tool, payload, ({ actions }) => {
    seen.push(actions)
    return null
  })
  expect(seen).toEqual(want === null ? [] : [want])
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

test.each(everyPayload)("$tool, $name: a secret in every string is not on disk", async ({ tool, payload }) => {
  await fc.assert(
    fc.asyncProperty(secret, async (text) => {
      const host = openHost()
      await hook(host, tool, stuff(payload, text), () => DENY)
      await hook(host, tool, stuff(payload, text))
      expect(bytesIn(host.home)).not.toContain(TOKEN)
    }),
    { numRuns: 14 },
  )
})

test("even a name is none when it is a sentence, a path or a key; as a word it would be seen", async () => {
  const host = openHost()
  const named = { ...PAYLOADS.cursor.ranShell, tool_name: "Custom" }
  for (const tool_name of [`say ${TOKEN} five times over`, `/opt/${TOKEN}`, `ghp_${TOKEN}${TOKEN}`]) {
    await hook(host, "cursor", { ...named, tool_name })
  }
  expect(bytesIn(host.home)).not.toContain(TOKEN)
  await hook(host, "cursor", { ...named, tool_name: TOKEN })
  expect(bytesIn(host.home)).toContain(TOKEN)
})
