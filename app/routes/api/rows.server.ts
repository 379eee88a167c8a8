import type { z } from "zod"
import type { Rung } from "#sdk/ladder.ts"
import { type answerSchema, type ResourceName, ROWS } from "#server/api/rows.ts"
import { asTenant, type TenantTx } from "#server/db/tenant.ts"
import { listIncidents, type VisibleIncident } from "#server/detect/queries.ts"
import { getReviewLimit } from "#server/outcomes/review-queries.ts"
import { getFreshness, type LadderFreshness } from "#server/rungs/queries.ts"
import type { Readable } from "#server/team/readable-teams.ts"
import { type Coverage, getCoverage } from "#server/usage/queries.ts"
import type { Work } from "#server/usage/work-queries.ts"
import { readScope } from "../../lib/scope.server.ts"
import { questionOfWeeks, type WeeksAsked, type WeeksContext } from "../../lib/weeks-answer.server.ts"
import { getLadderAnswer } from "../ladder/load.server.ts"
import { getLatencyAnswer } from "../latency/load.server.ts"
import { getOutcomesAnswer } from "../outcomes/load.server.ts"
import { getUsageAnswer } from "../usage/load.server.ts"

export type Answer = z.infer<ReturnType<typeof answerSchema>>

/** Incidents of one answer, read in such parts. */
const INCIDENTS_MAX = 5000
const INCIDENTS_AT_ONCE = 500

interface Scope extends WeeksAsked {
  readonly from: Date
  readonly to: Date
  readonly rung: Rung | null
  readonly readable: Readable
}

/** Rows, and what stands behind them as of the same time. */
interface Read {
  readonly rows: readonly object[]
  readonly coverage: Coverage
  readonly freshness: LadderFreshness
}

/** What a resource says of the range, team and rung of the address: what the pages on it say, as it is kept for them. */
export async function readRows(
  context: WeeksContext,
  args: { orgId: string; name: ResourceName; search: URLSearchParams; rung: Rung | null; now: Date },
): Promise<Answer | "no_such_team" | "no_such_range"> {
  const { orgId, name, search, rung, now } = args
  const found = await asTenant(context.db, orgId, (tx) =>
    readScope(tx, { viewer: { role: "api" }, search, now, isOwn: false }),
  ).catch((error: unknown) => {
    if (isNotFound(error)) return null
    throw error
  })
  if (found === null) return "no_such_team"
  const { organization, readable, team, range } = found
  if (search.has("from") && range.preset !== null) return "no_such_range"
  const { from, to, weeks } = range
  const { timeZone } = organization
  const scope = { orgId, search, teamId: team?.id ?? null, timeZone, now, from, to, rung, readable }
  const { coverage, freshness, ...read } = await READERS[name](context, scope)
  const all = read.rows.map((row) => ROWS[name].parse(toPlain(row)))
  const rows = all.filter((row) => rung === null || ("rung" in row && row.rung === rung)).slice(0, INCIDENTS_MAX)
  return {
    range: { from: from.toISOString(), to: to.toISOString(), weeks, timeZone },
    team: team === null ? null : { id: team.id, name: team.name },
    basis: {
      peopleAtLeast: mostPeople(rows),
      events: freshness.signals,
      coverage,
      lastObservedAt: freshness.lastObservedAt?.toISOString() ?? null,
      lastReceivedAt: freshness.lastReceivedAt?.toISOString() ?? null,
      minGroupSize: organization.minGroupSize,
      withheldRows: rows.filter(isWithheld).length,
      isComplete: all.length <= INCIDENTS_MAX,
    },
    rows,
  }
}

type Reader = (context: WeeksContext, scope: Scope) => Promise<Read>

const as = (of: string, rows: readonly object[]) => rows.map((row) => ({ of, ...row }))

/** Of the resources whose page does not say how much was seen. */
function getBasis({ answers }: WeeksContext, of: Scope): Promise<Omit<Read, "rows">> {
  return answers.get(
    questionOfWeeks({ ...of, page: "basis" }, async (tx, scope) => ({
      coverage: await getCoverage(tx, scope),
      freshness: await getFreshness(tx, { ...scope, ownDeveloperIds: null }),
    })),
  )
}

const READERS: Record<ResourceName, Reader> = {
  async ladder(context, scope) {
    const { ladder } = await getLadderAnswer(context, scope)
    const rows = [
      ...as("range", ladder.rungs),
      ...as("previous", ladder.previous),
      ...as("bucket", ladder.buckets),
      ...as("team", ladder.teams),
    ]
    return { rows, coverage: (await getBasis(context, scope)).coverage, freshness: ladder.freshness }
  },

  async moves(context, scope) {
    const { ladder, moves } = await getLadderAnswer(context, scope)
    const rows = [...as("range", moves.classes), ...as("week", moves.weeks)]
    return { rows, coverage: (await getBasis(context, scope)).coverage, freshness: ladder.freshness }
  },

  async usage(context, scope) {
    const { weeks, work, spend, coverage, freshness } = await getUsageAnswer(context, { ...scope, seesSpend: true })
    const rows = [
      ...as("week", weeks),
      ...as("rung", work.rungs.map(toWorkRow)),
      // Teams are not cut by tool, mode, language and model as well.
      ...(work.pieces ?? []).map((piece) => ({
        ...toWorkRow(piece),
        of: piece.cut === "agent_tool" ? "tool" : piece.cut,
      })),
      ...as("model", spend?.models ?? []),
    ]
    return { rows, coverage, freshness }
  },

  async latency(context, scope) {
    const { latency, tools, models, coverage, freshness } = await getLatencyAnswer(context, scope)
    const { rung } = scope
    const splitsOf = (of: string, splits: readonly object[] | null) =>
      // Of all rungs together nobody asked for one.
      rung === null ? [] : (splits ?? []).map((split) => ({ of, rung, ...split }))
    const rows = [
      ...as("range", latency.rungs),
      ...as("previous", latency.previous),
      ...as("bucket", latency.buckets),
      ...as("team", latency.teams),
      ...splitsOf("tool", tools),
      ...splitsOf("model", models),
    ]
    return { rows, coverage, freshness }
  },

  async outcomes(context, scope) {
    const limit = await asTenant(context.db, scope.orgId, (tx) => getReviewLimit(tx, scope.teamId))
    const { funnels, changes, coverage, freshness } = await getOutcomesAnswer(context, { ...scope, limit })
    const rows = [
      ...as("tasks", funnels.rungs),
      ...as("tasks_previous", funnels.previous),
      ...as("changes", changes.rungs),
      ...as("changes_previous", changes.previous),
      ...as("changes_week", changes.buckets),
      ...as("changes_team", changes.teams),
    ]
    return { rows, coverage, freshness }
  },

  // Of the moment: what is kept would hide what has just been found.
  async incidents(context, scope) {
    const rows = await asTenant(context.db, scope.orgId, (tx) => readIncidents(tx, scope))
    return { rows, ...(await getBasis(context, scope)) }
  },
}

async function readIncidents(tx: TenantTx, { readable, teamId, rung, from, to }: Scope): Promise<readonly object[]> {
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
