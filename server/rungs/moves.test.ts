import fc from "fast-check"
import { expect, test } from "vitest"
import { type Rung, RUNGS } from "#sdk/ladder.ts"
import { type Disruption, findMoves, MOVE_CLASSES, positionOf, type RungWork, standingsOf } from "./moves.ts"

/** A Monday. */
const MONDAY = 20_405
const PARAMETERS = { seed: 7, numRuns: 300 }

const work = fc.record({
  day: fc.integer({ min: MONDAY, max: MONDAY + 60 }),
  rung: fc.constantFrom(...RUNGS),
  operations: fc.integer({ min: 0, max: 6 }),
  accepted: fc.integer({ min: 0, max: 3 }),
})
/** Seasons at one rung with stray work between: falls and recoveries are frequent. */
const seasons = fc
  .array(fc.record({ rung: fc.constantFrom(...RUNGS), days: fc.integer({ min: 1, max: 14 }) }), { maxLength: 6 })
  .map((parts) => {
    let day = MONDAY
    return parts.flatMap(({ rung, days }) => Array.from({ length: days }, () => worked(day++, rung)))
  })
const history = fc.tuple(seasons, fc.array(work, { maxLength: 40 })).map((parts) => parts.flat())
const disruptions = fc.array(
  fc.record({
    kind: fc.constantFrom("new_team" as const, "policy_change" as const, "outage" as const, "client_upgrade" as const),
    from: fc.integer({ min: MONDAY, max: MONDAY + 60 }),
    to: fc.integer({ min: MONDAY, max: MONDAY + 60 }),
  }),
  { maxLength: 2 },
)

function worked(day: number, rung: Rung, operations = 3): RungWork {
  return { day, rung, operations, accepted: operations }
}

/** Working days from a Monday on. */
function workingDays(from: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => from + Math.floor(index / 5) * 7 + (index % 5))
}

const numberOf = (rung: Rung | null) => (rung === null ? 0 : RUNGS.indexOf(rung) + 1)

test.each<[Rung, number, number, Rung | null]>([
  ["autocomplete", 9, 0, null],
  ["autocomplete", 1, 1, "autocomplete"],
  ["chat", 2, 0, null],
  ["chat", 3, 0, "chat"],
  ["chat", 1, 1, "chat"],
  ["agent", 1, 0, "agent"],
  ["orchestration", 1, 0, "orchestration"],
  ["orchestration", 0, 0, null],
])("%s with %i operations, %i accepted, is a day at %s", (rung, operations, accepted, expected) => {
  expect(positionOf([{ rung, operations, accepted }])).toBe(expected)
})

test("the operating rung needs six active days, and is the highest that four of the last ten reach", () => {
  const days = workingDays(MONDAY, 10)
  const standings = standingsOf(days.map((day, index) => worked(day, index % 3 === 0 ? "orchestration" : "agent")))
  expect(standings.map(({ operating }) => operating)).toEqual([
    ...Array.from({ length: 5 }, () => null),
    "agent",
    "orchestration",
    "agent",
    "agent",
    "orchestration",
  ])
})

test("the centre of gravity weighs operations by the hours that they stand for", () => {
  const [standing] = standingsOf([worked(MONDAY, "autocomplete", 60), worked(MONDAY, "orchestration", 1)])
  expect(standing?.gravity).toBeCloseTo((1 * 1 + 4 * 3) / 4)
})

/** Three weeks at orchestration, and what comes after. */
function fall(after: readonly RungWork[], happened: readonly Disruption[] = []) {
  const before = workingDays(MONDAY, 15).flatMap((day) => [worked(day, "orchestration", 1), worked(day, "agent", 2)])
  return findMoves([...before, ...after], happened)
}
const LATER = workingDays(MONDAY + 21, 10)

test("who does single tasks instead of runs has fallen back of their own will, and recovers", () => {
  const backAt = workingDays(MONDAY + 35, 10)
  const moves = fall([
    ...LATER.map((day) => worked(day, "agent", 5)),
    ...backAt.map((day) => worked(day, "orchestration")),
  ])
  // Seven of the last ten days without; then four with.
  const [fell, rose] = [LATER[6] ?? 0, backAt[3] ?? 0]
  expect(moves).toEqual([
    {
      day: fell,
      from: "orchestration",
      to: "agent",
      class: "voluntary_fall_back",
      forcedBy: [],
      recoveredAfterDays: null,
    },
    { day: rose, from: "agent", to: "orchestration", class: "recovery", forcedBy: [], recoveredAfterDays: rose - fell },
  ])
})

