import { type RawBuilder, sql } from "kysely"
import { policyFacts } from "#sdk/policy/facts.ts"
import type { TenantTx } from "../db/tenant.ts"
import type { PolicyBecause, PolicyEffect, PolicyLayerKind, Rung } from "../db/types.ts"
import { disclosureOf, MIN_GROUP_SIZE } from "../privacy/disclosure.ts"
import { MEMBERSHIP } from "../rungs/membership.ts"
import { toDocument } from "./layers.ts"

/** What is not given is not filtered by. */
export interface DecisionFilter {
  readonly effect?: PolicyEffect | undefined
  readonly because?: PolicyBecause | undefined
  readonly rung?: Rung | undefined
  /** The rule's id, whole. */
  readonly rule?: string | undefined
  /** A part of the action. */
  readonly action?: string | undefined
  /** The agent tool's name, whole. */
  readonly agentTool?: string | undefined
}

export interface DecisionScope {
  /** Inclusive, when a day begins in the zone. */
  readonly from: Date
  /** Exclusive. */
  readonly to: Date
  /** IANA zone of the days, the organization's. */
  readonly timeZone: string
  /** Members of this team and its parts as of each day; null for the whole organization. */
  readonly teamId: string | null
  /** A team has days only, whatever is asked for. */
  readonly bucket: "day" | "hour"
  readonly filter: DecisionFilter
}

/** Decisions of one kind in one day or hour. */
export interface DecisionRow {
  /** When the day or hour begins. */
  readonly bucketStart: Date
  /** Null where the client said a word that no policy has. */
  readonly effect: PolicyEffect | null
  readonly because: PolicyBecause | null
  /** Null when none decided. */
  readonly rule: string | null
  readonly layer: PolicyLayerKind | null
  /** The release that the client went by; null without a policy. */
  readonly policyVersion: number | null
  /** The release that was in force when the day or hour began; null when there was none. */
  readonly versionInForce: number | null
  readonly action: string | null
  readonly agentTool: string
  readonly rung: Rung
  readonly decisions: number
  /** At least k. */
  readonly people: number
}

export interface DecisionPage {
  readonly rows: readonly DecisionRow[]
  /** Of all pages. */
  readonly total: number
  /** Decisions by effect, of all rows that are shown on any page. */
  readonly denied: number
  readonly asked: number
  readonly allowed: number
  /**
   * Days or hours on which there were others, by groups too small to say more. 0 with a filter: that something is left
   * of it would tell what.
   */
  readonly withheldBuckets: number
}

/** One kind of decision: what the same people have to be behind for it to be shown. */
const KIND = ["effect", "because", "rule", "layer", "policy_version", "action", "agent_tool_id", "rung"]
const OF_CELL = sql.raw(KIND.map((column) => `c.${column}`).join(", "))

/**
 * What policies decided, by day or hour, the newest first and the strictest first in each.
 *
 * Every kind of decision is held apart for each day as a figure of the ladder is: shown of the organization, and of its
 * teams, by groups of at least k people, so that no two of them tell of a smaller one. Hours are shown as days of a week
 * are. A filter takes whole kinds away, and changes nothing of the others.
 */
