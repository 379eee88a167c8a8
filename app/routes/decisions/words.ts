import type { PolicyBecause, PolicyEffect, PolicyLayerKind } from "#server/db/types.ts"

/** What is said of an effect; a client may have sent a word that is none. */
export const EFFECT_WORDS: Record<PolicyEffect | "unknown", string> = {
  allow: "Allowed",
  ask: "Asked first",
  deny: "Denied",
  unknown: "Not told",
}

export const LAYER_WORDS: Record<PolicyLayerKind, string> = {
  organization: "the organization",
  team: "a team",
  developer: "a person",
}

export const BECAUSE_WORDS: Record<PolicyBecause, string> = {
  rule: "A rule",
  default: "No rule matched",
  unset: "The policy says nothing of it",
  unsure: "What decides could not be seen",
  no_policy: "No policy to go by",
  error: "The policy could not be asked",
}

interface Decided {
  readonly effect: PolicyEffect | null
  readonly because: PolicyBecause | null
  readonly rule: string | null
  readonly layer: PolicyLayerKind | null
}

/** Why it was decided so, apart from what the rule says. */
export function describeWhy({ because, rule, layer }: Decided): string {
  const whose = layer === null ? "" : ` of ${LAYER_WORDS[layer]}`
  switch (because) {
    case "rule":
      return rule === null ? `A rule${whose}` : `Rule ${rule}${whose}`
    case "default":
      return `No rule matched; what holds then${whose}`
    case "unset":
      return "The policy says nothing of it: the agent tool's own settings held"
    case "unsure":
      return rule === null
        ? "What decides could not be seen, so that a person is asked"
        : `Rule ${rule}${whose} may match, and what decides could not be seen`
    case "no_policy":
      return "The client had no policy to go by"
    case "error":
      return "The policy could not be asked"
    case null:
      return "The client did not say why"
  }
}

/** Whether a decision was made by what was in force: without a policy and by an older one nothing was enforced. */
export type Standing = "in_force" | "older" | "none"

export function standingOf(row: {
  readonly because: PolicyBecause | null
  readonly policyVersion: number | null
  readonly versionInForce: number | null
}): Standing {
  if (row.because === "no_policy" || row.because === "error" || row.policyVersion === null) return "none"
  return row.versionInForce !== null && row.policyVersion < row.versionInForce ? "older" : "in_force"
}

export const STANDING_WORDS: Record<Exclude<Standing, "in_force">, string> = {
  older: "by an older version",
  none: "without a policy",
}
