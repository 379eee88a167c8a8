import { type AppLoadContext, data } from "@remix-run/node"
import { RUNGS } from "#sdk/ladder.ts"
import { findIncidentAlert } from "#server/alert/queries.ts"
import { asTenant } from "#server/db/tenant.ts"
import type { TenantTx } from "#server/db/tenant.ts"
import { CAUSES, INCIDENT_KINDS } from "#server/detect/contract.ts"
import { COMMENT_LENGTH_MAX, NOTE_LENGTH_MAX } from "#server/detect/commands.ts"
import { causeOf, closingRatio, LEARNING_DAYS, PROPOSE_DAYS } from "#server/detect/leading.ts"
import {
  countDaysOfData,
  CURRENT_STATES,
  getIncident,
  type IncidentFilter,
  type IncidentViewer,
  listIncidents,
  listSimilarIncidents,
  type ShownIncident,
} from "#server/detect/queries.ts"
import { getTrackRecord } from "#server/detect/track-record.ts"
import { listTeams } from "#server/rungs/queries.ts"
import type { Viewer } from "#server/sign-in/sessions.ts"
import { listDevelopersOf } from "#server/team/identities.ts"
import { getOrganization, getToday } from "#server/team/queries.ts"
import { findReadableTeams } from "#server/team/readable-teams.ts"
import { mayDo } from "#server/team/roles.ts"
import { parseRange } from "../../lib/range.ts"
import { getLadderAnswer } from "../ladder/load.server.ts"
import { type Choice, STATE_CHOICES } from "./choices.ts"

const PAGE = 25
/** Past incidents that are told beside one. */
const SIMILAR = 5

/** As which an account looks at incidents. */
export async function findIncidentViewer(tx: TenantTx, viewer: Viewer, now: Date): Promise<IncidentViewer> {
  return {
    readable: await findReadableTeams(tx, viewer, now),
    ownDeveloperIds: await listDevelopersOf(tx, viewer.accountId),
  }
}

/** A page of the incidents that the address asks for. */
export async function loadIncidents(viewer: Viewer, search: URLSearchParams, context: AppLoadContext) {
  const { as, ...list } = await asTenant(context.db, viewer.orgId, (tx) => readList(tx, viewer, search, context.now()))
  return {
    ...list,
    watch: list.incidents.length === 0 ? await loadWatch(viewer, { as, timeZone: list.timeZone }, context) : null,
  }
}

async function readList(tx: TenantTx, viewer: Viewer, search: URLSearchParams, now: Date) {
  const { timeZone, minGroupSize } = await getOrganization(tx)
  const as = await findIncidentViewer(tx, viewer, now)
  const teams = (await listTeams(tx)).filter((team) => as.readable.teamIds.includes(team.id))
  const choice = parseChoice(search, teams)
  const before = parsePlace(search.get("before"))
  const found = await listIncidents(tx, { viewer: as, filter: toFilter(choice), before, limit: PAGE + 1 })
  const last = found.length > PAGE ? found[PAGE - 1] : undefined
  return {
    as,
    now,
    timeZone,
    minGroupSize,
    teams,
    choice,
    isNewest: before === null,
    next: last === undefined ? null : `${last.openedAt.toISOString()}_${last.id}`,
    incidents: found
      .slice(0, PAGE)
      .map((incident) => (incident.disclosure === "shown" ? withLeading(incident) : incident)),
    trackRecord: await getTrackRecord(tx, { viewer: as }),
  }
}

export type IncidentList = Awaited<ReturnType<typeof loadIncidents>>

/** One incident with all that is known of it; 404 when there is none that the viewer may know of. */
export async function loadIncident(tx: TenantTx, viewer: Viewer, id: string, now: Date) {
  const { timeZone, minGroupSize } = await getOrganization(tx)
  const as = await findIncidentViewer(tx, viewer, now)
  const found = await getIncident(tx, { viewer: as, id })
  if (found === undefined) throw data("No such incident", { status: 404 })
  const { incident, history } = found
  const common = { now, timeZone, minGroupSize }
  if (incident.disclosure === "withheld" || history === null) return { ...common, id, withheld: incident, shown: null }
  const teams = (await listTeams(tx)).filter((team) => as.readable.teamIds.includes(team.id))
  const shown = withLeading(incident)
  return {
    ...common,
    id,
    withheld: null,
    shown: {
      incident: shown,
      signals: shown.evidence.map((evidence) => ({ ...evidence, cause: causeOf(evidence.watched) })),
      history,
      teams,
      closing: shown.leadingSignal === null ? null : closingRatio(shown.leadingSignal),
      similar: (await listSimilarIncidents(tx, { viewer: as, id, limit: SIMILAR })).map(
        ({ incident: past, shared }) => ({
          past: withLeading(past),
          shared,
        }),
      ),
      canManage: mayManage(viewer, incident),
      alertId: mayDo(viewer.role, "alerts.read")
        ? await findIncidentAlert(tx, { incidentId: id, readable: as.readable })
        : null,
      ownLabel: history.labels.find(({ byEmail }) => byEmail === viewer.email) ?? null,
      commentLengthMax: COMMENT_LENGTH_MAX,
      noteLengthMax: NOTE_LENGTH_MAX,
      proposeDays: PROPOSE_DAYS,
      minGroupSize,
    },
  }
}

