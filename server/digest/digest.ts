import type { TenantTx } from "../db/tenant.ts"
import { CURRENT_STATES, listIncidents } from "../detect/queries.ts"
import { getChanges, getReviewLimit } from "../outcomes/review-queries.ts"
import { getMoves } from "../rungs/move-queries.ts"
import { getLadder, listTeams } from "../rungs/queries.ts"
import { addDays, calendarOf } from "../spend/periods.ts"
import { getOrganization } from "../team/queries.ts"
import { findReadableTeams, type Reader } from "../team/readable-teams.ts"
import { getSpend } from "../usage/queries.ts"
import {
  type Digest,
  type DigestLine,
  tellChanges,
  tellIncidents,
  tellMoves,
  tellSpend,
  tellStanding,
  tellWithheld,
} from "./words.ts"

/** Teams of which the standing is told; the page has the rest. */
const TEAMS_TOLD = 12
const INCIDENTS_TOLD = 3

/** The Mondays between which the last whole week lies. */
export function lastWeekOf(now: Date, timeZone: string) {
  const calendar = calendarOf(timeZone)
  const to = calendar.periodAt("week", now).startsAt
  const from = calendar.periodAt("week", new Date(to.getTime() - 1)).startsAt
  const week = calendar.dayAt(from)
  return { from, to, week, until: addDays(week, 7) }
}

/**
 * What happened in the last whole week, as far as the reader may know it: through the queries of the pages, so that groups
 * of too few people are withheld here as there. Null when there is nothing to say.
 */
export async function readDigest(tx: TenantTx, args: { reader: Reader; now: Date }): Promise<Digest | null> {
  const { reader, now } = args
  const { name: organization, timeZone } = await getOrganization(tx)
  const { from, to, week, until } = lastWeekOf(now, timeZone)
  const readable = await findReadableTeams(tx, reader, now)
  const all = await listTeams(tx)
  const readableTeams = all.filter(({ id }) => readable.teamIds.includes(id))
  // A team speaks for its sub-teams, where both may be read.
  const teams = readableTeams.filter(({ parentId }) => parentId === null || !readable.teamIds.includes(parentId))
  if (!readable.organization && teams.length === 0) return null
  const search = `?from=${week}&to=${addDays(week, 6)}`
  const scope = { from, to, now, timeZone }
  const places = [
    ...(readable.organization ? [{ id: null, name: organization }] : []),
    ...teams.slice(0, TEAMS_TOLD).map(({ id, name }) => ({ id, name })),
  ]

  const standing: DigestLine[] = []
  const moved: DigestLine[] = []
  const held: DigestLine[] = []
  let withheld = 0
  for (const { id, name } of places) {
    const place = { name, search: id === null ? search : `${search}&team=${id}` }
    const ladder = await getLadder(tx, { ...scope, teamId: id, ownDeveloperIds: null, bucket: "week" })
    standing.push(...tellStanding(place, ladder))
    if (ladder.rungs.some(({ volumeState }) => volumeState === "withheld")) withheld++
    // What is told of the whole holds its teams' moves and changes.
    if (readable.organization && id !== null) continue
    const { classes } = await getMoves(tx, { ...scope, teamId: id })
    moved.push(...tellMoves(place, classes))
    const { rungs } = await getChanges(tx, { ...scope, teamId: id, limit: await getReviewLimit(tx, id) })
    held.push(...tellChanges(place, rungs))
  }
  const cost = readable.organization ? tellSpend((await getSpend(tx, scope)).models, search) : []
  const incidents = await listIncidents(tx, {
    // One person's are for their own page.
    viewer: { readable, ownDeveloperIds: [] },
    filter: { states: CURRENT_STATES },
    before: null,
    limit: INCIDENTS_TOLD + 1,
  })
  const next = tellIncidents(incidents.slice(0, INCIDENTS_TOLD), incidents.length > INCIDENTS_TOLD)
  if ([standing, moved, held, cost, next].every((lines) => lines.length === 0)) return null
  const sections = [
    { title: "Where teams stand", lines: [...standing, ...tellWithheld(withheld)] },
    { title: "What moved", lines: moved },
    { title: "What it cost", lines: cost },
    { title: "Whether the work held up", lines: held },
    { title: "Where to look next", lines: next },
  ]
  return { organization, week, until, sections: sections.filter(({ lines }) => lines.length > 0) }
}
