import type { Kysely } from "kysely"
import type { DB } from "../db/types.ts"
import { repeat, type Repeating } from "../repeat.ts"
import { addOrganizations, DETECTOR, type Detecting, type Detector, detectNext, type DetectStep } from "./step.ts"

const EVERY_MS = 60_000

type Options = Pick<Detecting, "db" | "now"> & Partial<Pick<Detecting, "zones" | "tell">>

/**
 * Observes every hour that is complete, of every organization that nobody else is at. Takes the worker's database; any
 * number of processes may do this at once. One whose step fails keeps nobody else waiting; its error is thrown at the end.
 */
export function detectAll(options: Options): Promise<readonly DetectStep[]> {
  return detectAllWith(DETECTOR, options)
}

/** The same with another detector. */
export async function detectAllWith<State>(
  detector: Detector<State>,
  { db, now, zones = new Map(), tell = console.error }: Options,
): Promise<readonly DetectStep[]> {
  await addOrganizations(db)
  const steps: DetectStep[] = []
  const errors: unknown[] = []
  const failed = new Set<string>()
  for (;;) {
    try {
      const step = await detectNext({ db, now, zones, tell, failed }, detector)
      if (step === null) break
      steps.push(step)
    } catch (error) {
      errors.push(error)
      // It was not about one organization, whom to leave out would let the others go on.
      if (failed.size < errors.length) break
    }
  }
  if (errors.length > 0) throw errors[0]
  return steps
}

/** Looks every minute until it is stopped. */
export function startDetection(options: {
  readonly db: Kysely<DB>
  readonly now: () => Date
  readonly tell: (line: string) => void
  readonly log: (message: string, error: unknown) => void
}): Repeating {
  const { db, now, tell, log } = options
  const zones = new Map()
  return repeat({
    everyMs: EVERY_MS,
    work: () => detectAll({ db, now: now(), zones, tell }),
    onError: (error) => log("detection fell behind", error),
  })
}
