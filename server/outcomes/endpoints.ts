import { randomBytes, randomUUID } from "node:crypto"
import { type Kysely, sql } from "kysely"
import { type AuditActor, recordAudit } from "../audit/commands.ts"
import type { TenantTx } from "../db/tenant.ts"
import type { DB } from "../db/types.ts"
import { seal, unseal } from "../sealed.ts"
import { identityHash } from "../team/pseudonyms.ts"
import { type Identify, type Provider, PROVIDERS } from "./events.ts"

/** The secret before is taken as well for as long, while people change it at the code host. */
const OVERLAP_MS = 24 * 3_600_000
const PURPOSE = "belay webhook secret"

/**
 * Makes the organization's endpoint for a code host, or gives it another secret; the one before works for a day more. The
 * secret cannot be read again.
 */
export async function makeWebhookSecret(
  tx: TenantTx,
  { provider, secret, by }: { readonly provider: Provider; readonly secret: string; readonly by: AuditActor },
): Promise<{ readonly id: string; readonly webhookSecret: string }> {
  const webhookSecret = `blw_${randomBytes(32).toString("base64url")}`
  const known = await tx
    .selectFrom("webhook_endpoint")
    .select("id")
    .where("provider", "=", provider)
    .forUpdate()
    .executeTakeFirst()
  const id = known?.id ?? randomUUID()
  const sealed = seal(Buffer.from(webhookSecret), { secret, orgId: by.orgId, id, purpose: PURPOSE })
  if (known === undefined) {
    await tx
      .insertInto("webhook_endpoint")
      .values({
        org_id: by.orgId,
        id,
        provider,
        sealed_secret: sealed,
        made_at: by.occurredAt,
        made_by: by.actorId,
      })
      .execute()
  } else {
    await tx
      .updateTable("webhook_endpoint")
      .set((eb) => ({
        sealed_secret_before: eb.ref("sealed_secret"),
        before_until: new Date(by.occurredAt.getTime() + OVERLAP_MS),
        sealed_secret: sealed,
        made_at: by.occurredAt,
        made_by: by.actorId,
      }))
      .where("id", "=", id)
      .execute()
  }
  await recordAudit(tx, {
    ...by,
    action: known === undefined ? "webhook.create" : "webhook.rotate",
    targetKind: "webhook_endpoint",
    targetId: id,
    after: { provider },
  })
  return { id, webhookSecret }
}

/** Whose endpoint that is; null when there is none. Asked before the tenant is known. */
export async function findWebhookOrganization(db: Kysely<DB>, provider: Provider, id: string): Promise<string | null> {
  const found = await sql<{
    org_id: string | null
  }>`select belay_webhook_org(${id}::uuid, ${provider}) as org_id`.execute(db)
  return found.rows[0]?.org_id ?? null
}

/** The secrets that are taken now, the newest first; none of an endpoint that is gone. */
export async function readWebhookSecrets(
  tx: TenantTx,
  args: { readonly id: string; readonly orgId: string; readonly secret: string; readonly now: Date },
): Promise<readonly string[]> {
  const { id, orgId, secret, now } = args
  const row = await tx
    .selectFrom("webhook_endpoint")
    .select(["sealed_secret as newest", "sealed_secret_before as before", "before_until as beforeUntil"])
    .where("id", "=", id)
    .executeTakeFirst()
  if (row === undefined) return []
  const open = (sealed: Buffer) => unseal(sealed, { secret, orgId, id, purpose: PURPOSE }).toString("utf8")
  const isBeforeTaken = row.before !== null && row.beforeUntil !== null && row.beforeUntil > now
  return [open(row.newest), ...(isBeforeTaken && row.before !== null ? [open(row.before)] : [])]
}

/** What stands for whom, in what the organization's code hosts say. */
export async function readIdentify(tx: TenantTx): Promise<Identify> {
  const org = await tx.selectFrom("org").select("pseudonym_key").executeTakeFirstOrThrow()
  return (email) => identityHash(org.pseudonym_key, { kind: "email", value: email })
}

/** Counts a delivery whose signature was wrong. */
export async function noteRefusedDelivery(tx: TenantTx, id: string, now: Date): Promise<void> {
  await tx
    .updateTable("webhook_endpoint")
    .set((eb) => ({ refused: eb("refused", "+", 1), last_refused_at: now }))
    .where("id", "=", id)
    .execute()
}

export type ListedEndpoint = Awaited<ReturnType<typeof listWebhookEndpoints>>[number]

/** The organization's endpoints by provider, without their secrets. */
export async function listWebhookEndpoints(tx: TenantTx) {
  const rows = await tx
    .selectFrom("webhook_endpoint")
    .select(["id", "provider", "made_at as madeAt", "before_until as beforeUntil", "refused"])
    .select("last_refused_at as lastRefusedAt")
    .orderBy("provider")
    .execute()
  return rows.flatMap(({ provider, ...row }) =>
    PROVIDERS.filter((one) => one === provider).map((known) => ({ provider: known, ...row })),
  )
}

/** The newest deliveries whose signature was right. */
export function listWebhookDeliveries(tx: TenantTx, limit: number) {
  return tx
    .selectFrom("webhook_delivery as d")
    .innerJoin("webhook_endpoint as e", (join) =>
      join.onRef("e.org_id", "=", "d.org_id").onRef("e.id", "=", "d.endpoint_id"),
    )
    .select([
      "e.provider",
      "d.delivery_id as deliveryId",
      "d.event",
      "d.received_at as receivedAt",
      "d.times",
      "d.events",
    ])
    .orderBy("d.received_at", "desc")
    .orderBy("d.delivery_id")
    .limit(limit)
    .execute()
}
