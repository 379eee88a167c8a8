import { sql, type Transaction } from "kysely"
import type { DB, Incident } from "../db/types.ts"
import type { Cause, DetectedIncident, IncidentDay, IncidentEvent, IncidentScope, IncidentState } from "./contract.ts"
import { isWeekend } from "./reference.ts"
import { SETTINGS } from "./settings.ts"

/** What the detector said of an incident, and after which hour. */
export interface Finding {
  readonly incident: DetectedIncident
  readonly at: number
}

/** What is known of an incident before the detector says more. */
interface Known {
  readonly state: IncidentState
  readonly scope: IncidentScope
  readonly cause: Cause
  readonly reopened: number
  readonly people: number
  /** Whether somebody said that it is the new normal: then the detector changes its state no more. */
  readonly isAccepted: boolean
  readonly proposedAt: number | null
  /** When somebody last said that it is not the new normal. */
  readonly declinedAt: number | null
}

interface Event {
  readonly kind: IncidentEvent
  readonly details: object
  /** How many the incident was about, before or after, whichever were fewer. */
  readonly people: number
}

/** Keeps incidents as they stand after the last of these findings, and as events what became of them on the way. */
export async function recordFindings(tx: Transaction<DB>, orgId: string, findings: readonly Finding[]): Promise<void> {
  if (findings.length === 0) return
  const known = await readKnown(tx, orgId, [...new Set(findings.map(({ incident }) => incident.id))])
  const latest = new Map<string, Finding>()
  const events: {
    incident_id: string
    kind: IncidentEvent
    details: object
    people: number
    at: string
    place: number
  }[] = []
  for (const finding of findings) {
    const { incident, at } = finding
    const before = known.get(incident.id) ?? null
    const proposedAt = whenProposed(before, finding)
    for (const event of eventsOf(before, { incident, proposedAt })) {
      events.push({ incident_id: incident.id, ...event, at: toIso(at), place: events.length })
    }
    const { isAccepted = false, declinedAt = null } = before ?? {}
    known.set(incident.id, { ...incident, isAccepted, declinedAt, proposedAt })
    latest.set(incident.id, finding)
  }
  const rows = [...latest.values()].map((finding) =>
    toRow(orgId, finding, known.get(finding.incident.id)?.proposedAt ?? null),
  )
  const assignments = sql.join(CHANGING.map((column) => sql`${sql.ref(column)} = excluded.${sql.ref(column)}`))
  // As one text, since the driver takes a JSON array for an array of the database's.
  await sql`
    insert into incident as i select * from jsonb_populate_recordset(null::incident, ${JSON.stringify(rows)}::text::jsonb)
    on conflict (org_id, id) do update set ${assignments},
      state = case when i.accepted_at is null then excluded.state else i.state end,
      closed_at = case when i.accepted_at is null then excluded.closed_at else i.closed_at end`.execute(tx)
  await sql`
    insert into incident_event (org_id, incident_id, kind, at, is_by_detector, details, people)
    select ${orgId}::uuid, incident_id, kind, at, true, details, people
    from jsonb_to_recordset(${JSON.stringify(events)}::text::jsonb)
      as event(incident_id uuid, kind text, at timestamptz, details jsonb, people integer, place integer)
    order by place`.execute(tx)
}

const SCOPE = ["team", "developer", "client", "model", "language", "mode"] as const

async function readKnown(tx: Transaction<DB>, orgId: string, ids: readonly string[]): Promise<Map<string, Known>> {
  // Whoever accepts or declines meanwhile waits, so that it is not overwritten.
  const rows = await sql<Omit<Known, "scope"> & { id: string } & Record<(typeof SCOPE)[number], string | null>>`
    select id, state, cause, reopened, people, accepted_at is not null as "isAccepted",
      (extract(epoch from proposed_at) * 1000)::float8 as "proposedAt",
      (extract(epoch from declined_at) * 1000)::float8 as "declinedAt",
      team_id as team, developer_id as developer, client, model, language, mode
    from incident where org_id = ${orgId}::uuid and id = any(${ids}::uuid[]) for update`.execute(tx)
  return new Map(
    rows.rows.map((row) => [
      row.id,
      {
        state: row.state,
        cause: row.cause,
        reopened: row.reopened,
        people: row.people,
        isAccepted: row.isAccepted,
        proposedAt: row.proposedAt,
        declinedAt: row.declinedAt,
        scope: Object.fromEntries(SCOPE.flatMap((name) => (row[name] === null ? [] : [[name, row[name]]]))),
      },
    ]),
  )
}

/** Since when its level is proposed as the new normal; null when it is not, or was declined a short time ago. Pure. */
function whenProposed(before: Known | null, { incident, at }: Finding): number | null {
  if (incident.settled === null || incident.state !== "open" || before?.isAccepted === true) return null
  const { proposedAt = null, declinedAt = null } = before ?? {}
  if (proposedAt !== null) return proposedAt
  return declinedAt !== null && countWorkingDays(incident.daily, declinedAt) < SETTINGS.proposeDays ? null : at
}

