import { randomUUID } from "node:crypto"
import { type AuditActor, recordAudit } from "../audit/commands.ts"
import type { TenantTx } from "../db/tenant.ts"
import { isDefaultObjective, type Objective, OBJECTIVE_LIMITS, scopeKey } from "./objectives.ts"
import { listObjectives } from "./queries.ts"

type Reason = "not_found" | "out_of_range" | "same" | "too_many" | "scope_of_default" | "no_such_team"

export type SetResult = { readonly ok: true; readonly id: string } | { readonly ok: false; readonly reason: Reason }

/**
 * Adds an objective, or changes the one of the id. `same`: another has the same scope and threshold. What every organization
 * has keeps its scope. The name of its team is not read.
 */
export async function setObjective(
  tx: TenantTx,
  {
    objective,
    by,
  }: { readonly objective: Omit<Objective, "id"> & { readonly id: string | null }; readonly by: AuditActor },
): Promise<SetResult> {
  const { id, ...fields } = objective
  if (!isInRange(fields)) return { ok: false, reason: "out_of_range" }
  // One at a time, so that two people cannot add the same.
  await tx.selectFrom("org").select("id").where("id", "=", by.orgId).forNoKeyUpdate().execute()
  const all = await listObjectives(tx)
  const before = id === null ? null : (all.find((one) => one.id === id) ?? null)
  if (id !== null && before === null) return { ok: false, reason: "not_found" }
  if (before !== null && isDefaultObjective(before.id) && !hasSameScope(before, fields)) {
    return { ok: false, reason: "scope_of_default" }
  }
  if (id === null && all.length >= OBJECTIVE_LIMITS.objectives) return { ok: false, reason: "too_many" }
  if (fields.teamId !== null) {
    const team = await tx.selectFrom("team").select("id").where("id", "=", fields.teamId).executeTakeFirst()
    if (team === undefined) return { ok: false, reason: "no_such_team" }
  }
  const isSame = (one: Objective) => hasSameScope(one, fields) && one.thresholdMs === fields.thresholdMs
  if (all.some((one) => one.id !== id && isSame(one))) return { ok: false, reason: "same" }
  const made = id ?? randomUUID()
  const row = {
    rung: fields.rung,
    agent_tool: fields.agentTool,
    model: fields.model,
    team_id: fields.teamId,
    threshold_ms: fields.thresholdMs,
    target: fields.target,
    window_days: fields.windowDays,
    requests_min: fields.requestsMin,
    is_enabled: fields.isEnabled,
    changed_at: by.occurredAt,
    changed_by: by.actorId,
  }
  await tx
    .insertInto("latency_objective")
    .values({ org_id: by.orgId, id: made, ...row })
    .onConflict((conflict) => conflict.columns(["org_id", "id"]).doUpdateSet(row))
    .execute()
  await recordAudit(tx, {
    ...by,
    action: before === null ? "objective.create" : "objective.change",
    targetKind: "latency_objective",
    targetId: made,
    before: before === null ? null : describe(before),
    after: describe(fields),
  })
  return { ok: true, id: made }
}

/** Removes an objective; one that every organization has is as it was at first again. */
export async function removeObjective(
  tx: TenantTx,
  { id, by }: { readonly id: string; readonly by: AuditActor },
): Promise<{ readonly ok: true } | { readonly ok: false; readonly reason: "not_found" }> {
  const before = (await listObjectives(tx)).find((one) => one.id === id)
  const removed = await tx.deleteFrom("latency_objective").where("id", "=", id).executeTakeFirst()
  if (before === undefined || removed.numDeletedRows === 0n) return { ok: false, reason: "not_found" }
  await recordAudit(tx, {
    ...by,
    action: isDefaultObjective(id) ? "objective.reset" : "objective.delete",
    targetKind: "latency_objective",
    targetId: id,
    before: describe(before),
  })
  return { ok: true }
}

function hasSameScope(a: Omit<Objective, "id">, b: Omit<Objective, "id">): boolean {
  return scopeKey(a) === scopeKey(b)
}

function isInRange(objective: Omit<Objective, "id">): boolean {
  return (["thresholdMs", "target", "windowDays", "requestsMin"] as const).every((name) => {
    const { min, max } = OBJECTIVE_LIMITS[name]
    return objective[name] >= min && objective[name] <= max
  })
}

function describe({
  rung,
  agentTool,
  model,
  teamId,
  thresholdMs,
  target,
  windowDays,
  requestsMin,
  isEnabled,
}: Omit<Objective, "id">) {
  return { rung, agentTool, model, teamId, thresholdMs, target, windowDays, requestsMin, isEnabled }
}
