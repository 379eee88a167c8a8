import { sql } from "kysely"
import type { PolicyBudget } from "#sdk/policy/document.ts"
import { SOFT_THRESHOLDS } from "#sdk/policy/vocabulary.ts"
import type { TenantTx } from "../db/tenant.ts"
import type { PolicyLayerKind } from "../db/types.ts"
import { readPolicies } from "../policy/bundles.ts"
import { MIN_GROUP_SIZE } from "../privacy/disclosure.ts"
import { getOrganization } from "../team/queries.ts"
import type { Readable } from "../team/readable-teams.ts"
import { type BudgetInForce, budgetsOf, type Subject } from "./budgets.ts"
import { type BudgetState, prepareBudgets, readBudgetStates } from "./decide.ts"
import { type Forecast, forecast, FORECAST_WEEKS } from "./forecast.ts"
import { calendarOf } from "./periods.ts"
import { addPeriods, type BudgetOf, readStandings, standingKey, usedOf } from "./standing.ts"
import { getUse, listDisclosedNodes, listTeamDays, type TeamDay } from "./use.ts"

/** A budget as a page shows it. */
export interface ShownBudget {
  readonly id: string
  readonly layerId: string
  /** Whose policy it is in: the organization's, a team's by its name, or a person's. */
  readonly layer: { readonly kind: PolicyLayerKind; readonly name: string | null }
  readonly scope: PolicyBudget["scope"]
  readonly period: PolicyBudget["period"]
  readonly unit: "usd" | "tokens"
  readonly limit: number
  readonly hard: PolicyBudget["hard"]
  readonly softThresholds: readonly number[]
  readonly resetsAt: Date
  readonly timeZone: string
  /** `person` shows how many people are in which band, nobody's own figure. */
  readonly figures: BudgetFigures | PeopleInBands
}

/** How a budget of a team or the organization stands. */
export interface BudgetFigures {
  readonly kind: "total"
  readonly subject: Subject
  /** The team's name; null for the organization. */
  readonly name: string | null
  /** `withheld`: fewer than k people are behind it, or it would tell of such a group. */
  readonly state: "shown" | "withheld" | "no_data"
  /** In the budget's unit; null unless it is shown. */
  readonly spent: number | null
  readonly reserved: number | null
  readonly people: number | null
  /** Tokens without a price, which `spent` lacks. */
  readonly unpricedTokens: number | null
  readonly forecast: Forecast | null
  /** Thresholds that were reached in this period, with when that was seen. */
  readonly crossings: readonly { readonly threshold: number; readonly at: Date }[]
}

/** How many people have used how much of a budget that each of them has. */
export interface PeopleInBands {
  readonly kind: "bands"
  /** From the first threshold on, each up to the next; the last is of those who have used all. */
  readonly bands: readonly {
    readonly from: number
    /** Null is withheld. */
    readonly people: number | null
  }[]
}

const DAY_MS = 86_400_000

/**
 * The budgets in force that a viewer may read, of every layer: the organization's, those of readable teams, and for each
 * budget of everyone's own how many people stand where. A person's own policy is for that person alone.
 */
