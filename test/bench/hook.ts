import { spawnSync } from "node:child_process"
import { mkdtemp, rm } from "node:fs/promises"
import { availableParallelism, loadavg, tmpdir } from "node:os"
import path from "node:path"
import { parseArgs } from "node:util"
import { buildCommand } from "#sdk/cli/build.ts"
import { PAYLOADS } from "#sdk/cli/hook/payloads.ts"

/**
 * `npm run bench:hook`: what an agent tool waits for when it calls `belay hook <tool>`, as a whole process of the bundle
 * that is published, beside `node -e 0`: Node that starts and does nothing. All take turns within each round.
 *
 * Every call keeps a signal on disk; no endpoint is set, so that none starts to send.
 */
const { values: flags } = parseArgs({
  options: { quick: { type: "boolean", default: false }, rounds: { type: "string" } },
})
const ROUNDS = Number(flags.rounds ?? 3)
const CALLS = flags.quick ? 7 : 21

const folder = await mkdtemp(path.join(tmpdir(), "belay-bench-"))
try {
  await run()
} finally {
  await rm(folder, { recursive: true, force: true })
}

async function run(): Promise<void> {
  const load = loadavg()[0]?.toFixed(2)
  console.log(
    `Hook: ${ROUNDS} rounds of ${CALLS} calls each; node ${process.version}, ${availableParallelism()} cores, load before ${load}.`,
  )
  const command = await buildCommand(folder)
  const hook = (tool: string, payload: unknown) => ({
    name: `belay hook ${tool}`,
    args: [command, "hook", tool],
    input: JSON.stringify(payload),
  })
  const peers = [
    { name: "node -e 0", args: ["-e", "0"], input: "" },
    hook("claude-code", PAYLOADS["claude-code"].edited),
    hook("codex", PAYLOADS.codex.edited),
    hook("gemini-cli", PAYLOADS["gemini-cli"].edited),
    hook("cursor", PAYLOADS.cursor.ranShell),
  ]
  const rounds = Array.from({ length: ROUNDS }, (_, round) => {
    const times = peers.map((): number[] => [])
    for (let call = 0; call < CALLS; call++) {
      for (const [index, peer] of peers.entries()) times[index]?.push(time(peer.args, peer.input, `home-${round}`))
    }
    return times.map(median)
  })
  const medians = peers.map((_, index) => median(rounds.map((round) => round[index] ?? NaN)))
  const [floorMs = NaN, claudeMs = NaN] = medians
  for (const [index, peer] of peers.entries()) {
    const ms = medians[index] ?? NaN
    console.log(
      `${peer.name.padEnd(24)} ${ms.toFixed(1).padStart(6)} ms   ${(ms - floorMs).toFixed(1).padStart(5)} over`,
    )
  }
  const figures = {
    node_ms: round(floorMs),
    hook_ms: round(claudeMs),
    hook_over_node_ms: round(claudeMs - floorMs),
  }
  console.log(JSON.stringify({ bench: "hook", ratios: { node_vs_hook: round(floorMs / claudeMs, 3) }, figures }))
}

/** Milliseconds from the start of the process to its end. */
function time(args: readonly string[], input: string, home: string): number {
  const env = { ...process.env, BELAY_HOME: path.join(folder, home) }
  const startedAt = performance.now()
  const { status, stderr } = spawnSync(process.execPath, args, { input, env, encoding: "utf8" })
  const ms = performance.now() - startedAt
  if (status !== 0 || stderr.length > 0) throw new Error(`${args.join(" ")} ended with ${String(status)}: ${stderr}`)
  return ms
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN
}

function round(value: number, digits = 1): number {
  return Number(value.toFixed(digits))
}
