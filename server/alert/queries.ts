import { sql } from "kysely"
import type { Rung } from "#sdk/ladder.ts"
import type { TenantTx } from "../db/tenant.ts"
import type { Answer } from "../outbound/post.ts"
import type { Severity } from "../slo/burn.ts"
import type { Readable } from "../team/readable-teams.ts"
import type { ChannelKind } from "./channels.ts"
import type { AlertKind, Facts } from "./finding.ts"

export interface ListedAlert {
  readonly id: string
  readonly kind: AlertKind
  readonly subject: string
  readonly state: "open" | "acknowledged" | "resolved"
  readonly severity: Severity
  readonly hasData: boolean
  readonly facts: Facts
  readonly rung: Rung | null
  readonly team: string | null
  readonly teamId: string | null
  readonly openedAt: Date
  readonly acknowledgedAt: Date | null
  /** An address, or the name that a channel gave. */
  readonly acknowledgedBy: string | null
  readonly resolvedAt: Date | null
  readonly resolvedByEmail: string | null
  readonly reopened: number
  readonly parentId: string | null
  readonly cause: string | null
  /** Alerts of narrower scopes that it speaks for. */
  readonly grouped: number
}

const COLUMNS = sql`
  a.id, a.kind, a.subject, a.state, a.severity, a.has_data as "hasData", a.facts, a.rung, t.name as team,
  a.team_id as "teamId", a.opened_at as "openedAt", a.acknowledged_at as "acknowledgedAt",
  coalesce(a.acknowledged_via, acknowledger.email) as "acknowledgedBy", a.resolved_at as "resolvedAt",
  resolver.email as "resolvedByEmail", a.reopened, a.parent_id as "parentId", a.cause,
  (select count(*)::int from alert c where c.parent_id = a.id and c.state <> 'resolved') as grouped`
const TABLES = sql`
  alert a left join team t on t.id = a.team_id
  left join account acknowledger on acknowledger.id = a.acknowledged_by
  left join account resolver on resolver.id = a.resolved_by`

/** One of a team is for who may read the team, any other for who may read the organization. */
function isReadableBy({ organization, teamIds }: Readable) {
  return organization ? sql`true` : sql`a.team_id = any(${teamIds}::uuid[])`
}

export const STATE_FILTERS = ["current", "open", "acknowledged", "resolved", "any"] as const
export type StateFilter = (typeof STATE_FILTERS)[number]

/** Alerts, the newest first; those before `before`, which is the last one of a page. */
export async function listAlerts(
  tx: TenantTx,
  args: {
    readonly readable: Readable
    readonly state: StateFilter
    readonly before: { readonly openedAt: Date; readonly id: string } | null
    readonly limit: number
  },
): Promise<readonly ListedAlert[]> {
  const { readable, state, before, limit } = args
  const inState =
    state === "any" ? sql`true` : state === "current" ? sql`a.state <> 'resolved'` : sql`a.state = ${state}`
  const result = await sql<ListedAlert>`
    select ${COLUMNS} from ${TABLES}
    where ${isReadableBy(readable)} and ${inState}
      and ${before === null ? sql`true` : sql`(a.opened_at, a.id) < (${before.openedAt}, ${before.id}::uuid)`}
    order by a.opened_at desc, a.id desc limit ${limit}`.execute(tx)
  return result.rows
}

export interface AlertTimes {
  readonly open: number
  readonly acknowledged: number
  /** In the last 28 days, with the median of seconds until somebody acknowledged and until it was over; null without any. */
  readonly opened: number
  readonly acknowledgeSeconds: number | null
  readonly resolveSeconds: number | null
}

const TIMES_DAYS = 28

export async function getAlertTimes(
  tx: TenantTx,
  { readable, now }: { readonly readable: Readable; readonly now: Date },
): Promise<AlertTimes> {
  const since = new Date(now.getTime() - TIMES_DAYS * 86_400_000)
  const seconds = (column: string) => sql`
    percentile_cont(0.5) within group (order by extract(epoch from ${sql.ref(column)} - a.opened_at))
      filter (where a.opened_at > ${since} and ${sql.ref(column)} is not null)`
  const result = await sql<AlertTimes>`
    select (count(*) filter (where a.state = 'open'))::int as open,
      (count(*) filter (where a.state = 'acknowledged'))::int as acknowledged,
      (count(*) filter (where a.opened_at > ${since}))::int as opened,
      (${seconds("a.acknowledged_at")})::float8 as "acknowledgeSeconds",
      (${seconds("a.resolved_at")})::float8 as "resolveSeconds"
    from alert a where ${isReadableBy(readable)}`.execute(tx)
  return result.rows[0] ?? { open: 0, acknowledged: 0, opened: 0, acknowledgeSeconds: null, resolveSeconds: null }
}

