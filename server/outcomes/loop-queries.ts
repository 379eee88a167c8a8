import { sql } from "kysely"
import type { TenantTx } from "../db/tenant.ts"
import { type FigureState, stateOf, type Weeks } from "../rungs/figures.ts"
import { pricesOf, workOf } from "../usage/work.ts"
import { atNodes, isTaskRung, shownFamilies, TASK_RUNGS, type TaskRung, type WorkScope } from "./placed-work.ts"

/** What tasks took whose agents went in circles. */
export interface Burned {
  /** `no_data`: none did, or no source tells what they took. */
  readonly state: FigureState
  /** Input and output; null unless shown, as is `usd`. */
  readonly tokens: number | null
  /** US dollars, by sources and the price table. */
  readonly usd: number | null
}

/** Tasks, parts of them included, of which each call of a tool has a signal of its own. */
export interface Loops {
  readonly rung: TaskRung
  readonly state: FigureState
  readonly weeks: Weeks
  /** Null unless shown, as are `loops` and `people`. */
  readonly tasks: number | null
  /** Of these, the ones in which tools failed `LOOP_FAILURES` times or more and at least as often as they worked. */
  readonly loops: number | null
  readonly people: number | null
  readonly burned: Burned
}

export interface LoopFigures {
  /** Always two, the lower rung first. */
  readonly rungs: readonly Loops[]
  readonly previous: readonly Loops[]
}

interface RawLoops {
  readonly is_current: boolean
  readonly rung: TaskRung
  readonly weeks: number
  readonly weeks_shown: number
  readonly tasks: number
  readonly loops: number
  readonly people: number
  readonly calls: number
  readonly is_burned_shown: boolean
  readonly tokens: number
  readonly usd: number
}

/** How often agents went in circles in a period and the one before, and what that took. */
export async function getLoops(tx: TenantTx, scope: WorkScope): Promise<LoopFigures> {
  const prices = await pricesOf(tx, scope)
  const found = await sql<RawLoops>`
    with ${workOf(scope, prices, sql`is_loop`)},
    ${shownFamilies("work", { tools: sql`with_tools > 0`, burned: sql`is_loop and calls > 0` })}
    select is_current, rung, count(distinct week) filter (where with_tools > 0)::int as weeks,
      count(distinct week) filter (where with_tools > 0 and is_tools_shown)::int as weeks_shown,
      coalesce(sum(with_tools) filter (where is_tools_shown), 0)::int as tasks,
      coalesce(sum(with_tools) filter (where is_tools_shown and is_loop), 0)::int as loops,
      count(distinct developer_id) filter (where is_tools_shown and with_tools > 0)::int as people,
      coalesce(sum(calls) filter (where is_loop), 0)::int as calls,
      coalesce(bool_or(is_burned_shown) filter (where is_loop and calls > 0), false) as is_burned_shown,
      coalesce(sum(tokens) filter (where is_burned_shown and is_loop), 0)::int8 as tokens,
      coalesce(sum(usd) filter (where is_burned_shown and is_loop), 0)::float8 as usd
    from (${atNodes("work", scope.teamId)}) placed where is_main and ${isTaskRung("rung")}
    group by is_current, rung`.execute(tx)
  const of = (isCurrent: boolean) =>
    TASK_RUNGS.map((rung) => {
      const row = found.rows.find((one) => one.rung === rung && one.is_current === isCurrent)
      return row === undefined ? { ...NONE, rung } : toLoops(row)
    })
  return { rungs: of(true), previous: of(false) }
}

const NONE = {
  state: "no_data",
  weeks: { shown: 0, total: 0 },
  tasks: null,
  loops: null,
  people: null,
  burned: { state: "no_data", tokens: null, usd: null },
} as const

function toLoops(row: RawLoops): Loops {
  const { rung, tasks, loops, people, tokens, usd } = row
  const weeks = { shown: row.weeks_shown, total: row.weeks }
  const state = stateOf(weeks)
  const isBurned = state === "shown" && row.is_burned_shown
  return {
    rung,
    weeks,
    state,
    ...(state === "shown" ? { tasks, loops, people } : { tasks: null, loops: null, people: null }),
    burned: isBurned
      ? { state: "shown", tokens, usd }
      : { state: row.calls === 0 || loops === 0 ? "no_data" : "withheld", tokens: null, usd: null },
  }
}
