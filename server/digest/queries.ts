import { sql } from "kysely"
import type { TenantTx } from "../db/tenant.ts"

export interface DigestWishes {
  readonly isWanted: boolean
  /** When this person's last one was done, and what became of it; null without any. */
  readonly last: { readonly state: string; readonly doneAt: Date | null } | null
  /** Slack channels of alerts that are switched on. */
  readonly channels: readonly { readonly id: string; readonly name: string; readonly isWanted: boolean }[]
}

/** Whether a person wants the digest, and which channels get it. */
export async function getDigestWishes(tx: TenantTx, accountId: string): Promise<DigestWishes> {
  const own = await tx
    .selectFrom("digest_subscription")
    .select("id")
    .where("account_id", "=", accountId)
    .executeTakeFirst()
  const last = await tx
    .selectFrom("digest_delivery")
    .select(["state", "done_at as doneAt"])
    .where("subscription_id", "=", own?.id ?? null)
    .orderBy("week", "desc")
    .limit(1)
    .executeTakeFirst()
  const channels = await tx
    .selectFrom("alert_channel as c")
    .select(["c.id", "c.name"])
    .select(sql<boolean>`exists (select from digest_subscription s where s.channel_id = c.id)`.as("isWanted"))
    .where("c.kind", "=", "slack")
    .where("c.is_enabled", "=", true)
    .orderBy(sql`lower(c.name)`)
    .execute()
  return { isWanted: own !== undefined, last: last ?? null, channels }
}
