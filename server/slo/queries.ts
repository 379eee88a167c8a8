import { RUNGS } from "#sdk/ladder.ts"
import type { TenantTx } from "../db/tenant.ts"
import { DEFAULT_OBJECTIVES, isDefaultObjective, type Objective } from "./objectives.ts"

/** All objectives of the organization, those that are switched off too, by rung and then the widest first. */
export async function listObjectives(tx: TenantTx): Promise<readonly Objective[]> {
  const rows = await tx
    .selectFrom("latency_objective as o")
    .leftJoin("team as t", "t.id", "o.team_id")
    .select(["o.id", "rung", "agent_tool as agentTool", "model", "threshold_ms as thresholdMs", "target"])
    .select(["o.team_id as teamId", "t.name as teamName"])
    .select(["window_days as windowDays", "requests_min as requestsMin", "is_enabled as isEnabled"])
    .execute()
  const changed = new Set(rows.map(({ id }) => id))
  const all = [...DEFAULT_OBJECTIVES.filter(({ id }) => !changed.has(id)), ...rows]
  const width = ({ agentTool, model, teamId }: Objective) =>
    Number(agentTool !== null) + Number(model !== null) + Number(teamId !== null)
  return all.toSorted(
    (a, b) =>
      RUNGS.indexOf(b.rung) - RUNGS.indexOf(a.rung) ||
      width(a) - width(b) ||
      Number(isDefaultObjective(b.id)) - Number(isDefaultObjective(a.id)) ||
      (a.teamName ?? "").localeCompare(b.teamName ?? "") ||
      (a.agentTool ?? "").localeCompare(b.agentTool ?? "") ||
      (a.model ?? "").localeCompare(b.model ?? "") ||
      a.thresholdMs - b.thresholdMs ||
      (a.id < b.id ? -1 : 1),
  )
}

/** One objective; null when there is none of that id. */
export async function getObjective(tx: TenantTx, id: string): Promise<Objective | null> {
  return (await listObjectives(tx)).find((objective) => objective.id === id) ?? null
}
