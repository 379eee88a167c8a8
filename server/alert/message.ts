import type { AlertStanding } from "./alert-row.ts"
import { describeFacts } from "./words.ts"

export type MessageEvent = "opened" | "reopened" | "escalated" | "reminded" | "acknowledged" | "resolved" | "test"

/**
 * What channels are told, and the body of a generic webhook. Fields are only added; `version` changes when one goes or
 * changes its meaning. Times are ISO 8601 in UTC.
 */
export interface AlertMessage {
  readonly version: 1
  readonly event: MessageEvent
  readonly at: string
  readonly organization: string
  readonly alert: {
    readonly id: string
    readonly kind: string
    readonly subject: string
    readonly severity: "page" | "ticket"
    readonly state: "open" | "acknowledged" | "resolved"
    readonly title: string
    readonly summary: string
    readonly todo: string
    readonly rung: string | null
    readonly team: string | null
    readonly openedAt: string
    readonly acknowledgedAt: string | null
    readonly acknowledgedBy: string | null
    readonly resolvedAt: string | null
    /** Alerts of narrower scopes that it speaks for. */
    readonly grouped: number
    readonly facts: Readonly<Record<string, unknown>>
  }
}

export function toMessage(
  alert: AlertStanding,
  args: {
    readonly event: MessageEvent
    readonly at: Date
    readonly organization: string
    readonly team: string | null
    readonly acknowledgedBy: string | null
    readonly grouped: number
  },
): AlertMessage {
  const { standing } = alert
  const iso = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString())
  return {
    version: 1,
    event: args.event,
    at: args.at.toISOString(),
    organization: args.organization,
    alert: {
      id: alert.id,
      kind: alert.kind,
      subject: alert.subject,
      severity: standing.severity,
      state: standing.state,
      ...describeFacts(alert.facts),
      rung: alert.rung,
      team: args.team,
      openedAt: new Date(standing.openedAt).toISOString(),
      acknowledgedAt: iso(standing.acknowledgedAt),
      acknowledgedBy: args.acknowledgedBy,
      resolvedAt: iso(standing.resolvedAt),
      grouped: args.grouped,
      facts: alert.facts,
    },
  }
}

/** What a channel is sent to try it out. It says that it is a test. */
export function testMessage(args: {
  readonly id: string
  readonly at: Date
  readonly organization: string
}): AlertMessage {
  const at = args.at.toISOString()
  return {
    version: 1,
    event: "test",
    at,
    organization: args.organization,
    alert: {
      id: args.id,
      kind: "test",
      subject: "test",
      severity: "ticket",
      state: "resolved",
      title: "this is what an alert of Belay looks like",
      summary: "Somebody pressed the test button of this channel.",
      todo: "There is nothing to do.",
      rung: null,
      team: null,
      openedAt: at,
      acknowledgedAt: null,
      acknowledgedBy: null,
      resolvedAt: null,
      grouped: 0,
      facts: {},
    },
  }
}
