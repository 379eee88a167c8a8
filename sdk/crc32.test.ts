import * as zlib from "node:zlib"
import * as fc from "fast-check"
import { expect, test } from "vitest"
import { crc32 } from "./crc32.ts"

test("it is zlib's checksum", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(0xffffffff), (bytes, start) => {
      expect(crc32(bytes, start)).toBe(zlib.crc32(bytes, start))
    }),
  )
})
