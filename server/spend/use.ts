import { type RawBuilder, sql } from "kysely"
import type { TenantTx } from "../db/tenant.ts"
import { MEMBERSHIP } from "../rungs/membership.ts"
import { disclosureOf, MIN_GROUP_SIZE } from "../privacy/disclosure.ts"
import { NO_PRICES, type PricedNames, priceNames, priceRows } from "./price-table.ts"
import { calendarOf, type Period } from "./periods.ts"
import type { Subject } from "./budgets.ts"

/** What calls of models took. */
export interface Use {
  /** What sources say that calls cost, and by the price table of the day what others did. */
  readonly usd: number
  /** Input and output. */
  readonly tokens: number
  /** Tokens of calls of which no cost and no price is known; `usd` lacks them. */
  readonly unpricedTokens: number
  /** Whose use it is. */
  readonly people: number
}

export const NO_USE: Use = { usd: 0, tokens: 0, unpricedTokens: 0, people: 0 }

/** Use of one person while they were in one team. */
export interface PersonUse extends Use {
  readonly personId: string
  readonly topTeamId: string | null
  readonly subTeamId: string | null
}

interface UseScope {
  /** `[startsAt, endsAt)`. */
  readonly period: Period
  /** IANA zone of the days on which people are in a team. */
  readonly timeZone: string
  /** Whose use; the organization's is everyone's. */
  readonly subject?: Subject | undefined
}

const FIGURES = sql`developer_id, model_id, provider_id, calls, input_tokens, output_tokens, cost_usd, open_input_tokens,
  open_cached_tokens, open_output_tokens`

/**
 * Use in a period, `at` some moment of which its price is: by day and the UTC days that it has part in, with which prices
 * change, or by quarter of an hour where days are not those of the organization, or not whole.
 */
function useIn({ period, timeZone }: UseScope, isBySlot: boolean): RawBuilder<unknown> {
  const slots = (condition: RawBuilder<unknown>) => sql`
    select ${FIGURES}, slot as at, (slot at time zone ${timeZone})::date as day from model_use
    where org_id = (select id from org) and slot >= ${period.startsAt} and slot < ${period.endsAt} and ${condition}`
  const days = isBySlot ? null : wholeDays(period, timeZone)
  if (days === null) return slots(sql`true`)
  // After a change of zone the days are those of the one before until they are made anew.
  const isDaily = sql`(
    select o.time_zone = ${timeZone} and s.needs_rebuild is false from org o join rollup_state s on s.org_id = o.id)`
  return sql`
    select ${FIGURES}, utc_day::timestamp at time zone 'UTC' as at, day from model_use_day
    where org_id = (select id from org) and day >= ${days.from}::text::date and day < ${days.until}::text::date and ${isDaily}
    union all ${slots(sql`${isDaily} is not true`)}`
}

/** The days that a period is made of, `until` not among them; null when it begins or ends within one. */
function wholeDays({ startsAt, endsAt }: Period, timeZone: string): { from: string; until: string } | null {
  const calendar = calendarOf(timeZone)
  const [from, until] = [calendar.dayAt(startsAt), calendar.dayAt(endsAt)]
  const isWhole =
    calendar.startOf(from).getTime() === startsAt.getTime() && calendar.startOf(until).getTime() === endsAt.getTime()
  return isWhole ? { from, until } : null
}

/**
 * Common table expressions `price`, `membership` and `used (person_id, at, day, top_team_id, sub_team_id, model_id, calls,
 * usd, tokens, unpriced_tokens)`: use with the prices of its time, by person and the team they were in on the day of it. What comes
 * late is of the time at which it was. `at` is no more exact than needed, or to a quarter of an hour `isBySlot`.
 */
export function usedOf(scope: UseScope, prices: PricedNames, isBySlot = false): RawBuilder<unknown> {
  const { subject } = scope
  const tokens = sql`u.open_input_tokens + u.open_output_tokens`
  const whose =
    subject?.kind === "person"
      ? sql`u.developer_id in (select id from developer where id = ${subject.id} or merged_into_id = ${subject.id})`
      : subject?.kind === "team"
        ? sql`(team.top_team_id = ${subject.id} or team.sub_team_id = ${subject.id})`
        : sql`true`
  return sql`
    ${MEMBERSHIP}, ${priceRows(prices)}, used as (
      select coalesce(person.merged_into_id, u.developer_id) as person_id, u.at, u.day, team.top_team_id, team.sub_team_id, u.model_id, u.calls,
        u.cost_usd + coalesce(
          ((u.open_input_tokens - u.open_cached_tokens) * p.input_usd + u.open_cached_tokens * p.cached_usd
            + u.open_output_tokens * p.output_usd) / 1000000, 0) as usd,
        u.input_tokens + u.output_tokens as tokens,
        case when p.input_usd is null then ${tokens} else 0 end as unpriced_tokens
      from (${useIn(scope, isBySlot)}) u
      -- An identity that was found to be someone's is counted as theirs.
      left join developer person on person.id = u.developer_id
      left join membership team on team.developer_id = coalesce(person.merged_into_id, u.developer_id)
        and u.day >= team.valid_from and (team.valid_to is null or u.day < team.valid_to)
      left join price p on p.model_id = u.model_id and p.provider_id = u.provider_id
        and u.at >= p.valid_from and u.at < p.valid_until
      where ${whose}
    )`
}

