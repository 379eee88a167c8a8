import { chooseDialect } from "./dialects/choose.ts"
import type { Dialect, Reading } from "./dialects/dialect.ts"
import { assignOperations, promoteRungs } from "./operations.ts"
import type { Attributes, Group, LogRecord, MetricPoint, OtlpRequest, OtlpSignal, Span } from "./otlp/types.ts"
import type { Signal } from "./signal.ts"

export interface Normalized {
  readonly signals: readonly Signal[]
  readonly unrecognized: readonly Unrecognized[]
  readonly rejected: readonly Rejected[]
}

/** Items that were taken but gave nothing, because their dialect does not know the name. */
export interface Unrecognized {
  readonly dialect: string
  readonly signal: OtlpSignal
  readonly name: string
  readonly count: number
}

/** Items that were refused, for OTLP's partial success. */
interface Rejected {
  readonly reason: RejectReason
  readonly count: number
}

export type RejectReason = "bad_id" | "time_out_of_range" | "too_many_attributes" | "other_tool"

const MAX_ATTRIBUTES = 512
const DAY_MS = 24 * 60 * 60 * 1000
const PAST_MS = 30 * DAY_MS
const FUTURE_MS = DAY_MS

/**
 * Turns a decoded OTLP request into content-free signals. Pure: `now` is when the request came in.
 *
 * An item is refused when it has more than 512 attributes, is a span without valid ids, or its time is outside
 * [now - 30 d, now + 24 h]; the others are kept. The time of a span is its end, that of a log record the first of its
 * own time, the time it was observed, and `now`; a data point without a time gets `now`.
 *
 * With `onlyTool`, what comes from another agent tool is refused as well. What gives no signal tells no agent tool.
 *
 * @see https://opentelemetry.io/docs/specs/otlp/#partial-success-1
 */
export function normalize(request: OtlpRequest, now: Date, onlyTool: string | null = null): Normalized {
  const rejected = new Map<RejectReason, number>()
  const check = createCheck(now, rejected)
  const readings = readGroups(request, now, check)

  const signals: Signal[] = []
  const unrecognized = new Map<string, Unrecognized>()
  for (const { dialect, reading, items } of readings) {
    const own = onlyTool === null ? reading.signals : reading.signals.filter((signal) => isOf(onlyTool, signal))
    const others = reading.signals.length - own.length
    if (others > 0) {
      // The items of one resource and scope are almost always one tool's; where not, no more than were sent are refused.
      const count = own.length === 0 ? items : Math.min(others, items)
      rejected.set("other_tool", (rejected.get("other_tool") ?? 0) + count)
      if (own.length === 0) continue
    }
    for (const signal of own) signals.push(signal)
    for (const [name, count] of reading.unrecognized) {
      const key = `${dialect.name}\u0000${name}`
      const before = unrecognized.get(key)?.count ?? 0
      unrecognized.set(key, { dialect: dialect.name, signal: request.signal, name, count: before + count })
    }
  }
  return {
    signals: promoteRungs(assignOperations(signals)),
    unrecognized: [...unrecognized.values()],
    rejected: [...rejected].map(([reason, count]) => ({ reason, count })),
  }
}

/** Whoever typed the tool's name may have minded its capitals less than the tool does. */
function isOf(tool: string, signal: Signal): boolean {
  return signal.agentTool.toLowerCase() === tool.toLowerCase()
}

interface DialectReading {
  readonly dialect: Dialect
  readonly reading: Reading
  /** How many items it was read from. */
  readonly items: number
}

function readGroups(request: OtlpRequest, now: Date, check: Check): readonly DialectReading[] {
  const arrivedUnixNano = toUnixNano(now.getTime())
  if (request.signal === "traces") {
    return request.groups.map((group) => {
      const dialect = chooseDialect(group.resource, group.scope)
      const kept = keepItems(group, (span) => checkSpan(span, check))
      return { dialect, reading: dialect.spans(kept), items: kept.items.length }
    })
  }
  if (request.signal === "logs") {
    const keep = (record: LogRecord) =>
      checkTimed(record, record.timeUnixNano || record.observedUnixNano || arrivedUnixNano, check)
    return request.groups.map((group) => {
      const dialect = chooseDialect(group.resource, group.scope)
      const kept = keepItems(group, keep)
      return { dialect, reading: dialect.logs(kept), items: kept.items.length }
    })
  }
  const keep = (point: MetricPoint) => checkTimed(point, point.timeUnixNano || arrivedUnixNano, check)
  return request.groups.map((group) => {
    const dialect = chooseDialect(group.resource, group.scope)
    const kept = keepItems(group, keep)
    return { dialect, reading: dialect.metrics(kept), items: kept.items.length }
  })
}

function keepItems<Item>(group: Group<Item>, keep: (item: Item) => Item | null): Group<Item> {
  return { ...group, items: group.items.map(keep).filter((item) => item !== null) }
}

/** Whether an item is kept; counts it under its reason when not. */
type Check = (attributes: Attributes, timeUnixNano: bigint, hasValidIds?: boolean) => boolean

function createCheck(now: Date, rejected: Map<RejectReason, number>): Check {
  const earliest = toUnixNano(now.getTime() - PAST_MS)
  const latest = toUnixNano(now.getTime() + FUTURE_MS)
  return (attributes, timeUnixNano, hasValidIds = true) => {
    let reason: RejectReason
    if (attributes.size > MAX_ATTRIBUTES) reason = "too_many_attributes"
    else if (!hasValidIds) reason = "bad_id"
    else if (timeUnixNano < earliest || timeUnixNano > latest) reason = "time_out_of_range"
    else return true
    rejected.set(reason, (rejected.get(reason) ?? 0) + 1)
    return false
  }
}

const [NO_TRACE, NO_SPAN] = ["0".repeat(32), "0".repeat(16)]

function checkSpan(span: Span, check: Check): Span | null {
  const { traceId, spanId } = span
  const hasValidIds = traceId !== "" && traceId !== NO_TRACE && spanId !== "" && spanId !== NO_SPAN
  return check(span.attributes, span.endUnixNano, hasValidIds) ? span : null
}

/** The item with the time that it counts at. */
function checkTimed<Item extends { readonly attributes: Attributes; readonly timeUnixNano: bigint }>(
  item: Item,
  timeUnixNano: bigint,
  check: Check,
): Item | null {
  if (!check(item.attributes, timeUnixNano)) return null
  return item.timeUnixNano === timeUnixNano ? item : { ...item, timeUnixNano }
}

function toUnixNano(epochMs: number): bigint {
  return BigInt(epochMs) * 1_000_000n
}
