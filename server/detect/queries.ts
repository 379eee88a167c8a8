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
  IncidentEvent,
  IncidentKind,
  IncidentState,
  RankedCause,
  Watched,
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

/** How a signal stands, as far as enough people are behind it. */
export type ShownEvidence =
  | ({
      readonly disclosure: "shown"
      /** Null when the figures of too few people elsewhere could be reckoned from them. */
      readonly observed: number | null
      readonly expected: number | null
      readonly units: number | null
      /** Null when nobody is outside the place, and when they are too few. */
      readonly restRatio: number | null
      readonly isRestWithheld: boolean
    } & Pick<Evidence, "watched" | "ratio" | "low" | "high" | "logEvidence" | "since">)
  | { readonly disclosure: "withheld"; readonly watched: Watched }

/** What is withheld is null. */
export interface ShownDay {
  readonly day: string
  readonly observed: number | null
  readonly expected: number | null
  readonly units: number | null
  readonly restObserved: number | null
  readonly restExpected: number | null
  readonly isWithheld: boolean
  readonly isRestWithheld: boolean
}

export interface ShownCheck {
  readonly check: Check["check"]
  readonly result: Check["result"] | "withheld"
  readonly figure: number | null
}

export type ShownCause = Omit<RankedCause, "exposed">

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
  readonly causes: readonly ShownCause[]
  /** The signal that it stands on; null when nothing was measured. */
  readonly leading: Watched | null
  readonly evidence: readonly ShownEvidence[]
  readonly checks: readonly ShownCheck[]
  readonly changes: DetectedIncident["changes"]
  readonly daily: readonly ShownDay[]
  readonly recoveredAfter: Change | null
  readonly action: string | null
  readonly fallbackTo: Rung | null
  readonly people: number
  /** Null when they are too few to count. */
  readonly peopleAffected: number | null
  /** Null as well when too few are outside the place. */
  readonly explained: number | null
  readonly confidence: number
  readonly note: DetectedIncident["note"]
  /** Since when its level is proposed as the new normal. */
  readonly proposedAt: Date | null
  /** That level, as observed / expected; null when too few people are behind it. */
  readonly proposedRatio: number | null
  readonly declinedAt: Date | null
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
    readonly kind: IncidentEvent
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

/** What a past incident has in common with another one, besides rung and cause. */
export type Shared = "team" | "client" | "model" | "policy"

export interface SimilarIncident {
  readonly incident: ShownIncident
  readonly shared: readonly Shared[]
}

/**
 * Incidents of the same rung, kind and cause that began before this one and are over, those with the most in common first,
 * then the newest. Only what the viewer is shown, and nothing that somebody said was not real. `shared` leaves the version
 * of a client aside; a policy is shared when both came after a change of it.
 */
