import { readdirSync } from "node:fs"
import { openSpool, type SpoolStatus } from "../spool.ts"
import { type Host, spoolFolder } from "./home.ts"
import { policyLines, type PolicyStatus, readPolicyStatus } from "./policy-command.ts"
import { type Failures, type Flushed, readFailures, readFlushed } from "./state.ts"

export interface Status extends SpoolStatus {
  readonly folder: string
  /** When the oldest request that waits was kept, in milliseconds since the epoch; null when none does. */
  readonly oldestAt: number | null
  readonly flushed: Flushed
  readonly failures: Failures
  readonly policy: PolicyStatus
}

/** What hooks have kept, what became of it, and what they failed at. Never throws. */
export function readStatus(host: Host): Status {
  const folder = spoolFolder(host)
  const spool = openSpool({ folder, now: host.now })
  return {
    folder,
    ...spool.status(),
    oldestAt: oldestIn(folder),
    flushed: readFlushed(folder),
    failures: readFailures(folder),
    policy: readPolicyStatus(host),
  }
}

/** Requests are named after the time they were kept at. */
function oldestIn(folder: string): number | null {
  try {
    const [oldest] = readdirSync(folder)
      .filter((name) => name.endsWith(".ready"))
      .toSorted()
    return oldest === undefined ? null : Number.parseInt(oldest, 10)
  } catch {
    return null
  }
}

export function statusLines(status: Status, now: number): readonly string[] {
  const { items, entries, bytes, oldestAt, dropped, flushed, failures, policy } = status
  const reasons = Object.entries(failures.reasons).map(([reason, count]) => `${reason} ${count}`)
  return [
    `spool      ${status.folder}`,
    `waiting    ${items} signals in ${entries} requests, ${bytes} bytes${oldestAt === null ? "" : `, the oldest from ${ago(oldestAt, now)}`}`,
    `last sent  ${flushed.sentAt === null ? "never" : ago(flushed.sentAt, now)} (${flushed.sent} signals in all)`,
    `refused    ${flushed.refused} signals`,
    `dropped    ${dropped.full} signals for want of room, ${dropped.corrupt} unreadable requests`,
    `last error ${flushed.error ?? "none"}`,
    ...policyLines(policy).slice(0, 1),
    `hooks      ${failures.count === 0 ? "no failures" : `${failures.count} failures, the last ${ago(failures.lastAt ?? now, now)}: ${reasons.join(", ")}`}`,
  ]
}

function ago(at: number, now: number): string {
  const seconds = Math.max(0, Math.round((now - at) / 1000))
  if (seconds < 120) return `${seconds} s ago`
  const minutes = Math.round(seconds / 60)
  if (minutes < 120) return `${minutes} min ago`
  const hours = Math.round(minutes / 60)
  return hours < 48 ? `${hours} h ago` : `${Math.round(hours / 24)} days ago`
}
