import * as fs from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import path from "node:path"
import { parse as parseToml } from "@decimalturn/toml-patch"
import { expect, onTestFinished, test } from "vitest"
import { examine } from "../doctor.ts"
import { type Host, readSettings } from "../home.ts"
import { connect, undo } from "./connect.ts"
import { parseJson } from "./edit-json.ts"
import { PLANS } from "./plans.ts"

const KEY = "blk_0123456789abcdefghijklmn"
const BELAY = "/opt/node /opt/belay.cjs"
const GIVEN = { endpoint: "http://127.0.0.1:4318", key: KEY, enduserId: "ada@example.com" }

function openHost(): Host {
  const home = fs.mkdtempSync(path.join(tmpdir(), "belay-connect-"))
  onTestFinished(() => fs.rmSync(home, { recursive: true, force: true }))
  return { env: {}, home, cwd: home, platform: "linux", now: Date.now }
}

function run(host: Host, tool: string, more: { given?: object; isDryRun?: boolean; belay?: string } = {}) {
  return connect({ tool, given: GIVEN, isDryRun: false, belay: BELAY, ...more }, host).join("\n")
}

function write(host: Host, file: string, text: string): string {
  const whole = path.join(host.home, file)
  fs.mkdirSync(path.dirname(whole), { recursive: true })
  fs.writeFileSync(whole, text)
  return whole
}

/** Everything under the home but Belay's own. */
function filesOf(host: Host): Record<string, string> {
  const entries = fs.readdirSync(host.home, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile() && !entry.parentPath.includes("/.belay"))
  return Object.fromEntries(
    files.map((entry) => {
      const file = path.join(entry.parentPath, entry.name)
      return [path.relative(host.home, file), fs.readFileSync(file, "utf8")]
    }),
  )
}

/** What people have in such files, in each format. */
const OWN: Record<string, readonly [string, string]> = {
  "claude-code": [
    ".claude/settings.json",
    `{
    // mine
    "model": "opus",
    "env": { "OTEL_RESOURCE_ATTRIBUTES": "team.id=core", "EDITOR": "vim" },
    "hooks": {
        "PostToolUse": [
            // formats
            { "matcher": "Edit", "hooks": [{ "type": "command", "command": "prettier" }] },
        ],
    },
}
`,
  ],
  codex: [
    ".codex/config.toml",
    '# mine\nmodel = "gpt-5-codex" # good\n\n[otel] # to see more\nenvironment = "prod"\n\n[mcp_servers.github]\ncommand = "npx"\n',
  ],
  "gemini-cli": [".gemini/settings.json", '{"ui":{"theme":"dark"},"telemetry":{"logPrompts":true}}'],
  "qwen-code": [".qwen/settings.json", '{\r\n\t"ui": {}\r\n}\r\n'],
  opencode: [".config/opencode/opencode.json", '{ "model": "anthropic/claude-sonnet-4-5" }\n'],
  cursor: [".cursor/hooks.json", '{ "version": 1, "hooks": { "stop": [{ "command": "./sound.sh" }] } }\n'],
  "vscode-copilot": [".config/Code/User/settings.json", '{\n  "editor.fontSize": 14, // big\n}\n'],
}

test.each(Object.keys(PLANS))("%s: connects, again without a change, and undoes exactly", (tool) => {
  for (const [file, text] of [OWN[tool] ?? [], []]) {
    const host = openHost()
    if (file !== undefined && text !== undefined) write(host, file, text)
    const before = filesOf(host)
    expect(run(host, tool, { isDryRun: true })).toContain("Nothing was changed.")
    expect(filesOf(host)).toEqual(before)
    const shown = run(host, tool)
    expect(shown).not.toContain(KEY)
    const after = filesOf(host)
    const again = run(host, tool)
    expect(filesOf(host)).toEqual(after)
    expect(again).toContain(`${tool}: every setting is as it should be`)
    if (Object.keys(after).length === 0) continue
    expect(shown).toContain(`+++ ${host.home}`)
    undo(tool, host)
    expect(filesOf(host)).toEqual(before)
    expect(() => undo(tool, host)).toThrow("was not connected")
  }
})

