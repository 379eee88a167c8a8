import { fork } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, rm } from "node:fs/promises"
import { loadavg, tmpdir } from "node:os"
import path from "node:path"
import { parseArgs } from "node:util"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { trace, type Tracer } from "@opentelemetry/api"
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto"
import { BatchSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace"
import { type Belay, noBelay, startBelay } from "#sdk/belay.ts"
import { compilePolicy } from "#sdk/policy/compile.ts"
import { policySource } from "#sdk/policy/source.ts"
import { openSpool } from "#sdk/spool.ts"

/**
 * `npm run bench:sdk`: what an operation costs its host at each rung, beside a bare OpenTelemetry span with four
 * attributes in the same process, which goes over a batch processor and OTLP/protobuf to the same bare HTTP server.
 *
 * `inline` is the time that the calls themselves take, which is what a keystroke waits for: the median over the turns of
 * the event loop, in which other processes count little. `all in` is the processor time of the whole process until
 * everything has arrived, with encoding, disk and network. Measurements take turns in every round; medians are printed.
 *
 * A decision of a policy of 1,000 rules is measured with the signal that tells of it: on commands that come again and
 * again, and on commands that were never seen before, which have to be parsed.
 */

const { values: flags } = parseArgs({
  options: { quick: { type: "boolean", default: false }, rounds: { type: "string" } },
})
const rounds = Number(flags.rounds ?? (flags.quick ? 3 : 9))
const OPERATIONS = flags.quick ? 4000 : 20_000
const MEMORY_OPERATIONS = flags.quick ? 100_000 : 1_000_000
const SPAN = "bare span with four attributes"
/** Operations in one turn of the event loop. */
const TURN = 200
const DECISION = "policy: decides on a command that it has seen"
/** Of the names of what is measured. */
const NAME_WIDTH = 52
const NEW_DECISION = "policy: decides on a new command"

setFlagsFromString("--expose-gc")
const collect = runInNewContext("gc") as () => void

interface Subject {
  readonly name: string
  operate(index: number): void
  /** Resolves when all that was measured has arrived. */
  settle(): Promise<unknown>
}

const sink = fork(path.join(import.meta.dirname, "echo.ts"), { serialization: "advanced" })
const folder = await mkdtemp(path.join(tmpdir(), "belay-bench-sdk-"))
try {
  const [address] = (await once(sink, "message")) as [{ port: number }]
  await run(`http://127.0.0.1:${address.port}`)
} finally {
  sink.disconnect()
  await rm(folder, { recursive: true, force: true })
}

async function run(endpoint: string): Promise<void> {
  const provider = new TracerProvider({
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: new OTLPTraceExporter({ url: `${endpoint}/v1/traces` }),
        maxQueueSize: 4 * OPERATIONS,
      }),
    ],
  })
  const start = (spans: boolean, name: string) =>
    startBelay({
      endpoint,
      ingestKey: "blk_bench",
      agent: { name: "bench" },
      spool: { folder: path.join(folder, name) },
      memoryBytesMax: 64 * 1024 * 1024,
      spans,
      policy: policySource(somePolicy(), () => ({ nowMs: 0, agentTool: "bench", workspace: "/work/app" })),
    })
  const settle = async (belay: Belay) => {
    const { isComplete } = await belay.flush({ deadlineMs: 60_000 })
    const { dropped } = belay.stats()
    if (!isComplete || dropped.memory > 0) throw new Error("not all has arrived")
  }
  const belay = start(false, "signals")
  trace.setGlobalTracerProvider(provider)
  const withSpans = start(true, "spans")
  const subjects: Subject[] = [
    bareSpan(provider.getTracer("bench"), provider),
    ...rungsOf(belay, "", () => settle(belay)),
    ...rungsOf(withSpans, ", with spans", async () => {
      await settle(withSpans)
      await provider.forceFlush()
    }).filter(({ name }) => name.startsWith("agent") || name.startsWith("orchestration")),
    ...decisionsOf(belay, () => settle(belay)),
    ...rungsOf(noBelay, ", not started", () => Promise.resolve()).slice(0, 1),
  ]
  const inline = new Map(subjects.map(({ name }) => [name, [] as number[]]))
  const allIn = new Map(subjects.map(({ name }) => [name, [] as number[]]))
  for (let round = -1; round < rounds; round++) {
    for (const subject of subjects) {
      const measured = await measure(subject)
      // The first is for the compiler.
      if (round < 0) continue
      inline.get(subject.name)?.push(measured.inlineNs)
      allIn.get(subject.name)?.push(measured.allInNs)
    }
  }
  await Promise.all([belay.shutdown(), withSpans.shutdown(), provider.shutdown()])
  const memory = await measureMemory()

  const ns = (of: Map<string, number[]>, name: string) => Math.round(median(of.get(name) ?? []))
  const ratio = (of: Map<string, number[]>, name: string) =>
    Number(median((of.get(name) ?? []).map((value, round) => (of.get(SPAN)?.[round] ?? NaN) / value)).toFixed(2))
  console.log(
    `\n${"".padEnd(NAME_WIDTH)}${"inline".padStart(12)}${"all in".padStart(12)}   span / operation, inline and all in`,
  )
  for (const { name } of subjects) {
    const figures = [ns(inline, name), ns(allIn, name)].map((value) => `${value} ns`.padStart(12)).join("")
    console.log(
      `${name.padEnd(NAME_WIDTH)}${figures}   ${ratio(inline, name).toFixed(2)}  ${ratio(allIn, name).toFixed(2)}`,
    )
  }
  console.log(
    `\n${MEMORY_OPERATIONS} operations with the endpoint down: ${memory.heapMiB} MiB more heap, ${memory.rssMiB} MiB more resident; ` +
      `${memory.spooled} on disk (${memory.diskMiB} MiB), ${memory.dropped} dropped and counted`,
  )
  const rungs = ["autocomplete", "chat", "agent", "orchestration"] as const
  const named = (of: Map<string, number[]>, by: (of: Map<string, number[]>, name: string) => number) =>
    Object.fromEntries(
      rungs.map((rung) => [rung, by(of, subjects.find(({ name }) => name.startsWith(rung))?.name ?? "")]),
    )
  const worst = Math.min(...Object.values(named(inline, ratio)))
  const report = {
    bench: "sdk",
    ratios: {
      span_vs_operation: ratio(inline, "autocomplete: suggest, shown, accepted"),
      worst_span_vs_operation: worst,
      by_rung: named(inline, ratio),
      all_in_by_rung: named(allIn, ratio),
      span_vs_decision: ratio(inline, DECISION),
      span_vs_new_decision: ratio(inline, NEW_DECISION),
    },
    figures: {
      span_ns: ns(inline, SPAN),
      operation_ns: named(inline, ns),
      all_in_span_ns: ns(allIn, SPAN),
      all_in_operation_ns: named(allIn, ns),
      decision_ns: ns(inline, DECISION),
      new_decision_ns: ns(inline, NEW_DECISION),
      all_in_decision_ns: ns(allIn, DECISION),
      not_started_ns: ns(inline, "autocomplete: suggest, shown, accepted, not started"),
      memory,
      load_after: Number((loadavg()[0] ?? NaN).toFixed(2)),
    },
    run: { quick: flags.quick, rounds, operations: OPERATIONS, turn: TURN },
  }
  console.log(`\n${JSON.stringify(report)}`)
}

