import { loadavg } from "node:os"
import { parseArgs } from "node:util"
import { createFuzzer, type Finding } from "./run.ts"

/**
 * `npm run fuzz:ingest`: mutated bodies through the readers and normalizers, each made from the seed and its number, so
 * that `--from N --count 1` repeats one, and `--from N` goes on where a run was stopped.
 */

const { values: flags } = parseArgs({
  options: {
    seed: { type: "string", default: "belay" },
    from: { type: "string", default: "0" },
    count: { type: "string", default: "10000000" },
  },
})
const [from, count] = [Number(flags.from), Number(flags.count)]
if (!Number.isSafeInteger(from) || !Number.isSafeInteger(count)) throw new Error("--from and --count are whole numbers")

const PROGRESS_EVERY_MS = 10_000
/** A fault that many bodies find is told of a few times. */
const FAULTS_MAX = 50

// Most bodies end in an error, and nobody looks at where it came from.
Error.stackTraceLimit = 0
const fuzzer = createFuzzer(flags.seed)
const found: Record<Finding["kind"], number> = { fault: 0, slow: 0 }
const started = performance.now()
let [signals, slowestMs, withSignals, toldAt] = [0, 0, 0, started]
let number = from
const stop = new AbortController()
process.once("SIGINT", () => stop.abort())
process.once("SIGTERM", () => stop.abort())

console.log(`Seed ${flags.seed}, bodies ${from} to ${from + count - 1}; node ${process.version}.`)
for (; number < from + count && !stop.signal.aborted && found.fault < FAULTS_MAX; number++) {
  const checked = fuzzer.check(number)
  signals += checked.signals
  if (checked.signals > 0) withSignals++
  slowestMs = Math.max(slowestMs, checked.ms)
  if (checked.finding !== null) {
    const { kind, problem } = checked.finding
    found[kind]++
    console.log(`  ${kind}: --seed ${flags.seed} --from ${number} --count 1: ${problem}`)
  }
  // Not at every body, as asking for the time is dear beside a small one; and signals are heard in between.
  if (number % 1000 !== 0) continue
  const at = performance.now()
  if (at - toldAt < PROGRESS_EVERY_MS) continue
  toldAt = at
  await new Promise(setImmediate)
  const done = number + 1 - from
  console.log(
    `${done} bodies, ${((done / (at - started)) * 1000).toFixed(0)} a second; go on with --from ${number + 1}`,
  )
}

const seconds = (performance.now() - started) / 1000
const bodies = number - from
const figures = {
  bodies,
  bodies_per_s: Math.round(bodies / seconds),
  bodies_with_signals: withSignals,
  signals,
  slowest_ms: Number(slowestMs.toFixed(1)),
  faults: found.fault,
  slow: found.slow,
  load_after: Number(loadavg()[0]?.toFixed(2)),
}
console.log(
  `\n${bodies} bodies in ${seconds.toFixed(0)} s, ${withSignals} of them gave ${signals} signals; ${found.fault} faults, ${found.slow} slow.`,
)
console.log(`\n${JSON.stringify({ fuzz: "ingest", seed: flags.seed, from, next: number, figures })}`)
process.exitCode = found.fault + found.slow === 0 ? 0 : 1
