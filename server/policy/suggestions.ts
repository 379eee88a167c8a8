import { type RawBuilder, sql } from "kysely"
import { policyFacts } from "#sdk/policy/facts.ts"
import type { PolicyDocument, PolicyRule } from "#sdk/policy/document.ts"
import { recordAudit } from "../audit/commands.ts"
import type { TenantTx } from "../db/tenant.ts"
import { MIN_GROUP_SIZE } from "../privacy/disclosure.ts"
import { IS_PROMPT } from "../rollup/measures.ts"
import { getDraft, type PolicyActor, saveDraft } from "./drafts.ts"
import { findLayer, getVersion } from "./layers.ts"
import { judgeRecorded, prepareJudging, toAgentAction } from "./recorded.ts"
import { mayBeProposed, type Risk, riskOf } from "./risk.ts"

/** Days over which prompts are counted, and within which an approval makes the next question redundant. */
export const SUGGESTION_DAYS = 30
/** For so many yeses there may be one no. */
const APPROVALS_PER_REFUSAL = 20
const DAY_MS = 86_400_000
const ORGANIZATION = { kind: "organization" } as const

/** A rule that would have spared people questions which they had answered with yes before. */
export interface Suggestion {
  /** The action, and the repository after a space where it is about one. */
  readonly id: string
  readonly action: string
  readonly repository: string | null
  readonly risk: Risk
  readonly rule: PolicyRule
  /** The rule in words. */
  readonly text: string
  /** Of the last 30 days. At least k people were asked them. */
  readonly redundantPrompts: number
  readonly people: number
  readonly isDismissed: boolean
}

/**
 * Rules for the organization's policy, those that spare the most first: of actions that the same people had approved in
 * the same repository within 30 days, and were asked about again and approved again. None for what is destructive or may
 * show a secret, for what people also refused, and for what the policy, or its draft, decides by a rule already.
 *
 * Groups of fewer than k people give none. Clusters share no prompt, and nothing is said of all of them together.
 */
export async function listSuggestions(tx: TenantTx, now: Date): Promise<readonly Suggestion[]> {
  const from = new Date(now.getTime() - SUGGESTION_DAYS * DAY_MS)
  const before = new Date(from.getTime() - SUGGESTION_DAYS * DAY_MS)
  const asked = (outcome: RawBuilder<unknown>) =>
    sql`coalesce(sum(d.signals) filter (where c.outcome in (${outcome}) and c.origin = 'human'), 0)`
  const found = await sql<{
    action: string
    repository: string | null
    redundantPrompts: number
    people: number
    isDismissed: boolean
  }>`
    with answered as (
      select person.id as developer_id, c.repository_id, c.action, d.hour,
        ${asked(sql`'accepted', 'modified'`)} as approved, ${asked(sql`'rejected'`)} as refused
      from decision_hour d
      join decision_case c on c.org_id = d.org_id and c.id = d.case_id
      -- An identity that was found to be someone's is counted as theirs.
      join lateral (
        select coalesce(max(merged_into_id::text)::uuid, d.developer_id) as id from developer where id = d.developer_id
      ) person on true
      where d.hour >= ${before} and d.hour < ${now} and ${IS_PROMPT} and c.action is not null
      group by person.id, c.repository_id, c.action, d.hour
    ), known as (
      select *, max(hour) filter (where approved > 0) over (
        partition by developer_id, repository_id, action order by hour
        range between interval '30 days' preceding and current row exclude current row
      ) as approved_before
      from answered
    ), counted as (
      -- Of the first hour of all, the first approval is what makes the others redundant.
      select *, case when approved_before is null then greatest(approved - 1, 0) else approved end as redundant
      from known where hour >= ${from}
    ), cluster as (
      select action, repository_id, sum(redundant)::int as redundant,
        (count(distinct developer_id) filter (where redundant > 0))::int as people
      from counted group by action, repository_id
      having count(distinct developer_id) filter (where redundant > 0) >= ${MIN_GROUP_SIZE}
        and sum(refused) * ${APPROVALS_PER_REFUSAL} <= sum(approved)
    )
    select c.action, repository.value as repository, c.redundant as "redundantPrompts", c.people,
      d.suggestion is not null as "isDismissed"
    from cluster c
    left join dimension repository on repository.id = c.repository_id
    left join policy_suggestion_dismissal d on d.suggestion = concat_ws(' ', c.action, repository.value)
    order by c.redundant desc, c.action, repository.value`.execute(tx)
  const { document } = await readDocument(tx)
  return found.rows.flatMap((cluster) => {
    const { action, repository, people, redundantPrompts } = cluster
    const risk = riskOf(action)
    if (!mayBeProposed(risk) || !isOpen(document, cluster, now)) return []
    const rule = proposeRule(action, repository, document)
    if (rule === null) return []
    const reasoned = {
      ...rule,
      reason: `${people} people approved it again ${redundantPrompts} times in ${SUGGESTION_DAYS} days`,
    }
    return [{ id: idOf(action, repository), risk, rule: reasoned, text: textOf(reasoned), ...cluster }]
  })
}

