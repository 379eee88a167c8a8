import type { Transaction } from "kysely"
import type { DB } from "../db/types.ts"

/** The signals of one organization that are being counted, in one transaction. */
export interface Counting {
  readonly tx: Transaction<DB>
  readonly orgId: string
  /** IANA zone in which days begin. */
  readonly timeZone: string
  /** The first UTC day whose minutes are kept, `YYYY-MM-DD`. */
  readonly minutesFrom: string
  /** The first day in that zone which can be counted whole, `YYYY-MM-DD` or `-infinity`; what is before stays as it is. */
  readonly daysFrom: string
}
