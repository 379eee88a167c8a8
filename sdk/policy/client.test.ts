import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { expect, onTestFinished, test as base, vi } from "vitest"
import { type Clock, systemClock } from "../clock.ts"
import { type Belay, startBelay } from "../index.ts"
import { createTestClock } from "../test-clock.ts"
import { type PolicyState, publishedPolicy, type PublishedPolicyOptions } from "./client.ts"
import type { PolicyDocument } from "./document.ts"
import { openSignedBudgets, sealBudgets } from "./envelope.ts"
import { policyFiles } from "./note.ts"
import { KEY, makeKey, sealed, startPolicyServer } from "./test-policy-server.ts"

vi.setConfig({ testTimeout: 30_000 })

/** On a machine that is busy with other tests. */
const PATIENCE = { timeout: 20_000 }

const test = base
  .extend("folder", async ({}, { onCleanup }) => {
    const folder = mkdtempSync(path.join(tmpdir(), "belay-policy-"))
    onCleanup(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
    return folder
  })
  .extend("server", async ({}, { onCleanup }) => {
    const server = await startPolicyServer()
    onCleanup(() => server.stop())
    return server
  })
  .extend("clock", () => createFastClock())
  .extend("start", ({ server, folder, clock }) => {
    return (options: PublishedPolicyOptions & { user?: string; onPolicyUnavailable?: "allow" } = {}): Started => {
      const { user = "ada@example.com", onPolicyUnavailable, ...policy } = options
      const states: PolicyState[] = []
      const belay = startBelay({
        endpoint: server.endpoint,
        ingestKey: "blk_test",
        agent: { name: "release-bot", version: "3.2.0" },
        user,
        surface: "terminal",
        spool: false,
        clock,
        onPolicyUnavailable,
        policy: publishedPolicy({ folder, onChange: (state) => states.push(state), ...policy }),
      })
      onTestFinished(() => void belay.shutdown())
      return { belay, states }
    }
  })

interface Started {
  readonly belay: Belay
  /** Every change, the last one last. */
  readonly states: readonly PolicyState[]
}

/** A clock whose waits are a fiftieth of what they are, and that a test can set. */
function createFastClock(): Clock & { set(ms: number): void } {
  let offset = 0
  return {
    ...systemClock,
    now: () => systemClock.now() + offset,
    schedule: (work, ms, isAwaited) => systemClock.schedule(work, ms / 50, isAwaited),
    set(ms) {
      offset = ms - systemClock.now()
    },
  }
}

function effectOf(belay: Belay, command: string) {
  const { effect, because, version } = belay.policy.decide({
    action: "run",
    rung: "agent",
    what: { kind: "shell", command },
  })
  return `${effect} ${because} ${version}`
}

const DENIED_BY = (version: number) => `deny rule ${version}`

test("a client obeys what is published, what is pushed and what is rolled back, and says so", async ({
  server,
  start,
}) => {
  server.publish(sealed(1, "git push *"))
  const { belay } = start()
  expect(effectOf(belay, "git push origin")).toBe("ask no_policy null")
  await expect.poll(() => effectOf(belay, "git push origin"), PATIENCE).toBe(DENIED_BY(1))
  await expect.poll(() => server.listeners(), PATIENCE).toBe(1)
  server.publish(sealed(2, "npm publish"))
  server.push(sealed(2, "npm publish"))
  await expect.poll(() => effectOf(belay, "npm publish"), PATIENCE).toBe(DENIED_BY(2))
  expect(effectOf(belay, "git push origin")).toBe("allow unset 2")
  server.push(sealed(3, "git push *"))
  await expect.poll(() => effectOf(belay, "git push origin"), PATIENCE).toBe(DENIED_BY(3))
  await expect
    .poll(() => server.reports)
    .toMatchObject([
      { state: "in_force", version: 1, refusal: null, canary: "deny", agentTool: "release-bot", agentVersion: "3.2.0" },
      { state: "in_force", version: 2, canary: "deny" },
      { state: "in_force", version: 3, canary: "deny" },
    ])
  expect(server.asked[0]?.headers).toMatchObject({
    authorization: "Bearer blk_test",
    "belay-enduser": "ada@example.com",
  })
})

test("a client that got no keys at first asks for them again, and takes what was published meanwhile", async ({
  server,
  start,
}) => {
  let isAway = true
  server.behave = (request, response) => {
    if (!isAway || request.url !== "/v1/policy/keys") return false
    response.writeHead(503).end()
    return true
  }
  const { belay } = start()
  const asked = (line: string) => server.asked.filter((one) => one.line === line).length
  await expect.poll(() => asked("GET /v1/policy/keys"), PATIENCE).toBeGreaterThan(2)
  // What is pushed could not be checked, and would be refused until the stream ends.
  expect(asked("GET /v1/policy/events")).toBe(0)
  isAway = false
  server.publish(sealed(1, "git push *"))
  await expect.poll(() => effectOf(belay, "git push origin"), PATIENCE).toBe(DENIED_BY(1))
})

const MINUTE_MS = 60_000
const BUDGETED: PolicyDocument = {
  schema: "belay.policy/1",
  budgets: [
    { id: "month", scope: "person", period: "month", limit: { unit: "usd", amount: 10 }, hard: "deny" },
    { id: "day", scope: "person", period: "day", limit: { unit: "usd", amount: 4 }, hard: "deny" },
  ],
}

/** What is used of each budget, of which the day's starts anew in an hour. */
const standing = (month: number, day: number) => [
  { layer: "organization", id: "month", used: month, limit: 10, resetsAt: minutesFromNow(30 * 24 * 60) },
  { layer: "organization", id: "day", used: day, limit: 4, resetsAt: minutesFromNow(60) },
]
const minutesFromNow = (minutes: number) => new Date(systemClock.now() + minutes * MINUTE_MS).toISOString()

test("budgets that are used up stop an agent, and what is not known any more is asked about", async ({
  server,
  start,
  clock,
}) => {
  server.publish(sealed(1, "", { document: BUDGETED }))
  server.stand(standing(2, 1))
  const { belay } = start()
  await expect.poll(() => effectOf(belay, "ls"), PATIENCE).toBe("allow unset 1")
  await expect.poll(() => server.listeners(), PATIENCE).toBe(1)
  server.stand(standing(5, 4))
  server.pushBudgets()
  await expect.poll(() => effectOf(belay, "ls"), PATIENCE).toBe(DENIED_BY(1))
  server.stand(standing(5, 3))
  server.pushBudgets()
  await expect.poll(() => effectOf(belay, "ls"), PATIENCE).toBe("allow unset 1")
  await server.stop()
  // One that starts while nobody answers knows what was known.
  expect(effectOf(start().belay, "ls")).toBe("allow unset 1")
  clock.set(systemClock.now() + 11 * MINUTE_MS)
  expect(effectOf(belay, "ls")).toBe("ask unsure 1")
  expect(effectOf(start().belay, "ls")).toBe("ask unsure 1")
})

test("a budget that was used up stays so while Belay is away, until it starts anew", async ({
  server,
  start,
  clock,
}) => {
  server.publish(sealed(1, "", { document: BUDGETED }))
  server.stand(standing(5, 4))
  const { belay } = start()
  await expect.poll(() => effectOf(belay, "ls"), PATIENCE).toBe(DENIED_BY(1))
  await server.stop()
  clock.set(systemClock.now() + 50 * MINUTE_MS)
  expect([belay, start().belay].map((one) => effectOf(one, "ls"))).toEqual([DENIED_BY(1), DENIED_BY(1)])
  clock.set(systemClock.now() + 61 * MINUTE_MS)
  expect([belay, start().belay].map((one) => effectOf(one, "ls"))).toEqual(["ask unsure 1", "ask unsure 1"])
})

test("a server that tells nothing of budgets is one of which nothing is known; who has none does not ask", async ({
  server,
  start,
}) => {
  server.publish(sealed(1, "", { document: BUDGETED }))
  const { belay } = start()
  await expect.poll(() => effectOf(belay, "ls"), PATIENCE).toBe("ask unsure 1")
  const asked = () => server.asked.filter(({ line }) => line === "GET /v1/policy/budgets").length
  await expect.poll(asked, PATIENCE).toBeGreaterThan(0)
  expect(effectOf(belay, "ls")).toBe("ask unsure 1")
  await belay.shutdown()
  server.publish(sealed(2, "git push *"))
  const before = asked()
  const other = start({ folder: false }).belay
  await expect.poll(() => effectOf(other, "git push x"), PATIENCE).toBe(DENIED_BY(2))
  await expect.poll(() => server.listeners(), PATIENCE).toBe(1)
  expect(asked()).toBe(before)
})

test("how budgets stand is taken as the organization signed it for this person, and never back in time", () => {
  const policy = { organization: "acme", subject: "ada" }
  const at = (asOf: string, version = 3) => ({ ...policy, version, asOf, budgets: standing(5, 4) })
  const before = at("2026-11-20T12:00:00Z")
  const resultOf = (text: string) => {
    const opened = openSignedBudgets(text, { keys: [KEY], policy, before })
    return opened.ok ? "taken" : opened.reason
  }
  const later = at("2026-11-20T12:00:01Z")
  expect(
    [
      sealBudgets(later, KEY),
      sealBudgets(before, KEY),
      sealBudgets(at("2026-11-20T11:59:59Z"), KEY),
      sealBudgets({ ...later, version: 2 }, KEY),
      sealBudgets(later, makeKey("other")),
      sealBudgets(later, makeKey(KEY.id)),
      sealBudgets({ ...later, subject: null }, KEY),
      sealBudgets({ ...later, organization: "other" }, KEY),
      sealed(4, "*"),
      JSON.stringify({ budgets: standing(0, 0) }),
      "",
    ].map(resultOf),
  ).toEqual([
    "taken",
    "taken",
    "older",
    "older",
    "unknown_key",
    "wrong_signature",
    "other_person",
    "other_organization",
    "other_format",
    "not_an_envelope",
    "empty",
  ])
})

test("what somebody else wrote where it is kept how budgets stand is not known", async ({ server, start, folder }) => {
  server.publish(sealed(1, "", { document: BUDGETED }))
  server.stand(standing(5, 4))
  const { belay } = start()
  await expect.poll(() => effectOf(belay, "ls"), PATIENCE).toBe(DENIED_BY(1))
  await server.stop()
  const { budgets } = policyFiles(folder, { endpoint: server.endpoint, key: "blk_test", enduser: "ada@example.com" })
  const good = readFileSync(budgets, "utf8")
  expect(effectOf(start().belay, "ls")).toBe(DENIED_BY(1))
  const forged = sealBudgets(
    { organization: "acme", subject: "ada", version: 1, asOf: minutesFromNow(0), budgets: standing(0, 0) },
    makeKey(KEY.id),
  )
  for (const text of [JSON.stringify({ envelope: forged }), JSON.stringify({ budgets: standing(0, 0) }), "", good]) {
    writeFileSync(budgets, text)
    expect(effectOf(start().belay, "ls")).toBe(text === good ? DENIED_BY(1) : "ask unsure 1")
  }
})

const HTML = "<!doctype html><title>Please sign in</title>"

test.for([
  ["an empty body", (): string => "", "empty"],
  ["a truncated body", (): string => sealed(2, "npm publish").slice(0, -9), "not_an_envelope"],
  ["a page of a proxy", (): string => HTML, "not_an_envelope"],
  ["a key nobody announced", (): string => sealed(2, "npm publish", { key: makeKey("other") }), "unknown_key"],
  ["a wrong signature", (): string => sealed(2, "npm publish", { key: makeKey(KEY.id) }), "wrong_signature"],
  ["an older version", (): string => sealed(1, "npm publish"), "older"],
  ["another organization's", (): string => sealed(3, "npm publish", { organization: "other" }), "other_organization"],
] as const)(
  "%s is refused by who has a policy and who has none, and reported",
  async ([, make, reason], { server, start }) => {
    server.publish(sealed(2, "git push *"))
    const { belay, states } = start()
    await expect.poll(() => effectOf(belay, "git push origin"), PATIENCE).toBe(DENIED_BY(2))
    await expect.poll(() => server.listeners(), PATIENCE).toBe(1)
    server.behave = (request, response) => {
      if (request.url !== "/v1/policy") return false
      response.writeHead(200, { etag: '"bad"' }).end(make())
      return true
    }
    // Asked anew, since the connection went away.
    await server.stop()
    await server.start()
    await expect
      .poll(() => server.reports.at(-1), PATIENCE)
      .toMatchObject({ state: "last_good", version: 2, refusal: reason })
    expect(states.at(-1)).toEqual({ state: "last_good", version: 2, refusal: reason })
    expect(effectOf(belay, "git push origin")).toBe(DENIED_BY(2))
    if (reason === "older") return
    const beginner = start({ folder: false })
    await expect.poll(() => beginner.states.at(-1), PATIENCE).toEqual({ state: "none", version: null, refusal: reason })
    expect(effectOf(beginner.belay, "git push origin")).toBe("ask no_policy null")
  },
)

test.for(["<html>", "", sealed(1, "ls"), sealed(3, "ls").slice(0, 100)])(
  "what is pushed and is no newer policy changes nothing: %#",
  async (data, { server, start }) => {
    server.publish(sealed(2, "git push *"))
    const { belay, states } = start()
    await expect.poll(() => server.listeners(), PATIENCE).toBe(1)
    server.push(data)
    await expect.poll(() => states.at(-1)?.state, PATIENCE).toBe("last_good")
    expect(effectOf(belay, "git push origin")).toBe(DENIED_BY(2))
    server.push(sealed(3, "git push *"))
    await expect.poll(() => states.at(-1), PATIENCE).toEqual({ state: "in_force", version: 3, refusal: null })
  },
)

test("a body that is cut off is refused as one that is truncated", async ({ server, start }) => {
  server.behave = (request, response) => {
    if (request.url !== "/v1/policy") return false
    const envelope = sealed(1, "git push *")
    response.writeHead(200, { "content-length": envelope.length })
    response.write(envelope.slice(0, 100), () => response.destroy())
    return true
  }
  const { states } = start()
  await expect.poll(() => states.at(-1), PATIENCE).toEqual({ state: "none", version: null, refusal: "not_an_envelope" })
})

test("the last good policy holds through a server that is away, a start without one, and no_policy", async ({
  server,
  start,
  folder,
}) => {
  server.publish(sealed(4, "git push *"))
  const first = start()
  await expect.poll(() => effectOf(first.belay, "git push x"), PATIENCE).toBe(DENIED_BY(4))
  await expect.poll(() => server.listeners(), PATIENCE).toBe(1)
  await server.stop()
  expect(effectOf(first.belay, "git push x")).toBe(DENIED_BY(4))
  await first.belay.shutdown()
  // Two processes later, and nobody answers: at once, without waiting for anything.
  const second = start()
  expect(effectOf(second.belay, "git push x")).toBe(DENIED_BY(4))
  server.publish(null)
  await server.start()
  await expect
    .poll(() => server.reports.at(-1), PATIENCE)
    .toMatchObject({ state: "last_good", version: 4, refusal: null })
  expect(effectOf(second.belay, "git push x")).toBe(DENIED_BY(4))
  server.publish(sealed(5, "npm publish"))
  server.push(sealed(5, "npm publish"))
  await expect.poll(() => effectOf(second.belay, "npm publish"), PATIENCE).toBe(DENIED_BY(5))
  const files = readdirSync(folder).toSorted()
  expect(files).toEqual([expect.stringMatching(/^[0-9a-f]{8}\.json$/), expect.stringMatching(/note/), "installation"])
  for (const file of files) expect(statSync(path.join(folder, file)).mode & 0o777).toBe(0o600)
})

test("an answer that was not changed is not sent again, and another person's policy is kept apart", async ({
  server,
  start,
}) => {
  server.publish(sealed(4, "git push *"))
  const { belay, states } = start()
  await expect.poll(() => states.length, PATIENCE).toBe(1)
  await belay.shutdown()
  const again = start()
  await expect.poll(() => again.states.at(-1)?.state, PATIENCE).toBe("in_force")
  expect(server.asked.findLast(({ line }) => line === "GET /v1/policy")?.headers["if-none-match"]).toMatch(/^"/)
  const grace = start({ user: "grace@example.com" })
  expect(effectOf(grace.belay, "git push x")).toBe("ask no_policy null")
})

test.for([
  ["cut off", (text: string) => text.slice(0, text.length / 2), "stored_not_an_envelope"],
  ["emptied", () => "", "stored_empty"],
  [
    "another version written over",
    (text: string) => text.replace(/"payload\\":\\"ey/, '"payload\\":\\"eY'),
    "stored_wrong_signature",
  ],
] as const)(
  "a file that was %s is not taken, and reported; what it said of that holds",
  async ([, change, refusal], { server, start, folder }) => {
    const document = {
      schema: "belay.policy/1" as const,
      permissions: { unavailable: { shell: "closed" as const, edit: "open" as const } },
    }
    server.publish(sealed(4, "git push *", { document }))
    const first = start()
    await expect.poll(() => first.states.at(-1)?.version, PATIENCE).toBe(4)
    await first.belay.shutdown()
    await server.stop()
    const [file = ""] = readdirSync(folder).filter((name) => /^\w{8}\.json$/.test(name))
    const text = readFileSync(path.join(folder, file), "utf8")
    expect(change(text)).not.toBe(text)
    writeFileSync(path.join(folder, file), change(text))
    const { belay } = start()
    expect(effectOf(belay, "ls")).toBe("deny no_policy null")
    const decide = (what: Parameters<Belay["policy"]["decide"]>[0]["what"]) =>
      belay.policy.decide({ action: "x", rung: "agent", what }).effect
    expect(decide({ kind: "edit", path: "a.ts" })).toBe("allow")
    expect(decide({ kind: "web", url: "https://example.com" })).toBe("ask")
    server.reports.length = 0
    server.publish(null)
    await server.start()
    await expect
      .poll(() => server.reports)
      .toContainEqual(expect.objectContaining({ state: "none", version: null, refusal }))
  },
)

test("keys are believed once, and then only those that a checked policy announces", async ({ server, start }) => {
  const [second, third] = [makeKey("second"), makeKey("third")]
  server.publish(sealed(1, "a", { announced: [KEY, second] }))
  const { belay, states } = start()
  await expect.poll(() => server.listeners(), PATIENCE).toBe(1)
  server.push(sealed(2, "b", { key: third }))
  await expect.poll(() => states.at(-1)?.refusal, PATIENCE).toBe("unknown_key")
  server.push(sealed(2, "b", { key: second, announced: [second, third] }))
  await expect.poll(() => states.at(-1)?.version, PATIENCE).toBe(2)
  server.push(sealed(3, "c"))
  await expect.poll(() => states.at(-1)?.refusal, PATIENCE).toBe("unknown_key")
  server.publish(sealed(4, "d", { key: third }))
  await belay.shutdown()
  const next = start()
  await expect.poll(() => effectOf(next.belay, "d"), PATIENCE).toBe(DENIED_BY(4))
  expect(server.asked.filter(({ line }) => line === "GET /v1/policy/keys")).toHaveLength(1)
})

test("pinned keys are the only first ones, and lead to later ones through what is on disk", async ({
  server,
  start,
  folder,
}) => {
  const [second, third] = [makeKey("second"), makeKey("third")]
  server.publish(sealed(1, "a", { announced: [KEY, second] }))
  const stranger = start({ keys: [makeKey(KEY.id)], folder: path.join(folder, "stranger") })
  await expect.poll(() => stranger.states.at(-1)?.refusal, PATIENCE).toBe("wrong_signature")
  const { belay, states } = start({ keys: [KEY] })
  await expect.poll(() => server.listeners(), PATIENCE).toBe(2)
  server.push(sealed(2, "b", { key: second, announced: [second, third] }))
  await expect.poll(() => states.at(-1)?.version, PATIENCE).toBe(2)
  server.push(sealed(3, "c", { key: third }))
  await expect.poll(() => states.at(-1)?.version, PATIENCE).toBe(3)
  expect(server.asked.map(({ line }) => line)).not.toContain("GET /v1/policy/keys")
  await belay.shutdown()
  await server.stop()
  expect(effectOf(start({ keys: [KEY] }).belay, "c")).toBe(DENIED_BY(3))
  // Whoever writes the file cannot bring a key of their own in.
  const [file = ""] = readdirSync(folder).filter((name) => /^\w{8}\.json$/.test(name))
  const forger = makeKey("forger")
  const forged = {
    organization: "acme",
    keys: [forger],
    introductions: [],
    envelope: sealed(9, "zz", { key: forger }),
    etag: null,
  }
  writeFileSync(path.join(folder, file), JSON.stringify(forged))
  expect(effectOf(start({ keys: [KEY] }).belay, "zz")).toBe("ask no_policy null")
})

test("a clock that is set back brings nothing back that has expired", async ({ server, start, clock }) => {
  const rule = { id: "no", effect: "deny", action: "shell", pattern: "ls", expiresAt: "2026-11-20T11:00:00Z" } as const
  clock.set(Date.parse("2026-11-20T10:00:00Z"))
  server.publish(sealed(1, "", { document: { schema: "belay.policy/1", permissions: { rules: [rule] } } }))
  const { belay, states } = start()
  await expect.poll(() => states.at(-1)?.version, PATIENCE).toBe(1)
  expect(effectOf(belay, "ls")).toBe("allow unset 1")
  clock.set(0)
  expect(effectOf(belay, "ls")).toBe("allow unset 1")
})

test("a client whose decisions are not the policy's reports it by the canary", async ({ server, start }) => {
  server.publish(null)
  start({ onPolicyUnavailable: "allow" })
  await expect.poll(() => server.reports, PATIENCE).toMatchObject([{ state: "none", version: null, canary: "allow" }])
})

test("what the action and the host say counts as circumstances", async ({ server, start }) => {
  const when = { mode: ["architect"], repositoryLabel: ["production"], agentTool: ["release-bot"] }
  const rules = [{ id: "no", effect: "deny", action: "shell", pattern: "ls", when } as const]
  server.publish(sealed(1, "", { document: { schema: "belay.policy/1", permissions: { rules } } }))
  const { belay, states } = start({ contextOf: () => ({ repositoryLabels: ["production"] }) })
  await expect.poll(() => states.at(-1)?.version, PATIENCE).toBe(1)
  const decide = (mode: string) =>
    belay.policy.decide({ action: "ls", rung: "agent", mode, what: { kind: "shell", command: "ls" } }).effect
  expect([decide("architect"), decide("code")]).toEqual(["deny", "allow"])
})

test("daily the server is told again, though nothing changed", async ({ server }) => {
  const clock = createTestClock()
  server.publish(sealed(1, "ls"))
  const agent = { name: "a" }
  const policy = publishedPolicy({ folder: false })
  const belay = startBelay({ endpoint: server.endpoint, ingestKey: "k", agent, spool: false, clock, policy })
  onTestFinished(() => void belay.shutdown())
  await expect.poll(() => server.reports.length, PATIENCE).toBe(1)
  await expect
    .poll(() => {
      clock.advance(24 * 3_600_000)
      return server.reports.length
    })
    .toBeGreaterThan(1)
  expect(server.reports[1]).toEqual(server.reports[0])
})

test("a process that listens for its policy ends when its work is done", async ({ server }) => {
  server.publish(sealed(1, "git push *"))
  const program = `
    import { startBelay } from ${JSON.stringify(path.join(import.meta.dirname, "../index.ts"))}
    import { publishedPolicy } from ${JSON.stringify(path.join(import.meta.dirname, "client.ts"))}
    const belay = startBelay({
      endpoint: ${JSON.stringify(server.endpoint)}, ingestKey: "k", agent: { name: "a" }, spool: false,
      policy: publishedPolicy({ folder: false }),
    })
    process.stdin.on("data", () => {
      const { version } = belay.policy.decide({ action: "git push", rung: "agent" })
      process.stdout.write(String(version))
      process.stdin.unref()
    })`
  const child = spawn(process.execPath, ["--input-type=module", "-e", program])
  let printed = ""
  child.stdout.on("data", (chunk: Buffer) => (printed += chunk.toString()))
  const exited = once(child, "exit")
  await expect.poll(() => server.listeners(), PATIENCE).toBe(1)
  child.stdin.write("go\n")
  expect(await exited).toEqual([0, null])
  expect(printed).toBe("1")
})
