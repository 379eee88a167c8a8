/**
 * Every attribute and event name that Belay's own telemetry uses, for the sender and the receiver.
 *
 * Where OpenTelemetry has a name it is used as it is; the GenAI conventions are in development, so the names are
 * those of semantic-conventions v1.41 (`gen_ai.*`). Where it has none, `belay.*` fills the gap.
 *
 * A Belay signal is one OTLP log record: `LogRecord.event_name` is `belay.<kind>`, its facts are attributes.
 */

export const SCOPE_NAME = "belay"
export const EVENT_PREFIX = "belay."

export const ATTR_SERVICE_NAME = "service.name"
export const ATTR_SERVICE_VERSION = "service.version"
/** The person on whose behalf the agent acts. Pseudonymized with a key of the organization before it is stored. */
export const ATTR_ENDUSER_ID = "enduser.id"
export const ATTR_SESSION_ID = "session.id"
export const ATTR_ERROR_TYPE = "error.type"
export const ATTR_VCS_REPOSITORY_NAME = "vcs.repository.name"

export const ATTR_GEN_AI_OPERATION_NAME = "gen_ai.operation.name"
export const ATTR_GEN_AI_PROVIDER_NAME = "gen_ai.provider.name"
/** Before v1.37 of the conventions. */
export const ATTR_GEN_AI_SYSTEM = "gen_ai.system"
export const ATTR_GEN_AI_REQUEST_MODEL = "gen_ai.request.model"
export const ATTR_GEN_AI_RESPONSE_MODEL = "gen_ai.response.model"
export const ATTR_GEN_AI_RESPONSE_ID = "gen_ai.response.id"
export const ATTR_GEN_AI_CONVERSATION_ID = "gen_ai.conversation.id"
export const ATTR_GEN_AI_AGENT_NAME = "gen_ai.agent.name"
export const ATTR_GEN_AI_TOOL_NAME = "gen_ai.tool.name"
export const ATTR_GEN_AI_TOOL_CALL_ID = "gen_ai.tool.call.id"
/** All input tokens, cached ones included. */
export const ATTR_GEN_AI_USAGE_INPUT_TOKENS = "gen_ai.usage.input_tokens"
export const ATTR_GEN_AI_USAGE_OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
export const ATTR_GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS = "gen_ai.usage.cache_read.input_tokens"
/** Seconds. */
export const ATTR_GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"

/** The sender's own id of the signal, so that one sent twice is stored once. */
export const ATTR_BELAY_SIGNAL_ID = "belay.signal_id"
export const ATTR_BELAY_AGENT_TOOL = "belay.agent_tool"
export const ATTR_BELAY_AGENT_VERSION = "belay.agent_version"
export const ATTR_BELAY_RUNG = "belay.rung"
export const ATTR_BELAY_SURFACE = "belay.surface"
export const ATTR_BELAY_MODE = "belay.mode"
export const ATTR_BELAY_LANGUAGE = "belay.language"
export const ATTR_BELAY_OPERATION_ID = "belay.operation_id"
export const ATTR_BELAY_PARENT_OPERATION_ID = "belay.parent_operation_id"
export const ATTR_BELAY_OUTCOME = "belay.outcome"
export const ATTR_BELAY_ORIGIN = "belay.origin"
/** Milliseconds until the human could use the result. */
export const ATTR_BELAY_LATENCY_MS = "belay.latency_ms"
/** Milliseconds the whole operation took. */
export const ATTR_BELAY_DURATION_MS = "belay.duration_ms"
/** Milliseconds spent waiting on a human. */
export const ATTR_BELAY_WAIT_MS = "belay.wait_ms"
export const ATTR_BELAY_COST_USD = "belay.cost_usd"
/** Characters that were taken over. */
export const ATTR_BELAY_CHARS_ADDED = "belay.chars_added"
export const ATTR_BELAY_LINES_ADDED = "belay.lines_added"
export const ATTR_BELAY_LINES_REMOVED = "belay.lines_removed"
export const ATTR_BELAY_FILES_CHANGED = "belay.files_changed"
export const ATTR_BELAY_TOOL_CALLS = "belay.tool_calls"
export const ATTR_BELAY_PROMPTS = "belay.prompts"
/** Files that an operation was given as context. */
export const ATTR_BELAY_CONTEXT_FILES = "belay.context.files"
export const ATTR_BELAY_PATH_SCOPE = "belay.path_scope"
/** Content-free name of what was done: `git push`, a tool, `server/tool`. Never arguments. */
export const ATTR_BELAY_ACTION = "belay.action"
/** Share of 0..1 of an accepted result that is still there, and after how long: `30s`, `5m`, `1d`, `merge`. */
export const ATTR_BELAY_SURVIVAL_SHARE = "belay.survival.share"
export const ATTR_BELAY_SURVIVAL_AT = "belay.survival.at"
/** The rung that a session was on before this signal's. */
export const ATTR_BELAY_PREVIOUS_RUNG = "belay.previous_rung"
/** What a policy decided on an action: `allow`, `ask` or `deny`; why, and the rule and layer that did. */
export const ATTR_BELAY_POLICY_EFFECT = "belay.policy.effect"
export const ATTR_BELAY_POLICY_BECAUSE = "belay.policy.because"
export const ATTR_BELAY_POLICY_RULE_ID = "belay.policy.rule_id"
export const ATTR_BELAY_POLICY_LAYER = "belay.policy.layer"
export const ATTR_BELAY_POLICY_VERSION = "belay.policy_version"
