/** An OTLP/JSON request of a session of Claude Code: so many model calls, all of which name the session and no prompt. */
export function makeSession(session: string, records: number, at: Date): string {
  const timeUnixNano = `${at.getTime()}000000`
  const logRecords = Array.from({ length: records }, (_, index) => ({
    timeUnixNano,
    attributes: [
      { key: "event.name", value: { stringValue: "api_request" } },
      { key: "event.sequence", value: { intValue: String(index) } },
      { key: "session.id", value: { stringValue: session } },
      { key: "model", value: { stringValue: "claude-opus-4-5" } },
    ],
  }))
  const scope = { name: "com.anthropic.claude_code.events" }
  return JSON.stringify({ resourceLogs: [{ resource: {}, scopeLogs: [{ scope, logRecords }] }] })
}
