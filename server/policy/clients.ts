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
  const before = await tx
    .selectFrom("policy_client")
    .select("version")
    .where("id", "=", report.id)
    .forUpdate()
    .executeTakeFirst()
  await tx
    .insertInto("policy_client")
    .values({ org_id: args.orgId, id: report.id, first_seen_at: now, ...seen })
    .onConflict((conflict) => conflict.columns(["org_id", "id"]).doUpdateSet(seen))
    .execute()
  if (before !== undefined && before.version === report.version) return
  await tx
    .insertInto("policy_adoption")
    .values({ org_id: args.orgId, client_id: report.id, adopted_at: now, version: report.version })
    .onConflict((conflict) =>
      conflict.columns(["org_id", "client_id", "adopted_at"]).doUpdateSet({ version: report.version }),
    )
    .execute()
}

/** Heard of within so long, a client is not silent: it reports daily. */
const SILENT_MS = 26 * 3_600_000

/**
 * How a client stands. `not_enforced`: what every policy denies was not denied there. `silent`: not heard of for a day.
 * `behind`: it goes by an earlier version, or by none. `unproven`: by the newest, and was not tried since.
 */
export type Standing = "enforced" | "not_enforced" | "silent" | "behind" | "unproven"

export interface ShownClient {
  readonly id: string
  readonly agentTool: string | null
  readonly agentVersion: string | null
  readonly version: number | null
  readonly refusal: string | null
  readonly seenAt: Date
  readonly standing: Standing
}

/** The standing of the client `c`. */
export function standing(now: Date) {
  return sql<Standing>`case
    when c.canary_effect <> 'deny' and c.canary_at > ${new Date(now.getTime() - 7 * 86_400_000)}::timestamptz then 'not_enforced'
    when c.seen_at <= ${new Date(now.getTime() - SILENT_MS)}::timestamptz then 'silent'
    when c.state <> 'in_force' or c.version is distinct from (select max(r.version) from policy_release r) then 'behind'
    when c.canary_effect = 'deny' and c.canary_at > ${new Date(now.getTime() - SILENT_MS)}::timestamptz then 'enforced'
    else 'unproven' end`
}

/** Clients, the last heard of first. Whose they are is not said. */
export function listClients(
  tx: TenantTx,
  args: {
    readonly now: Date
    /** Those that stand so alone; null is all. */
    readonly standing: Standing | null
    /** Those that go by this version alone; null is all. */
    readonly version: number | null
    readonly before: { readonly seenAt: Date; readonly id: string } | null
    readonly limit: number
  },
): Promise<readonly ShownClient[]> {
  const { now, before, limit, version } = args
  return tx
    .selectFrom("policy_client as c")
    .select(["c.id", "c.agent_tool as agentTool", "c.agent_version as agentVersion", "c.version", "c.refusal"])
    .select("c.seen_at as seenAt")
    .select(standing(now).as("standing"))
    .$if(args.standing !== null, (query) => query.where(standing(now), "=", args.standing ?? "enforced"))
    .$if(version !== null, (query) => query.where("c.version", "=", version))
    .$if(before !== null, (query) =>
      query.where(sql<boolean>`(c.seen_at, c.id) < (${before?.seenAt ?? now}::timestamptz, ${before?.id ?? ""})`),
    )
    .orderBy("c.seen_at", "desc")
    .orderBy("c.id", "desc")
    .limit(limit)
    .execute()
}

/**
 * The person that telemetry with this `enduser.id` would be counted under; null when nobody is known by it. It is the
 * client's word: who says that they are somebody else is bound by that person's policy.
 */
export async function findByEnduser(tx: TenantTx, enduser: string): Promise<string | null> {
  return (await findByEndusers(tx, [enduser])).get(enduser) ?? null
}

/** The same of many at once; those whom nobody is known by are missing. */
export async function findByEndusers(tx: TenantTx, endusers: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const org = await tx.selectFrom("org").select("pseudonym_key").executeTakeFirstOrThrow()
  const byHash = Map.groupBy(endusers, (enduser) => {
    const kind = enduser.includes("@") ? "email" : "user"
    return identityHash(org.pseudonym_key, { kind, value: enduser.trim() })
  })
  const found = await sql<{ hash: string; id: string }>`
    select encode(i.identity_hash, 'hex') as hash, coalesce(d.merged_into_id, d.id) as id
    from developer_identity i join developer d on d.id = i.developer_id
    where i.identity_hash = any(select decode(hash, 'hex') from unnest(${[...byHash.keys()]}::text[]) hash)`.execute(tx)
  return new Map(
    found.rows.flatMap(({ hash, id }) => (byHash.get(hash) ?? []).map((enduser) => [enduser, id] as const)),
  )
}
