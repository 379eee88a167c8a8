import { crc32 } from "./crc32.ts"

/**
 * The format of a spooled request: frames of length, checksum, number of items and bytes. The first holds JSON about the
 * others, which together are the request's body. A process that was killed leaves whole frames and at most one in part.
 */

/** How to send a body. */
export interface EntryMeta {
  /** `application/json`. */
  readonly contentType: string
  /** How the body is packed; left out when it is not. */
  readonly contentEncoding?: "gzip" | undefined
  /** What ends the body, after whatever was written of it. */
  readonly tail?: string | undefined
}

export interface ReadEntry extends EntryMeta {
  readonly body: Uint8Array<ArrayBuffer>
  readonly items: number
  /** Bytes of the file that are whole: all of them, unless it was cut off or changed since. */
  readonly wholeBytes: number
}

const HEADER_BYTES = 12

export function encodeFrame(bytes: Uint8Array, items: number): Buffer<ArrayBuffer> {
  const frame = Buffer.allocUnsafe(HEADER_BYTES + bytes.length)
  frame.writeUInt32LE(bytes.length, 0)
  frame.writeUInt32LE(items, 4)
  frame.set(bytes, HEADER_BYTES)
  frame.writeUInt32LE(checksum(frame, bytes.length, items), 8)
  return frame
}

export function encodeMeta(meta: EntryMeta): Buffer<ArrayBuffer> {
  return encodeFrame(Buffer.from(JSON.stringify(meta)), 0)
}

/** Of the bytes and of what the header says of them. */
function checksum(frame: Buffer, length: number, items: number): number {
  return crc32(frame.subarray(HEADER_BYTES, HEADER_BYTES + length), (length ^ Math.imul(items, 0x9e3779b1)) >>> 0)
}

/** What is whole of a file; null when that is not a single item. */
export function decodeEntry(file: Buffer): ReadEntry | null {
  const frames: Buffer[] = []
  let items = 0
  let at = 0
  while (at + HEADER_BYTES <= file.length) {
    const [length, count] = [file.readUInt32LE(at), file.readUInt32LE(at + 4)]
    const frame = file.subarray(at, at + HEADER_BYTES + length)
    const isWhole =
      frame.length === HEADER_BYTES + length && file.readUInt32LE(at + 8) === checksum(frame, length, count)
    if (!isWhole) break
    frames.push(frame.subarray(HEADER_BYTES))
    items += count
    at += frame.length
  }
  const [first, ...parts] = frames
  const meta = first === undefined ? null : parseMeta(first)
  if (meta === null || items === 0) return null
  if (meta.tail !== undefined) parts.push(Buffer.from(meta.tail))
  return { ...meta, body: Buffer.concat(parts), items, wholeBytes: at }
}

function parseMeta(bytes: Buffer): EntryMeta | null {
  try {
    const meta: unknown = JSON.parse(bytes.toString())
    return typeof meta === "object" && meta !== null && "contentType" in meta ? (meta as EntryMeta) : null
  } catch {
    return null
  }
}
