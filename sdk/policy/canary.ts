/** An action that every policy denies, so that clients can show that theirs is enforced. */
import type { McpAction } from "./action.ts"
import type { PolicyBundle, PolicyDocument, PolicyRule } from "./document.ts"

/**
 * The reserved action: a call of a tool that no server has. Of all kinds a rule on a tool's whole name is the one that
 * changes nothing for any other action, in any policy: one on shell commands would put those in doubt that cannot be read.
 */
export const CANARY: McpAction = { kind: "mcp", server: "belay-canary", tool: "must-be-denied" }

const RULE: PolicyRule = {
  id: "belay-canary",
  effect: "deny",
  action: "mcp",
  pattern: `${CANARY.server}/${CANARY.tool}`,
  reason: "Every policy denies this: Belay sees by it that policies are enforced here.",
}

/**
 * The bundle with a rule that denies the canary. Clients compile this in place of the bundle, and from time to time have
 * the canary decided as any other action: nothing but a compiled policy that is asked can deny it.
 */
export function withCanary(bundle: PolicyBundle): PolicyBundle {
  const [first, ...rest] = bundle.layers
  if (first === undefined) {
    const document: PolicyDocument = { schema: "belay.policy/1", permissions: { rules: [RULE] } }
    return { ...bundle, layers: [{ layer: "organization", version: 1, document }] }
  }
  const { document } = first
  const rules = [...(document.permissions?.rules ?? []), RULE]
  const permissions = { ...document.permissions, rules }
  return { ...bundle, layers: [{ ...first, document: { ...document, permissions } }, ...rest] }
}
