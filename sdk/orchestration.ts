import { type Finish, type Task, TaskHandle, type TaskOptions } from "./agent.ts"
import type { Core } from "./core.ts"
import type { LateDetails, LateOutcomes } from "./late-outcomes.ts"
import { attempt, neverThrow } from "./safety.ts"

/** What is known of a run when it begins. */
export interface RunOptions {
  /** The persona of the agent that leads: `orchestrator`. */
  readonly mode?: string | undefined
  /** The conversation that it belongs to, by the host's own id. */
  readonly sessionId?: string | undefined
}

/** Work that several agents share. */
export interface Run {
  /** Stands for the operation in `belay.resume(token)`, in any process and whenever. */
  readonly token: string
  /** Hands a part of the work to an agent. */
  spawn(options?: TaskOptions): Task
  /** The work of agents was put together. */
  merge(details?: LateDetails): void
  /** The run is over; what becomes of its work may be said later. */
  finish(finish: Finish): LateOutcomes
}

class RunHandle implements Run {
  readonly #core: Core
  readonly #options: RunOptions
  readonly #work: TaskHandle

  constructor(core: Core, options: RunOptions) {
    this.#core = core
    this.#options = options
    this.#work = new TaskHandle(core, { kind: "run", rung: "orchestration" }, options)
  }

  get token(): string {
    return this.#work.token
  }

  spawn(options: TaskOptions = {}): Task {
    const work = { kind: "task", rung: "orchestration", parent: this.#work.parent } as const
    const { sessionId } = this.#options
    return attempt(
      () => new TaskHandle(this.#core, work, { sessionId, ...options }),
      () => new TaskHandle(this.#core, work, { sessionId }),
    )
  }

  merge(details: LateDetails = {}): void {
    const { origin = "human", linesAdded, linesRemoved, filesChanged } = details
    this.#work.emit({ kind: "outcome", outcome: "merged", origin, linesAdded, linesRemoved, filesChanged })
  }

  finish(finish: Finish): LateOutcomes {
    return this.#work.finish(finish)
  }
}
neverThrow(RunHandle)

export function run(core: Core, options: RunOptions): Run {
  return new RunHandle(core, options)
}
