import type { Rung } from "#sdk/ladder.ts"

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
