import { mkdtempSync, mkdirSync, rmSync, symlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { expect, expectTypeOf, test as base } from "vitest"
import { type Belay, noBelay, type BelayOptions, startBelay, type ShownSuggestion, type Suggestion } from "./index.ts"
import { createTestClock } from "./test-clock.ts"
import { startReceiver } from "./test-receiver.ts"

const test = base
  .extend("folder", async ({}, { onCleanup }) => {
    const folder = mkdtempSync(path.join(tmpdir(), "belay-sdk-"))
    onCleanup(() => rmSync(folder, { recursive: true, force: true }))
    return folder
  })
  .extend("receiver", async ({}, { onCleanup }) => {
    const receiver = await startReceiver()
    onCleanup(() => receiver.close())
    return receiver
  })
  .extend("clock", () => createTestClock())
  .extend("start", ({ folder, receiver, clock }) => {
    return (options: Partial<BelayOptions> = {}): Belay =>
      startBelay({
        endpoint: receiver.endpoint,
        ingestKey: "blk_test",
        agent: { name: "release-bot", version: "3.2.0" },
        spool: { folder: path.join(folder, "spool") },
        clock,
        ...options,
      })
  })

const id = expect.stringMatching(/^[0-9a-f]{24}-[0-9a-z]+$/)
const common = { "belay.signal_id": id, "belay.operation_id": id, time: "1795176000000000000" }

test("a suggestion is one signal, sent when the person has decided", async ({ start, receiver, clock }) => {
  const belay = start({ surface: "ide", user: "ada@example.com", repository: "acme/shop" })
  const suggestion = belay.autocomplete.suggest({ model: "codestral", language: "typescript", sessionId: "s1" })
  clock.advance(140)
  clock.jump(-140)
  suggestion.shown().accepted({ lines: 3, chars: 80 })
  await belay.shutdown()
  expect(receiver.records).toEqual([
    {
      ...common,
      event: "belay.suggestion",
      "belay.rung": "autocomplete",
      "session.id": "s1",
      "belay.surface": "ide",
      "gen_ai.request.model": "codestral",
      "belay.language": "typescript",
      "vcs.repository.name": "acme/shop",
      "belay.outcome": "accepted",
      "belay.origin": "human",
      "belay.latency_ms": 140,
      "belay.lines_added": 3,
      "belay.chars_added": 80,
    },
  ])
  expect(receiver.requests[0]?.headers).toMatchObject({
    authorization: "Bearer blk_test",
    "content-type": "application/json",
  })
  expect(receiver.requests[0]?.text).toContain('"release-bot"')
})

test("every way a suggestion ends", async ({ start, receiver }) => {
  const belay = start()
  const suggest = () => belay.autocomplete.suggest({ model: "m" })
  suggest().shown().rejected()
  suggest().shown().ignored()
  suggest().shown().accepted({ isModified: true }).survived({ at: "30s", share: 0.4 })
  suggest().late()
  suggest().failed("timeout")
  await belay.shutdown()
  const seen = receiver.records.map((record) => [record["event"], record["belay.outcome"], record["belay.origin"]])
  expect(seen).toEqual([
    ["belay.suggestion", "rejected", "human"],
    ["belay.suggestion", "ignored", "human"],
    ["belay.suggestion", "modified", "human"],
    ["belay.outcome", "reverted", "human"],
    ["belay.suggestion", "abandoned", undefined],
    ["belay.suggestion", "failed", undefined],
  ])
  expect(receiver.records[3]).toMatchObject({ "belay.survival.at": "30s", "belay.survival.share": 0.4 })
})

test("the wrong order does not compile, and is left out where it runs", async ({ start, receiver }) => {
  const belay = start()
  const suggestion = belay.autocomplete.suggest()
  expectTypeOf(suggestion).toEqualTypeOf<Suggestion>()
  // @ts-expect-error -- nobody can take what was not shown
  suggestion.accepted({ lines: 1 })
  const shown = suggestion.shown()
  expectTypeOf(shown).toEqualTypeOf<ShownSuggestion>()
  // @ts-expect-error -- it is shown already
  shown.shown()
  const accepted = shown.accepted()
  // @ts-expect-error -- and decided on once
  accepted.rejected()
  const turn = belay.chat.turn()
  // @ts-expect-error -- there is no answer to apply yet
  expect(() => turn.applied()).toThrow(TypeError)
  const answered = turn.firstToken().answered()
  // @ts-expect-error -- it is answered
  expect(() => answered.firstToken()).toThrow(TypeError)
  const task = belay.agent.task()
  // @ts-expect-error -- who decided is said with every decision
  task.edit({ path: "a", outcome: "accepted" })
  const done = task.finish({ outcome: "accepted" })
  // @ts-expect-error -- it is done
  expect(() => done.tool("bash")).toThrow(TypeError)
  task.tool("bash")
  task.finish({ outcome: "rejected" })
  await belay.shutdown()
  expect(receiver.records.map((record) => [record["event"], record["belay.outcome"]])).toEqual([
    ["belay.suggestion", "accepted"],
    ["belay.turn", undefined],
    ["belay.start", undefined],
    ["belay.edit", "accepted"],
    ["belay.task", "accepted"],
  ])
})

test("a chat turn: its latency, and what the person does with the answer", async ({ start, receiver, clock }) => {
  const belay = start()
  const turn = belay.chat.turn({ model: "gpt-5", provider: "openai", sessionId: "s" })
  clock.advance(300)
  const answering = turn.firstToken()
  clock.advance(700)
  const answered = answering.answered({ inputTokens: 100, outputTokens: 20, cachedTokens: 50, costUsd: 0.01 })
  answered.copied()
  answered.applied({ lines: 12 })
  answered.followedUp()
  answered.ignored()
  await belay.shutdown()
  expect(receiver.records).toMatchObject([
    { event: "belay.turn", "belay.latency_ms": 300, "belay.duration_ms": 1000, "gen_ai.usage.input_tokens": 100 },
    { event: "belay.outcome", "belay.outcome": "copied" },
    { event: "belay.edit", "belay.outcome": "accepted", "belay.origin": "human", "belay.lines_added": 12 },
    { event: "belay.outcome", "belay.action": "follow-up" },
    { event: "belay.edit", "belay.outcome": "ignored", "belay.origin": "human" },
  ])
  expect(new Set(receiver.records.map((record) => record["belay.operation_id"])).size).toBe(1)
})

test("a task: every call is a signal, and its end counts them", async ({ start, receiver, clock, folder }) => {
  const workspace = path.join(folder, "work")
  mkdirSync(path.join(workspace, "src"), { recursive: true })
  symlinkSync(folder, path.join(workspace, "link"))
  const belay = start()
  const task = belay.agent.task({ mode: "code", workspace, boundary: { allow: ["src"] } })
  task.model({ model: "claude-sonnet-4-5", provider: "anthropic", firstTokenMs: 200, durationMs: 900, outputTokens: 5 })
  task.tool("github/create_issue", { durationMs: 30, error: "timeout" })
  const prompt = task.prompt("git push")
  clock.advance(4000)
  prompt.allowed()
  prompt.denied()
  task.compacted()
  task.modeChanged("debug", "human")
  task.interrupted()
  task.edit({ path: "src/new/file.ts", linesAdded: 2 })
  task.edit({ path: path.join(workspace, "README.md") })
  task.edit({ path: "src/../link/x", outcome: "rejected", origin: "human" })
  task.edit({ path: "src/.env" })
  await belay.flush()
  clock.advance(1000)
  task
    .finish({ outcome: "accepted", diff: { linesAdded: 10, linesRemoved: 2, filesChanged: 3 }, verification: "passed" })
    .merged()
  await belay.shutdown()
  const [first, model, tool, permission, context, mode, interrupt, ...rest] = receiver.records
  expect([first, model, tool, permission, context, mode, interrupt]).toMatchObject([
    { event: "belay.start", "belay.mode": "code", "belay.rung": "agent" },
    { event: "belay.model_call", "belay.latency_ms": 200, "belay.duration_ms": 900 },
    { event: "belay.tool_call", "belay.action": "github/create_issue", "error.type": "timeout" },
    { event: "belay.permission", "belay.action": "git push", "belay.wait_ms": 4000, "belay.outcome": "accepted" },
    { event: "belay.context", "belay.action": "compact" },
    { event: "belay.mode_change", "belay.mode": "debug", "belay.origin": "human" },
    { event: "belay.outcome", "belay.action": "interrupt" },
  ])
  const scopes = rest
    .filter((record) => record["event"] === "belay.edit")
    .map((record) => String(record["belay.path_scope"]))
  expect(scopes.toSorted((a, b) => a.localeCompare(b))).toEqual([
    "in_scope",
    "out_of_scope",
    "out_of_scope",
    "sensitive",
  ])
  expect(rest.slice(-3)).toMatchObject([
    { event: "belay.outcome", "belay.action": "verification passed" },
    {
      event: "belay.task",
      "belay.duration_ms": 5000,
      "belay.tool_calls": 1,
      "belay.prompts": 1,
      "belay.files_changed": 3,
      "belay.origin": "human",
    },
    { event: "belay.outcome", "belay.outcome": "merged" },
  ])
  expect(receiver.requests.map((request) => request.text).join("")).not.toMatch(/README|src|link/)
})

test("a run has tasks for parts, and a token says more of either elsewhere", async ({ start, receiver }) => {
  const belay = start()
  const run = belay.orchestration.run({ mode: "orchestrator", sessionId: "s" })
  const task = run.spawn({ mode: "code" })
  task.finish({ outcome: "accepted", origin: "rule" })
  run.merge({ filesChanged: 2 })
  const { token } = run.finish({ outcome: "accepted" })
  await belay.shutdown()
  const later = start()
  later.resume(token).reverted({ origin: "unknown" })
  later.resume("no token").reverted()
  later.resume(task.token).survived({ at: "14d", share: 1 })
  await later.shutdown()

  const [start_, taskStart, , , , reverted, survived] = receiver.records
  expect(taskStart).toMatchObject({ "belay.parent_operation_id": start_?.["belay.operation_id"], "session.id": "s" })
  expect(receiver.records.map((record) => [record["event"], record["belay.rung"]])).toEqual([
    ["belay.start", "orchestration"],
    ["belay.start", "orchestration"],
    ["belay.task", "orchestration"],
    ["belay.outcome", "orchestration"],
    ["belay.run", "orchestration"],
    ["belay.outcome", "orchestration"],
    ["belay.outcome", "orchestration"],
  ])
  expect(reverted).toMatchObject({
    "belay.operation_id": start_?.["belay.operation_id"],
    "belay.origin": "unknown",
    "session.id": "s",
  })
  expect(survived).toMatchObject({ "belay.operation_id": taskStart?.["belay.operation_id"], "belay.survival.share": 1 })
})

test("a session goes on elsewhere, and may change its rung", async ({ start, receiver }) => {
  const belay = start({ surface: "ide" })
  const session = belay.session({ id: "conversation-1", rung: "agent" })
  session.rungChanged("chat", "human")
  session.rungChanged("chat", "human")
  belay.session({ id: session.id, rung: session.rung, surface: "terminal" }).ended()
  await belay.shutdown()
  expect(receiver.records).toMatchObject([
    { event: "belay.session", "belay.surface": "ide", "belay.rung": "agent" },
    { event: "belay.mode_change", "belay.rung": "chat", "belay.previous_rung": "agent", "belay.origin": "human" },
    { event: "belay.session", "belay.surface": "terminal", "belay.action": "start" },
    { event: "belay.session", "belay.surface": "terminal", "belay.action": "end", "session.id": "conversation-1" },
  ])
})

test("without a policy it is said that there is none", async ({ start, receiver, clock }) => {
  const belay = start({
    onPrompt: async () => {
      clock.advance(2000)
      return true
    },
  })
  expect(await belay.policy.check({ action: "git push", rung: "agent" })).toEqual({
    isAllowed: true,
    decision: { effect: "ask", because: "no_policy", ruleId: null, reason: null, layer: null, version: null },
  })
  await belay.shutdown()
  expect(receiver.records).toMatchObject([
    { event: "belay.policy_decision", "belay.policy.effect": "ask", "belay.policy.because": "no_policy" },
    { event: "belay.permission", "belay.outcome": "accepted", "belay.origin": "human", "belay.wait_ms": 2000 },
  ])
})

test("a policy decides; one that breaks, or a question that does, allows nothing", async ({ start, receiver }) => {
  const rule = {
    effect: "deny",
    because: "rule",
    ruleId: "protected",
    reason: "main is protected",
    layer: "org",
    version: 7,
  } as const
  const denying = start({ policy: { decide: () => rule } })
  expect(await denying.policy.check({ action: "git push", rung: "agent" })).toEqual({
    isAllowed: false,
    decision: rule,
  })
  await denying.shutdown()
  expect(receiver.records).toMatchObject([
    { "belay.policy.rule_id": "protected", "belay.policy.layer": "org", "belay.policy_version": 7 },
  ])
  const throwing = () => {
    throw new Error("broken")
  }
  const broken = start({ policy: { decide: throwing }, onPrompt: throwing })
  expect(await broken.policy.check({ action: "git push", rung: "agent" })).toMatchObject({
    isAllowed: false,
    decision: { effect: "ask", because: "error" },
  })
  await broken.shutdown()
})

test("a Belay that was not started takes everything and does nothing", async () => {
  noBelay.autocomplete.suggest({ model: "m" }).shown().accepted().survived({ at: "30s", share: 1 })
  const task = noBelay.agent.task({ workspace: "/" })
  task.edit({ path: "x" })
  expect(noBelay.resume(task.token).token).toBe(task.token)
  expect(await noBelay.shutdown()).toEqual({ isComplete: true })
  expect(noBelay.stats().emitted).toBe(0)
})