export async function listBudgets(
  tx: TenantTx,
  args: { readonly orgId: string; readonly readable: Readable; readonly now: Date },
): Promise<readonly ShownBudget[]> {
  const { orgId, readable, now } = args
  const { timeZone } = await getOrganization(tx)
  const policies = await readPolicies(tx, now)
  const teams = new Map(
    (await tx.selectFrom("team").select(["id", "name", "parent_team_id"]).execute()).map((team) => [team.id, team]),
  )
  const disclosed = new Map<string, ReadonlyMap<string, DisclosedNode>>()
  const days = new Map<string, readonly TeamDay[]>()
  const shown: ShownBudget[] = []
  for (const inForce of budgetsOf(policies.layers, { now, timeZone })) {
    const { layer, budget, period } = inForce
    if (layer.kind === "developer") continue
    if (layer.teamId !== null && !readable.teamIds.includes(layer.teamId)) continue
    const head = {
      id: budget.id,
      layerId: layer.id,
      layer: { kind: layer.kind, name: layer.teamId === null ? null : (teams.get(layer.teamId)?.name ?? null) },
      scope: budget.scope,
      period: budget.period,
      unit: budget.limit.unit,
      limit: budget.limit.amount,
      hard: budget.hard,
      softThresholds: softOf(budget),
      resetsAt: period.endsAt,
      timeZone: inForce.timeZone,
    }
    if (budget.scope === "person") {
      if (layer.teamId === null && !readable.organization) continue
      shown.push({ ...head, figures: { kind: "bands", bands: await countBands(tx, inForce) } })
      continue
    }
    const span = `${period.startsAt.getTime()} ${period.endsAt.getTime()}`
    const nodes =
      disclosed.get(span) ??
      new Map((await listDisclosedNodes(tx, { period, timeZone })).map((node) => [node.id, node] as const))
    disclosed.set(span, nodes)
    const perDay =
      days.get(inForce.timeZone) ?? (await listForecastDays(tx, { now, timeZone, dayZone: inForce.timeZone }))
    days.set(inForce.timeZone, perDay)
    const ids =
      budget.scope === "organization"
        ? readable.organization
          ? [orgId]
          : []
        : layer.teamId !== null
          ? [layer.teamId]
          : [...teams.values()].flatMap(({ id, parent_team_id: parent }) =>
              parent === null && readable.teamIds.includes(id) ? [id] : [],
            )
    for (const id of ids) {
      const subject: Subject = { kind: budget.scope, id }
      const name = teams.get(id)?.name ?? null
      const figures = await figuresOf(tx, {
        of: { ...inForce, subject },
        orgId,
        timeZone,
        now,
        node: nodes.get(id),
        perDay,
      })
      shown.push({ ...head, figures: { ...figures, subject, name } })
    }
  }
  return shown
}

interface DisclosedNode {
  readonly people: number
  readonly isVisible: boolean
}

async function figuresOf(
  tx: TenantTx,
  args: {
    readonly of: BudgetOf
    readonly orgId: string
    readonly timeZone: string
    readonly now: Date
    readonly node: DisclosedNode | undefined
    readonly perDay: readonly TeamDay[]
  },
): Promise<Omit<BudgetFigures, "subject" | "name">> {
  const { of, node, now } = args
  const nothing = { kind: "total", spent: null, reserved: null, people: null, unpricedTokens: null } as const
  if (node === undefined) return { ...nothing, state: "no_data", forecast: null, crossings: [] }
  if (!node.isVisible) return { ...nothing, state: "withheld", forecast: null, crossings: [] }
  const key = standingKey(of)
  const found = (await readStandings(tx, { of: [of], now, isLocked: false })).get(key)
  if (found === undefined) {
    // Before the first count: as the loop will have it in a few seconds.
    const use = await getUse(tx, { period: of.period, timeZone: args.timeZone, subject: of.subject })
    await addPeriods(tx, { orgId: args.orgId, rows: [{ ...of, use }], now })
  }
  const standing = found ?? (await readStandings(tx, { of: [of], now, isLocked: false })).get(key)
  const spent = standing?.spent ?? 0
  return {
    kind: "total",
    state: "shown",
    spent,
    reserved: standing?.reserved ?? 0,
    people: node.people,
    unpricedTokens: of.budget.limit.unit === "usd" ? (standing?.unpricedTokens ?? 0) : 0,
    forecast: forecastOf(of, { spent, perDay: args.perDay, now }),
    crossings: await listCrossings(tx, of),
  }
}

function softOf({ softThresholds }: PolicyBudget): readonly number[] {
  return (softThresholds ?? SOFT_THRESHOLDS).toSorted((a, b) => a - b)
}

