import type { Origin, Outcome } from "#sdk/ladder.ts"
import { ATTR_GEN_AI_OPERATION_NAME, ATTR_GEN_AI_TOOL_NAME } from "#sdk/semconv.ts"
import type { Group, LogRecord, Span } from "../otlp/types.ts"
import { type Signal, toSignal } from "../signal.ts"
import { readCount, readText, toAction, toName } from "./attributes.ts"
import type { Dialect } from "./dialect.ts"
import { GEN_AI_METRICS, genAiEvent, readGenAiRecord, readGenAiSpans, type SpanFields } from "./gen-ai.ts"
import { readEach, readNoMetrics, SILENT } from "./reading.ts"
import { durationMsOf, isVsCodeAgentHost, spanErrorOf, spanKey } from "./source.ts"

/**
 * GitHub Copilot CLI: the GenAI conventions, spans of what it asked for, and events on spans. What it was allowed or
 * forbidden beforehand it does not ask for, and nothing tells so.
 */
export const copilotCli: Dialect = {
  name: "copilot-cli",

  spans(group) {
    const toolNames = new Map(group.items.map((span) => [spanKey(span), toolNameOf(span)]))
    const surface = isVsCodeAgentHost(group.resource) ? "ide" : "terminal"
    return readGenAiSpans(
      group,
      {
        ...toolOf(group),
        surface,
        isRootWithoutParent: true,
        repositoryKey: "github.copilot.git.repository",
        branchKey: "github.copilot.git.branch",
      },
      (span, base) => readMore(span, base, toolNames),
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
  "github.copilot.sandbox.operation.count",
  "github.copilot.tool.call.count",
  "github.copilot.tool.call.duration",
])

function toolOf(group: Group<Span | LogRecord>) {
  return { agentTool: "copilot", agentVersion: toName(group.resource.get("service.version")) }
}

function toolNameOf(span: Span): string | null {
  return readText(span.attributes, ATTR_GEN_AI_TOOL_NAME)
}

type ToolNames = ReadonlyMap<string, string | null>

/** A span that only carries the event of its name, which tells of the terminal's own notices. */
const NOTIFICATION = "custom_notification"

function readMore(span: Span, base: SpanFields, toolNames: ToolNames): readonly Signal[] | null {
  if (span.name === "permission") return [toPermission(span, base, toolNames)]
  const signals = [...readEdit(span, base), ...readSpanEvents(span, base)]
  return signals.length > 0 || span.name === NOTIFICATION ? signals : null
}

/** `toolNames` tells what was to be used, by the span that the permission is part of. */
function toPermission(span: Span, base: SpanFields, toolNames: ToolNames): Signal {
  const toolName = toolNames.get(spanKey({ traceId: span.traceId, spanId: span.parentSpanId })) ?? null
  const verdict = verdictOf(readText(span.attributes, "github.copilot.permission.result") ?? "")
  return toSignal({
    ...base,
    ...verdict,
    kind: "permission",
    rung: "agent",
    waitMs: verdict.origin === "human" ? durationMsOf(span) : null,
    action: toAction(toolName ?? readText(span.attributes, "github.copilot.permission.kind")),
  })
}

/** Copilot asks where no rule decides, so that a yes is a person's, and a no where it says so. */
function verdictOf(result: string): { outcome: Outcome | null; origin: Origin } {
  if (result.startsWith("approved")) return { outcome: "accepted", origin: "human" }
  const outcome = result.startsWith("denied") ? "rejected" : null
  if (/could-not-request|by-rules|polic(y|ies)/.test(result)) return { outcome, origin: "rule" }
  if (result.includes("hook")) return { outcome, origin: "hook" }
  return { outcome, origin: outcome !== null && result.includes("user") ? "human" : "unknown" }
}

/** Changes any number of files. */
const PATCH_TOOL = "apply_patch"

/** Not the older `str_replace_editor`, which reads files as well and does not tell which it did. */
const EDIT_TOOLS: ReadonlySet<string> = new Set([PATCH_TOOL, "create", "edit", "str_replace"])

/** The edit that a tool's run was. Whether a person let it through is its permission's to tell, where it has one. */
function readEdit(span: Span, base: SpanFields): readonly Signal[] {
  const toolName = toolNameOf(span)
  if (readText(span.attributes, ATTR_GEN_AI_OPERATION_NAME) !== "execute_tool") return SILENT
  if (toolName === null || !EDIT_TOOLS.has(toolName) || spanErrorOf(span) !== null) return SILENT
  return [
    toSignal({
      ...base,
      kind: "edit",
      rung: "agent",
      sourceId: `${base.sourceId}:edit`,
      outcome: "accepted",
      origin: "unknown",
      filesChanged: toolName === PATCH_TOOL ? null : 1,
      action: toAction(toolName),
    }),
  ]
}

/**
 * What a person asked, and how a session ended. What it changed is known as a sum only, and its `cost` is not known to
 * be money.
 */
function readSpanEvents(span: Span, base: SpanFields): readonly Signal[] {
  if (span.events.length === 0) return SILENT
  const signals: Signal[] = []
  for (const event of span.events) {
    const sourceId = `${base.sourceId}:${event.name}:${event.timeUnixNano}`
    if (event.name === "github.copilot.user.message") {
      // Within another agent it is that agent's message.
      const isPersons = span.parentSpanId === ""
      if (isPersons) signals.push(toSignal({ ...base, kind: "start", rung: "chat", sourceId, prompts: 1 }))
    } else if (event.name === "github.copilot.session.shutdown") {
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
