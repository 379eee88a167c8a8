import type { Kysely } from "kysely"
import type { DB } from "../db/types.ts"
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

export interface Detection {
  /** Waits for the step in hand. */
  stop(): Promise<void>
}

/** Looks every minute until it is stopped. */
export function startDetection(options: {
  readonly db: Kysely<DB>
  readonly now: () => Date
  readonly tell: (line: string) => void
  readonly log: (message: string, error: unknown) => void
}): Detection {
  const { db, now, tell, log } = options
  const zones = new Map()
  let timer: NodeJS.Timeout | undefined
  let isStopped = false
  let work: Promise<unknown> = Promise.resolve()
  const run = () => {
    work = detectAll({ db, now: now(), zones, tell })
      .catch((error: unknown) => log("detection fell behind", error))
      .finally(() => {
        if (!isStopped) timer = setTimeout(run, EVERY_MS)
      })
  }
  run()
  return {
    async stop() {
      isStopped = true
      clearTimeout(timer)
      await work
    },
  }
}
