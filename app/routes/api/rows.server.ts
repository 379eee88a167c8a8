import type { z } from "zod"
import type { Rung } from "#sdk/ladder.ts"
import { type answerSchema, type ResourceName, ROWS } from "#server/api/rows.ts"
import type { TenantTx } from "#server/db/tenant.ts"
import { listIncidents, type VisibleIncident } from "#server/detect/queries.ts"
import { getLatency, listModelLatency, listToolLatency } from "#server/latency/queries.ts"
import { getChanges, getReviewLimit } from "#server/outcomes/review-queries.ts"
import { getTaskFunnels } from "#server/outcomes/task-queries.ts"
import { getMoves } from "#server/rungs/move-queries.ts"
import { getFreshness, getLadder } from "#server/rungs/queries.ts"
import type { Readable } from "#server/team/readable-teams.ts"
import { getCoverage, getSpend, listWeekSeats } from "#server/usage/queries.ts"
import { listRungWork, listWork, type Work } from "#server/usage/work-queries.ts"
import { readScope } from "../../lib/scope.server.ts"

export type Answer = z.infer<ReturnType<typeof answerSchema>>

/** Past this many weeks a bucket is a week. */
const DAILY_UP_TO_WEEKS = 2
/** Incidents of one answer, read in such parts. */
const INCIDENTS_MAX = 5000
const INCIDENTS_AT_ONCE = 500

interface Scope {
  readonly from: Date
  readonly to: Date
  readonly now: Date
  readonly teamId: string | null
  readonly timeZone: string
  readonly bucket: "day" | "week"
  readonly rung: Rung | null
  readonly readable: Readable
}

/** What a resource says of the range, team and rung of the address, through the queries of the pages. */
export async function readRows(
  tx: TenantTx,
  args: { name: ResourceName; search: URLSearchParams; rung: Rung | null; now: Date },
): Promise<Answer | "no_such_team" | "no_such_range"> {
  const { name, search, rung, now } = args
  const found = await readScope(tx, { viewer: { role: "api" }, search, now, isOwn: false }).catch((error: unknown) => {
    if (isNotFound(error)) return null
    throw error
  })
  if (found === null) return "no_such_team"
  const { organization, readable, team, range } = found
  if (search.has("from") && range.preset !== null) return "no_such_range"
  const { from, to, weeks } = range
  const { timeZone } = organization
  const common = { from, to, now, teamId: team?.id ?? null, timeZone }
  const scope: Scope = { ...common, rung, readable, bucket: weeks > DAILY_UP_TO_WEEKS ? "week" : "day" }
  const read = await READERS[name](tx, scope)
  const all = read.map((row) => ROWS[name].parse(toPlain(row)))
  const rows = all.filter((row) => rung === null || ("rung" in row && row.rung === rung)).slice(0, INCIDENTS_MAX)
  const freshness = await getFreshness(tx, { ...common, ownDeveloperIds: null })
  return {
    range: { from: from.toISOString(), to: to.toISOString(), weeks, timeZone },
    team: team === null ? null : { id: team.id, name: team.name },
    basis: {
      peopleAtLeast: mostPeople(rows),
      events: freshness.signals,
      coverage: await getCoverage(tx, common),
      lastObservedAt: freshness.lastObservedAt?.toISOString() ?? null,
      lastReceivedAt: freshness.lastReceivedAt?.toISOString() ?? null,
      minGroupSize: organization.minGroupSize,
      withheldRows: rows.filter(isWithheld).length,
      isComplete: all.length <= INCIDENTS_MAX,
    },
    rows,
  }
}

type Reader = (tx: TenantTx, scope: Scope) => Promise<readonly object[]>

const as = (of: string, rows: readonly object[]) => rows.map((row) => ({ of, ...row }))

