import { useEffect, useRef, useState } from "react"
import type { DryRun, DryRunStep } from "#server/policy/dry-run.ts"

export type DryRunState =
  | { readonly kind: "running"; readonly judged: number; readonly total: number | null }
  | { readonly kind: "adding_up" }
  | { readonly kind: "done"; readonly result: DryRun }
  | { readonly kind: "stopped" }
  | { readonly kind: "failed" }

const STARTED: DryRunState = { kind: "running", judged: 0, total: null }

/** Runs a dry run in the page's sight, from the start whenever the address changes; leaving the page stops it. */
export function useDryRun(address: string): { state: DryRunState; stop: () => void; start: () => void } {
  const [attempt, setAttempt] = useState(0)
  const [run, setRun] = useState<{ address: string; attempt: number; state: DryRunState } | null>(null)
  const running = useRef<AbortController | null>(null)
  useEffect(() => {
    const aborter = new AbortController()
    running.current = aborter
    const tell = (state: DryRunState) => {
      if (!aborter.signal.aborted || state.kind === "stopped") setRun({ address, attempt, state })
    }
    read(address, aborter.signal, (step) => {
      tell(step.kind === "judging" ? { ...step, kind: "running" } : step)
    }).catch(() => {
      tell(aborter.signal.reason === STOPPED ? { kind: "stopped" } : { kind: "failed" })
    })
    return () => aborter.abort()
  }, [address, attempt])
  const isCurrent = run !== null && run.address === address && run.attempt === attempt
  return {
    state: isCurrent ? run.state : STARTED,
    stop: () => running.current?.abort(STOPPED),
    start: () => setAttempt((count) => count + 1),
  }
}

/** Why it ended, when somebody stopped it. */
const STOPPED = "stopped"

async function read(address: string, signal: AbortSignal, tell: (step: DryRunStep) => void): Promise<void> {
  const answer = await fetch(address, { signal })
  if (!answer.ok || answer.body === null) throw new Error(`the dry run was answered with ${answer.status}`)
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader()
  let isDone = false
  let rest = ""
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    const lines = (rest + value).split("\n")
    rest = lines.pop() ?? ""
    for (const line of lines) {
      const step = JSON.parse(line) as DryRunStep
      isDone ||= step.kind === "done"
      tell(step)
    }
  }
  if (!isDone) throw new Error("the dry run ended before its result")
}
