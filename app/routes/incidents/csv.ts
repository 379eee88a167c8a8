import { asTenant } from "#server/db/tenant.ts"
import { toCsv } from "../../lib/csv.ts"
import { guard } from "../../lib/guard.server.ts"
import { isoDay } from "../../lib/range.ts"
import { describeIncident } from "./incident-words.ts"
import { loadIncidentRows } from "./load.server.ts"

const COLUMNS = [
  "id",
  "state",
  "kind",
  "rungs",
  "team",
  "only_you",
  "client",
  "model",
  "language",
  "mode",
  "opened_at",
  "started_at",
  "closed_at",
  "cause",
  "confidence",
  "signal",
  "observed_over_expected",
  "low_80",
  "high_80",
  "people",
  "people_affected",
  "proposed_as_normal",
  "summary",
] as const

type Row = Awaited<ReturnType<typeof loadIncidentRows>>["incidents"][number]

/** The incidents of the list as it is filtered, all pages of it. An empty field is nothing, `withheld` is withheld. */
export const loader = guard("incidents.read", async ({ viewer, request, context }) => {
  const now = context.now()
  const { incidents, timeZone } = await asTenant(context.db, viewer.orgId, (tx) =>
    loadIncidentRows(tx, viewer, new URL(request.url).searchParams, now),
  )
  return new Response(
    toCsv(
      COLUMNS,
      incidents.map((incident) => toFields(incident, { now, timeZone })),
    ),
    {
      headers: {
        "content-type": "text/csv; charset=utf-8",
        "content-disposition": `attachment; filename="belay-incidents-${isoDay(now, timeZone)}.csv"`,
      },
    },
  )
})

function toFields(incident: Row, when: { now: Date; timeZone: string }): (string | number | null)[] {
  const opened = incident.openedAt.toISOString()
  const fields: Partial<Record<(typeof COLUMNS)[number], string | number | null>> =
    incident.disclosure === "withheld"
      ? { id: incident.id, state: "withheld", rungs: incident.rung, opened_at: opened }
      : {
          id: incident.id,
          state: incident.state,
          kind: incident.kind,
          rungs: [incident.rung, ...incident.alsoRungs].join(" "),
          team: incident.team,
          only_you: incident.developerId === null ? null : "yes",
          client: incident.client,
          model: incident.model,
          language: incident.language,
          mode: incident.mode,
          opened_at: opened,
          started_at: incident.startedAt.toISOString(),
          closed_at: incident.closedAt?.toISOString() ?? null,
          cause: incident.cause,
          confidence: incident.confidence,
          signal: incident.leadingSignal,
          ...figuresOf(incident),
          people: incident.kind === "data_quality" ? null : incident.people,
          people_affected: incident.kind === "data_quality" ? null : (incident.peopleAffected ?? "withheld"),
          proposed_as_normal: incident.proposedAt === null ? null : (incident.proposedRatio ?? "withheld"),
          summary: describeIncident(incident, when),
        }
  return COLUMNS.map((column) => fields[column] ?? null)
}

function figuresOf({ leading, leadingSignal }: Extract<Row, { disclosure: "shown" }>) {
  if (leading !== null) return { observed_over_expected: leading.ratio, low_80: leading.low, high_80: leading.high }
  const none = leadingSignal === null ? null : "withheld"
  return { observed_over_expected: none, low_80: none, high_80: none }
}
