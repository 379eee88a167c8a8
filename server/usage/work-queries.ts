import { sql } from "kysely"
import type { Rung } from "#sdk/ladder.ts"
import type { TenantTx } from "../db/tenant.ts"
import { disclosedCuts, MIN_GROUP_SIZE } from "../privacy/disclosure.ts"
import { SEVERAL } from "../rollup/work.ts"
import { type FigureState, stateOf } from "../rungs/figures.ts"
import { atNodes, shownFamilies } from "../outcomes/placed-work.ts"
import { hasAsManyWeeks, type UsageScope } from "./queries.ts"
import { pricesOf, workOf } from "./work.ts"

/** What operations of one kind took, as far as sources tell of it. */
export interface WorkSpend {
  /** Input and output of their calls of models. */
  readonly tokens: number
  /** US dollars: what sources say, and by the price table of the day what others cost. */
  readonly usd: number
  /** Tokens without a price, of which `usd` has nothing. */
  readonly unpricedTokens: number
  /** `usd` of the period before; null unless as many weeks of it as of this one may be shown. */
  readonly previousUsd: number | null
}

/** Operations of one kind, of the weeks that may be shown. */
export interface Work {
  readonly rung: Rung
  readonly state: FigureState
  /** Null unless shown. */
  readonly operations: number | null
  readonly people: number | null
  /** `operations` of the period before; null unless as many weeks of it as of this one may be shown. */
  readonly previous: number | null
  readonly spendState: FigureState
  /** Null unless shown. */
  readonly spend: WorkSpend | null
}

/** What operations are cut by, of the whole organization. */
export const CUTS = ["agent_tool", "mode", "language"] as const
export type Cut = (typeof CUTS)[number]

export interface WorkPiece extends Work {
  readonly cut: Cut
  /** Null when withheld, where sources name none, and where operations have several. */
  readonly name: string | null
  readonly hasSeveral: boolean
}

interface RawWork {
  readonly rung: Rung
  readonly is_shown: boolean | null
  readonly operations: number | null
  readonly people: number | null
  readonly previous: number | null
  readonly has_spend: boolean | null
  readonly is_spend_shown: boolean | null
  readonly tokens: number | null
  readonly usd: number | null
  readonly unpriced_tokens: number | null
  readonly previous_usd: number | null
}

/** Of rows of `work` with what of them may be shown. */
const SUMS = sql`
  bool_or(is_volume_shown) filter (where is_current) as is_shown,
  sum(operations) filter (where is_volume_shown and is_current)::int as operations,
  count(distinct developer_id) filter (where is_volume_shown and is_current)::int as people,
  case when ${hasAsManyWeeks(sql`is_volume_shown`)}
    then sum(operations) filter (where is_volume_shown and not is_current)::int end as previous,
  coalesce(sum(calls) filter (where is_current), 0) > 0 as has_spend,
  bool_or(is_spend_shown) filter (where is_current) as is_spend_shown,
  sum(tokens) filter (where is_spend_shown and is_current)::int8 as tokens,
  sum(usd) filter (where is_spend_shown and is_current)::float8 as usd,
  sum(unpriced_tokens) filter (where is_spend_shown and is_current)::int8 as unpriced_tokens,
  case when ${hasAsManyWeeks(sql`is_spend_shown`)}
    then sum(usd) filter (where is_spend_shown and not is_current)::float8 end as previous_usd`

const BY = sql`agent_tool_id, mode_id, language_id`

/** Operations are of whoever had any part in one, as on the ladder; what they took is of those whose sources tell of it. */
const FAMILIES = { volume: sql`true`, spend: sql`calls > 0` }

/**
 * Operations by rung and agent tool, mode and language, with what they took, each the most first. An operation of which signals
 * name several modes or languages is of none of them.
 */
export async function listWork(tx: TenantTx, scope: Omit<UsageScope, "teamId">): Promise<readonly WorkPiece[]> {
  const prices = await pricesOf(tx, scope)
  const figureOf = (cut: Cut) => sql`
    select ${sql.lit(cut)} as cut, rung, piece_id, ${SUMS}
    from (
      select w.*, ${sql.ref(`w.${cut}_id`)} as piece_id, coalesce(v.is_visible, false) as is_volume_shown,
        coalesce(s.is_visible, false) as is_spend_shown
      from work w
      left join ${sql.id(`disclosed_${cut}`)} v
        on (v.week, v.rung, v.family, v.piece_id) = (w.week, w.rung, 'volume', ${sql.ref(`w.${cut}_id`)})
      left join ${sql.id(`disclosed_${cut}`)} s
        on (s.week, s.rung, s.family, s.piece_id) = (w.week, w.rung, 'spend', ${sql.ref(`w.${cut}_id`)})
    ) seen
    group by rung, piece_id having bool_or(is_current and operations > 0)`
  const found = await sql<RawWork & { cut: Cut; piece_id: number; name: string | null }>`
    with ${workOf(scope, prices, BY)}, cut_contribution as (
      select distinct week, rung, family, day, top_team_id, sub_team_id, developer_id, agent_tool_id, mode_id, language_id
      from work cross join lateral (
        values ('volume', ${FAMILIES.volume}), ('spend', ${FAMILIES.spend})
      ) part (family, is_theirs)
      where is_theirs
    ), ${shownFamilies("work", FAMILIES)}, ${disclosedCuts(MIN_GROUP_SIZE, CUTS)}, figure as (
      ${sql.join(CUTS.map(figureOf), sql` union all `)}
    )
    select f.*, d.value as name from figure f left join dimension d on d.id = f.piece_id
    order by f.cut, f.rung desc, f.operations desc nulls last, d.value`.execute(tx)
  return found.rows.map((row) => ({
    ...toWork(row),
    cut: row.cut,
    name: row.is_shown === true ? row.name : null,
    hasSeveral: row.is_shown === true && row.piece_id === SEVERAL,
  }))
}

/** Operations by rung with what they took, of the organization or of a team; always four, the lowest rung first. */
export async function listRungWork(tx: TenantTx, scope: UsageScope): Promise<readonly Work[]> {
  const prices = await pricesOf(tx, scope)
  const found = await sql<RawWork>`
    with ${workOf(scope, prices, BY)}, ${shownFamilies("work", FAMILIES)}
    select r.rung, f.* from unnest(enum_range(null::rung)) as r (rung) left join (
      select rung as of_rung, ${SUMS}
      from (${atNodes("work", scope.teamId)}) placed where is_main group by rung having bool_or(is_current and operations > 0)
    ) f on f.of_rung = r.rung
    order by r.rung`.execute(tx)
  return found.rows.map(toWork)
}

/** Of a rung without any the query gives nothing but its name. */
function toWork(row: RawWork): Work {
  const { rung, operations, people, previous, tokens, usd, unpriced_tokens: unpricedTokens } = row
  const state = row.has_spend === null ? "no_data" : stateOfShown(row.is_shown)
  const spendState = row.has_spend === true ? stateOfShown(row.is_spend_shown) : "no_data"
  return {
    rung,
    state,
    ...(state === "shown" ? { operations, people, previous } : { operations: null, people: null, previous: null }),
    spendState,
    spend:
      spendState === "shown" && tokens !== null && usd !== null
        ? { tokens, usd, unpricedTokens: unpricedTokens ?? 0, previousUsd: row.previous_usd }
        : null,
  }
}

const stateOfShown = (isShown: boolean | null): FigureState => stateOf({ shown: isShown === true ? 1 : 0, total: 1 })
