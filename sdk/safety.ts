import { diag } from "@opentelemetry/api"

/** What keeps the SDK's troubles out of its host: they are told to OpenTelemetry's `diag`, and that is all. */

const LOGGER = diag.createComponentLogger({ namespace: "@belay/sdk" })
const REPEAT_MS = 60_000

/** Tells of a problem, of each at most once a minute. */
export type Report = (problem: string) => void

/** `elapsed` gives milliseconds. */
export function createReport(elapsed: () => number): Report {
  const told = new Map<string, number>()
  return (problem) => {
    const now = elapsed()
    if (now - (told.get(problem) ?? -Infinity) < REPEAT_MS) return
    told.set(problem, now)
    try {
      LOGGER.warn(problem)
    } catch {
      // A logger of the host's that throws shall not throw here.
    }
  }
}

/** The answer of `work`, or `otherwise` when it throws. */
export function attempt<Answer>(work: () => Answer, otherwise: () => Answer): Answer {
  try {
    return work()
  } catch (error) {
    tellThrown(error)
    return otherwise()
  }
}

/**
 * Makes the methods of a class of handles answer the handle itself where they would throw: a wrong argument from plain
 * JavaScript, an object whose fields throw when they are read. Methods that give another handle see to that themselves.
 */
export function neverThrow(handle: { readonly prototype: object }): void {
  const { prototype } = handle
  for (const [name, { value: method }] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
    if (name === "constructor" || typeof method !== "function") continue
    const value = function (this: unknown, first: unknown, second: unknown): unknown {
      try {
        return method.call(this, first, second)
      } catch (error) {
        tellThrown(error)
        return this
      }
    }
    Object.defineProperty(prototype, name, { value, configurable: true, writable: true })
  }
}

function tellThrown(error: unknown): void {
  try {
    // The message may quote what was passed.
    LOGGER.warn(`a call was ignored: ${error instanceof Error ? error.name : "something was thrown"}`)
  } catch {
    // As above.
  }
}
