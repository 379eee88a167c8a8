import type { RejectReason } from "./normalize.ts"
import type { DimensionKind } from "./rows.ts"
import { newTimes, type Times } from "./times.ts"

/** What became of a request. `busy`: nobody could send just then; `unfair`: only this sender could not. */
export type RequestOutcome =
  | "stored"
  | "malformed"
  | "too_large"
  | "busy"
  | "unfair"
  | "unauthenticated"
  | "forbidden"
  | "throttled"
  | "unstorable"
  | "failed"

/** What one request brought, besides what is wrong with all of it. */
export interface Received {
  readonly rejected: readonly { readonly reason: RejectReason; readonly count: number }[]
  readonly unrecognized: readonly { readonly dialect: string; readonly count: number }[]
  /** Signals whose time was long past when they came. */
  readonly late: number
  /** Signals of each agent tool. */
  readonly tools: readonly { readonly agentTool: string; readonly count: number }[]
}

/** A transaction that stored signals of one organization. */
export interface Committed {
  /** Signals that were to be stored, and those of them that were not there already. */
  readonly rows: number
  readonly stored: number
  readonly commitMs: number
  /** How long each request waited for its turn. */
  readonly queueMs: readonly number[]
}

type Counts<Name extends string> = Map<Name, number>

/** What came in for one organization in one minute, in this process. */
export interface Minute {
  readonly orgId: string
  /** Its first millisecond. */
  readonly startMs: number
  requests: number
  signals: number
  duplicates: number
  late: number
  readonly refusedRequests: Counts<RequestOutcome>
  readonly rejectedItems: Counts<RejectReason>
  /** Signals that carry `(other)` in place of a name, by the kind of name. */
  readonly folded: Counts<DimensionKind>
  readonly queueTimes: Times
  readonly commitTimes: Times
  /** When each agent tool last sent something, in milliseconds. */
  readonly tools: Map<string, number>
}

/** Of this process since it started. */
export interface Totals {
  readonly requests: Counts<RequestOutcome>
  readonly rejected: Counts<RejectReason>
  readonly unrecognized: Counts<string>
  readonly folded: Counts<DimensionKind>
  signals: number
  duplicates: number
  late: number
}

/** What is looked at when somebody asks. Null where it is not known. */
export interface Gauges {
  heldBytes(): number | null
  heldBytesMax(): number | null
  rollupLagSeconds(): number | null
}

/**
 * Counts what comes in, for the status page and Belay's own telemetry. Counting is a few additions: it stands in the way
 * of every request.
 */
export interface IngestMeter {
  readonly totals: Totals
  readonly gauges: Gauges
  request(orgId: string | null, outcome: RequestOutcome): void
  received(orgId: string, received: Received): void
  committed(orgId: string, committed: Committed): void
  folded(orgId: string, kind: DimensionKind, signals: number): void
  /** Says where a gauge is read from now on. */
  watch(gauges: Partial<Gauges>): void
  /** Calls `listener` after each commit. */
  onCommitted(listener: (committed: Committed) => void): void
  /** The minutes that have changed since they were last taken. A minute that is not over changes again. */
  takeChanged(): readonly Minute[]
  /** Puts back what could not be kept. */
  giveBack(minutes: readonly Minute[]): void
}

const MINUTE_MS = 60_000
/** While the database is away no more than this is remembered of each organization. */
const MINUTES_REMEMBERED = 120
/** Whoever invents names of tools does not fill the memory with them. */
const TOOLS_MAX = 200

export function createMeter(now: () => Date): IngestMeter {
  const totals: Totals = {
    requests: new Map(),
    rejected: new Map(),
    unrecognized: new Map(),
    folded: new Map(),
    signals: 0,
    duplicates: 0,
    late: 0,
  }
  const current = new Map<string, Minute>()
  const changed = new Set<Minute>()
  const listeners: ((committed: Committed) => void)[] = []
  let gauges: Gauges = { heldBytes: () => null, heldBytesMax: () => null, rollupLagSeconds: () => null }

  function minuteOf(orgId: string): Minute {
    const startMs = Math.floor(now().getTime() / MINUTE_MS) * MINUTE_MS
    let minute = current.get(orgId)
    if (minute === undefined || minute.startMs !== startMs) {
      minute = newMinute(orgId, startMs)
      current.set(orgId, minute)
    }
    changed.add(minute)
    return minute
  }

  return {
    totals,
    get gauges() {
      return gauges
    },
    request(orgId, outcome) {
      add(totals.requests, outcome)
      if (orgId === null) return
      const minute = minuteOf(orgId)
      minute.requests++
      if (outcome !== "stored") add(minute.refusedRequests, outcome)
    },
    received(orgId, { rejected, unrecognized, late, tools }) {
      const minute = minuteOf(orgId)
      for (const { reason, count } of rejected) {
        add(totals.rejected, reason, count)
        add(minute.rejectedItems, reason, count)
      }
      for (const { dialect, count } of unrecognized) add(totals.unrecognized, dialect, count)
      totals.late += late
      minute.late += late
      const at = now().getTime()
      for (const { agentTool } of tools) {
        if (minute.tools.has(agentTool) || minute.tools.size < TOOLS_MAX) minute.tools.set(agentTool, at)
      }
    },
    committed(orgId, committed) {
      const { rows, stored, commitMs, queueMs } = committed
      const minute = minuteOf(orgId)
      totals.signals += rows
      minute.signals += rows
      totals.duplicates += rows - stored
      minute.duplicates += rows - stored
      minute.commitTimes.add(commitMs)
      for (const ms of queueMs) minute.queueTimes.add(ms)
      for (const listener of listeners) listener(committed)
    },
    folded(orgId, kind, signals) {
      add(totals.folded, kind, signals)
      add(minuteOf(orgId).folded, kind, signals)
    },
    watch(more) {
      gauges = { ...gauges, ...more }
    },
    onCommitted(listener) {
      listeners.push(listener)
    },
    takeChanged() {
      const taken = [...changed]
      changed.clear()
      return taken
    },
    giveBack(minutes) {
      const oldest = now().getTime() - MINUTES_REMEMBERED * MINUTE_MS
      for (const minute of minutes) if (minute.startMs >= oldest) changed.add(minute)
    },
  }
}

function newMinute(orgId: string, startMs: number): Minute {
  return {
    orgId,
    startMs,
    requests: 0,
    signals: 0,
    duplicates: 0,
    late: 0,
    refusedRequests: new Map(),
    rejectedItems: new Map(),
    folded: new Map(),
    queueTimes: newTimes(),
    commitTimes: newTimes(),
    tools: new Map(),
  }
}

function add<Name>(counts: Map<Name, number>, name: Name, count = 1): void {
  counts.set(name, (counts.get(name) ?? 0) + count)
}
