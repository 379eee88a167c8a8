import { type Kysely, sql } from "kysely"
import { z } from "zod"
import type { DB } from "../db/types.ts"
import { encodeAuditLogs } from "./otlp.ts"
import { listEntriesAfter } from "./queries.ts"

export interface AuditExportOptions {
  /** Acts as `belay_worker`. */
  readonly db: Kysely<DB>
  /** Where the requests go, path included. */
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly now: () => Date
  /** What the operator should know: when sending fails for the first time, and when it works again. */
  readonly tell: (line: string) => void
}

/** Entries in one request. */
const BATCH = 500
const REQUEST_TIMEOUT_MS = 10_000
const BACKOFF_FIRST_MS = 5000
const BACKOFF_MAX_MS = 5 * 60_000
/** However long an endpoint asks to be left alone. */
const RETRY_AFTER_MAX_MS = 60 * 60_000

/**
 * Sends each organization's audit entries that were not sent yet, in order. The cursor moves after the endpoint has
 * answered 2xx, so an entry arrives at least once. Two processes do not send the same organization's at one time.
 */
export async function exportAudit(options: AuditExportOptions): Promise<void> {
  const waiting = await sql<{ id: string; name: string }>`
    select o.id, o.name from org o left join audit_export x on x.org_id = o.id
    where coalesce(x.retry_at, '-infinity') <= ${options.now()}
      and exists (select from audit_event e where e.org_id = o.id and e.sequence > coalesce(x.sequence, 0))
    order by o.id`.execute(options.db)
  for (const org of waiting.rows) while (await exportBatch(options, org)) continue
}

/** Whether the organization may have more to send at once. */
async function exportBatch(options: AuditExportOptions, org: { id: string; name: string }): Promise<boolean> {
  const { db, now, tell } = options
  return db.transaction().execute(async (tx) => {
    // Held until the cursor is written, and let go by a process that dies.
    const claim = await sql<{ claimed: boolean }>`
      select pg_try_advisory_xact_lock(hashtext('belay_audit_export'), hashtext(${org.id})) as claimed`.execute(tx)
    if (claim.rows[0]?.claimed !== true) return false
    const cursor = await tx.selectFrom("audit_export").selectAll().where("org_id", "=", org.id).executeTakeFirst()
    if (cursor?.retry_at != null && cursor.retry_at > now()) return false
    const entries = await listEntriesAfter(tx, { orgId: org.id, sequence: cursor?.sequence ?? 0, limit: BATCH })
    const last = entries.at(-1)
    if (last === undefined) return false

    const failures = cursor?.failures ?? 0
    const sent = await send(options, encodeAuditLogs(org, entries))
    const at = now()
    if (sent.ok) {
      if (failures > 0) tell(`The audit log of ${org.name} is being sent on again.`)
      await saveCursor(tx, org.id, {
        sequence: last.sequence,
        hash: Buffer.from(last.hash, "hex"),
        sent_at: at,
        refused: (cursor?.refused ?? 0) + sent.refused,
        failures: 0,
        error: sent.message,
        retry_at: null,
      })
      return entries.length === BATCH
    }
    if (failures === 0) tell(`The audit log of ${org.name} could not be sent on and waits: ${sent.message}`)
    const backoffMs = Math.min(BACKOFF_FIRST_MS * 2 ** failures, BACKOFF_MAX_MS)
    await saveCursor(tx, org.id, {
      failures: failures + 1,
      error: sent.message,
      retry_at: new Date(at.getTime() + Math.max(backoffMs, sent.retryAfterMs)),
    })
    return false
  })
}

interface Cursor {
  sequence?: number
  hash?: Buffer
  sent_at?: Date
  refused?: number
  failures: number
  error: string | null
  retry_at: Date | null
}

async function saveCursor(tx: Kysely<DB>, orgId: string, cursor: Cursor): Promise<void> {
  await tx
    .insertInto("audit_export")
    .values({ org_id: orgId, ...cursor })
    .onConflict((conflict) => conflict.column("org_id").doUpdateSet(cursor))
    .execute()
}

type Sent =
  | { readonly ok: true; readonly refused: number; readonly message: string | null }
  | { readonly ok: false; readonly message: string; readonly retryAfterMs: number }

async function send(options: AuditExportOptions, body: string): Promise<Sent> {
  try {
    const response = await fetch(options.url, {
      method: "POST",
      headers: { ...options.headers, "content-type": "application/json" },
      body,
      // A key in the headers is not for wherever the endpoint may point.
      redirect: "error",
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    })
    const text = await response.text()
    if (response.ok) return { ok: true, ...readPartialSuccess(text) }
    const retryAfterMs = parseRetryAfter(response.headers.get("retry-after"), options.now())
    return { ok: false, message: `the endpoint answered ${response.status}`, retryAfterMs }
  } catch (error) {
    return { ok: false, message: describeFailure(error), retryAfterMs: 0 }
  }
}

function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return "the endpoint could not be reached"
  if (error.name === "TimeoutError") return `the endpoint did not answer within ${REQUEST_TIMEOUT_MS / 1000} s`
  const { cause } = error
  const code = cause instanceof Error && "code" in cause ? ` (${String(cause.code)})` : ""
  return `the endpoint could not be reached${code}`
}

const answerSchema = z.object({
  partialSuccess: z.object({
    rejectedLogRecords: z.coerce.number().int().nonnegative().default(0),
    errorMessage: z.string().default(""),
  }),
})

/** What the endpoint took and did not keep. OTLP forbids to send that again. */
function readPartialSuccess(text: string): { refused: number; message: string | null } {
  try {
    const { rejectedLogRecords: refused, errorMessage } = answerSchema.parse(JSON.parse(text)).partialSuccess
    const message = `the endpoint did not keep ${refused} of them: ${errorMessage.slice(0, 200)}`
    return refused > 0 ? { refused, message } : { refused: 0, message: null }
  } catch {
    return { refused: 0, message: null }
  }
}

/** Milliseconds from a `Retry-After` of seconds or of a date; 0 when there is none. */
function parseRetryAfter(header: string | null, now: Date): number {
  if (header === null) return 0
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now.getTime()
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), RETRY_AFTER_MAX_MS) : 0
}

/** `k=v,k2=v2` with percent-encoded values, as `OTEL_EXPORTER_OTLP_HEADERS` has them. Throws on anything else. */
export function parseHeaders(text: string): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const pair of text.split(",")) {
    if (pair.trim() === "") continue
    const at = pair.indexOf("=")
    const name = pair.slice(0, Math.max(at, 0)).trim()
    if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name)) throw new Error("is a list of name=value, separated by commas")
    headers[name] = decodeURIComponent(pair.slice(at + 1).trim())
  }
  return headers
}

/** An endpoint without a path gets OTLP's own; one with a path is taken as it is. */
export function toLogsUrl(endpoint: string): string {
  const url = new URL(endpoint)
  if (url.pathname === "/") url.pathname = "/v1/logs"
  return url.href
}

/** Sends what there is every `everyMs` until the returned function is called, which lets a request in hand finish. */
export function startAuditExport(
  options: AuditExportOptions & { everyMs: number; log: (message: string, error: unknown) => void },
): () => Promise<void> {
  let running: Promise<void> | null = null
  const timer = setInterval(() => {
    running ??= exportAudit(options)
      .catch((error: unknown) => options.log("audit export failed", error))
      .finally(() => (running = null))
  }, options.everyMs)
  return async () => {
    clearInterval(timer)
    await running
  }
}
