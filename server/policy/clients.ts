import { sql } from "kysely"
import type { TenantTx } from "../db/tenant.ts"
import { identityHash } from "../team/pseudonyms.ts"

/** Whether a client goes by what it was last sent, by an earlier bundle, or by none. */
export type ClientState = "in_force" | "last_good" | "none"

/** What a client says of itself. */
export interface ClientReport {
  /** Made once per installation. */
  readonly id: string
  readonly agentTool: string | null
  readonly agentVersion: string | null
  readonly belayVersion: string | null
  readonly state: ClientState
  /** Of the bundle that it goes by. */
  readonly version: number | null
  /** Why it refused what it was sent, by `Refusal`; null when it refused nothing. */
  readonly refusal: string | null
  /** What came of an action that every policy denies; null when it was not tried. */
  readonly canary: "allow" | "ask" | "deny" | null
}

/** Keeps what a client reported. */
export async function noteClient(
  tx: TenantTx,
  args: {
    readonly report: ClientReport
    readonly orgId: string
    readonly developerId: string | null
    readonly keyId: string
    readonly now: Date
  },
): Promise<void> {
  const { report, now } = args
  const seen = {
    developer_id: args.developerId,
    key_id: args.keyId,
    agent_tool: report.agentTool,
    agent_version: report.agentVersion,
    belay_version: report.belayVersion,
    state: report.state,
    version: report.version,
    refusal: report.refusal,
    ...(report.refusal !== null && { refused_at: now }),
    ...(report.canary !== null && { canary_effect: report.canary, canary_at: now }),
    seen_at: now,
  }
  await tx
    .insertInto("policy_client")
    .values({ org_id: args.orgId, id: report.id, first_seen_at: now, ...seen })
    .onConflict((conflict) => conflict.columns(["org_id", "id"]).doUpdateSet(seen))
    .execute()
}

/**
 * The person that telemetry with this `enduser.id` would be counted under; null when nobody is known by it. It is the
 * client's word: who says that they are somebody else is bound by that person's policy.
 */
export async function findByEnduser(tx: TenantTx, enduser: string): Promise<string | null> {
  const org = await tx.selectFrom("org").select("pseudonym_key").executeTakeFirstOrThrow()
  const kind = enduser.includes("@") ? "email" : "user"
  const hashed = identityHash(org.pseudonym_key, { kind, value: enduser.trim() })
  const row = await tx
    .selectFrom("developer_identity as i")
    .innerJoin("developer as d", "d.id", "i.developer_id")
    .select(sql<string>`coalesce(d.merged_into_id, d.id)`.as("id"))
    .where("i.identity_hash", "=", Buffer.from(hashed, "hex"))
    .executeTakeFirst()
  return row?.id ?? null
}
