import type { Kysely } from "kysely"
import { asTenant } from "../db/tenant.ts"
import type { DB } from "../db/types.ts"
import { repeat, type Repeating } from "../repeat.ts"
import { budgetsMark, recountBudgets } from "./recount.ts"

/** As often as signals are counted. */
const EVERY_MS = 5000

interface Databases {
  /** Acts as `belay_worker`, which knows of all organizations. */
  readonly worker: Kysely<DB>
  /** Acts as `belay_app`. */
  readonly app: Kysely<DB>
}

/**
 * Counts the budgets of every organization for which something has come in, or changed, since `marks` was last written;
 * an empty one has all counted.
 */
export async function recountAll(
  { worker, app }: Databases,
  now: Date,
  marks: Map<string, string> = new Map(),
): Promise<void> {
  const organizations = await worker.selectFrom("org").select("id").orderBy("id").execute()
  const errors: unknown[] = []
  for (const { id } of organizations) {
    try {
      const mark = await asTenant(app, id, (tx) => budgetsMark(tx, now))
      if (mark === null || marks.get(id) === mark) continue
      if ((await recountBudgets(app, id, now)) === "counted") marks.set(id, mark)
    } catch (error) {
      errors.push(error)
    }
  }
  if (errors.length > 0) throw errors[0]
}

/** Looks every few seconds until it is stopped. */
export function startBudgets(
  options: Databases & { readonly now: () => Date; readonly log: (message: string, error: unknown) => void },
): Repeating {
  const marks = new Map<string, string>()
  return repeat({
    everyMs: EVERY_MS,
    work: () => recountAll(options, options.now(), marks),
    onError: (error) => options.log("budgets fell behind", error),
  })
}
