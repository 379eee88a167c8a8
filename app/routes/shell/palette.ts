import type { ClientLoaderFunctionArgs } from "@remix-run/react"
import { asTenant, type TenantTx } from "#server/db/tenant.ts"
import { CURRENT_STATES, listIncidents } from "#server/detect/queries.ts"
import { listTeams } from "#server/rungs/queries.ts"
import type { Viewer } from "#server/sign-in/sessions.ts"
import { getOrganization } from "#server/team/queries.ts"
import { findReadableTeams } from "#server/team/readable-teams.ts"
import { mayDo } from "#server/team/roles.ts"
import { listSavedViews } from "#server/view/queries.ts"
import { GLOSSARY } from "../../lib/glossary.ts"
import { guard } from "../../lib/guard.server.ts"
import { listPlaces } from "../../lib/pages.server.ts"
import { paths } from "../../lib/paths.ts"
import { describeIncident } from "../incidents/incident-words.ts"
import { findIncidentViewer, withLeading } from "../incidents/load.server.ts"
import type { PaletteEntry } from "./find-entries.ts"

/** Open incidents that are told, newest first. */
const INCIDENTS = 20

/** Where the viewer can go, in the order in which it is offered. */
export const loader = guard("signed_in", async ({ viewer, context }) => {
  const now = context.now()
  const { views, teams, incidents } = await asTenant(context.db, viewer.orgId, async (tx) => ({
    views: mayDo(viewer.role, "ladder.read") ? await listViews(tx, viewer) : [],
    teams: mayDo(viewer.role, "ladder.read") ? await listTeamPages(tx, viewer, now) : [],
    incidents: mayDo(viewer.role, "incidents.read") ? await listOpenIncidents(tx, viewer, now) : [],
  }))
  const entries: PaletteEntry[] = [
    ...listPlaces(viewer.role).map(({ name, path }) => ({ group: "Pages" as const, label: name, to: path })),
    ...views,
    ...incidents,
    ...teams,
    ...Object.entries(GLOSSARY).map(([term, { title }]) => ({
      group: "Glossary" as const,
      label: title,
      to: paths.glossary(term),
    })),
  ]
  return { entries, canSignOut: context.demoOrgId === null, mayShare: mayDo(viewer.role, "views.share") }
})

async function listViews(tx: TenantTx, viewer: Viewer): Promise<PaletteEntry[]> {
  const views = await listSavedViews(tx, viewer.accountId)
  return views.map(({ name, path, isOwn, byEmail }) => ({
    group: "Views" as const,
    label: isOwn ? name : `${name}, shared by ${byEmail}`,
    to: path,
  }))
}

async function listTeamPages(tx: TenantTx, viewer: Viewer, now: Date): Promise<PaletteEntry[]> {
  const readable = await findReadableTeams(tx, viewer, now)
  const teams = (await listTeams(tx)).filter((team) => readable.teamIds.includes(team.id))
  return teams.flatMap(({ id, name }) => {
    const search = `?team=${id}`
    return [
      { group: "Teams" as const, label: `${name}: ladder`, to: paths.ladder(search) },
      { group: "Teams" as const, label: `${name}: usage`, to: paths.usage(search) },
      { group: "Teams" as const, label: `${name}: latency`, to: paths.latency(search) },
      { group: "Teams" as const, label: `${name}: outcomes`, to: paths.outcomes(search) },
    ]
  })
}

async function listOpenIncidents(tx: TenantTx, viewer: Viewer, now: Date): Promise<PaletteEntry[]> {
  const { timeZone } = await getOrganization(tx)
  const found = await listIncidents(tx, {
    viewer: await findIncidentViewer(tx, viewer, now),
    filter: { states: CURRENT_STATES },
    before: null,
    limit: INCIDENTS,
  })
  return found.flatMap((incident) =>
    incident.disclosure === "withheld"
      ? []
      : [
          {
            group: "Open incidents" as const,
            label: describeIncident(withLeading(incident), { now, timeZone }),
            to: paths.incident(incident.id),
          },
        ],
  )
}

/** Null when the answer does not come, which is the palette's to tell: the page behind it stays. */
export async function clientLoader({ serverLoader }: ClientLoaderFunctionArgs) {
  try {
    return await serverLoader<typeof loader>()
  } catch (error) {
    // To sign in again.
    if (error instanceof Response) throw error
    return null
  }
}
