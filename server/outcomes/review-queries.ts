import { type RawBuilder, sql } from "kysely"
import { REVIEW_LINES } from "#sdk/policy/vocabulary.ts"
import type { TenantTx } from "../db/tenant.ts"
import { toDocument } from "../policy/layers.ts"
import { type FigureState, stateOf, type Weeks, weeksOf } from "../rungs/figures.ts"
import { MEMBERSHIP } from "../rungs/membership.ts"
import { BEST_EVIDENCE, EVIDENCE, type Evidence, placeOfEvidence } from "./evidence.ts"
import { atNodes, placedChanges, shownFamilies, TASK_RUNGS, type TaskRung, type WorkScope } from "./placed-work.ts"

/** How large a change may be for a person to review it in one sitting. */
export interface ReviewLimit {
  readonly lines: number
  /** Null for any number. */
  readonly files: number | null
  /** Whether a policy in force says so; without one it is what Belay takes for it. */
  readonly isFromPolicy: boolean
}

/** The limit of the organization, or the tightest of those that bind a team: its own, its parent's and the organization's. */
export async function getReviewLimit(tx: TenantTx, teamId: string | null): Promise<ReviewLimit> {
  const layers = await tx
    .selectFrom("policy_layer as l")
    .innerJoin("policy_version as v", (join) =>
      join.onRef("v.layer_id", "=", "l.id").onRef("v.version", "=", "l.version_in_force"),
    )
    .select("v.document")
    .where((eb) =>
      eb.or([
        eb("l.kind", "=", "organization"),
        eb(
          "l.team_id",
          "in",
          sql<string>`(select unnest(array[id, parent_team_id]) from team where id = ${teamId}::uuid)`,
        ),
      ]),
    )
    .execute()
  const reviews = layers.flatMap(({ document }) => toDocument(document).review ?? [])
  const files = reviews.flatMap((review) => review.files ?? [])
  return {
    lines: Math.min(
      ...reviews.map(({ changedLines = REVIEW_LINES }) => changedLines),
      reviews.length === 0 ? REVIEW_LINES : Infinity,
    ),
    files: files.length === 0 ? null : Math.min(...files),
    isFromPolicy: reviews.length > 0,
  }
}

/**
 * Changes with tasks' work in them. Each group of figures is null when fewer than k people's changes are behind it, or it
 * would reveal such a group: of all changes, of those whose size is known, that were reviewed, approved, merged.
 */
export interface ChangeFigures {
  /** Of the changes. */
  readonly state: FigureState
  /** Weeks with changes, and in how many of them those may be shown. */
  readonly weeks: Weeks
  readonly changes: number | null
  readonly people: number | null
  /** Changes of which a check passed or that somebody approved. */
  readonly verified: number | null
  /** Of all of them those that were closed without being merged. */
  readonly abandoned: number | null
  /** Pushes after they were opened, of all changes. */
  readonly rounds: number | null
  /** Of which the number of changed lines is known. */
  readonly sized: number | null
  readonly within: number | null
  /**
   * Larger than the limit, with generated or lock files in them: without those they may be within it. How many lines those
   * have is not told. Neither within nor over.
   */
  readonly unclear: number | null
  readonly medianLines: number | null
  readonly reviewed: number | null
  /** Working minutes from opened to the first review, their median. */
  readonly medianWaitMinutes: number | null
  readonly approved: number | null
  /** Working minutes from the first review to the approval for 100 changed lines, their median. */
  readonly medianMinutesPer100Lines: number | null
  readonly merged: number | null
  /** Merged before anybody reviewed them. */
  readonly mergedUnreviewed: number | null
  /** Merged with no passed check, approval or review before. */
  readonly mergedUnverified: number | null
  readonly reverted: number | null
  /** Of merged changes that stand and whose tasks tell of their tool calls: how many, and those calls. */
  readonly accepted: number | null
  readonly acceptedToolCalls: number | null
}

export interface RungChanges extends ChangeFigures {
  readonly rung: TaskRung
}

export interface Changes {
  /** Always two, the lower rung first. */
  readonly rungs: readonly RungChanges[]
  readonly previous: readonly RungChanges[]
  /** By week and rung, the oldest first; weeks without changes are not among them. */
  readonly buckets: readonly (RungChanges & { readonly week: Date })[]
  /** By team and rung; a team's include its sub-teams'. Of the whole organization only. */
  readonly teams: readonly (RungChanges & { readonly teamId: string })[]
}

interface RawChanges extends Omit<RungChanges, "state" | "weeks"> {
  /** Null for the period. */
  readonly week: Date | null
  readonly is_current: boolean
  readonly is_main: boolean
  readonly node_id: string
  readonly weeks: number
  readonly weeks_shown: number
}

/** Monday to Friday, in the organization's zone. */
const WORK_BEGINS = "08:00"
const WORK_ENDS = "18:00"

