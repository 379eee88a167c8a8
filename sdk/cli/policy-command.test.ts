import { execFile } from "node:child_process"
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { expect, test as base, vi } from "vitest"
import type { PolicyDocument } from "../policy/document.ts"
import { sealed, startPolicyServer } from "../policy/test-policy-server.ts"
import { openSpool } from "../spool.ts"
import { connect } from "./connect/connect.ts"
import { examine } from "./doctor.ts"
import type { Host } from "./home.ts"
import { decideHook } from "./hook/decide.ts"
import type { HookAction, HookContext } from "./hook/hook.ts"
import { readHookPolicy } from "./hook/kept-policy.ts"
import { PAYLOADS } from "./hook/payloads.ts"
import { mayReadPolicy, readPolicyStatus } from "./policy-command.ts"
import { pullPolicy, refreshPolicy } from "./refresh-policy.ts"
import { readStatus } from "./status.ts"

vi.setConfig({ testTimeout: 60_000 })

const KEY = "blk_0123456789abcdefghijklmn"

const test = base
  .extend("server", async ({}, { onCleanup }) => {
    const server = await startPolicyServer()
    onCleanup(() => server.stop())
    return server
  })
  .extend("home", ({}, { onCleanup }) => {
    const home = mkdtempSync(path.join(tmpdir(), "belay-policy-"))
    onCleanup(() => rmSync(home, { recursive: true, force: true, maxRetries: 5 }))
    return home
  })
  .extend("host", ({ home, server }) => hostOf(home, server.endpoint))

function hostOf(home: string, endpoint: string, later = 0): Host {
  const env = { BELAY_ENDPOINT: endpoint, BELAY_INGEST_KEY: KEY, BELAY_ENDUSER_ID: "ada@example.com" }
  return { env, home, cwd: home, platform: "linux", now: () => Date.now() + later }
}

const CONTEXT: HookContext = {
  agentTool: "claude-code",
  rung: "agent",
  surface: "terminal",
  workspace: "/srv/project",
  cwd: "/srv/project",
  model: undefined,
}
const shell = (command: string): HookAction => ({ tool: "Bash", actions: [{ kind: "shell", command }] })

const ruled = (...rules: NonNullable<NonNullable<PolicyDocument["permissions"]>["rules"]>): PolicyDocument => ({
  schema: "belay.policy/1",
  permissions: { unavailable: { shell: "closed", web: "open" }, rules },
})

test("a hook decides by what is on disk, says why and where to ask, and has no opinion without a policy", async ({
  server,
  host,
}) => {
  expect(decideHook(host, shell("git push"), CONTEXT)).toBeNull()
  server.publish(sealed(7, "git push *"))
  await pullPolicy(host)
  await server.stop()
  expect(decideHook(host, shell("git push origin"), CONTEXT)).toEqual({
    effect: "deny",
    because: "rule",
    reason: `not here (Rule no of the organization's policy; platform answers for it; ask for an exception at ${server.endpoint}/policy/exceptions/new?rule=no)`,
    ruleId: "no",
    layer: "organization",
    policyVersion: 7,
  })
  expect(decideHook(host, shell("ls"), CONTEXT)).toMatchObject({ effect: "allow", because: "unset", policyVersion: 7 })
  const elsewhere = { ...host, env: { ...host.env, BELAY_APP_URL: "https://belay.example/" } }
  expect(decideHook(elsewhere, shell("git push x"), CONTEXT)?.reason).toContain(
    "at https://belay.example/policy/exceptions/new?rule=no)",
  )
})

