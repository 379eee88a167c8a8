import { type AlertSoFar, NO_ALERT, type Severity } from "../slo/burn.ts"

/** How an alert stands; times are milliseconds since 1970. */
export interface Standing {
  readonly state: "open" | "acknowledged" | "resolved"
  readonly severity: Severity
  readonly hasData: boolean
  readonly openedAt: number
  readonly firedAt: number
  readonly calmSince: number | null
  /** When somebody was last told of it; null before. */
  readonly notifiedAt: number | null
  readonly acknowledgedAt: number | null
  readonly resolvedAt: number | null
  /** Whether somebody resolved it, and not that it was over. */
  readonly isResolvedByHand: boolean
  readonly pagedUntil: number | null
  readonly reopened: number
}

/** What judging an objective anew takes of its alert. */
export function soFar(standing: Standing | null): AlertSoFar {
  if (standing === null) return NO_ALERT
  return { pagedUntil: standing.pagedUntil, isOpen: standing.state !== "resolved" }
}

export type Transition = "opened" | "reopened" | "escalated" | "reminded" | "resolved" | "data_lost" | "data_back"

/** `gone`: its rule or subject is there no more. */
export type Verdict =
  | { readonly verdict: "firing"; readonly severity: Severity }
  | { readonly verdict: "calm" | "unknown" | "gone" }

export interface Timing {
  /** It is over once it was calm for so long: what flickers is one alert. */
  readonly calmMs: number
  /** What fires again within this time is the same alert. */
  readonly reopenMs: number
  /** Whoever does not acknowledge is told again. */
  readonly remindMs: Readonly<Record<Severity, number>>
}

export interface Stepped {
  /** Null when there is no alert. */
  readonly after: Standing | null
  /** Whether `after` is an alert of its own, and the one before stays as it was. */
  readonly isNew: boolean
  readonly transitions: readonly Transition[]
}

/**
 * What becomes of a subject's latest alert when its rule is evaluated. Pure.
 *
 * Silence resolves nothing: an alert whose subject sends nothing any more stays as it is and says so. One that somebody
 * resolved while its rule fires stays resolved until the rule was calm once.
 */
export function step(before: Standing | null, verdict: Verdict, at: number, timing: Timing): Stepped {
  if (before === null) return verdict.verdict === "firing" ? opened(verdict.severity, at) : unchanged(null)
  if (before.state === "resolved") return stepResolved(before, verdict, at, timing)
  switch (verdict.verdict) {
    case "firing":
      return stepFiring(before, verdict.severity, at, timing)
    case "unknown":
      return {
        after: { ...before, hasData: false, calmSince: null },
        isNew: false,
        transitions: before.hasData ? ["data_lost"] : [],
      }
    case "calm":
    case "gone": {
      const back: readonly Transition[] = before.hasData ? [] : ["data_back"]
      const calmSince = before.calmSince ?? at
      const calm = { ...before, hasData: true, calmSince }
      if (verdict.verdict === "calm" && at - calmSince < timing.calmMs) {
        return { after: calm, isNew: false, transitions: back }
      }
      return {
        after: { ...calm, state: "resolved", resolvedAt: at },
        isNew: false,
        transitions: verdict.verdict === "gone" ? ["resolved"] : [...back, "resolved"],
      }
    }
  }
}

function opened(severity: Severity, at: number): Stepped {
  return {
    after: {
      state: "open",
      severity,
      hasData: true,
      openedAt: at,
      firedAt: at,
      calmSince: null,
      notifiedAt: null,
      acknowledgedAt: null,
      resolvedAt: null,
      isResolvedByHand: false,
      pagedUntil: severity === "page" ? at : null,
      reopened: 0,
    },
    isNew: true,
    transitions: ["opened"],
  }
}

function unchanged(after: Standing | null): Stepped {
  return { after, isNew: false, transitions: [] }
}

function stepResolved(before: Standing, verdict: Verdict, at: number, { reopenMs }: Timing): Stepped {
  const stillFires = before.isResolvedByHand && before.calmSince === null
  if (verdict.verdict !== "firing") {
    if (!stillFires || verdict.verdict === "unknown") return unchanged(before)
    return unchanged({ ...before, calmSince: at })
  }
  if (stillFires) return unchanged({ ...before, firedAt: at })
  if (at - (before.resolvedAt ?? 0) >= reopenMs) return opened(verdict.severity, at)
  return {
    after: {
      ...before,
      state: "open",
      severity: verdict.severity,
      firedAt: at,
      calmSince: null,
      // Told of anew, and for somebody to acknowledge anew.
      notifiedAt: null,
      acknowledgedAt: null,
      resolvedAt: null,
      isResolvedByHand: false,
      pagedUntil: verdict.severity === "page" ? at : before.pagedUntil,
      reopened: before.reopened + 1,
    },
    isNew: false,
    transitions: ["reopened"],
  }
}

function stepFiring(before: Standing, severity: Severity, at: number, { remindMs }: Timing): Stepped {
  const isEscalated = severity === "page" && before.severity === "ticket"
  const transitions: Transition[] = before.hasData ? [] : ["data_back"]
  const firing = {
    ...before,
    hasData: true,
    firedAt: at,
    calmSince: null,
    pagedUntil: severity === "page" ? at : before.pagedUntil,
  }
  if (isEscalated) {
    return {
      after: { ...firing, severity, state: "open", acknowledgedAt: null, notifiedAt: null },
      isNew: false,
      transitions: [...transitions, "escalated"],
    }
  }
  const isForgotten =
    before.state === "open" && before.notifiedAt !== null && at - before.notifiedAt >= remindMs[before.severity]
  return {
    after: isForgotten ? { ...firing, notifiedAt: null } : firing,
    isNew: false,
    transitions: isForgotten ? [...transitions, "reminded"] : transitions,
  }
}
