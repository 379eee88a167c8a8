import { sql } from "kysely"
import type { PolicyDocument } from "#sdk/policy/document.ts"
import { recordAudit } from "../audit/commands.ts"
import type { TenantTx } from "../db/tenant.ts"
import { inForce, lockDraft, on, type PolicyActor } from "./drafts.ts"
import { getVersion, type LayerTarget, lockLayer, toDocument } from "./layers.ts"
import { release } from "./releases.ts"

/** Of what a publisher says about a version. */
export const NOTE_LENGTH_MAX = 500

export type Published =
  | { readonly ok: true; readonly version: number; readonly release: number }
  | {
      readonly ok: false
      /**
       * `base_moved`: another version was published since the draft was begun. `needs_submission` and `own_draft`: the
       * organization has every change reviewed by a second person.
       */
      readonly reason:
        | "no_such_layer"
        | "changed_meanwhile"
        | "base_moved"
        | "needs_submission"
        | "own_draft"
        | "no_such_version"
        | "in_force"
    }

/** Puts the draft of a layer in force as its next version. */
export async function publishDraft(
  tx: TenantTx,
  args: {
    readonly target: LayerTarget
    readonly revision: number
    readonly note: string | null
    readonly by: PolicyActor
  },
): Promise<Published> {
  const found = await lockDraft(tx, args)
  if (!found.ok) return found
  const { layerId, draft } = found
  const { versionInForce } = await inForce(tx, layerId)
  if (draft.base_version !== versionInForce) return { ok: false, reason: "base_moved" }
  if (await needsReview(tx)) {
    if (draft.submitted_at === null) return { ok: false, reason: "needs_submission" }
    if (draft.written_by === args.by.actorId) return { ok: false, reason: "own_draft" }
  }
  const published = await addVersion(tx, {
    layerId,
    document: toDocument(draft.document),
    note: args.note,
    writtenBy: draft.written_by,
    restoredVersion: null,
    by: args.by,
  })
  await tx.deleteFrom("policy_draft").where("layer_id", "=", layerId).execute()
  return published
}

/**
 * Puts an earlier version in force again, as a new one. It needs no second person: it was in force before, and is what one
 * reaches for when something went wrong.
 */
export async function rollBack(
  tx: TenantTx,
  args: {
    readonly target: LayerTarget
    readonly version: number
    readonly note: string | null
    readonly by: PolicyActor
  },
): Promise<Published> {
  const layerId = await lockLayer(tx, args.by.orgId, args.target)
  if (layerId === null) return { ok: false, reason: "no_such_layer" }
  const { versionInForce } = await inForce(tx, layerId)
  if (versionInForce === args.version) return { ok: false, reason: "in_force" }
  const earlier = await getVersion(tx, layerId, args.version)
  if (earlier === null) return { ok: false, reason: "no_such_version" }
  return addVersion(tx, {
    layerId,
    document: earlier.document,
    note: args.note,
    writtenBy: args.by.actorId,
    restoredVersion: args.version,
    by: args.by,
  })
}

interface NewVersion {
  readonly layerId: string
  readonly document: PolicyDocument
  readonly note: string | null
  readonly writtenBy: string | null
  readonly restoredVersion: number | null
  readonly by: PolicyActor
}

async function addVersion(tx: TenantTx, added: NewVersion): Promise<Published> {
  const { layerId, restoredVersion, by } = added
  const last = await tx
    .selectFrom("policy_version")
    .select(sql<number>`coalesce(max(version), 0)`.as("version"))
    .where("layer_id", "=", layerId)
    .executeTakeFirstOrThrow()
  const version = last.version + 1
  const before = await inForce(tx, layerId)
  await tx
    .insertInto("policy_version")
    .values({
      org_id: by.orgId,
      layer_id: layerId,
      version,
      document: added.document,
      note: added.note,
      restored_version: restoredVersion,
      written_by: added.writtenBy,
      published_by: by.actorId,
      published_at: by.occurredAt,
    })
    .execute()
  await tx.updateTable("policy_layer").set({ version_in_force: version }).where("id", "=", layerId).execute()
  const released = await release(tx, {
    by,
    cause: restoredVersion === null ? "published" : "rolled_back",
    layerId,
    layerVersion: version,
  })
  await recordAudit(tx, {
    ...by,
    action: restoredVersion === null ? "policy.publish" : "policy.roll_back",
    ...on(layerId),
    before: { version: before.versionInForce },
    after: { version, release: released, ...(restoredVersion !== null && { restored: restoredVersion }) },
    reason: added.note,
  })
  return { ok: true, version, release: released }
}

async function needsReview(tx: TenantTx): Promise<boolean> {
  const org = await tx.selectFrom("org").select("policy_needs_review as needsReview").executeTakeFirstOrThrow()
  return org.needsReview
}