export async function listDecisions(
  tx: TenantTx,
  args: DecisionScope & { readonly offset: number; readonly limit: number },
): Promise<DecisionPage> {
  const { teamId, filter, offset, limit } = args
  const byHour = args.bucket === "hour" && teamId === null
  const node = teamId === null ? sql`(select id from org)` : sql`${teamId}::uuid`
  const isOfTeam = teamId === null ? sql`true` : sql`${teamId}::uuid in (top_team_id, sub_team_id)`
  const shown = byHour
    ? sql`join disclosed_day n on (n.week, n.rung, n.family, n.day) = (c.day, c.rung, c.family, c.hour)`
    : sql`join disclosed_node n on (n.week, n.rung, n.family, n.node_id) = (c.day, c.rung, c.family, ${node})`
  const bucket = byHour ? sql.ref("hour") : sql.ref("day")
  const isFiltered = Object.values(filter).some((value) => value !== undefined)
  const found = await sql<
    { rows: readonly (Omit<DecisionRow, "bucketStart"> & { bucketStart: string })[] } & Omit<DecisionPage, "rows">
  >`
    with ${MEMBERSHIP}, cell as (
      select d.hour, date_trunc('day', d.hour, ${args.timeZone}) as day, c.rung, md5(row(${OF_CELL})::text) as family,
        team.top_team_id, team.sub_team_id, person.id as developer_id, d.signals, c.effect, c.because, c.rule, c.layer,
        c.policy_version, c.action, c.agent_tool_id
      from decision_hour d
      join decision_case c on c.org_id = d.org_id and c.id = d.case_id
      -- An identity that was found to be someone's is counted as theirs.
      join lateral (
        select coalesce(max(merged_into_id::text)::uuid, d.developer_id) as id from developer where id = d.developer_id
      ) person on true
      left join membership team on team.developer_id = person.id
        and (d.hour at time zone ${args.timeZone})::date >= team.valid_from
        and (team.valid_to is null or (d.hour at time zone ${args.timeZone})::date < team.valid_to)
      where d.hour >= ${args.from} and d.hour < ${args.to} and c.kind = 'policy_decision' and ${conditionOf(filter)}
    ), contribution as (
      select distinct day as week, rung, family, hour as day, top_team_id, sub_team_id, developer_id from cell
    ), ${disclosureOf(MIN_GROUP_SIZE)}, shown as (
      select c.${bucket} as bucket, ${OF_CELL}, max(n.people)::int as people, sum(c.signals)::int as decisions
      from cell c ${shown}
      where n.is_visible and ${isOfTeam}
      group by c.${bucket}, ${OF_CELL}
    ), page as (
      select s.*, tool.value as agent_tool,
        (select max(version) from policy_release where released_at <= s.bucket) as version_in_force,
        row_number() over (order by bucket desc, effect desc nulls last, decisions desc, rule, action, s.agent_tool_id, rung,
          policy_version, because) as place
      from shown s join dimension tool on tool.id = s.agent_tool_id
    )
    select
      (select count(*) from shown)::int as total,
      (select coalesce(sum(decisions), 0) from shown where effect = 'deny')::int as denied,
      (select coalesce(sum(decisions), 0) from shown where effect = 'ask')::int as asked,
      (select coalesce(sum(decisions), 0) from shown where effect = 'allow')::int as allowed,
      ${isFiltered ? sql`0` : sql`(select count(distinct c.${bucket}) from cell c left ${shown} where ${isOfTeam} and n.is_visible is not true)::int`}
        as "withheldBuckets",
      (
        select coalesce(jsonb_agg(jsonb_build_object(
          'bucketStart', bucket, 'effect', effect, 'because', because, 'rule', rule, 'layer', layer,
          'policyVersion', policy_version, 'versionInForce', version_in_force, 'action', action, 'agentTool', agent_tool,
          'rung', rung, 'decisions', decisions, 'people', people) order by place), '[]')
        from page where place > ${offset} and place <= ${offset + limit}
      ) as rows`.execute(tx)
  const [page] = found.rows
  if (page === undefined) throw new Error("a query without a from gives one row")
  return { ...page, rows: page.rows.map((row) => ({ ...row, bucketStart: new Date(row.bucketStart) })) }
}

function conditionOf(filter: DecisionFilter): RawBuilder<unknown> {
  const conditions: RawBuilder<unknown>[] = [sql`true`]
  if (filter.effect !== undefined) conditions.push(sql`c.effect = ${filter.effect}::policy_effect`)
  if (filter.because !== undefined) conditions.push(sql`c.because = ${filter.because}::policy_because`)
  if (filter.rung !== undefined) conditions.push(sql`c.rung = ${filter.rung}::rung`)
  if (filter.rule !== undefined) conditions.push(sql`c.rule = ${filter.rule}`)
  if (filter.action !== undefined) conditions.push(sql`position(lower(${filter.action}) in lower(c.action)) > 0`)
  if (filter.agentTool !== undefined) {
    conditions.push(
      sql`c.agent_tool_id in (select id from dimension where kind = 'agent_tool' and value = ${filter.agentTool})`,
    )
  }
  return sql.join(conditions, sql` and `)
}

/** The agent tools that signals came from, by name. */
export async function listDecidingTools(tx: TenantTx): Promise<readonly string[]> {
  const found = await sql<{ name: string }>`
    select distinct tool.value as name from decision_case c join dimension tool on tool.id = c.agent_tool_id
    where c.kind = 'policy_decision' order by 1`.execute(tx)
  return found.rows.map(({ name }) => name)
}

/** A rule that decided, by the layer that it is in and the release that the client went by. */
export interface DecidingRule {
  readonly rule: string
  readonly layer: PolicyLayerKind
  readonly policyVersion: number
}

