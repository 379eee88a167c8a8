import { type AuditActor, recordAudit } from "../audit/commands.ts"
import { sql } from "kysely"
import type { TenantTx } from "../db/tenant.ts"
import type { Json } from "../db/types.ts"
import { DEFAULT_RULES, parseRule, type Rule, RULE_KINDS } from "./rules.ts"

/** The rules other than those of latency, one of each kind. What cannot be read any more is as it is by default. */
export async function listRules(tx: TenantTx): Promise<readonly Rule[]> {
  const rows = await tx
    .selectFrom("alert_rule")
    .select(["kind", "settings", "severity", "is_enabled as isEnabled"])
    .execute()
  const changed = new Map(rows.map((row) => [row.kind, parseRule(row)]))
  return RULE_KINDS.map((kind) => changed.get(kind) ?? DEFAULT_RULES[kind])
}

/** Changes a rule; what it was stands in the audit log. */
export async function setRule(
  tx: TenantTx,
  { rule, by }: { readonly rule: Rule; readonly by: AuditActor },
): Promise<void> {
  const before = (await listRules(tx)).find(({ kind }) => kind === rule.kind)
  const row = {
    settings: sql<Json>`${JSON.stringify(rule.settings)}::text::jsonb`,
    severity: rule.severity,
    is_enabled: rule.isEnabled,
    changed_at: by.occurredAt,
    changed_by: by.actorId,
  }
  await tx
    .insertInto("alert_rule")
    .values({ org_id: by.orgId, kind: rule.kind, ...row })
    .onConflict((conflict) => conflict.columns(["org_id", "kind"]).doUpdateSet(row))
    .execute()
  await recordAudit(tx, {
    ...by,
    action: "alert_rule.change",
    targetKind: "alert_rule",
    before: before === undefined ? null : describe(before),
    after: describe(rule),
  })
}

function describe({ kind, settings, severity, isEnabled }: Rule) {
  return { kind, settings: JSON.stringify(settings), severity, isEnabled }
}
