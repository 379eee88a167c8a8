import type { Origin, Outcome, PathScope, Rung, SignalKind, Surface } from "#sdk/ladder.ts"
import type { Effect, Layer } from "#sdk/policy/vocabulary.ts"

/**
 * One normalized, content-free observation, before its names are interned: what a dialect makes of a span, a log
 * record or a data point. A field the source does not give is null; nothing is invented.
 */
export interface Signal {
  /** Event time from the source, never altered, so that a re-sent batch has the same key. Unix nanoseconds. */
  readonly observedUnixNano: bigint
  /** What makes this signal this signal, from the source's own ids; hashed to `signal_id`. */
  readonly sourceId: string
  readonly kind: SignalKind
  /** The lowest rung that this signal alone proves. An operation stands on the highest rung of its signals. */
  readonly rung: Rung
  readonly agentTool: string
  readonly agentVersion: string | null
  readonly surface: Surface | null
  /** Whoever the source says it acts for: e-mail, account or installation id. Keyed and hashed before it is stored. */
  readonly identity: Identity | null
  /** The developer, in what Belay makes itself of what it knows already; goes before `identity`. */
  readonly developerId: string | null
  readonly operationId: string | null
  readonly parentOperationId: string | null
  readonly sessionId: string | null
  /**
   * The source's id of the real event, where it reports one event twice (as a log record and as a span). Signals with
   * one occurrence are stored once: the `primary` wins and takes what only the `secondary` knows.
   */
  readonly occurrence: Occurrence | null
  readonly mode: string | null
  readonly model: string | null
  readonly provider: string | null
  readonly language: string | null
  readonly repository: string | null
  readonly outcome: Outcome | null
  /** Mandatory on every decision; null where nobody decided anything. */
  readonly origin: Origin | null
  /** Time until the human could use it: shown (suggestion), first token (turn, model call), finish (task, run). */
  readonly latencyMs: number | null
  readonly durationMs: number | null
  /** Time spent waiting on a human. */
  readonly waitMs: number | null
  /** All input tokens, cached ones included (the OpenTelemetry convention, whatever the source counts). */
  readonly inputTokens: number | null
  readonly outputTokens: number | null
  /** Input tokens read from a cache; part of `inputTokens`. */
  readonly cachedTokens: number | null
  readonly costUsd: number | null
  readonly linesAdded: number | null
  readonly linesRemoved: number | null
  readonly filesChanged: number | null
  readonly toolCalls: number | null
  readonly prompts: number | null
  readonly pathScope: PathScope | null
  /** At most 80 characters: program and sub-command, tool, MCP server/tool. Never arguments. */
  readonly action: string | null
  /** Class of failure, at most 40 characters. */
  readonly error: string | null
  readonly policyVersion: number | null
  /** What the policy decided, why, and by which rule of which layer: of a `policy_decision`. */
  readonly policyEffect: Effect | null
  readonly policyBecause: PolicyBecause | null
  readonly policyRule: string | null
  readonly policyLayer: Layer | null
  /** Files that the operation was given as context. */
  readonly contextFiles: number | null
}

/** Why a policy decided so, as `Decision` of the SDK has it. */
export const POLICY_BECAUSE = ["rule", "default", "unset", "unsure", "no_policy", "error"] as const
export type PolicyBecause = (typeof POLICY_BECAUSE)[number]

export interface Identity {
  readonly kind: "email" | "account" | "installation" | "user"
  readonly value: string
}

export interface Occurrence {
  readonly id: string
  readonly evidence: "primary" | "secondary"
}

// Every machine that Node runs on keeps the low half first.
const NANOS = new BigUint64Array(1)
const HALVES = new Uint32Array(NANOS.buffer)

/** Whole microseconds in so many nanoseconds, below 2^64. Dividing bigints would make two more of them. */
export function toMicros(nanos: bigint): number {
  NANOS[0] = nanos
  const [low = 0, high = 0] = [HALVES[0], HALVES[1]]
  return Math.floor(high / 1000) * 2 ** 32 + Math.floor(((high % 1000) * 2 ** 32 + low) / 1000)
}

/** The fields every dialect states; the rest default to null. */
type Stated = "observedUnixNano" | "sourceId" | "kind" | "rung" | "agentTool"

export type SignalFields = Pick<Signal, Stated> & Partial<Omit<Signal, Stated>>

/** Field by field, since a spread takes several times as long. */
export function toSignal(fields: SignalFields): Signal {
  return {
    observedUnixNano: fields.observedUnixNano,
    sourceId: fields.sourceId,
    kind: fields.kind,
    rung: fields.rung,
    agentTool: fields.agentTool,
    agentVersion: fields.agentVersion ?? null,
    surface: fields.surface ?? null,
    identity: fields.identity ?? null,
    developerId: fields.developerId ?? null,
    operationId: fields.operationId ?? null,
    parentOperationId: fields.parentOperationId ?? null,
    sessionId: fields.sessionId ?? null,
    occurrence: fields.occurrence ?? null,
    mode: fields.mode ?? null,
    model: fields.model ?? null,
    provider: fields.provider ?? null,
    language: fields.language ?? null,
    repository: fields.repository ?? null,
    outcome: fields.outcome ?? null,
    origin: fields.origin ?? null,
    latencyMs: fields.latencyMs ?? null,
    durationMs: fields.durationMs ?? null,
    waitMs: fields.waitMs ?? null,
    inputTokens: fields.inputTokens ?? null,
    outputTokens: fields.outputTokens ?? null,
    cachedTokens: fields.cachedTokens ?? null,
    costUsd: fields.costUsd ?? null,
    linesAdded: fields.linesAdded ?? null,
    linesRemoved: fields.linesRemoved ?? null,
    filesChanged: fields.filesChanged ?? null,
    toolCalls: fields.toolCalls ?? null,
    prompts: fields.prompts ?? null,
    pathScope: fields.pathScope ?? null,
    action: fields.action ?? null,
    error: fields.error ?? null,
    policyVersion: fields.policyVersion ?? null,
    policyEffect: fields.policyEffect ?? null,
    policyBecause: fields.policyBecause ?? null,
    policyRule: fields.policyRule ?? null,
    policyLayer: fields.policyLayer ?? null,
    contextFiles: fields.contextFiles ?? null,
  }
}