function bareSpan(tracer: Tracer, provider: TracerProvider): Subject {
  return {
    name: SPAN,
    operate(index) {
      tracer
        .startSpan("chat", {
          attributes: {
            "gen_ai.request.model": "gpt-5",
            "gen_ai.operation.name": "chat",
            "belay.language": "typescript",
            "belay.lines_added": index,
          },
        })
        .end()
    },
    settle: () => provider.forceFlush(),
  }
}

function rungsOf(belay: Belay, suffix: string, settle: () => Promise<unknown>): Subject[] {
  return [
    {
      name: `autocomplete: suggest, shown, accepted${suffix}`,
      operate(index) {
        belay.autocomplete
          .suggest({ model: "gpt-5", language: "typescript" })
          .shown()
          .accepted({ lines: index, chars: 80 })
      },
      settle,
    },
    {
      name: `chat: turn, first token, answer${suffix}`,
      operate(index) {
        belay.chat
          .turn({ model: "gpt-5", provider: "openai" })
          .firstToken()
          .answered({ inputTokens: 1000, outputTokens: index })
      },
      settle,
    },
    {
      name: `agent: task from start to finish${suffix}`,
      operate(index) {
        belay.agent.task({ mode: "code" }).finish({ outcome: "accepted", diff: { linesAdded: index } })
      },
      settle,
    },
    {
      name: `agent, a call within a task${suffix}`,
      operate: (() => {
        const task = belay.agent.task({ mode: "code" })
        return (index: number) => task.tool("bash", { durationMs: index })
      })(),
      settle,
    },
    {
      name: `orchestration: run from start to finish${suffix}`,
      operate(index) {
        belay.orchestration.run({ mode: "code" }).finish({ outcome: "accepted", diff: { linesAdded: index } })
      },
      settle,
    },
  ]
}

