import { hash } from "node:crypto"
import { setImmediate as nextTurn } from "node:timers/promises"
import { type Kysely, sql } from "kysely"
import type { PolicyContext } from "#sdk/policy/action.ts"
import type { PolicyBundle, PolicyDocument } from "#sdk/policy/document.ts"
import { asTenant, type TenantTx } from "../db/tenant.ts"
import type { DB, PolicyBecause, PolicyEffect, Rung, Surface } from "../db/types.ts"
import { disclosureOf, MIN_GROUP_SIZE } from "../privacy/disclosure.ts"
import { IS_PROMPT } from "../rollup/measures.ts"
import { MEMBERSHIP } from "../rungs/membership.ts"
import { bundleOfTeams, type PoliciesInForce, readPolicies } from "./bundles.ts"
import type { LayerTarget } from "./layers.ts"
import { type Judgement, judgeRecorded, type JudgingPolicy, prepareJudging, toAgentAction } from "./recorded.ts"

/**
 * What a policy would do to a call that was decided on: stop it, ask first, or let it through. What it would do to a
 * question that a person was asked: spare it, or stop what it was about. `cannot_tell`: what is on record does not say.
 */
export type Change = "denied" | "asked" | "allowed" | "spared" | "refused" | "cannot_tell" | "unchanged"
/** What is judged: decisions of policies, and questions to people. */
export type JudgedKind = "calls" | "prompts"
export type Breakdown = "rule" | "team" | "rung" | "action"

/** Of one kind of change. What fewer than k people are behind, or would tell of such a group, is withheld. */
export interface ChangeTotal {
  readonly judged: JudgedKind
  readonly change: Change
  readonly state: "shown" | "withheld"
  /** Null when withheld. */
  readonly count: number | null
  readonly people: number | null
}

export interface ChangeRow {
  readonly judged: JudgedKind
  readonly change: Change
  readonly by: Breakdown
  /** The rule's id, the team's name, the rung or the action; null for none, as for people in no team. */
  readonly value: string | null
  readonly count: number
  readonly people: number
}

export interface DryRun {
  /** Only what there was any of. */
  readonly totals: readonly ChangeTotal[]
  /** The most first. */
  readonly rows: readonly ChangeRow[]
  /** Breakdowns of which some rows are withheld, as `calls denied team`. */
  readonly withheld: readonly string[]
}

export type DryRunStep =
  | { readonly kind: "judging"; readonly judged: number; readonly total: number }
  | { readonly kind: "adding_up" }
  | { readonly kind: "done"; readonly result: DryRun }

export interface DryRunArgs {
  readonly orgId: string
  /** Whose document it would be. */
  readonly target: LayerTarget
  readonly document: PolicyDocument
  /** Inclusive, when a day begins in the zone. */
  readonly from: Date
  /** Exclusive. */
  readonly to: Date
  readonly timeZone: string
  readonly now: Date
}

/** Cases that are judged before others of this process have their turn. */
const TURN = 100

/**
 * Judges what is on record anew, under what is in force and under the same with another document in its layer, and counts
 * what would have been different. What is alike is judged once. Ends when its reader stops reading.
 */
export async function* runDryRun(db: Kysely<DB>, args: DryRunArgs): AsyncGenerator<DryRunStep> {
  const { policies, cases } = await asTenant(db, args.orgId, async (tx) => {
    await allowMemory(tx)
    const found = await readPolicies(tx, args.now)
    return { policies: found, cases: await listCases(tx, args, peopleWithTheirOwn(found, args.target)) }
  })
  const judge = createJudge(policies, args)
  const verdicts: Verdict[] = []
  for (const [index, one] of cases.entries()) {
    if (index % TURN === 0) {
      yield { kind: "judging", judged: index, total: cases.length }
      await nextTurn()
    }
    const verdict = judge(one)
    if (verdict.change !== "unchanged") verdicts.push(verdict)
  }
  yield { kind: "judging", judged: cases.length, total: cases.length }
  yield { kind: "adding_up" }
  const special = peopleWithTheirOwn(policies, args.target)
  yield { kind: "done", result: await asTenant(db, args.orgId, (tx) => addUp(tx, args, special, verdicts)) }
}

