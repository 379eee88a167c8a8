/** How the budgets stand that bind a person: asked of Belay beside the policy, checked as it is, and kept beside it. */
import { readFileSync } from "node:fs"
import { budgetKey } from "./action.ts"
import { openSignedBudgets, type SignedBudgets } from "./envelope.ts"
import type { InForce } from "./keeper.ts"
import { type PolicyFiles, replaceFile } from "./note.ts"
import { ask, type Place } from "./transport.ts"

/** After so long it is not known any more what was used. */
export const BUDGETS_MS_MAX = 600_000

/** How the budgets stand, as far as is known. */
export interface Budgets {
  /**
   * Asks Belay, and keeps what it answers; where it does not, or what it answers is not signed for this person or is older
   * than what is known, what is known gets old. Never rejects.
   */
  ask(place: Place, signal?: AbortSignal): Promise<void>
  /**
   * What is used of each budget of which that is known, as `PolicyContext.spent`. Of an answer that is older than
   * `BUDGETS_MS_MAX` that is the budgets that were used up and have not started anew since.
   */
  spent(nowMs: number): ReadonlyMap<string, number>
}

interface Known {
  readonly signed: SignedBudgets
  /**
   * Milliseconds since the epoch: by this machine's clock where this process asked, and by Belay's where another kept it,
   * since whoever can write the file could say anything else.
   */
  readonly askedAt: number
}

/** Whether a policy has budgets, so that there is something to ask for. */
export function hasBudgets(inForce: InForce | null): boolean {
  return inForce !== null && inForce.signed.bundle.layers.some(({ document }) => (document.budgets ?? []).length > 0)
}

/** Opens what was kept beside the policy that is in force then; null files keep nothing on disk. Never throws. */
export function openBudgets(
  files: PolicyFiles | null,
  policy: () => InForce | null,
  report: (problem: string) => void,
): Budgets {
  /** Undefined until there is a policy to check by what was kept. */
  let known = files === null ? null : load(files, policy())
  const kept = (): Known | null => {
    if (known === undefined && files !== null) known = load(files, policy())
    return known ?? null
  }
  return {
    async ask(place, signal) {
      const askedAt = place.now()
      const answered = await ask(place, { method: "GET", path: "/v1/policy/budgets", headers: {}, signal }).catch(
        () => null,
      )
      const inForce = policy()
      const before = kept()
      if (answered?.status !== 200 || signal?.aborted === true || inForce === null) return
      // A server that does not sign yet tells nothing.
      const envelope = envelopeIn(answered.text)
      if (envelope === null) return
      const { keys, signed } = inForce
      const opened = openSignedBudgets(envelope, { keys, policy: signed, before: before?.signed ?? null })
      if (!opened.ok) return report(`how budgets stand was not taken: ${opened.reason}`)
      known = { signed: opened.budgets, askedAt }
      if (files === null) return
      try {
        replaceFile(files.budgets, `${JSON.stringify({ envelope })}\n`)
      } catch {
        report("how budgets stand cannot be kept on disk")
      }
    },
    spent(nowMs) {
      const spent = new Map<string, number>()
      const now = kept()
      if (now === null) return spent
      // A clock that was set back does not make an old answer a new one.
      const isFresh = Math.abs(nowMs - now.askedAt) <= BUDGETS_MS_MAX
      const unknown = new Set<string>()
      for (const { layer, id, used, limit, resetsAt } of now.signed.budgets) {
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

/** What was kept, checked again; null where that is nothing, undefined where it cannot be checked yet. */
function load(files: PolicyFiles, inForce: InForce | null): Known | null | undefined {
  if (inForce === null) return undefined
  try {
    const text = readFileSync(files.budgets, "utf8")
    const envelope = envelopeIn(text)
    if (envelope === null) return null
    const opened = openSignedBudgets(envelope, { keys: inForce.keys, policy: inForce.signed, before: null })
    return opened.ok ? { signed: opened.budgets, askedAt: Date.parse(opened.budgets.asOf) } : null
  } catch {
    return null
  }
}

/** The envelope in an answer, or in a file; null where there is none. */
function envelopeIn(text: string): string | null {
  try {
    const value: unknown = JSON.parse(text)
    const { envelope } = typeof value === "object" && value !== null && "envelope" in value ? value : { envelope: null }
    return typeof envelope === "string" ? envelope : null
  } catch {
    return null
  }
}
