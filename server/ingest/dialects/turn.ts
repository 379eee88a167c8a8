import { RUNGS, type Rung } from "#sdk/ladder.ts"
import type { Span } from "../otlp/types.ts"
import { toMs } from "./source.ts"

/** The earliest model call of a trace in one batch. */
interface FirstCall {
  readonly startUnixNano: bigint
  /** From the call's start; null when the source does not say. */
  readonly firstTokenMs: number | null
}

/**
 * A turn's first model call starts at once. One that starts later may be the turn's second, with the first in an
 * earlier batch, and would make the person's wait look longer than it was.
 */
const PROMPT_START_NANOS = 2_000_000_000n

/** The first model call of each trace; `firstTokenMsOf` answers undefined for a span that is none. */
export function firstCallsOf(
  spans: readonly Span[],
  firstTokenMsOf: (span: Span) => number | null | undefined,
): ReadonlyMap<string, FirstCall> {
  const calls = new Map<string, FirstCall>()
  for (const span of spans) {
    const firstTokenMs = firstTokenMsOf(span)
    if (firstTokenMs === undefined) continue
    const known = calls.get(span.traceId)
    if (known !== undefined && known.startUnixNano <= span.startUnixNano) continue
    calls.set(span.traceId, { startUnixNano: span.startUnixNano, firstTokenMs })
  }
  return calls
}

/** Milliseconds from the turn's start to the first token of its answer; null when the batch does not tell. */
export function turnLatencyMs(turn: Span, firstCalls: ReadonlyMap<string, FirstCall>): number | null {
  const call = firstCalls.get(turn.traceId)
  if (call === undefined || call.firstTokenMs === null) return null
  const delay = call.startUnixNano - turn.startUnixNano
  return delay < 0n || delay > PROMPT_START_NANOS ? null : toMs(delay) + call.firstTokenMs
}

/**
 * The highest rung that the spans of each trace prove, by `rungOf`: a turn stands on it even where the spans themselves
 * give no signal, because an event tells the same.
 */
export function rungsOf(spans: readonly Span[], rungOf: (span: Span) => Rung | null): ReadonlyMap<string, Rung> {
  const rungs = new Map<string, Rung>()
  for (const span of spans) {
    const rung = rungOf(span)
    if (rung === null) continue
    const known = rungs.get(span.traceId)
    if (known === undefined || RUNGS.indexOf(rung) > RUNGS.indexOf(known)) rungs.set(span.traceId, rung)
  }
  return rungs
}
