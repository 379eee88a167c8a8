import { spawnSync } from "node:child_process"
import { generateKeyPairSync } from "node:crypto"
import { mkdirSync, writeFileSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { availableParallelism, loadavg, tmpdir } from "node:os"
import path from "node:path"
import { parseArgs } from "node:util"
import { buildCommand } from "#sdk/cli/build.ts"
import { PAYLOADS } from "#sdk/cli/hook/payloads.ts"
import { POLICY_SCHEMA } from "#sdk/policy/document.ts"
import { sealPolicy } from "#sdk/policy/envelope.ts"
import { openKeeper } from "#sdk/policy/keeper.ts"
import { policyFiles } from "#sdk/policy/note.ts"

/**
 * `npm run bench:hook`: what an agent tool waits for when it calls `belay hook <tool>`, as a whole process of the bundle
 * that is published, beside `node -e 0`: Node that starts and does nothing. All take turns within each round. The last two
 * decide on a shell command before it is run, by a signed policy of 50 and of 1,000 rules that is on disk.
 *
 * Every call keeps a signal on disk. Those that decide have an endpoint, which they need to know whose policy it is; a fresh
 * lock keeps them from starting to send.
 */
const { values: flags } = parseArgs({
  options: { quick: { type: "boolean", default: false }, rounds: { type: "string" } },
})
const ROUNDS = Number(flags.rounds ?? 3)
const CALLS = flags.quick ? 7 : 21
const RULES = [50, 1000] as const

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
    endpoint: undefined,
  })
  const decide = (rules: number) => ({
    ...hook("claude-code", PAYLOADS["claude-code"].preToolUse),
    name: `deciding, ${rules} rules`,
    endpoint: `http://127.0.0.1:${rules}`,
  })
  for (let round = 0; round < ROUNDS; round++) {
    for (const rules of RULES) keepPolicy(path.join(folder, `home-${round}`), `http://127.0.0.1:${rules}`, rules)
  }
  const peers = [
    { name: "node -e 0", args: ["-e", "0"], input: "", endpoint: undefined },
    hook("claude-code", PAYLOADS["claude-code"].edited),
    hook("codex", PAYLOADS.codex.edited),
    hook("gemini-cli", PAYLOADS["gemini-cli"].edited),
    hook("cursor", PAYLOADS.cursor.ranShell),
    ...RULES.map(decide),
  ]
  const rounds = Array.from({ length: ROUNDS }, (_, round) => {
    const times = peers.map((): number[] => [])
    for (let call = 0; call < CALLS; call++) {
      for (const [index, peer] of peers.entries()) times[index]?.push(time(peer, `home-${round}`))
    }
    return times.map(median)
  })
  const medians = peers.map((_, index) => median(rounds.map((round) => round[index] ?? NaN)))
  const [floorMs = NaN, claudeMs = NaN] = medians
  const decidingMs = medians[peers.length - RULES.length] ?? NaN
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
    deciding_over_node_ms: round(decidingMs - floorMs),
  }
  console.log(JSON.stringify({ bench: "hook", ratios: { node_vs_hook: round(floorMs / claudeMs, 3) }, figures }))
}

interface Peer {
  readonly args: readonly string[]
  readonly input: string
  readonly endpoint: string | undefined
}

/** Puts a signed policy on disk as `belay flush` does, and a flush that is under way. */
function keepPolicy(home: string, endpoint: string, count: number): void {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519")
  const key = { id: "bench", publicKey: publicKey.export({ format: "jwk" }).x ?? "" }
  const rules = Array.from({ length: count }, (_, index) => ({
    id: `rule-${index}`,
    effect: "ask" as const,
    action: "shell" as const,
    pattern: `program-${index} deploy *`,
  }))
  const files = policyFiles(path.join(home, "policy"), { endpoint, key: "k", enduser: undefined })
  const keeper = openKeeper({ files, pinned: [], report: console.error })
  keeper.trust("bench", [key])
  const document = { schema: POLICY_SCHEMA, permissions: { rules } } as const
  const bundle = { version: 1, layers: [{ layer: "organization" as const, version: 1, document }] }
  const issuedAt = new Date().toISOString()
  const signed = { organization: "bench", subject: null, teams: [], issuedAt, keys: [key], bundle }
  if (!keeper.take(sealPolicy(signed, { id: key.id, privateKey }), null).ok) throw new Error("the policy was not taken")
  keeper.note(Date.now(), null)
  const hooks = path.join(home, "spool/hooks")
  mkdirSync(hooks, { recursive: true })
  writeFileSync(path.join(hooks, "flush.lock"), "")
}

/** Milliseconds from the start of the process to its end. */
function time({ args, input, endpoint }: Peer, home: string): number {
  const connection = endpoint === undefined ? {} : { BELAY_ENDPOINT: endpoint, BELAY_INGEST_KEY: "k" }
  const env = { ...process.env, BELAY_HOME: path.join(folder, home), ...connection }
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
