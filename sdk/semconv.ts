/**
 * Every attribute and event name that Belay's own telemetry uses, for the sender and the receiver.
 *
 * Where OpenTelemetry has a name it is used as it is; the GenAI conventions are in development, so the names are
 * those of semantic-conventions v1.41 (`gen_ai.*`). Where it has none, `belay.*` fills the gap.
 *
 * A Belay signal is one OTLP log record: `LogRecord.event_name` is `belay.<kind>`, its facts are attributes.
 */

export const SCOPE_NAME = "belay"
/** Stands before the kind in a record's name. */
export const EVENT_PREFIX = "belay."

/** The agent tool, of the resource. */
export const ATTR_SERVICE_NAME = "service.name"
/** The agent tool's version. */
export const ATTR_SERVICE_VERSION = "service.version"
/** The person on whose behalf the agent acts. Pseudonymized with a key of the organization before it is stored. */
export const ATTR_ENDUSER_ID = "enduser.id"
/** The conversation. */
export const ATTR_SESSION_ID = "session.id"
/** A class of failure: `timeout`. */
export const ATTR_ERROR_TYPE = "error.type"
/** `owner/name`. */
export const ATTR_VCS_REPOSITORY_NAME = "vcs.repository.name"

/** Of spans: `chat`, `execute_tool`, `invoke_agent`. */
export const ATTR_GEN_AI_OPERATION_NAME = "gen_ai.operation.name"
/** Who runs the model. */
export const ATTR_GEN_AI_PROVIDER_NAME = "gen_ai.provider.name"
/** Before v1.37 of the conventions. */
export const ATTR_GEN_AI_SYSTEM = "gen_ai.system"
/** The model that was asked for. */
export const ATTR_GEN_AI_REQUEST_MODEL = "gen_ai.request.model"
/** The model that answered. */
export const ATTR_GEN_AI_RESPONSE_MODEL = "gen_ai.response.model"
/** The provider's id of the answer. */
export const ATTR_GEN_AI_RESPONSE_ID = "gen_ai.response.id"
/** The conversation, of spans. */
export const ATTR_GEN_AI_CONVERSATION_ID = "gen_ai.conversation.id"
/** The agent persona, of spans. */
export const ATTR_GEN_AI_AGENT_NAME = "gen_ai.agent.name"
/** The tool, of spans. */
export const ATTR_GEN_AI_TOOL_NAME = "gen_ai.tool.name"
/** One run of a tool, of spans. */
export const ATTR_GEN_AI_TOOL_CALL_ID = "gen_ai.tool.call.id"
/** All input tokens, cached ones included. */
export const ATTR_GEN_AI_USAGE_INPUT_TOKENS = "gen_ai.usage.input_tokens"
/** All output tokens, reasoning included. */
export const ATTR_GEN_AI_USAGE_OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
/** Of the input tokens, those that were read from a cache. */
export const ATTR_GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS = "gen_ai.usage.cache_read.input_tokens"
/** Seconds. */
export const ATTR_GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"

/** The sender's own id of the signal, so that one sent twice is stored once. */
export const ATTR_BELAY_SIGNAL_ID = "belay.signal_id"
/** The tool that acted, where it is not the service that reports. */
export const ATTR_BELAY_AGENT_TOOL = "belay.agent_tool"
/** That tool's version. */
export const ATTR_BELAY_AGENT_VERSION = "belay.agent_version"
/** One of `RUNGS`. Mandatory. */
export const ATTR_BELAY_RUNG = "belay.rung"
/** One of `SURFACES`. */
export const ATTR_BELAY_SURFACE = "belay.surface"
/** The agent persona. */
export const ATTR_BELAY_MODE = "belay.mode"
/** Of the code: `typescript`. */
export const ATTR_BELAY_LANGUAGE = "belay.language"
/** Suggestion, turn, task or run that the signal belongs to. */
export const ATTR_BELAY_OPERATION_ID = "belay.operation_id"
/** The operation that handed this one on. */
export const ATTR_BELAY_PARENT_OPERATION_ID = "belay.parent_operation_id"
/** One of `OUTCOMES`. */
export const ATTR_BELAY_OUTCOME = "belay.outcome"
/** One of `ORIGINS`. */
export const ATTR_BELAY_ORIGIN = "belay.origin"
/** Milliseconds until the human could use the result. */
export const ATTR_BELAY_LATENCY_MS = "belay.latency_ms"
/** Milliseconds the whole operation took. */
export const ATTR_BELAY_DURATION_MS = "belay.duration_ms"
/** Milliseconds spent waiting on a human. */
export const ATTR_BELAY_WAIT_MS = "belay.wait_ms"
/** Dollars. */
export const ATTR_BELAY_COST_USD = "belay.cost_usd"
/** Characters that were taken over. */
export const ATTR_BELAY_CHARS_ADDED = "belay.chars_added"
/** Lines that are new. */
export const ATTR_BELAY_LINES_ADDED = "belay.lines_added"
/** Lines that are gone. */
export const ATTR_BELAY_LINES_REMOVED = "belay.lines_removed"
/** Files that differ. */
export const ATTR_BELAY_FILES_CHANGED = "belay.files_changed"
/** How many tools ran. */
export const ATTR_BELAY_TOOL_CALLS = "belay.tool_calls"
/** How often the person was asked. */
export const ATTR_BELAY_PROMPTS = "belay.prompts"
/** Files that an operation was given as context. */
export const ATTR_BELAY_CONTEXT_FILES = "belay.context.files"
/** One of `PATH_SCOPES`. */
export const ATTR_BELAY_PATH_SCOPE = "belay.path_scope"
/** Content-free name of what was done: `git push`, a tool, `server/tool`. Never arguments. */
export const ATTR_BELAY_ACTION = "belay.action"
/** Share of 0..1 of an accepted result that is still there, and after how long: `30s`, `5m`, `1d`, `merge`. */
export const ATTR_BELAY_SURVIVAL_SHARE = "belay.survival.share"
/** After how long: `30s`, `5m`, `1d`, or `merge`. */
export const ATTR_BELAY_SURVIVAL_AT = "belay.survival.at"
/** The rung that a session was on before this signal's. */
export const ATTR_BELAY_PREVIOUS_RUNG = "belay.previous_rung"
/** What a policy decided on an action: `allow`, `ask` or `deny`; why, and the rule and layer that did. */
export const ATTR_BELAY_POLICY_EFFECT = "belay.policy.effect"
/** Why the policy decided so: `rule`, `default`, `no_policy`, `error`. */
export const ATTR_BELAY_POLICY_BECAUSE = "belay.policy.because"
/** The rule that decided. */
export const ATTR_BELAY_POLICY_RULE_ID = "belay.policy.rule_id"
/** The layer that the rule is in. */
export const ATTR_BELAY_POLICY_LAYER = "belay.policy.layer"
/** The version of the policy that decided. */
export const ATTR_BELAY_POLICY_VERSION = "belay.policy_version"
