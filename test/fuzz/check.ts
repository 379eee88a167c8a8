import { isUtf8 } from "node:buffer"
import { ORIGINS, OUTCOMES, PATH_SCOPES, RUNGS, SIGNAL_KINDS, SURFACES } from "#sdk/ladder.ts"
import { decodeRequest } from "#server/ingest/accept.ts"
import { COPIED_COLUMNS, encodeRows } from "#server/ingest/encode-rows.ts"
import { normalize, type Normalized } from "#server/ingest/normalize.ts"
import type { OtlpEncoding } from "#server/ingest/otlp/response.ts"
import type { OtlpSignal } from "#server/ingest/otlp/types.ts"
import { toRow } from "#server/ingest/rows.ts"

export interface Body {
  readonly signal: OtlpSignal
  readonly encoding: OtlpEncoding
  readonly bytes: Uint8Array
  /** When it comes in. */
  readonly now: Date
}

/** Stands in bodies for what nobody may store: what people and their agents write. */
export const CONTENT = "a secret sentence that somebody wrote for nobody else"
const CONTENT_PART = "secret sentence"

const DAY_MS = 86_400_000
const EPOCH_2000_MICROS = 946_684_800_000_000n
const NAME_MAX = 80
const TEXT_MAX = { action: 80, error: 40 }
/** Ids are names of at most 64 characters, digests, or two of those. */
const ID_MAX = 160
const ENUMS: Readonly<Record<string, readonly string[]>> = {
  signal_kind: SIGNAL_KINDS,
  rung: RUNGS,
  surface: SURFACES,
  outcome: OUTCOMES,
  origin: ORIGINS,
  path_scope: PATH_SCOPES,
}

export interface Checked {
  /** Null when nothing is wrong. */
  readonly fault: string | null
  readonly signals: number
  /** The longer of decoding and normalizing, which are turns of the event loop of their own. */
  readonly ms: number
}

/**
 * What Belay makes of a body, and what is wrong with that. Only the two refusals that a sender is told of may come out of
 * reading, and all that is left has to be what the table takes: as the bytes that are sent to Postgres.
 */
export function checkBody(body: Body): Checked {
  const measured = readBody(body, () => performance.now())
  const { ms } = measured
  if ("error" in measured) return { fault: `reading threw ${describe(measured.error)}`, signals: 0, ms }
  if (measured.normalized === null) return { fault: null, signals: 0, ms }
  const signals = measured.normalized.signals.length
  try {
    return { fault: findUnstorable(measured.normalized, body.now), signals, ms }
  } catch (error) {
    return { fault: `encoding threw ${describe(error)}`, signals, ms }
  }
}

