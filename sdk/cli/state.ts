import * as fs from "node:fs"
import path from "node:path"

/**
 * What the command remembers beside the spool's requests. Hooks are many short processes that must not wait for one
 * another, so each file is either only added to or replaced whole.
 */

const FAILURES_FILE = "failures"
const FLUSH_FILE = "flush.json"
const LOCK_FILE = "flush.lock"
/** Of failures; the oldest half goes. */
const FAILURES_BYTES_MAX = 32 * 1024

/** Why a hook did not do its work. Never what it was given. */
export type FailureReason = "no_input" | "bad_input" | "unknown_event" | "spool" | "policy" | "bug"

export interface Failures {
  /** Of those that are still remembered. */
  readonly count: number
  /** Milliseconds since the epoch; null when there was none. */
  readonly lastAt: number | null
  readonly reasons: Readonly<Partial<Record<FailureReason, number>>>
}

/** Counts a failure. Never throws: where nothing can be written, nothing can be counted. */
export function countFailure(folder: string, tool: string, reason: FailureReason, now: number): void {
  const file = path.join(folder, FAILURES_FILE)
  try {
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 })
    fs.appendFileSync(file, `${now} ${tool} ${reason}\n`, { mode: 0o600 })
    if (fs.statSync(file).size <= FAILURES_BYTES_MAX) return
    const text = fs.readFileSync(file, "utf8")
    replaceFile(file, text.slice(text.indexOf("\n", text.length / 2) + 1))
  } catch {
    // The tool goes on all the same.
  }
}

export function readFailures(folder: string): Failures {
  const reasons: Partial<Record<FailureReason, number>> = {}
  let count = 0
  let lastAt: number | null = null
  for (const line of readText(path.join(folder, FAILURES_FILE)).split("\n")) {
    const [at, , reason] = line.split(" ")
    if (reason === undefined) continue
    count++
    lastAt = Math.max(lastAt ?? 0, Number(at))
    reasons[reason as FailureReason] = (reasons[reason as FailureReason] ?? 0) + 1
  }
  return { count, lastAt, reasons }
}

/** How the latest flush went. */
export interface Flushed {
  /** Milliseconds since the epoch. */
  readonly at: number
  /** When signals were last taken; null when they never were. */
  readonly sentAt: number | null
  /** Signals over all flushes. */
  readonly sent: number
  readonly refused: number
  /** Of the latest flush; null when it went well. */
  readonly error: string | null
}

export const NEVER_FLUSHED: Flushed = { at: 0, sentAt: null, sent: 0, refused: 0, error: null }

export function readFlushed(folder: string): Flushed {
  try {
    return { ...NEVER_FLUSHED, ...(JSON.parse(readText(path.join(folder, FLUSH_FILE))) as Partial<Flushed>) }
  } catch {
    return NEVER_FLUSHED
  }
}

export function writeFlushed(folder: string, flushed: Flushed): void {
  replaceFile(path.join(folder, FLUSH_FILE), `${JSON.stringify(flushed)}\n`)
}

/** Between two flushes that hooks start. */
const FLUSH_EVERY_MS = 30_000
/** A flush that holds the lock for longer is gone. */
const LOCK_MS_MAX = 120_000

/**
 * Whether it is time for a flush and nobody else is at it: true for one of many processes that ask at once, which then
 * holds the lock until `unlockFlush`. Never throws.
 */
export function lockFlush(folder: string, now: number): boolean {
  const lock = path.join(folder, LOCK_FILE)
  try {
    if (now - modifiedAt(path.join(folder, FLUSH_FILE)) < FLUSH_EVERY_MS) return false
    if (now - modifiedAt(lock) > LOCK_MS_MAX) fs.rmSync(lock, { force: true })
    fs.closeSync(fs.openSync(lock, "wx", 0o600))
    return true
  } catch {
    return false
  }
}

export function unlockFlush(folder: string): void {
  fs.rmSync(path.join(folder, LOCK_FILE), { force: true })
}

/** Milliseconds since the epoch; 0 for a file that is not there. */
function modifiedAt(file: string): number {
  return fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0
}

/** Whoever reads it has the one or the other. */
export function replaceFile(file: string, text: string): void {
  const fresh = `${file}.${process.pid}`
  fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 })
  fs.writeFileSync(fresh, text, { mode: 0o600 })
  fs.renameSync(fresh, file)
}

function readText(file: string): string {
  try {
    return fs.readFileSync(file, "utf8")
  } catch {
    return ""
  }
}
