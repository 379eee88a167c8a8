import { spawn, spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import path from "node:path"
import { expect, onTestFinished, test, vi } from "vitest"
import { PAYLOADS } from "./hook/payloads.ts"
import { readStatus } from "./status.ts"
import { VERSION } from "../version.ts"

// Processes, of which a busy machine starts few in a second.
vi.setConfig({ testTimeout: 60_000 })

const CLI = path.join(import.meta.dirname, "belay-cli.ts")

function openHome(): string {
  const home = mkdtempSync(path.join(tmpdir(), "belay-cli-"))
  onTestFinished(() => rmSync(home, { recursive: true, force: true, maxRetries: 5 }))
  return home
}

function envOf(home: string, more: Record<string, string> = {}) {
  return { ...process.env, HOME: home, ...more }
}

function belay(home: string, args: readonly string[], input = "", more: Record<string, string> = {}) {
  const env = envOf(home, more)
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], { input, env, encoding: "utf8" })
  return { status, stdout, stderr }
}

/** As `belay`, beside which this process can answer. */
function belayBeside(home: string, args: readonly string[], input = "", more: Record<string, string> = {}) {
  const child = spawn(process.execPath, [CLI, ...args], { env: envOf(home, more) })
  let text = ""
  child.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()))
  child.stdin.end(input)
  return new Promise<string>((resolve) => child.on("close", (code) => resolve(`${code} ${text}`)))
}

function statusOf(home: string) {
  return readStatus({ env: {}, home, cwd: home, platform: "linux", now: Date.now })
}

/** An endpoint that takes what it is given; `requests` resolves with as many bodies. */
async function openReceiver() {
  const bodies: string[] = []
  let answer = 200
  let waiting: (() => void) | null = null
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      if (answer === 200) bodies.push(Buffer.concat(chunks).toString())
      response.writeHead(answer, { "content-type": "application/json" }).end("{}")
      waiting?.()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  onTestFinished(() => void server.close())
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    bodies,
    answerWith(status: number) {
      answer = status
    },
    async requests(count: number) {
      while (bodies.length < count) await new Promise<void>((resolve) => (waiting = resolve))
      return bodies
    },
  }
}

const edited = JSON.stringify(PAYLOADS["claude-code"].edited)

test("a hook keeps its signal, says nothing and succeeds", () => {
  const home = openHome()
  expect(belay(home, ["hook", "claude-code"], edited)).toEqual({ status: 0, stdout: "", stderr: "" })
  expect(statusOf(home)).toMatchObject({ entries: 1, items: 1, failures: { count: 0 } })
})

test.for([
  [["hook", "claude-code"], "{"],
  [["hook", "claude-code"], ""],
  [["hook", "codex"], "\u0000"],
  [["hook", "no-such-tool"], "{}"],
  [["hook"], "{}"],
] as const)("belay %j with %j never fails its host", ([args, input]) => {
  expect(belay(openHome(), args, input)).toEqual({ status: 0, stdout: "", stderr: "" })
})

test("an unwritable folder and closed pipes are the host's no trouble", () => {
  const home = openHome()
  expect(belay(home, ["hook", "cursor"], JSON.stringify(PAYLOADS.cursor.edited), { BELAY_HOME: CLI })).toEqual({
    status: 0,
    stdout: "{}\n",
    stderr: "",
  })
  const script = '"$0" "$1" hook cursor <&- >&-'
  const closed = spawnSync("sh", ["-c", script, process.execPath, CLI], { env: envOf(home) })
  expect(closed.status).toBe(0)
})

test("a hook of a file of megabytes is read whole", () => {
  const home = openHome()
  const lines = `${"x".repeat(99)}\n`.repeat(40_000)
  const created = {
    ...PAYLOADS["claude-code"].created,
    tool_input: { file_path: "/srv/project/big.ts", content: lines },
  }
  expect(belay(home, ["hook", "claude-code"], JSON.stringify(created)).status).toBe(0)
  const { folder, items, bytes } = statusOf(home)
  expect({ items, isSmall: bytes < 2000 }).toEqual({ items: 1, isSmall: true })
  expect(existsSync(folder)).toBe(true)
})

test("with an endpoint, the first hook starts one flush in the background, which sends what waits", async () => {
  const home = openHome()
  const receiver = await openReceiver()
  belay(home, ["hook", "claude-code"], edited)
  const more = { BELAY_ENDPOINT: receiver.url, BELAY_INGEST_KEY: "blk_0123456789abcdefghijklmn" }
  await Promise.all(Array.from({ length: 4 }, () => belayBeside(home, ["hook", "claude-code"], edited, more)))
  await receiver.requests(1)
  // Whatever that flush did not find waits for the next.
  while (existsSync(path.join(statusOf(home).folder, "flush.lock"))) await new Promise(setImmediate)
  expect(await belayBeside(home, ["flush"], "", more)).toMatch(/^0 \d+ sent, 0 refused\n$/)
  expect(await receiver.requests(5)).toHaveLength(5)
  expect(statusOf(home)).toMatchObject({ entries: 0, flushed: { sent: 5, refused: 0, error: null } })
})

test("what the endpoint does not take now waits, and status says why", async () => {
  const home = openHome()
  const receiver = await openReceiver()
  belay(home, ["hook", "claude-code"], edited)
  const run = (args: readonly string[], url = receiver.url) => belayBeside(home, args, "", { BELAY_ENDPOINT: url })
  receiver.answerWith(503)
  expect(await run(["flush"])).toBe("1 0 sent, 0 refused, the rest waits: HTTP 503\n")
  receiver.answerWith(401)
  expect(await run(["flush"])).toBe("1 0 sent, 0 refused, the rest waits: HTTP 401\n")
  expect(await run(["status"])).toMatch(/waiting +1 signals in 1 requests.*\n[^]*last error HTTP 401\n/)
  expect(await run(["flush"], "nowhere")).toBe("1 0 sent, 0 refused, the rest waits: the endpoint is not a URL\n")
  receiver.answerWith(200)
  expect(await run(["flush"])).toBe("0 1 sent, 0 refused\n")
})

test("without an endpoint a flush says so, and an unknown command what there is", () => {
  expect(belay(openHome(), ["flush"])).toMatchObject({ status: 0, stdout: "0 sent, 0 refused: no endpoint\n" })
  const home = openHome()
  belay(home, ["hook", "claude-code"], edited)
  expect(belay(home, ["flush"]).stdout).toBe("0 sent, 0 refused, the rest waits: no endpoint\n")
  expect(belay(home, ["dance"])).toMatchObject({
    status: 1,
    stdout: "",
    stderr: expect.stringContaining("connect <tool>"),
  })
  expect(belay(home, ["help"]).stdout).toContain("belay <command>")
})

test("the version is the package's", () => {
  const { version } = JSON.parse(readFileSync(path.join(import.meta.dirname, "../package.json"), "utf8")) as {
    version: string
  }
  expect(VERSION).toBe(version)
})
