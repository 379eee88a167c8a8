import type { PolicyContext, AgentAction } from "#sdk/policy/action.ts"
import type { PolicyDecision } from "#sdk/policy/decision.ts"
import { toShellAction } from "#sdk/shell-action.ts"
import { toAction, toName, toRuleId } from "../ingest/dialects/attributes.ts"
import { type Signal, toSignal } from "../ingest/signal.ts"

/**
 * A decision that the server made, as the signal that a client which decides by itself sends of it. Content-free: the
 * action by its name alone. `id` makes it one of its own; asking twice is deciding twice.
 */
export function toDecisionSignal(args: {
  readonly id: string
  readonly at: Date
  readonly action: AgentAction
  readonly context: Omit<PolicyContext, "nowMs">
  /** For whom it was asked, as the client names them. */
  readonly enduser: string | null
  readonly decision: PolicyDecision
}): Signal {
  const { id, at, action, context, enduser, decision } = args
  return toSignal({
    observedUnixNano: BigInt(at.getTime()) * 1_000_000n,
    sourceId: `decide:${id}`,
    kind: "policy_decision",
    // Whoever asks before acting is an agent, where nothing more is said.
    rung: context.rung ?? "agent",
    agentTool: toName(context.agentTool) ?? "unknown",
    surface: context.surface ?? null,
    identity:
      enduser === null
        ? null
        : enduser.includes("@")
          ? { kind: "email", value: enduser.toLowerCase() }
          : { kind: "user", value: enduser },
    mode: toName(context.mode),
    repository: toName(context.repository),
    origin: "rule",
    action: nameOf(action),
    policyEffect: decision.effect,
    policyBecause: decision.because,
    policyRule: toRuleId(decision.ruleId ?? undefined),
    policyLayer: decision.layer,
    policyVersion: decision.version,
  })
}

/** What it is called without what it is about; the kind, where there is no such name. */
function nameOf(action: AgentAction): string {
  switch (action.kind) {
    case "shell":
      return toShellAction(action.command) ?? action.kind
    case "mcp":
      return toAction(action.tool, action.server) ?? action.kind
    case "edit":
    case "read":
    case "web":
    case "subagent":
    case "model":
      return action.kind
  }
}
