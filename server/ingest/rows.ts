import { hash } from "node:crypto"
import { hash128 } from "./hash128.ts"
import { type Signal, toMicros } from "./signal.ts"

/** A signal as the table holds it: names interned, ids hashed, numbers in the range of their column. */
export interface SignalRow {
  readonly org_id: string
  readonly developer_id: string
  /** Unix microseconds, the resolution of `timestamptz`; the column is `observed_at`. */
  readonly observed_micros: number
  /** What `signal_id` is the hash of. */
  readonly source_id: string
  readonly kind: string
  readonly rung: string
  readonly operation_id: string | null
  readonly parent_operation_id: string | null
  readonly session_id: string | null
  readonly agent_tool_id: number
  readonly agent_version_id: number | null
  readonly mode_id: number | null
  readonly model_id: number | null
  readonly provider_id: number | null
  readonly language_id: number | null
  readonly repository_id: number | null
  readonly surface: string | null
  readonly outcome: string | null
  readonly origin: string | null
  readonly latency_ms: number | null
  readonly duration_ms: number | null
  readonly wait_ms: number | null
  readonly input_tokens: number | null
  readonly output_tokens: number | null
  readonly cached_tokens: number | null
  readonly cost_usd: number | null
  readonly lines_added: number | null
  readonly lines_removed: number | null
  readonly files_changed: number | null
  readonly tool_calls: number | null
  readonly prompts: number | null
  readonly path_scope: string | null
  readonly policy_version: number | null
  readonly policy_effect: string | null
  readonly policy_because: string | null
  readonly policy_rule: string | null
  readonly policy_layer: string | null
  readonly context_files: number | null
  readonly action: string | null
  readonly error: string | null
}

export type SignalColumn = Exclude<keyof SignalRow, "observed_micros" | "source_id"> | "observed_at" | "signal_id"

/** Every column that is written, with its type, in the order in which rows are encoded. */
export const SIGNAL_COLUMNS: readonly { readonly name: SignalColumn; readonly type: string }[] = [
  { name: "org_id", type: "uuid" },
  { name: "developer_id", type: "uuid" },
  { name: "observed_at", type: "timestamptz" },
  { name: "signal_id", type: "uuid" },
  { name: "kind", type: "signal_kind" },
  { name: "rung", type: "rung" },
  { name: "operation_id", type: "text" },
  { name: "parent_operation_id", type: "text" },
  { name: "session_id", type: "text" },
  { name: "agent_tool_id", type: "int4" },
  { name: "agent_version_id", type: "int4" },
  { name: "mode_id", type: "int4" },
  { name: "model_id", type: "int4" },
  { name: "provider_id", type: "int4" },
  { name: "language_id", type: "int4" },
  { name: "repository_id", type: "int4" },
  { name: "surface", type: "surface" },
  { name: "outcome", type: "outcome" },
  { name: "origin", type: "origin" },
  { name: "latency_ms", type: "float4" },
  { name: "duration_ms", type: "float4" },
  { name: "wait_ms", type: "float4" },
  { name: "input_tokens", type: "int4" },
  { name: "output_tokens", type: "int4" },
  { name: "cached_tokens", type: "int4" },
  { name: "cost_usd", type: "float8" },
  { name: "lines_added", type: "int4" },
  { name: "lines_removed", type: "int4" },
  { name: "files_changed", type: "int4" },
  { name: "tool_calls", type: "int4" },
  { name: "prompts", type: "int4" },
  { name: "path_scope", type: "path_scope" },
  { name: "policy_version", type: "int4" },
  { name: "policy_effect", type: "policy_effect" },
  { name: "policy_because", type: "policy_because" },
  { name: "policy_rule", type: "text" },
  { name: "policy_layer", type: "policy_layer_kind" },
  { name: "context_files", type: "int4" },
  { name: "action", type: "text" },
  { name: "error", type: "text" },
]

/** What the second report of an event may add to the first: figures and names, never who, when or what. */
export const FILLABLE_COLUMNS = [
  "operation_id",
  "parent_operation_id",
  "session_id",
  "mode_id",
  "model_id",
  "provider_id",
  "language_id",
  "repository_id",
  "surface",
  "outcome",
  "origin",
  "latency_ms",
  "duration_ms",
  "wait_ms",
  "input_tokens",
  "output_tokens",
  "cached_tokens",
  "cost_usd",
  "lines_added",
  "lines_removed",
  "files_changed",
  "tool_calls",
  "prompts",
  "context_files",
  "path_scope",
  "action",
  "error",
] as const satisfies readonly (SignalColumn & keyof SignalRow)[]

