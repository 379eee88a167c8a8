import { sql } from "kysely"
import type { TenantTx } from "../db/tenant.ts"
import { type FigureState, placedDays, stateOf, type Weeks, weeksOf } from "../rungs/figures.ts"
import { MEMBERSHIP } from "../rungs/membership.ts"
import {
  atNodes,
  isTaskRung,
  placedTasks,
  shownFamilies,
  TASK_RUNGS,
  type TaskRung,
  type WorkScope,
} from "./placed-work.ts"

/** After so long what still stands has come through. */
export const ALIVE_DAYS = 14

/** How far the tasks of one rung came that began in a period, of a team or the organization. All counts are of tasks. */
export interface TaskFunnel {
  readonly rung: TaskRung
  /** `no_data`: no task is known to have become anything. */
  readonly state: FigureState
  /** Weeks of whose tasks something is known, and in how many of them that may be shown. Only these are summed. */
  readonly weeks: Weeks
  /** Everything that began in all weeks of which use may be shown, whatever is known of it; null when none may. */
  readonly begun: number | null
  /** Whose tasks are known to have become something. */
  readonly people: number | null
  readonly planned: number | null
  /** Of which more was seen than their start; null also where days of the period were counted before Belay told that. */
  readonly ran: number | null
  /** Of which something became known: a change has their work, or another system said what became of it. */
  readonly joined: number | null
  /** A check passed, or somebody approved. */
  readonly verified: number | null
  readonly reviewed: number | null
  readonly reviewedOfVerified: number | null
  readonly merged: number | null
  readonly mergedOfReviewed: number | null
  /** Closed without being merged. */
  readonly abandoned: number | null
  /** Merged `ALIVE_DAYS` ago or earlier. Null, like `alive`, when too few people's are to be shown. */
  readonly matured: number | null
  /** Of those the ones that were not taken back within `ALIVE_DAYS`. */
  readonly alive: number | null
}

export interface TaskFunnels {
  /** Always two, the lower rung first. */
  readonly rungs: readonly TaskFunnel[]
  readonly previous: readonly TaskFunnel[]
}

interface RawFunnel extends Omit<TaskFunnel, "state" | "weeks"> {
  readonly is_current: boolean
  readonly known_weeks: number
  readonly known_weeks_shown: number
}

/** How far tasks came, by rung, of a period and the previous one. Each counts in the week in which it began. */
export async function getTaskFunnels(tx: TenantTx, scope: WorkScope): Promise<TaskFunnels> {
  const matured = sql`merged_at <= ${new Date(scope.now.getTime() - ALIVE_DAYS * 86_400_000)}::timestamptz`
  const isAlive = sql`${matured} and (reverted_at is null or reverted_at > merged_at + make_interval(days => ${ALIVE_DAYS}))`
  const shown = sql`is_volume_shown and is_known_shown`
  const tasks = (condition = sql`true`) =>
    sql`count(*) filter (where ${shown} and task_id is not null and ${condition})::int`
  const found = await sql<RawFunnel>`
    with ${weeksOf(scope)}, ${MEMBERSHIP},
    ${placedDays(
      { ...scope, ownDeveloperIds: null },
      { table: "developer_day", columns: sql`d.operations, d.ran`, name: "begun_day" },
    )}, ${placedTasks(scope)}, work as (
      select week, is_current, rung, day, top_team_id, sub_team_id, developer_id, operations, ran, null as task_id,
        null::timestamptz as verified_at, null::timestamptz as reviewed_at, null::timestamptz as merged_at,
        null::timestamptz as abandoned_at, null::timestamptz as reverted_at
      from begun_day where ${isTaskRung("rung")}
      union all
      select week, is_current, rung, day, top_team_id, sub_team_id, developer_id, null, null, task_id,
        verified_at, reviewed_at, merged_at, abandoned_at, reverted_at
      from placed_task
    ), ${shownFamilies("work", {
      volume: sql`task_id is null`,
      known: sql`task_id is not null`,
      matured,
    })}
    select is_current, rung, count(distinct week) filter (where task_id is not null)::int as known_weeks,
      count(distinct week) filter (where task_id is not null and ${shown})::int as known_weeks_shown,
      sum(operations) filter (where is_volume_shown)::int as begun,
      nullif(count(distinct developer_id) filter (where ${shown} and task_id is not null), 0)::int as people,
      sum(operations) filter (where ${shown})::int as planned,
      case when bool_and(ran is not null) filter (where ${shown} and operations > 0)
        then sum(ran) filter (where ${shown})::int end as ran,
      ${tasks()} as joined,
      ${tasks(sql`verified_at is not null`)} as verified,
      ${tasks(sql`reviewed_at is not null`)} as reviewed,
      ${tasks(sql`reviewed_at is not null and verified_at is not null`)} as "reviewedOfVerified",
      ${tasks(sql`merged_at is not null`)} as merged,
      ${tasks(sql`merged_at is not null and reviewed_at is not null`)} as "mergedOfReviewed",
      ${tasks(sql`merged_at is null and abandoned_at is not null`)} as abandoned,
      case when bool_or(is_matured_shown) then ${tasks(sql`is_matured_shown and ${matured}`)} end as matured,
      case when bool_or(is_matured_shown) then ${tasks(sql`is_matured_shown and ${isAlive}`)} end as alive
    from (${atNodes("work", scope.teamId)}) at_node where is_main
    group by is_current, rung`.execute(tx)
  const of = (isCurrent: boolean) =>
    TASK_RUNGS.map((rung) =>
      toFunnel(
        rung,
        found.rows.find((row) => row.rung === rung && row.is_current === isCurrent),
      ),
    )
  return { rungs: of(true), previous: of(false) }
}

const NOTHING_KNOWN = {
  people: null,
  planned: null,
  ran: null,
  joined: null,
  verified: null,
  reviewed: null,
  reviewedOfVerified: null,
  merged: null,
  mergedOfReviewed: null,
  abandoned: null,
  matured: null,
  alive: null,
}

function toFunnel(rung: TaskRung, row: RawFunnel | undefined): TaskFunnel {
  const weeks = { shown: row?.known_weeks_shown ?? 0, total: row?.known_weeks ?? 0 }
  const state = stateOf(weeks)
  const begun = row?.begun ?? null
  if (row === undefined || state !== "shown") return { ...NOTHING_KNOWN, rung, state, weeks, begun }
  const { is_current: _is, known_weeks: _all, known_weeks_shown: _shown, ...figures } = row
  return { ...figures, rung, state, weeks }
}