/** A case, in what the policy binds: the same for everyone of a team, unless something is for one person. */
interface RecordedCase {
  readonly caseId: string
  readonly binding: string
  readonly topTeamId: string | null
  readonly subTeamId: string | null
  /** Only of those for whom something is in force that is theirs alone. */
  readonly developerId: string | null
  readonly kind: "policy_decision" | "permission"
  readonly rung: Rung
  readonly agentTool: string
  readonly mode: string | null
  readonly surface: Surface | null
  readonly repository: string | null
  readonly action: string | null
  readonly effect: PolicyEffect | null
  readonly because: PolicyBecause | null
  readonly policyVersion: number | null
}

interface Verdict {
  readonly caseId: string
  readonly binding: string
  readonly change: Change
  readonly rule: string | null
}

function peopleWithTheirOwn({ layers, exceptions }: PoliciesInForce, target: LayerTarget): readonly string[] {
  return [
    ...layers.flatMap(({ developerId }) => (developerId === null ? [] : [developerId])),
    ...exceptions.flatMap(({ scope }) => (scope.kind === "person" ? [scope.id] : [])),
    ...(target.kind === "developer" ? [target.developerId] : []),
  ]
}

/** What is on record, by person, case and the team that they were in then: an hour's rows are summed before all else. */
function recordedOf({ from, to, timeZone }: DryRunArgs, special: readonly string[]) {
  return sql`
    ${MEMBERSHIP}, member as (
      select developer_id, top_team_id, sub_team_id, valid_from::timestamp at time zone ${timeZone} as joined_at,
        valid_to::timestamp at time zone ${timeZone} as left_at
      from membership
    ), judged_case as (
      select * from decision_case where kind = 'policy_decision' or ${IS_PROMPT}
    ), recorded as materialized (
      select placed.*, concat_ws(' ', top_team_id, sub_team_id, special_id) as binding from (
        select h.case_id, person.id as developer_id, team.top_team_id, team.sub_team_id,
          case when person.id = any(${special}::uuid[]) then person.id end as special_id, sum(h.signals)::int as signals
        from decision_hour h
        left join developer d on d.id = h.developer_id
        -- An identity that was found to be someone's is counted as theirs.
        cross join lateral (select coalesce(d.merged_into_id, h.developer_id) as id) person
        left join member team on team.developer_id = person.id
          and h.hour >= team.joined_at and (team.left_at is null or h.hour < team.left_at)
        where h.hour >= ${from} and h.hour < ${to}
        group by 1, 2, 3, 4, 5
      ) placed
    )`
}

/** A month of a large organization is summed in memory. It is taken for this transaction, and given back. */
async function allowMemory(tx: TenantTx): Promise<void> {
  await sql`set local work_mem = '64MB'`.execute(tx)
}

async function listCases(tx: TenantTx, args: DryRunArgs, special: readonly string[]): Promise<readonly RecordedCase[]> {
  const found = await sql<RecordedCase>`
    with ${recordedOf(args, special)}, distinct_case as (
      select distinct case_id, binding, top_team_id, sub_team_id, special_id from recorded
    )
    select r.case_id as "caseId", r.binding, r.top_team_id as "topTeamId", r.sub_team_id as "subTeamId",
      r.special_id as "developerId", c.kind, c.rung, tool.value as "agentTool", mode.value as mode, c.surface,
      repository.value as repository, c.action, c.effect, c.because, c.policy_version as "policyVersion"
    from distinct_case r
    join judged_case c on c.id = r.case_id
    join dimension tool on tool.id = c.agent_tool_id
    left join dimension mode on mode.id = c.mode_id
    left join dimension repository on repository.id = c.repository_id`.execute(tx)
  return found.rows
}

