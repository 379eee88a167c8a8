import { realpathSync } from "node:fs"
import { parseArgs } from "node:util"
import { once } from "node:events"
import { reportLines } from "./conformance/judge.ts"
import { runConformance } from "./conformance/run-conformance.ts"
import { connect, undo } from "./connect/connect.ts"
import { checkLines, examine } from "./doctor.ts"
import { flush } from "./flush.ts"
import { type Host, spoolFolder } from "./home.ts"
import { refreshPolicy } from "./refresh-policy.ts"
import { unlockFlush } from "./state.ts"
import { readStatus, statusLines } from "./status.ts"

const HELP = `belay <command>

  connect <tool>   writes a tool's telemetry and hook settings  --endpoint --key --user --dry-run --undo
  doctor           says what works and what does not            --json
  status           says what waits, was sent, and was lost      --json
  flush            sends what waits
  conformance      says what of an agent's telemetry Belay can use   --port --json [-- program arguments]
  hook <tool>      is called by a tool, with its payload on stdin
`

/** Every command but `hook`. Resolves to the exit code; rejects with what went wrong in words for the person. */
export async function run(command: string, args: readonly string[], host: Host): Promise<number> {
  switch (command) {
    case "connect":
      return runConnect(args, host)
    case "conformance":
      return runConformanceCommand(args, host)
    case "doctor": {
      const { values } = parseArgs({ args: [...args], options: { json: { type: "boolean" } } })
      const checks = await examine(host, ownCommand())
      print(values.json === true ? [JSON.stringify(checks)] : checkLines(checks))
      return checks.some(({ result }) => result === "error") ? 1 : 0
    }
    case "flush":
      return runFlush(args, host)
    case "status": {
      const { values } = parseArgs({ args: [...args], options: { json: { type: "boolean" } } })
      const status = readStatus(host)
      print(values.json === true ? [JSON.stringify(status)] : statusLines(status, host.now()))
      return 0
    }
    case "help":
    case "--help":
    case "-h":
      print([HELP])
      return 0
    default:
      throw new Error(`there is no command ${command}\n\n${HELP}`)
  }
}

export function print(lines: readonly string[]): void {
  process.stdout.write(`${lines.join("\n")}\n`)
}

async function runConformanceCommand(args: readonly string[], host: Host): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { port: { type: "string" }, json: { type: "boolean", default: false } },
  })
  const isWaiting = positionals.length === 0
  const port = Number(values.port ?? (isWaiting ? 4318 : 0))
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new Error("--port is no port")
  const report = await runConformance({
    port,
    program: positionals,
    stop: once(process, "SIGINT"),
    tell: (line) => process.stderr.write(`${line}${isWaiting ? "; Ctrl-C ends it and prints the report" : ""}\n`),
    env: host.env,
    now: host.now,
  })
  print(values.json ? [JSON.stringify(report)] : reportLines(report))
  return report.findings.some(({ severity }) => severity === "error") ? 1 : 0
}

function runConnect(args: readonly string[], host: Host): number {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      endpoint: { type: "string" },
      key: { type: "string" },
      user: { type: "string" },
      "dry-run": { type: "boolean", default: false },
      undo: { type: "boolean", default: false },
    },
  })
  const [tool = ""] = positionals
  const given = { endpoint: values.endpoint, key: values.key, enduserId: values.user }
  const options = { tool, given, isDryRun: values["dry-run"], belay: ownCommand() }
  print(values.undo ? undo(tool, host) : connect(options, host))
  return 0
}

/** How a tool is to call this command: by its whole path, since tools are started with all kinds of PATH. */
function ownCommand(): string {
  return [process.execPath, realpathSync(process.argv[1] ?? "")]
    .map((part) => (/[\s"'$]/.test(part) ? `"${part}"` : part))
    .join(" ")
}

async function runFlush(args: readonly string[], host: Host): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: { locked: { type: "boolean" }, tool: { type: "string" } } })
  try {
    const { tool } = values
    const [{ sent, refused, isMoreLeft, error }] = await Promise.all([
      flush(host),
      tool === undefined ? null : refreshPolicy(host, tool).catch(() => {}),
    ])
    print([
      `${sent} sent, ${refused} refused${isMoreLeft ? ", the rest waits" : ""}${error === null ? "" : `: ${error}`}`,
    ])
    return isMoreLeft || refused > 0 ? 1 : 0
  } finally {
    // Whoever started this process took the lock for it.
    if (values.locked === true) unlockFlush(spoolFolder(host))
  }
}
