import type { AgentAction, PolicyContext } from "#sdk/policy/action.ts"
import { type CompiledPolicy, compilePolicy } from "#sdk/policy/compile.ts"
import { type ConsideredRule, explain } from "#sdk/policy/decide.ts"
import type { PolicyDecision } from "#sdk/policy/decision.ts"
import type { PolicyBundle, PolicyDocument } from "#sdk/policy/document.ts"
import type { Layer } from "#sdk/policy/vocabulary.ts"
import { ANY } from "#sdk/policy/wildcard.ts"

/**
 * Judging what is on record: an action by its content-free name alone, `git push` and not where to. What it was in full is
 * not known, so every decision that hangs on it is one that cannot be told.
 */

/** How agent tools call what they do, by what a rule would call it. */
const TOOLS: ReadonlyMap<string, AgentAction["kind"]> = new Map([
  ...named("shell", "Bash bash shell local_shell exec_command run_shell_command execute_command run_terminal_cmd"),
  ...named("edit", "Edit Write MultiEdit NotebookEdit apply_patch write_file replace edit write patch multiedit"),
  ...named(
    "read",
    "Read Grep Glob LS NotebookRead read_file read_many_files list_directory search_file_content glob read",
  ),
  ...named("web", "WebFetch WebSearch web_fetch google_web_search webfetch websearch web"),
  ...named("subagent", "Task Agent task subagent"),
])

function named(kind: AgentAction["kind"], names: string): [string, AgentAction["kind"]][] {
  return names.split(" ").map((name) => [name, kind])
}

/** A program, and a sub-command where it has them. */
const COMMAND = /^[a-z][a-z0-9_.+-]*(?: [a-z][a-z-]*)?$/
const MCP = /^([^/ ]+)\/([^/ ]+)$/
/** Any words. */
const ARGUMENTS = "$ARGUMENTS"

/**
 * What an agent did, as far as its recorded name tells: with any arguments, any path, any address. Null where the name does
 * not say what it was. A script is known by the command that it starts with.
 */
export function toAgentAction(recorded: string): AgentAction | null {
  const kind = TOOLS.get(recorded)
  if (kind === "shell") return { kind, command: ARGUMENTS }
  if (kind === "edit" || kind === "read") return { kind, path: ANY }
  if (kind === "web") return { kind, url: ANY }
  if (kind === "subagent") return { kind, name: ANY }
  const [, server, tool] = MCP.exec(recorded) ?? []
  if (server !== undefined && tool !== undefined) return { kind: "mcp", server, tool }
  return COMMAND.test(recorded) ? { kind: "shell", command: `${recorded} ${ARGUMENTS}` } : null
}

/** A policy that is ready to judge what is on record; null is none at all. */
export interface JudgingPolicy {
  readonly bundle: PolicyBundle
  readonly policy: CompiledPolicy
  /**
   * The same with its allows turned into denies, which match whatever an allow might: an allow that does not match for sure
   * is not seen otherwise.
   */
  readonly mirror: CompiledPolicy
  /** What its rules say, by their names. Of two teams' rules of one name, both. */
  readonly texts: ReadonlyMap<string, readonly unknown[]>
}

export function prepareJudging(bundle: PolicyBundle): JudgingPolicy {
  return {
    bundle,
    policy: compilePolicy(bundle),
    texts: Map.groupBy(
      bundle.layers.flatMap(({ layer, document }) =>
        (document.permissions?.rules ?? []).map((rule) => ({ layer, rule })),
      ),
      ({ layer, rule }) => nameOf({ ruleId: rule.id, layer }),
    ),
    mirror: compilePolicy({
      ...bundle,
      layers: bundle.layers.map((layer) => ({ ...layer, document: denyAllows(layer.document) })),
    }),
  }
}

function denyAllows(document: PolicyDocument): PolicyDocument {
  const { permissions } = document
  if (permissions?.rules === undefined) return document
  const rules = permissions.rules.map((rule) => ({
    ...rule,
    id: `${rule.effect} ${rule.id}`,
    effect: rule.effect === "allow" ? ("deny" as const) : rule.effect,
  }))
  return { ...document, permissions: { ...permissions, rules } }
}

export interface Judgement {
  /** Null where what is on record does not tell. */
  readonly decision: Pick<PolicyDecision, "effect" | "because" | "ruleId" | "layer"> | null
  /** All that may have to do with it: two policies that say the same of an action have the same. */
  readonly grounds: string
}

const NO_POLICY: Judgement = {
  decision: { effect: "allow", because: "unset", ruleId: null, layer: null },
  grounds: "no policy",
}

/** Judges an action on record, of which `toAgentAction` has said what it was. */
export function judgeRecorded(of: JudgingPolicy | null, action: AgentAction, context: PolicyContext): Judgement {
  if (of === null) return NO_POLICY
  const { decision, parts, bounds, doubts } = explain(of.policy, action, context, "matching")
  const considered = parts.flatMap(({ rules }) => rules)
  const concerned = considered.filter(isConcerned)
  const concernedBounds = bounds.filter(isConcerned)
  const sureAllows = new Set(
    concerned.filter(({ effect, standing }) => effect === "allow" && standing === "matches").map(nameOf),
  )
  const mayAllow = explain(of.mirror, action, context, "matching")
    .parts.flatMap(({ rules }) => rules)
    .filter((rule) => isConcerned(rule) && rule.ruleId.startsWith("allow "))
    .map(({ ruleId, layer }) => nameOf({ ruleId: ruleId.slice("allow ".length), layer }))
    .filter((name) => !sureAllows.has(name))
  const { effect, because, ruleId, layer } = decision
  const mayBeStricter = [...concerned, ...concernedBounds].some(
    (rule) => rule.standing === "may_match" && rule.effect !== "allow" && rule.effect !== effect,
  )
  // What a sure rule decides no allow takes back; a default gives way to one.
  const mayBeMilder = because === "default" && effect !== "allow" && mayAllow.length > 0
  const isSure =
    because !== "unsure" && doubts.length === 0 && (effect === "deny" ? !mayBeMilder : !mayBeStricter && !mayBeMilder)
  return {
    decision: isSure ? { effect, because, ruleId, layer } : null,
    grounds: JSON.stringify([
      effect,
      because,
      layer,
      [...concerned.map(nameOf), ...mayAllow].toSorted().map((name) => [name, of.texts.get(name)]),
      concernedBounds.map((bound) => [nameOf(bound), bound.standing, boundText(of.bundle, bound)]),
    ]),
  }
}

/** Whether a rule has, or may have, to do with an action. */
function isConcerned({ standing }: ConsideredRule): boolean {
  return standing === "matches" || standing === "may_match" || standing === "lifted" || standing === "overridden"
}

function nameOf({ ruleId, layer }: { readonly ruleId: string; readonly layer: Layer }): string {
  return `${layer} ${ruleId}`
}

function boundText({ layers }: PolicyBundle, { ruleId, layer }: ConsideredRule): unknown {
  const [section] = ruleId.split(".", 1)
  return layers
    .filter((entry) => entry.layer === layer)
    .map(({ document }) => Object.entries(document).filter(([name]) => name === section))
}
