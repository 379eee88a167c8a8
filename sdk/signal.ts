import type { Origin, Outcome, PathScope, Rung, SignalKind, Surface } from "./ladder.ts"
import { toErrorClass, toId, toIdentity, toName } from "./names.ts"
import {
  ATTR_BELAY_ACTION,
  ATTR_BELAY_AGENT_TOOL,
  ATTR_BELAY_AGENT_VERSION,
  ATTR_BELAY_CHARS_ADDED,
  ATTR_BELAY_CONTEXT_FILES,
  ATTR_BELAY_COST_USD,
  ATTR_BELAY_DURATION_MS,
  ATTR_BELAY_FILES_CHANGED,
  ATTR_BELAY_LANGUAGE,
  ATTR_BELAY_LATENCY_MS,
  ATTR_BELAY_LINES_ADDED,
  ATTR_BELAY_LINES_REMOVED,
  ATTR_BELAY_MODE,
  ATTR_BELAY_OPERATION_ID,
  ATTR_BELAY_ORIGIN,
  ATTR_BELAY_OUTCOME,
  ATTR_BELAY_PARENT_OPERATION_ID,
  ATTR_BELAY_PATH_SCOPE,
  ATTR_BELAY_POLICY_BECAUSE,
  ATTR_BELAY_POLICY_EFFECT,
  ATTR_BELAY_POLICY_LAYER,
  ATTR_BELAY_POLICY_RULE_ID,
  ATTR_BELAY_POLICY_VERSION,
  ATTR_BELAY_PREVIOUS_RUNG,
  ATTR_BELAY_PROMPTS,
  ATTR_BELAY_RUNG,
  ATTR_BELAY_SIGNAL_ID,
  ATTR_BELAY_SURFACE,
  ATTR_BELAY_SURVIVAL_AT,
  ATTR_BELAY_SURVIVAL_SHARE,
  ATTR_BELAY_TOOL_CALLS,
  ATTR_BELAY_WAIT_MS,
  ATTR_ENDUSER_ID,
  ATTR_ERROR_TYPE,
  ATTR_GEN_AI_PROVIDER_NAME,
  ATTR_GEN_AI_REQUEST_MODEL,
  ATTR_GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS,
  ATTR_GEN_AI_USAGE_INPUT_TOKENS,
  ATTR_GEN_AI_USAGE_OUTPUT_TOKENS,
  ATTR_SERVICE_NAME,
  ATTR_SERVICE_VERSION,
  ATTR_SESSION_ID,
  ATTR_VCS_REPOSITORY_NAME,
  EVENT_PREFIX,
  SCOPE_NAME,
} from "./semconv.ts"

/**
 * One observation, content-free: there is no field for prompts, code, arguments or paths. What an author can spell
 * freely (models, tools, modes, languages, actions, ids) is checked by `toRecord` and left out when it is no name.
 */
export interface SignalFields {
  /** What is observed. */
  readonly kind: SignalKind
  /** The rung it was observed on. */
  readonly rung: Rung
  /** Random when it is left out. Two signals with one id are one signal. */
  readonly signalId?: string | undefined
  /** Suggestion, turn, task or run that it belongs to. */
  readonly operationId?: string | undefined
  /** The operation that handed this one on. */
  readonly parentOperationId?: string | undefined
  /** The conversation that it belongs to, by the host's own id. */
  readonly sessionId?: string | undefined
  /** The tool that acted, where it is not the service that reports. */
  readonly agentTool?: string | undefined
  /** The version of `agentTool`. */
  readonly agentVersion?: string | undefined
  /** Where the agent was used. */
  readonly surface?: Surface | undefined
  /** The agent persona: `code`, `architect`. */
  readonly mode?: string | undefined
  /** The model's name. */
  readonly model?: string | undefined
  /** Who runs the model. */
  readonly provider?: string | undefined
  /** Of the code: `typescript`. */
  readonly language?: string | undefined
  /** `owner/name`. */
  readonly repository?: string | undefined
  /** How it ended for the human. */
  readonly outcome?: Outcome | undefined
  /** Mandatory on every decision. */
  readonly origin?: Origin | undefined
  /** Milliseconds until the human could use it: shown (suggestion), first token (turn, model call). */
  readonly latencyMs?: number | undefined
  /** Milliseconds of the whole operation. */
  readonly durationMs?: number | undefined
  /** Milliseconds spent waiting on a human. */
  readonly waitMs?: number | undefined
  /** All input tokens, cached ones included. */
  readonly inputTokens?: number | undefined
  /** All output tokens, reasoning included. */
  readonly outputTokens?: number | undefined
  /** Of the input tokens, those that were read from a cache. */
  readonly cachedTokens?: number | undefined
  /** Dollars. */
  readonly costUsd?: number | undefined
  /** Lines that are new. */
  readonly linesAdded?: number | undefined
  /** Lines that are gone. */
  readonly linesRemoved?: number | undefined
  /** Characters that were taken over. */
  readonly charsAdded?: number | undefined
  /** Files that differ. */
  readonly filesChanged?: number | undefined
  /** How many tools ran. */
  readonly toolCalls?: number | undefined
  /** How often the person was asked. */
  readonly prompts?: number | undefined
  /** Files that the operation was given as context. */
  readonly contextFiles?: number | undefined
  /** Where an edit lies. */
  readonly pathScope?: PathScope | undefined
  /** `git push`, a tool, `server/tool`; never arguments. */
  readonly action?: string | undefined
  /** Class of failure, such as `timeout`; what is none becomes `other`. */
  readonly error?: string | undefined
  /** After how long, or until what: `30s`, `merge`. */
  readonly survivalAt?: string | undefined
  /** Of 0..1. */
  readonly survivalShare?: number | undefined
  /** The rung before a change. */
  readonly previousRung?: Rung | undefined
  /** The version of the policy that decided. */
  readonly policyVersion?: number | undefined
  /** What it decided. */
  readonly policyEffect?: "allow" | "ask" | "deny" | undefined
  /** Why: `rule`, `default`, `no_policy`, `error`. */
  readonly policyBecause?: string | undefined
  /** The rule that decided. */
  readonly policyRuleId?: string | undefined
  /** The layer that the rule is in. */
  readonly policyLayer?: string | undefined
}

