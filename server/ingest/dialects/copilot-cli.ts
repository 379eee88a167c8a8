import type { Group, LogRecord, Span } from "../otlp/types.ts"
import { type Signal, toSignal } from "../signal.ts"
import { readCount, toName } from "./attributes.ts"
import type { Dialect } from "./dialect.ts"
import { GEN_AI_METRICS, genAiEvent, readGenAiRecord, readGenAiSpans, type SpanFields } from "./gen-ai.ts"
import { readEach, readNoMetrics, SILENT } from "./reading.ts"
import { isVsCodeAgentHost } from "./source.ts"

/** GitHub Copilot CLI: the GenAI conventions, and events on spans. Nothing tells who decided what. */
export const copilotCli: Dialect = {
  name: "copilot-cli",

  spans(group) {
    const surface = isVsCodeAgentHost(group.resource) ? "ide" : "terminal"
    return readGenAiSpans(
      group,
      { ...toolOf(group), surface, isRootWithoutParent: true, repositoryKey: "github.copilot.git.repository" },
      readSpanEvents,
    )
  },

  logs(group) {
    return readEach(group.items, genAiEvent, (record) => readGenAiRecord(group.resource, record, toolOf(group)))
  },

  metrics(group) {
    return readNoMetrics(group, KNOWN_METRICS)
  },
}

const KNOWN_METRICS: ReadonlySet<string> = new Set([
  ...GEN_AI_METRICS,
  "github.copilot.agent.turn.count",
  "github.copilot.code.lines_added",
  "github.copilot.code.lines_removed",
  "github.copilot.mcp.server.connection.count",
  "github.copilot.tool.call.count",
  "github.copilot.tool.call.duration",
])

function toolOf(group: Group<Span | LogRecord>) {
  return { agentTool: "copilot", agentVersion: toName(group.resource.get("service.version")) }
}

/** How a session ended. What it changed is known as a sum only, and its `cost` is not known to be money. */
function readSpanEvents(span: Span, base: SpanFields): readonly Signal[] {
  if (span.events.length === 0) return SILENT
  const signals: Signal[] = []
  for (const event of span.events) {
    const sourceId = `${base.sourceId}:${event.name}:${event.timeUnixNano}`
    if (event.name === "github.copilot.session.shutdown") {
      signals.push(
        toSignal({
          ...base,
          kind: "outcome",
          rung: "agent",
          sourceId,
          outcome: "applied",
          linesAdded: readCount(event.attributes, "github.copilot.lines_added"),
          linesRemoved: readCount(event.attributes, "github.copilot.lines_removed"),
          filesChanged: readCount(event.attributes, "github.copilot.files_modified_count"),
        }),
      )
    } else if (event.name === "github.copilot.session.abort") {
      signals.push(
        toSignal({ ...base, kind: "outcome", rung: "chat", sourceId, outcome: "ignored", origin: "dismissed" }),
      )
    }
  }
  return signals
}
