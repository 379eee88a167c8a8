import { randomUUID } from "node:crypto"
import type { AgentAction, PolicyContext } from "#sdk/policy/action.ts"
import type { CompiledPolicy } from "#sdk/policy/compile.ts"
import { decide } from "#sdk/policy/decide.ts"
import type { PolicyDecision } from "#sdk/policy/decision.ts"
import type { TenantTx } from "../db/tenant.ts"
import type { PoliciesInForce } from "../policy/bundles.ts"
import { getOrganization } from "../team/queries.ts"
import { type BindingBudget, bindingBudgets, thresholdsOf } from "./budgets.ts"
import { readPriceTable } from "./price-table.ts"
import { costOf } from "./prices.ts"
import { type BudgetOf, countNewBudgets, readStandings, type Standing, standingKey } from "./standing.ts"

/** A call that nothing is known of, of a model that was not called in the last days. */
const CALL_SIZE = { inputTokens: 10_000, outputTokens: 1000 }
/** A reservation that no signal settles is let go of after so long. */
export const RESERVED_SECONDS = 600

/** What a caller says of the call that it is about to make. */
export interface CallToReserve {
  readonly inputTokens?: number | undefined
  readonly maxOutputTokens?: number | undefined
  /** As the call's signal will name it. */
  readonly operationId?: string | undefined
  readonly seconds?: number | undefined
}

/** How a budget stands for whoever asks. */
export interface BudgetState {
  readonly id: string
  readonly layer: BindingBudget["layer"]["kind"]
  readonly scope: BindingBudget["budget"]["scope"]
  readonly unit: "usd" | "tokens"
  /** Null when it cannot be told: of somebody unknown, or of fewer than k other people. */
  readonly spent: number | null
  readonly reserved: number | null
  readonly limit: number
  /** The highest share that was reached, reservations included; null below the first. */
  readonly threshold: number | null
  /** What the budget does to an action now: what `hard` says once all of it is used. */
  readonly effect: "allow" | "warn" | "ask" | "deny"
  /** `unknown`: of whom is not known. `no_price`: what the call costs is not known, so that a person is asked. */
  readonly state: "counted" | "withheld" | "unknown" | "no_price"
  readonly resetsAt: string
  readonly timeZone: string
}

/** What was found out of the budgets that bind somebody. */
export interface PreparedBudgets {
  readonly orgId: string
  readonly minGroupSize: number
  readonly binding: readonly BindingBudget[]
}

/** The budgets of a person, counted where nobody did so in this period yet. */
export async function prepareBudgets(
  tx: TenantTx,
  args: {
    readonly orgId: string
    readonly policies: PoliciesInForce
    readonly developerId: string | null
    readonly now: Date
  },
): Promise<PreparedBudgets> {
  const { orgId, policies, now } = args
  const { timeZone, minGroupSize } = await getOrganization(tx)
  const binding = bindingBudgets(policies, { ...args, timeZone })
  await countNewBudgets(tx, { orgId, of: binding.flatMap(toBudgetOf), now, timeZone })
  return { orgId, minGroupSize, binding }
}

function toBudgetOf({ subject, ...rest }: BindingBudget): BudgetOf[] {
  return subject === null || subject === "nobody" ? [] : [{ ...rest, subject }]
}

/**
 * Decides on an action under budgets. A call of a model that is not denied takes a reservation from each budget that binds
 * it; rows are locked while it does, so that of any number of callers at once each sees what the others were promised.
 */
export async function decideUnderBudgets(
  tx: TenantTx,
  prepared: PreparedBudgets,
  args: {
    readonly policy: CompiledPolicy
    readonly action: AgentAction
    readonly context: PolicyContext
    readonly call: CallToReserve
    readonly now: Date
  },
): Promise<{
  readonly decision: PolicyDecision
  readonly budgets: readonly BudgetState[]
  readonly reservation: { readonly id: string; readonly expiresAt: string } | null
}> {
  const { policy, action, context, call, now } = args
  const of = prepared.binding.flatMap(toBudgetOf)
  const isCall = action.kind === "model"
  const estimate = isCall ? await estimateCall(tx, action, call, now) : null
  const standings = await readStandings(tx, { of, now, isLocked: isCall })
  const seen = prepared.binding.map((one) => look(one, standings, isCall && estimate?.usd === null))
  const decision = decide(policy, action, { ...context, spent: toSpent(seen) })
  const budgets = seen.map((one) => toState(one, prepared.minGroupSize))
  const shown = { ...decision, warnings: coarsened(decision.warnings, budgets) }
  if (estimate === null || decision.effect === "deny" || of.length === 0) {
    return { decision: shown, budgets, reservation: null }
  }
  const id = randomUUID()
  const expiresAt = new Date(now.getTime() + (call.seconds ?? RESERVED_SECONDS) * 1000)
  await tx
    .insertInto("budget_reservation")
    .values(
      of.map(({ layer, budget, subject, period }) => ({
        org_id: prepared.orgId,
        id,
        layer_id: layer.id,
        budget_id: budget.id,
        subject_id: subject.id,
        unit: budget.limit.unit,
        starts_at: period.startsAt,
        amount: budget.limit.unit === "usd" ? (estimate.usd ?? 0) : estimate.tokens,
        operation_id: call.operationId ?? null,
        reserved_at: now,
        expires_at: expiresAt,
      })),
    )
    .execute()
  return { decision: shown, budgets, reservation: { id, expiresAt: expiresAt.toISOString() } }
}

