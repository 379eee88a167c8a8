/**
 * The checksum of zlib and PNG. Node has one in `node:zlib`, but loading that takes a hook's process longer than all else
 * it does.
 */
const TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte
  for (let bit = 0; bit < 8; bit++) rest = (rest & 1) === 1 ? (rest >>> 1) ^ 0xedb88320 : rest >>> 1
  return rest
})

/** Of `bytes`, going on from `start`; an unsigned number of 32 bits. */
export function crc32(bytes: Uint8Array, start = 0): number {
  let rest = ~start
  for (const byte of bytes) rest = (TABLE[(rest ^ byte) & 0xff] ?? 0) ^ (rest >>> 8)
  return ~rest >>> 0
}
