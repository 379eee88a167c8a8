import { asTenant } from "#server/db/tenant.ts"
import { getFreshness } from "#server/rungs/queries.ts"
import type { Viewer } from "#server/sign-in/sessions.ts"
import { listBudgets } from "#server/spend/queries.ts"
import { mayDo } from "#server/team/roles.ts"
import { getChangeCosts } from "#server/usage/cost-queries.ts"
import { compareEasyWork } from "#server/usage/easy-work.ts"
import { getActivePeople, getCoverage, getSpend, listActiveDays, listWeekSeats } from "#server/usage/queries.ts"
import { getWork, type Work, type WorkFigures } from "#server/usage/work-queries.ts"
import { putBeside } from "../../lib/against.ts"
import { describeRange, readAgainst, readScope } from "../../lib/scope.server.ts"
import { questionOfWeeks, type WeeksAsked, type WeeksContext } from "../../lib/weeks-answer.server.ts"
import { describeUsage } from "./sentence.ts"

/** Before the last week of a range: four with it. */
const THREE_WEEKS_MS = 21 * 86_400_000

/** Everything the page on use and cost shows for the range and team that the URL names. */
export async function loadUsage(viewer: Viewer, search: URLSearchParams, context: WeeksContext) {
  const now = context.now()
  const seesSpend = mayDo(viewer.role, "budgets.read")
  const { organization, readable, teams, team, range, against, budgets } = await asTenant(
    context.db,
    viewer.orgId,
    async (tx) => {
      const found = await readScope(tx, { viewer, search, now, isOwn: false })
      const all = seesSpend ? await listBudgets(tx, { orgId: viewer.orgId, readable: found.readable, now }) : null
      return {
        ...found,
        against: readAgainst(search, found),
        budgets: all?.filter(({ scope: of }) => of !== "person") ?? null,
      }
    },
  )
  const { timeZone } = organization
  const teamId = team?.id ?? null
  const ask = (of: string | null) =>
    getUsageAnswer(context, { orgId: viewer.orgId, search, teamId: of, timeZone, seesSpend })
  const [{ weeks, costs, spend, ...more }, other] = await Promise.all([
    ask(teamId),
    against === null ? null : ask(against.teamId),
  ])
  return {
    now,
    timeZone,
    minGroupSize: organization.minGroupSize,
    range,
    teams,
    teamId,
    teamName: team?.name ?? null,
    canReadOrganization: readable.organization,
    sentence: describeUsage(weeks, describeRange(range, timeZone)),
    against,
    seesSpend,
    weeks,
    /** Of whom the page compares with; null without one. */
    otherWeeks: other?.weeks ?? null,
    costs: costs === null ? null : putBeside(costs, other?.costs),
    easyWork: costs?.models == null ? null : compareEasyWork(costs.models),
    ...more,
    spendByTeam: spend?.teams ?? null,
    models: spend?.models ?? null,
    budgets,
    organization: organization.name,
  }
}

/** What the page on use and cost asks of weeks, as it is kept. */
export function usageQuestion(of: WeeksAsked & { seesSpend: boolean }) {
  const { seesSpend, ...asked } = of
  const isOfAll = of.teamId === null
  const tellSpend = <T extends Work>(row: T): T => (seesSpend ? row : { ...row, spendState: "no_data", spend: null })
  const tellWork = ({ rungs, pieces }: WorkFigures): WorkFigures => ({
    rungs: rungs.map(tellSpend),
    pieces: pieces?.map(tellSpend) ?? null,
  })
  return questionOfWeeks({ ...asked, page: "usage", choices: { seesSpend } }, async (tx, scope) => ({
    weeks: await listWeekSeats(tx, scope),
    costs: seesSpend ? await getChangeCosts(tx, scope) : null,
    days: isOfAll ? await listActiveDays(tx, scope) : null,
    fourWeeks: await getActivePeople(tx, { ...scope, from: new Date(scope.to.getTime() - THREE_WEEKS_MS) }),
    work: tellWork(await getWork(tx, scope)),
    spend: isOfAll && seesSpend ? await getSpend(tx, scope) : null,
    coverage: await getCoverage(tx, scope),
    freshness: await getFreshness(tx, { ...scope, ownDeveloperIds: null }),
  }))
}

export function getUsageAnswer(
  context: Pick<WeeksContext, "answers" | "now">,
  of: Omit<Parameters<typeof usageQuestion>[0], "now">,
) {
  return context.answers.get(usageQuestion({ ...of, now: context.now() }))
}

export type UsageData = Awaited<ReturnType<typeof loadUsage>>
