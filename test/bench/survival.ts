import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { availableParallelism, loadavg, tmpdir } from "node:os"
import path from "node:path"
import { performance } from "node:perf_hooks"
import { text } from "node:stream/consumers"
import { parseArgs } from "node:util"
import { buildCommand } from "#sdk/cli/build.ts"
import { OPERATION_TRAILER, toToken } from "#sdk/token.ts"

/**
 * `npm run bench:survival`: `belay survival --dry-run` as a whole process of the bundle that is published, over a repository
 * of 10,000 commits, beside `git log -p` of the same repository, which has to read as much. They take turns within each
 * round. Memory is what the process held at most, git's own processes aside.
 *
 * Files of 300 lines are changed three at a time; four commits in ten are agents', every eighth is a merge of three.
 */
const { values: flags } = parseArgs({
  options: { quick: { type: "boolean", default: false }, rounds: { type: "string" }, commits: { type: "string" } },
})
const ROUNDS = Number(flags.rounds ?? 3)
const COMMITS = Number(flags.commits ?? (flags.quick ? 2000 : 10_000))
const FILES = 400
const LINES = 300
const BRANCH_EVERY = 8
const BRANCH_COMMITS = 3
const MINUTES = 12
const ENDED_AT = Date.parse("2026-11-20T12:00:00Z") / 1000

const folder = await mkdtemp(path.join(tmpdir(), "belay-bench-"))
try {
  await run()
} finally {
  await rm(folder, { recursive: true, force: true })
}

async function run(): Promise<void> {
  const load = loadavg()[0]?.toFixed(2)
  console.log(
    `Survival: ${ROUNDS} rounds over ${COMMITS} commits; node ${process.version}, ${availableParallelism()} cores, load before ${load}.`,
  )
  const repository = path.join(folder, "repository")
  await makeRepository(repository)
  const command = await buildCommand(path.join(folder, "belay"))
  const ours = [command, "survival", "--dry-run", "--branch", "main", "--since", "2000-01-01"]
  const logged = ["-c", "core.quotePath=false", "log", "-p", "-U0", "-w", "--no-renames", "--diff-merges=first-parent"]
  const rounds: { log: Measured; survival: Measured }[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const log = await measure("git", [...logged, "main"], repository)
    rounds.push({ log, survival: await measure(process.execPath, ours, repository) })
  }
  const middle = (of: (one: (typeof rounds)[number]) => number) => median(rounds.map(of))
  const seconds = { log: middle(({ log }) => log.seconds), survival: middle(({ survival }) => survival.seconds) }
  const peakMb = { log: middle(({ log }) => log.peakMb), survival: middle(({ survival }) => survival.peakMb) }
  for (const [name, who] of [
    ["git log -p", "log"],
    ["belay survival", "survival"],
  ] as const) {
    console.log(`${name.padEnd(16)} ${seconds[who].toFixed(1).padStart(6)} s  ${peakMb[who].toFixed(0).padStart(5)} MB`)
  }
  console.log(rounds.at(-1)?.survival.said.trim() ?? "")
  const round = (value: number) => Number(value.toFixed(2))
  const figures = { commits: COMMITS, survival_s: round(seconds.survival), survival_mb: round(peakMb.survival) }
  const ratios = { survival_vs_log: round(seconds.survival / seconds.log) }
  console.log(JSON.stringify({ bench: "survival", ratios, figures }))
}

type Measured = Awaited<ReturnType<typeof measure>>

/** Runs a program to its end. Its peak of memory is asked of Linux meanwhile. */
async function measure(program: string, args: readonly string[], cwd: string) {
  const startedAt = performance.now()
  const child = spawn(program, args, { cwd, stdio: ["ignore", program === "git" ? "ignore" : "pipe", "inherit"] })
  let peakMb = 0
  const watching = setInterval(() => {
    peakMb = Math.max(peakMb, peakOf(child.pid))
  }, 20)
  const said = child.stdout === null ? "" : text(child.stdout)
  const [status] = (await once(child, "exit")) as [number | null]
  clearInterval(watching)
  if (status !== 0) throw new Error(`${program} ended with ${status}`)
  return { seconds: (performance.now() - startedAt) / 1000, peakMb, said: await said }
}

