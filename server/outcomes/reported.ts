import type { z } from "zod"
import { parseToken } from "#sdk/token.ts"
import type { TenantTx } from "../db/tenant.ts"
import type { outcomesRequestSchema } from "./http-schemas.ts"
import { noteNews } from "./news.ts"

/** Stores what another system says of operations. Returns how many of it were new. */
export async function recordReportedOutcomes(
  tx: TenantTx,
  args: {
    readonly orgId: string
    readonly outcomes: z.infer<typeof outcomesRequestSchema>["outcomes"]
    readonly now: Date
  },
): Promise<number> {
  const { orgId, outcomes, now } = args
  const said = outcomes.flatMap((outcome) => {
    const operation = parseToken(outcome.operation)
    return operation === undefined ? [] : { outcome, operationId: operation.operationId }
  })
  const ended = said.flatMap(({ outcome, operationId }) => {
    if (outcome.outcome === "survived") return []
    return {
      org_id: orgId,
      source_id: `reported:${outcome.id}`,
      operation_id: operationId,
      outcome: outcome.outcome,
      origin: outcome.origin,
      occurred_at: new Date(outcome.at),
      received_at: now,
    }
  })
  const survived = said.flatMap(({ outcome, operationId }) => {
    if (outcome.outcome !== "survived") return []
    const { after, commit, lines, standing, revertedAt } = outcome.survival
    return {
      org_id: orgId,
      source_id: `reported:${outcome.id}`,
      operation_id: operationId,
      commit_id: commit,
      after,
      counted_at: new Date(outcome.at),
      lines,
      standing,
      reverted_at: revertedAt === null ? null : new Date(revertedAt),
      received_at: now,
    }
  })
  const taken = [
    ended.length === 0
      ? undefined
      : await tx
          .insertInto("late_outcome")
          .values(ended)
          .onConflict((conflict) => conflict.doNothing())
          .executeTakeFirst(),
    survived.length === 0
      ? undefined
      : await tx
          .insertInto("line_survival")
          .values(survived)
          .onConflict((conflict) => conflict.doNothing())
          .executeTakeFirst(),
  ]
  const count = taken.reduce((sum, result) => sum + Number(result?.numInsertedOrUpdatedRows ?? 0), 0)
  if (count > 0) await noteNews(tx, orgId)
  return count
}