test("what is there stays, comments and order with it", () => {
  const host = openHost()
  const [file, text] = OWN["claude-code"] ?? ["", ""]
  const settings = write(host, file, text)
  run(host, "claude-code")
  const edited = fs.readFileSync(settings, "utf8")
  for (const kept of ["// mine", "// formats", '"command": "prettier"', '"EDITOR": "vim"'])
    expect(edited).toContain(kept)
  expect(parseJson(edited)).toMatchObject({
    model: "opus",
    env: {
      EDITOR: "vim",
      CLAUDE_CODE_ENABLE_TELEMETRY: "1",
      OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:4318",
      OTEL_EXPORTER_OTLP_HEADERS: `Authorization=Bearer ${KEY}`,
      OTEL_RESOURCE_ATTRIBUTES: "team.id=core,enduser.id=ada@example.com",
    },
    hooks: {
      PostToolUse: [
        { matcher: "Edit" },
        {
          matcher: "Edit|MultiEdit|NotebookEdit|Write",
          hooks: [{ type: "command", command: `${BELAY} hook claude-code`, timeout: 5 }],
        },
      ],
    },
  })
})

test("a TOML table is extended where it is", () => {
  const host = openHost()
  const config = write(host, ...(OWN["codex"] ?? ["", ""]))
  expect(run(host, "codex")).toContain("/hooks")
  const edited = fs.readFileSync(config, "utf8")
  for (const kept of ["# mine", "# good", "# to see more", 'environment = "prod"']) expect(edited).toContain(kept)
  expect(parseToml(edited)).toMatchObject({
    model: "gpt-5-codex",
    otel: {
      environment: "prod",
      log_user_prompt: false,
      exporter: { "otlp-http": { endpoint: "http://127.0.0.1:4318/v1/logs", protocol: "binary" } },
      metrics_exporter: "none",
    },
    mcp_servers: { github: { command: "npx" } },
  })
  const hooks = fs.readFileSync(path.join(host.home, ".codex/hooks.json"), "utf8")
  expect(parseJson(hooks)).toEqual({
    hooks: {
      PostToolUse: [
        { matcher: "apply_patch", hooks: [{ type: "command", command: `${BELAY} hook codex`, timeout: 5 }] },
      ],
    },
  })
})

test.for([
  ["claude-code", ".claude/settings.json", '{ "env": '],
  ["claude-code", ".claude/settings.json", '{ "hooks": { "PostToolUse": {} } }'],
  ["gemini-cli", ".gemini/settings.json", "[]"],
  ["codex", ".codex/config.toml", "otel = 3"],
  ["codex", ".codex/config.toml", "model = "],
  ["codex", ".codex/hooks.json", "no"],
  ["cursor", ".cursor/hooks.json", '{ "hooks": { "stop": "x" } }'],
] as const)("%s: a file that cannot be read stops everything: %s holds %j", ([tool, file, text]) => {
  const host = openHost()
  const whole = write(host, file, text)
  expect(() => run(host, tool)).toThrow(`${whole} was left as it is`)
  expect(filesOf(host)).toEqual({ [file]: text })
  expect(readSettings(host)).toEqual({ endpoint: undefined, key: undefined, enduserId: undefined })
})

test.for([
  [{}, "--endpoint is missing"],
  [{ endpoint: "http://x" }, "--key is missing"],
  [{ endpoint: "ftp://x", key: KEY }, "not an http"],
  [{ endpoint: "http://x", key: "a b" }, "characters"],
  [{ endpoint: "http://x", key: KEY, enduserId: "a,b=c" }, "--user"],
] as const)("%j is refused: %s", ([given, reason]) => {
  const host = openHost()
  expect(() => run(host, "cursor", { given })).toThrow(reason)
  expect(filesOf(host)).toEqual({})
})

test("an unknown tool is told which there are, also when its name is that of a method", () => {
  expect(() => run(openHost(), "emacs")).toThrow("there is no tool emacs; there are claude-code, codex")
  expect(() => run(openHost(), "toString")).toThrow("there is no tool toString")
})

