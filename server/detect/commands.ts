import { sql } from "kysely"
import { type AuditActor, recordAudit } from "../audit/commands.ts"
import type { TenantTx } from "../db/tenant.ts"
import type { Cause, IncidentEvent } from "./contract.ts"
import { getIncident, type IncidentViewer, type ShownIncident } from "./queries.ts"

export const COMMENT_LENGTH_MAX = 500
export const NOTE_LENGTH_MAX = 2000

type By = AuditActor & { readonly actorId: string }

interface Args {
  readonly id: string
  readonly viewer: IncidentViewer
  readonly by: By
}

/** `not_found`: there is none, or none that is shown to the viewer. */
type Refused<Reason extends string> = { readonly ok: false; readonly reason: Reason | "not_found" }
type Result<Reason extends string> = { readonly ok: true } | Refused<Reason>

/** Says that somebody looks into it. */
export async function acknowledgeIncident(tx: TenantTx, args: Args): Promise<Result<"already">> {
  const { id, by } = args
  if ((await findShown(tx, args)) === null) return { ok: false, reason: "not_found" }
  const changed = await tx
    .updateTable("incident")
    .set({ acknowledged_at: by.occurredAt, acknowledged_by: by.actorId, updated_at: by.occurredAt })
    .where("id", "=", id)
    .where("acknowledged_at", "is", null)
    .executeTakeFirst()
  if (changed.numUpdatedRows === 0n) return { ok: false, reason: "already" }
  await record(tx, args, { kind: "acknowledged", action: "incident.acknowledge", details: {} })
  return { ok: true }
}

const NOT_PROPOSED = { proposed_at: null, proposed_ratio: null, proposed_people: null }

/** Says that things are not to stay as they are: the detector proposes so no more for some weeks. */
export async function declineNewNormal(tx: TenantTx, args: Args): Promise<Result<"not_proposed">> {
  const { id, by } = args
  const incident = await findShown(tx, args)
  if (incident === null) return { ok: false, reason: "not_found" }
  const changed = await tx
    .updateTable("incident")
    .set({ ...NOT_PROPOSED, declined_at: by.occurredAt, declined_by: by.actorId, updated_at: by.occurredAt })
    .where("id", "=", id)
    .where("proposed_at", "is not", null)
    .executeTakeFirst()
  if (changed.numUpdatedRows === 0n) return { ok: false, reason: "not_proposed" }
  await record(tx, args, { kind: "new_normal_declined", action: "incident.decline_new_normal", details: {} })
  return { ok: true }
}

/** Closes it, as things will stay as they are now: the detector says no more of its state. */
export async function acceptAsNormal(tx: TenantTx, args: Args): Promise<Result<"already" | "recovered">> {
  const { id, by } = args
  const incident = await findShown(tx, args)
  if (incident === null) return { ok: false, reason: "not_found" }
  if (incident.state === "recovered") return { ok: false, reason: "recovered" }
  const changed = await tx
    .updateTable("incident")
    .set({
      state: "new_normal",
      closed_at: by.occurredAt,
      accepted_at: by.occurredAt,
      accepted_by: by.actorId,
      ...NOT_PROPOSED,
      updated_at: by.occurredAt,
    })
    .where("id", "=", id)
    .where("accepted_at", "is", null)
    .where("state", "<>", "recovered")
    .executeTakeFirst()
  if (changed.numUpdatedRows === 0n) return { ok: false, reason: "already" }
  const details = { from: incident.state }
  await record(tx, args, { kind: "new_normal_accepted", action: "incident.accept_as_normal", details })
  return { ok: true }
}

/** Takes back that it is over, or that it is the new normal. */
export async function reopenIncident(tx: TenantTx, args: Args): Promise<Result<"open">> {
  const { id, by } = args
  const incident = await findShown(tx, args)
  if (incident === null) return { ok: false, reason: "not_found" }
  const changed = await tx
    .updateTable("incident")
    .set({ state: "open", closed_at: null, accepted_at: null, accepted_by: null, updated_at: by.occurredAt })
    .where("id", "=", id)
    .where("state", "in", ["recovered", "new_normal"])
    .executeTakeFirst()
  if (changed.numUpdatedRows === 0n) return { ok: false, reason: "open" }
  await record(tx, args, { kind: "reopened", action: "incident.reopen", details: { from: incident.state } })
  return { ok: true }
}

/** Says what it was, in place of what the same person said before. */
export async function labelIncident(
  tx: TenantTx,
  args: Args & { isReal: boolean; cause: Cause | null; comment: string | null },
): Promise<Result<"too_long">> {
  const { id, by, isReal, cause, comment } = args
  if ((comment?.length ?? 0) > COMMENT_LENGTH_MAX) return { ok: false, reason: "too_long" }
  if ((await findShown(tx, args)) === null) return { ok: false, reason: "not_found" }
  const label = { is_real: isReal, cause, comment, at: by.occurredAt }
  await tx
    .insertInto("incident_label")
    .values({ org_id: by.orgId, incident_id: id, account_id: by.actorId, ...label })
    .onConflict((conflict) => conflict.columns(["org_id", "incident_id", "account_id"]).doUpdateSet(label))
    .execute()
  await record(tx, args, { kind: "labelled", action: "incident.label", details: { isReal, cause } })
  return { ok: true }
}

/** Adds to its history what somebody found out. */
export async function noteOnIncident(tx: TenantTx, args: Args & { text: string }): Promise<Result<"too_long">> {
  const { text } = args
  if (text.length > NOTE_LENGTH_MAX) return { ok: false, reason: "too_long" }
  if ((await findShown(tx, args)) === null) return { ok: false, reason: "not_found" }
  await record(tx, args, { kind: "note", action: "incident.note", details: { text } })
  return { ok: true }
}

/** The incident, when the viewer is shown it. */
async function findShown(tx: TenantTx, { id, viewer }: Args): Promise<ShownIncident | null> {
  const found = await getIncident(tx, { id, viewer })
  return found?.incident.disclosure === "shown" ? found.incident : null
}

async function record(
  tx: TenantTx,
  { id, by }: Args,
  event: {
    kind: IncidentEvent
    action: string
    details: { readonly [name: string]: string | boolean | null }
  },
): Promise<void> {
  await sql`
    insert into incident_event (org_id, incident_id, kind, at, account_id, is_by_detector, details)
    values (${by.orgId}::uuid, ${id}::uuid, ${event.kind}, ${by.occurredAt}::timestamptz, ${by.actorId}::uuid, false,
      ${JSON.stringify(event.details)}::text::jsonb)`.execute(tx)
  await recordAudit(tx, { ...by, action: event.action, targetKind: "incident", targetId: id, after: event.details })
}
