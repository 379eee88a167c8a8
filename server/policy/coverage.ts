import { sql } from "kysely"
import type { TenantTx } from "../db/tenant.ts"
import { type Standing, standing } from "./clients.ts"

/** Not heard of for so long, a client is taken to be gone: it is in no share. */
const GONE_MS = 14 * 86_400_000

export interface Standings {
  readonly agentTool: string | null
  /** Of the bundle; null is none. */
  readonly version: number | null
  readonly standing: Standing
  readonly clients: number
}

/** How many clients stand how, by agent tool and version, the newest version first. Those that are gone are left out. */
export async function countStandings(tx: TenantTx, now: Date): Promise<readonly Standings[]> {
  return tx
    .selectFrom("policy_client as c")
    .select(["c.agent_tool as agentTool", "c.version", sql<number>`count(*)::int`.as("clients")])
    .select(standing(now).as("standing"))
    .where("c.seen_at", ">", new Date(now.getTime() - GONE_MS))
    .groupBy(["c.agent_tool", "c.version", sql`standing`])
    .orderBy(sql`c.version desc nulls last`)
    .orderBy("c.agent_tool")
    .execute()
}

export interface Convergence {
  readonly at: Date
  /** Known at that time and not gone. */
  readonly clients: number
  /** Of those, how many went by what was the newest then. Null before anything was published. */
  readonly current: number | null
}

/** The share that went by the newest version at each time; `clients` 0 is no data. Times ascend. */
export async function getConvergence(tx: TenantTx, times: readonly Date[]): Promise<readonly Convergence[]> {
  const found = await sql<Convergence>`
    with newest as (
      select t.at, (select max(r.version) from policy_release r where r.released_at <= t.at) as version
      from unnest(${times.map((at) => at.toISOString())}::timestamptz[]) as t(at)
    ), held as (
      select a.client_id, a.version, a.adopted_at as since,
        lead(a.adopted_at, 1, 'infinity') over (partition by a.org_id, a.client_id order by a.adopted_at) as until
      from policy_adoption a
    )
    select n.at, count(c.id)::int as clients,
      case when n.version is not null then (count(*) filter (where h.version = n.version))::int end as current
    from newest n
    left join (policy_client c join held h on h.client_id = c.id)
      on h.since <= n.at and h.until > n.at and c.seen_at > n.at - make_interval(secs => ${GONE_MS / 1000})
    group by n.at, n.version
    order by n.at`.execute(tx)
  return found.rows
}

export interface ReleaseReach {
  readonly version: number
  readonly releasedAt: Date
  readonly cause: "published" | "rolled_back" | "exception"
  /** Clients known and not gone when it was released. */
  readonly clients: number
  /** Of those, how many went by it before the next release. */
  readonly reached: number
  /** Seconds from the release until half of those that it reached went by it, and 95 of 100; null when it reached none. */
  readonly medianSeconds: number | null
  readonly p95Seconds: number | null
}

/** How fast and how far each release reached, the newest first. */
export async function listReach(
  tx: TenantTx,
  args: { readonly now: Date; readonly limit: number },
): Promise<readonly ReleaseReach[]> {
  const found = await sql<ReleaseReach>`
    with release as (
      select r.version, r.released_at, r.cause,
        lead(r.released_at, 1, ${args.now}::timestamptz) over (order by r.version) as until
      from policy_release r
      order by r.version desc limit ${args.limit}
    )
    select r.version, r.released_at as "releasedAt", r.cause, count(c.id)::int as clients,
      count(a.adopted_at)::int as reached,
      percentile_cont(0.5) within group (order by extract(epoch from a.adopted_at - r.released_at))::float8
        as "medianSeconds",
      percentile_cont(0.95) within group (order by extract(epoch from a.adopted_at - r.released_at))::float8
        as "p95Seconds"
    from release r
    left join policy_client c
      on c.first_seen_at <= r.released_at and c.seen_at > r.released_at - make_interval(secs => ${GONE_MS / 1000})
    left join lateral (
      select min(a.adopted_at) as adopted_at from policy_adoption a
      where a.client_id = c.id and a.version = r.version and a.adopted_at < r.until
    ) a on true
    group by r.version, r.released_at, r.cause
    order by r.version desc`.execute(tx)
  return found.rows
}
