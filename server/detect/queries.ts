import { type RawBuilder, sql } from "kysely"
import type { TenantTx } from "../db/tenant.ts"
import type { Rung } from "../db/types.ts"
import { MIN_GROUP_SIZE } from "../privacy/disclosure.ts"
import type { Readable } from "../team/readable-teams.ts"
import type {
  Cause,
  Change,
  Check,
  DetectedIncident,
  Evidence,
  IncidentKind,
  IncidentState,
  RankedCause,
} from "./contract.ts"

/** Of what is not over. */
export const CURRENT_STATES: readonly IncidentState[] = ["open", "recovering"]

/** Who looks, and so what of the organization's incidents is there at all. */
export interface IncidentViewer {
  readonly readable: Readable
  /** All developers that the viewer is. */
  readonly ownDeveloperIds: readonly string[]
}

/** That there is one, in a group too small to say more. */
export interface WithheldIncident {
  readonly disclosure: "withheld"
  readonly id: string
  readonly rung: Rung
  readonly openedAt: Date
}

export interface ShownIncident {
  readonly disclosure: "shown"
  readonly id: string
  readonly rung: Rung
  readonly openedAt: Date
  readonly kind: IncidentKind
  readonly alsoRungs: readonly Rung[]
  readonly state: IncidentState
  readonly startedAt: Date
  /** 80 % interval of the start. */
  readonly startedFrom: Date
  readonly startedTo: Date
  readonly closedAt: Date | null
  readonly reopened: number
  readonly teamId: string | null
  /** Null as well for a team that is gone. */
  readonly team: string | null
  /** The viewer: nobody else is shown an incident of one person. */
  readonly developerId: string | null
  readonly client: string | null
  readonly model: string | null
  readonly language: string | null
  readonly mode: string | null
  readonly cause: Cause
  readonly causes: readonly RankedCause[]
  readonly evidence: readonly Evidence[]
  readonly checks: readonly Check[]
  readonly changes: DetectedIncident["changes"]
  readonly daily: DetectedIncident["daily"]
  readonly recoveredAfter: Change | null
  readonly action: string | null
  readonly fallbackTo: Rung | null
  readonly people: number
  /** Null when they are too few to count. */
  readonly peopleAffected: number | null
  readonly explained: number | null
  readonly confidence: number
  readonly note: string | null
  readonly updatedAt: Date
  readonly acknowledgedAt: Date | null
  readonly acknowledgedByEmail: string | null
  readonly acceptedAt: Date | null
  readonly acceptedByEmail: string | null
}

export type VisibleIncident = ShownIncident | WithheldIncident

/** What is not given is not filtered by. */
export interface IncidentFilter {
  readonly rung?: Rung
  readonly states?: readonly IncidentState[]
  readonly kind?: IncidentKind
  readonly cause?: Cause
  readonly teamId?: string
}

/**
 * Incidents that the viewer may know of, the newest first; those before `before`, which is the last one of a page.
 *
 * One of a single person is theirs alone. One of a team is for who may read the team, any other for who may read the
 * organization. What it says is shown when its place has at least k people. A filter by what is withheld leaves those
 * out, as their being listed would tell it.
 */
export async function listIncidents(
  tx: TenantTx,
  args: {
    viewer: IncidentViewer
    filter: IncidentFilter
    before: { openedAt: Date; id: string } | null
    limit: number
  },
): Promise<VisibleIncident[]> {
  const { viewer, filter, before, limit } = args
  const conditions: RawBuilder<unknown>[] = [sql`true`]
  if (filter.rung !== undefined) conditions.push(sql`v.rung = ${filter.rung}::rung`)
  if (filter.states !== undefined) conditions.push(sql`s.state = any(${filter.states}::text[])`)
  if (filter.kind !== undefined) conditions.push(sql`s.kind = ${filter.kind}`)
  if (filter.cause !== undefined) conditions.push(sql`s.cause = ${filter.cause}`)
  if (filter.teamId !== undefined) conditions.push(sql`s.team_id = ${filter.teamId}::uuid`)
  if (before !== null) {
    conditions.push(sql`(v.opened_at, v.id) < (${before.openedAt}::timestamptz, ${before.id}::uuid)`)
  }
  const rows = await sql<IncidentRow>`
    ${selectFrom(viewer)}
    where ${sql.join(conditions, sql` and `)}
    order by v.opened_at desc, v.id desc limit ${limit}`.execute(tx)
  return rows.rows.map(toIncident)
}

export interface IncidentHistory {
  /** Earliest first. */
  readonly events: readonly {
    readonly kind: string
    readonly at: Date
    readonly isByDetector: boolean
    /** Null for the detector, and for people who are gone. */
    readonly byEmail: string | null
    /** Empty as well for what was said when it was about too few people. */
    readonly details: { readonly [name: string]: unknown }
  }[]
  /** What people say that it was, the newest first. */
  readonly labels: readonly {
    readonly byEmail: string
    readonly isReal: boolean
    readonly cause: string | null
    readonly comment: string | null
    readonly at: Date
  }[]
}

