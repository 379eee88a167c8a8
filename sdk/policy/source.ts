/** A compiled policy as the SDK asks it, from memory. */
import type { PolicyAction, PolicySource } from "../policy.ts"
import type { AgentAction, PolicyContext } from "./action.ts"
import type { CompiledPolicy } from "./compile.ts"
import { decide } from "./decide.ts"

/**
 * Decides from `policy`, under the circumstances that `contextOf` gives for an action; the action's own rung is among
 * them. An action without `what` is judged by its name: as a tool of an MCP server when it is `server/tool`, else as a
 * shell command.
 */
export function policySource(policy: CompiledPolicy, contextOf: (action: PolicyAction) => PolicyContext): PolicySource {
  return {
    decide(action) {
      const { effect, because, ruleId, reason, layer, version } = decide(policy, toAgentAction(action), {
        ...contextOf(action),
        rung: action.rung,
      })
      return { effect, because, ruleId, reason, layer, version }
    },
  }
}

/** What a host says that it is about to do; without `what` its name is all there is to judge. */
export function toAgentAction({ what, action: name }: PolicyAction): AgentAction {
  if (what !== undefined) return what
  const at = name.indexOf("/")
  if (at === -1) return { kind: "shell", command: name }
  return { kind: "mcp", server: name.slice(0, at), tool: name.slice(at + 1) }
}
