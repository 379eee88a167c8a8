import { RUNGS, type Rung } from "#sdk/ladder.ts"
import type { SignalKind } from "../db/types.ts"
import { LATENCY_OBJECTIVES } from "../rungs/objectives.ts"

/** What of an organization's work an objective is about. Null is all of it. */
export interface ObjectiveScope {
  readonly rung: Rung
  readonly agentTool: string | null
  readonly model: string | null
  /** With its sub-teams. */
  readonly teamId: string | null
}

export interface Objective extends ObjectiveScope {
  readonly id: string
  readonly teamName: string | null
  readonly thresholdMs: number
  /** Share 0..1 of requests that should take no longer. */
  readonly target: number
  /** Days over which the error budget is counted. */
  readonly windowDays: number
  /** In the long window of a burn rate, below which it says nothing. */
  readonly requestsMin: number
  readonly isEnabled: boolean
}

/** What can be chosen. */
export const OBJECTIVE_LIMITS = {
  thresholdMs: { min: 1, max: 86_400_000 },
  target: { min: 0.5, max: 0.9999 },
  windowDays: { min: 7, max: 90 },
  requestsMin: { min: 1, max: 1_000_000 },
  /** Of one organization. */
  objectives: 10_000,
} as const

/**
 * The signals whose latency is that of a rung: until shown, until the first token, until done. The turns of an agent are
 * part of a task, and are not in it.
 */
export const KIND_OF_RUNG: Record<Rung, SignalKind> = {
  autocomplete: "suggestion",
  chat: "turn",
  agent: "task",
  orchestration: "run",
}

const idOf = (index: number) => `00000000-0000-4000-8000-00000000000${index + 1}`

/**
 * What every organization has, until it changes one: then there is a row of that id. They are not seeded as rows, so that
 * whoever changed nothing has what the newest Belay takes for right, from the first signal on.
 */
export const DEFAULT_OBJECTIVES: readonly Objective[] = RUNGS.map((rung, index) => ({
  id: idOf(index),
  rung,
  agentTool: null,
  model: null,
  teamId: null,
  teamName: null,
  thresholdMs: LATENCY_OBJECTIVES[rung].p95Ms,
  target: 0.95,
  windowDays: 30,
  requestsMin: 30,
  isEnabled: true,
}))

export function isDefaultObjective(id: string): boolean {
  return DEFAULT_OBJECTIVES.some((objective) => objective.id === id)
}

/** Objectives of the same scope read the same histograms. */
export function scopeKey({ rung, agentTool, model, teamId }: ObjectiveScope): string {
  return JSON.stringify([rung, agentTool, model, teamId])
}