/** Size, review and fate of the changes that were opened in a period and the previous one, by rung, week and team. */
export async function getChanges(
  tx: TenantTx,
  { limit, ...scope }: WorkScope & { readonly limit: ReviewLimit },
): Promise<Changes> {
  const { timeZone } = scope
  const working = (from: string, to: string) => sql`(
    select coalesce(sum(greatest(0, extract(epoch from
      least(${sql.ref(to)} at time zone ${timeZone}, day + ${WORK_ENDS}::text::interval)
      - greatest(${sql.ref(from)} at time zone ${timeZone}, day + ${WORK_BEGINS}::text::interval)) / 60)), 0)::float8
    from generate_series(
      date_trunc('day', ${sql.ref(from)} at time zone ${timeZone}), ${sql.ref(to)} at time zone ${timeZone}, interval '1 day'
    ) day where extract(isodow from day) < 6
  )`
  const over = sql`(lines > ${limit.lines} or coalesce(files_changed > ${limit.files}::int, false))`
  const count = (family: string, condition = sql`true`) => {
    const isShown = sql.id(`is_${family}_shown`)
    return sql`case when bool_or(${isShown}) then count(*) filter (where ${isShown} and ${condition}) end::int`
  }
  const median = (family: string, value: ReturnType<typeof sql>) => sql`
    (percentile_cont(0.5) within group (order by ${value}) filter (where ${sql.id(`is_${family}_shown`)}))::float8`
  const found = await sql<RawChanges>`
    with ${weeksOf(scope)}, ${MEMBERSHIP}, ${placedChanges(scope)}, work as (
      select week, is_current, rung, day, top_team_id, sub_team_id, developer_id, tool_calls, rounds, files_changed,
        lines_added + lines_removed as lines, checked_at, approved_at, first_review_at, merged_at, reverted_at, abandoned_at,
        coalesce((file_kinds->>'generated')::int + (file_kinds->>'lock_file')::int, 0) > 0 as has_generated,
        least(checked_at, approved_at, first_review_at) as verified_at,
        case when first_review_at is not null then ${working("opened_at", "first_review_at")} end as wait_minutes,
        case when approved_at is not null and lines_added + lines_removed > 0
          then ${working("first_review_at", "approved_at")} * 100 / (lines_added + lines_removed) end as minutes_per_100_lines
      from placed_change
    ), ${shownFamilies("work", {
      all: sql`true`,
      sized: sql`lines is not null`,
      reviewed: sql`wait_minutes is not null`,
      approved: sql`minutes_per_100_lines is not null`,
      merged: sql`merged_at is not null`,
      accepted: sql`merged_at is not null and reverted_at is null and tool_calls is not null`,
    })}
    select week, is_current, is_main, node_id, rung, count(distinct of_week)::int as weeks,
      count(distinct of_week) filter (where is_all_shown)::int as weeks_shown,
      ${count("all")} as changes,
      nullif(count(distinct developer_id) filter (where is_all_shown), 0)::int as people,
      ${count("all", sql`least(checked_at, approved_at) is not null`)} as verified,
      ${count("all", sql`merged_at is null and abandoned_at is not null`)} as abandoned,
      sum(rounds) filter (where is_all_shown)::int as rounds,
      ${count("sized", sql`lines is not null`)} as sized,
      ${count("sized", sql`lines is not null and not ${over}`)} as within,
      ${count("sized", sql`lines is not null and ${over} and has_generated`)} as unclear,
      ${median("sized", sql`lines`)} as "medianLines",
      ${count("reviewed", sql`wait_minutes is not null`)} as reviewed,
      ${median("reviewed", sql`wait_minutes`)} as "medianWaitMinutes",
      ${count("approved", sql`minutes_per_100_lines is not null`)} as approved,
      ${median("approved", sql`minutes_per_100_lines`)} as "medianMinutesPer100Lines",
      ${count("merged", sql`merged_at is not null`)} as merged,
      ${count("merged", sql`merged_at is not null and (first_review_at is null or first_review_at > merged_at)`)} as "mergedUnreviewed",
      ${count("merged", sql`merged_at is not null and (verified_at is null or verified_at > merged_at)`)} as "mergedUnverified",
      ${count("merged", sql`merged_at is not null and reverted_at is not null`)} as reverted,
      ${count("accepted", sql`merged_at is not null and reverted_at is null and tool_calls is not null`)} as accepted,
      sum(tool_calls) filter (where is_accepted_shown and merged_at is not null and reverted_at is null)::int as "acceptedToolCalls"
    from (select *, week as of_week from (${atNodes("work", scope.teamId)}) placed) at_node
    group by grouping sets ((is_current, is_main, node_id, rung), (week, is_current, is_main, node_id, rung))
    having week is null or is_main and is_current
    order by week, rung`.execute(tx)

  const periods = found.rows.filter((row) => row.week === null)
  const of = (isCurrent: boolean) =>
    TASK_RUNGS.map((rung) => {
      const row = periods.find((one) => one.is_main && one.is_current === isCurrent && one.rung === rung)
      return row === undefined ? { ...NO_CHANGES, rung } : toChanges(row)
    })
  return {
    rungs: of(true),
    previous: of(false),
    buckets: found.rows.flatMap((row) => (row.week === null ? [] : [{ ...toChanges(row), week: row.week }])),
    teams: periods.flatMap((row) =>
      row.is_main || !row.is_current ? [] : [{ ...toChanges(row), teamId: row.node_id }],
    ),
  }
}