export type IncidentData = NonNullable<Awaited<ReturnType<typeof loadIncident>>["shown"]>

/** Their own, which nobody else sees, and those of others by role. */
export function mayManage(viewer: Viewer, incident: Pick<ShownIncident, "developerId">): boolean {
  return incident.developerId !== null || mayDo(viewer.role, "incidents.manage")
}

/** With the figures of the signal that it stands on, where they may be told. */
export function withLeading(incident: ShownIncident) {
  const leading = incident.evidence.find(({ watched }) => watched === incident.leading)
  return { ...incident, leadingSignal: incident.leading, leading: leading?.disclosure === "shown" ? leading : null }
}

/** In a file at most. */
const CSV_ROWS = 5000

/** The incidents that the address asks for, whatever the page. */
export async function loadIncidentRows(tx: TenantTx, viewer: Viewer, search: URLSearchParams, now: Date) {
  const { timeZone } = await getOrganization(tx)
  const as = await findIncidentViewer(tx, viewer, now)
  const teams = (await listTeams(tx)).filter((team) => as.readable.teamIds.includes(team.id))
  const filter = toFilter(parseChoice(search, teams))
  const found = await listIncidents(tx, { viewer: as, filter, before: null, limit: CSV_ROWS })
  return {
    timeZone,
    incidents: found.map((incident) => (incident.disclosure === "shown" ? withLeading(incident) : incident)),
  }
}

function parseChoice(search: URLSearchParams, teams: readonly { readonly id: string }[]): Choice {
  const oneOf = <Value extends string>(name: string, values: readonly Value[]) =>
    values.find((value) => value === search.get(name)) ?? null
  const team = search.get("team") === "" ? null : search.get("team")
  // Another organization's team, one that is not theirs to read and one that never was are answered alike.
  if (team !== null && !teams.some(({ id }) => id === team)) throw data("No such team", { status: 404 })
  const kind = oneOf("kind", INCIDENT_KINDS)
  return {
    // What is wrong with the data is told once and is never open.
    state: oneOf("state", STATE_CHOICES) ?? (kind === "data_quality" ? "any" : "current"),
    rung: oneOf("rung", RUNGS),
    cause: oneOf("cause", CAUSES),
    kind,
    team,
  }
}

function toFilter({ state, rung, cause, kind, team }: Choice): IncidentFilter {
  return {
    ...(state === "current" ? { states: CURRENT_STATES } : state === "any" ? {} : { states: [state] }),
    ...(rung !== null && { rung }),
    ...(cause !== null && { cause }),
    ...(kind !== null && { kind }),
    ...(team !== null && { teamId: team }),
  }
}

/** The last incident of the page before, as `next` names it. */
function parsePlace(text: string | null): { openedAt: Date; id: string } | null {
  const [, at = "", id = ""] = /^([^_]+)_([0-9a-f-]{36})$/.exec(text ?? "") ?? []
  const openedAt = new Date(at)
  return Number.isNaN(openedAt.getTime()) || !UUID.test(id) ? null : { openedAt, id }
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** What stands behind nothing having been found: how long, and how many people where that may be told. */
async function loadWatch(
  { orgId }: Viewer,
  { as: { readable, ownDeveloperIds }, timeZone }: { as: IncidentViewer; timeZone: string },
  context: AppLoadContext,
) {
  const now = context.now()
  const days = await asTenant(context.db, orgId, async (tx) => countDaysOfData(tx, await getToday(tx, now)))
  const [team] = readable.teamIds
  // The ladder's figures of several teams at once do not add up to people.
  const isOne = readable.organization || readable.teamIds.length === 1
  const search = new URLSearchParams()
  const { weeks } = parseRange(search, now, timeZone)
  const teamId = readable.organization ? null : (team ?? null)
  const ladder = isOne ? (await getLadderAnswer(context, { orgId, search, teamId, timeZone })).ladder : null
  const people = Math.max(0, ...(ladder?.rungs.map(({ developers }) => developers ?? 0) ?? []))
  return {
    days,
    learningDays: LEARNING_DAYS,
    weeks,
    /** At least so many; null when it may not be told. */
    people: people === 0 ? null : people,
    isOnlyOwn: !readable.organization && readable.teamIds.length === 0 && ownDeveloperIds.length > 0,
  }
}
