import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { type Standing, step, type Timing, type Transition, type Verdict } from "./lifecycle.ts"

const MINUTE_MS = 60_000
const TIMING: Timing = {
  calmMs: 5 * MINUTE_MS,
  reopenMs: 30 * MINUTE_MS,
  remindMs: { page: 60 * MINUTE_MS, ticket: 24 * 60 * MINUTE_MS },
}
const PAGE: Verdict = { verdict: "firing", severity: "page" }
const TICKET: Verdict = { verdict: "firing", severity: "ticket" }
const CALM: Verdict = { verdict: "calm" }
const UNKNOWN: Verdict = { verdict: "unknown" }

interface Told {
  readonly standing: Standing | null
  readonly said: readonly string[]
  readonly alerts: number
}

/** What is said when these verdicts come at these minutes, somebody being told at once. */
function run(
  verdicts: readonly (readonly [minute: number, verdict: Verdict | ((before: Standing) => Standing)])[],
): Told {
  let standing: Standing | null = null
  let alerts = 0
  const said: string[] = []
  for (const [minute, verdict] of verdicts) {
    if (typeof verdict === "function") {
      standing = standing === null ? null : verdict(standing)
      continue
    }
    const stepped = step(standing, verdict, minute * MINUTE_MS, TIMING)
    if (stepped.isNew) alerts++
    standing = stepped.after
    if (standing !== null) standing = { ...standing, notifiedAt: standing.notifiedAt ?? minute * MINUTE_MS }
    said.push(...stepped.transitions.map((transition: Transition) => `${minute} ${transition}`))
  }
  return { standing, said, alerts }
}

const acknowledge = (before: Standing): Standing => ({ ...before, state: "acknowledged", acknowledgedAt: 1 })
const resolveByHand = (before: Standing): Standing => ({
  ...before,
  state: "resolved",
  resolvedAt: 2 * MINUTE_MS,
  isResolvedByHand: true,
})

describe("an alert", () => {
  test("opens once, and is over after it was calm for five minutes on end", () => {
    const { said } = run([
      [0, CALM],
      [1, PAGE],
      [2, PAGE],
      [3, CALM],
      [5, PAGE],
      [6, CALM],
      [10, CALM],
      [11, CALM],
    ])
    expect(said).toEqual(["1 opened", "11 resolved"])
  })

  test("is the same when it fires again within half an hour, and another later", () => {
    const { said, alerts, standing } = run([
      [0, TICKET],
      [1, CALM],
      [6, CALM],
      [20, TICKET],
      [21, CALM],
      [26, CALM],
      [56, TICKET],
    ])
    expect(said).toEqual(["0 opened", "6 resolved", "20 reopened", "26 resolved", "56 opened"])
    expect([alerts, standing?.reopened]).toEqual([2, 0])
  })

  test("is escalated from ticket to page, also when somebody had acknowledged it, and never back", () => {
    const { said, standing } = run([
      [0, TICKET],
      [1, acknowledge],
      [2, PAGE],
      [3, TICKET],
    ])
    expect(said).toEqual(["0 opened", "2 escalated"])
    expect(standing).toMatchObject({ state: "open", severity: "page", acknowledgedAt: null, pagedUntil: 2 * MINUTE_MS })
  })

  test("reminds whoever did not acknowledge, a page each hour", () => {
    const unattended = run([0, 30, 60, 61, 120].map((minute) => [minute, PAGE] as const))
    expect(unattended.said).toEqual(["0 opened", "60 reminded", "120 reminded"])
    const attended = run([
      [0, PAGE],
      [1, acknowledge],
      [600, PAGE],
    ])
    expect(attended.said).toEqual(["0 opened"])
  })

  test("is not resolved by silence, and says when it began and ended", () => {
    const { said, standing } = run([
      [0, PAGE],
      [1, UNKNOWN],
      [600, UNKNOWN],
      [601, CALM],
      [606, CALM],
    ])
    expect(said).toEqual(["0 opened", "1 data_lost", "601 data_back", "606 resolved"])
    expect(standing?.state).toBe("resolved")
  })

  test("that somebody resolved stays so until its rule was calm once", () => {
    const still = run([
      [0, PAGE],
      [2, resolveByHand],
      [3, PAGE],
      [100, PAGE],
    ])
    expect(still.said).toEqual(["0 opened"])
    const again = run([
      [0, PAGE],
      [2, resolveByHand],
      [3, PAGE],
      [4, CALM],
      [5, PAGE],
    ])
    expect(again.said).toEqual(["0 opened", "5 reopened"])
  })

  test("is over at once when its rule is gone", () => {
    expect(
      run([
        [0, PAGE],
        [1, { verdict: "gone" }],
      ]).said,
    ).toEqual(["0 opened", "1 resolved"])
  })

  test("whatever comes, it is opened before it is over, and told of no more often than it may be", () => {
    const verdict = fc.constantFrom(PAGE, TICKET, CALM, UNKNOWN)
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 1, max: 90 }), verdict), { maxLength: 60 }), (steps) => {
        let minute = 0
        const { said, alerts } = run(steps.map(([wait, one]) => [(minute += wait), one] as const))
        const kinds = said.map((line) => line.split(" ")[1])
        const begun = kinds.filter((kind) => kind === "opened" || kind === "reopened").length
        const over = kinds.filter((kind) => kind === "resolved").length
        expect(kinds.filter((kind) => kind === "opened")).toHaveLength(alerts)
        expect([0, 1]).toContain(begun - over)
      }),
    )
  })
})
