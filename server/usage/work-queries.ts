import { sql } from "kysely"
import { type Rung, RUNGS } from "#sdk/ladder.ts"
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

export interface WorkFigures {
  /** Always four, the lowest rung first. */
  readonly rungs: readonly Work[]
  /** Null of a team, which is not cut by these as well. */
  readonly pieces: readonly WorkPiece[] | null
}

interface RawWork {
  readonly rung: Rung
  readonly is_shown: boolean | null
  readonly operations: number | null
  readonly people: number | null
  readonly previous: number | null
  readonly has_spend: boolean
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
 * Operations with what they took, by rung; of the whole organization also by agent tool, mode and language, each the most first.
 * An operation of which signals name several modes or languages is of none of them.
 */
export async function getWork(tx: TenantTx, scope: UsageScope): Promise<WorkFigures> {
  const { teamId } = scope
  const prices = await pricesOf(tx, scope)
  const shownOf = (cut: Cut, family: keyof typeof FAMILIES) => sql`
    ((week, rung, ${sql.ref(`${cut}_id`)}) in (
      select week, rung, piece_id from ${sql.id(`disclosed_${cut}`)} where is_visible and family = ${sql.lit(family)}
    )) is true as ${sql.id(`is_${family}_shown`)}`
  const pieces = CUTS.map(
    (cut) => sql`
      select ${sql.lit(cut)} as cut, rung, ${sql.ref(`${cut}_id`)} as piece_id, ${SUMS}
      from (select *, ${shownOf(cut, "volume")}, ${shownOf(cut, "spend")} from work) seen
      group by rung, ${sql.ref(`${cut}_id`)} having bool_or(is_current and operations > 0)`,
  )
  const ofRungs = sql`
    select 'rung' as cut, rung, null::int as piece_id, ${SUMS}
    from (${atNodes("work", teamId)}) placed where is_main group by rung having bool_or(is_current and operations > 0)`
  const found = await sql<RawWork & { cut: Cut | "rung"; piece_id: number | null; name: string | null }>`
    with ${workOf(scope, prices, BY)}, cut_contribution as (
      select distinct week, rung, family, day, top_team_id, sub_team_id, developer_id, agent_tool_id, mode_id, language_id
      from work cross join lateral (
        values ('volume', ${FAMILIES.volume}), ('spend', ${FAMILIES.spend})
      ) part (family, is_theirs)
      where is_theirs
    ), ${shownFamilies("work", FAMILIES)}, ${teamId === null ? sql`${disclosedCuts(MIN_GROUP_SIZE, CUTS)}, ` : sql``}figure as (
      ${sql.join(teamId === null ? [ofRungs, ...pieces] : [ofRungs], sql` union all `)}
    )
    select f.*, d.value as name from figure f left join dimension d on d.id = f.piece_id
    order by f.cut, f.rung desc, f.operations desc nulls last, d.value`.execute(tx)
  return {
    rungs: RUNGS.map((rung) => {
      const row = found.rows.find((one) => one.cut === "rung" && one.rung === rung)
      return row === undefined ? { ...NONE, rung } : toWork(row)
    }),
    pieces: teamId !== null ? null : found.rows.flatMap((row) => (row.cut === "rung" ? [] : [toPiece(row, row.cut)])),
  }
}

const NONE = {
  state: "no_data",
  operations: null,
  people: null,
  previous: null,
  spendState: "no_data",
  spend: null,
} as const

function toPiece(row: RawWork & { piece_id: number | null; name: string | null }, cut: Cut): WorkPiece {
  const isShown = row.is_shown === true
  return { ...toWork(row), cut, name: isShown ? row.name : null, hasSeveral: isShown && row.piece_id === SEVERAL }
}

function toWork(row: RawWork): Work {
  const { rung, operations, people, previous, tokens, usd, unpriced_tokens: unpricedTokens } = row
  const state = stateOfShown(row.is_shown)
  const spendState = row.has_spend ? stateOfShown(row.is_spend_shown) : "no_data"
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