/** Megabytes; 0 of a process that is gone. */
function peakOf(pid: number | undefined): number {
  try {
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024
  } catch {
    return 0
  }
}

/** Deterministic: the same commits with the same ids at each run. */
async function makeRepository(repository: string): Promise<void> {
  const git = (...args: readonly string[]) => spawnSync("git", ["-C", folder, ...args], { encoding: "utf8" })
  git("init", "--quiet", "--initial-branch=main", repository)
  const importing = spawn("git", ["-C", repository, "fast-import", "--quiet", "--force"], {
    stdio: ["pipe", "inherit", "inherit"],
  })
  const ended = once(importing, "exit")
  for (const part of history()) {
    if (!importing.stdin.write(part)) await once(importing.stdin, "drain")
  }
  importing.stdin.end()
  const [status] = (await ended) as [number | null]
  if (status !== 0) throw new Error(`git fast-import ended with ${status}`)
}

function* history(): Generator<string> {
  const random = mulberry32(7)
  const pick = (below: number) => Math.floor(random() * below)
  const line = (of: string) => `  const ${of}${pick(1e6)} = compute(${pick(1e9)}, ${pick(1e9)})`
  const main = Array.from({ length: FILES }, (_, file) => Array.from({ length: LINES }, () => line(`file${file}_`)))
  let mark = 0
  const commit = (ref: string, from: string, message: string, changed: ReadonlyMap<number, readonly string[]>) => {
    mark++
    const at = ENDED_AT - (COMMITS - mark) * MINUTES * 60
    const who = `Ada <ada@example.com> ${at} +0000`
    const files = [...changed].map(
      ([file, lines]) => `M 100644 inline src/${file % 20}/${file}.ts\n${dataOf(`${lines.join("\n")}\n`)}`,
    )
    return `commit ${ref}\nmark :${mark}\nauthor ${who}\ncommitter ${who}\n${dataOf(message)}${from}${files.join("")}\n`
  }
  /** A line or a few of three files. */
  const edit = (files: readonly (readonly string[])[], within: (file: number) => number) => {
    const changed = new Map<number, readonly string[]>()
    for (let time = 0; time < 3; time++) {
      const file = within(pick(FILES))
      const lines = [...(changed.get(file) ?? files[file] ?? [])]
      lines.splice(pick(lines.length), pick(6), ...Array.from({ length: pick(8) }, () => line("")))
      changed.set(file, lines)
    }
    return changed
  }
  const message = (number: number) => {
    const operation = toToken({ rung: "agent", operationId: `task-${number}`, sessionId: undefined })
    return random() < 0.4 ? `Change ${number}\n\n${OPERATION_TRAILER}: ${operation}\n` : `Change ${number}\n`
  }
  const apply = (files: (readonly string[])[], changed: ReadonlyMap<number, readonly string[]>) => {
    for (const [file, lines] of changed) files[file] = lines
  }
  yield commit("refs/heads/main", "", "Begin", new Map(main.entries()))
  let tip = mark
  for (;;) {
    if (mark >= COMMITS) return
    if (mark % BRANCH_EVERY !== 0) {
      const changed = edit(main, (file) => file)
      apply(main, changed)
      yield commit("refs/heads/main", `from :${tip}\n`, message(mark), changed)
      tip = mark
      continue
    }
    // A branch changes files of one half while the other half is changed beside it.
    const branch = [...main]
    const all = new Map<number, readonly string[]>()
    let from = tip
    for (let step = 0; step < BRANCH_COMMITS; step++) {
      const changed = edit(branch, (file) => file - (file % 2))
      apply(branch, changed)
      for (const [file, lines] of changed) all.set(file, lines)
      yield commit("refs/heads/work", `from :${from}\n`, message(mark), changed)
      from = mark
    }
    const beside = edit(main, (file) => (file % 2 === 0 ? file + 1 : file))
    apply(main, beside)
    yield commit("refs/heads/main", `from :${tip}\n`, message(mark), beside)
    tip = mark
    apply(main, all)
    yield commit("refs/heads/main", `from :${tip}\nmerge :${from}\n`, "Merge\n", all)
    tip = mark
  }
}

function dataOf(content: string): string {
  return `data ${Buffer.byteLength(content)}\n${content}\n`
}

function mulberry32(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN
}
