import type { z } from "zod"
import { parseToken } from "#sdk/token.ts"
import type { TenantTx } from "../db/tenant.ts"
import type { outcomesRequestSchema } from "./http-schemas.ts"

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
  const rows = outcomes.flatMap(({ id, operation, outcome, at, origin }) => {
    const of = parseToken(operation)
    if (of === undefined) return []
    return {
      org_id: orgId,
      source_id: `reported:${id}`,
      operation_id: of.operationId,
      outcome,
      origin,
      occurred_at: new Date(at),
      received_at: now,
    }
  })
  const result = await tx
    .insertInto("late_outcome")
    .values(rows)
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  return Number(result.numInsertedOrUpdatedRows ?? 0)
}
