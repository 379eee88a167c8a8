/** A bundle of policies made ready to decide: every pattern compiled, every rule indexed, once. */
import { compileConditions, holdsAll } from "./conditions.ts"
import { NO_WARNINGS, type PolicyDecision } from "./decision.ts"
import type { PolicyBundle, PolicyDocument, PolicyException, PolicyRule } from "./document.ts"
import { createMemo } from "./memo.ts"
import { createModelCatalog, type ModelCatalog } from "./models.ts"
import type { Probes } from "./parts.ts"
import { compilePathPattern, createPathIndex, type PathProbe } from "./paths.ts"
import {
  byRank,
  type CompiledException,
  type CompiledRule,
  type LayerDefault,
  type RuleIndex,
  type RuleSet,
} from "./rule-set.ts"
import { autonomyBounds, type Bound, budgetBound, modelBounds, reviewBound } from "./sections.ts"
import { compileShellPattern, createShellIndex, type ShellCommand } from "./shell-pattern.ts"
import {
  compileNamePattern,
  compileWebPattern,
  createNameIndex,
  createWebIndex,
  type NameProbe,
  toMcpPattern,
  toModelPattern,
  type WebProbe,
} from "./targets.ts"
import { type Effect, type Layer, LAYERS, type RuleAction } from "./vocabulary.ts"
import { type Verdict, YES } from "./wildcard.ts"

/** A bound with what it decides. */
export interface CompiledBound extends Bound {
  readonly layer: number
  readonly exceptions: readonly CompiledException[]
  readonly decision: PolicyDecision
  readonly doubt: PolicyDecision
}

/**
 * Policies that are ready to decide; made by `compilePolicy`, asked by `decide`. Immutable but for what is remembered of
 * patterns, which changes no decision.
 */
export interface CompiledPolicy {
  /** The bundle's version. */
  readonly version: number
  /** @internal */
  readonly sets: { readonly [Kind in RuleAction]: RuleSet<Probes[Kind]> }
  /** @internal */
  readonly bounds: readonly CompiledBound[]
  /** @internal */
  readonly catalog: ModelCatalog
  /** What holds where no layer says anything. @internal */
  readonly unset: PolicyDecision
  /** Whether the policy says anything of what a shell command can do. @internal */
  readonly speaksOfShell: boolean
}

/** Probes of each kind of which a policy remembers what matches. */
const FOUND_MAX = 2000

interface CompiledPattern<Probe> {
  matches(probe: Probe): Verdict
}

interface Index<Probe, Pattern> extends RuleIndex<Probe> {
  add(item: CompiledRule<Probe>, pattern: Pattern): void
}

interface PlacedLayer {
  readonly at: number
  readonly layer: Layer
  readonly version: number
  readonly document: PolicyDocument
  readonly catalog: ModelCatalog
}

/**
 * Compiles all that binds one developer. Takes a bundle whose documents `parsePolicy` or `checkPolicy` has accepted;
 * what those refuse is not looked for again. Time is linear in the number of rules.
 */
export function compilePolicy(bundle: PolicyBundle): CompiledPolicy {
  const { version } = bundle
  const aliases: Record<string, string> = {}
  const layers: PlacedLayer[] = bundle.layers
    .map((entry) => ({ ...entry, at: LAYERS.indexOf(entry.layer) }))
    .toSorted((a, b) => a.at - b.at)
    .map((entry) => {
      // A narrower layer's names mean nothing to a wider one: they could make a denied model pass for another.
      const own = entry.document.models?.aliases ?? {}
      for (const [alias, name] of Object.entries(own)) aliases[alias] ??= name
      return { ...entry, catalog: createModelCatalog({ ...aliases }) }
    })
  const exceptions = compileExceptions(bundle.exceptions ?? [])
  const context = { version, layers, exceptions }
  const byName = (toPattern: (pattern: string, catalog: ModelCatalog) => string) =>
    [
      (pattern: string, effect: Effect, catalog: ModelCatalog) =>
        compileNamePattern(toPattern(pattern, catalog), effect),
      createNameIndex<CompiledRule<NameProbe>>,
    ] as const
  const lower = (pattern: string): string => pattern.normalize("NFKC").trim().toLowerCase()
  const sets = {
    shell: compileSet(context, "shell", compileShellPattern, createShellIndex<CompiledRule<ShellCommand>>),
    edit: compileSet(context, "edit", compilePathPattern, createPathIndex<CompiledRule<PathProbe>>),
    read: compileSet(context, "read", compilePathPattern, createPathIndex<CompiledRule<PathProbe>>),
    web: compileSet(context, "web", compileWebPattern, createWebIndex<CompiledRule<WebProbe>>),
    mcp: compileSet(context, "mcp", ...byName(toMcpPattern)),
    subagent: compileSet(context, "subagent", ...byName(lower)),
    model: compileSet(context, "model", ...byName(toModelPattern)),
  }
  return {
    version,
    sets,
    bounds: layers.flatMap((layer) => compileBounds(layer, version, exceptions)),
    catalog: layers.at(-1)?.catalog ?? createModelCatalog(),
    unset: {
      effect: "allow",
      because: "unset",
      ruleId: null,
      reason: null,
      owner: null,
      layer: null,
      version,
      layerVersion: null,
      warnings: NO_WARNINGS,
    },
    speaksOfShell: (["shell", "edit", "read", "web"] as const).some(
      (kind) => sets[kind].rules.length > 0 || sets[kind].defaults.length > 0,
    ),
  }
}