/** How the budgets stand that bind somebody, for clients that decide by themselves. */
export async function readBudgetStates(
  tx: TenantTx,
  prepared: PreparedBudgets,
  now: Date,
): Promise<readonly (BudgetState & { readonly used: number | null })[]> {
  const of = prepared.binding.flatMap(toBudgetOf)
  const standings = await readStandings(tx, { of, now, isLocked: false })
  return prepared.binding.map((one) => {
    const seen = look(one, standings, false)
    const state = toState(seen, prepared.minGroupSize)
    const used = state.state === "withheld" ? (state.threshold ?? 0) * state.limit : seen.used
    return { ...state, used }
  })
}

/** A budget with what is used of it: null when that is not known. */
interface Seen {
  readonly one: BindingBudget
  readonly standing: Standing | null
  readonly used: number | null
  readonly isUnpriced: boolean
}

function look(one: BindingBudget, standings: ReadonlyMap<string, Standing>, isUnpriced: boolean): Seen {
  if (one.subject === "nobody") return { one, standing: null, used: 0, isUnpriced: false }
  const [of] = toBudgetOf(one)
  const standing = of === undefined ? null : (standings.get(standingKey(of)) ?? null)
  const used = standing === null ? null : standing.spent + standing.reserved
  const isOpen = used !== null && used < one.budget.limit.amount
  return { one, standing, used, isUnpriced: isUnpriced && isOpen && one.budget.limit.unit === "usd" }
}

/** What the engine goes by. Of two teams' budgets of one name, which it cannot tell apart, the larger use counts. */
function toSpent(seen: readonly Seen[]): ReadonlyMap<string, number> {
  const spent = new Map<string, number>()
  const unknown = new Set<string>()
  for (const { one, used, isUnpriced } of seen) {
    if (used === null || isUnpriced) unknown.add(one.key)
    else spent.set(one.key, Math.max(spent.get(one.key) ?? 0, used))
  }
  for (const key of unknown) spent.delete(key)
  return spent
}

function toState({ one, standing, used, isUnpriced }: Seen, minGroupSize: number): BudgetState {
  const { budget, layer, period, timeZone } = one
  const { unit, amount } = budget.limit
  const isOfOthers = budget.scope !== "person" && standing !== null && standing.people > 0
  const isWithheld = isOfOthers && standing.people < minGroupSize
  const share = used === null ? null : used / amount
  return {
    id: budget.id,
    layer: layer.kind,
    scope: budget.scope,
    unit,
    spent: used === null || isWithheld ? null : (standing?.spent ?? 0),
    reserved: used === null || isWithheld ? null : (standing?.reserved ?? 0),
    limit: amount,
    threshold: share === null ? null : (thresholdsOf(budget).findLast((threshold) => share >= threshold) ?? null),
    effect:
      share !== null && share >= 1
        ? budget.hard
        : (used === null || isUnpriced) && budget.hard !== "warn"
          ? "ask"
          : "allow",
    state: used === null ? "unknown" : isUnpriced ? "no_price" : isWithheld ? "withheld" : "counted",
    resetsAt: period.endsAt.toISOString(),
    timeZone,
  }
}

/** Shares of what is withheld are told as the threshold that was reached. */
function coarsened(warnings: PolicyDecision["warnings"], budgets: readonly BudgetState[]): PolicyDecision["warnings"] {
  return warnings.map((warning) => {
    const withheld = budgets.find(
      ({ id, layer, state }) => state === "withheld" && `budgets.${id}` === warning.ruleId && layer === warning.layer,
    )
    return withheld === undefined ? warning : { ...warning, share: withheld.threshold ?? 0 }
  })
}

/**
 * What a call is thought to take: the tokens that the caller says, or else those of a mean call of the model in the last
 * seven days of the organization, or else 10,000 in and 1,000 out; at the price of now, with nothing read from a cache.
 * `usd` is null where no price is known.
 */
async function estimateCall(
  tx: TenantTx,
  action: Extract<AgentAction, { kind: "model" }>,
  call: CallToReserve,
  now: Date,
): Promise<{ readonly tokens: number; readonly usd: number | null }> {
  const table = await readPriceTable(tx)
  const named = table.resolve(action.model, action.provider ?? null)
  const size = await tx
    .selectFrom("model_call_size")
    .select(["input_tokens as inputTokens", "output_tokens as outputTokens"])
    .where("model", "=", named.model)
    .executeTakeFirst()
  const inputTokens = call.inputTokens ?? size?.inputTokens ?? CALL_SIZE.inputTokens
  const outputTokens = call.maxOutputTokens ?? size?.outputTokens ?? CALL_SIZE.outputTokens
  const price = table.priceAt(action.model, action.provider ?? null, now)
  return {
    tokens: inputTokens + outputTokens,
    usd: price === null ? null : costOf(price, { inputTokens, outputTokens }),
  }
}
