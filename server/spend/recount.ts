import { type Kysely, sql } from "kysely"
import { asTenant, type TenantTx } from "../db/tenant.ts"
import type { DB } from "../db/types.ts"
import { type PoliciesInForce, readPolicies } from "../policy/bundles.ts"
import { currentRelease } from "../policy/releases.ts"
import { getOrganization } from "../team/queries.ts"
import { type BudgetInForce, budgetsOf, type Subject } from "./budgets.ts"
import { readPriceTable } from "./price-table.ts"
import { addPeriods, type Counted, recordCrossings, standingKey, usedOf } from "./standing.ts"
import { listCallSizes, listUse, NO_USE, type PersonUse, type Use } from "./use.ts"

/** Told of with `notify` when a budget reaches a threshold; its payload is the organization's id. */
export const BUDGET_CHANNEL = "belay_budget"

/** Periods of the past that are kept, beside the one that runs. */
const KEPT_DAYS = 400
/** How often the size of a model's call is looked at again. */
const SIZES_MS = 10 * 60_000

/**
 * Counts an organization's budgets anew from `model_use`, lets go of the reservations whose signals are in it, and notes
 * thresholds that were reached. Takes the application's database; `busy` when somebody else is at it already.
 */
export async function recountBudgets(db: Kysely<DB>, orgId: string, now: Date): Promise<"counted" | "busy"> {
  return asTenant(db, orgId, async (holder) => {
    const lock = await sql<{ is_held: boolean }>`
      select pg_try_advisory_xact_lock(hashtext('belay_budgets'), hashtext(${orgId})) as is_held`.execute(holder)
    if (lock.rows[0]?.is_held !== true) return "busy"
    // In transactions of their own, so that what the first one adds is committed before the second one locks anything.
    const counted = await asTenant(db, orgId, (tx) => countBudgets(tx, orgId, now))
    await asTenant(db, orgId, (tx) => writeCounts(tx, { orgId, now, ...counted }))
    return "counted"
  })
}

interface Counts {
  /** Reservations whose signals were in `model_use` before it was read. */
  readonly settled: readonly string[]
  readonly rows: readonly Counted[]
}

async function countBudgets(tx: TenantTx, orgId: string, now: Date): Promise<Counts> {
  // First: what is settled later may be missing in what is read next, and stays reserved until the next time.
  const settled = await tx
    .selectFrom("budget_reservation")
    .select("id")
    .distinct()
    .where("settled_at", "is not", null)
    .execute()
  const { timeZone } = await getOrganization(tx)
  const policies = await readPolicies(tx, now)
  const uses = new Map<string, readonly PersonUse[]>()
  const rows: Counted[] = []
  for (const inForce of budgetsOf(policies.layers, { now, timeZone })) {
    const { period, budget, layer } = inForce
    const span = `${period.startsAt.getTime()} ${period.endsAt.getTime()}`
    const use = uses.get(span) ?? (await listUse(tx, { period, timeZone }))
    uses.set(span, use)
    const known = await tx
      .selectFrom("budget_period")
      .select("subject_id as id")
      .where("layer_id", "=", layer.id)
      .where("budget_id", "=", budget.id)
      .where("unit", "=", budget.limit.unit)
      .where("starts_at", "=", period.startsAt)
      .execute()
    const subjects = subjectsOf(inForce, { orgId, use, policies, known: known.map(({ id }) => id) })
    rows.push(...subjects.map(([subject, of]) => ({ ...inForce, subject, use: of })))
  }
  await addPeriods(tx, { orgId, rows, now })
  await updateCallSizes(tx, orgId, now)
  return { settled: settled.map(({ id }) => id), rows }
}

/** Whose use a budget adds up, with what they used. */
function subjectsOf(
  { layer, budget }: BudgetInForce,
  args: {
    readonly orgId: string
    readonly use: readonly PersonUse[]
    readonly policies: PoliciesInForce
    readonly known: readonly string[]
  },
): readonly (readonly [Subject, Use])[] {
  const { use, policies } = args
  const of = (kind: Subject["kind"], id: string, isOf: (one: PersonUse) => boolean) =>
    [{ kind, id }, add(use.filter(isOf))] as const
  switch (budget.scope) {
    case "organization":
      return [of("organization", args.orgId, () => true)]
    case "team": {
      if (layer.teamId !== null) return [of("team", layer.teamId, isInTeam(layer.teamId))]
      const tops = use.flatMap(({ topTeamId }) => (topTeamId === null ? [] : [topTeamId]))
      const ids = layer.developerId === null ? tops : [policies.teamsOf.get(layer.developerId)?.[0] ?? []].flat()
      return [...new Set([...ids, ...args.known])].map((id) => of("team", id, isInTeam(id)))
    }
    case "person": {
      const isBound = (id: string) =>
        layer.kind === "organization" ||
        layer.developerId === id ||
        (layer.teamId !== null && policies.teamsOf.get(id)?.includes(layer.teamId) === true)
      const ids = new Set([...use.map(({ personId }) => personId).filter(isBound), ...args.known])
      const byPerson = Map.groupBy(use, ({ personId }) => personId)
      return [...ids].map((id) => [{ kind: "person", id }, add(byPerson.get(id) ?? [])])
    }
  }
}

