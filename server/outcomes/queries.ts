import { sql } from "kysely"
import { RUNGS, type Rung } from "#sdk/ladder.ts"
import type { TenantTx } from "../db/tenant.ts"
import { MIN_GROUP_SIZE } from "../privacy/disclosure.ts"
import { BEST_EVIDENCE, EVIDENCE, type Evidence, placeOfEvidence } from "./evidence.ts"
import { SURVIVAL_POINTS, type SurvivalPoint } from "./http-schemas.ts"

export const STAGES = [
  "planned",
  "ran",
  "verified",
  "reviewed",
  "merged",
  "alive_1_day",
  "alive_7_days",
  "alive_14_days",
  "abandoned",
  "reverted",
  "restored",
] as const
export type Stage = (typeof STAGES)[number]

export interface TaskLife {
  /** Stages that were reached, in the order of `STAGES`, each with when. */
  readonly stages: readonly { readonly stage: Stage; readonly at: Date }[]
  /** The last that was reached by time: how the task stands. */
  readonly standing: Stage
  /** The changes that its work is in; what says so, the best first. */
  readonly changes: readonly {
    readonly provider: string
    readonly repository: string
    readonly number: number
    readonly evidence: readonly Evidence[]
  }[]
  /** How many of the lines that it brought to default branches were there after a while, as far as it was counted. */
  readonly survival: readonly { readonly after: SurvivalPoint; readonly lines: number; readonly standing: number }[]
}

const DAY_MS = 86_400_000

/**
 * The life of a task until `now`; undefined of an operation that is not counted. Of several changes each stage is of the
 * first that reached it, and work that was taken back anywhere counts as taken back. It says nothing of whose the task is:
 * who asks has to be allowed to see that.
 */
export async function getTaskLife(
  tx: TenantTx,
  { operationId, now }: { readonly operationId: string; readonly now: Date },
): Promise<TaskLife | undefined> {
  const operation = await tx
    .selectFrom("operation")
    .select(["asked_at as askedAt", "last_at as lastAt"])
    .where("operation_id", "=", operationId)
    .executeTakeFirst()
  if (operation === undefined) return undefined
  const changes = await sql<
    Record<"verified" | "reviewed" | "merged" | "abandoned" | "reverted", Date | null> & TaskLife["changes"][number]
  >`
    select c.provider, c.repository, c.number, array_agg(o.evidence order by ${placeOfEvidence("o.evidence")}) as evidence,
      least(c.checked_at, c.approved_at) as verified, c.first_review_at as reviewed, c.merged_at as merged,
      c.abandoned_at as abandoned, c.reverted_at as reverted
    from change_operation o join change_request c using (org_id, provider, repository, number)
    where o.operation_id = ${operationId}
    group by c.org_id, c.provider, c.repository, c.number
    order by c.opened_at, c.provider, c.repository, c.number`.execute(tx)
  const reported = await sql<{ outcome: "merged" | "abandoned" | "reverted"; at: Date }>`
    select outcome, min(occurred_at) as at from late_outcome where operation_id = ${operationId} group by outcome`.execute(
    tx,
  )

  const counted = await sql<{ outcome: "merged" | "reverted"; at: Date }>`
    select 'merged' as outcome, min(counted_at) as at from line_survival
    where operation_id = ${operationId} and after = 'merge' having count(*) > 0
    union all select 'reverted', min(reverted_at) from (${LATEST_SURVIVAL}) latest
    where operation_id = ${operationId} having min(reverted_at) is not null`.execute(tx)
  const survival = await sql<TaskLife["survival"][number]>`
    select after, sum(lines)::int as lines, sum(standing)::int as standing
    from line_survival where operation_id = ${operationId} group by after`.execute(tx)

  const first = (stage: "verified" | "reviewed" | "merged" | "abandoned" | "reverted") => {
    const times = [
      ...changes.rows.flatMap((row) => row[stage] ?? []),
      ...[...reported.rows, ...counted.rows].flatMap((row) => (row.outcome === stage ? row.at : [])),
    ]
    return times.length === 0 ? null : new Date(Math.min(...times.map((at) => at.getTime())))
  }
  const undone = await sql<{ at: Date }>`
    select max(undone_at) as at from late_outcome where operation_id = ${operationId} and outcome = 'reverted'
    having bool_and(undone_at is not null)`.execute(tx)
  const [merged, reverted, restored] = [first("merged"), first("reverted"), undone.rows[0]?.at ?? null]
  const aliveAfter = (days: number) => {
    if (merged === null) return null
    const at = new Date(merged.getTime() + days * DAY_MS)
    const isThere = reverted === null || reverted > at || (restored !== null && restored <= at)
    return at <= now && isThere ? at : null
  }
  const times: Record<Stage, Date | null> = {
    planned: operation.askedAt,
    ran: operation.lastAt,
    verified: first("verified"),
    reviewed: first("reviewed"),
    merged,
    alive_1_day: aliveAfter(1),
    alive_7_days: aliveAfter(7),
    alive_14_days: aliveAfter(14),
    abandoned: first("abandoned"),
    reverted,
    restored,
  }
  const stages = STAGES.flatMap((stage) => {
    const at = times[stage]
    return at === null || at > now ? [] : { stage, at }
  })
  const standing = stages.reduce<{ stage: Stage; at: Date }>((last, one) => (one.at >= last.at ? one : last), {
    stage: "ran",
    at: operation.lastAt,
  }).stage
  return {
    stages,
    standing,
    changes: changes.rows.map(({ provider, repository, number, evidence }) => ({
      provider,
      repository,
      number,
      evidence,
    })),
    survival: SURVIVAL_POINTS.flatMap((point) => survival.rows.filter(({ after }) => after === point)),
  }
}