test("a hook knows how budgets stand for ten minutes, and that one is used up until it starts anew", async ({
  server,
  host,
  home,
}) => {
  const limit = { unit: "usd", amount: 4 } as const
  const document: PolicyDocument = {
    schema: "belay.policy/1",
    budgets: [{ id: "day", scope: "person", period: "day", limit, hard: "deny" }],
  }
  server.publish(sealed(1, "", { document }))
  const stand = (used: number, minutes: number) =>
    server.stand(
      [{ layer: "organization", id: "day", used, limit: 4, resetsAt: new Date(Date.now() + 3_600_000).toISOString() }],
      { asOf: new Date(Date.now() + minutes * 60_000).toISOString() },
    )
  const effectAfter = (minutes: number) =>
    decideHook(hostOf(home, server.endpoint, minutes * 60_000), shell("ls"), CONTEXT)?.effect
  await pullPolicy(host)
  expect(effectAfter(0)).toBe("ask")
  stand(1, 0)
  await pullPolicy(host)
  expect([effectAfter(0), effectAfter(9), effectAfter(11)]).toEqual(["allow", "allow", "ask"])
  // Not changed since, and known anew.
  stand(1, 5)
  await pullPolicy(hostOf(home, server.endpoint, 5 * 60_000))
  expect(effectAfter(11)).toBe("allow")
  stand(4, 6)
  await pullPolicy(hostOf(home, server.endpoint, 6 * 60_000))
  expect([effectAfter(6), effectAfter(50), effectAfter(61)]).toEqual(["deny", "deny", "ask"])
  expect(decideHook(host, shell("ls"), CONTEXT)?.ruleId).toBe("budgets.day")
})

test("every part of an action, the model, links, the repository and the mode count", async ({ server, host, home }) => {
  const document = ruled(
    { id: "secrets", effect: "deny", action: "edit", pattern: "secrets/**" },
    { id: "no-mini", effect: "deny", action: "model", pattern: "gpt-5-mini" },
    { id: "here", effect: "deny", action: "web", pattern: "*", when: { repository: ["acme/*"], mode: ["plan"] } },
  )
  server.publish(sealed(1, "", { document }))
  await pullPolicy(host)
  const workspace = path.join(home, "project")
  mkdirSync(path.join(workspace, "secrets"), { recursive: true })
  mkdirSync(path.join(workspace, "src"))
  mkdirSync(path.join(workspace, ".git"))
  writeFileSync(
    path.join(workspace, ".git/config"),
    '[core]\n[remote "origin"]\n\turl = git@github.com:acme/shop.git\n',
  )
  symlinkSync("secrets", path.join(workspace, "open"))
  const context = { ...CONTEXT, workspace, cwd: path.join(workspace, "src") }
  const ruleOf = (actions: HookAction["actions"], more: Partial<HookContext> = {}) =>
    decideHook(host, { tool: "x", actions }, { ...context, ...more })?.ruleId
  const edit = (...paths: string[]) => paths.map((file) => ({ kind: "edit", path: file }) as const)
  expect(ruleOf(edit("a.ts"))).toBeUndefined()
  expect(ruleOf(edit("a.ts", "../secrets/key"))).toBe("secrets")
  expect(ruleOf(edit("../open/new/key"))).toBe("secrets")
  expect(ruleOf(edit("a.ts"), { model: "openai/gpt-5-mini-2026-01-01" })).toBe("no-mini")
  expect(ruleOf(edit("a.ts"), { model: "auto" })).toBeUndefined()
  const web = [{ kind: "web", url: "https://example.com" }] as const
  expect(ruleOf(web, { mode: "plan" })).toBe("here")
  expect(ruleOf(web, { mode: "code" })).toBeUndefined()
})