export async function listSimilarIncidents(
  tx: TenantTx,
  args: { viewer: IncidentViewer; id: string; limit: number },
): Promise<SimilarIncident[]> {
  const { viewer, id, limit } = args
  const hasPolicy = (changes: RawBuilder<unknown>) =>
    sql`jsonb_path_exists(${changes}, '$[*] ? (@.kind == "policy" && @.fits == true)')`
  const rows = await sql<IncidentRow & { shared: readonly Shared[] }>`
    with listed as (${selectFrom(viewer)} where v.is_shown),
    compared as (
      select past.*, array_remove(array[
        case when past."teamId" = this."teamId" then 'team' end,
        case when split_part(past.client, '@', 1) = split_part(this.client, '@', 1) then 'client' end,
        case when past.model = this.model then 'model' end,
        case when ${hasPolicy(sql`past.changes`)} and ${hasPolicy(sql`this.changes`)} then 'policy' end
      ], null) as shared
      from listed this
      join listed past on past.rung = this.rung and past.kind = this.kind and past.cause = this.cause
        and past."startedAt" < this."startedAt" and past."closedAt" is not null
      where this.id = ${id}::uuid and this.kind <> 'data_quality' and not exists (
        select from incident_label l where l.incident_id = past.id and not l.is_real
      )
    )
    select * from compared order by cardinality(shared) desc, "closedAt" desc, id limit ${limit}`.execute(tx)
  return rows.rows.flatMap(({ shared, ...row }) => {
    const incident = toIncident(row)
    return incident.disclosure === "shown" ? [{ incident, shared }] : []
  })
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

/** Whether a figure rests on somebody, but on too few; what was found before they were counted may. */
function isTooFew(people: RawBuilder<unknown>): RawBuilder<boolean> {
  return sql<boolean>`coalesce(${people}, 1) between 1 and ${MIN_GROUP_SIZE} - 1`
}

/** Each item of a list of the incident `s` in another form, in the same order. */
function eachOf(list: RawBuilder<unknown>, form: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`(select coalesce(jsonb_agg(${form} order by place), '[]')
    from jsonb_array_elements(${list}) with ordinality as each_of(item, place))`
}

/** That those who left went through more of it rests on those who left and on those who stayed. */
const CAUSES_SHOWN = eachOf(
  sql`s.causes`,
  sql`(item - 'exposed') || case when coalesce((item ->> 'exposed')::int, 0) >= ${MIN_GROUP_SIZE} then '{}'
    else jsonb_build_object('reasons', (item -> 'reasons') - 'exposed_left_more') end`,
)

/**
 * A person's own figures are theirs to see, others' when enough people are behind them. The whole organization's are known
 * from elsewhere: with the numbers of the place those of the rest would be too, so that few outside withhold these as well.
 */
const EVIDENCE_SHOWN = eachOf(
  sql`s.evidence`,
  sql`case
    when s.developer_id is null and coalesce((item ->> 'people')::int, 0) < ${MIN_GROUP_SIZE}
      then jsonb_build_object('disclosure', 'withheld', 'watched', item -> 'watched')
    when ${isTooFew(sql`(item ->> 'restPeople')::int`)}
      then (item - 'people' - 'restPeople') || '{"disclosure": "shown", "isRestWithheld": true, "restRatio": null}'
        || case when s.developer_id is null then '{"observed": null, "expected": null, "units": null}' else '{}'::jsonb end
    else (item - 'people' - 'restPeople') || '{"disclosure": "shown", "isRestWithheld": false}'
  end`,
)

const CHECKS_SHOWN = eachOf(
  sql`s.checks`,
  sql`(item - 'people') || case
    -- That nobody is new is told of nobody.
    when (item ->> 'people')::int < ${MIN_GROUP_SIZE} and item ->> 'result' <> 'not_checked'
        and not (item ->> 'check' = 'new_people' and (item ->> 'figure')::float8 = 0)
      then '{"result": "withheld", "figure": null}'::jsonb
    else '{}'
  end`,
)

/**
 * The days of the place and of the rest are shown together: a day on which either is of too few people is withheld, as
 * the other and the whole would tell it. With it, as the total since the start is shown too, so many of the smallest days
 * of the same time, before the start or after, that the withheld ones together are of enough people. A person's own days
 * are all shown to that person, those of the rest when they are of enough.
 */
const DAYS_SHOWN = sql`(
  select coalesce(jsonb_agg(
    jsonb_build_object('day', day, 'isWithheld', is_withheld, 'isRestWithheld', is_rest_withheld)
      || case when is_withheld then '{"observed": null, "expected": null, "units": null}'
        else jsonb_build_object('observed', item -> 'observed', 'expected', item -> 'expected', 'units', item -> 'units') end
      || case when is_rest_withheld then '{"restObserved": null, "restExpected": null}'
        else jsonb_build_object('restObserved', item -> 'restObserved', 'restExpected', item -> 'restExpected') end
    order by day), '[]')
  from (
    select item, day,
      s.developer_id is null and place <= withheld_days as is_withheld,
      case when s.developer_id is null then place <= withheld_days else is_rest_small end as is_rest_withheld
    from (
      select *, case
        when not bool_or(is_small) over of_time then 0
        -- Of nobody in the place the total tells nothing.
        when max(people_until) filter (where is_small) over of_time = 0 then max(place) filter (where is_small) over of_time
        else greatest(max(place) filter (where is_small) over of_time,
          coalesce(min(place) filter (where people_until >= ${MIN_GROUP_SIZE}) over of_time, max(place) over of_time))
        end as withheld_days
      from (
        select *, bit_count(bit_or(marks) over (partition by is_since order by place))::int as people_until
        from (
          select *, row_number() over (partition by is_since order by is_small desc, people = 0, people, day) as place
          from (
            select *, is_rest_small or ${isTooFew(sql`people`)} as is_small
            from (
              select item, item ->> 'day' as day, item -> 'isSince' as is_since,
                (item ->> 'marks')::bigint::bit(64) as marks,
                bit_count((item ->> 'marks')::bigint::bit(64))::int as people,
                ${isTooFew(sql`(item ->> 'restPeople')::int`)} as is_rest_small
              from jsonb_array_elements(s.daily) as each_of(item)
            ) counted
          ) sized
        ) placed
      ) seen
      window of_time as (partition by is_since)
    ) bounded
  ) decided
)`

/** As the database gives it: what is withheld is null. */
type IncidentRow = { readonly isShown: boolean } & Omit<ShownIncident, "disclosure">

/** `v` is what the viewer may know of, `s` the same as far as it is shown. */
/** Incidents `s` that the viewer may know of, as `v`; what is not shown has nothing of `s`. */
export function selectFrom({ readable, ownDeveloperIds }: IncidentViewer): RawBuilder<unknown> {
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
      s.client, s.model, s.language, s.mode, s.cause, ${CAUSES_SHOWN} as causes, s.leading_signal as leading,
      ${EVIDENCE_SHOWN} as evidence, ${CHECKS_SHOWN} as checks, s.changes, ${DAYS_SHOWN} as daily,
      s.recovered_after as "recoveredAfter", s.action, s.fallback_to as "fallbackTo", s.people,
      case when s.developer_id is not null or s.people_affected >= ${MIN_GROUP_SIZE} then s.people_affected end
        as "peopleAffected",
      case when not exists (
        select from jsonb_array_elements(s.evidence) signal(item)
        where item ->> 'watched' = s.leading_signal and ${isTooFew(sql`(item ->> 'restPeople')::int`)}
      ) then s.explained end as explained,
      s.confidence, s.note, s.proposed_at as "proposedAt",
      case when s.developer_id is not null or s.proposed_people >= ${MIN_GROUP_SIZE} then s.proposed_ratio end
        as "proposedRatio",
      s.declined_at as "declinedAt", s.updated_at as "updatedAt", s.acknowledged_at as "acknowledgedAt",
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
