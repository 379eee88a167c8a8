import { encode } from "uqr"

/** A QR code as one SVG path in a square of `size` units, quiet zone included. */
export function drawQrCode(text: string): { path: string; size: number } {
  const { data, size } = encode(text, { border: 4 })
  const path = data
    .flatMap((row, y) => row.map((isDark, x) => (isDark ? `M${x} ${y}h1v1h-1z` : "")))
    .filter((square) => square !== "")
    .join("")
  return { path, size }
}
