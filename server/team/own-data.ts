import { sql } from "kysely"
import type { TenantTx } from "../db/tenant.ts"

/** A signal as its own person sees it: everything that was kept of it. */
export interface OwnSignal {
  readonly id: string
  readonly observedAt: Date
  readonly kind: string
  readonly rung: string
  readonly agentTool: string | null
  readonly model: string | null
  readonly action: string | null
  readonly outcome: string | null
  readonly origin: string | null
  readonly latencyMs: number | null
  readonly inputTokens: number | null
  readonly outputTokens: number | null
  readonly policyVersion: number | null
}

/** The newest signals of these developers before an instant, or of all time. */
export async function listOwnSignals(
  tx: TenantTx,
  args: { developerIds: readonly string[]; before: Date; limit: number },
): Promise<OwnSignal[]> {
  const { developerIds, before, limit } = args
  const result = await sql<OwnSignal>`
    select
      signal_id as id, observed_at as "observedAt", kind, rung, agent_tool as "agentTool", model, action, outcome,
      origin, coalesce(latency_ms, duration_ms) as "latencyMs", input_tokens as "inputTokens",
      output_tokens as "outputTokens", policy_version as "policyVersion"
    from signal_readable
    where developer_id = any(${developerIds}::uuid[]) and observed_at < ${before}
    order by observed_at desc, signal_id
    limit ${limit}`.execute(tx)
  return result.rows
}

/** What others did that touched this person: looked at their data, changed their role, moved them. */
export function listAccesses(tx: TenantTx, accountId: string, limit: number) {
  return tx
    .selectFrom("audit_event")
    .select(["sequence", "occurred_at as occurredAt", "actor_email as actorEmail", "action", "reason"])
    .where("target_kind", "=", "account")
    .where("target_id", "=", accountId)
    .where((eb) => eb.or([eb("actor_id", "is", null), eb("actor_id", "<>", accountId)]))
    .where("action", "not in", ["session.sign_in_failed", "session.throttled"])
    .orderBy("sequence", "desc")
    .limit(limit)
    .execute()
}

/** The policy version that this person's agents said last, and when; null when none said one. */
export async function getReportedPolicy(
  tx: TenantTx,
  developerIds: readonly string[],
): Promise<{ version: number; observedAt: Date } | null> {
  const result = await sql<{ version: number; observedAt: Date }>`
    select policy_version as version, observed_at as "observedAt" from signal
    where developer_id = any(${developerIds}::uuid[]) and policy_version is not null
    order by observed_at desc limit 1`.execute(tx)
  return result.rows[0] ?? null
}
