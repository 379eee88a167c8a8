import { readSync, writeSync } from "node:fs"
import { homedir } from "node:os"
import { type Host, readSettings, spoolFolder } from "./home.ts"
import type { HookAction, HookContext } from "./hook/hook.ts"
import { readHookPolicy } from "./hook/kept-policy.ts"
import { runHook } from "./hook/run-hook.ts"
import { lockFlush } from "./state.ts"
import { VERSION } from "../version.ts"

/**
 * The `belay` command: the one file of it that reads the process, its environment and the clock. A hook runs before or
 * after each action of an agent, so what other commands need is loaded for them alone.
 */

const host: Host = { env: process.env, home: homedir(), cwd: process.cwd(), platform: process.platform, now: Date.now }
const [command = "help", ...args] = process.argv.slice(2)
if (command === "hook") void hook(args[0] ?? "")
else void runCommand()

async function runCommand(): Promise<void> {
  try {
    const { run } = await import("./commands.ts")
    process.exitCode = await run(command, args, host)
  } catch (error) {
    writeSync(2, `belay: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = 1
  }
}

async function hook(tool: string): Promise<void> {
  try {
    const policy = readHookPolicy(host)
    const run = {
      tool,
      read: readStdin,
      decide: async (action: HookAction, context: HookContext) => {
        // The engine is loaded where it is asked, which is not after an action and not without a policy.
        return policy.isKept ? (await import("./hook/decide.ts")).decideHook(host, action, context) : null
      },
      unavailable: policy.unavailable,
      host,
      version: VERSION,
    }
    const { answer, isKept } = await runHook(run)
    process.exitCode = answer.exitCode
    if (answer.stdout !== "") writeSync(1, answer.stdout)
    if (answer.stderr !== "") writeSync(2, answer.stderr)
    if (isKept || policy.isStale) startFlush(tool)
  } catch {
    // A tool's permission flow goes on, whatever is wrong with this command.
  }
}

/** What a tool hands over, held whole: it may be a file of megabytes. */
function readStdin(): string {
  const chunks: Buffer[] = []
  const chunk = Buffer.allocUnsafe(65_536)
  for (;;) {
    const size = readSync(0, chunk)
    if (size === 0) return Buffer.concat(chunks).toString("utf8")
    chunks.push(Buffer.from(chunk.subarray(0, size)))
  }
}

/** Sends what waits, and asks for the policy, in a process of its own, which the tool does not wait for. */
function startFlush(tool: string): void {
  if (readSettings(host).endpoint === undefined || !lockFlush(spoolFolder(host), host.now())) return
  // Loaded once in a while, since it takes longer than all else a hook does.
  const { spawn } = process.getBuiltinModule("node:child_process")
  const script = process.argv[1] ?? ""
  const child = spawn(process.execPath, [script, "flush", "--locked", "--tool", tool], {
    detached: true,
    stdio: "ignore",
    windowsHide: true,
  })
  child.on("error", () => {})
  child.unref()
}