const NO_CHANGES: ChangeFigures = {
  state: "no_data",
  weeks: { shown: 0, total: 0 },
  changes: null,
  people: null,
  verified: null,
  abandoned: null,
  rounds: null,
  sized: null,
  within: null,
  unclear: null,
  medianLines: null,
  reviewed: null,
  medianWaitMinutes: null,
  approved: null,
  medianMinutesPer100Lines: null,
  merged: null,
  mergedUnreviewed: null,
  mergedUnverified: null,
  reverted: null,
  accepted: null,
  acceptedToolCalls: null,
}

function toChanges(row: RawChanges): RungChanges {
  const {
    week: _week,
    is_current: _is,
    is_main: _main,
    node_id: _node,
    weeks_shown: shown,
    weeks: total,
    ...figures
  } = row
  const weeks = { shown, total }
  return { ...figures, weeks, state: stateOf(weeks) }
}

/** Of fewer changes their share is not told. */
const SHARE_OF_MIN = 20

/** Of all changes, ratios 0..1. */
export interface JoinShares {
  /** Those in which no agent's work is known to be. */
  readonly unjoined: number
  /** Those that are joined to agents' work, by the best evidence of each; always all, the best first. */
  readonly by: readonly { readonly evidence: Evidence; readonly share: number }[]
}

/**
 * How the changes opened in `[from, to)` are joined to agents' work. Whose they are is not known of all, so shares are told
 * in twentieths only: a count would give away what is withheld of the others. Null of few changes.
 */
export async function getJoinShares(
  tx: TenantTx,
  { from, to }: { readonly from: Date; readonly to: Date },
): Promise<JoinShares | null> {
  const share = (condition: RawBuilder<unknown>) =>
    sql`(round(count(*) filter (where ${condition}) * 20.0 / nullif(count(*), 0)) / 20)::float8`
  const found = await sql<JoinShares & { changes: number }>`
    select count(*)::int as changes, ${share(sql`best is null`)} as unjoined,
      json_build_array(${sql.join(
        EVIDENCE.map((name, index) => {
          const part = share(sql`best = ${sql.lit(index + 1)}`)
          return sql`json_build_object('evidence', ${sql.lit(name)}, 'share', ${part})`
        }),
      )}) as by
    from change_request c cross join lateral (${BEST_EVIDENCE}) of_change
    where c.opened_at >= ${from}::timestamptz and c.opened_at < ${to}::timestamptz`.execute(tx)
  const row = found.rows[0]
  return row === undefined || row.changes < SHARE_OF_MIN ? null : { unjoined: row.unjoined, by: row.by }
}

/** A change with a person's own tasks in it, for that person alone. */
export interface OwnChange {
  readonly provider: string
  readonly repository: string
  readonly number: number
  readonly rung: TaskRung
  readonly tasks: number
  /** What says so, the best first. */
  readonly evidence: readonly Evidence[]
  readonly openedAt: Date
  readonly checkedAt: Date | null
  readonly firstReviewAt: Date | null
  readonly approvedAt: Date | null
  readonly mergedAt: Date | null
  readonly revertedAt: Date | null
  readonly abandonedAt: Date | null
  /** Null where the code host does not say. */
  readonly lines: number | null
  readonly files: number | null
  readonly hasGenerated: boolean
  readonly rounds: number
}

/** Changes with the tasks of these developers in them that were opened before, the latest first. */
export async function listOwnChanges(
  tx: TenantTx,
  args: { readonly developerIds: readonly string[]; readonly before: Date; readonly limit: number },
): Promise<readonly OwnChange[]> {
  const found = await sql<OwnChange>`
    select c.provider, c.repository, c.number, max(j.rung) as rung, count(distinct j.task_id)::int as tasks,
      array(
        select name from unnest(array_agg(distinct o.evidence)) name order by ${placeOfEvidence("name")}
      ) as evidence, c.opened_at as "openedAt",
      c.checked_at as "checkedAt", c.first_review_at as "firstReviewAt", c.approved_at as "approvedAt",
      c.merged_at as "mergedAt", c.reverted_at as "revertedAt", c.abandoned_at as "abandonedAt",
      c.lines_added + c.lines_removed as lines, c.files_changed as files, c.rounds,
      coalesce((c.file_kinds->>'generated')::int + (c.file_kinds->>'lock_file')::int, 0) > 0 as "hasGenerated"
    from joined_operation j
    join change_operation o on o.org_id = j.org_id and o.operation_id = j.operation_id
    join change_request c on (c.org_id, c.provider, c.repository, c.number) = (o.org_id, o.provider, o.repository, o.number)
    where j.developer_id = any(${args.developerIds}::uuid[]) and c.opened_at < ${args.before}::timestamptz
    group by c.org_id, c.provider, c.repository, c.number
    order by c.opened_at desc, c.repository, c.number
    limit ${args.limit}`.execute(tx)
  return found.rows
}