function idOf(action: string, repository: string | null): string {
  return repository === null ? action : `${action} ${repository}`
}

function textOf(rule: PolicyRule): string {
  return policyFacts({ schema: "belay.policy/1", permissions: { rules: [rule] } })[0]?.text ?? rule.id
}

/** The organization's draft, or what is in force where there is none. */
async function readDocument(
  tx: TenantTx,
): Promise<{ readonly document: PolicyDocument; readonly revision: number | null }> {
  const layer = await findLayer(tx, ORGANIZATION)
  const draft = layer === null ? null : await getDraft(tx, layer.id)
  if (draft !== null) return { document: draft.document, revision: draft.revision }
  const version = layer?.versionInForce ?? null
  const inForce = layer === null || version === null ? null : await getVersion(tx, layer.id, version)
  return { document: inForce?.document ?? { schema: "belay.policy/1" }, revision: null }
}

/** Whether no rule decides it yet: what a rule asks about or denies is meant so, and what one allows needs no other. */
function isOpen(
  document: PolicyDocument,
  { action, repository }: { readonly action: string; readonly repository: string | null },
  now: Date,
): boolean {
  const what = toAgentAction(action)
  if (what === null) return false
  // What other rules say of the files that it may name holds all the same, with an allow and without.
  const rules = (document.permissions?.rules ?? []).filter((rule) => rule.action === what.kind)
  const own = { ...document, permissions: { ...document.permissions, rules } }
  const policy = prepareJudging({ version: 1, layers: [{ layer: "organization", version: 1, document: own }] })
  const context = { nowMs: now.getTime(), rung: "agent" as const, ...(repository !== null && { repository }) }
  const { decision } = judgeRecorded(policy, what, context)
  return (
    decision !== null &&
    (decision.because === "unset" || (decision.because === "default" && decision.effect !== "allow"))
  )
}

const ID_LENGTH_MAX = 80

/** The rule that allows an action, whatever its arguments; null where there can be none. */
export function proposeRule(action: string, repository: string | null, document: PolicyDocument): PolicyRule | null {
  const what = toAgentAction(action)
  if (what === null || (what.kind !== "shell" && what.kind !== "mcp")) return null
  const used = new Set((document.permissions?.rules ?? []).map(({ id }) => id))
  const slug = `allow ${action} ${repository ?? ""}`.toLowerCase().replace(/[^a-z0-9]+/g, "-")
  const base = slug.slice(0, ID_LENGTH_MAX - 4).replace(/-+$/, "")
  let id = base
  for (let number = 2; used.has(id); number++) id = `${base}-${number}`
  return {
    id,
    effect: "allow",
    action: what.kind,
    pattern: what.kind === "shell" ? `${action} *` : action,
    ...(repository !== null && { when: { repository: [repository] } }),
  }
}

/** Puts the suggested rule into the organization's draft, which is made where there is none. */
export async function approveSuggestion(
  tx: TenantTx,
  { id, by }: { readonly id: string; readonly by: PolicyActor },
): Promise<{ readonly ok: true } | { readonly ok: false; readonly reason: "gone" | "changed_meanwhile" }> {
  const suggestion = (await listSuggestions(tx, by.occurredAt)).find((one) => one.id === id)
  if (suggestion === undefined) return { ok: false, reason: "gone" }
  const { document, revision } = await readDocument(tx)
  const { permissions = {} } = document
  const rules = [...(permissions.rules ?? []), suggestion.rule]
  const saved = await saveDraft(tx, {
    target: ORGANIZATION,
    revision,
    document: { ...document, permissions: { ...permissions, rules } },
    by,
  })
  return saved.ok ? { ok: true } : { ok: false, reason: "changed_meanwhile" }
}

/** Remembers that a suggestion is not wanted, or that it may come again. */
export async function dismissSuggestion(
  tx: TenantTx,
  { id, isDismissed, by }: { readonly id: string; readonly isDismissed: boolean; readonly by: PolicyActor },
): Promise<void> {
  if (isDismissed) {
    await tx
      .insertInto("policy_suggestion_dismissal")
      .values({ org_id: by.orgId, suggestion: id, dismissed_by: by.actorId, dismissed_at: by.occurredAt })
      .onConflict((conflict) => conflict.doNothing())
      .execute()
  } else {
    await tx.deleteFrom("policy_suggestion_dismissal").where("suggestion", "=", id).execute()
  }
  await recordAudit(tx, {
    ...by,
    action: isDismissed ? "policy.suggestion_dismiss" : "policy.suggestion_restore",
    targetKind: "policy_suggestion",
    after: { suggestion: id },
  })
}
