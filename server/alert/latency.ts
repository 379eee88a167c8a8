import type { TenantTx } from "../db/tenant.ts"
import { type AlertSoFar, type Judgement, judge, NO_ALERT } from "../slo/burn.ts"
import { type Objective, scopeKey } from "../slo/objectives.ts"
import { findShownScopes, readHistograms, readingsOf } from "../slo/readings.ts"
import type { Facts, Finding } from "./finding.ts"

/** What each objective says at a time; all of them in a few queries. One of too few people says nothing. */
export async function findLatency(
  tx: TenantTx,
  args: {
    readonly objectives: readonly Objective[]
    readonly at: Date
    /** By the objective's id. */
    readonly alerts: ReadonlyMap<string, AlertSoFar>
  },
): Promise<readonly Finding[]> {
  const { objectives, at, alerts } = args
  const histograms = await readHistograms(tx, { scopes: objectives, at })
  const shown = await findShownScopes(tx, { scopes: objectives, at })
  return objectives.map((objective) => {
    const key = scopeKey(objective)
    const subject = { kind: "latency" as const, subject: objective.id, teamId: objective.teamId, rung: objective.rung }
    if (!shown.has(key)) return { ...subject, verdict: "unknown" as const }
    const judgement = judge(readingsOf(objective, histograms.get(key)), objective, {
      at: at.getTime(),
      ...(alerts.get(objective.id) ?? NO_ALERT),
    })
    if (judgement.verdict !== "firing" || judgement.severity === null) {
      return { ...subject, verdict: judgement.verdict === "calm" ? ("calm" as const) : ("unknown" as const) }
    }
    return {
      ...subject,
      verdict: "firing" as const,
      severity: judgement.severity,
      facts: factsOf(objective, judgement),
    }
  })
}

export function factsOf(objective: Objective, { burn }: Judgement): Facts {
  const { rung, agentTool, model, teamId, teamName, thresholdMs, target } = objective
  return {
    kind: "latency",
    rung,
    agentTool,
    model,
    teamId,
    teamName,
    thresholdMs,
    target,
    long: burn.rule.long,
    short: burn.rule.short,
    factor: burn.factor,
    longRate: burn.longRate ?? 0,
    shortRate: burn.shortRate ?? 0,
    requests: burn.requests,
  }
}
