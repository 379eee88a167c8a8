import { ORIGINS, OUTCOMES, PATH_SCOPES, RUNGS, SIGNAL_KINDS, SURFACES } from "#sdk/ladder.ts"
import {
  ATTR_BELAY_ACTION,
  ATTR_BELAY_AGENT_TOOL,
  ATTR_BELAY_AGENT_VERSION,
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
  ATTR_BELAY_PROMPTS,
  ATTR_BELAY_RUNG,
  ATTR_BELAY_SIGNAL_ID,
  ATTR_BELAY_SURFACE,
  ATTR_BELAY_TOOL_CALLS,
  ATTR_BELAY_WAIT_MS,
  ATTR_ERROR_TYPE,
  ATTR_GEN_AI_CONVERSATION_ID,
  ATTR_GEN_AI_PROVIDER_NAME,
  ATTR_GEN_AI_REQUEST_MODEL,
  ATTR_GEN_AI_RESPONSE_MODEL,
  ATTR_GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK,
  ATTR_GEN_AI_SYSTEM,
  ATTR_GEN_AI_TOOL_NAME,
  ATTR_GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS,
  ATTR_GEN_AI_USAGE_INPUT_TOKENS,
  ATTR_GEN_AI_USAGE_OUTPUT_TOKENS,
  ATTR_SESSION_ID,
  EVENT_PREFIX,
} from "#sdk/semconv.ts"
import { EFFECTS, LAYERS } from "#sdk/policy/vocabulary.ts"
import type { Attributes, Group, LogRecord } from "../otlp/types.ts"
import { POLICY_BECAUSE, type Signal, toSignal } from "../signal.ts"
import { readCount, readNumber, readText, toAction, toErrorClass, toId, toName, toRuleId } from "./attributes.ts"
import type { Dialect, Reading } from "./dialect.ts"
import { readEach, readNoMetrics, spanName } from "./reading.ts"
import { eventOf, identityOf, recordKey, repositoryOf, serviceOf } from "./source.ts"

/** Belay's own SDK and hooks: one log record is one signal, in the names of `sdk/semconv.ts`. */
export const belay: Dialect = {
  name: "belay",

  spans(group) {
    return readEach(group.items, spanName, () => null)
  },

  logs(group) {
    return readEach(group.items, nameOf, (record) => readRecord(group, record))
  },

  metrics(group): Reading {
    return readNoMetrics(group, new Set())
  },
}

/** What is counted for a record that gives no signal: an event with a word that the ladder does not have is invalid. */
function nameOf(record: LogRecord): string {
  const event = eventOf(record, EVENT_PREFIX)
  return kindOf(event) === undefined ? event : `${event} (invalid)`
}

const KINDS = new Map(SIGNAL_KINDS.map((kind) => [EVENT_PREFIX + kind, kind]))

function kindOf(event: string) {
  return KINDS.get(event)
}