test("who does less than half of everything has disengaged", () => {
  expect(fall(LATER.map((day) => worked(day, "chat"))).at(-1)).toMatchObject({ to: "chat", class: "disengagement" })
})

test.each(["new_team", "policy_change", "outage", "client_upgrade"] as const)(
  "a fall with a %s in its window is forced, and one long after it is not",
  (kind) => {
    const after = LATER.map((day) => worked(day, "agent", 5))
    const during = { kind, from: MONDAY + 20, to: MONDAY + 22 }
    expect(fall(after, [during])).toMatchObject([{ class: "forced", forcedBy: [kind] }])
    const longBefore = { kind, from: MONDAY, to: MONDAY + 3 }
    expect(fall(after, [longBefore])).toMatchObject([{ class: "voluntary_fall_back", forcedBy: [] }])
  },
)

test("a fall after a week away is forced by the absence; after four working days it is not", () => {
  const away = (days: number) => fall(LATER.map((day) => worked(day + days, "agent", 5)))
  expect(away(7)).toMatchObject([{ class: "forced", forcedBy: ["absence"] }])
  const untilFriday = workingDays(MONDAY + 28, 10).map((day) => worked(day, "agent", 5))
  expect(fall([worked(MONDAY + 21, "agent", 5), ...untilFriday])).toMatchObject([{ class: "voluntary_fall_back" }])
})

test("days without activity move nobody", () => {
  fc.assert(
    fc.property(
      history,
      disruptions,
      fc.array(fc.integer({ min: MONDAY - 30, max: MONDAY + 90 })),
      (days, context, idle) => {
        const nothing = idle.map((day): RungWork => ({ day, rung: "agent", operations: 0, accepted: 0 }))
        expect(findMoves([...days, ...nothing], context)).toEqual(findMoves(days, context))
        expect(standingsOf([...days, ...nothing])).toEqual(standingsOf(days))
      },
    ),
    PARAMETERS,
  )
})

test("work added at a rung never takes the operating rung below that rung, or below what it was", () => {
  fc.assert(
    fc.property(history, work, (days, extra) => {
      const added = { ...extra, operations: extra.operations + 3, accepted: extra.accepted + 1 }
      const after = new Map(standingsOf([...days, added]).map(({ day, operating }) => [day, operating]))
      for (const { day, operating } of standingsOf(days)) {
        const floor = Math.min(numberOf(operating), numberOf(added.rung))
        expect(numberOf(after.get(day) ?? null)).toBeGreaterThanOrEqual(floor)
      }
    }),
    PARAMETERS,
  )
})

test("every move starts where the last ended, is of one class that fits its direction, and a recovery follows a fall", () => {
  const seen = new Set<string>()
  fc.assert(
    fc.property(history, disruptions, (days, context) => {
      const moves = findMoves(days, context)
      for (const [index, move] of moves.entries()) {
        seen.add(move.class)
        const before = moves.slice(0, index)
        expect(move.from).toBe(index === 0 ? move.from : before.at(-1)?.to)
        expect(move.day).toBeGreaterThan(before.at(-1)?.day ?? 0)
        const isDown = numberOf(move.to) < numberOf(move.from)
        expect(isDown).toBe(["voluntary_fall_back", "forced", "disengagement"].includes(move.class))
        expect(move.forcedBy.length > 0).toBe(move.class === "forced")
        expect(move.recoveredAfterDays !== null).toBe(move.class === "recovery")
        const left = before.find(
          (other) =>
            numberOf(other.from) > numberOf(move.from) &&
            numberOf(other.from) <= numberOf(move.to) &&
            numberOf(other.to) < numberOf(other.from) &&
            other.day + (move.recoveredAfterDays ?? 0) === move.day,
        )
        expect(left !== undefined).toBe(move.class === "recovery")
      }
    }),
    { ...PARAMETERS, numRuns: 1000 },
  )
  expect([...seen].toSorted()).toEqual([...MOVE_CLASSES].toSorted())
})

test("the order in which days come, and how their work is split, changes nothing", () => {
  const shuffled = history.chain((days) =>
    fc.tuple(fc.constant(days), fc.shuffledSubarray(days, { minLength: days.length })),
  )
  fc.assert(
    fc.property(shuffled, disruptions, ([days, mixed], context) => {
      const split = mixed.flatMap((part) => [
        { ...part, operations: part.operations > 0 ? 1 : 0, accepted: 0 },
        { ...part, operations: part.operations > 0 ? part.operations - 1 : 0 },
      ])
      expect(findMoves(split, context.toReversed())).toEqual(findMoves(days, context))
      expect(standingsOf(mixed)).toEqual(standingsOf(days))
    }),
    PARAMETERS,
  )
})