const SUMS = sql`sum(usd)::float8 as usd, sum(tokens)::int8 as tokens, sum(unpriced_tokens)::int8 as "unpricedTokens",
  count(distinct person_id)::int as people`

/** What a subject used in a period. */
export async function getUse(tx: TenantTx, scope: UseScope & { readonly subject: Subject }): Promise<Use> {
  const prices = await priceNames(tx, scope.period.startsAt)
  const found = await sql<Use>`
    with ${usedOf(scope, prices)}
    select coalesce(sum(usd), 0)::float8 as usd, coalesce(sum(tokens), 0)::int8 as tokens,
      coalesce(sum(unpriced_tokens), 0)::int8 as "unpricedTokens", count(distinct person_id)::int as people
    from used`.execute(tx)
  return found.rows[0] ?? NO_USE
}

/** What everybody used in a period, by person and the teams that they were in. */
export async function listUse(tx: TenantTx, scope: UseScope): Promise<readonly PersonUse[]> {
  const prices = await priceNames(tx, scope.period.startsAt)
  const found = await sql<PersonUse>`
    with ${usedOf(scope, prices)}
    select person_id as "personId", top_team_id as "topTeamId", sub_team_id as "subTeamId", ${SUMS}
    from used group by 1, 2, 3`.execute(tx)
  return found.rows
}

/** What the members of a team used on a day; both ids are null for people in no team. */
export interface TeamDay extends Use {
  /** `YYYY-MM-DD`. */
  readonly day: string
  readonly topTeamId: string | null
  readonly subTeamId: string | null
}

/** What was used by team and day of a time zone, which need not be the organization's. */
export async function listTeamDays(
  tx: TenantTx,
  scope: UseScope & { readonly dayZone: string },
): Promise<readonly TeamDay[]> {
  const prices = await priceNames(tx, scope.period.startsAt)
  const isOther = scope.dayZone !== scope.timeZone
  const found = await sql<TeamDay>`
    with ${usedOf(scope, prices, isOther)}
    select ${isOther ? sql`(at at time zone ${scope.dayZone})::date::text` : sql`day::text`} as day, top_team_id as "topTeamId",
      sub_team_id as "subTeamId", ${SUMS}
    from used group by 1, 2, 3`.execute(tx)
  return found.rows
}

/** Of the organization and its teams: how many people used something in a period, and whether figures of it may be shown. */
export async function listDisclosedNodes(tx: TenantTx, scope: UseScope) {
  const found = await sql<{ id: string; people: number; isVisible: boolean }>`
    with ${usedOf(scope, NO_PRICES)}, contribution as (
      select ${scope.period.startsAt}::timestamptz as week, 'chat'::rung as rung, 'volume' as family, day,
        top_team_id, sub_team_id, person_id as developer_id
      from used
    ), ${disclosureOf(MIN_GROUP_SIZE)}
    select node_id as id, people, is_visible as "isVisible" from disclosed_node where node_id is not null`.execute(tx)
  return found.rows
}

/** A model that was used and whose tokens have no price. */
export interface UnpricedModel {
  /** As the source names it; null where it names none. */
  readonly model: string | null
  readonly provider: string | null
  readonly calls: number
  readonly tokens: number
  readonly lastAt: Date
}

/** Models without a price whose calls the source gave no cost of, the most used first. */
export async function listUnpricedModels(tx: TenantTx, from: Date): Promise<readonly UnpricedModel[]> {
  const prices = await priceNames(tx, from)
  const found = await sql<UnpricedModel>`
    with price as (
      select * from unnest(${prices.modelIds}::int[], ${prices.providerIds}::int[], ${prices.from}::text[]::timestamptz[],
        ${prices.until}::text[]::timestamptz[]) as price (model_id, provider_id, valid_from, valid_until)
    )
    select m.value as model, n.value as provider, sum(u.open_calls)::int8 as calls,
      sum(u.open_input_tokens + u.open_output_tokens)::int8 as tokens, max(u.slot) as "lastAt"
    from model_use u
    left join dimension m on m.id = u.model_id left join dimension n on n.id = u.provider_id
    where u.slot >= ${from} and u.open_calls > 0 and not exists (
      select from price p where p.model_id = u.model_id and p.provider_id = u.provider_id
        and u.slot >= p.valid_from and u.slot < p.valid_until
    )
    group by 1, 2 order by tokens desc, 1, 2`.execute(tx)
  return found.rows
}

/** Recent calls that say how large a call of a model is. */
const SIZE_DAYS = 7

/** Mean tokens of a call by names as sources give them, over the last days. */
export async function listCallSizes(tx: TenantTx, now: Date) {
  const from = new Date(now.getTime() - SIZE_DAYS * 86_400_000)
  const found = await sql<{
    model: string
    provider: string | null
    calls: number
    inputTokens: number
    outputTokens: number
  }>`
    select m.value as model, n.value as provider, sum(u.calls)::int8 as calls,
      sum(u.input_tokens)::int8 as "inputTokens", sum(u.output_tokens)::int8 as "outputTokens"
    from model_use_day u join dimension m on m.id = u.model_id left join dimension n on n.id = u.provider_id
    where u.utc_day >= (${from}::timestamptz at time zone 'UTC')::date
      and u.utc_day <= (${now}::timestamptz at time zone 'UTC')::date
    group by 1, 2 having sum(u.calls) > 0`.execute(tx)
  return found.rows
}