test("a file that was cut off lets through what the last known policy says, and is told of", async ({
  server,
  host,
  home,
}) => {
  server.publish(sealed(1, "", { document: ruled({ id: "no", effect: "ask", action: "shell", pattern: "rm *" }) }))
  await pullPolicy(host)
  const folder = path.join(home, ".belay/policy")
  const [file = ""] = readdirSync(folder).filter((name) => /^\w{8}\.json$/.test(name))
  truncateSync(path.join(folder, file), 200)
  const decide = (actions: HookAction["actions"]) => decideHook(host, { tool: "x", actions }, CONTEXT)?.effect
  expect(decide([{ kind: "shell", command: "ls" }])).toBe("deny")
  expect(decide([{ kind: "web", url: "https://example.com" }])).toBe("allow")
  expect(decide([{ kind: "read", path: "a" }])).toBe("ask")
  expect(readHookPolicy(host)).toMatchObject({ isKept: true })
  expect(readHookPolicy(host).unavailable()).toEqual({ shell: "closed", web: "open" })
  expect(readStatus(host).failures.reasons).toEqual({ policy: 3 })
  const checks = await examine(host, "belay")
  expect(checks.find(({ name }) => name === "policy")).toMatchObject({ result: "error" })
  expect((await pullPolicy(host))?.fetched).toEqual({ result: "in_force" })
  expect(decide([{ kind: "shell", command: "ls" }])).toBe("allow")
})

test("what runs beside hooks asks again after a minute, and tells what each tool's hook goes by, once", async ({
  server,
  home,
}) => {
  const at = (minutes: number) => hostOf(home, server.endpoint, minutes * 60_000)
  server.publish(sealed(1, "ls"))
  await refreshPolicy(at(0), "codex")
  expect(server.asked).toEqual([])
  await pullPolicy(at(0))
  expect(readHookPolicy(at(0)).isStale).toBe(false)
  await refreshPolicy(at(0.5), "codex")
  expect(server.reports).toEqual([])
  expect(readHookPolicy(at(2)).isStale).toBe(true)
  await refreshPolicy(at(2), "codex")
  await refreshPolicy(at(4), "codex")
  await refreshPolicy(at(6), "cursor")
  server.behave = ({ url }, response) => url === "/v1/policy" && Boolean(response.writeHead(200).end("<html>"))
  await refreshPolicy(at(8), "codex")
  await refreshPolicy(at(8 + 24 * 60), "codex")
  const common = { version: 1, canary: "deny", belayVersion: "0.1.0" }
  const refused = { ...common, agentTool: "codex", state: "last_good", refusal: "not_an_envelope" }
  expect(server.reports).toMatchObject([
    { ...common, agentTool: "codex", state: "in_force", refusal: null },
    { ...common, agentTool: "cursor", state: "in_force", refusal: null },
    refused,
    refused,
  ])
  expect(new Set(server.reports.map(({ id }) => id)).size).toBe(2)
  expect(readPolicyStatus(at(0))).toMatchObject({ version: 1, refusal: "not_an_envelope", problem: null })
})

test("connect lets hooks decide where it is asked to or the key may, and takes that back", async ({
  server,
  host,
  home,
}) => {
  const given = { endpoint: server.endpoint, key: KEY }
  expect(await mayReadPolicy(given, host)).toBe(true)
  server.behave = (_, response) => Boolean(response.writeHead(403).end())
  expect(await mayReadPolicy(given, host)).toBe(false)
  await server.stop()
  expect(await mayReadPolicy(given, host)).toBeUndefined()
  const settings: Record<string, readonly [string, readonly string[]]> = {
    "claude-code": [".claude/settings.json", ["PreToolUse"]],
    codex: [".codex/hooks.json", ["PreToolUse"]],
    "gemini-cli": [".gemini/settings.json", ["BeforeTool"]],
    cursor: [
      ".cursor/hooks.json",
      ["beforeShellExecution", "beforeMCPExecution", "beforeReadFile", "subagentStart", "preToolUse"],
    ],
  }
  for (const [tool, [file, deciding]] of Object.entries(settings)) {
    const run = (isDeciding: boolean | undefined) => {
      connect({ tool, given: { ...given, isDeciding }, isDryRun: false, belay: "/opt/belay" }, host)
      const { hooks } = JSON.parse(readFileSync(path.join(home, file), "utf8")) as { hooks: Record<string, unknown> }
      return deciding.filter((event) => JSON.stringify(hooks[event] ?? "").includes(`belay hook ${tool}`))
    }
    expect(run(false)).toEqual([])
    expect(run(true)).toEqual(deciding)
    expect(run(undefined)).toEqual(deciding)
    expect(run(false)).toEqual([])
  }
})