/** What a rule said when it decided. */
export interface RuleThen extends DecidingRule {
  readonly text: string
  readonly reason: string | null
  readonly owner: string | null
  /** Null for the organization. */
  readonly teamId: string | null
  /** Of the layer's own versions. */
  readonly layerVersion: number
}

/**
 * What these rules said in the versions that decided. A rule is left out where that cannot be told: when several teams had
 * one of that name, and in people's own policies.
 */
export async function describeRules(tx: TenantTx, rules: readonly DecidingRule[]): Promise<readonly RuleThen[]> {
  const releases = [...new Set(rules.map(({ policyVersion }) => policyVersion))]
  if (releases.length === 0) return []
  const found = await sql<{
    release: number
    kind: PolicyLayerKind
    teamId: string | null
    version: number
    document: unknown
  }>`
    select wanted.release, l.kind, l.team_id as "teamId", v.version, v.document
    from unnest(${releases}::int4[]) as wanted(release)
    cross join policy_layer l
    cross join lateral (
      select r.layer_version from policy_release r
      where r.layer_id = l.id and r.version <= wanted.release order by r.version desc limit 1
    ) at_release
    join policy_version v on v.layer_id = l.id and v.version = at_release.layer_version
    where l.kind <> 'developer'`.execute(tx)
  return rules.flatMap((wanted) => {
    const told = found.rows
      .filter(({ release, kind }) => release === wanted.policyVersion && kind === wanted.layer)
      .flatMap((layer) => toRuleThen(wanted, layer))
    return told.length === 1 ? told : []
  })
}

function toRuleThen(
  wanted: DecidingRule,
  layer: { readonly teamId: string | null; readonly version: number; readonly document: unknown },
): readonly RuleThen[] {
  const document = toDocument(layer.document)
  const fact = policyFacts(document).find(
    ({ key }) => key === `permissions.rules.${wanted.rule}` || key === wanted.rule || key === `${wanted.rule}.limit`,
  )
  if (fact === undefined) return []
  const rule = document.permissions?.rules?.find(({ id }) => id === wanted.rule)
  const { reason = null, owner = null } = rule ?? {}
  return [{ ...wanted, text: fact.text, reason, owner, teamId: layer.teamId, layerVersion: layer.version }]
}

/** A decision on an action of one's own agent. */
export interface OwnDecision {
  readonly id: string
  readonly observedAt: Date
  readonly effect: PolicyEffect | null
  readonly because: PolicyBecause | null
  readonly rule: string | null
  readonly layer: PolicyLayerKind | null
  readonly policyVersion: number | null
  readonly action: string | null
  readonly agentTool: string
  readonly rung: Rung
  readonly repository: string | null
}

/** Hours of signals that one look reads. */
const OWN_HOURS = 48

/**
 * Decisions on what these developers' own agents did, the newest first: those of the 48 hours up to the last one before
 * `before`. `earlierBefore` is where the next look begins; null when there is nothing earlier.
 */
export async function listOwnDecisions(
  tx: TenantTx,
  args: { readonly developerIds: readonly string[]; readonly before: Date; readonly limit: number },
): Promise<{ readonly decisions: readonly OwnDecision[]; readonly earlierBefore: Date | null }> {
  const last = async (before: Date) => {
    const found = await sql<{ hour: Date | null }>`
      select max(d.hour) as hour from decision_hour d join decision_case c on c.org_id = d.org_id and c.id = d.case_id
      where d.developer_id = any(${args.developerIds}::uuid[]) and d.hour < ${before} and c.kind = 'policy_decision'`.execute(
      tx,
    )
    return found.rows[0]?.hour ?? null
  }
  const hour = await last(args.before)
  if (hour === null) return { decisions: [], earlierBefore: null }
  const to = new Date(Math.min(args.before.getTime(), hour.getTime() + 3_600_000))
  const from = new Date(to.getTime() - OWN_HOURS * 3_600_000)
  const found = await sql<OwnDecision>`
    select signal_id as id, observed_at as "observedAt", policy_effect as effect, policy_because as because,
      policy_rule as rule, policy_layer as layer, policy_version as "policyVersion", action, agent_tool as "agentTool",
      rung, repository
    from signal_readable
    where kind = 'policy_decision' and developer_id = any(${args.developerIds}::uuid[])
      and observed_at >= ${from} and observed_at < ${to}
    order by observed_at desc, signal_id limit ${args.limit}`.execute(tx)
  const decisions = found.rows
  const end = decisions.length === args.limit ? (decisions.at(-1)?.observedAt ?? from) : from
  return { decisions, earlierBefore: (await last(end)) === null ? null : end }
}
