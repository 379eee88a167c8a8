/** How the budgets stand that bind a person: asked of Belay beside the policy, and kept beside it. */
import { readFileSync } from "node:fs"
import { budgetKey } from "./action.ts"
import type { InForce } from "./keeper.ts"
import { type PolicyFiles, replaceFile } from "./note.ts"
import { ask, type Place } from "./transport.ts"

/** After so long it is not known any more what was used. */
export const BUDGETS_MS_MAX = 600_000

/** How the budgets stand, as far as is known. */
export interface Budgets {
  /** Asks Belay, and keeps what it answers; where it does not, what is known gets old. Never rejects. */
  ask(place: Place, signal?: AbortSignal): Promise<void>
  /**
   * What is used of each budget of which that is known, as `PolicyContext.spent`. Of an answer that is older than
   * `BUDGETS_MS_MAX` that is the budgets that were used up and have not started anew since.
   */
  spent(nowMs: number): ReadonlyMap<string, number>
}

interface Use {
  readonly layer: string
  readonly id: string
  /** Null when it is not known. */
  readonly used: number | null
  readonly limit: number
  readonly resetsAt: string
}

interface Answered {
  readonly etag: string | null
  /** Milliseconds since the epoch. */
  readonly askedAt: number
  readonly budgets: readonly Use[]
}

const NOTHING: Answered = { etag: null, askedAt: 0, budgets: [] }

/** Whether a policy has budgets, so that there is something to ask for. */
export function hasBudgets(inForce: InForce | null): boolean {
  return inForce !== null && inForce.signed.bundle.layers.some(({ document }) => (document.budgets ?? []).length > 0)
}

/** Opens what was kept; null keeps nothing on disk. Never throws. */
export function openBudgets(files: PolicyFiles | null, report: (problem: string) => void): Budgets {
  let known = files === null ? NOTHING : load(files)
  return {
    async ask(place, signal) {
      const askedAt = place.now()
      const headers = known.etag === null ? {} : { "if-none-match": known.etag }
      const answered = await ask(place, { method: "GET", path: "/v1/policy/budgets", headers, signal }).catch(
        () => null,
      )
      // What was asked later is known already.
      if (answered === null || signal?.aborted === true || askedAt < known.askedAt) return
      if (answered.status === 304) known = { ...known, askedAt }
      else if (answered.status === 200) {
        const budgets = readUses(parse(answered.text))
        if (budgets === null) return
        known = { etag: answered.headers.etag ?? null, askedAt, budgets }
      } else return
      if (files === null) return
      try {
        replaceFile(files.budgets, `${JSON.stringify(known)}\n`)
      } catch {
        report("how budgets stand cannot be kept on disk")
      }
    },
    spent(nowMs) {
      // A clock that was set back does not make an old answer a new one.
      const isFresh = Math.abs(nowMs - known.askedAt) <= BUDGETS_MS_MAX
      const spent = new Map<string, number>()
      const unknown = new Set<string>()
      for (const { layer, id, used, limit, resetsAt } of known.budgets) {
        const key = budgetKey(layer, id)
        const isKnown = used !== null && Date.parse(resetsAt) > nowMs && (isFresh || used >= limit)
        // Of two teams' budgets of one name the larger use counts.
        if (isKnown) spent.set(key, Math.max(spent.get(key) ?? 0, used))
        else unknown.add(key)
      }
      if (isFresh) for (const key of unknown) spent.delete(key)
      return spent
    },
  }
}

function load(files: PolicyFiles): Answered {
  try {
    const value = parse(readFileSync(files.budgets, "utf8"))
    const budgets = readUses(value)
    if (budgets === null) return NOTHING
    const { etag, askedAt } = value as Partial<Record<keyof Answered, unknown>>
    return {
      etag: typeof etag === "string" ? etag : null,
      askedAt: typeof askedAt === "number" ? askedAt : 0,
      budgets,
    }
  } catch {
    return NOTHING
  }
}

/** The budgets of an answer, or of a file; null for what is neither. */
function readUses(value: unknown): readonly Use[] | null {
  if (typeof value !== "object" || value === null || !("budgets" in value) || !Array.isArray(value.budgets)) return null
  const uses: Use[] = []
  for (const item of value.budgets as readonly unknown[]) {
    if (typeof item !== "object" || item === null) return null
    const { layer, id, used, limit, resetsAt } = item as Partial<Record<keyof Use, unknown>>
    if (typeof layer !== "string" || typeof id !== "string" || typeof resetsAt !== "string") return null
    if (typeof limit !== "number" || !(used === null || typeof used === "number")) return null
    uses.push({ layer, id, used, limit, resetsAt })
  }
  return uses
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
