export * from "./ladder.ts"
export * from "./semconv.ts"
export { type Belay, type BelayOptions, noBelay, startBelay } from "./belay.ts"
export type { AcceptedSuggestion, ShownSuggestion, SuggestOptions, Suggestion, Taken } from "./autocomplete.ts"
export type { AnsweredTurn, AnsweringTurn, Turn, TurnOptions, Usage } from "./chat.ts"
export type {
  Decided,
  Edit,
  EditedFile,
  Finish,
  ModelCall,
  Prompt,
  Task,
  TaskOptions,
  ToolCall,
  Undecided,
} from "./agent.ts"
export type { Boundary } from "./scope.ts"
export type { Run, RunOptions } from "./orchestration.ts"
export type { Session, SessionOptions } from "./session.ts"
export type { Diff, LateDetails, LateOutcomes, Survival } from "./late-outcomes.ts"
export type {
  Checked,
  Decision,
  OnPrompt,
  Policy,
  PolicyAction,
  PolicyConnection,
  PolicySource,
  StartedPolicy,
  StartPolicy,
} from "./policy.ts"
export type { Deadline, FlushResult, PipelineStats } from "./pipeline.ts"
export { toTrailer } from "./token.ts"
