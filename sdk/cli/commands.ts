import { parseArgs } from "node:util"
import { flush } from "./flush.ts"
import { type Host, spoolFolder } from "./home.ts"
import { unlockFlush } from "./state.ts"
import { readStatus, statusLines } from "./status.ts"

const HELP = `belay <command>

  connect <tool>   writes a tool's telemetry and hook settings  --endpoint --key --user --dry-run --undo
  doctor           says what works and what does not            --json
  status           says what waits, was sent, and was lost      --json
  flush            sends what waits
  hook <tool>      is called by a tool, with its payload on stdin
`

/** Every command but `hook`. Resolves to the exit code; rejects with what went wrong in words for the person. */
export async function run(command: string, args: readonly string[], host: Host): Promise<number> {
  switch (command) {
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

async function runFlush(args: readonly string[], host: Host): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: { locked: { type: "boolean" } } })
  try {
    const { sent, refused, isMoreLeft, error } = await flush(host)
    print([
      `${sent} sent, ${refused} refused${isMoreLeft ? ", the rest waits" : ""}${error === null ? "" : `: ${error}`}`,
    ])
    return isMoreLeft || refused > 0 ? 1 : 0
  } finally {
    // Whoever started this process took the lock for it.
    if (values.locked === true) unlockFlush(spoolFolder(host))
  }
}
