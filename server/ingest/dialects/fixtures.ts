import { readdirSync, readFileSync } from "node:fs"
import { type Normalized, normalize } from "../normalize.ts"
import { decodeJson } from "../otlp/json.ts"
import { decodeProtobuf } from "../otlp/protobuf.ts"
import type { OtlpRequest, OtlpSignal } from "../otlp/types.ts"
import type { Signal } from "../signal.ts"

/** The recorded and the written requests, for the dialects' tests. */

const root = new URL("../../../test/fixtures/otlp/", import.meta.url)

export type Folder = "captured" | "written"

/** A moment at which each folder's telemetry had just been sent. */
export const SENT_AT: Record<Folder, Date> = {
  captured: new Date("2026-11-20T20:00:00Z"),
  written: new Date("2026-10-20T10:00:00Z"),
}

/** The files of a folder in the order in which they arrived. */
export function listFixtures(folder: Folder): readonly string[] {
  return readdirSync(new URL(`${folder}/`, root))
    .filter((file) => file !== "manifest.json")
    .toSorted((a, b) => arrivalOf(a) - arrivalOf(b) || (a < b ? -1 : 1))
}

/** The number in a captured file's name. */
function arrivalOf(file: string): number {
  return Number(/-(\d+)\./.exec(file)?.[1] ?? 0)
}

export function readFixture(folder: Folder, file: string): OtlpRequest {
  const body = readFileSync(new URL(`${folder}/${file}`, root))
  const signal = signalOf(file)
  return file.endsWith(".pb") ? decodeProtobuf(signal, body) : decodeJson(signal, body)
}

function signalOf(file: string): OtlpSignal {
  if (file.includes(".traces.")) return "traces"
  return file.includes(".logs.") ? "logs" : "metrics"
}

export function normalizeFixture(folder: Folder, file: string): Normalized {
  return normalize(readFixture(folder, file), SENT_AT[folder])
}

/** Which fields a table of expected signals leaves out: ids, and what is the same in all of a run. */
const LEFT_OUT: ReadonlySet<string> = new Set([
  "observedUnixNano",
  "sourceId",
  "rung",
  "agentTool",
  "agentVersion",
  "surface",
  "identity",
  "operationId",
  "parentOperationId",
  "sessionId",
  "occurrence",
])

/** What the signals say once an event that was reported twice is one: the fields that are known. */
export function factsOf(signals: readonly Signal[]): readonly object[] {
  return mergeOccurrences(signals).map((signal) =>
    Object.fromEntries(Object.entries(signal).filter(([key, value]) => value !== null && !LEFT_OUT.has(key))),
  )
}

/** As the store does: the primary report wins and takes what only the secondary knows. */
export function mergeOccurrences(signals: readonly Signal[]): readonly Signal[] {
  const merged = new Map<string, Signal>()
  for (const signal of signals) {
    const id = signal.occurrence?.id ?? signal.sourceId
    const other = merged.get(id)
    if (other === undefined) merged.set(id, signal)
    else if (other.occurrence?.evidence === "primary") merged.set(id, fill(other, signal))
    else merged.set(id, fill(signal, other))
  }
  return [...merged.values()]
}

function fill(winner: Signal, other: Signal): Signal {
  const known = Object.entries(winner).filter(([, value]) => value !== null)
  return { ...other, ...Object.fromEntries(known) }
}
