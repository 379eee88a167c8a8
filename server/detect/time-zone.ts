const HALF_HOUR_MS = 1_800_000
const OFFSET = /GMT(?:([+-])(\d\d):(\d\d))?/

/**
 * Minutes to add to UTC for the local time in an IANA zone, at an instant in Unix milliseconds. Clocks change on the half
 * hour at most, so it is looked up once for each. Throws a RangeError when there is no such zone.
 */
export function createOffsets(timeZone: string): (at: number) => number {
  const format = new Intl.DateTimeFormat("en-US", { timeZone, timeZoneName: "longOffset" })
  const known = new Map<number, number>()
  return (at) => {
    const slot = Math.floor(at / HALF_HOUR_MS)
    const before = known.get(slot)
    if (before !== undefined) return before
    const name = format.formatToParts(slot * HALF_HOUR_MS).find((part) => part.type === "timeZoneName")?.value ?? ""
    const [, sign, hours = "0", minutes = "0"] = OFFSET.exec(name) ?? []
    const offset = (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(minutes))
    known.set(slot, offset)
    return offset
  }
}