export interface InternedNames {
  readonly developerId: string
  dimension(kind: DimensionKind, value: string): number
}

export type DimensionKind = "agent_tool" | "agent_version" | "mode" | "model" | "provider" | "language" | "repository"

/** The names of a signal that are interned, by dimension. */
export function dimensionsOf(signal: Signal): readonly (readonly [DimensionKind, string | null])[] {
  return [
    ["agent_tool", signal.agentTool],
    ["agent_version", signal.agentVersion],
    ["mode", signal.mode],
    ["model", signal.model],
    ["provider", signal.provider],
    ["language", signal.language],
    ["repository", signal.repository],
  ]
}

/** 16 bytes of SHA-256 as Postgres reads hex bytes. */
export function shortHash(text: string): string {
  return `\\x${hash("sha256", text, "hex").slice(0, 32)}`
}

const hashed = new Int32Array(4)

/** The column `signal_id` as Postgres prints a uuid: what the encoder writes of the row. */
export function signalIdOf(row: Pick<SignalRow, "source_id">): string {
  hash128(row.source_id, hashed)
  const hex = Array.from(hashed, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("")
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-")
}

const INT4_MAX = 2_147_483_647

function toInt4(value: number | null): number | null {
  if (value === null || !Number.isFinite(value)) return null
  return Math.max(0, Math.min(INT4_MAX, Math.round(value)))
}

/** Milliseconds and money that are negative or not finite are broken clocks and counters, not facts. */
function toMeasure(value: number | null): number | null {
  return value === null || !Number.isFinite(value) || value < 0 ? null : Math.min(value, 1e9)
}

/** `numeric(12, 6)` holds less than a million dollars. */
function toCost(value: number | null): number | null {
  const cost = toMeasure(value)
  return cost === null ? null : Math.min(cost, 999_999)
}

/** ISO 8601 in UTC with microseconds. */
export function toTimestamp(unixMicros: number): string {
  const iso = new Date(Math.floor(unixMicros / 1000)).toISOString()
  return `${iso.slice(0, -1)}${String(unixMicros % 1000).padStart(3, "0")}Z`
}

export function toRow(signal: Signal, orgId: string, names: InternedNames): SignalRow {
  const id = (kind: DimensionKind, value: string | null) => (value === null ? null : names.dimension(kind, value))
  return {
    org_id: orgId,
    developer_id: names.developerId,
    observed_micros: toMicros(signal.observedUnixNano),
    source_id: signal.sourceId,
    kind: signal.kind,
    rung: signal.rung,
    operation_id: signal.operationId,
    parent_operation_id: signal.parentOperationId,
    session_id: signal.sessionId,
    agent_tool_id: names.dimension("agent_tool", signal.agentTool),
    agent_version_id: id("agent_version", signal.agentVersion),
    mode_id: id("mode", signal.mode),
    model_id: id("model", signal.model),
    provider_id: id("provider", signal.provider),
    language_id: id("language", signal.language),
    repository_id: id("repository", signal.repository),
    surface: signal.surface,
    outcome: signal.outcome,
    origin: signal.origin,
    latency_ms: toMeasure(signal.latencyMs),
    duration_ms: toMeasure(signal.durationMs),
    wait_ms: toMeasure(signal.waitMs),
    input_tokens: toInt4(signal.inputTokens),
    output_tokens: toInt4(signal.outputTokens),
    cached_tokens: toInt4(signal.cachedTokens),
    cost_usd: toCost(signal.costUsd),
    lines_added: toInt4(signal.linesAdded),
    lines_removed: toInt4(signal.linesRemoved),
    files_changed: toInt4(signal.filesChanged),
    tool_calls: toInt4(signal.toolCalls),
    prompts: toInt4(signal.prompts),
    path_scope: signal.pathScope,
    policy_version: toInt4(signal.policyVersion),
    policy_effect: signal.policyEffect,
    policy_because: signal.policyBecause,
    policy_rule: signal.policyRule,
    policy_layer: signal.policyLayer,
    context_files: toInt4(signal.contextFiles),
    action: signal.action,
    error: signal.error,
  }
}

/** `winner` with the fields it does not know taken from `other`. */
export function fillFrom(winner: SignalRow, other: Pick<SignalRow, (typeof FILLABLE_COLUMNS)[number]>): SignalRow {
  const known = Object.fromEntries(FILLABLE_COLUMNS.map((column) => [column, winner[column] ?? other[column]]))
  return { ...winner, ...known }
}
