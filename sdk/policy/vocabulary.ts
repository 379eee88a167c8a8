/** The words of a policy, shared by the documents, the engine and what shows them. Order is meaning where it says so. */

/** What a policy decides, mildest first: deny beats ask beats allow. */
export const EFFECTS = ["allow", "ask", "deny"] as const
/** What a policy decides: one of `EFFECTS`. */
export type Effect = (typeof EFFECTS)[number]

/** What an agent can do that a permission rule speaks of. */
export const RULE_ACTIONS = ["shell", "edit", "read", "web", "mcp", "subagent", "model"] as const
/** What a permission rule speaks of: one of `RULE_ACTIONS`. */
export type RuleAction = (typeof RULE_ACTIONS)[number]

/** Who wrote a policy, widest first. A narrower layer only tightens what a wider one says. */
export const LAYERS = ["organization", "team", "developer"] as const
/** Who wrote a policy: one of `LAYERS`. */
export type Layer = (typeof LAYERS)[number]

/** What happens to an action while there is no usable bundle, mildest first. */
export const AVAILABILITIES = ["open", "ask", "closed"] as const

/** What a provider may do with what it is sent, most private first. */
export const DATA_PRACTICES = ["zero_retention", "no_training", "may_train"] as const
/** What a provider may do with what it is sent: one of `DATA_PRACTICES`. */
export type DataPractice = (typeof DATA_PRACTICES)[number]

/** Whose use a budget adds up. */
export const BUDGET_SCOPES = ["person", "team", "organization"] as const

/** After what time a budget starts anew. */
export const BUDGET_PERIODS = ["day", "week", "month"] as const

/** What a limit does when it is reached, mildest first. `warn` allows, and says so. */
export const LIMIT_EFFECTS = ["warn", "ask", "deny"] as const
/** What a limit does when it is reached: one of `LIMIT_EFFECTS`. */
export type LimitEffect = (typeof LIMIT_EFFECTS)[number]

/** The shares of a budget at which a person is warned, unless the budget names its own. */
export const SOFT_THRESHOLDS: readonly number[] = [0.5, 0.75, 0.9]
/** Changed lines that a person can review in one sitting, unless the policy says otherwise. */
export const REVIEW_LINES = 400

/**
 * How agent tools call the modes in which they approve their own actions. What a list of modes does not name and is
 * not among these does not exist yet, and follows the list's `future`.
 */
export const AUTO_APPROVE_MODES = [
  "acceptEdits",
  "auto",
  "auto-edit",
  "auto_edit",
  "autopilot",
  "bypassPermissions",
  "dontAsk",
  "full-auto",
  "never",
  "yolo",
] as const
