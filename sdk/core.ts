import type { Tracer } from "@opentelemetry/api"
import type { Clock } from "./clock.ts"
import type { Surface } from "./ladder.ts"
import type { Report } from "./safety.ts"
import type { SignalFields } from "./signal.ts"

/** What every rung's handles stand on. */
export interface Core {
  readonly clock: Clock
  /** Where signals go; null when nothing was started, and then nothing is done for them. */
  readonly emit: ((fields: SignalFields) => void) | null
  readonly tracer: Tracer | null
  readonly surface: Surface | undefined
  readonly repository: string | undefined
  readonly report: Report
  /** Something that has to be done before all is sent. */
  defer(work: Promise<unknown>): void
}

/** What was called in an order that has no meaning is left out, and told once. */
export function misuse(core: Core, call: string, after: string): void {
  core.report(`${call} after ${after} was ignored`)
}
