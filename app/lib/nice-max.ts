/** The next round number above, so that the axis has room. */
export function niceMax(value: number): number {
  if (value <= 0) return 1
  const magnitude = 10 ** Math.floor(Math.log10(value))
  const steps = [1, 1.5, 2, 3, 4, 5, 7.5, 10]
  return magnitude * (steps.find((step) => step * magnitude >= value * 1.08) ?? 10)
}