const READERS: Record<ResourceName, Reader> = {
  async ladder(tx, scope) {
    const ladder = await getLadder(tx, { ...scope, ownDeveloperIds: null })
    return [
      ...as("range", ladder.rungs),
      ...as("previous", ladder.previous),
      ...as("bucket", ladder.buckets),
      ...as("team", ladder.teams),
    ]
  },

  async moves(tx, scope) {
    const { classes, weeks } = await getMoves(tx, scope)
    return [...as("range", classes), ...as("week", weeks)]
  },

  async usage(tx, scope) {
    const rows = [
      ...as("week", await listWeekSeats(tx, scope)),
      ...as("rung", (await listRungWork(tx, scope)).map(toWorkRow)),
    ]
    // Teams are not cut by tool, mode, language and model as well.
    if (scope.teamId !== null) return rows
    const pieces = (await listWork(tx, scope)).map((piece) => ({
      ...toWorkRow(piece),
      of: piece.cut === "agent_tool" ? "tool" : piece.cut,
    }))
    return [...rows, ...pieces, ...as("model", (await getSpend(tx, scope)).models)]
  },

  async latency(tx, scope) {
    const latency = await getLatency(tx, scope)
    const { rung } = scope
    const rows = [
      ...as("range", latency.rungs),
      ...as("previous", latency.previous),
      ...as("bucket", latency.buckets),
      ...as("team", latency.teams),
    ]
    if (scope.teamId !== null || rung === null) return rows
    const splitsOf = (of: string, splits: readonly object[]) => splits.map((split) => ({ of, rung, ...split }))
    return [
      ...rows,
      ...splitsOf("tool", await listToolLatency(tx, { ...scope, rung })),
      ...splitsOf("model", await listModelLatency(tx, { ...scope, rung })),
    ]
  },

  async outcomes(tx, scope) {
    const funnels = await getTaskFunnels(tx, scope)
    const changes = await getChanges(tx, { ...scope, limit: await getReviewLimit(tx, scope.teamId) })
    return [
      ...as("tasks", funnels.rungs),
      ...as("tasks_previous", funnels.previous),
      ...as("changes", changes.rungs),
      ...as("changes_previous", changes.previous),
      ...as("changes_week", changes.buckets),
      ...as("changes_team", changes.teams),
    ]
  },

  async incidents(tx, scope) {
    const { readable, teamId, rung, from, to } = scope
    const rows: object[] = []
    let before: { openedAt: Date; id: string } | null = null
    for (;;) {
      const part: VisibleIncident[] = await listIncidents(tx, {
        // A key is nobody, and has no incidents of its own.
        viewer: { readable, ownDeveloperIds: [] },
        filter: { ...(teamId !== null && { teamId }), ...(rung !== null && { rung }) },
        before,
        limit: INCIDENTS_AT_ONCE,
      })
      const inRange = part.filter(({ openedAt }) => openedAt >= from && openedAt < to)
      rows.push(...inRange.map(toIncidentRow))
      const last = part.at(-1)
      if (last === undefined || last.openedAt < from || part.length < INCIDENTS_AT_ONCE) return rows
      if (rows.length > INCIDENTS_MAX) return rows
      before = last
    }
  },
}

function toWorkRow({ spend, ...row }: Work): object {
  const { tokens = null, usd = null, unpricedTokens = null } = spend ?? {}
  return { ...row, tokens, usd, unpricedTokens }
}

function toIncidentRow(incident: VisibleIncident): object {
  return incident.disclosure === "shown"
    ? { of: "incident", ...incident }
    : { of: "withheld", state: "withheld", ...incident }
}

/** Instants as text, as they are sent. */
function toPlain(row: object): object {
  return Object.fromEntries(
    Object.entries(row).map(([key, value]) => [key, value instanceof Date ? value.toISOString() : value]),
  )
}

/** Of the range and not of the one before. Nobody is 0; null is somebody of whom it may not be told. */
function mostPeople(rows: readonly { readonly of: string }[]): number | null {
  const current = rows.filter(({ of }) => !of.includes("previous"))
  const most = current
    .flatMap((row) => Object.entries(row))
    .reduce((max, [key, value]) => (PEOPLE.includes(key) && typeof value === "number" ? Math.max(max, value) : max), 0)
  return most === 0 && current.some(isWithheld) ? null : most
}

function isWithheld(row: object): boolean {
  return Object.values(row).includes("withheld")
}

const PEOPLE = ["people", "developers", "active"]

/** What `readScope` throws for a team that is none of the organization's. */
function isNotFound(error: unknown): boolean {
  if (typeof error !== "object" || error === null || !("init" in error)) return false
  const { init } = error
  return typeof init === "object" && init !== null && "status" in init && init.status === 404
}