/** One incident, with its history when it is shown; undefined when there is none that the viewer may know of. */
export async function getIncident(
  tx: TenantTx,
  args: { viewer: IncidentViewer; id: string },
): Promise<{ incident: VisibleIncident; history: IncidentHistory | null } | undefined> {
  const { viewer, id } = args
  const rows = await sql<IncidentRow>`${selectFrom(viewer)} where v.id = ${id}::uuid`.execute(tx)
  const [row] = rows.rows
  if (row === undefined) return undefined
  const incident = toIncident(row)
  if (incident.disclosure === "withheld") return { incident, history: null }
  const events = await sql<IncidentHistory["events"][number]>`
    select e.kind, e.at, e.is_by_detector as "isByDetector", a.email as "byEmail",
      case
        when ${incident.developerId === null}::boolean
          and (e.people < ${MIN_GROUP_SIZE} or jsonb_path_exists(e.details, '$.*.developer'))
        then '{}'
        else e.details
      end as details
    from incident_event e left join account a on a.id = e.account_id
    where e.incident_id = ${id}::uuid order by e.sequence`.execute(tx)
  const labels = await sql<IncidentHistory["labels"][number]>`
    select a.email as "byEmail", l.is_real as "isReal", l.cause, l.comment, l.at
    from incident_label l join account a on a.id = l.account_id
    where l.incident_id = ${id}::uuid order by l.at desc, a.email`.execute(tx)
  return { incident, history: { events: events.rows, labels: labels.rows } }
}

/** How many incidents the viewer is shown at each rung that are not over; rungs without any are left out. */
export async function countCurrentIncidents(
  tx: TenantTx,
  args: { viewer: IncidentViewer; teamId: string | null },
): Promise<{ readonly rung: Rung; readonly incidents: number }[]> {
  const { viewer, teamId } = args
  const rows = await sql<{ rung: Rung; incidents: number }>`
    select rung, count(*)::int as incidents from (${selectFrom(viewer)}
      where s.state = any(${CURRENT_STATES}::text[]) and ${teamId === null ? sql`true` : sql`s.team_id = ${teamId}::uuid`}
    ) current group by rung`.execute(tx)
  return rows.rows
}

/** Days since the first one of which there are signals, that one included; 0 without any. `today` is `YYYY-MM-DD`. */
export async function countDaysOfData(tx: TenantTx, today: string): Promise<number> {
  const rows = await sql<{ days: number }>`
    select coalesce(${today}::date - min(day) + 1, 0)::int as days from signal_day`.execute(tx)
  return rows.rows[0]?.days ?? 0
}

/** As the database gives it: what is withheld is null. */
type IncidentRow = { readonly isShown: boolean } & Omit<ShownIncident, "disclosure">

/** `v` is what the viewer may know of, `s` the same as far as it is shown. */
function selectFrom({ readable, ownDeveloperIds }: IncidentViewer): RawBuilder<unknown> {
  return sql`
    with visible as (
      select org_id, id, rung, opened_at,
        -- What is wrong with the data says nothing about people.
        developer_id is not null or kind = 'data_quality' or people >= ${MIN_GROUP_SIZE} as is_shown
      from incident
      where case
        when developer_id is not null then developer_id = any(${ownDeveloperIds}::uuid[])
        else ${readable.organization}::boolean or team_id = any(${readable.teamIds}::uuid[])
      end
    )
    select v.id, v.rung, v.opened_at as "openedAt", v.is_shown as "isShown", s.kind, s.also_rungs::text[] as "alsoRungs", s.state,
      s.started_at as "startedAt", s.started_from as "startedFrom", s.started_to as "startedTo",
      s.closed_at as "closedAt", s.reopened, s.team_id as "teamId", t.name as team, s.developer_id as "developerId",
      s.client, s.model, s.language, s.mode, s.cause, s.causes, s.evidence, s.checks, s.changes, s.daily,
      s.recovered_after as "recoveredAfter", s.action, s.fallback_to as "fallbackTo", s.people,
      case when s.developer_id is not null or s.people_affected >= ${MIN_GROUP_SIZE} then s.people_affected end
        as "peopleAffected",
      s.explained, s.confidence, s.note, s.updated_at as "updatedAt", s.acknowledged_at as "acknowledgedAt",
      acknowledger.email as "acknowledgedByEmail", s.accepted_at as "acceptedAt", accepter.email as "acceptedByEmail"
    from visible v
    left join incident s on s.org_id = v.org_id and s.id = v.id and v.is_shown
    left join team t on t.id = s.team_id
    left join account acknowledger on acknowledger.id = s.acknowledged_by
    left join account accepter on accepter.id = s.accepted_by`
}

function toIncident({ isShown, ...row }: IncidentRow): VisibleIncident {
  if (isShown) return { disclosure: "shown", ...row }
  const { id, rung, openedAt } = row
  return { disclosure: "withheld", id, rung, openedAt }
}
