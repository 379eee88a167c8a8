import type { AppLoadContext } from "@remix-run/node"
import { asTenant } from "#server/db/tenant.ts"
import { getChanges, getReviewLimit, getUnjoinedShare } from "#server/outcomes/review-queries.ts"
import { getTaskFunnels } from "#server/outcomes/task-queries.ts"
import { getFreshness } from "#server/rungs/queries.ts"
import type { Viewer } from "#server/sign-in/sessions.ts"
import { getCoverage } from "#server/usage/queries.ts"
import { describeRange, readScope } from "../../lib/scope.server.ts"
import { describeOutcomes } from "./sentence.ts"
import { stagesOf, withShares } from "./shares.server.ts"

/** Everything the page on outcomes shows for the range and team that the URL names. */
export async function loadOutcomes(viewer: Viewer, search: URLSearchParams, context: AppLoadContext) {
  const now = context.now()
  return asTenant(context.db, viewer.orgId, async (tx) => {
    const { organization, readable, teams, team, range } = await readScope(tx, { viewer, search, now, isOwn: false })
    const { timeZone } = organization
    const teamId = team?.id ?? null
    const scope = { from: range.from, to: range.to, now, teamId, timeZone }
    const limit = await getReviewLimit(tx, teamId)
    const funnels = await getTaskFunnels(tx, scope)
    const changes = await getChanges(tx, { ...scope, limit })
    return {
      now,
      timeZone,
      minGroupSize: organization.minGroupSize,
      range,
      teams,
      teamId,
      teamName: team?.name ?? null,
      canReadOrganization: readable.organization,
      sentence: describeOutcomes(funnels, changes, teams, describeRange(range, timeZone)),
      limit,
      funnels: funnels.rungs.map((funnel) => ({ ...funnel, stages: stagesOf(funnel) })),
      previousFunnels: funnels.previous.map((funnel) => ({ ...funnel, stages: stagesOf(funnel) })),
      changes: changes.rungs.map(withShares),
      previousChanges: changes.previous.map(withShares),
      buckets: changes.buckets.map(withShares),
      byTeam: changes.teams.map(withShares),
      // Whose they are is not known, so they are no team's.
      unjoinedShare: teamId === null ? await getUnjoinedShare(tx, range) : null,
      coverage: await getCoverage(tx, scope),
      freshness: await getFreshness(tx, { ...scope, ownDeveloperIds: null }),
    }
  })
}

export type OutcomesData = Awaited<ReturnType<typeof loadOutcomes>>
/** The changes of one rung with their shares. */
export type ChangesData = OutcomesData["changes"][number]
export type FunnelData = OutcomesData["funnels"][number]
