import { randomUUID } from "node:crypto"
import { sql } from "kysely"
import type { TenantTx } from "../db/tenant.ts"
import type { Json } from "../db/types.ts"
import type { AlertStanding } from "./alert-row.ts"
import { type MessageEvent, toMessage } from "./message.ts"
import { isSilenced, planRoutes, type Route, type Silence } from "./routing.ts"

/** A delivery that nobody took within this time is dead. */
export const DELIVERY_MS = 24 * 3_600_000

/** What decides on who is told of alerts. */
export interface Telling {
  readonly orgId: string
  readonly organization: string
  readonly timeZone: string
  readonly routes: readonly Route[]
  readonly silences: readonly Silence[]
  readonly teamNames: ReadonlyMap<string, string>
  /** The team of which a team is a part, by its id. */
  readonly teamParents: ReadonlyMap<string, string>
  /** Alerts of narrower scopes that one speaks for, by its id. */
  readonly grouped: ReadonlyMap<string, number>
}

export async function readTelling(tx: TenantTx, orgId: string, at: Date): Promise<Telling> {
  const org = await tx.selectFrom("org").select(["name", "time_zone"]).where("id", "=", orgId).executeTakeFirstOrThrow()
  const routes = await tx
    .selectFrom("alert_route as r")
    .innerJoin("alert_channel as c", (join) =>
      join.onRef("c.org_id", "=", "r.org_id").onRef("c.id", "=", "r.channel_id").on("c.is_enabled", "=", true),
    )
    .select(["r.channel_id as channelId", "r.team_id as teamId", "r.quiet_from as from", "r.quiet_to as to"])
    .select(sql<Route["severity"]>`r.severity`.as("severity"))
    .orderBy("r.channel_id")
    .execute()
  const silences = await tx
    .selectFrom("alert_silence")
    .select(["kind", "subject", "team_id as teamId", "starts_at as startsAt", "ends_at as endsAt"])
    .where("ends_at", ">", at)
    .execute()
  const teams = await tx.selectFrom("team").select(["id", "name", "parent_team_id as parentId"]).execute()
  const children = await tx
    .selectFrom("alert")
    .select(["parent_id as parentId", sql<number>`count(*)::int`.as("count")])
    .where("parent_id", "is not", null)
    .where("state", "<>", "resolved")
    .groupBy("parent_id")
    .execute()
  return {
    orgId,
    organization: org.name,
    timeZone: org.time_zone,
    routes: routes.map(({ from, to, ...route }) => ({
      ...route,
      quiet: from === null || to === null ? null : { from, to },
    })),
    silences,
    teamNames: new Map(teams.map(({ id, name }) => [id, name])),
    teamParents: new Map(teams.flatMap(({ id, parentId }) => (parentId === null ? [] : [[id, parentId]]))),
    grouped: new Map(children.flatMap(({ parentId, count }) => (parentId === null ? [] : [[parentId, count]]))),
  }
}

export function maySpeak(telling: Telling, alert: AlertStanding, at: Date): boolean {
  return !isSilenced({ ...alert, severity: alert.standing.severity }, telling.silences, at)
}

const ROWS_AT_ONCE = 1000

/** Writes down what is to be sent where, in the transaction of what it tells of. The loop gives it to the job queue. */
export async function tell(
  tx: TenantTx,
  telling: Telling,
  told: readonly {
    readonly alert: AlertStanding
    readonly event: MessageEvent
    /** Of the entry of its history. */
    readonly sequence: number
    readonly acknowledgedBy?: string | null
  }[],
  at: Date,
): Promise<void> {
  const rows = told.flatMap(({ alert, event, sequence, acknowledgedBy = null }) => {
    const message = toMessage(alert, {
      event,
      at,
      organization: telling.organization,
      team: alert.teamId === null ? null : (telling.teamNames.get(alert.teamId) ?? null),
      acknowledgedBy,
      grouped: telling.grouped.get(alert.id) ?? 0,
    })
    const routed = { ...alert, severity: alert.standing.severity }
    const planned = planRoutes(routed, telling.routes, {
      at,
      timeZone: telling.timeZone,
      parents: telling.teamParents,
    })
    return [...planned].map(([channelId, notBefore]) => ({
      org_id: telling.orgId,
      id: randomUUID(),
      alert_id: alert.id,
      channel_id: channelId,
      event,
      sequence,
      message: sql<Json>`${JSON.stringify(message)}::text::jsonb`,
      made_at: at,
      not_before: notBefore,
      expires_at: new Date(notBefore.getTime() + DELIVERY_MS),
      state: "waiting",
      attempts: 0,
    }))
  })
  for (let from = 0; from < rows.length; from += ROWS_AT_ONCE) {
    await tx
      .insertInto("alert_delivery")
      .values(rows.slice(from, from + ROWS_AT_ONCE))
      .execute()
  }
}