function createJudge(policies: PoliciesInForce, { target, document, now }: DryRunArgs) {
  const changed = withDocument(policies, target, document)
  const pairs = new Map<string, PolicyPair>()
  const pairOf = new Map<string, PolicyPair>()
  const bind = ({ binding, topTeamId, subTeamId, developerId }: RecordedCase): PolicyPair => {
    let pair = pairOf.get(binding)
    if (pair === undefined) {
      const teams = [topTeamId, subTeamId].filter((id) => id !== null)
      const [before, after] = [bundleOfTeams(policies, teams, developerId), bundleOfTeams(changed, teams, developerId)]
      // Most teams have no policy of their own, so that one is put together for all of them.
      const said = hash("sha256", JSON.stringify([before, after]))
      pair = pairs.get(said) ?? { number: pairs.size, judging: [toJudging(before), toJudging(after)] }
      pairs.set(said, pair)
      pairOf.set(binding, pair)
    }
    return pair
  }
  const known = new Map<string, readonly [Judgement, Judgement] | null>()
  return (one: RecordedCase): Verdict => {
    const { binding, rung, agentTool, mode, surface, repository, action, topTeamId, subTeamId, developerId } = one
    const {
      number,
      judging: [before, after],
    } = bind(one)
    // Of exceptions a bundle has those alone that are for these teams and this person.
    const key = JSON.stringify([number, rung, agentTool, mode, surface, repository, action])
    let judged = known.get(key)
    if (judged === undefined) {
      const what = action === null ? null : toAgentAction(action)
      const context: PolicyContext = {
        nowMs: now.getTime(),
        rung,
        agentTool,
        ...(mode !== null && { mode }),
        ...(surface !== null && { surface }),
        ...(repository !== null && { repository }),
        ...(developerId !== null && { personId: developerId }),
        teamIds: [topTeamId, subTeamId].filter((id) => id !== null),
      }
      judged = what === null ? null : [judgeRecorded(before, what, context), judgeRecorded(after, what, context)]
      known.set(key, judged)
    }
    return { caseId: one.caseId, binding, ...compare(one, judged, policies.release) }
  }
}

/** What binds somebody now, and with the document. */
interface PolicyPair {
  readonly number: number
  readonly judging: readonly [JudgingPolicy | null, JudgingPolicy | null]
}

function toJudging(bundle: PolicyBundle | null): JudgingPolicy | null {
  return bundle === null ? null : prepareJudging(bundle)
}

/** What would be in force with the document in the target's layer. */
function withDocument(policies: PoliciesInForce, target: LayerTarget, document: PolicyDocument): PoliciesInForce {
  const teamId = target.kind === "team" ? target.teamId : null
  const developerId = target.kind === "developer" ? target.developerId : null
  const isTarget = (layer: PoliciesInForce["layers"][number]) =>
    layer.kind === target.kind && layer.teamId === teamId && layer.developerId === developerId
  const inForce = policies.layers.find(isTarget)
  return {
    ...policies,
    // Without a first release nothing binds anyone.
    release: policies.release + 1,
    layers: [
      ...policies.layers.filter((layer) => !isTarget(layer)),
      // Nothing is counted under its id, as it is under one that binds somebody.
      {
        id: inForce?.id ?? "draft",
        kind: target.kind,
        teamId,
        developerId,
        version: (inForce?.version ?? 0) + 1,
        document,
      },
    ],
  }
}

/** What becomes of a case. `judged` is null when its name does not say what was done. */
function compare(
  one: RecordedCase,
  judged: readonly [Judgement, Judgement] | null,
  release: number,
): Pick<Verdict, "change" | "rule"> {
  if (judged === null) return { change: "cannot_tell", rule: null }
  const [before, after] = judged
  if (before.grounds === after.grounds) return { change: "unchanged", rule: null }
  if (after.decision === null) return { change: "cannot_tell", rule: null }
  // Of what changes, the rule that is new, or the one that is gone.
  const rule = after.decision.because === "rule" ? after.decision.ruleId : (before.decision?.ruleId ?? null)
  if (one.kind === "permission") return { change: ofPrompt(before, after.decision), rule }
  const effect = effectBefore(one, before, release)
  if (effect === null) return { change: "cannot_tell", rule: null }
  if (effect === after.decision.effect) return { change: "unchanged", rule: null }
  return { change: ({ deny: "denied", ask: "asked", allow: "allowed" } as const)[after.decision.effect], rule }
}

/** A question that a policy says nothing of is the tool's own, and stays. */
function ofPrompt(before: Judgement, after: NonNullable<Judgement["decision"]>): Change {
  const isAllowed = (decision: Judgement["decision"]) => decision?.effect === "allow" && decision.because !== "unset"
  // It was asked all the same.
  if (isAllowed(after)) return isAllowed(before.decision) ? "unchanged" : "spared"
  return after.effect === "deny" && before.decision?.effect !== "deny" ? "refused" : "unchanged"
}

