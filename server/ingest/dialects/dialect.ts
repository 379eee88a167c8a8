import type { Signal } from "../signal.ts"
import type { Group, LogRecord, MetricPoint, Span } from "../otlp/types.ts"

/**
 * What one kind of source makes of its telemetry. Each reader gets the items of one resource and scope, in order,
 * and is pure: same items, same result.
 */
export interface Dialect {
  /** Stable name, used to count what was not recognized. */
  readonly name: string
  spans(group: Group<Span>): Reading
  logs(group: Group<LogRecord>): Reading
  metrics(group: Group<MetricPoint>): Reading
}

export interface Reading {
  readonly signals: readonly Signal[]
  /** Names of spans, events or metrics that gave no signal, with how often; counted, never an error. */
  readonly unrecognized: ReadonlyMap<string, number>
}