/** From the days of the last four weeks, in the budget's own zone. */
function listForecastDays(
  tx: TenantTx,
  { now, timeZone, dayZone }: { readonly now: Date; readonly timeZone: string; readonly dayZone: string },
): Promise<readonly TeamDay[]> {
  const calendar = calendarOf(dayZone)
  const dayAt = (days: number) => calendar.startOf(calendar.dayAt(new Date(now.getTime() + days * DAY_MS)))
  const period = { startsAt: dayAt(-(FORECAST_WEEKS * 7 + 1)), endsAt: dayAt(1) }
  return listTeamDays(tx, { period, timeZone, dayZone })
}

function forecastOf(
  of: BudgetOf,
  { spent, perDay, now }: { readonly spent: number; readonly perDay: readonly TeamDay[]; readonly now: Date },
): Forecast {
  const { subject, period } = of
  const calendar = calendarOf(of.timeZone)
  const today = calendar.dayAt(now)
  const days = new Map<string, number>()
  for (const use of perDay) {
    const isOf = subject.kind === "organization" || use.topTeamId === subject.id || use.subTeamId === subject.id
    if (isOf) days.set(use.day, (days.get(use.day) ?? 0) + usedOf(of, use))
  }
  const since = [...days].flatMap(([day, used]) => (used > 0 ? [day] : [])).toSorted()[0] ?? null
  const until = calendar.dayAt(period.endsAt)
  return forecast({ spent, spentToday: days.get(today) ?? 0, days, since, today, until })
}

async function listCrossings(tx: TenantTx, { layer, budget, subject, period }: BudgetOf) {
  const rows = await tx
    .selectFrom("budget_crossing")
    .select([sql<number>`threshold::float8`.as("threshold"), "crossed_at as at"])
    .where("layer_id", "=", layer.id)
    .where("budget_id", "=", budget.id)
    .where("subject_id", "=", subject.id)
    .where("unit", "=", budget.limit.unit)
    .where("starts_at", "=", period.startsAt)
    .orderBy("threshold")
    .execute()
  return rows
}

/**
 * How many people are in each band of a budget that each of them has. Fewer than k are withheld, and so is what would tell
 * them by subtraction: a band shows when the smaller ones together are nobody or at least k.
 */
async function countBands(tx: TenantTx, { layer, budget, period }: BudgetInForce): Promise<PeopleInBands["bands"]> {
  const edges = [0, ...softOf(budget), 1]
  const found = await sql<{ from: number; people: number | null }>`
    with band as (
      select edge::float8 as "from", (
        select count(*) from budget_period p
        where p.layer_id = ${layer.id} and p.budget_id = ${budget.id} and p.unit = ${budget.limit.unit}
          and p.starts_at = ${period.startsAt} and p.spent > 0
          and width_bucket((p.spent / ${budget.limit.amount}::numeric)::float8, ${edges}::float8[]) = place
      )::int as people
      from unnest(${edges}::float8[]) with ordinality as edges (edge, place)
    ), ordered as (
      select *, coalesce(sum(people) over (order by people, "from" rows between unbounded preceding and 1 preceding), 0)
        as before
      from band
    )
    select "from", case
      when people = 0 and before = 0 and (select sum(people) from band) >= ${MIN_GROUP_SIZE} then 0
      when people >= ${MIN_GROUP_SIZE} and (before = 0 or before >= ${MIN_GROUP_SIZE}) then people
    end as people
    from ordered order by "from"`.execute(tx)
  return found.rows
}

/** How the budgets stand that bind a person, for that person. */
export async function listOwnBudgets(
  tx: TenantTx,
  args: { readonly orgId: string; readonly developerId: string; readonly now: Date },
): Promise<readonly BudgetState[]> {
  const prepared = await prepareBudgets(tx, { ...args, policies: await readPolicies(tx, args.now) })
  return readBudgetStates(tx, prepared, args.now)
}
