import { asTenant } from "#server/db/tenant.ts"
import { getChanges, getJoinShares, getReviewLimit, type ReviewLimit } from "#server/outcomes/review-queries.ts"
import { getTaskFunnels } from "#server/outcomes/task-queries.ts"
import { getFreshness } from "#server/rungs/queries.ts"
import type { Viewer } from "#server/sign-in/sessions.ts"
import { getCoverage } from "#server/usage/queries.ts"
import { describeRange, readScope } from "../../lib/scope.server.ts"
import { questionOfWeeks, type WeeksAsked, type WeeksContext } from "../../lib/weeks-answer.server.ts"
import { describeOutcomes } from "./sentence.ts"
import { stagesOf, withShares } from "./shares.server.ts"

/** Everything the page on outcomes shows for the range and team that the URL names. */
export async function loadOutcomes(viewer: Viewer, search: URLSearchParams, context: WeeksContext) {
  const now = context.now()
  const { organization, readable, teams, team, range, limit } = await asTenant(context.db, viewer.orgId, async (tx) => {
    const found = await readScope(tx, { viewer, search, now, isOwn: false })
    return { ...found, limit: await getReviewLimit(tx, found.team?.id ?? null) }
  })
  const { timeZone } = organization
  const teamId = team?.id ?? null
  const { funnels, changes, ...more } = await getOutcomesAnswer(context, {
    orgId: viewer.orgId,
    search,
    teamId,
    timeZone,
    limit,
  })
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
    ...more,
  }
}

/** What the page on outcomes asks of weeks, as it is kept. */
export function outcomesQuestion(of: WeeksAsked & { limit: ReviewLimit }) {
  const { limit, ...asked } = of
  return questionOfWeeks({ ...asked, page: "outcomes", choices: { limit } }, async (tx, scope) => ({
    funnels: await getTaskFunnels(tx, scope),
    changes: await getChanges(tx, { ...scope, limit }),
    // Whose they are is not known, so they are no team's.
    joins: of.teamId === null ? await getJoinShares(tx, scope) : null,
    coverage: await getCoverage(tx, scope),
    freshness: await getFreshness(tx, { ...scope, ownDeveloperIds: null }),
  }))
}

export function getOutcomesAnswer(
  context: Pick<WeeksContext, "answers" | "now">,
  of: Omit<Parameters<typeof outcomesQuestion>[0], "now">,
) {
  return context.answers.get(outcomesQuestion({ ...of, now: context.now() }))
}

export type OutcomesData = Awaited<ReturnType<typeof loadOutcomes>>
/** The changes of one rung with their shares. */
export type ChangesData = OutcomesData["changes"][number]
export type FunnelData = OutcomesData["funnels"][number]
