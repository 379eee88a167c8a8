import type { Signal } from "../signal.ts"
import type { Group, MetricPoint, Span } from "../otlp/types.ts"
import { toName } from "./attributes.ts"
import type { Reading } from "./dialect.ts"

/** For a name that is known and deliberately gives no signal. */
export const SILENT: readonly Signal[] = []

/** What the items give when each is read by `read`; null from `read` means that the item's name is not known. */
export function readEach<Item>(
  items: readonly Item[],
  nameOf: (item: Item) => string,
  read: (item: Item) => readonly Signal[] | null,
): Reading {
  const signals: Signal[] = []
  const unrecognized = new Map<string, number>()
  for (const item of items) {
    const given = read(item)
    if (given !== null) for (const signal of given) signals.push(signal)
    else countName(unrecognized, nameOf(item))
  }
  return { signals, unrecognized }
}

/** Metrics that only repeat what another signal of the source says: counted when their name is not known. */
export function readNoMetrics(group: Group<MetricPoint>, known: ReadonlySet<string>): Reading {
  return readEach(
    group.items,
    (point) => point.metric,
    (point) => (known.has(point.metric) ? SILENT : null),
  )
}

/**
 * What spans and events are counted by: the first word, as a name is a verb and what it was done to ("GET /orders/7",
 * "chat gpt-5"), and the latter is neither bounded nor free of content.
 */
export function firstWord(name: string): string {
  const end = name.indexOf(" ")
  return end === -1 ? name : name.slice(0, end)
}

export function spanName(span: Span): string {
  return firstWord(span.name)
}

function countName(counts: Map<string, number>, name: string): void {
  const counted = toName(name) ?? "(unnamable)"
  counts.set(counted, (counts.get(counted) ?? 0) + 1)
}
