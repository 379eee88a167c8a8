import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { readFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import path from "node:path"
import { createInterface } from "node:readline"

/** The line that Belay prints when it serves and `BELAY_READY=json` is set. */
export interface Ready {
  readonly ready: true
  readonly url: string
  readonly otlpUrl: string
  readonly grpcUrl: string | null
  readonly ingestKey: string
  readonly databaseUrl: string
  readonly admin: { readonly email: string; readonly password: string | null }
}

export interface BelayProcess {
  readonly ready: Ready
  readonly process: ChildProcess
  /** Ends it and waits until it is gone. */
  end(signal: NodeJS.Signals): Promise<void>
}

const ROOT = path.join(import.meta.dirname, "..")

/** The embedded Postgres of a data folder, which is somewhere else when its unprivileged user could not reach that. */
export async function readPostmasterPid(dataDir: string): Promise<number> {
  const location = await readFile(path.join(dataDir, "LOCATION"), "utf8").catch(() => dataDir)
  const pidFile = await readFile(path.join(location.trim(), "postgres/postmaster.pid"), "utf8")
  return Number(pidFile.split("\n")[0])
}

/** What `npm start` gives Node: variables of the environment, and arguments. */
async function readStart(): Promise<{ env: Record<string, string>; args: string[] }> {
  const { scripts } = JSON.parse(await readFile(path.join(ROOT, "package.json"), "utf8")) as {
    scripts: { start: string }
  }
  const [, variables = "", args = ""] = /^exec env (.*) node (.*)$/.exec(scripts.start) ?? []
  if (args === "") throw new Error(`npm start is not as expected: ${scripts.start}`)
  return {
    env: Object.fromEntries(variables.split(" ").map((variable) => variable.split("="))) as Record<string, string>,
    args: args.split(" "),
  }
}

/** Runs Belay as a user does, on free ports; `args` are what follows `npm start --`. Rejects with what it printed when it ends before it serves. */
export async function spawnBelay(
  dataDir: string,
  env: Record<string, string> = {},
  args: readonly string[] = [],
): Promise<BelayProcess> {
  const start = await readStart()
  const child = spawn(process.execPath, [...start.args, ...args], {
    cwd: ROOT,
    env: {
      ...process.env,
      ...start.env,
      PORT: "0",
      OTLP_PORT: "0",
      OTLP_GRPC_PORT: "0",
      BELAY_DATA_DIR: dataDir,
      BELAY_READY: "json",
      // Every start reads the same modules; compiling them is most of what it takes.
      NODE_COMPILE_CACHE: path.join(tmpdir(), "belay-test-compile-cache"),
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  })
  const exited = once(child, "exit")
  let printed = ""
  child.stderr.on("data", (chunk: Buffer) => (printed += chunk.toString()))
  const ready = await new Promise<Ready>((resolve, reject) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (line.startsWith('{"ready"')) resolve(JSON.parse(line) as Ready)
    })
    void exited.then(([code]) => reject(new Error(`Belay ended with ${code}: ${printed}`)))
  })
  return {
    ready,
    process: child,
    async end(signal) {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal)
      await exited
    },
  }
}