export interface RungOutcomes {
  readonly rung: Rung
  /** Why figures are null: nothing became of any operation that is known, or of fewer than k people's. */
  readonly state: "shown" | "withheld" | "no_data"
  /** Operations of which it is known what became. */
  readonly decided: number | null
  /** Of these those that were merged and stand, a ratio 0..1. */
  readonly acceptance: number | null
  /** Of those that were merged those that were not taken back until now, a ratio 0..1. Null also when none was. */
  readonly survival: number | null
}

/**
 * What became of the operations of each rung that began in [from, to), as far as outcomes are counted; always four rows,
 * lowest rung first. Suggestions are no such operations.
 */
export async function listRungOutcomes(
  tx: TenantTx,
  { from, to }: { readonly from: Date; readonly to: Date },
): Promise<readonly RungOutcomes[]> {
  const found = await sql<Omit<RungOutcomes, "rung"> & { rung: Rung }>`
    select rung,
      case when is_shown then 'shown' else 'withheld' end as state,
      case when is_shown then decided end as decided,
      case when is_shown then standing::float8 / decided end as acceptance,
      case when is_shown then standing::float8 / nullif(merged, 0) end as survival
    from (
      select rung, count(distinct developer_id) >= ${MIN_GROUP_SIZE} as is_shown, count(*)::int as decided,
        count(*) filter (where is_merged) as merged, count(*) filter (where is_merged and not is_reverted) as standing
      from (
        select o.rung, o.developer_id,
          bool_or(l.outcome = 'merged') as is_merged, bool_or(l.outcome = 'reverted') as is_reverted
        from operation o join (
          select org_id, operation_id, outcome::text from late_outcome where state = 'sent' and undone_at is null
          union all select org_id, operation_id, 'merged' from line_survival
          union all select org_id, operation_id, 'reverted' from (${LATEST_SURVIVAL}) latest where reverted_at is not null
        ) l on l.org_id = o.org_id and l.operation_id = o.operation_id
        where o.started_at >= ${from}::timestamptz and o.started_at < ${to}::timestamptz
        group by o.operation_id, o.rung, o.developer_id
      ) of_operation
      group by rung
    ) of_rung`.execute(tx)
  const byRung = new Map(found.rows.map((row) => [row.rung, row]))
  return RUNGS.map(
    (rung) => byRung.get(rung) ?? { rung, state: "no_data", decided: null, acceptance: null, survival: null },
  )
}