const DAY_MS = 86_400_000

/** Days with work in the place after the one of an instant, weekends and the last one, which is not over, aside. */
function countWorkingDays(daily: readonly IncidentDay[], since: number): number {
  const isWorked = ({ day, units }: IncidentDay) => units > 0 && !isWeekend(Date.parse(day) / DAY_MS)
  const last = daily.at(-1)?.day
  return daily.filter((of) => of.day > toIso(since).slice(0, 10) && of.day !== last && isWorked(of)).length
}

/** What happened between two looks at an incident, in order. Pure. */
function eventsOf(
  before: Known | null,
  { incident: after, proposedAt }: { readonly incident: DetectedIncident; readonly proposedAt: number | null },
): readonly Event[] {
  const { scope, cause, state, confidence, settled } = after
  const people = Math.min(before?.people ?? after.people, after.people)
  const events: Event[] = []
  const add = (kind: IncidentEvent, details: object) => events.push({ kind, details, people })
  if (before === null) add("opened", { scope, cause, confidence })
  else {
    const move = moveOf(before.scope, scope)
    if (move !== null) add(move, { from: before.scope, to: scope })
    if (before.cause !== cause) add("cause_changed", { from: before.cause, to: cause })
  }
  const was = before?.state ?? "open"
  const isOpenedAgain = after.reopened > (before?.reopened ?? 0)
  if (before?.isAccepted === true) return events
  if (isOpenedAgain || (state !== was && state === "open")) add("reopened", { from: was })
  if (state !== was && (state === "recovering" || state === "recovered")) add(state, {})
  if (settled !== null && proposedAt !== null && (before?.proposedAt ?? null) === null) {
    const { ratio } = settled
    events.push({ kind: "new_normal_proposed", details: { ratio }, people: Math.min(people, settled.people) })
  }
  return events
}

/** A scope is wider than another when it is what is left of that with conditions taken away. */
function moveOf(before: IncidentScope, after: IncidentScope): "widened" | "narrowed" | "moved" | null {
  const isPart = (of: IncidentScope, whole: IncidentScope) =>
    SCOPE.every((name) => of[name] === undefined || of[name] === whole[name])
  const [isWider, isNarrower] = [isPart(after, before), isPart(before, after)]
  if (isWider && isNarrower) return null
  return isWider ? "widened" : isNarrower ? "narrowed" : "moved"
}

/** Columns that the detector sets anew each time. */
const CHANGING = [
  "kind",
  "also_rungs",
  "started_at",
  "started_from",
  "started_to",
  "reopened",
  "team_id",
  "developer_id",
  "client",
  "model",
  "language",
  "mode",
  "cause",
  "causes",
  "leading_signal",
  "evidence",
  "checks",
  "changes",
  "daily",
  "recovered_after",
  "action",
  "fallback_to",
  "people",
  "people_affected",
  "explained",
  "confidence",
  "note",
  "proposed_at",
  "proposed_ratio",
  "proposed_people",
  "updated_at",
] as const satisfies readonly (keyof Incident)[]

type IncidentRow = { [Column in Exclude<keyof Incident, HumanColumn>]: unknown }
type HumanColumn = "acknowledged_at" | "acknowledged_by" | "accepted_at" | "accepted_by" | "declined_at" | "declined_by"

function toRow(orgId: string, { incident, at }: Finding, proposedAt: number | null): IncidentRow {
  const { scope } = incident
  const proposed = proposedAt === null ? null : incident.settled
  return {
    org_id: orgId,
    id: incident.id,
    kind: incident.kind,
    rung: incident.rung,
    also_rungs: incident.alsoRungs,
    state: incident.state,
    opened_at: toIso(incident.openedAt),
    started_at: toIso(incident.startedAt),
    started_from: toIso(incident.startedFrom),
    started_to: toIso(incident.startedTo),
    closed_at: incident.closedAt === null ? null : toIso(incident.closedAt),
    reopened: incident.reopened,
    team_id: scope.team,
    developer_id: scope.developer,
    client: scope.client,
    model: scope.model,
    language: scope.language,
    mode: scope.mode,
    cause: incident.cause,
    causes: incident.causes,
    leading_signal: incident.leading,
    evidence: incident.evidence,
    checks: incident.checks,
    changes: incident.changes,
    daily: incident.daily,
    recovered_after: incident.recoveredAfter,
    action: incident.action,
    fallback_to: incident.fallbackTo,
    people: incident.people,
    people_affected: incident.peopleAffected,
    explained: incident.explained,
    confidence: incident.confidence,
    note: incident.note,
    proposed_at: proposedAt === null ? null : toIso(proposedAt),
    proposed_ratio: proposed?.ratio ?? null,
    proposed_people: proposed?.people ?? null,
    updated_at: toIso(at),
  }
}

function toIso(at: number): string {
  return new Date(at).toISOString()
}
