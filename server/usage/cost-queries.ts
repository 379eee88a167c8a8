import { sql } from "kysely"
import type { TenantTx } from "../db/tenant.ts"
import {
  atNodes,
  placedChanges,
  shownFamilies,
  TASK_RUNGS,
  type TaskRung,
  type WorkScope,
} from "../outcomes/placed-work.ts"
import { disclosedPieces, MIN_GROUP_SIZE } from "../privacy/disclosure.ts"
import { type FigureState, stateOf, type Weeks, weeksOf } from "../rungs/figures.ts"
import { MEMBERSHIP } from "../rungs/membership.ts"
import type { Interval } from "../rungs/wilson.ts"
import { pricesOf } from "./work.ts"

/** Changes of up to so many lines are easy work. */
export const EASY_LINES = 100

/** What changes cost that were closed, as far as the cost of all tasks in them is known. */
export interface ChangeCost {
  /** Merged or closed without that. */
  readonly closed: number
  readonly merged: number
  /** Merged and not taken back until now. */
  readonly standing: number
  /** Of the tasks behind the merged ones, US dollars. */
  readonly usd: number
  /** `usd` divided by `standing`; null when none stands. */
  readonly perStanding: number | null
  /** Of that, 95 %. */
  readonly interval: Interval | null
  readonly people: number
}

export interface RungCost {
  readonly rung: TaskRung
  readonly state: FigureState
  readonly weeks: Weeks
  /** Null unless shown. */
  readonly cost: ChangeCost | null
}

export interface ModelCost {
  readonly rung: TaskRung
  /** Null when withheld, where sources name none, and of changes that several models made. */
  readonly name: string | null
  readonly hasSeveral: boolean
  /** Whether these are changes of up to `EASY_LINES`, or the others. */
  readonly isEasy: boolean
  readonly state: FigureState
  readonly cost: ChangeCost | null
}

export interface ChangeCosts {
  /** Always two, the lower rung first. */
  readonly rungs: readonly RungCost[]
  readonly previous: readonly RungCost[]
  /** By rung, model and size, of the whole organization; null of a team, which is not cut by model as well. */
  readonly models: readonly ModelCost[] | null
}

interface RawCost {
  readonly is_current: boolean
  readonly rung: TaskRung
  readonly piece_id: number | null
  readonly name: string | null
  readonly weeks: number
  readonly weeks_shown: number
  readonly closed: number
  readonly merged: number
  readonly standing: number
  readonly usd: number | null
  readonly usd_squares: number | null
  readonly standing_usd: number | null
  readonly people: number
}

/** Instead of the id of a model. */
const SEVERAL = -1

/** What surviving changes cost by rung, and by model and size, of changes that were opened in a period and the one before. */
export async function getChangeCosts(tx: TenantTx, scope: WorkScope): Promise<ChangeCosts> {
  const prices = await pricesOf(tx, scope)
  const work = sql`
    ${weeksOf(scope)}, ${MEMBERSHIP}, ${placedChanges(scope, prices)}, work as (
      select week, is_current, rung, day, top_team_id, sub_team_id, developer_id,
        case when merged_at is not null then usd else 0 end as usd, merged_at is not null as is_merged,
        merged_at is not null and reverted_at is null as is_standing,
        coalesce(model_id, ${SEVERAL}) * 2 + case when lines_added + lines_removed <= ${EASY_LINES} then 1 else 0 end as piece_id
      from placed_change where usd is not null and (merged_at is not null or abandoned_at is not null)
    ), ${shownFamilies("work", { costed: sql`true` })}`
  const sums = sql`
    count(*) filter (where is_shown)::int as closed, count(*) filter (where is_shown and is_merged)::int as merged,
    count(*) filter (where is_shown and is_standing)::int as standing, sum(usd) filter (where is_shown) as usd,
    sum(usd * usd) filter (where is_shown and is_merged) as usd_squares,
    sum(usd) filter (where is_shown and is_standing) as standing_usd,
    count(distinct developer_id) filter (where is_shown)::int as people,
    count(distinct week)::int as weeks, count(distinct week) filter (where is_shown)::int as weeks_shown`
  const byRung = await sql<RawCost>`
    with ${work}
    select is_current, rung, ${sums}
    from (select *, is_costed_shown as is_shown from (${atNodes("work", scope.teamId)}) placed where is_main) at_node
    group by is_current, rung`.execute(tx)
  const byModel =
    scope.teamId !== null
      ? null
      : await sql<RawCost>`
          with ${work}, piece_contribution as (
            select distinct week, rung, 'costed' as family, day, top_team_id, sub_team_id, developer_id, piece_id from work
          ), ${disclosedPieces(MIN_GROUP_SIZE)}, figure as (
            select rung, piece_id, ${sums}
            from (
              select w.*, coalesce(p.is_visible, false) as is_shown
              from work w left join disclosed_piece p using (week, rung, piece_id) where w.is_current
            ) seen
            group by rung, piece_id
          )
          select true as is_current, f.*, d.value as name
          from figure f left join dimension d on d.id = floor(f.piece_id / 2.0)
          order by f.rung desc, f.usd desc nulls last, d.value`.execute(tx)
  const of = (isCurrent: boolean) =>
    TASK_RUNGS.map((rung): RungCost => {
      const row = byRung.rows.find((one) => one.rung === rung && one.is_current === isCurrent)
      const weeks = { shown: row?.weeks_shown ?? 0, total: row?.weeks ?? 0 }
      return { rung, state: stateOf(weeks), weeks, cost: row === undefined ? null : toCost(row) }
    })
  return {
    rungs: of(true),
    previous: of(false),
    models:
      byModel?.rows.map((row): ModelCost => {
        const cost = toCost(row)
        const piece = row.piece_id ?? 0
        return {
          rung: row.rung,
          name: cost === null ? null : row.name,
          hasSeveral: cost !== null && Math.floor(piece / 2) === SEVERAL,
          isEasy: piece % 2 !== 0,
          state: cost === null ? "withheld" : "shown",
          cost,
        }
      }) ?? null,
  }
}

/** Two-sided 95 %. */
const Z = 1.959964

function toCost(row: RawCost): ChangeCost | null {
  const { closed, merged, standing, people } = row
  const usd = row.usd
  if (usd === null) return null
  const perStanding = standing === 0 ? null : usd / standing
  return {
    closed,
    merged,
    standing,
    usd,
    people,
    perStanding,
    interval:
      perStanding === null || merged < 2
        ? null
        : intervalOf({
            perStanding,
            merged,
            standing,
            squares: row.usd_squares ?? 0,
            standingUsd: row.standing_usd ?? 0,
          }),
  }
}

/**
 * Interval of a ratio of two sums over the same changes, cost and standing, by linearization: the spread of cost − ratio ×
 * standing.
 *
 * @see Cochran, Sampling Techniques (1977), section 6.3
 */
function intervalOf(of: {
  perStanding: number
  merged: number
  standing: number
  squares: number
  standingUsd: number
}): Interval {
  const { perStanding: ratio, merged, standing, squares, standingUsd } = of
  const residuals = Math.max(0, squares - 2 * ratio * standingUsd + ratio * ratio * standing)
  const half = (Z * Math.sqrt((merged * residuals) / (merged - 1))) / standing
  return { low: Math.max(0, ratio - half), high: ratio + half }
}