test("a second tool needs no endpoint and no key, and hooks have them", () => {
  const host = openHost()
  run(host, "claude-code")
  run(host, "cursor", { given: {} })
  expect(readSettings(host)).toEqual(GIVEN)
  expect(fs.statSync(path.join(host.home, ".belay/settings.json")).mode & 0o777).toBe(0o600)
  expect(fs.statSync(path.join(host.home, ".claude/settings.json")).mode & 0o777).toBe(0o600)
})

test("a hook of an earlier place is replaced, not doubled, and one undo undoes both connects", () => {
  const host = openHost()
  const [file, text] = OWN["cursor"] ?? ["", ""]
  const hooks = write(host, file, text)
  run(host, "cursor", { belay: "/old/node /old/belay.cjs" })
  run(host, "cursor")
  expect(fs.readFileSync(hooks, "utf8")).not.toContain("/old/")
  expect(parseJson(fs.readFileSync(hooks, "utf8"))).toMatchObject({
    hooks: { stop: [{ command: "./sound.sh" }, { command: `${BELAY} hook cursor` }] },
  })
  undo("cursor", host)
  expect(fs.readFileSync(hooks, "utf8")).toBe(text)
})

test("an undo that would lose a change of somebody else's is refused", () => {
  const host = openHost()
  run(host, "opencode")
  const file = path.join(host.home, ".config/opencode/opencode.json")
  fs.appendFileSync(file, "// mine\n")
  expect(() => undo("opencode", host)).toThrow("has changed since")
  expect(fs.readFileSync(file, "utf8")).toContain("// mine")
})

test("a link stays a link, and a file keeps its mode", () => {
  const host = openHost()
  const real = write(host, "dotfiles/claude.json", "{}\n")
  fs.chmodSync(real, 0o644)
  fs.mkdirSync(path.join(host.home, ".claude"))
  const link = path.join(host.home, ".claude/settings.json")
  fs.symlinkSync(real, link)
  run(host, "claude-code")
  expect(fs.lstatSync(link).isSymbolicLink()).toBe(true)
  expect(fs.readFileSync(real, "utf8")).toContain("hook claude-code")
  expect(fs.statSync(real).mode & 0o777).toBe(0o644)
})

/** Answers with `status`, and says a time that is `skewMs` before the machine's. */
async function openEndpoint(status: number, skewMs = 0): Promise<string> {
  const server = createServer((request, response) => {
    request.resume()
    response.setHeader("date", new Date(Date.now() - skewMs).toUTCString())
    response.writeHead(request.headers.authorization === `Bearer ${KEY}` ? status : 401).end("{}")
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  onTestFinished(() => void server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function resultsOf(host: Host): Promise<Record<string, string>> {
  const checks = await examine(host, BELAY)
  return Object.fromEntries(checks.map(({ name, result }) => [name, result]))
}

test("the doctor finds what is right", async () => {
  const host = openHost()
  run(host, "claude-code", { given: { ...GIVEN, endpoint: await openEndpoint(200) } })
  expect(await resultsOf(host)).toMatchObject({
    belay: "ok",
    endpoint: "ok",
    key: "ok",
    clock: "ok",
    spool: "ok",
    "claude-code": "ok",
    codex: "off",
  })
})

test("the doctor finds what is wrong", async () => {
  const host = openHost()
  expect(await resultsOf(host)).toMatchObject({ endpoint: "error", "claude-code": "off" })
  run(host, "claude-code", { given: { ...GIVEN, endpoint: await openEndpoint(200, 3_600_000), key: "blk_other" } })
  write(host, ".codex/config.toml", "broken =")
  write(host, ".cursor/hooks.json", '{"version":1}')
  fs.writeFileSync(path.join(host.home, ".claude/settings.json"), `{"env":{"A":"${BELAY} hook claude-code"}}`)
  expect(await resultsOf(host)).toMatchObject({
    endpoint: "ok",
    key: "error",
    clock: "warning",
    "claude-code": "warning",
    codex: "error",
    cursor: "off",
  })
  run(host, "cursor", { given: { endpoint: "http://127.0.0.1:1" } })
  fs.rmSync(path.join(host.home, ".belay/spool"), { recursive: true })
  fs.writeFileSync(path.join(host.home, ".belay/spool"), "")
  expect(await resultsOf(host)).toMatchObject({ endpoint: "error", spool: "error", cursor: "ok" })
})
