import { RUNGS, type Rung } from "#sdk/ladder.ts"
import type { Signal } from "./signal.ts"

/**
 * Gives a signal that names its session but no operation the operation of its session's latest `start` at or before
 * it, as far as this batch shows; a subagent's task, which is an operation of its own, gets it as its parent. Some
 * sources write events of one turn outside its trace.
 */
export function assignOperations(signals: readonly Signal[]): readonly Signal[] {
  const starts = startsBySession(signals)
  if (starts.size === 0) return signals
  return signals.map((signal) => {
    if (signal.sessionId === null || !isUnplaced(signal)) return signal
    const operationId = latestStart(starts.get(signal.sessionId) ?? [], signal.observedUnixNano)?.operationId ?? null
    if (operationId === null || operationId === signal.operationId) return signal
    return signal.kind === "task" ? { ...signal, parentOperationId: operationId } : { ...signal, operationId }
  })
}

/**
 * Kinds that belong to no operation: they outlast any, or come between two. A change of rung would lift the task before
 * it to the rung of what comes after.
 */
export const STANDS_ALONE: ReadonlySet<string> = new Set(["session", "presence", "mode_change"])

function isUnplaced(signal: Signal): boolean {
  if (STANDS_ALONE.has(signal.kind)) return false
  if (signal.operationId === null) return signal.kind !== "task"
  // Below orchestration a task is what was asked for, not what an agent handed on.
  return signal.kind === "task" && signal.rung === "orchestration" && signal.parentOperationId === null
}

/** Starts with an operation, earliest first. */
function startsBySession(signals: readonly Signal[]): ReadonlyMap<string, readonly Signal[]> {
  const starts = new Map<string, Signal[]>()
  for (const signal of signals) {
    if (signal.kind !== "start" || signal.sessionId === null || signal.operationId === null) continue
    const ofSession = starts.get(signal.sessionId)
    if (ofSession === undefined) starts.set(signal.sessionId, [signal])
    else ofSession.push(signal)
  }
  for (const ofSession of starts.values()) {
    ofSession.sort((a, b) => (a.observedUnixNano < b.observedUnixNano ? -1 : 1))
  }
  return starts
}

/** The last of `starts` at or before `time`, by halving: a batch may hold one session of thousands of prompts. */
function latestStart(starts: readonly Signal[], time: bigint): Signal | undefined {
  let low = 0
  let high = starts.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const start = starts[middle]
    if (start !== undefined && start.observedUnixNano <= time) low = middle + 1
    else high = middle
  }
  return starts[low - 1]
}

const HEIGHTS: Record<Rung, number> = { autocomplete: 0, chat: 1, agent: 2, orchestration: 3 }

/**
 * Puts all signals of an operation on the highest rung among them, as far as this batch shows. An operation that
 * handed work to agents stands on `orchestration`, whatever its own signals prove.
 */
export function promoteRungs(signals: readonly Signal[]): readonly Signal[] {
  const heights = new Map<string, number>()
  const raise = (operationId: string | null, height: number) => {
    if (operationId !== null && height > (heights.get(operationId) ?? -1)) heights.set(operationId, height)
  }
  for (const signal of signals) {
    raise(signal.operationId, HEIGHTS[signal.rung])
    if (signal.rung === "orchestration") raise(signal.parentOperationId, HEIGHTS.orchestration)
  }
  return signals.map((signal) => {
    const height = signal.operationId === null ? undefined : heights.get(signal.operationId)
    const rung = height === undefined ? undefined : RUNGS[height]
    return rung === undefined || rung === signal.rung ? signal : { ...signal, rung }
  })
}