const isInTeam =
  (id: string) =>
  ({ topTeamId, subTeamId }: PersonUse): boolean =>
    topTeamId === id || subTeamId === id

function add(uses: readonly PersonUse[]): Use {
  const people = new Set(uses.map(({ personId }) => personId)).size
  return uses.reduce(
    (sum, use) => ({
      usd: sum.usd + use.usd,
      tokens: sum.tokens + use.tokens,
      unpricedTokens: sum.unpricedTokens + use.unpricedTokens,
      people,
    }),
    NO_USE,
  )
}

async function writeCounts(
  tx: TenantTx,
  { orgId, now, settled, rows }: Counts & { readonly orgId: string; readonly now: Date },
): Promise<void> {
  const sorted = rows.toSorted((a, b) => (standingKey(a) < standingKey(b) ? -1 : 1))
  // Everyone who locks several rows does so in the order of their key.
  await sql`
    select 1 from budget_period where ends_at > ${now}
    order by layer_id, budget_id, subject_id, unit, starts_at for update`.execute(tx)
  await sql`
    update budget_period p
    set spent = n.spent, unpriced_tokens = n.unpriced, people = n.people, ends_at = n.ends_at, counted_at = ${now}
    from unnest(
      ${sorted.map(({ layer }) => layer.id)}::uuid[], ${sorted.map(({ budget }) => budget.id)}::text[],
      ${sorted.map(({ subject }) => subject.id)}::uuid[], ${sorted.map(({ budget }) => budget.limit.unit)}::text[],
      ${sorted.map(({ period }) => period.startsAt.toISOString())}::text[]::timestamptz[],
      ${sorted.map(({ period }) => period.endsAt.toISOString())}::text[]::timestamptz[],
      ${sorted.map((one) => usedOf(one, one.use))}::numeric[], ${sorted.map(({ use }) => use.unpricedTokens)}::int8[],
      ${sorted.map(({ use }) => use.people)}::int[]
    ) as n (layer_id, budget_id, subject_id, unit, starts_at, ends_at, spent, unpriced, people)
    where (p.layer_id, p.budget_id, p.subject_id, p.unit, p.starts_at)
        = (n.layer_id, n.budget_id, n.subject_id, n.unit, n.starts_at)`.execute(tx)
  if (settled.length > 0) await tx.deleteFrom("budget_reservation").where("id", "in", settled).execute()
  await tx.deleteFrom("budget_reservation").where("expires_at", "<=", now).execute()
  const before = new Date(now.getTime() - KEPT_DAYS * 86_400_000)
  await tx.deleteFrom("budget_period").where("ends_at", "<", before).execute()
  await tx.deleteFrom("budget_crossing").where("starts_at", "<", before).execute()
  const crossed = await recordCrossings(tx, { orgId, rows: sorted, now })
  if (crossed > 0) await sql`select pg_notify(${BUDGET_CHANNEL}, ${orgId})`.execute(tx)
}

async function updateCallSizes(tx: TenantTx, orgId: string, now: Date): Promise<void> {
  const newest = await tx
    .selectFrom("model_call_size")
    .select(({ fn }) => fn.max("counted_at").as("at"))
    .executeTakeFirst()
  const at: Date | null = newest?.at ?? null
  if (at !== null && Math.abs(now.getTime() - at.getTime()) < SIZES_MS) return
  const table = await readPriceTable(tx)
  const sums = new Map<string, { calls: number; inputTokens: number; outputTokens: number }>()
  for (const { model, provider, ...size } of await listCallSizes(tx, now)) {
    const { model: name } = table.resolve(model, provider)
    const sum = sums.get(name) ?? { calls: 0, inputTokens: 0, outputTokens: 0 }
    sums.set(name, {
      calls: sum.calls + size.calls,
      inputTokens: sum.inputTokens + size.inputTokens,
      outputTokens: sum.outputTokens + size.outputTokens,
    })
  }
  await tx.deleteFrom("model_call_size").execute()
  if (sums.size === 0) return
  await tx
    .insertInto("model_call_size")
    .values(
      [...sums].map(([model, { calls, inputTokens, outputTokens }]) => ({
        org_id: orgId,
        model,
        input_tokens: Math.round(inputTokens / calls),
        output_tokens: Math.round(outputTokens / calls),
        counted_at: now,
      })),
    )
    .execute()
}

/** What budgets are made of, in a text that changes whenever they have to be counted again. */
export async function budgetsMark(tx: TenantTx, now: Date): Promise<string | null> {
  const { timeZone } = await getOrganization(tx)
  const release = await currentRelease(tx)
  if (release === 0) return null
  const found = await sql<{ mark: string }>`
    select concat_ws(' ',
      (select extract(epoch from counted_until) from rollup_state),
      (select max(extract(epoch from changed_at)) from model_price),
      (select count(*) from budget_reservation where settled_at is not null or expires_at <= ${now}),
      (${now}::timestamptz at time zone ${timeZone})::date,
      -- Periods of other zones, and late crossings.
      date_bin('15 minutes', ${now}, timestamptz '2000-01-01 00:00:00+00')
    ) as mark`.execute(tx)
  return `${release} ${found.rows[0]?.mark ?? ""}`
}