const CLI = path.join(import.meta.dirname, "belay-cli.ts")

test("the command: connect, a denied action, a signal of it, pull, status and test", async ({ server, home }) => {
  const run = (args: readonly string[], input = "") =>
    new Promise<string>((resolve) => {
      const env = { ...process.env, HOME: home, CLAUDE_CONFIG_DIR: undefined }
      const child = execFile(process.execPath, [CLI, ...args], { env, cwd: home }, (error, stdout, stderr) =>
        resolve(`${error?.code ?? 0} ${stdout}${stderr}`),
      )
      child.stdin?.end(input)
    })
  server.publish(sealed(3, "git push *"))
  const place = ["--endpoint", server.endpoint, "--key", KEY, "--user", "ada@example.com"]
  expect(await run(["connect", "claude-code", ...place])).toContain("policy: version 3 is in force")
  const answer = await run(["hook", "claude-code"], JSON.stringify(PAYLOADS["claude-code"].preToolUse))
  expect(JSON.parse(answer.slice(2))).toMatchObject({
    hookSpecificOutput: {
      permissionDecision: "deny",
      permissionDecisionReason: expect.stringContaining("/policy/exceptions/new?rule=no"),
    },
  })
  const read = { ...PAYLOADS["claude-code"].preToolUse, tool_name: "Read", tool_input: { file_path: "/a" } }
  expect(await run(["hook", "claude-code"], JSON.stringify(read))).toBe("0 ")
  // The hooks have what they kept sent; whatever is left waits here.
  expect(await run(["status"])).toMatch(/policy +version 3, signed 2026-11-20T12:00:00Z \(organization 3\)/)
  expect(await run(["policy", "test", "git", "push", "origin"])).toMatch(
    /^0 deny because rule no, organization, version 3\n/,
  )
  expect(await run(["policy", "test", "ls && git push"])).toMatch(
    /shell git push: deny\n +organization no: deny, matches/,
  )
  server.publish(sealed(2, "git push *"))
  expect(await run(["policy", "pull"])).toBe("1 what was answered is not taken (older); version 3 stays in force\n")
  expect(await run(["policy", "status"])).toMatch(/asked .*refused: older/)
  server.publish(sealed(4, "ls"))
  expect(await run(["policy", "pull"])).toBe("0 version 4 is in force\n")
  expect(await run(["policy", "pull", "--trust-anew"])).toBe("0 version 4 is in force\n")
  expect(await run(["policy"])).toMatch(/^1 belay: belay policy status/)
  expect(await run(["doctor"])).toMatch(/ok +policy +version 4 is in force/)
})

test("a decision that lets an action go on is a signal as well", async ({ server, host, home }) => {
  server.publish(sealed(3, "git push *"))
  await pullPolicy(host)
  await server.stop()
  const env = { ...process.env, ...host.env, HOME: home }
  const payload = { ...PAYLOADS["claude-code"].preToolUse, tool_input: { command: "npm test -- --secret" } }
  const { folder } = readStatus(host)
  // As if a flush were under way, so that none starts.
  mkdirSync(folder, { recursive: true })
  writeFileSync(path.join(folder, "flush.lock"), "")
  await new Promise<void>((resolve) => {
    const child = execFile(process.execPath, [CLI, "hook", "claude-code"], { env }, () => resolve())
    child.stdin?.end(JSON.stringify(payload))
  })
  const bodies: string[] = []
  await openSpool({ folder, now: host.now }).drain(({ body }) => {
    bodies.push(Buffer.from(body).toString())
    return Promise.resolve("sent")
  })
  expect(bodies).toHaveLength(1)
  for (const fact of ["belay.policy_decision", "npm test", "unset", "claude-code"]) expect(bodies[0]).toContain(fact)
  expect(bodies[0]).not.toContain("secret")
})
