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

/** How far back is looked, in days: signals are kept in the order of time, so a short look is a quick one. */
const LOOKS_BACK = [1, 14, 3650]
const DAY_MS = 86_400_000

/** The newest signals of these developers before an instant. */
export async function listOwnSignals(
  tx: TenantTx,
  args: { developerIds: readonly string[]; before: Date; limit: number },
): Promise<OwnSignal[]> {
  let found: OwnSignal[] = []
  for (const days of LOOKS_BACK) {
    if (found.length >= args.limit) break
    found = await lookBack(tx, { ...args, from: new Date(args.before.getTime() - days * DAY_MS) })
  }
  return found
}

async function lookBack(
  tx: TenantTx,
  args: { developerIds: readonly string[]; from: Date; before: Date; limit: number },
): Promise<OwnSignal[]> {
  const { developerIds, from, before, limit } = args
  const result = await sql<OwnSignal>`
    select
      signal_id as id, observed_at as "observedAt", kind, rung, agent_tool as "agentTool", model, action, outcome,
      origin, coalesce(latency_ms, duration_ms) as "latencyMs", input_tokens as "inputTokens",
      output_tokens as "outputTokens", policy_version as "policyVersion"
    from signal_readable
    where developer_id = any(${developerIds}::uuid[]) and observed_at >= ${from} and observed_at < ${before}
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

/** The policy version that this person's agents said last since then, and when; null when none said one. */
export async function getReportedPolicy(
  tx: TenantTx,
  developerIds: readonly string[],
  since: Date,
): Promise<{ version: number; observedAt: Date } | null> {
  const result = await sql<{ version: number; observedAt: Date }>`
    select policy_version as version, observed_at as "observedAt" from signal
    where developer_id = any(${developerIds}::uuid[]) and observed_at >= ${since} and policy_version is not null
    order by observed_at desc limit 1`.execute(tx)
  return result.rows[0] ?? null
}
