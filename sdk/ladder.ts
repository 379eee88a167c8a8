/** The words of the trust ladder, shared by what sends signals and what reads them. Order is meaning: lowest first. */

/** The rungs, from an agent that suggests to agents that share work. */
export const RUNGS = ["autocomplete", "chat", "agent", "orchestration"] as const
/** How much is left to the agent. */
export type Rung = (typeof RUNGS)[number]

/** How an operation ended for the human. */
export const OUTCOMES = [
  "accepted",
  "modified",
  "rejected",
  "ignored",
  "copied",
  "applied",
  "merged",
  "reverted",
  "abandoned",
  "failed",
] as const
/** How an operation ended for the human: one of `OUTCOMES`. */
export type Outcome = (typeof OUTCOMES)[number]

/** Who decided. Only `human` decisions enter an acceptance rate. */
export const ORIGINS = ["human", "rule", "hook", "mode", "timeout", "dismissed", "unknown"] as const
/** Who decided: one of `ORIGINS`. */
export type Origin = (typeof ORIGINS)[number]

/** Where the agent was used. */
export const SURFACES = ["ide", "terminal", "chat-app", "cloud", "ci"] as const
/** Where the agent was used: one of `SURFACES`. */
export type Surface = (typeof SURFACES)[number]

/** Whether an edit stayed inside the boundary that the operation was given. */
export const PATH_SCOPES = ["in_scope", "out_of_scope", "sensitive"] as const
/** Where an edit lies: one of `PATH_SCOPES`. */
export type PathScope = (typeof PATH_SCOPES)[number]

/** What one signal observes. */
export const SIGNAL_KINDS = [
  "start",
  "suggestion",
  "turn",
  "task",
  "run",
  "model_call",
  "tool_call",
  "edit",
  "permission",
  "mode_change",
  "context",
  "outcome",
  "policy_decision",
  "session",
  "presence",
] as const
/** What a signal observes: one of `SIGNAL_KINDS`. */
export type SignalKind = (typeof SIGNAL_KINDS)[number]
