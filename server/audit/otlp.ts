import type { ChainedEntry } from "./entry.ts"

const SEVERITY = { info: { number: 9, text: "INFO" }, warn: { number: 13, text: "WARN" } }

/**
 * The entries of one organization as the body of an OTLP/HTTP logs request in JSON, in their order. Attributes have the
 * names of OpenTelemetry's conventions where there is one, and `belay.audit.*` elsewhere; what is null is left out.
 *
 * @see https://opentelemetry.io/docs/specs/semconv/registry/attributes/user/
 */
export function encodeAuditLogs(org: { id: string; name: string }, entries: readonly ChainedEntry[]): string {
  const resource = attributes({ "service.name": "belay", "belay.org.id": org.id, "belay.org.name": org.name })
  const scopeLogs = [{ scope: { name: "belay.audit" }, logRecords: entries.map(toLogRecord) }]
  return JSON.stringify({ resourceLogs: [{ resource: { attributes: resource }, scopeLogs }] })
}

function toLogRecord(entry: ChainedEntry) {
  const severity = /_(failed|refused|denied)$/.test(entry.action) ? SEVERITY.warn : SEVERITY.info
  const timeUnixNano = `${entry.occurredAt.getTime()}000000`
  return {
    timeUnixNano,
    observedTimeUnixNano: timeUnixNano,
    severityNumber: severity.number,
    severityText: severity.text,
    eventName: entry.action,
    body: { stringValue: `${entry.action} by ${entry.actorEmail ?? "nobody signed in"}` },
    attributes: attributes({
      // Also as an attribute: receivers older than OTLP 1.5 do not know the field.
      "event.name": entry.action,
      "user.id": entry.actorId,
      "user.email": entry.actorEmail,
      "belay.audit.sequence": entry.sequence,
      "belay.audit.target.kind": entry.targetKind,
      "belay.audit.target.id": entry.targetId,
      "belay.audit.reason": entry.reason,
      "belay.audit.before": entry.before === null ? null : JSON.stringify(entry.before),
      "belay.audit.after": entry.after === null ? null : JSON.stringify(entry.after),
      "belay.audit.request_id": entry.requestId,
      "belay.audit.hash": entry.hash,
    }),
  }
}

function attributes(values: Readonly<Record<string, string | number | null>>) {
  return Object.entries(values).flatMap(([key, value]) => {
    if (value === null) return []
    return [{ key, value: typeof value === "number" ? { intValue: String(value) } : { stringValue: value } }]
  })
}
