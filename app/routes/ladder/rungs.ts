import type { Rung } from "#sdk/ladder.ts"
import type { Forcing, MoveClass } from "#server/rungs/moves.ts"

export const RUNG_LABELS: Record<Rung, string> = {
  autocomplete: "Autocomplete",
  chat: "Chat",
  agent: "Agent",
  orchestration: "Orchestration",
}

export const RUNG_DESCRIPTIONS: Record<Rung, string> = {
  autocomplete: "suggestions while typing",
  chat: "questions and answers",
  agent: "one agent, closely watched",
  orchestration: "several agents, hands off",
}

/** What one operation is called at each rung. */
export const OPERATION_WORDS: Record<Rung, string> = {
  autocomplete: "suggestion",
  chat: "turn",
  agent: "task",
  orchestration: "run",
}

/** One hue in four steps, always in ladder order. */
export const RUNG_COLORS: Record<Rung, string> = {
  autocomplete: "var(--rung-1)",
  chat: "var(--rung-2)",
  agent: "var(--rung-3)",
  orchestration: "var(--rung-4)",
}

/** Classes of moves, of many people. */
export const MOVE_LABELS: Record<MoveClass, string> = {
  climb: "Climbs",
  voluntary_fall_back: "Voluntary fall-backs",
  forced: "Forced",
  disengagement: "Disengagements",
  recovery: "Recoveries",
}

export const MOVE_DESCRIPTIONS: Record<MoveClass, string> = {
  climb: "to a higher rung than before",
  voluntary_fall_back: "to a lower rung, while total use held",
  forced: "to a lower rung, with an absence, a new team, a policy change, an outage or a client upgrade around it",
  disengagement: "to a lower rung, with less than half of the use before",
  recovery: "back on the rung that a fall had left",
}

export const FORCING_WORDS: Record<Forcing, string> = {
  absence: "time away",
  new_team: "a new team",
  policy_change: "a policy change",
  outage: "missing telemetry",
  client_upgrade: "a new version of the agent tool",
}
