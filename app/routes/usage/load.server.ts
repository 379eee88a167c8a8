import type { AppLoadContext } from "@remix-run/node"
import { asTenant } from "#server/db/tenant.ts"
import { getFreshness } from "#server/rungs/queries.ts"
import type { Viewer } from "#server/sign-in/sessions.ts"
import { listBudgets } from "#server/spend/queries.ts"
import { mayDo } from "#server/team/roles.ts"
import { getCoverage, listModelSpend, listToolUse, listWeekSeats } from "#server/usage/queries.ts"
import { describeRange, readScope } from "../../lib/scope.server.ts"
import { describeUsage } from "./sentence.ts"

/** Everything the page on use and cost shows for the range and team that the URL names. */
export async function loadUsage(viewer: Viewer, search: URLSearchParams, context: AppLoadContext) {
  const now = context.now()
  return asTenant(context.db, viewer.orgId, async (tx) => {
    const { organization, readable, teams, team, range } = await readScope(tx, { viewer, search, now, isOwn: false })
    const { timeZone } = organization
    const teamId = team?.id ?? null
    const scope = { from: range.from, to: range.to, now, teamId, timeZone }
    const seesSpend = mayDo(viewer.role, "budgets.read")
    const weeks = await listWeekSeats(tx, scope)
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
      weeks,
      // Teams are not cut by tool and model as well.
      tools: teamId === null ? await listToolUse(tx, scope) : null,
      models: teamId === null && seesSpend ? await listModelSpend(tx, scope) : null,
      budgets: seesSpend
        ? (await listBudgets(tx, { orgId: viewer.orgId, readable, now })).filter(({ scope: of }) => of !== "person")
        : null,
      organization: organization.name,
      coverage: await getCoverage(tx, scope),
      freshness: await getFreshness(tx, { ...scope, ownDeveloperIds: null }),
    }
  })
}

export type UsageData = Awaited<ReturnType<typeof loadUsage>>
