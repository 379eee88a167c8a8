import { sql } from "kysely"
import type { TenantTx } from "../db/tenant.ts"
import { type BudgetInForce, type Subject, thresholdsOf } from "./budgets.ts"
import { getUse, type Use } from "./use.ts"

/** A budget of one subject in the period that runs. */
export interface BudgetOf extends BudgetInForce {
  readonly subject: Subject
}

/** How a budget stands for a subject, in its unit. */
export interface Standing {
  /** As last counted from the signals. */
  readonly spent: number
  /** For calls that were let through and whose signals were not counted by then. */
  readonly reserved: number
  readonly unpricedTokens: number
  /** Whose use it sums. */
  readonly people: number
  readonly countedAt: Date
}

export function usedOf({ budget }: Pick<BudgetInForce, "budget">, use: Use): number {
  return budget.limit.unit === "usd" ? use.usd : use.tokens
}

/** Names a budget of a subject in a period, as a row is named. */
export function standingKey({ layer, budget, subject, period }: BudgetOf): string {
  return [layer.id, budget.id, subject.id, budget.limit.unit, period.startsAt.getTime()].join("\n")
}

const columns = (of: readonly BudgetOf[]) => sql`
  select * from unnest(
    ${of.map(({ layer }) => layer.id)}::uuid[], ${of.map(({ budget }) => budget.id)}::text[],
    ${of.map(({ subject }) => subject.id)}::uuid[], ${of.map(({ budget }) => budget.limit.unit)}::text[],
    ${of.map(({ period }) => period.startsAt.toISOString())}::text[]::timestamptz[]
  ) as wanted (layer_id, budget_id, subject_id, unit, starts_at)`

/**
 * How budgets stand, by `standingKey`; those that nobody counted yet are not in it. With `isLocked` nobody else reserves or
 * counts them until the transaction ends: rows are locked in the order of their key, so that nobody waits in a circle.
 */
export async function readStandings(
  tx: TenantTx,
  args: { readonly of: readonly BudgetOf[]; readonly now: Date; readonly isLocked: boolean },
): Promise<ReadonlyMap<string, Standing>> {
  const { of, now } = args
  if (of.length === 0) return new Map()
  if (args.isLocked) {
    await sql`
      select 1 from budget_period where (layer_id, budget_id, subject_id, unit, starts_at) in (${columns(of)})
      order by layer_id, budget_id, subject_id, unit, starts_at for update`.execute(tx)
  }
  const found = await sql<Standing & { key: string }>`
    select concat_ws(E'\n', p.layer_id, p.budget_id, p.subject_id, p.unit,
        (extract(epoch from p.starts_at) * 1000)::int8) as key,
      p.spent::float8 as spent, p.unpriced_tokens as "unpricedTokens", p.people, p.counted_at as "countedAt",
      coalesce((
        select sum(r.amount) from budget_reservation r
        where (r.layer_id, r.budget_id, r.subject_id, r.unit, r.starts_at)
            = (p.layer_id, p.budget_id, p.subject_id, p.unit, p.starts_at)
          and r.expires_at > ${now}
      ), 0)::float8 as reserved
    from budget_period p where (layer_id, budget_id, subject_id, unit, starts_at) in (${columns(of)})`.execute(tx)
  return new Map(found.rows.map(({ key, ...standing }) => [key, standing]))
}

/**
 * Counts those of the budgets that nobody counted in this period yet. In a transaction of its own: whoever makes rows holds
 * no lock that another waits for.
 */
export async function countNewBudgets(
  tx: TenantTx,
  args: { readonly orgId: string; readonly of: readonly BudgetOf[]; readonly now: Date; readonly timeZone: string },
): Promise<void> {
  const { orgId, of, now, timeZone } = args
  const known = await readStandings(tx, { of, now, isLocked: false })
  const rows: Counted[] = []
  for (const one of of) {
    if (known.has(standingKey(one))) continue
    rows.push({ ...one, use: await getUse(tx, { period: one.period, timeZone, subject: one.subject }) })
  }
  await addPeriods(tx, { orgId, rows, now })
  await recordCrossings(tx, { orgId, rows, now })
}

/** Of one statement, whose parameters are at most 65,535. */
const ROWS_AT_ONCE = 4000

function* chunksOf<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < items.length; at += ROWS_AT_ONCE) yield items.slice(at, at + ROWS_AT_ONCE)
}

/** A budget of a subject with what it used. */
export interface Counted extends BudgetOf {
  readonly use: Use
}

/** Adds rows of periods; those that are there stay as they are. */
export async function addPeriods(
  tx: TenantTx,
  { orgId, rows, now }: { readonly orgId: string; readonly rows: readonly Counted[]; readonly now: Date },
): Promise<void> {
  const sorted = rows.toSorted((a, b) => (standingKey(a) < standingKey(b) ? -1 : 1))
  for (const chunk of chunksOf(sorted)) {
    await tx
      .insertInto("budget_period")
      .values(
        chunk.map((one) => ({
          org_id: orgId,
          layer_id: one.layer.id,
          budget_id: one.budget.id,
          subject_id: one.subject.id,
          unit: one.budget.limit.unit,
          starts_at: one.period.startsAt,
          ends_at: one.period.endsAt,
          spent: usedOf(one, one.use),
          unpriced_tokens: one.use.unpricedTokens,
          people: one.use.people,
          counted_at: now,
        })),
      )
      .onConflict((conflict) => conflict.doNothing())
      .execute()
  }
}

/** Remembers which thresholds are reached, each once a period. Resolves to how many were not known to be. */
export async function recordCrossings(
  tx: TenantTx,
  { orgId, rows, now }: { readonly orgId: string; readonly rows: readonly Counted[]; readonly now: Date },
): Promise<number> {
  const crossed = rows.flatMap((one) => {
    const share = usedOf(one, one.use) / one.budget.limit.amount
    return thresholdsOf(one.budget)
      .filter((threshold) => share >= threshold)
      .map((threshold) => ({
        org_id: orgId,
        layer_id: one.layer.id,
        budget_id: one.budget.id,
        subject_id: one.subject.id,
        unit: one.budget.limit.unit,
        starts_at: one.period.startsAt,
        threshold,
        crossed_at: now,
      }))
  })
  let added = 0
  for (const chunk of chunksOf(crossed)) {
    const rows = await tx
      .insertInto("budget_crossing")
      .values(chunk)
      .onConflict((conflict) => conflict.doNothing())
      .returning("threshold")
      .execute()
    added += rows.length
  }
  return added
}
