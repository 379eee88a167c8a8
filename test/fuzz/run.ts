import { type Body, type Checked, checkBody, readBody } from "./check.ts"
import { readCorpus } from "./corpus.ts"
import { makeBody } from "./mutate.ts"

export interface Finding {
  readonly number: number
  /** `fault`: something else came out than may; `slow`: it took too long. */
  readonly kind: "fault" | "slow"
  readonly problem: string
}

/** Of processor time, for one body of at most 4 MiB. */
const CPU_MS_MAX = 100
/** The machine is shared, and whatever else runs makes one look slow: the best of so many counts. */
const ATTEMPTS = 5

export function createFuzzer(seed: string) {
  const corpus = readCorpus()
  return {
    /** Makes the body of this number and tells what is wrong with it, if anything. */
    check(number: number): Checked & { finding: Finding | null } {
      const body = makeBody(corpus, seed, number)
      const checked = checkBody(body)
      if (checked.fault !== null)
        return { ...checked, finding: { number, kind: "fault", problem: `${describe(body)}: ${checked.fault}` } }
      if (checked.ms <= CPU_MS_MAX) return { ...checked, finding: null }
      const ms = leastCpuMs(body)
      const problem = `${describe(body)}, ${checked.signals} signals: took ${ms.toFixed(0)} ms`
      return { ...checked, ms, finding: ms > CPU_MS_MAX ? { number, kind: "slow", problem } : null }
    },
  }
}

function leastCpuMs(body: Body): number {
  let least = Infinity
  for (let attempt = 0; attempt < ATTEMPTS && least > CPU_MS_MAX; attempt++) {
    least = Math.min(least, readBody(body, cpuMs).ms)
  }
  return least
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

function describe({ signal, encoding, bytes }: Body): string {
  return `${bytes.length} bytes of ${signal} in ${encoding}`
}
