import { asTenant } from "#server/db/tenant.ts"
import { getLoops, type Loops } from "#server/outcomes/loop-queries.ts"
import { getChanges, getJoinShares, getReviewLimit, type ReviewLimit } from "#server/outcomes/review-queries.ts"
import { getTaskFunnels } from "#server/outcomes/task-queries.ts"
import { getFreshness } from "#server/rungs/queries.ts"
import type { Viewer } from "#server/sign-in/sessions.ts"
import { mayDo } from "#server/team/roles.ts"
import { getCoverage } from "#server/usage/queries.ts"
import { putBeside } from "../../lib/against.ts"
import { describeRange, readAgainst, readScope } from "../../lib/scope.server.ts"
import { questionOfWeeks, type WeeksAsked, type WeeksContext } from "../../lib/weeks-answer.server.ts"
import { describeOutcomes } from "./sentence.ts"
import { stagesOf, withLoopShare, withShares } from "./shares.server.ts"

/** Everything the page on outcomes shows for the range and team that the URL names. */
export async function loadOutcomes(viewer: Viewer, search: URLSearchParams, context: WeeksContext) {
  const now = context.now()
  const { organization, readable, teams, team, range, limit, against, otherLimit } = await asTenant(
    context.db,
    viewer.orgId,
    async (tx) => {
      const found = await readScope(tx, { viewer, search, now, isOwn: false })
      const compared = readAgainst(search, found)
      return {
        ...found,
        limit: await getReviewLimit(tx, found.team?.id ?? null),
        against: compared,
        otherLimit: compared === null ? null : await getReviewLimit(tx, compared.teamId),
      }
    },
  )
  const { timeZone } = organization
  const teamId = team?.id ?? null
  const asked = { orgId: viewer.orgId, search, timeZone }
  const [answer, other] = await Promise.all([
    getOutcomesAnswer(context, { ...asked, teamId, limit }),
    // By its own limit, as on its own page: by another it would tell more of the team than that page does.
    against === null || otherLimit === null
      ? null
      : getOutcomesAnswer(context, { ...asked, teamId: against.teamId, limit: otherLimit }),
  ])
  const { funnels, changes, loops, ...more } = answer
  const seesSpend = mayDo(viewer.role, "budgets.read")
  const tellLoops = (row: Loops) =>
    withLoopShare(seesSpend ? row : { ...row, burned: { ...row.burned, tokens: null, usd: null } })
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
    against,
    otherLimit,
    funnels: funnels.rungs.map((funnel) => ({ ...funnel, stages: stagesOf(funnel) })),
    previousFunnels: putBeside(funnels, other?.funnels).previous.map((funnel) => ({
      ...funnel,
      stages: stagesOf(funnel),
    })),
    changes: changes.rungs.map(withShares),
    previousChanges: putBeside(changes, other?.changes).previous.map(withShares),
    buckets: changes.buckets.map(withShares),
    byTeam: changes.teams.map(withShares),
    seesSpend,
    loops: loops.rungs.map(tellLoops),
    previousLoops: putBeside(loops, other?.loops).previous.map(tellLoops),
    ...more,
  }
}

/** What the page on outcomes asks of weeks, as it is kept. */
export function outcomesQuestion(of: WeeksAsked & { limit: ReviewLimit }) {
  const { limit, ...asked } = of
  return questionOfWeeks({ ...asked, page: "outcomes", choices: { limit } }, async (tx, scope) => ({
    funnels: await getTaskFunnels(tx, scope),
    changes: await getChanges(tx, { ...scope, limit }),
    loops: await getLoops(tx, scope),
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
