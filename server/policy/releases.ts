import { sql } from "kysely"
import type { AuditActor } from "../audit/commands.ts"
import type { TenantTx } from "../db/tenant.ts"

/** Told of with `notify` when something binds somebody anew; its payload is the organization's id. */
export const RELEASE_CHANNEL = "belay_policy_release"

type Cause =
  | { readonly cause: "published" | "rolled_back"; readonly layerId: string; readonly layerVersion: number }
  | { readonly cause: "exception"; readonly exceptionId: string }

/**
 * Counts a change of what binds anyone in the organization, in the transaction that makes it, and returns the number:
 * the version of every bundle from then on.
 */
export async function release(tx: TenantTx, args: Cause & { readonly by: AuditActor }): Promise<number> {
  const { by } = args
  // One at a time in an organization, so that a higher number is always a later change.
  await sql`select pg_advisory_xact_lock(hashtext('belay_policy_release'), hashtext(${by.orgId}))`.execute(tx)
  const version = (await currentRelease(tx)) + 1
  await tx
    .insertInto("policy_release")
    .values({
      org_id: by.orgId,
      version,
      released_at: by.occurredAt,
      cause: args.cause,
      layer_id: args.cause === "exception" ? null : args.layerId,
      layer_version: args.cause === "exception" ? null : args.layerVersion,
      exception_id: args.cause === "exception" ? args.exceptionId : null,
    })
    .execute()
  await sql`select pg_notify(${RELEASE_CHANNEL}, ${by.orgId})`.execute(tx)
  return version
}

/** The number of the last change; 0 when nothing was ever published. */
export async function currentRelease(tx: TenantTx): Promise<number> {
  const row = await tx
    .selectFrom("policy_release")
    .select(sql<number>`coalesce(max(version), 0)`.as("version"))
    .executeTakeFirstOrThrow()
  return row.version
}
