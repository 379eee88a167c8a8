import type { TenantTx } from "#server/db/tenant.ts"
import { LATENCY_OBJECTIVES } from "#server/rungs/objectives.ts"
import { getOwnRung } from "#server/rungs/move-queries.ts"
import { getLadder } from "#server/rungs/queries.ts"
import { listOwnBudgets } from "#server/spend/queries.ts"
import { listBreakGlass } from "#server/team/break-glass.ts"
import { listDevelopersOf, listMergedIdentities } from "#server/team/identities.ts"
import { getReportedPolicy, listAccesses, listOwnSignals } from "#server/team/own-data.ts"
import { getPerson } from "#server/team/people.ts"
import { getOrganization, getToday } from "#server/team/queries.ts"
import { parseRange } from "../../lib/range.ts"

const SIGNALS = 25
const ACCESSES = 20
const MOVES = 5
/** An agent that has not said in a week which policy it runs is not counted on to run it. */
const POLICY_MS = 7 * 86_400_000

/** Everything that a person sees of themselves, and nobody else does. `search` may page back in their signals. */
export async function loadOwnData(
  tx: TenantTx,
  args: { orgId: string; accountId: string; search: URLSearchParams; now: Date },
) {
  const { accountId, search, now } = args
  const { timeZone } = await getOrganization(tx)
  const person = await getPerson(tx, accountId, await getToday(tx, now), now)
  const developerIds = await listDevelopersOf(tx, accountId)
  const range = parseRange(search, now, timeZone)
  const ladder = await getLadder(tx, {
    from: range.from,
    to: range.to,
    now,
    teamId: null,
    ownDeveloperIds: developerIds,
    bucket: "week",
    timeZone,
  })
  const before = new Date(search.get("before") ?? NaN)
  const isNewest = Number.isNaN(before.getTime())
  const signals = await listOwnSignals(tx, { developerIds, before: isNewest ? now : before, limit: SIGNALS + 1 })
  return {
    now,
    timeZone,
    person,
    rungs: ladder.rungs.toReversed(),
    freshness: ladder.freshness,
    rung: await getOwnRung(tx, { developerIds, now, timeZone, limit: MOVES }),
    objectives: LATENCY_OBJECTIVES,
    signals: signals.slice(0, SIGNALS),
    isNewest,
    hasOlder: signals.length > SIGNALS,
    budgets:
      person?.developerId == null
        ? []
        : await listOwnBudgets(tx, { orgId: args.orgId, developerId: person.developerId, now }),
    policy: await getReportedPolicy(tx, developerIds, new Date(now.getTime() - POLICY_MS)),
    identities: await listMergedIdentities(tx, accountId),
    breakGlass: await listBreakGlass(tx, accountId),
    accesses: await listAccesses(tx, accountId, ACCESSES),
  }
}

export type OwnData = Awaited<ReturnType<typeof loadOwnData>>
