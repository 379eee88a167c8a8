import { realpathSync } from "node:fs"
import { parseArgs } from "node:util"
import { once } from "node:events"
import { reportLines } from "./conformance/judge.ts"
import { runConformance } from "./conformance/run-conformance.ts"
import { connect, undo } from "./connect/connect.ts"
import { checkLines, examine } from "./doctor.ts"
import { flush } from "./flush.ts"
import { type Host, readSettings, spoolFolder } from "./home.ts"
import { mayReadPolicy, pulledLine, readGivenKeys, runPolicy } from "./policy-command.ts"
import { pullPolicy, refreshPolicy } from "./refresh-policy.ts"
import { print } from "./print.ts"
import { runReviewGate } from "./review-gate/review-gate.ts"
import { unlockFlush } from "./state.ts"
import { readStatus, statusLines } from "./status.ts"
import { runSurvival } from "./survival/survival.ts"
import { runTrailer } from "./trailer/trailer.ts"

const HELP = `belay <command>

  connect <tool>   writes a tool's telemetry and hook settings  --endpoint --key --user --dry-run --undo
                   --policy or --no-policy: whether its hooks decide; as the key may unless said otherwise
                   --policy-keys id:key,…  the only keys to believe first; --app https://… where Belay's pages are
  policy status    says which policy is in force here, and where from  --json
  policy pull      asks for the policy now                      --trust-anew
  policy test <command>   says what the policy decides on a shell command, and why  --json
  review-gate      says in CI whether a change can be reviewed in one sitting, as the policy has it
                   --base origin/main --head HEAD --labels a,b --json
  survival         counts in CI or cron how much of agents' work is still there, and sends the counts
                   --branch origin/main --since 2026-11-01 --dry-run --json
  trailer          has this repository's commits of agents' work say so   --remove
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
    case "policy":
      return runPolicy(args, host)
    case "review-gate":
      return runReviewGate(args, host)
    case "survival":
      return runSurvival(args, host)
    case "trailer":
      return runTrailer(args, host)
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

async function runConnect(args: readonly string[], host: Host): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    allowNegative: true,
    options: {
      policy: { type: "boolean" },
      "policy-keys": { type: "string" },
      app: { type: "string" },
      endpoint: { type: "string" },
      key: { type: "string" },
      user: { type: "string" },
      "dry-run": { type: "boolean", default: false },
      undo: { type: "boolean", default: false },
    },
  })
  const [tool = ""] = positionals
  if (values.undo) {
    print(undo(tool, host))
    return 0
  }
  const given = {
    endpoint: values.endpoint,
    key: values.key,
    enduserId: values.user,
    isDeciding: values.policy ?? (await mayReadPolicy(values, host)),
    policyKeys: values["policy-keys"] === undefined ? undefined : readGivenKeys(values["policy-keys"]),
    appUrl: values.app,
  }
  const isDryRun = values["dry-run"]
  print(connect({ tool, given, isDryRun, belay: ownCommand() }, host))
  if (isDryRun || readSettings(host).isDeciding !== true) return 0
  const pulled = await pullPolicy(host)
  if (pulled !== null) print([`policy: ${pulledLine(pulled)}`])
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
