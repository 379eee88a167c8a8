/** Which models and providers a policy lets be used, asked of the engine model by model. */
import { compilePolicy } from "../compile.ts"
import { decide } from "../decide.ts"
import type { PolicyBundle } from "../document.ts"
import { KNOWN_MODELS, KNOWN_PROVIDERS } from "../model-catalog.ts"
import type { Effect } from "../vocabulary.ts"
import type { LossSubject, Report } from "./report.ts"

export interface ModelPlan {
  /** What the policy says of a model from a provider; an ask counts as such. */
  effectOf(model: string, provider: string): Effect
  /** All known models, by their makers' names. */
  readonly known: readonly string[]
  /** Everything in the policy that bounds models or providers. */
  readonly subjects: readonly LossSubject[]
}

/** A model and a provider that no catalog has: what is said of them is said of everything that is yet to come. */
export const UNKNOWN_MODEL = "not-yet-known-model"
export const UNKNOWN_PROVIDER = "not-yet-known-provider"

/** The plan of a bundle for a tool, at a time; null when the bundle does not bound models. */
export function toModelPlan(bundle: PolicyBundle, agentTool: string, nowMs: number): ModelPlan | null {
  const subjects: LossSubject[] = []
  const layers = bundle.layers.map(({ document, ...rest }) => {
    const { schema, models, permissions } = document
    const { layer } = rest
    const subject = (ruleId: string, effect: Effect): void => {
      if (effect !== "allow") subjects.push({ ruleId, layer, action: "model", effect })
    }
    for (const key of ["allowed", "denied", "providers", "deniedProviders"] as const) {
      if (models?.[key] !== undefined) subject(`models.${key}`, "deny")
    }
    const fallback = permissions?.defaults?.model
    if (fallback !== undefined) subject("permissions.defaults.model", fallback)
    const rules = permissions?.rules?.filter(({ action }) => action === "model") ?? []
    for (const { id, effect } of rules) subject(id, effect)
    const isOverridable = permissions?.overridableDefaults?.includes("model") === true
    return {
      ...rest,
      document: {
        schema,
        ...(models && { models }),
        permissions: {
          ...(fallback && { defaults: { model: fallback } }),
          ...(isOverridable && { overridableDefaults: ["model" as const] }),
          ...(rules.length > 0 && { rules }),
        },
      },
    }
  })
  if (subjects.length === 0) return null
  const policy = compilePolicy({ version: bundle.version, layers })
  const aliases = bundle.layers.flatMap(({ document }) => Object.values(document.models?.aliases ?? {}))
  return {
    effectOf: (model, provider) => decide(policy, { kind: "model", model, provider }, { nowMs, agentTool }).effect,
    known: [...new Set([...Object.values(KNOWN_MODELS).flat(), ...aliases.filter((name) => /^[\w.-]+$/.test(name))])],
    subjects,
  }
}

/** The known providers of which some known or future model may be used. */
export function usableProviders(plan: ModelPlan): readonly string[] {
  return Object.keys(KNOWN_PROVIDERS).filter((provider) =>
    [...plan.known, UNKNOWN_MODEL].some((model) => plan.effectOf(model, provider) === "allow"),
  )
}

/** Tells of everything that bounds models where a tool's files say nothing of it. */
export function reportModels(plan: ModelPlan | null, report: Report, what: string): void {
  for (const subject of plan?.subjects ?? []) report.looser(subject, "allow", what)
}
