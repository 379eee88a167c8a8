import path from "node:path"
import type { AgentAction, PolicyContext } from "../../policy/action.ts"
import { type ConsideredRule, decide, explain, type Explanation } from "../../policy/decide.ts"
import type { PolicyDecision } from "../../policy/decision.ts"
import { hasBudgets, openBudgets } from "../../policy/budgets.ts"
import { type InForce, type Keeper, openKeeper, signedContext, UNAVAILABLE_EFFECTS } from "../../policy/keeper.ts"
import { resolveLinks } from "../../policy/links.ts"
import type { Unavailable } from "../../policy/note.ts"
import { stricter, STRICTNESS } from "../../policy/rule-set.ts"
import { type Host, policyFilesOf, readSettings, type Settings, spoolFolder } from "../home.ts"
import { countFailure } from "../state.ts"
import { UNKNOWN_PATH } from "./actions.ts"
import type { HookAction, HookContext, HookDecision } from "./hook.ts"
import { repositoryOf } from "./repository.ts"

/**
 * Decides by the policy that is kept on disk, whose signature is checked; the network is not asked. Null where no policy
 * was ever in force, so that the tool's own permission flow goes on.
 */
export function decideHook(host: Host, action: HookAction, context: HookContext): HookDecision | null {
  const settings = readSettings(host)
  const keeper = openStoredPolicy(host, settings)
  if (keeper === null) return null
  if (keeper.problem !== null) countFailure(spoolFolder(host), context.agentTool, "policy", host.now())
  const inForce = keeper.inForce()
  const actions = withModel(action.actions, context)
  if (inForce !== null) return toHookDecision(decideAll(host, inForce, actions, context), settings)
  const unavailable = keeper.unavailable()
  return unavailable === null ? null : withoutPolicy(unavailable, actions)
}

/** What is kept for whoever the settings name; null when they name nobody. */
export function openStoredPolicy(host: Host, settings: Settings): Keeper | null {
  const files = policyFilesOf(host, settings)
  return files === null ? null : openKeeper({ files, pinned: settings.policyKeys ?? [], report: () => {} })
}

/** The strictest decision on what an action is made of; of equally strict ones the first. */
function decideAll(
  host: Host,
  inForce: InForce,
  actions: readonly AgentAction[],
  context: HookContext,
): PolicyDecision | null {
  const { workspace, cwd = workspace } = context
  const circumstances = circumstancesOf(host, inForce, context)
  let strictest: PolicyDecision | null = null
  for (const action of actions) {
    const decision = decide(inForce.compiled, placed(action, cwd), circumstances)
    strictest = strictest === null ? decision : stricter(strictest, decision)
  }
  return strictest
}

/** What would be decided on a shell command in the folder where this runs, and why. */
export function explainCommand(host: Host, inForce: InForce, command: string): Explanation {
  const context = { agentTool: "belay", rung: "agent", workspace: host.cwd, cwd: host.cwd, model: undefined } as const
  const action = { kind: "shell", command, cwd: host.cwd } as const
  return explain(inForce.compiled, action, circumstancesOf(host, inForce, context))
}

/** What the bounds of the policy say of a change that nobody has reviewed, in the folder where this runs. */
export function explainChange(
  host: Host,
  inForce: InForce,
  change: NonNullable<PolicyContext["change"]>,
): readonly ConsideredRule[] {
  const context = { agentTool: "ci", rung: "agent", workspace: host.cwd, cwd: host.cwd, model: undefined } as const
  // They are about edits, wherever those are.
  const action = { kind: "edit", path: host.cwd } as const
  return explain(inForce.compiled, action, { ...circumstancesOf(host, inForce, context), change }).bounds
}

/** All that is known of the circumstances here. */
function circumstancesOf(host: Host, inForce: InForce, context: HookContext): PolicyContext {
  const { workspace, rung, agentTool, mode, surface } = context
  return signedContext(inForce, {
    nowMs: host.now(),
    rung,
    agentTool,
    mode,
    surface,
    repository: workspace === undefined ? undefined : repositoryOf(workspace),
    workspace,
    home: host.home,
    resolveLinks,
    ...(hasBudgets(inForce) && {
      spent: openBudgets(
        policyFilesOf(host, readSettings(host)),
        () => inForce,
        () => {},
      ).spent(host.now()),
    }),
  })
}

/** Relative paths are relative to where the tool is, which is not always the workspace. */
function placed(action: AgentAction, cwd: string | undefined): AgentAction {
  if (cwd === undefined) return action
  switch (action.kind) {
    case "edit":
    case "read":
      if (action.path === UNKNOWN_PATH || action.path.startsWith("~")) return action
      return { ...action, path: path.resolve(cwd, action.path) }
    case "shell":
      return { ...action, cwd: action.cwd === undefined ? cwd : path.resolve(cwd, action.cwd) }
    case "web":
    case "mcp":
    case "subagent":
    case "model":
      return action
  }
}

/** Cursor's words for a model that it chooses by itself. */
const NO_MODELS: ReadonlySet<string> = new Set(["auto", "default"])

/** Whoever acts is a model, which has to be allowed as well. */
function withModel(actions: readonly AgentAction[], { model }: HookContext): readonly AgentAction[] {
  return model === undefined || NO_MODELS.has(model) ? actions : [...actions, { kind: "model", model }]
}

function toHookDecision(decision: PolicyDecision | null, settings: Settings): HookDecision | null {
  if (decision === null) return null
  const { effect, because, ruleId, layer, version } = decision
  return {
    effect,
    because,
    reason: reasonOf(decision, settings),
    ruleId: ruleId ?? undefined,
    layer: layer ?? undefined,
    policyVersion: version,
  }
}

/** For the person and the model: why, by which rule, whom to ask, and where. */
function reasonOf({ reason, ruleId, owner, layer, because }: PolicyDecision, settings: Settings): string {
  if (ruleId === null) {
    return reason ?? (because === "default" ? `The ${layer}'s policy has no rule that allows this.` : "Belay's policy.")
  }
  const parts = [reason ?? "Belay's policy.", `Rule ${ruleId} of the ${layer}'s policy`]
  if (owner !== null) parts.push(`; ${owner} answers for it`)
  const address = settings.appUrl ?? originOf(settings.endpoint)
  if (address !== null) {
    parts.push(`; ask for an exception at ${address}/policy/exceptions/new?rule=${encodeURIComponent(ruleId)}`)
  }
  const [why = "", ...rest] = parts
  return `${why} (${rest.join("")})`
}

function originOf(endpoint: string | undefined): string | null {
  return endpoint !== undefined && URL.canParse(endpoint) ? new URL(endpoint).origin : null
}

function withoutPolicy(unavailable: Unavailable, actions: readonly AgentAction[]): HookDecision {
  const effects = actions.map(({ kind }) => UNAVAILABLE_EFFECTS[unavailable[kind] ?? "ask"])
  const effect = effects.toSorted((a, b) => STRICTNESS[b] - STRICTNESS[a])[0] ?? "ask"
  return { effect, because: "no_policy", reason: "Belay's policy cannot be read on this machine. Run: belay doctor" }
}
