import { SIGNAL_COLUMNS, type SignalRow } from "./rows.ts"

/** Rows of one day as binary COPY takes them, without its header and trailer. */
export interface EncodedRows {
  /** UTC, `YYYYMMDD`: which partition they belong to. */
  readonly day: string
  readonly rows: number
  readonly data: Uint8Array
}

/** Columns that are written, in order. The organization is not among them: the database knows for whom it works. */
export const COPIED_COLUMNS = SIGNAL_COLUMNS.filter((column) => column.name !== "org_id")

export const COPY_HEADER = Buffer.from("PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0", "latin1")
export const COPY_TRAILER = Buffer.from([0xff, 0xff])

const MICROS_PER_DAY = 86_400_000_000
/** Postgres counts from 2000-01-01. */
const EPOCH_MICROS = 946_684_800_000_000
/** Of most rows, with room to spare. */
const ROW_BYTES = 320
/** Of a row without its texts. */
const FIXED_BYTES_MAX = 512

/**
 * Encodes rows for binary COPY, one result per UTC day.
 *
 * @see https://www.postgresql.org/docs/18/sql-copy.html#SQL-COPY-BINARY-FORMAT
 */
export function encodeRows(rows: readonly SignalRow[]): readonly EncodedRows[] {
  const days = new Map<number, RowWriter>()
  for (const row of rows) {
    const day = Math.floor(row.observed_micros / MICROS_PER_DAY)
    let writer = days.get(day)
    if (writer === undefined) days.set(day, (writer = createRowWriter(rows.length * ROW_BYTES)))
    writer.write(row)
  }
  return [...days].map(([day, writer]) => ({ day: toDay(day), ...writer.finish() }))
}

function toDay(days: number): string {
  return new Date(days * 86_400_000).toISOString().slice(0, 10).replaceAll("-", "")
}

interface RowWriter {
  write(row: SignalRow): void
  finish(): { rows: number; data: Uint8Array }
}

function createRowWriter(expectedBytes: number): RowWriter {
  let bytes = Buffer.allocUnsafe(expectedBytes + FIXED_BYTES_MAX)
  let at = 0
  let rows = 0

  function reserve(size: number): void {
    if (at + size <= bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(bytes.length * 2, at + size))
    bytes.copy(larger, 0, 0, at)
    bytes = larger
  }

  function int32(value: number): void {
    bytes[at++] = value >> 24
    bytes[at++] = value >> 16
    bytes[at++] = value >> 8
    bytes[at++] = value
  }

  function int16(value: number): void {
    bytes[at++] = value >> 8
    bytes[at++] = value
  }

  function text(value: string | null): void {
    if (value === null) return int32(-1)
    // Four bytes of a length, and at most three for each UTF-16 unit.
    reserve(FIXED_BYTES_MAX + value.length * 3)
    const lengthAt = at
    at += 4
    for (let index = 0; index < value.length; index++) {
      const code = value.charCodeAt(index)
      if (code > 0x7f) {
        at = lengthAt + 4
        at += bytes.write(value, at, "utf8")
        break
      }
      bytes[at++] = code
    }
    const end = at
    at = lengthAt
    int32(end - lengthAt - 4)
    at = end
  }

  function optionalInt4(value: number | null): void {
    if (value === null) return int32(-1)
    int32(4)
    int32(value)
  }

  function optionalFloat4(value: number | null): void {
    if (value === null) return int32(-1)
    int32(4)
    at = bytes.writeFloatBE(value, at)
  }

  /** Bytes in hex, with or without hyphens, from `start` on. */
  function hex(value: string, start: number, size: number): void {
    int32(size)
    let from = start
    for (let count = 0; count < size; count++) {
      if (value.charCodeAt(from) === HYPHEN) from++
      bytes[at++] = (nibble(value.charCodeAt(from)) << 4) | nibble(value.charCodeAt(from + 1))
      from += 2
    }
  }

  /** `numeric` of micro-dollars: base-10000 digits, the first of weight 1, two after the point, of which six decimals count. */
  function cost(value: number | null): void {
    if (value === null) return int32(-1)
    const micros = Math.round(value * 1e6)
    const [whole, fraction] = [Math.floor(micros / 1e6), (micros % 1e6) * 100]
    int32(16)
    int16(4)
    int16(1)
    int16(0)
    int16(6)
    int16(Math.floor(whole / 1e4))
    int16(whole % 1e4)
    int16(Math.floor(fraction / 1e4))
    int16(fraction % 1e4)
  }

  return {
    write(row) {
      reserve(FIXED_BYTES_MAX)
      int16(COPIED_COLUMNS.length)
      hex(row.developer_id, 0, 16)
      const micros = row.observed_micros - EPOCH_MICROS
      int32(8)
      int32(Math.floor(micros / 2 ** 32))
      int32((micros % 2 ** 32) | 0)
      // After `\x`.
      hex(row.signal_id, 2, 16)
      text(row.kind)
      text(row.rung)
      text(row.operation_id)
      text(row.parent_operation_id)
      text(row.session_id)
      optionalInt4(row.agent_tool_id)
      optionalInt4(row.agent_version_id)
      optionalInt4(row.mode_id)
      optionalInt4(row.model_id)
      optionalInt4(row.provider_id)
      optionalInt4(row.language_id)
      optionalInt4(row.repository_id)
      text(row.surface)
      text(row.outcome)
      text(row.origin)
      optionalFloat4(row.latency_ms)
      optionalFloat4(row.duration_ms)
      optionalFloat4(row.wait_ms)
      optionalInt4(row.input_tokens)
      optionalInt4(row.output_tokens)
      optionalInt4(row.cached_tokens)
      cost(row.cost_usd)
      optionalInt4(row.lines_added)
      optionalInt4(row.lines_removed)
      optionalInt4(row.files_changed)
      optionalInt4(row.tool_calls)
      optionalInt4(row.prompts)
      text(row.path_scope)
      optionalInt4(row.policy_version)
      text(row.action)
      text(row.error)
      rows++
    },
    finish() {
      // A copy of its own size, so that what waits for its commit holds no more than it needs.
      return { rows, data: Buffer.from(bytes.subarray(0, at)) }
    },
  }
}

const HYPHEN = 45

function nibble(code: number): number {
  return code <= 57 ? code - 48 : code - 87
}