/** One alert with its history and what was sent; null when there is none that the viewer may read. */
export async function getAlert(
  tx: TenantTx,
  { id, readable }: { readonly id: string; readonly readable: Readable },
): Promise<{
  readonly alert: ListedAlert
  readonly events: readonly { readonly kind: string; readonly at: Date; readonly by: string | null }[]
  readonly children: readonly ListedAlert[]
} | null> {
  const found = await sql<ListedAlert>`
    select ${COLUMNS} from ${TABLES} where a.id = ${id}::uuid and ${isReadableBy(readable)}`.execute(tx)
  const [alert] = found.rows
  if (alert === undefined) return null
  const events = await sql<{ kind: string; at: Date; by: string | null }>`
    select e.kind, e.at, coalesce(e.details->>'via', account.email) as by
    from alert_event e left join account on account.id = e.account_id
    where e.alert_id = ${id}::uuid and e.kind <> 'told' order by e.sequence limit 500`.execute(tx)
  const children = await sql<ListedAlert>`
    select ${COLUMNS} from ${TABLES} where a.parent_id = ${id}::uuid and ${isReadableBy(readable)}
    order by a.opened_at limit 100`.execute(tx)
  return { alert, events: events.rows, children: children.rows }
}

/** The alert that told of an incident; null when there is none that the viewer may read. */
export async function findIncidentAlert(
  tx: TenantTx,
  { incidentId, readable }: { readonly incidentId: string; readonly readable: Readable },
): Promise<string | null> {
  const found = await sql<{ id: string }>`
    select a.id from alert a where a.kind = 'incident' and a.subject = ${incidentId} and ${isReadableBy(readable)}
    order by a.opened_at desc limit 1`.execute(tx)
  return found.rows[0]?.id ?? null
}

export interface ListedDelivery {
  readonly id: string
  readonly alertId: string
  readonly channel: string
  readonly channelKind: ChannelKind
  readonly event: string
  readonly state: "waiting" | "delivered" | "dead"
  readonly attempts: number
  readonly madeAt: Date
  readonly notBefore: Date
  readonly triedAt: Date | null
  readonly answer: Answer | null
}

/** Deliveries, the newest first: of one alert, or those that are dead. */
export async function listDeliveries(
  tx: TenantTx,
  of: { readonly alertId: string } | { readonly state: "dead" },
): Promise<readonly ListedDelivery[]> {
  const result = await sql<ListedDelivery>`
    select d.id, d.alert_id as "alertId", c.name as channel, c.kind as "channelKind", d.event, d.state, d.attempts,
      d.made_at as "madeAt", d.not_before as "notBefore", d.tried_at as "triedAt", d.answer
    from alert_delivery d join alert_channel c on c.org_id = d.org_id and c.id = d.channel_id
    where ${"alertId" in of ? sql`d.alert_id = ${of.alertId}::uuid` : sql`d.state = ${of.state}`}
    order by d.made_at desc, d.sequence desc, d.id limit 100`.execute(tx)
  return result.rows
}

export interface ListedChannel {
  readonly id: string
  readonly kind: ChannelKind
  readonly name: string
  readonly target: string
  readonly isPrivateAllowed: boolean
  readonly isEnabled: boolean
  readonly testedAt: Date | null
  readonly testAnswer: Answer | null
}

/** Channels by name; what is secret of them is not read. */
export async function listChannels(tx: TenantTx): Promise<readonly ListedChannel[]> {
  const result = await sql<ListedChannel>`
    select id, kind, name, target, is_private_allowed as "isPrivateAllowed", is_enabled as "isEnabled",
      tested_at as "testedAt", test_answer as "testAnswer"
    from alert_channel order by lower(name), id`.execute(tx)
  return result.rows
}

export interface ListedRoute {
  readonly id: string
  readonly channelId: string
  readonly team: string | null
  readonly severity: Severity | null
  /** Minutes after midnight; null without quiet hours. */
  readonly quietFrom: number | null
  readonly quietTo: number | null
}

export async function listRoutes(tx: TenantTx): Promise<readonly ListedRoute[]> {
  const result = await sql<ListedRoute>`
    select r.id, r.channel_id as "channelId", t.name as team, r.severity, r.quiet_from as "quietFrom",
      r.quiet_to as "quietTo"
    from alert_route r left join team t on t.id = r.team_id order by r.made_at, r.id`.execute(tx)
  return result.rows
}

export interface ListedSilence {
  readonly id: string
  readonly kind: AlertKind | null
  /** The latest alert of what is silenced, where that is one subject; null for all of a kind. */
  readonly alertId: string | null
  readonly team: string | null
  readonly reason: string
  readonly startsAt: Date
  readonly endsAt: Date
  readonly byEmail: string | null
}

/** Silences that are not over, the one that ends first before the others. */
export async function listSilences(tx: TenantTx, now: Date): Promise<readonly ListedSilence[]> {
  const result = await sql<ListedSilence>`
    select s.id, s.kind, (
        select al.id from alert al where al.kind = s.kind and al.subject = s.subject order by al.opened_at desc limit 1
      ) as "alertId", t.name as team, s.reason, s.starts_at as "startsAt", s.ends_at as "endsAt", a.email as "byEmail"
    from alert_silence s left join team t on t.id = s.team_id left join account a on a.id = s.made_by
    where s.ends_at > ${now} order by s.ends_at, s.id`.execute(tx)
  return result.rows
}

/** Names of tools and models that an objective can be of: those that came with signals. */
export async function listObjectiveNames(
  tx: TenantTx,
): Promise<{ readonly agentTools: readonly string[]; readonly models: readonly string[] }> {
  const rows = await tx
    .selectFrom("dimension")
    .select(["kind", "value"])
    .where("kind", "in", ["agent_tool", "model"])
    .orderBy("value")
    .limit(2000)
    .execute()
  const of = (kind: string) => rows.filter((row) => row.kind === kind).map(({ value }) => value)
  return { agentTools: of("agent_tool"), models: of("model") }
}