/** Facts of a record by their names. */
export type RecordAttributes = Record<string, string | number>

/** A signal as an OpenTelemetry log record. */
export interface SignalRecord {
  /** `belay.<kind>`. */
  readonly eventName: string
  /** Decimal, as OTLP's JSON has it: past what a number holds. */
  readonly timeUnixNano: string
  /** Its facts. */
  readonly attributes: RecordAttributes
}

/** A record of what `fields` say happened at `now`, in milliseconds since the epoch. Never throws. */
export function toRecord(fields: SignalFields, now: number): SignalRecord {
  const attributes: RecordAttributes = {}
  const word = (key: string, value: string | undefined) => {
    if (value !== undefined) attributes[key] = value
  }
  const figure = (key: string, value: number | undefined) => {
    if (typeof value === "number" && value >= 0 && value < Infinity) attributes[key] = value
  }
  attributes[ATTR_BELAY_SIGNAL_ID] = fields.signalId === undefined ? newId() : toKnownId(fields.signalId)
  if (fields.operationId !== undefined) attributes[ATTR_BELAY_OPERATION_ID] = toKnownId(fields.operationId)
  if (fields.parentOperationId !== undefined)
    attributes[ATTR_BELAY_PARENT_OPERATION_ID] = toKnownId(fields.parentOperationId)
  if (fields.sessionId !== undefined) attributes[ATTR_SESSION_ID] = toId(fields.sessionId)
  // Words are names too: a type does not stop a caller from plain JavaScript.
  word(ATTR_BELAY_RUNG, toName(fields.rung))
  word(ATTR_BELAY_AGENT_TOOL, toName(fields.agentTool))
  word(ATTR_BELAY_AGENT_VERSION, toName(fields.agentVersion))
  word(ATTR_BELAY_SURFACE, toName(fields.surface))
  word(ATTR_BELAY_MODE, toName(fields.mode))
  word(ATTR_GEN_AI_REQUEST_MODEL, toName(fields.model))
  word(ATTR_GEN_AI_PROVIDER_NAME, toName(fields.provider))
  word(ATTR_BELAY_LANGUAGE, toName(fields.language))
  word(ATTR_VCS_REPOSITORY_NAME, toName(fields.repository))
  word(ATTR_BELAY_OUTCOME, toName(fields.outcome))
  word(ATTR_BELAY_ORIGIN, toName(fields.origin))
  figure(ATTR_BELAY_LATENCY_MS, fields.latencyMs)
  figure(ATTR_BELAY_DURATION_MS, fields.durationMs)
  figure(ATTR_BELAY_WAIT_MS, fields.waitMs)
  figure(ATTR_GEN_AI_USAGE_INPUT_TOKENS, fields.inputTokens)
  figure(ATTR_GEN_AI_USAGE_OUTPUT_TOKENS, fields.outputTokens)
  figure(ATTR_GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS, fields.cachedTokens)
  figure(ATTR_BELAY_COST_USD, fields.costUsd)
  figure(ATTR_BELAY_LINES_ADDED, fields.linesAdded)
  figure(ATTR_BELAY_LINES_REMOVED, fields.linesRemoved)
  figure(ATTR_BELAY_CHARS_ADDED, fields.charsAdded)
  figure(ATTR_BELAY_FILES_CHANGED, fields.filesChanged)
  figure(ATTR_BELAY_TOOL_CALLS, fields.toolCalls)
  figure(ATTR_BELAY_PROMPTS, fields.prompts)
  figure(ATTR_BELAY_CONTEXT_FILES, fields.contextFiles)
  word(ATTR_BELAY_PATH_SCOPE, toName(fields.pathScope))
  word(ATTR_BELAY_ACTION, toName(fields.action))
  word(ATTR_ERROR_TYPE, toErrorClass(fields.error))
  word(ATTR_BELAY_SURVIVAL_AT, toName(fields.survivalAt))
  figure(ATTR_BELAY_SURVIVAL_SHARE, fields.survivalShare)
  word(ATTR_BELAY_PREVIOUS_RUNG, toName(fields.previousRung))
  figure(ATTR_BELAY_POLICY_VERSION, fields.policyVersion)
  word(ATTR_BELAY_POLICY_EFFECT, toName(fields.policyEffect))
  word(ATTR_BELAY_POLICY_BECAUSE, toName(fields.policyBecause))
  word(ATTR_BELAY_POLICY_RULE_ID, toName(fields.policyRuleId))
  word(ATTR_BELAY_POLICY_LAYER, toName(fields.policyLayer))
  return { eventName: EVENT_PREFIX + fields.kind, timeUnixNano: toUnixNano(now), attributes }
}

