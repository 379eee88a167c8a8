import { type RawBuilder, sql } from "kysely"
import type { Rung } from "#sdk/ladder.ts"
import type { TenantTx } from "../db/tenant.ts"
import type { Json } from "../db/types.ts"
import type { AlertKind, Facts } from "./finding.ts"
import type { Standing } from "./lifecycle.ts"

/** An alert as it is evaluated: a row of `alert`. */
export interface AlertStanding {
  readonly id: string
  readonly kind: AlertKind
  readonly subject: string
  readonly facts: Facts
  readonly rung: Rung | null
  readonly teamId: string | null
  readonly parentId: string | null
  readonly standing: Standing
}

/** Alerts for which a condition on the columns of `alert` holds, each subject's latest only. */
export async function readAlerts(tx: TenantTx, condition: RawBuilder<unknown>): Promise<readonly AlertStanding[]> {
  const ms = (column: string) => sql`(extract(epoch from ${sql.ref(column)}) * 1000)::float8`
  const { rows } = await sql<Omit<AlertStanding, "standing"> & Standing>`
    select distinct on (kind, subject) id, kind, subject, facts, rung, team_id as "teamId", parent_id as "parentId",
      state, severity, has_data as "hasData", ${ms("opened_at")} as "openedAt", ${ms("fired_at")} as "firedAt",
      ${ms("calm_since")} as "calmSince", ${ms("notified_at")} as "notifiedAt",
      ${ms("acknowledged_at")} as "acknowledgedAt", ${ms("resolved_at")} as "resolvedAt",
      resolved_by is not null as "isResolvedByHand", ${ms("paged_until")} as "pagedUntil", reopened
    from alert where ${condition}
    order by kind, subject, opened_at desc, id`.execute(tx)
  return rows.map(({ id, kind, subject, facts, rung, teamId, parentId, ...standing }) => ({
    id,
    kind,
    subject,
    facts,
    rung,
    teamId,
    parentId,
    standing,
  }))
}

const ROWS_AT_ONCE = 1000

/** Writes alerts as they stand now. Who acknowledged or resolved one is forgotten when that is no more so. */
export async function saveAlerts(tx: TenantTx, orgId: string, alerts: readonly AlertStanding[]): Promise<void> {
  const date = (ms: number | null) => (ms === null ? null : new Date(ms))
  for (let from = 0; from < alerts.length; from += ROWS_AT_ONCE) {
    await tx
      .insertInto("alert")
      .values(
        alerts.slice(from, from + ROWS_AT_ONCE).map(({ standing, ...alert }) => ({
          org_id: orgId,
          id: alert.id,
          kind: alert.kind,
          subject: alert.subject,
          state: standing.state,
          severity: standing.severity,
          has_data: standing.hasData,
          facts: sql<Json>`${JSON.stringify(alert.facts)}::text::jsonb`,
          rung: alert.rung,
          team_id: alert.teamId,
          opened_at: new Date(standing.openedAt),
          fired_at: new Date(standing.firedAt),
          calm_since: date(standing.calmSince),
          notified_at: date(standing.notifiedAt),
          acknowledged_at: date(standing.acknowledgedAt),
          resolved_at: date(standing.resolvedAt),
          paged_until: date(standing.pagedUntil),
          reopened: standing.reopened,
          parent_id: alert.parentId,
        })),
      )
      .onConflict((conflict) =>
        conflict.columns(["org_id", "id"]).doUpdateSet((eb) => ({
          state: eb.ref("excluded.state"),
          severity: eb.ref("excluded.severity"),
          has_data: eb.ref("excluded.has_data"),
          facts: eb.ref("excluded.facts"),
          team_id: eb.ref("excluded.team_id"),
          fired_at: eb.ref("excluded.fired_at"),
          calm_since: eb.ref("excluded.calm_since"),
          notified_at: eb.ref("excluded.notified_at"),
          acknowledged_at: eb.ref("excluded.acknowledged_at"),
          acknowledged_by: sql<
            string | null
          >`case when excluded.acknowledged_at is not null then alert.acknowledged_by end`,
          acknowledged_via: sql<
            string | null
          >`case when excluded.acknowledged_at is not null then alert.acknowledged_via end`,
          resolved_at: eb.ref("excluded.resolved_at"),
          resolved_by: sql<string | null>`case when excluded.resolved_at is not null then alert.resolved_by end`,
          paged_until: eb.ref("excluded.paged_until"),
          reopened: eb.ref("excluded.reopened"),
          parent_id: eb.ref("excluded.parent_id"),
        })),
      )
      .execute()
  }
}

/** Appends to the history of alerts; resolves to the sequence of the last entry of each, by alert. */
export async function recordAlertEvents(
  tx: TenantTx,
  orgId: string,
  events: readonly {
    readonly alertId: string
    readonly kind: string
    readonly at: Date
    readonly accountId?: string | null
    readonly details?: Readonly<Record<string, string | number | boolean | null>>
  }[],
): Promise<ReadonlyMap<string, number>> {
  const last = new Map<string, number>()
  for (let from = 0; from < events.length; from += ROWS_AT_ONCE) {
    const rows = await tx
      .insertInto("alert_event")
      .values(
        events.slice(from, from + ROWS_AT_ONCE).map(({ alertId, kind, at, accountId = null, details = {} }) => ({
          org_id: orgId,
          alert_id: alertId,
          kind,
          at,
          account_id: accountId,
          details: sql<Json>`${JSON.stringify(details)}::text::jsonb`,
        })),
      )
      .returning(["alert_id", "sequence"])
      .execute()
    for (const { alert_id: id, sequence } of rows) last.set(id, Math.max(last.get(id) ?? 0, sequence))
  }
  return last
}
