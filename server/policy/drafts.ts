import type { PolicyDocument } from "#sdk/policy/document.ts"
import { type AuditActor, recordAudit } from "../audit/commands.ts"
import type { TenantTx } from "../db/tenant.ts"
import { type LayerTarget, lockLayer, toDocument } from "./layers.ts"

/** Who writes: an account of the organization. */
export type PolicyActor = AuditActor & { readonly actorId: string }

export interface Draft {
  readonly document: PolicyDocument
  /** The version in force when it was begun; null when there was none. */
  readonly baseVersion: number | null
  readonly revision: number
  readonly writtenById: string | null
  readonly writtenBy: string | null
  readonly savedAt: Date
  readonly submittedBy: string | null
  /** Since when it waits for review; null while it is written. */
  readonly submittedAt: Date | null
}

/** The draft of a layer; null where there is none. */
export async function getDraft(tx: TenantTx, layerId: string): Promise<Draft | null> {
  const row = await tx
    .selectFrom("policy_draft as f")
    .leftJoin("account as writer", "writer.id", "f.written_by")
    .leftJoin("account as submitter", "submitter.id", "f.submitted_by")
    .select([
      "f.document",
      "f.base_version as baseVersion",
      "f.revision",
      "f.written_by as writtenById",
      "writer.email as writtenBy",
      "f.saved_at as savedAt",
      "submitter.email as submittedBy",
      "f.submitted_at as submittedAt",
    ])
    .where("f.layer_id", "=", layerId)
    .executeTakeFirst()
  return row === undefined ? null : { ...row, document: toDocument(row.document) }
}

/** `changed_meanwhile`: somebody saved, published or threw away the draft since the revision that was named. */
type Refused<Reason extends string> = {
  readonly ok: false
  readonly reason: Reason | "no_such_layer" | "changed_meanwhile"
}

interface OfRevision {
  readonly target: LayerTarget
  /** The revision of the draft that the person has seen; null when they saw none. */
  readonly revision: number | null
  readonly by: PolicyActor
}

/**
 * Saves a document that was checked as the layer's draft. A draft that waited for review is being written again: what was
 * submitted is not what would be published.
 */
export async function saveDraft(
  tx: TenantTx,
  { target, revision, document, by }: OfRevision & { readonly document: PolicyDocument },
): Promise<{ readonly ok: true; readonly layerId: string; readonly revision: number } | Refused<never>> {
  const layerId = await lockLayer(tx, by.orgId, target)
  if (layerId === null) return { ok: false, reason: "no_such_layer" }
  const draft = await findDraft(tx, layerId)
  if ((draft?.revision ?? null) !== revision) return { ok: false, reason: "changed_meanwhile" }
  const saved = {
    document,
    revision: (revision ?? 0) + 1,
    written_by: by.actorId,
    saved_at: by.occurredAt,
    submitted_by: null,
    submitted_at: null,
  }
  if (draft === null) {
    const { versionInForce } = await inForce(tx, layerId)
    await tx
      .insertInto("policy_draft")
      .values({ org_id: by.orgId, layer_id: layerId, base_version: versionInForce, ...saved })
      .execute()
  } else {
    await tx.updateTable("policy_draft").set(saved).where("layer_id", "=", layerId).execute()
  }
  await recordAudit(tx, { ...by, action: "policy.draft_save", ...on(layerId), after: { revision: saved.revision } })
  return { ok: true, layerId, revision: saved.revision }
}

/** Throws the draft away. */
export async function discardDraft(tx: TenantTx, args: OfRevision): Promise<{ readonly ok: true } | Refused<never>> {
  const found = await lockDraft(tx, args)
  if (!found.ok) return found
  await tx.deleteFrom("policy_draft").where("layer_id", "=", found.layerId).execute()
  await recordAudit(tx, {
    ...args.by,
    action: "policy.draft_discard",
    ...on(found.layerId),
    before: { revision: args.revision },
  })
  return { ok: true }
}

/** Asks for a second person's review, or takes that back. */
export async function submitDraft(
  tx: TenantTx,
  { isSubmitted, ...args }: OfRevision & { readonly isSubmitted: boolean },
): Promise<{ readonly ok: true } | Refused<never>> {
  const found = await lockDraft(tx, args)
  if (!found.ok) return found
  const { by, revision } = args
  await tx
    .updateTable("policy_draft")
    .set({ submitted_by: isSubmitted ? by.actorId : null, submitted_at: isSubmitted ? by.occurredAt : null })
    .where("layer_id", "=", found.layerId)
    .execute()
  const action = isSubmitted ? "policy.draft_submit" : "policy.draft_withdraw"
  await recordAudit(tx, { ...by, action, ...on(found.layerId), after: { revision } })
  return { ok: true }
}

/** Makes the version in force the base of the draft, once its author has seen what changed. */
export async function rebaseDraft(tx: TenantTx, args: OfRevision): Promise<{ readonly ok: true } | Refused<never>> {
  const found = await lockDraft(tx, args)
  if (!found.ok) return found
  const { versionInForce } = await inForce(tx, found.layerId)
  await tx
    .updateTable("policy_draft")
    .set({ base_version: versionInForce })
    .where("layer_id", "=", found.layerId)
    .execute()
  return { ok: true }
}

/** The draft of that revision, its layer locked. */
export async function lockDraft(tx: TenantTx, { target, revision, by }: OfRevision) {
  const layerId = await lockLayer(tx, by.orgId, target)
  if (layerId === null) return { ok: false, reason: "no_such_layer" } as const
  const draft = await findDraft(tx, layerId)
  if (draft === null || draft.revision !== revision) return { ok: false, reason: "changed_meanwhile" } as const
  return { ok: true, layerId, draft } as const
}

async function findDraft(tx: TenantTx, layerId: string) {
  const row = await tx
    .selectFrom("policy_draft")
    .select(["document", "base_version", "revision", "written_by", "submitted_at"])
    .where("layer_id", "=", layerId)
    .executeTakeFirst()
  return row ?? null
}

export async function inForce(tx: TenantTx, layerId: string): Promise<{ readonly versionInForce: number | null }> {
  return tx
    .selectFrom("policy_layer")
    .select("version_in_force as versionInForce")
    .where("id", "=", layerId)
    .executeTakeFirstOrThrow()
}

/** For the audit log. */
export function on(layerId: string) {
  return { targetKind: "policy_layer", targetId: layerId } as const
}