/** Of what an operation brought with each commit, how it stood when it was last counted. */
const LATEST_SURVIVAL = sql`
  select distinct on (org_id, operation_id, commit_id) org_id, operation_id, reverted_at
  from line_survival order by org_id, operation_id, commit_id, counted_at desc`

export interface RungSurvival {
  readonly rung: Rung
  readonly after: SurvivalPoint
  /** Why figures are null: nothing was counted, or only what fewer than k people's agents did. */
  readonly state: "shown" | "withheld" | "no_data"
  /** Operations of which it was counted. */
  readonly operations: number | null
  /** Of the lines that they brought to a default branch those that were still there, a ratio 0..1 of summed lines. */
  readonly survival: number | null
}

/**
 * How much of the work of operations that began in [from, to) was still there after a while; always every rung with every
 * point, lowest and earliest first. Later points are of the fewer operations that are old enough. Lines are not given, so
 * that nobody's are what two points differ by.
 */
export async function listRungSurvival(
  tx: TenantTx,
  { from, to }: { readonly from: Date; readonly to: Date },
): Promise<readonly RungSurvival[]> {
  const found = await sql<RungSurvival>`
    select rung, after,
      case when is_shown then 'shown' else 'withheld' end as state,
      case when is_shown then operations end as operations,
      case when is_shown then standing::float8 / lines end as survival
    from (
      select o.rung, s.after, count(distinct o.developer_id) >= ${MIN_GROUP_SIZE} as is_shown,
        count(distinct o.operation_id)::int as operations, sum(s.lines) as lines, sum(s.standing) as standing
      from operation o join line_survival s on s.org_id = o.org_id and s.operation_id = o.operation_id
      where o.started_at >= ${from}::timestamptz and o.started_at < ${to}::timestamptz
      group by o.rung, s.after
    ) of_rung`.execute(tx)
  const known = new Map(found.rows.map((row) => [`${row.rung} ${row.after}`, row]))
  return RUNGS.flatMap((rung) =>
    SURVIVAL_POINTS.map(
      (after) => known.get(`${rung} ${after}`) ?? { rung, after, state: "no_data", operations: null, survival: null },
    ),
  )
}

/**
 * Changes that were told of since, how many of them agent work is joined to, by the best evidence of each, and outcomes that
 * wait for their operation. `unheardOf` are joined to nothing but operations of which Belay has no signal: they say that they are agents' work, and
 * count on no rung.
 */
export async function countJoins(tx: TenantTx, since: Date) {
  const found = await sql<
    Record<"changes" | "joined" | "unheardOf" | "waiting" | "tooOld", number> & { by: Record<Evidence, number> }
  >`
    select count(*)::int as changes,
      count(*) filter (where best is not null)::int as joined,
      json_build_object(${sql.join(
        EVIDENCE.flatMap((name, index) => [sql.lit(name), sql`count(*) filter (where best = ${sql.lit(index + 1)})`]),
      )}) as by,
      count(*) filter (where not is_heard_of)::int as "unheardOf",
      (select count(*) from late_outcome where state = 'waiting')::int as waiting,
      (select count(*) from late_outcome where state = 'too_old')::int as "tooOld"
    from (
      select of_change.*
      from change_request c cross join lateral (
        ${BEST_EVIDENCE}
      ) of_change
      where c.updated_at >= ${since}::timestamptz
    ) told`.execute(tx)
  const by = { trailer: 0, commit_id: 0, session: 0, author_time: 0 }
  const counts = found.rows[0] ?? { changes: 0, joined: 0, by, unheardOf: 0, waiting: 0, tooOld: 0 }
  return { ...counts, unjoined: counts.changes - counts.joined }
}