/** Decodes and normalizes a body; `clock` tells milliseconds. Null when it is refused. */
export function readBody(
  { signal, encoding, bytes, now }: Body,
  clock: () => number,
): { ms: number; normalized: Normalized | null } | { ms: number; error: unknown } {
  const started = clock()
  let decodedAt = started
  try {
    const decoded = decodeRequest(signal, encoding, bytes)
    decodedAt = clock()
    const normalized = decoded.ok ? normalize(decoded.request, now) : null
    return { ms: Math.max(decodedAt - started, clock() - decodedAt), normalized }
  } catch (error) {
    return { ms: Math.max(decodedAt - started, clock() - decodedAt), error }
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
}

const PERSON = "00000000-0000-4000-8000-000000000001"

function findUnstorable(normalized: Normalized, now: Date): string | null {
  let nameFault: string | null = null
  const names = {
    developerId: PERSON,
    dimension(kind: string, value: string) {
      const fault = faultOfText(value, NAME_MAX)
      if (fault !== null || value === "") nameFault = `${kind} ${JSON.stringify(value)}: ${fault ?? "empty"}`
      return 1
    },
  }
  const rows = normalized.signals.map((signal) => toRow(signal, PERSON, names))
  if (nameFault !== null) return nameFault
  for (const { dialect, name, count } of normalized.unrecognized) {
    const fault = faultOfText(name, NAME_MAX)
    if (fault !== null || name === "" || !Number.isSafeInteger(count) || count < 1) {
      return `unrecognized ${dialect} ${JSON.stringify(name)} ${count}: ${fault ?? "not a name and a count"}`
    }
  }
  for (const { reason, count } of normalized.rejected) {
    if (!Number.isSafeInteger(count) || count < 1) return `rejected ${reason} ${count} times`
  }
  const [earliest, latest] = [toMicros(now.getTime() - 30 * DAY_MS), toMicros(now.getTime() + DAY_MS)]
  for (const { data, rows: count } of encodeRows(rows)) {
    const fault = faultOfRows(Buffer.from(data.buffer, data.byteOffset, data.byteLength), count, earliest, latest)
    if (fault !== null) return fault
  }
  return null
}

function toMicros(epochMs: number): bigint {
  return BigInt(epochMs) * 1000n - EPOCH_2000_MICROS
}

function faultOfText(text: string, max: number): string | null {
  if (text.length > max && Array.from(text).length > max) return `longer than ${max}`
  if (text.includes("\0")) return "holds a NUL"
  if (!text.isWellFormed()) return "holds half a character"
  return text.includes(CONTENT_PART) ? "holds content" : null
}

/** Reads rows of binary COPY as Postgres does, and holds every value to its column. */
function faultOfRows(data: Buffer, rows: number, earliest: bigint, latest: bigint): string | null {
  let at = 0
  for (let row = 0; row < rows; row++) {
    if (data.readInt16BE(at) !== COPIED_COLUMNS.length) return `row ${row} begins with another number of columns`
    at += 2
    for (const { name, type } of COPIED_COLUMNS) {
      const size = data.readInt32BE(at)
      at += 4
      if (size === -1) {
        if (REQUIRED.has(name)) return `${name} is null`
        continue
      }
      if (size < 0 || at + size > data.length) return `${name} has ${size} bytes`
      const fault = faultOfValue(data, at, size, name, type, earliest, latest)
      if (fault !== null) return `${name} ${fault}`
      at += size
    }
  }
  return at === data.length ? null : `${data.length - at} bytes are left over after ${rows} rows`
}

const REQUIRED: ReadonlySet<string> = new Set([
  "developer_id",
  "observed_at",
  "signal_id",
  "kind",
  "rung",
  "agent_tool_id",
])

function faultOfValue(
  data: Buffer,
  at: number,
  size: number,
  name: string,
  type: string,
  earliest: bigint,
  latest: bigint,
): string | null {
  switch (type) {
    case "uuid":
    case "bytea":
      return size === 16 ? null : `has ${size} bytes`
    case "timestamptz": {
      const micros = size === 8 ? data.readBigInt64BE(at) : latest + 1n
      return micros >= earliest && micros <= latest ? null : `is ${micros}, which is out of range`
    }
    case "int4":
      return size === 4 && data.readInt32BE(at) >= 0 ? null : `has ${size} bytes or is below zero`
    case "float4": {
      const value = size === 4 ? data.readFloatBE(at) : Number.NaN
      return value >= 0 && value < Infinity ? null : `is ${value}`
    }
    case "float8":
      return faultOfNumeric(data, at, size)
    case "text": {
      const bytes = data.subarray(at, at + size)
      if (!isUtf8(bytes)) return "is not UTF-8"
      return faultOfText(bytes.toString(), name === "action" || name === "error" ? TEXT_MAX[name] : ID_MAX)
    }
    default:
      return ENUMS[type]?.includes(data.toString("latin1", at, at + size)) === true ? null : `is no ${type}`
  }
}

/** `numeric(12, 6)`: four digits of base 10000, the first of them below 100. */
function faultOfNumeric(data: Buffer, at: number, size: number): string | null {
  if (size !== 16) return `has ${size} bytes`
  const [count, weight, sign, scale] = [0, 2, 4, 6].map((offset) => data.readInt16BE(at + offset))
  if (count !== 4 || weight !== 1 || sign !== 0 || scale !== 6)
    return `is a numeric of ${count} ${weight} ${sign} ${scale}`
  const digits = [8, 10, 12, 14].map((offset) => data.readInt16BE(at + offset))
  const isValid = digits.every((digit) => digit >= 0 && digit < 10_000) && (digits[0] ?? 0) < 100
  return isValid ? null : `has the digits ${digits.join(" ")}`
}
