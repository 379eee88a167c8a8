import { type Kysely, sql } from "kysely"
import type { Question } from "./answers.ts"
import type { DB } from "./db/types.ts"
import { asTenant, type TenantTx } from "./db/tenant.ts"

/** What the pages ask of an organization when somebody opens them, in the order in which it is wanted. The pages know. */
export type ListStanding = (
  tx: TenantTx,
  of: { readonly orgId: string; readonly now: Date },
) => Promise<readonly Question<unknown>[]>

/** An organization without signals for so long is not waited for. */
const ACTIVE_DAYS = 7
/** Those with the most signals, for whom making answers takes longest: what is kept has a limit. */
const ORGANIZATIONS_MAX = 20

/** The standing questions of organizations that had signals lately: their answers are there before anybody asks. */
export async function listAllStanding(options: {
  /** Acts as `belay_worker`, which knows of all organizations. */
  readonly worker: Kysely<DB>
  /** Acts as `belay_app`. */
  readonly app: Kysely<DB>
  readonly listStanding: ListStanding
  readonly now: Date
}): Promise<readonly Question<unknown>[]> {
  const { worker, app, listStanding, now } = options
  const { rows } = await sql<{ orgId: string }>`
    select org_id as "orgId" from signal_day where day > (${now}::timestamptz at time zone 'UTC')::date - ${ACTIVE_DAYS}::int
    group by org_id order by sum(signals) desc limit ${ORGANIZATIONS_MAX}`.execute(worker)
  const all: Question<unknown>[] = []
  for (const { orgId } of rows) all.push(...(await asTenant(app, orgId, (tx) => listStanding(tx, { orgId, now }))))
  return all
}
