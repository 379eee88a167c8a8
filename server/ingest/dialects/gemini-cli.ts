import type { Attributes } from "../otlp/types.ts"
import { toSignal } from "../signal.ts"
import { readText, toName } from "./attributes.ts"
import { createFamilyDialect, toSubagentTask } from "./gemini-family.ts"
import { SILENT } from "./reading.ts"

const SILENT_SPANS: ReadonlySet<string> = new Set([
  "agent_call",
  "llm_call",
  "schedule_tool_calls",
  "system_prompt",
  "tool_call",
  "user_prompt",
])

/** Gemini CLI. Its spans have trace ids that no event has, so they cannot be placed in an operation and give nothing. */
export const geminiCli = createFamilyDialect({
  name: "gemini-cli",
  prefix: "gemini_cli.",
  version: versionOf,
  readSpan: () => (span) => (SILENT_SPANS.has(span.name) ? SILENT : null),

  readEvent(event, record, base) {
    const { attributes } = record
    switch (event) {
      case "config": {
        const mode = toName(attributes.get("approval_mode"))
        const model = toName(attributes.get("model"))
        return [toSignal({ ...base, kind: "session", rung: "chat", operationId: null, mode, model })]
      }

      case "rewind": {
        const isReverted = (readText(attributes, "outcome") ?? "").includes("revert")
        if (!isReverted) return SILENT
        return [toSignal({ ...base, kind: "outcome", rung: "agent", outcome: "reverted", origin: "human" })]
      }

      case "agent.finish":
        return [
          toSubagentTask(record, base, {
            id: readText(attributes, "agent_id"),
            name: readText(attributes, "agent_name"),
            reason: readText(attributes, "terminate_reason"),
          }),
        ]

      default:
        return null
    }
  },

  isHousekeeping: () => false,

  silentEvents: new Set([
    "gemini_cli.agent.recovery_attempt",
    "gemini_cli.agent.start",
    "gemini_cli.api_request",
    "gemini_cli.conseca.verdict",
    "gemini_cli.conversation_finished",
    "gemini_cli.credits_used",
    "gemini_cli.edit_correction",
    "gemini_cli.edit_strategy",
    "gemini_cli.file_operation",
    "gemini_cli.flash_fallback",
    "gemini_cli.hook_call",
    "gemini_cli.llm_loop_check",
    "gemini_cli.model_routing",
    "gemini_cli.network_retry_attempt",
    "gemini_cli.plan.approval_mode_duration",
    "gemini_cli.plan.execution",
    "gemini_cli.ripgrep_fallback",
    "gemini_cli.slash_command",
    "gemini_cli.startup_stats",
    "gemini_cli.tool_output_truncated",
    "gen_ai.client.inference.operation.details",
  ]),

  metrics: new Set([
    "gemini_cli.agent.duration",
    "gemini_cli.agent.run.count",
    "gemini_cli.agent.turns",
    "gemini_cli.api.request.count",
    "gemini_cli.api.request.latency",
    "gemini_cli.file.operation.count",
    "gemini_cli.hook_call.count",
    "gemini_cli.hook_call.latency",
    "gemini_cli.lines.changed",
    "gemini_cli.model_routing.latency",
    "gemini_cli.plan.execution.count",
    "gemini_cli.session.count",
    "gemini_cli.startup.duration",
    "gemini_cli.token.usage",
    "gemini_cli.tool.call.count",
    "gemini_cli.tool.call.latency",
    "gen_ai.client.operation.duration",
    "gen_ai.client.token.usage",
  ]),
})

const NODE_VERSION = /^v\d/

/** Builds seen so far give the version of Node here. */
function versionOf(resource: Attributes): string | null {
  const version = toName(resource.get("service.version"))
  return version === null || NODE_VERSION.test(version) ? null : version
}