function decisionsOf(belay: Belay, settle: () => Promise<unknown>): Subject[] {
  const decideOn = (command: string) =>
    belay.policy.decide({ action: "shell", rung: "agent", mode: "code", what: { kind: "shell", command } })
  let number = 0
  return [
    { name: DECISION, operate: (index) => decideOn(`git -C app push origin branch-${index % 100}`), settle },
    { name: NEW_DECISION, operate: () => decideOn(`git -C app push origin topic-${number++}`), settle },
  ]
}

function somePolicy() {
  const rules = Array.from({ length: 1000 }, (_, at) => ({
    id: `r${at}`,
    effect: (["allow", "ask", "deny"] as const)[at % 3] ?? "ask",
    action: "shell" as const,
    pattern: at % 2 === 0 ? `program-${at} run *` : `git sub-${at} --flag-${at} *`,
  }))
  const document = { schema: "belay.policy/1", permissions: { defaults: { shell: "ask" }, rules } } as const
  return compilePolicy({ version: 1, layers: [{ layer: "organization", version: 1, document }] })
}

async function measure(subject: Subject): Promise<{ inlineNs: number; allInNs: number }> {
  await subject.settle()
  collect()
  const before = process.cpuUsage()
  const turns: number[] = []
  for (let done = 0; done < OPERATIONS; done += TURN) {
    const started = performance.now()
    for (let index = 0; index < TURN; index++) subject.operate(done + index)
    turns.push(performance.now() - started)
    await new Promise(setImmediate)
  }
  await subject.settle()
  const { user, system } = process.cpuUsage(before)
  return { inlineNs: (median(turns) * 1e6) / TURN, allInNs: ((user + system) * 1000) / OPERATIONS }
}

/** What a million operations leave in memory when nobody takes them. */
async function measureMemory() {
  const spool = path.join(folder, "memory")
  const belay = startBelay({
    endpoint: "http://127.0.0.1:1",
    ingestKey: "blk_bench",
    agent: { name: "bench" },
    spool: { folder: spool },
  })
  collect()
  const before = process.memoryUsage()
  const [autocomplete] = rungsOf(belay, "", () => Promise.resolve())
  for (let done = 0; done < MEMORY_OPERATIONS; done += TURN) {
    for (let index = 0; index < TURN; index++) autocomplete?.operate(index)
    await new Promise(setImmediate)
  }
  // Twice, since what the first finalizes the second frees.
  collect()
  collect()
  const after = process.memoryUsage()
  const { spooled, dropped, waiting } = belay.stats()
  await belay.shutdown({ deadlineMs: 5000 })
  const status = openSpool({ folder: spool }).status()
  const mib = (bytes: number) => Number((bytes / 1024 / 1024).toFixed(1))
  return {
    heapMiB: mib(after.heapUsed + after.external - before.heapUsed - before.external),
    rssMiB: mib(after.rss - before.rss),
    waiting,
    spooled,
    dropped: dropped.memory,
    diskMiB: mib(status.bytes),
    droppedFromDisk: status.dropped.full,
  }
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? NaN
}
