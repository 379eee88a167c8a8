import { expect, test } from "vitest"
import { hash128 } from "./hash128.ts"

function hexOf(text: string): string {
  const words = new Int32Array(4)
  hash128(text, words)
  return [...words].map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("")
}

test.each([
  ["", "00000000000000000000000000000000"],
  ["I will not buy this record, it is scratched.", "a0a9683b25ac5e40d9af2895890dddf5"],
  ["0af7651916cd43dd8448eb211c80319c:b7ad6b7169203331", "1d0b6e644e7b960c2120913792673499"],
  ["héllo, wörld 日本語", "f64b4ab6de74241125ec019bf2f59bb2"],
])("%j has the hash that the package murmurhash3js-revisited gives it", (text, hex) => {
  expect(hexOf(text)).toBe(hex)
})
