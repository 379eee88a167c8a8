import { clsx } from "clsx"
import { CircleAlert, Send } from "lucide-react"
import { formatAge, formatCount, formatInstant, formatUntil, plural } from "../../lib/format.ts"

interface Cursor {
  readonly sequence: number
  readonly sentAt: Date | null
  readonly refused: number
  readonly error: string | null
  readonly retryAt: Date | null
}

/** How far the log was sent on to the endpoint of a SIEM. */
export function ExportState(props: {
  host: string | null
  cursor: Cursor | null
  total: number
  now: Date
  timeZone: string
}) {
  const { host, cursor, total, now, timeZone } = props
  if (host === null) {
    return (
      <p className="mt-3 text-sm text-ink-faint">
        Not sent on to a SIEM; <code className="font-mono text-xs">BELAY_AUDIT_OTLP_ENDPOINT</code> names one.
      </p>
    )
  }
  const sent = cursor?.sequence ?? 0
  const Icon = cursor?.error == null ? Send : CircleAlert
  return (
    <div className={clsx("mt-3 flex gap-2 text-sm", cursor?.error == null ? "text-ink-soft" : "text-warn")}>
      <Icon aria-hidden className="mt-0.5 size-4 shrink-0" />
      <div className="min-w-0 break-words">
        <p>
          Sent on to {host} as OTLP logs: {sent === total ? "all" : `${formatCount(sent)} of`}{" "}
          {plural(total, "entry", "entries")}
          {cursor?.sentAt != null && (
            <>
              , last{" "}
              <time dateTime={cursor.sentAt.toISOString()} title={formatInstant(cursor.sentAt, timeZone)}>
                {formatAge(cursor.sentAt, now)}
              </time>
            </>
          )}
          .
        </p>
        {cursor?.error != null && (
          <p>
            Last error: {cursor.error}.
            {cursor.retryAt !== null && ` What waits is kept and tried again ${formatUntil(cursor.retryAt, now)}.`}
          </p>
        )}
        {cursor !== null && cursor.refused > 0 && (
          <p>{plural(cursor.refused, "entry was", "entries were")} taken by the endpoint and not kept there.</p>
        )}
      </div>
    </div>
  )
}
