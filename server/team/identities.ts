import { sql } from "kysely"
import { type AuditActor, recordAudit } from "../audit/commands.ts"
import type { TenantTx } from "../db/tenant.ts"
import { identityHash } from "./pseudonyms.ts"

export const IDENTITY_KINDS = ["email", "account", "installation", "user"] as const
export type IdentityKind = (typeof IDENTITY_KINDS)[number]

/** Telemetry whose sender nobody has claimed. How much there is of it is not said: it is one person's. */
export interface UnknownIdentity {
  readonly developerId: string
  readonly pseudonym: string
  readonly kinds: readonly string[]
  readonly firstSeenAt: Date
  readonly agentTools: readonly string[]
}

/** The identities that belong to no person here, the newest first. */
export async function listUnknownIdentities(tx: TenantTx, limit: number): Promise<UnknownIdentity[]> {
  const result = await sql<UnknownIdentity>`
    select
      d.id as "developerId", d.pseudonym, min(i.first_seen_at) as "firstSeenAt",
      array_agg(distinct i.kind order by i.kind) as kinds,
      coalesce(
        array_agg(distinct i.first_agent_tool order by i.first_agent_tool) filter (where i.first_agent_tool is not null), '{}'
      ) as "agentTools"
    from developer d
    join developer_identity i on i.developer_id = d.id
    where d.merged_into_id is null and not d.is_unattributed
      and not exists (select from account a where a.developer_id = d.id)
    group by d.id
    order by 3 desc, d.id
    limit ${limit}`.execute(tx)
  return result.rows
}

export interface MergedIdentity {
  readonly developerId: string
  readonly pseudonym: string
  readonly mergedAt: Date
  readonly accountId: string
  readonly email: string
}

/** Identities that were found to be someone's, the newest first; only one person's when an account is given. */
export function listMergedIdentities(tx: TenantTx, accountId: string | null = null): Promise<MergedIdentity[]> {
  return tx
    .selectFrom("developer as d")
    .innerJoin("account as a", "a.developer_id", "d.merged_into_id")
    .select(["d.id as developerId", "d.pseudonym", "a.id as accountId", "a.email"])
    .select(sql<Date>`d.merged_at`.as("mergedAt"))
    .$if(accountId !== null, (query) => query.where("a.id", "=", accountId))
    .orderBy("d.merged_at", "desc")
    .execute()
}

/**
 * Counts an unknown identity's telemetry, past and future, as this person's. The signals themselves stay as they are,
 * so that it can be undone. False when the identity is somebody's already, or there is no such person.
 */
export async function mergeIdentity(
  tx: TenantTx,
  args: { developerId: string; accountId: string; by: AuditActor; action?: "identity.merge" | "identity.claim" },
): Promise<boolean> {
  const { developerId, accountId, by } = args
  const account = await tx
    .selectFrom("account")
    .select(["email", "developer_id"])
    .where("id", "=", accountId)
    .executeTakeFirst()
  const personId = account?.developer_id
  if (!personId || personId === developerId) return false
  const merged = await tx
    .updateTable("developer as d")
    .set({ merged_into_id: personId, merged_at: by.occurredAt })
    .where("d.id", "=", developerId)
    .where("d.merged_into_id", "is", null)
    .where("d.is_unattributed", "=", false)
    .where((eb) =>
      eb.not(eb.exists(eb.selectFrom("account as a").select("a.id").whereRef("a.developer_id", "=", "d.id"))),
    )
    .returning("d.pseudonym")
    .executeTakeFirst()
  if (merged === undefined) return false
  await recordAudit(tx, {
    ...by,
    action: args.action ?? "identity.merge",
    targetKind: "account",
    targetId: accountId,
    after: { identity: merged.pseudonym },
  })
  return true
}

/** Takes a merge back; with an account given, only one of its own. False when there is none. */
export async function separateIdentity(
  tx: TenantTx,
  args: { developerId: string; ofAccountId: string | null; by: AuditActor },
): Promise<boolean> {
  const { developerId, ofAccountId, by } = args
  const merged = (await listMergedIdentities(tx, ofAccountId)).find((row) => row.developerId === developerId)
  if (merged === undefined) return false
  await tx
    .updateTable("developer")
    .set({ merged_into_id: null, merged_at: null })
    .where("id", "=", developerId)
    .execute()
  await recordAudit(tx, {
    ...by,
    action: "identity.separate",
    targetKind: "account",
    targetId: merged.accountId,
    before: { identity: merged.pseudonym },
  })
  return true
}

/**
 * Claims the identity that a person's own agent sends, by its value, which only they know: Belay keeps its hash.
 * False when no unknown identity has it.
 */
export async function claimIdentity(
  tx: TenantTx,
  args: { accountId: string; kind: IdentityKind; value: string; by: AuditActor },
): Promise<boolean> {
  const org = await tx.selectFrom("org").select("pseudonym_key").executeTakeFirstOrThrow()
  const hashed = identityHash(org.pseudonym_key, { kind: args.kind, value: args.value.trim() })
  const row = await tx
    .selectFrom("developer_identity")
    .select("developer_id")
    .where("identity_hash", "=", Buffer.from(hashed, "hex"))
    .executeTakeFirst()
  if (row === undefined) return false
  const { accountId, by } = args
  return mergeIdentity(tx, { developerId: row.developer_id, accountId, by, action: "identity.claim" })
}

/** Every developer that a person's telemetry is counted under: their own and those merged into it. */
export async function listDevelopersOf(tx: TenantTx, accountId: string): Promise<string[]> {
  const rows = await tx
    .selectFrom("account as a")
    .innerJoin("developer as d", (join) =>
      join.on((eb) =>
        eb.or([eb("d.id", "=", eb.ref("a.developer_id")), eb("d.merged_into_id", "=", eb.ref("a.developer_id"))]),
      ),
    )
    .select("d.id")
    .where("a.id", "=", accountId)
    .execute()
  return rows.map((row) => row.id)
}
