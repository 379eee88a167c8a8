import { hash128 } from "./hash128.ts"
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
/** Of a row without its texts. */
const FIXED_BYTES_MAX = 512

/**
 * Encodes rows for binary COPY, one result per UTC day.
 *
 * @see https://www.postgresql.org/docs/18/sql-copy.html#SQL-COPY-BINARY-FORMAT
 */
export function encodeRows(rows: readonly SignalRow[]): readonly EncodedRows[] {
  const days = new Map<number, SignalRow[]>()
  for (const row of rows) {
    const day = Math.floor(row.observed_micros / MICROS_PER_DAY)
    const ofDay = days.get(day)
    if (ofDay === undefined) days.set(day, [row])
    else ofDay.push(row)
  }
  return [...days].map(([day, ofDay]) => {
    for (const row of ofDay) writer.write(row)
    return { day: toDay(day), rows: ofDay.length, data: writer.take() }
  })
}

function toDay(days: number): string {
  return new Date(days * 86_400_000).toISOString().slice(0, 10).replaceAll("-", "")
}

/** Bytes of the buffer that rows are written into, of every batch, as long as no batch needs a larger one. */
const BUFFER_BYTES = 256 * 1024

/** Writes rows one after the other into a buffer of its own. */
class RowWriter {
  #bytes = Buffer.allocUnsafeSlow(BUFFER_BYTES)
  #view = viewOf(this.#bytes)
  #at = 0
  /** The rows of a batch are of few people. */
  #developerId = ""
  readonly #developer = new Int32Array(4)
  readonly #signal = new Int32Array(4)

  write(row: SignalRow): void {
    this.#reserve(FIXED_BYTES_MAX)
    this.#int16(COPIED_COLUMNS.length)
    if (row.developer_id !== this.#developerId) {
      this.#developerId = row.developer_id
      readUuid(row.developer_id, this.#developer)
    }
    this.#sixteen(this.#developer)
    const micros = row.observed_micros - EPOCH_MICROS
    this.#int32(8)
    this.#int32(Math.floor(micros / 2 ** 32))
    this.#int32((micros % 2 ** 32) | 0)
    hash128(row.source_id, this.#signal)
    this.#sixteen(this.#signal)
    this.#text(row.kind)
    this.#text(row.rung)
    this.#text(row.operation_id)
    this.#text(row.parent_operation_id)
    this.#text(row.session_id)
    this.#int4(row.agent_tool_id)
    this.#int4(row.agent_version_id)
    this.#int4(row.mode_id)
    this.#int4(row.model_id)
    this.#int4(row.provider_id)
    this.#int4(row.language_id)
    this.#int4(row.repository_id)
    this.#text(row.surface)
    this.#text(row.outcome)
    this.#text(row.origin)
    this.#float4(row.latency_ms)
    this.#float4(row.duration_ms)
    this.#float4(row.wait_ms)
    this.#int4(row.input_tokens)
    this.#int4(row.output_tokens)
    this.#int4(row.cached_tokens)
    this.#cost(row.cost_usd)
    this.#int4(row.lines_added)
    this.#int4(row.lines_removed)
    this.#int4(row.files_changed)
    this.#int4(row.tool_calls)
    this.#int4(row.prompts)
    this.#text(row.path_scope)
    this.#int4(row.policy_version)
    this.#text(row.policy_effect)
    this.#text(row.policy_because)
    this.#text(row.policy_rule)
    this.#text(row.policy_layer)
    this.#int4(row.context_files)
    this.#text(row.action)
    this.#text(row.error)
  }

  /** A copy of what was written, as what waits for its commit shall hold no more than it needs. */
  take(): Uint8Array {
    const data = Buffer.from(this.#bytes.subarray(0, this.#at))
    this.#at = 0
    if (this.#bytes.length > BUFFER_BYTES) this.#grow(BUFFER_BYTES)
    return data
  }

  #reserve(size: number): void {
    if (this.#at + size > this.#bytes.length) this.#grow(Math.max(this.#bytes.length * 2, this.#at + size))
  }

  #grow(size: number): void {
    const larger = Buffer.allocUnsafeSlow(size)
    this.#bytes.copy(larger, 0, 0, this.#at)
    this.#bytes = larger
    this.#view = viewOf(larger)
  }

  #int16(value: number): void {
    this.#view.setInt16(this.#at, value)
    this.#at += 2
  }

  #int32(value: number): void {
    this.#view.setInt32(this.#at, value)
    this.#at += 4
  }

  #sixteen(words: Int32Array): void {
    this.#int32(16)
    for (let index = 0; index < 4; index++) this.#int32(words[index] ?? 0)
  }

  #int4(value: number | null): void {
    if (value === null) return this.#int32(-1)
    this.#int32(4)
    this.#int32(value)
  }

  #float4(value: number | null): void {
    if (value === null) return this.#int32(-1)
    this.#int32(4)
    this.#view.setFloat32(this.#at, value)
    this.#at += 4
  }

  #text(value: string | null): void {
    if (value === null) return this.#int32(-1)
    // Four bytes of a length, and at most three for each UTF-16 unit.
    this.#reserve(FIXED_BYTES_MAX + value.length * 3)
    const bytes = this.#bytes
    const start = this.#at + 4
    let at = start
    for (let index = 0; index < value.length; index++) {
      const code = value.charCodeAt(index)
      if (code > 0x7f) {
        at = start + bytes.write(value, start, "utf8")
        break
      }
      bytes[at++] = code
    }
    this.#int32(at - start)
    this.#at = at
  }

  /** `numeric` of micro-dollars: base-10000 digits, the first of weight 1, two after the point, of which six decimals count. */
  #cost(value: number | null): void {
    if (value === null) return this.#int32(-1)
    const micros = Math.round(value * 1e6)
    const [whole, fraction] = [Math.floor(micros / 1e6), (micros % 1e6) * 100]
    this.#int32(16)
    this.#int16(4)
    this.#int16(1)
    this.#int16(0)
    this.#int16(6)
    this.#int16(Math.floor(whole / 1e4))
    this.#int16(whole % 1e4)
    this.#int16(Math.floor(fraction / 1e4))
    this.#int16(fraction % 1e4)
  }
}

const writer = new RowWriter()

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

const [HYPHEN, ZERO, NINE, LETTER_A] = [0x2d, 0x30, 0x39, 0x61]

function readUuid(uuid: string, into: Int32Array): void {
  let digits = 0
  let word = 0
  for (let index = 0; index < uuid.length; index++) {
    const code = uuid.charCodeAt(index)
    if (code === HYPHEN) continue
    word = (word << 4) | (code <= NINE ? code - ZERO : code - LETTER_A + 10)
    if (++digits % 8 === 0) into[digits / 8 - 1] = word
  }
}
