import type { ListStanding } from "#server/standing.ts"
import { getReviewLimit } from "#server/outcomes/review-queries.ts"
import { getOrganization } from "#server/team/queries.ts"
import { ladderQuestion } from "../routes/ladder/load.server.ts"
import { latencyQuestion } from "../routes/latency/load.server.ts"
import { outcomesQuestion } from "../routes/outcomes/load.server.ts"
import { usageQuestion } from "../routes/usage/load.server.ts"

/** Pages on weeks as whoever reads the whole organization opens them first: all teams, and nothing chosen. */
export const listStanding: ListStanding = async (tx, { orgId, now }) => {
  const { timeZone } = await getOrganization(tx)
  const of = { orgId, search: new URLSearchParams(), teamId: null, timeZone, now }
  return [
    ladderQuestion(of),
    // Whoever reads the whole organization sees what it spends.
    usageQuestion({ ...of, seesSpend: true }),
    latencyQuestion({ ...of, rung: null }),
    outcomesQuestion({ ...of, limit: await getReviewLimit(tx, null) }),
  ]
}
