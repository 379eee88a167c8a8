import type { AppLoadContext } from "@remix-run/node"
import type { Question } from "#server/answers.ts"
import type { TenantTx } from "#server/db/tenant.ts"
import { parseRange } from "./range.ts"

/** What a page's figures are of: whole weeks, of a team or of the organization. */
interface WeeksScope {
  readonly from: Date
  readonly to: Date
  readonly weeks: number
  readonly now: Date
  readonly teamId: string | null
  readonly timeZone: string
}

/** What loaders of pages on weeks need. */
export type WeeksContext = Pick<AppLoadContext, "db" | "answers" | "now">

/** Which weeks, of whom, and when that is asked. */
export interface WeeksAsked {
  readonly orgId: string
  readonly search: URLSearchParams
  readonly teamId: string | null
  readonly timeZone: string
  readonly now: Date
}

/**
 * What a page asks of the weeks that the URL names, as it is kept (docs/decisions/027-answers.md). `choices` is what the answer
 * depends on besides those weeks, the team and the zone.
 */
export function questionOfWeeks<Answer>(
  of: WeeksAsked & { readonly page: string; readonly choices?: Readonly<Record<string, unknown>> },
  ask: (tx: TenantTx, scope: WeeksScope) => Promise<Answer>,
): Question<Answer> {
  const { orgId, page, search, teamId, timeZone, now, choices } = of
  const range = parseRange(search, now, timeZone)
  return {
    orgId,
    // A preset goes on with time, days that were chosen do not.
    of: { page, teamId, timeZone, ...choices, range: range.preset ?? `${range.from.toISOString()} ${range.weeks}` },
    now,
    at(time) {
      const { from, to, weeks } = parseRange(search, time, timeZone)
      return {
        // The same for every moment of a week: `to` is now while it lasts.
        period: { from: from.toISOString(), weeks },
        ask: (tx) => ask(tx, { from, to, weeks, now: time, teamId, timeZone }),
      }
    },
  }
}