/** What the policy in force decides on it; null when what is on record cannot be all that there was to it. */
function effectBefore(
  { effect, because, policyVersion }: RecordedCase,
  before: Judgement,
  release: number,
): PolicyEffect | null {
  const isDecidedByIt =
    policyVersion === release && (because === "rule" || because === "default" || because === "unset")
  const decided = isDecidedByIt ? effect : null
  if (before.decision === null) return decided
  return decided === null || decided === before.decision.effect ? before.decision.effect : null
}

/** Sums by change, and each change by rule, team, rung and action, as far as enough people are behind them. */
async function addUp(
  tx: TenantTx,
  args: DryRunArgs,
  special: readonly string[],
  verdicts: readonly Verdict[],
): Promise<DryRun> {
  const column = (of: (verdict: Verdict) => string | null) => sql`${verdicts.map(of)}::text[]`
  await allowMemory(tx)
  // A partition of the whole by change, and one of each change by each breakdown, are each held apart as teams are.
  const found = await sql<{
    by: Breakdown | "change"
    judged: JudgedKind
    change: Change
    value: string | null
    /** Null when withheld, as is the value, and the people. */
    count: number | null
    people: number | null
  }>`
    with ${recordedOf(args, special)}, verdict as (
      select case_id::uuid, binding, change, rule from unnest(
        ${column(({ caseId }) => caseId)}, ${column(({ binding }) => binding)}, ${column(({ change }) => change)},
        ${column(({ rule }) => rule)}
      ) as verdict(case_id, binding, change, rule)
    ), judged as (
      select r.developer_id, case c.kind when 'permission' then 'prompts' else 'calls' end as judged,
        coalesce(v.change, 'unchanged') as change, v.rule, coalesce(r.sub_team_id, r.top_team_id)::text as team,
        c.rung::text as rung, c.action, sum(r.signals) as signals
      from recorded r join judged_case c on c.id = r.case_id
      left join verdict v on v.case_id = r.case_id and v.binding = r.binding
      group by 1, 2, 3, 4, 5, 6, 7
    ), part as materialized (
      select j.judged, j.change, j.developer_id, b.by, b.value,
        case b.by when 'change' then j.judged else j.judged || ' ' || j.change end as whole, sum(j.signals) as signals
      from judged j cross join lateral (
        values ('change', j.change), ('rule', j.rule), ('team', j.team), ('rung', j.rung), ('action', j.action)
      ) b (by, value)
      where b.by = 'change' or j.change <> 'unchanged'
      group by 1, 2, 3, 4, 5, 6
    ), contribution as (
      select by as week, whole as rung, '' as family, null::date as day,
        md5(coalesce(value, ''))::uuid as top_team_id, null::uuid as sub_team_id, developer_id
      from part
    ), ${disclosureOf(MIN_GROUP_SIZE)}, summed as (
      select by, judged, change, whole, value, sum(signals)::int as count, count(*)::int as people
      from part group by by, judged, change, whole, value
    ), disclosed as (
      select s.*, coalesce(n.is_visible, false) and (s.by = 'change' or coalesce(w.is_visible, false)) as is_visible
      from summed s
      left join disclosed_node n
        on (n.week, n.rung, n.node_id) = (s.by, s.whole, md5(coalesce(s.value, ''))::uuid)
      left join disclosed_node w
        on (w.week, w.rung, w.node_id) = ('change', s.judged, md5(s.change)::uuid)
    )
    select by, judged, change,
      case when is_visible then case by when 'team' then (select name from team where id::text = d.value) else value end end
        as value,
      case when is_visible then count end as count, case when is_visible then people end as people
    from disclosed d
    order by case when is_visible then count end desc nulls last, value`.execute(tx)
  const totals = found.rows.filter(({ by }) => by === "change")
  const parts = found.rows.flatMap(({ by, ...row }) => (by === "change" ? [] : [{ by, ...row }]))
  return {
    totals: totals.map(({ judged, change, count, people }) => {
      return { judged, change, state: count === null ? "withheld" : "shown", count, people }
    }),
    rows: parts.flatMap(({ count, people, ...row }) =>
      count === null || people === null ? [] : [{ ...row, count, people }],
    ),
    withheld: [
      ...new Set(
        parts.filter(({ count }) => count === null).map(({ judged, change, by }) => `${judged} ${change} ${by}`),
      ),
    ],
  }
}
