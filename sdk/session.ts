import type { Core } from "./core.ts"
import type { Origin, Rung, Surface } from "./ladder.ts"
import { neverThrow } from "./safety.ts"
import { newId, type SignalFields } from "./signal.ts"

/** Which conversation begins or goes on. */
export interface SessionOptions {
  /** The host's own id of the conversation, the same on every surface; a new one unless given. */
  readonly id?: string | undefined
  /** The rung that the person is on. */
  readonly rung: Rung
  /** Where it goes on: a session that began in an editor may be continued in a terminal. */
  readonly surface?: Surface | undefined
}

/** A conversation, on whatever surfaces. Its `id` is the `sessionId` of what is done in it. */
export interface Session {
  /** The conversation's id. */
  readonly id: string
  /** The rung that the person is on now. */
  readonly rung: Rung
  /** The person, or whoever `origin` says, went to another rung. */
  rungChanged(rung: Rung, origin: Origin): void
  /** The conversation goes on elsewhere. */
  surfaceChanged(surface: Surface): void
  /** The conversation is over. */
  ended(): void
}

class SessionHandle implements Session {
  readonly #core: Core
  readonly id: string
  #rung: Rung
  #surface: Surface | undefined

  constructor(core: Core, options: SessionOptions) {
    this.#core = core
    this.id = options.id ?? newId()
    this.#rung = options.rung
    this.#surface = options.surface ?? core.surface
    this.#emit({ kind: "session", action: "start" })
  }

  get rung(): Rung {
    return this.#rung
  }

  rungChanged(rung: Rung, origin: Origin): void {
    const previousRung = this.#rung
    if (previousRung === rung) return
    this.#rung = rung
    this.#emit({ kind: "mode_change", action: "rung", previousRung, origin })
  }

  surfaceChanged(surface: Surface): void {
    this.#surface = surface
    this.#emit({ kind: "session", action: "surface" })
  }

  ended(): void {
    this.#emit({ kind: "session", action: "end" })
  }

  #emit(fields: Omit<SignalFields, "rung">): void {
    const { emit, repository } = this.#core
    emit?.({ rung: this.#rung, sessionId: this.id, surface: this.#surface, repository, ...fields })
  }
}
neverThrow(SessionHandle)

export function openSession(core: Core, options: SessionOptions): Session {
  return new SessionHandle(core, options)
}
