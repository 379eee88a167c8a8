import { deserialize, serialize } from "node:v8"
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib"

/** To be raised with every change of what the detector's state is made of: an older one is not understood then. */
const FORMAT = 2

export function saveState(state: unknown): Buffer {
  return zstdCompressSync(serialize({ format: FORMAT, state }), {
    params: { [constants.ZSTD_c_compressionLevel]: 1 },
  })
}

/** The state that was saved; null when it is of another format. */
export function readState(data: Uint8Array): { readonly state: unknown } | null {
  try {
    const saved: unknown = deserialize(zstdDecompressSync(data))
    const isKnown = typeof saved === "object" && saved !== null && "format" in saved && saved.format === FORMAT
    return isKnown && "state" in saved ? { state: saved.state } : null
  } catch {
    return null
  }
}
