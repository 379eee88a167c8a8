import { type AuditActor, recordAudit } from "../audit/commands.ts"
import type { TenantTx } from "../db/tenant.ts"

/** Says whether a person wants the digest by e-mail. */
export async function setOwnDigest(
  tx: TenantTx,
  args: { accountId: string; isWanted: boolean; by: AuditActor },
): Promise<void> {
  const { accountId, isWanted, by } = args
  if (!isWanted) {
    await tx.deleteFrom("digest_subscription").where("account_id", "=", accountId).execute()
    return
  }
  await tx
    .insertInto("digest_subscription")
    .values({ org_id: by.orgId, account_id: accountId, since: by.occurredAt })
    .onConflict((conflict) => conflict.columns(["org_id", "account_id"]).doNothing())
    .execute()
}

/** Says whether a Slack channel of alerts gets the digest; false when there is no such channel. */
export async function setChannelDigest(
  tx: TenantTx,
  args: { channelId: string; isWanted: boolean; by: AuditActor },
): Promise<boolean> {
  const { channelId, isWanted, by } = args
  const channel = await tx
    .selectFrom("alert_channel")
    .select("name")
    .where("id", "=", channelId)
    .where("kind", "=", "slack")
    .executeTakeFirst()
  if (channel === undefined) return false
  const changed = isWanted
    ? await tx
        .insertInto("digest_subscription")
        .values({ org_id: by.orgId, channel_id: channelId, since: by.occurredAt })
        .onConflict((conflict) => conflict.columns(["org_id", "channel_id"]).doNothing())
        .returning("id")
        .executeTakeFirst()
    : await tx.deleteFrom("digest_subscription").where("channel_id", "=", channelId).returning("id").executeTakeFirst()
  if (changed === undefined) return true
  const action = isWanted ? "digest.channel_add" : "digest.channel_remove"
  const target = { targetKind: "alert_channel", targetId: channelId }
  await recordAudit(tx, { ...by, action, ...target, after: { name: channel.name } })
  return true
}