function readRecord(group: Group<LogRecord>, record: LogRecord): readonly Signal[] | null {
  const { attributes } = record
  const { resource } = group
  const event = eventOf(record, EVENT_PREFIX)
  const kind = kindOf(event)
  const rung = readWord(attributes, ATTR_BELAY_RUNG, RUNGS)
  const surface = readWord(attributes, ATTR_BELAY_SURFACE, SURFACES)
  const outcome = readWord(attributes, ATTR_BELAY_OUTCOME, OUTCOMES)
  const origin = readWord(attributes, ATTR_BELAY_ORIGIN, ORIGINS)
  const pathScope = readWord(attributes, ATTR_BELAY_PATH_SCOPE, PATH_SCOPES)
  const isValid = surface !== undefined && outcome !== undefined && origin !== undefined && pathScope !== undefined
  if (kind === undefined || rung === undefined || rung === null || !isValid) return null

  const service = serviceOf(resource)
  const agentTool = toName(attributes.get(ATTR_BELAY_AGENT_TOOL))
  const agentVersion = toName(attributes.get(ATTR_BELAY_AGENT_VERSION))
  const firstChunkSeconds = readNumber(attributes, ATTR_GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK)
  const sessionId = toId(readText(attributes, ATTR_SESSION_ID, ATTR_GEN_AI_CONVERSATION_ID))
  const decision = kind === "policy_decision" ? readDecision(attributes) : null
  const signalId = readText(attributes, ATTR_BELAY_SIGNAL_ID)
  return [
    toSignal({
      observedUnixNano: record.timeUnixNano,
      sourceId: signalId === null ? recordKey(event, record, sessionId, null) : `belay:${toId(signalId)}`,
      kind,
      rung,
      agentTool: agentTool ?? service.agentTool,
      // A sender that acts for another tool does not lend it its own version.
      agentVersion: agentVersion ?? (agentTool === null ? service.agentVersion : null),
      surface,
      identity: identityOf(resource, attributes),
      operationId: toId(readText(attributes, ATTR_BELAY_OPERATION_ID)),
      parentOperationId: toId(readText(attributes, ATTR_BELAY_PARENT_OPERATION_ID)),
      sessionId,
      mode: toName(attributes.get(ATTR_BELAY_MODE)),
      model: toName(readText(attributes, ATTR_GEN_AI_RESPONSE_MODEL, ATTR_GEN_AI_REQUEST_MODEL)),
      provider: toName(readText(attributes, ATTR_GEN_AI_PROVIDER_NAME, ATTR_GEN_AI_SYSTEM)),
      language: toName(attributes.get(ATTR_BELAY_LANGUAGE)),
      repository: repositoryOf(resource, attributes),
      outcome,
      origin,
      latencyMs:
        readNumber(attributes, ATTR_BELAY_LATENCY_MS) ?? (firstChunkSeconds === null ? null : firstChunkSeconds * 1000),
      durationMs: readNumber(attributes, ATTR_BELAY_DURATION_MS),
      waitMs: readNumber(attributes, ATTR_BELAY_WAIT_MS),
      inputTokens: readCount(attributes, ATTR_GEN_AI_USAGE_INPUT_TOKENS),
      outputTokens: readCount(attributes, ATTR_GEN_AI_USAGE_OUTPUT_TOKENS),
      cachedTokens: readCount(attributes, ATTR_GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS),
      costUsd: readNumber(attributes, ATTR_BELAY_COST_USD),
      linesAdded: readCount(attributes, ATTR_BELAY_LINES_ADDED),
      linesRemoved: readCount(attributes, ATTR_BELAY_LINES_REMOVED),
      filesChanged: readCount(attributes, ATTR_BELAY_FILES_CHANGED),
      toolCalls: readCount(attributes, ATTR_BELAY_TOOL_CALLS),
      prompts: readCount(attributes, ATTR_BELAY_PROMPTS),
      pathScope,
      action: toAction(readText(attributes, ATTR_BELAY_ACTION, ATTR_GEN_AI_TOOL_NAME)),
      error: toErrorClass(attributes.get(ATTR_ERROR_TYPE)),
      policyVersion: readCount(attributes, ATTR_BELAY_POLICY_VERSION),
      policyEffect: decision?.effect ?? null,
      policyBecause: decision?.because ?? null,
      policyRule: decision?.rule ?? null,
      policyLayer: decision?.layer ?? null,
      contextFiles: readCount(attributes, ATTR_BELAY_CONTEXT_FILES),
    }),
  ]
}

/** A decision with a word that no policy has is kept without it: that there was one is still known. */
function readDecision(attributes: Attributes) {
  return {
    effect: readWord(attributes, ATTR_BELAY_POLICY_EFFECT, EFFECTS),
    because: readWord(attributes, ATTR_BELAY_POLICY_BECAUSE, POLICY_BECAUSE),
    rule: toRuleId(attributes.get(ATTR_BELAY_POLICY_RULE_ID)),
    layer: readWord(attributes, ATTR_BELAY_POLICY_LAYER, LAYERS),
  }
}

/** One of `words`; null when there is none, undefined when it is not one of them. */
function readWord<Word extends string>(
  attributes: Attributes,
  key: string,
  words: readonly Word[],
): Word | null | undefined {
  const value = attributes.get(key)
  return value === undefined || value === null ? null : words.find((word) => word === value)
}
