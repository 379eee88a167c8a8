/**
 * Lists of days in flat numbers: an entry is the day with its units in one number, and then as many others as the list has
 * of each day. A hundred thousand such lists are most of what the detector remembers. So they are parts of large arrays
 * outside of the heap, of which the garbage collector keeps no copies, and have room for a day more at most.
 *
 * What is not used of a list is 0, at its end: no day is.
 */
export type DayList = Float64Array

/** More than the days since 1970, until 2149. */
const UNIT = 2 ** 16

/** `units` are whole. */
export const joinUnits = (day: number, units: number) => day + units * UNIT
export const dayIn = (joined: number) => joined % UNIT
export const unitsIn = (joined: number) => Math.floor(joined / UNIT)
/** What to add to an entry's first number for more units. */
export const moreUnits = (units: number) => units * UNIT

/** Where the last entry is over, of a list that begins at `first`. */
export function endOfDays(list: DayList, first: number, fields: number): number {
  let end = list.length
  while (end > first && list[end - fields] === 0) end -= fields
  return end
}

/** The list with room for a few days more. */
export function withRoom(list: DayList, fields: number, days = 4): DayList {
  const larger = new Float64Array(list.length + days * fields)
  larger.set(list)
  return larger
}
