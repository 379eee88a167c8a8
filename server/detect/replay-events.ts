import { z } from "zod"
import { type Signal, toSignal, type SignalFields } from "../ingest/signal.ts"

/** A data set of simulated organizations: `orgs.json`, and for each the events in the order in which they came in. */
export const replayOrganizations = z.object({
  orgs: z.array(
    z.object({
      org: z.string(),
      teams: z.array(z.object({ team: z.string(), utc_offset_h: z.number() })),
    }),
  ),
})

export type ReplayOrganization = z.infer<typeof replayOrganizations>["orgs"][number]

const arrived = { id: z.string(), ts: z.number(), rx: z.number() }
const ofPerson = { ...arrived, team: z.string(), dev: z.string() }
const work = {
  ...ofPerson,
  level: z.enum(["autocomplete", "chat", "agent", "orchestration"]),
  client: z.string(),
  client_version: z.string(),
  model: z.string(),
  lang: z.string(),
}
const ofTask = { ...work, task: z.string() }

const replayEvent = z.discriminatedUnion("type", [
  z.object({
    ...work,
    type: z.literal("suggestion"),
    latency_ms: z.number(),
    outcome: z.enum(["accepted", "rejected", "ignored"]),
  }),
  z.object({
    ...work,
    type: z.literal("chat_answer"),
    latency_ms: z.number(),
    ctx_files: z.number(),
    outcome: z.enum(["applied", "copied", "ignored"]),
  }),
  z.object({ ...ofTask, type: z.literal("task_start"), ctx_files: z.number() }),
  z.object({ ...ofTask, type: z.literal("edit"), tool: z.string(), wrong_path: z.boolean() }),
  z.object({
    ...ofTask,
    type: z.literal("permission"),
    tool: z.string(),
    decision: z.enum(["allow", "deny", "timeout"]),
    wait_ms: z.number(),
  }),
  z.object({ ...ofTask, type: z.literal("error"), tool: z.string() }),
  z.object({
    ...ofTask,
    type: z.literal("task_end"),
    status: z.enum(["completed", "failed", "cancelled"]),
    duration_ms: z.number(),
    latency_ms: z.number(),
    tool_calls: z.number(),
  }),
  z.object({ ...ofTask, type: z.literal("task_outcome"), outcome: z.enum(["merged", "abandoned", "reverted"]) }),
  z.object({ ...ofPerson, type: z.literal("presence"), active_min: z.number() }),
  z.object({ ...arrived, type: z.literal("change"), what: z.string(), value: z.string() }),
])

export type ReplayEvent = z.infer<typeof replayEvent>
type ChangeEvent = Extract<ReplayEvent, { type: "change" }>
type SignalEvent = Exclude<ReplayEvent, ChangeEvent>

export function parseEvent(line: string): ReplayEvent {
  return replayEvent.parse(JSON.parse(line))
}

/** A zone with this many hours to add to UTC, all year. */
export function zoneOf(offsetHours: number): string {
  if (offsetHours === 0) return "UTC"
  const sign = offsetHours < 0 ? "-" : "+"
  const hours = Math.abs(offsetHours)
  // Its names say what to add to the local time.
  if (Number.isInteger(hours)) return `Etc/GMT${sign === "-" ? "+" : "-"}${hours}`
  const minutes = Math.round((hours % 1) * 60)
  return `${sign}${String(Math.floor(hours)).padStart(2, "0")}:${String(minutes).padStart(2, "0")}`
}

/** Of whom an event is, as a source names them. */
export function identityOf(dev: string) {
  return { kind: "user", value: dev } as const
}

/** As the way in would have made it of what a tool reports. */
export function toReplayedSignal(event: SignalEvent): Signal {
  const common = {
    observedUnixNano: BigInt(event.ts) * 1_000_000n,
    sourceId: event.id,
    identity: identityOf(event.dev),
  }
  if (event.type === "presence") {
    return toSignal({
      ...common,
      kind: "presence",
      rung: "autocomplete",
      agentTool: "presence",
      durationMs: event.active_min * 60_000,
    })
  }
  return toSignal({
    ...common,
    rung: event.level,
    agentTool: event.client,
    agentVersion: event.client_version.split("@")[1] ?? null,
    model: event.model,
    language: event.lang,
    operationId: "task" in event ? event.task : event.id,
    ...whatHappened(event),
  })
}

function whatHappened(
  event: Exclude<SignalEvent, { type: "presence" }>,
): Pick<SignalFields, "kind"> & Partial<SignalFields> {
  switch (event.type) {
    case "suggestion":
      return { kind: "suggestion", latencyMs: event.latency_ms, outcome: event.outcome, origin: "human" }
    case "chat_answer":
      return {
        kind: "turn",
        latencyMs: event.latency_ms,
        contextFiles: event.ctx_files,
        outcome: event.outcome === "ignored" ? "ignored" : "accepted",
        origin: "human",
      }
    case "task_start":
      return { kind: "start", contextFiles: event.ctx_files }
    case "edit":
      return { kind: "edit", action: event.tool, pathScope: event.wrong_path ? "out_of_scope" : "in_scope" }
    case "permission":
      return {
        kind: "permission",
        action: event.tool,
        waitMs: event.wait_ms,
        ...DECISIONS[event.decision],
      }
    case "error":
      return { kind: "tool_call", action: event.tool, error: "other" }
    case "task_end":
      return {
        kind: event.level === "orchestration" ? "run" : "task",
        durationMs: event.duration_ms,
        latencyMs: event.latency_ms,
        toolCalls: event.tool_calls,
        ...(event.status === "failed" && { outcome: "failed" }),
        ...(event.status === "cancelled" && { action: "interrupt", origin: "human" }),
      }
    case "task_outcome":
      return { kind: "outcome", outcome: event.outcome }
  }
}

const DECISIONS = {
  allow: { outcome: "accepted", origin: "human" },
  deny: { outcome: "rejected", origin: "human" },
  timeout: { outcome: "ignored", origin: "timeout" },
} as const

/** As the way in names it. */
export function toChange({ what, value }: ChangeEvent): { kind: string; subject: string } {
  return what === "client_version"
    ? { kind: "agent_version", subject: value.replace("@", " ") }
    : { kind: what, subject: value }
}
