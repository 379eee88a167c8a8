import { type SqlBool, sql } from "kysely"
import type { PolicyDocument } from "#sdk/policy/document.ts"
import type { TenantTx } from "../db/tenant.ts"
import type { PolicyLayerKind } from "../db/types.ts"

/** Whom a policy binds. */
export type LayerTarget =
  | { readonly kind: "organization" }
  | { readonly kind: "team"; readonly teamId: string }
  | { readonly kind: "developer"; readonly developerId: string }

export interface Layer {
  readonly id: string
  readonly kind: PolicyLayerKind
  readonly teamId: string | null
  readonly developerId: string | null
  /** The team's or the person's name; null for the organization, and for what is gone. */
  readonly name: string | null
  /** Null until something was published. */
  readonly versionInForce: number | null
  readonly publishedAt: Date | null
  readonly publishedBy: string | null
  readonly draft: {
    readonly savedAt: Date
    readonly writtenBy: string | null
    readonly submittedAt: Date | null
  } | null
}

/** Every layer that has a policy or a draft of one: the organization's first, then teams and people by name. */
export async function listLayers(tx: TenantTx): Promise<readonly Layer[]> {
  const rows = await selectLayers(tx)
    .orderBy("l.kind")
    .orderBy(sql`lower(coalesce(t.name, d.pseudonym))`)
    .orderBy("l.id")
    .execute()
  return rows.map(toLayer)
}

/** A layer by its id; null where there is none. */
export async function getLayer(tx: TenantTx, id: string): Promise<Layer | null> {
  const row = await selectLayers(tx).where("l.id", "=", id).executeTakeFirst()
  return row === undefined ? null : toLayer(row)
}

/** The layer of a target; null while nothing was ever written for it. */
export async function findLayer(tx: TenantTx, target: LayerTarget): Promise<Layer | null> {
  const row = await selectLayers(tx).where(isOf(target)).executeTakeFirst()
  return row === undefined ? null : toLayer(row)
}

function selectLayers(tx: TenantTx) {
  return tx
    .selectFrom("policy_layer as l")
    .leftJoin("team as t", "t.id", "l.team_id")
    .leftJoin("developer as d", "d.id", "l.developer_id")
    .leftJoin("policy_version as v", (join) =>
      join.onRef("v.layer_id", "=", "l.id").onRef("v.version", "=", "l.version_in_force"),
    )
    .leftJoin("account as publisher", "publisher.id", "v.published_by")
    .leftJoin("policy_draft as f", "f.layer_id", "l.id")
    .leftJoin("account as writer", "writer.id", "f.written_by")
    .select([
      "l.id",
      "l.kind",
      "l.team_id as teamId",
      "l.developer_id as developerId",
      sql<string | null>`coalesce(t.name, d.pseudonym)`.as("name"),
      "l.version_in_force as versionInForce",
      "v.published_at as publishedAt",
      "publisher.email as publishedBy",
      "f.saved_at as savedAt",
      "writer.email as writtenBy",
      "f.submitted_at as submittedAt",
    ])
}

type LayerRow = Awaited<ReturnType<ReturnType<typeof selectLayers>["execute"]>>[number]

function toLayer({ savedAt, writtenBy, submittedAt, ...layer }: LayerRow): Layer {
  return { ...layer, draft: savedAt === null ? null : { savedAt, writtenBy, submittedAt } }
}

function isOf(target: LayerTarget) {
  const teamId = target.kind === "team" ? target.teamId : null
  const developerId = target.kind === "developer" ? target.developerId : null
  return sql<SqlBool>`l.kind = ${target.kind}::policy_layer_kind
    and l.team_id is not distinct from ${teamId}::uuid and l.developer_id is not distinct from ${developerId}::uuid`
}

/** The name of a team or person that may have a policy; null for the organization, and where there is none. */
export async function getTargetName(tx: TenantTx, target: LayerTarget): Promise<string | null> {
  if (target.kind === "organization") return null
  if (target.kind === "team") {
    const team = await tx.selectFrom("team").select("name").where("id", "=", target.teamId).executeTakeFirst()
    return team?.name ?? null
  }
  const person = await tx
    .selectFrom("developer")
    .select("pseudonym")
    .where("id", "=", target.developerId)
    .where("merged_into_id", "is", null)
    .where("is_unattributed", "=", false)
    .executeTakeFirst()
  return person?.pseudonym ?? null
}

/** The id of a target's layer, locked until the transaction ends; null where there is no such team or person. */
export async function lockLayer(tx: TenantTx, orgId: string, target: LayerTarget): Promise<string | null> {
  if (target.kind !== "organization" && (await getTargetName(tx, target)) === null) return null
  await tx
    .insertInto("policy_layer")
    .values({
      org_id: orgId,
      kind: target.kind,
      team_id: target.kind === "team" ? target.teamId : null,
      developer_id: target.kind === "developer" ? target.developerId : null,
    })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
  const row = await tx.selectFrom("policy_layer as l").select("l.id").where(isOf(target)).forUpdate().executeTakeFirst()
  return row?.id ?? null
}

export interface PublishedVersion {
  readonly version: number
  readonly document: PolicyDocument
  readonly note: string | null
  readonly restoredVersion: number | null
  readonly writtenBy: string | null
  readonly publishedBy: string | null
  readonly publishedAt: Date
}

/** What was published for a layer, the newest first, below version `before` where it is given. */
export async function listVersions(
  tx: TenantTx,
  args: { readonly layerId: string; readonly before: number | null; readonly limit: number },
): Promise<readonly PublishedVersion[]> {
  const rows = await selectVersions(tx)
    .where("v.layer_id", "=", args.layerId)
    .$if(args.before !== null, (query) => query.where("v.version", "<", args.before))
    .orderBy("v.version", "desc")
    .limit(args.limit)
    .execute()
  return rows.map(toPublished)
}

/** One version of a layer; null where there is none. */
export async function getVersion(tx: TenantTx, layerId: string, version: number): Promise<PublishedVersion | null> {
  const row = await selectVersions(tx)
    .where("v.layer_id", "=", layerId)
    .where("v.version", "=", version)
    .executeTakeFirst()
  return row === undefined ? null : toPublished(row)
}

function selectVersions(tx: TenantTx) {
  return tx
    .selectFrom("policy_version as v")
    .leftJoin("account as writer", "writer.id", "v.written_by")
    .leftJoin("account as publisher", "publisher.id", "v.published_by")
    .select([
      "v.version",
      "v.document",
      "v.note",
      "v.restored_version as restoredVersion",
      "writer.email as writtenBy",
      "publisher.email as publishedBy",
      "v.published_at as publishedAt",
    ])
}

type VersionRow = Awaited<ReturnType<ReturnType<typeof selectVersions>["execute"]>>[number]

function toPublished(row: VersionRow): PublishedVersion {
  return { ...row, document: toDocument(row.document) }
}

/** What is stored was checked before, and is never changed. */
export function toDocument(stored: unknown): PolicyDocument {
  return stored as PolicyDocument
}
