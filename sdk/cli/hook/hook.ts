import type { AgentAction } from "../../policy/action.ts"
import type { SignalFields } from "../../signal.ts"
import type { Payload } from "./payload.ts"

/** What an agent is about to do, as its hook tells. It stays in this process: only content-free facts of it are sent. */
export interface HookAction {
  /** The tool's own name for it. */
  readonly tool: string
  /** What it is to a policy, every part of which has to pass; none when no rule can speak of it. */
  readonly actions: readonly AgentAction[]
}

/** The circumstances of an action, as the payload has them. */
export interface HookContext extends Pick<SignalFields, "rung" | "surface" | "mode" | "sessionId"> {
  readonly agentTool: string
  /** The folder that is worked in. */
  readonly workspace: string | undefined
  /** The folder that relative paths are relative to; the workspace unless said otherwise. */
  readonly cwd: string | undefined
  readonly model: string | undefined
}

/** What the policy says about an action. */
export interface HookDecision {
  readonly effect: "allow" | "ask" | "deny"
  /** Shown to the person and the model. */
  readonly reason?: string | undefined
  readonly because: string
  readonly ruleId?: string | undefined
  readonly layer?: string | undefined
  /** Undefined when there is none to go by. */
  readonly policyVersion?: number | undefined
}

/** A decision that the tool is told of. What is allowed is left to the tool's own permission flow. */
export type HookVerdict = HookDecision & { readonly effect: "ask" | "deny" }

/** The policy; null means it has no opinion, and the tool's own permission flow goes on. */
export type Decide = (action: HookAction, context: HookContext) => HookDecision | null | Promise<HookDecision | null>

/** What goes back to the tool. */
export interface HookAnswer {
  readonly stdout: string
  readonly stderr: string
  readonly exitCode: 0 | 2
}

/** What most tools take for no opinion. */
export const NO_OPINION: HookAnswer = { stdout: "", stderr: "", exitCode: 0 }

export function answerJson(value: unknown): HookAnswer {
  return { stdout: `${JSON.stringify(value)}\n`, stderr: "", exitCode: 0 }
}

/** A fact, and the files it is of, which are judged by where they lie and forgotten. */
export interface HookSignal extends SignalFields {
  readonly paths?: readonly string[] | undefined
}

/** A tool's hooks: how its payloads are read and how it is answered. Pure; times of signals are the caller's. */
export interface HookProtocol {
  /** The name its signals are stored under. */
  readonly agentTool: string
  readonly agentVersion: (payload: Payload) => string | undefined
  /** The person that the payload names, where it does. */
  readonly enduserId: (payload: Payload) => string | undefined
  /** The folder that the agent works in. */
  readonly workspace: (payload: Payload) => string | undefined
  /** The operation that is under way, as its telemetry calls it; undefined where the payload does not say. */
  readonly operationId: (payload: Payload) => string | undefined
  /** Of an action that is decided on. */
  readonly context: (payload: Payload) => Omit<HookContext, "agentTool" | "workspace">
  /** The action that this event lets a hook decide on; null when it is not such an event. */
  readonly readAction: (payload: Payload) => HookAction | null
  readonly answer: (payload: Payload, verdict: HookVerdict) => HookAnswer
  /** What lets the tool's own permission flow go on. */
  readonly noOpinion: HookAnswer
  /** The facts in this event that the tool's own telemetry does not tell; null when the event is not known. */
  readonly readSignals: (payload: Payload) => readonly HookSignal[] | null
}

/** For events that are known and say nothing that is not told elsewhere. */
export const SILENT: readonly HookSignal[] = []
