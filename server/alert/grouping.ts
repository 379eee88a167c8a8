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

/** The widest first. */
function widerScopes({ rung, agentTool, model }: ObjectiveScope): readonly ObjectiveScope[] {
  if (agentTool === null && model === null) return []
  const all = { rung, agentTool: null, model: null }
  return agentTool === null || model === null ? [all] : [all, { ...all, agentTool }, { ...all, model }]
}
