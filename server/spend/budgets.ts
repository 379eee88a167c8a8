import type { PolicyBudget } from "#sdk/policy/document.ts"
import { budgetKey } from "#sdk/policy/action.ts"
import { SOFT_THRESHOLDS } from "#sdk/policy/vocabulary.ts"
import { type LayerInForce, layersOf, type PoliciesInForce, teamsOf } from "../policy/bundles.ts"
import { calendarOf, type Period } from "./periods.ts"

/** A budget in force, of whichever layer. */
export interface BudgetInForce {
  readonly layer: LayerInForce
  readonly budget: PolicyBudget
  readonly timeZone: string
  /** The one that runs. */
  readonly period: Period
}

/** Whose use a budget adds up: the organization, a team or a person, by its id. */
export interface Subject {
  readonly kind: PolicyBudget["scope"]
  readonly id: string
}

/** A budget that binds somebody, with whose use it is about. */
export interface BindingBudget extends BudgetInForce {
  /** As the engine knows it by. */
  readonly key: string
  /** Null when it is about somebody of whom nothing is known. `nobody`: about a team, and the person is in none. */
  readonly subject: Subject | "nobody" | null
}

/** All budgets of the layers, with their periods at `now`. */
export function budgetsOf(
  layers: readonly LayerInForce[],
  { now, timeZone }: { readonly now: Date; readonly timeZone: string },
): readonly BudgetInForce[] {
  return layers.flatMap((layer) =>
    (layer.document.budgets ?? []).map((budget) => {
      const zone = zoneOf(budget, timeZone)
      return { layer, budget, timeZone: zone, period: calendarOf(zone).periodAt(budget.period, now) }
    }),
  )
}

/** A document may name a zone that this machine does not know; then the organization's holds. */
function zoneOf({ timeZone }: PolicyBudget, ofOrganization: string): string {
  if (timeZone === undefined) return ofOrganization
  try {
    calendarOf(timeZone)
    return timeZone
  } catch {
    return ofOrganization
  }
}

/** The budgets that bind a person, or with null somebody of whom nothing is known. */
export function bindingBudgets(
  policies: PoliciesInForce,
  args: { readonly orgId: string; readonly developerId: string | null; readonly now: Date; readonly timeZone: string },
): readonly BindingBudget[] {
  const { orgId, developerId } = args
  return budgetsOf(layersOf(policies, teamsOf(policies, developerId), developerId), args).map((inForce) => ({
    ...inForce,
    key: budgetKey(inForce.layer.kind, inForce.budget.id),
    subject: subjectOf(inForce, policies, orgId, developerId),
  }))
}

function subjectOf(
  { layer, budget }: BudgetInForce,
  policies: PoliciesInForce,
  orgId: string,
  developerId: string | null,
): BindingBudget["subject"] {
  switch (budget.scope) {
    case "organization":
      return { kind: "organization", id: orgId }
    case "person":
      return developerId === null ? null : { kind: "person", id: developerId }
    case "team": {
      if (layer.teamId !== null) return { kind: "team", id: layer.teamId }
      if (developerId === null) return null
      const [top] = teamsOf(policies, developerId)
      return top === undefined ? "nobody" : { kind: "team", id: top }
    }
  }
}

/** The shares of a budget at which something is to be told, the whole of it included. */
export function thresholdsOf({ softThresholds }: PolicyBudget): readonly number[] {
  return [...new Set([...(softThresholds ?? SOFT_THRESHOLDS), 1])].toSorted((a, b) => a - b)
}