/** Milliseconds since the epoch in nanoseconds; microseconds are kept. */
function toUnixNano(ms: number): string {
  const micros = Math.round(ms * 1000)
  return Number.isSafeInteger(micros) && micros > 0 ? `${micros}000` : "0"
}

/** Who reports: what every signal of one sender has in common. */
export interface SignalResource {
  /** The agent tool. */
  readonly serviceName: string
  /** The agent tool's version. */
  readonly serviceVersion?: string | undefined
  /** The person on whose behalf it acts: an e-mail address or an id. Belay stores a keyed pseudonym. */
  readonly enduserId?: string | undefined
}

/** The resource's attributes; a service name that is no name becomes `unknown`. */
export function toResourceAttributes(resource: SignalResource): RecordAttributes {
  const version = toName(resource.serviceVersion)
  return {
    [ATTR_SERVICE_NAME]: toName(resource.serviceName) ?? "unknown",
    ...(version !== undefined && { [ATTR_SERVICE_VERSION]: version }),
    ...(resource.enduserId !== undefined && { [ATTR_ENDUSER_ID]: toIdentity(resource.enduserId) }),
  }
}

/** The content type of such a body. */
export const OTLP_JSON = "application/json"

/** The body of an OTLP/JSON `ExportLogsServiceRequest`, for senders without OpenTelemetry. */
export function toOtlpJson(resource: SignalResource, records: readonly SignalRecord[]): Uint8Array<ArrayBuffer> {
  const text = otlpJsonHead(resource) + records.map(recordToJson).join(",") + OTLP_JSON_TAIL
  return new TextEncoder().encode(text)
}

/** What stands before the records of a request, which are joined with commas, and what stands after. */
export function otlpJsonHead(resource: SignalResource): string {
  const attributes = attributesToJson(toResourceAttributes(resource))
  return `{"resourceLogs":[{"resource":{"attributes":[${attributes}]},"scopeLogs":[{"scope":{"name":"${SCOPE_NAME}"},"logRecords":[`
}
/** What stands after the records. */
export const OTLP_JSON_TAIL = "]}]}]}"

/** One record as OTLP/JSON has it. */
export function recordToJson(record: SignalRecord): string {
  const { eventName, timeUnixNano, attributes } = record
  return `{"timeUnixNano":"${timeUnixNano}","eventName":${JSON.stringify(eventName)},"attributes":[${attributesToJson(attributes)}]}`
}

function attributesToJson(attributes: RecordAttributes): string {
  let json = ""
  for (const key in attributes) {
    const value = attributes[key]
    if (value === undefined) continue
    if (json !== "") json += ","
    json += `{"key":"${key}","value":${valueToJson(value)}}`
  }
  return json
}

function valueToJson(value: string | number): string {
  if (typeof value === "string") return `{"stringValue":${JSON.stringify(value)}}`
  // More than a millionth of a millisecond, or of a cent, is noise.
  return Number.isSafeInteger(value) ? `{"intValue":"${value}"}` : `{"doubleValue":${Math.round(value * 1e6) / 1e6}}`
}

/**
 * When this process began and two random words, and a count: an id that no other has, for little. It is no secret, and
 * to load a generator of secrets would take a hook's process longer than the rest of its work.
 */
const SENDER = [performance.timeOrigin * 1000, Math.random() * 2 ** 32, Math.random() * 2 ** 32]
  .map((word) => (word >>> 0).toString(16).padStart(8, "0"))
  .join("")
let issued = 0

/** Ours are what they are, and too many to be remembered. */
function toKnownId(id: string): string {
  return OWN_ID.test(id) ? id : toId(id)
}
const OWN_ID = /^[0-9a-f]{24}-[0-9a-z]{1,12}$/

/** An id that no other call gives, here or elsewhere. */
export function newId(): string {
  return `${SENDER}-${(issued++).toString(36)}`
}