interface Compiling {
  readonly version: number
  readonly layers: readonly PlacedLayer[]
  readonly exceptions: ExceptionsOf
}

function compileSet<Probe, Pattern extends CompiledPattern<Probe>>(
  { version, layers, exceptions }: Compiling,
  action: RuleAction,
  compile: (pattern: string, effect: Effect, catalog: ModelCatalog) => Pattern,
  createIndex: () => Index<Probe, Pattern>,
): RuleSet<Probe> {
  const written = layers
    .flatMap((from) =>
      (from.document.permissions?.rules ?? []).map((rule) => ({ rule, from, layer: from.at, effect: rule.effect })),
    )
    .filter(({ rule }) => rule.action === action)
    .toSorted(byRank)
  const index = createIndex()
  const rules = written.map(({ rule, from }, rank): CompiledRule<Probe> => {
    const pattern = compile(rule.pattern, rule.effect, from.catalog)
    const decision = decisionOf(rule, from, version)
    const compiled: CompiledRule<Probe> = {
      id: rule.id,
      effect: rule.effect,
      layer: from.at,
      rank,
      isOverridable: rule.overridable === true && rule.effect !== "allow",
      expiresAtMs: momentOf(rule.expiresAt),
      conditions: compileConditions(rule.when),
      exceptions: rule.effect === "allow" ? [] : exceptions(rule.id, from.layer),
      matches: (probe) => pattern.matches(probe),
      decision,
      doubt: { ...decision, effect: "ask", because: "unsure" },
    }
    index.add(compiled, pattern)
    return compiled
  })
  const defaults = layers.flatMap(({ document, at, layer, version: layerVersion }): LayerDefault[] => {
    const effect = document.permissions?.defaults?.[action]
    if (effect === undefined) return []
    const isOverridable = document.permissions?.overridableDefaults?.includes(action) === true
    const decision: PolicyDecision = {
      effect,
      because: "default",
      ruleId: null,
      reason: null,
      owner: null,
      layer,
      version,
      layerVersion,
      warnings: NO_WARNINGS,
    }
    return [{ layer: at, isOverridable, decision }]
  })
  return {
    rules,
    defaults,
    index,
    hasOverridable: rules.some(({ isOverridable }) => isOverridable),
    found: createMemo(FOUND_MAX),
  }
}

function decisionOf(rule: PolicyRule, { layer, version: layerVersion }: PlacedLayer, version: number): PolicyDecision {
  return {
    effect: rule.effect,
    because: "rule",
    ruleId: rule.id,
    reason: rule.reason ?? null,
    owner: rule.owner ?? null,
    layer,
    version,
    layerVersion,
    warnings: NO_WARNINGS,
  }
}

function compileBounds(
  { document, at, layer, version: layerVersion, catalog }: PlacedLayer,
  version: number,
  exceptions: ExceptionsOf,
): readonly CompiledBound[] {
  const { models, autonomy, budgets = [], review } = document
  const bounds = [
    ...(models ? modelBounds(models, catalog) : []),
    ...(autonomy ? autonomyBounds(autonomy) : []),
    ...budgets.map((budget) => budgetBound(budget, layer)),
    ...(review ? [reviewBound(review, layer)] : []),
  ]
  return bounds.map((bound) => {
    const decision: PolicyDecision = {
      effect: bound.effect === "warn" ? "allow" : bound.effect,
      because: "rule",
      ruleId: bound.id,
      reason: bound.reason,
      owner: bound.owner,
      layer,
      version,
      layerVersion,
      warnings: NO_WARNINGS,
    }
    const doubt: PolicyDecision = { ...decision, effect: "ask", because: "unsure" }
    return { ...bound, layer: at, exceptions: exceptions(bound.id, layer), decision, doubt }
  })
}

type ExceptionsOf = (ruleId: string, layer: Layer) => readonly CompiledException[]

function compileExceptions(exceptions: readonly PolicyException[]): ExceptionsOf {
  const byRule = new Map<string, { readonly layer: Layer | undefined; readonly compiled: CompiledException }[]>()
  for (const { id, rule, layer, scope, when, expiresAt } of exceptions) {
    const conditions = compileConditions(when)
    const compiled: CompiledException = {
      id,
      expiresAtMs: momentOf(expiresAt),
      isFor: (context) => {
        const isInScope =
          scope.kind === "organization" ||
          (scope.kind === "team" ? context.teamIds?.includes(scope.id) === true : context.personId === scope.id)
        return isInScope && holdsAll(conditions, context) === YES
      },
    }
    const known = byRule.get(rule) ?? []
    known.push({ layer, compiled })
    byRule.set(rule, known)
  }
  return (ruleId, layer) =>
    (byRule.get(ruleId) ?? [])
      .filter((entry) => entry.layer === undefined || entry.layer === layer)
      .map(({ compiled }) => compiled)
}

/** What cannot be read has expired for an exception and never expires for a rule; neither passes the schema. */
function momentOf(expiresAt: string | undefined): number {
  return expiresAt === undefined ? Infinity : Date.parse(expiresAt)
}
