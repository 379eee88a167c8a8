import type { Outcome } from "#sdk/ladder.ts"
import type { Attributes, Group, LogRecord, Span } from "../otlp/types.ts"
import { type Signal, toSignal } from "../signal.ts"
import { digest, readBoolean, readCount, readNumber, readText, toId, toLabel, toName } from "./attributes.ts"
import type { Dialect } from "./dialect.ts"
import { GEN_AI_METRICS, readGenAiRecord, readGenAiSpans } from "./gen-ai.ts"
import { readEach, readNoMetrics, SILENT } from "./reading.ts"
import { eventOf, identityOf, recordKey, repositoryOf } from "./source.ts"

const PREFIX = "copilot_chat."

/**
 * GitHub Copilot Chat in VS Code. Calls and turns are spans of the GenAI conventions; what the person did with an
 * edit is an event, which names its request but not its conversation.
 */
export const vscodeCopilot: Dialect = {
  name: "vscode-copilot",

  spans(group) {
    return readGenAiSpans(group, {
      ...toolOf(group),
      isRootWithoutParent: true,
      repositoryKey: "github.copilot.git.repository",
      branchKey: "github.copilot.git.branch",
    })
  },

  logs(group) {
    const decidedByHunk = new Set(
      group.items
        .filter((record) => eventOf(record, PREFIX) === "copilot_chat.edit.hunk.action")
        .map((record) => readText(record.attributes, "request_id")),
    )
    return readEach(
      group.items,
      (record) => eventOf(record, PREFIX),
      (record) => readRecord(group, record, decidedByHunk),
    )
  },

  metrics(group) {
    return readNoMetrics(group, KNOWN_METRICS)
  },
}

const SILENT_EVENTS: ReadonlySet<string> = new Set([
  "copilot_chat.agent.turn",
  "copilot_chat.tool.call", // the execute_tool span
])

/** Cumulative, and two of them count one gesture twice. */
const KNOWN_METRICS: ReadonlySet<string> = new Set([
  ...GEN_AI_METRICS,
  "copilot_chat.agent.edit_response.count",
  "copilot_chat.agent.invocation.duration",
  "copilot_chat.agent.summarization.count",
  "copilot_chat.agent.turn.count",
  "copilot_chat.chat_edit.outcome.count",
  "copilot_chat.cloud.session.count",
  "copilot_chat.edit.acceptance.count",
  "copilot_chat.edit.survival.four_gram",
  "copilot_chat.edit.survival.no_revert",
  "copilot_chat.lines_of_code.count",
  "copilot_chat.pull_request.count",
  "copilot_chat.session.count",
  "copilot_chat.time_to_first_token",
  "copilot_chat.tool.call.count",
  "copilot_chat.tool.call.duration",
  "copilot_chat.user.action.count",
  "copilot_chat.user.feedback.count",
])

function toolOf(group: Group<Span | LogRecord>) {
  const agentVersion = toName(group.resource.get("service.version"))
  return { agentTool: "copilot", agentVersion, surface: "ide" as const }
}

function readRecord(
  group: Group<LogRecord>,
  record: LogRecord,
  decidedByHunk: ReadonlySet<string | null>,
): readonly Signal[] | null {
  const { attributes } = record
  const event = eventOf(record, PREFIX)
  if (SILENT_EVENTS.has(event)) return SILENT
  if (!event.startsWith(PREFIX)) return readGenAiRecord(group.resource, record, toolOf(group))
  const requestId = readText(attributes, "request_id")
  const sessionId = toId(readText(attributes, "conversation_id", "gen_ai.conversation.id", "session.id"))
  const base = {
    ...toolOf(group),
    observedUnixNano: record.timeUnixNano,
    sourceId: recordKey(event, record, sessionId, null),
    identity: identityOf(group.resource, attributes),
    repository: repositoryOf(group.resource, attributes),
    sessionId,
    operationId: toId(requestId),
    language: toName(attributes.get("language_id")),
  }

  switch (event) {
    case "copilot_chat.session.start": {
      const model = toName(attributes.get("gen_ai.request.model"))
      return [toSignal({ ...base, kind: "session", rung: "chat", operationId: null, model })]
    }

    case "copilot_chat.edit.hunk.action": {
      const outcome = outcomeOf(attributes)
      if (outcome === null) return SILENT
      const linesAdded = readCount(attributes, "lines_added", "line_count")
      const linesRemoved = readCount(attributes, "lines_removed")
      return [toSignal({ ...base, kind: "edit", rung: "agent", outcome, origin: "human", linesAdded, linesRemoved })]
    }

    case "copilot_chat.edit.feedback": {
      const outcome = outcomeOf(attributes)
      // The last word on a file, after its hunks were decided one by one, is no decision of its own.
      if (outcome === null || (requestId !== null && decidedByHunk.has(requestId))) return SILENT
      const rung = readText(attributes, "edit_surface") === "inline_chat" ? "chat" : "agent"
      const filesChanged = outcome === "accepted" ? 1 : null
      return [toSignal({ ...base, kind: "edit", rung, outcome, origin: "human", filesChanged })]
    }

    case "copilot_chat.inline.done": {
      const accepted = readBoolean(attributes, "accepted")
      if (accepted === null) return SILENT
      return [
        toSignal({
          ...base,
          kind: "turn",
          rung: "chat",
          operationId: base.operationId ?? digest(base.sourceId),
          outcome: accepted ? "accepted" : "rejected",
          origin: "human",
          linesAdded: readCount(attributes, "edit_line_count"),
        }),
      ]
    }

    case "copilot_chat.edit.survival": {
      const survival = readNumber(attributes, "survival_rate_no_revert")
      const isAfterFiveMinutes = readNumber(attributes, "time_delay_ms") === 300_000
      if (survival === null || survival >= 0.5 || !isAfterFiveMinutes) return SILENT
      const rung = readText(attributes, "edit_source") === "inline_chat" ? "chat" : "agent"
      return [toSignal({ ...base, kind: "outcome", rung, outcome: "reverted", origin: "unknown" })]
    }

    case "copilot_chat.user.feedback": {
      const action = toLabel("feedback", attributes.get("rating"))
      return [toSignal({ ...base, kind: "outcome", rung: "chat", action })]
    }

    case "copilot_chat.cloud.session.invoke": {
      const operationId = base.operationId ?? digest(base.sourceId)
      // Without the session, whose later turns are not of the run that was handed off.
      const own = { sessionId: null, operationId, surface: "cloud" as const }
      return [toSignal({ ...base, ...own, kind: "start", rung: "orchestration" })]
    }

    default:
      return null
  }
}

/** What a person answered; saving a file is no answer. */
function outcomeOf(attributes: Attributes): Outcome | null {
  const outcome = readText(attributes, "outcome")
  return outcome === "accepted" || outcome === "rejected" ? outcome : null
}
