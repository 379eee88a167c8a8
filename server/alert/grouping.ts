import { type ObjectiveScope, scopeKey } from "../slo/objectives.ts"
import type { Severity } from "../slo/burn.ts"

/** An alert of a latency objective that is not over. */
export interface Grouped {
  readonly id: string
  readonly scope: ObjectiveScope
  readonly severity: Severity
}

/**
 * The alert that speaks for each, by id: of those whose scope is wider and that are at least as severe, the one with the
 * widest scope. One that nothing speaks for is left out.
 */
export function findParents(alerts: readonly Grouped[]): ReadonlyMap<string, string> {
  const byScope = Map.groupBy(alerts, ({ scope }) => scopeKey(scope))
  const parents = new Map<string, string>()
  for (const { id, scope, severity } of alerts) {
    const speaker = widerScopes(scope)
      .flatMap((wider) => byScope.get(scopeKey(wider)) ?? [])
      .find((wider) => wider.severity === "page" || severity === "ticket")
    if (speaker !== undefined) parents.set(id, speaker.id)
  }
  return parents
}

/** The widest first. What a team is a part of is not asked. */
function widerScopes(scope: ObjectiveScope): readonly ObjectiveScope[] {
  const named = (["teamId", "agentTool", "model"] as const).filter((part) => scope[part] !== null)
  const all = { ...scope, agentTool: null, model: null, teamId: null }
  // All sets of the parts that it names, but all of them.
  return Array.from({ length: 2 ** named.length - 1 }, (_, bits) => named.filter((_, at) => (bits >> at) % 2 === 1))
    .toSorted((a, b) => a.length - b.length)
    .map((kept) => kept.reduce((wider, part) => ({ ...wider, [part]: scope[part] }), all))
}
