import fc from "fast-check"
import { expect, test } from "vitest"
import { type ChangeEvent, type CommitEvent, countKinds, type StateEvent } from "./events.ts"
import { foldChange } from "./fold.ts"

const [HEAD, SECOND, MERGE] = ["a".repeat(40), "c".repeat(40), "b".repeat(40)]
const at = (hour: number) => `2026-11-10T${String(hour).padStart(2, "0")}:00:00.000Z`

function aState(hour: number, fields: Partial<StateEvent> = {}): StateEvent {
  return {
    kind: "state",
    repository: "acme/shop",
    number: 7,
    at: at(hour),
    openedAt: at(1),
    closedAt: null,
    mergedAt: null,
    branch: "branch",
    headCommit: HEAD,
    mergeCommit: null,
    linesAdded: hour,
    linesRemoved: null,
    filesChanged: null,
    operations: [],
    revertsNumbers: [],
    reverts: [],
    ...fields,
  }
}

function aCommit(hour: number, fields: Partial<CommitEvent> = {}): CommitEvent {
  return {
    kind: "commit",
    repository: "acme/shop",
    commitId: HEAD,
    at: at(hour),
    madeAt: null,
    author: null,
    branch: "branch",
    isDefault: false,
    operations: [],
    reverts: [],
    files: countKinds(["src/a.ts"]),
    ...fields,
  }
}

const merged = aState(9, { closedAt: at(9), mergedAt: at(9), headCommit: SECOND, mergeCommit: MERGE })
const STATES = [aState(1), aState(3, { closedAt: at(3) }), aState(4), aState(5, { headCommit: SECOND }), merged]
const COMMITS = [
  aCommit(1, { operations: ["blo1~2~one"], madeAt: at(0), author: "ada" }),
  // As it was stored before it was asked who made it.
  aCommit(1, { operations: ["blo1~2~one"] }),
  aCommit(5, { commitId: SECOND, madeAt: at(4), author: "ada" }),
  // Whoever merged it is not its author.
  aCommit(9, { commitId: MERGE, isDefault: true, author: "bob" }),
]
const OTHERS: ChangeEvent[] = [
  { kind: "review", repository: "acme/shop", number: 7, at: at(6), verdict: "changes_requested" },
  { kind: "review", repository: "acme/shop", number: 7, at: at(8), verdict: "approved" },
  { kind: "check", repository: "acme/shop", commitId: HEAD, at: at(2), conclusion: "failed" },
  { kind: "check", repository: "acme/shop", commitId: SECOND, at: at(7), conclusion: "passed" },
  { kind: "deployment", repository: "acme/shop", commitId: MERGE, at: at(10), isProduction: true },
]
const REVERTING = [
  aCommit(12, { commitId: "d".repeat(40), isDefault: true, reverts: [MERGE] }),
  aState(11, { number: 8, mergedAt: at(11), closedAt: at(11), revertsNumbers: [7] }),
]
const ALL = {
  states: STATES,
  commits: COMMITS,
  others: OTHERS,
  reverting: REVERTING,
  changeOf: new Map<string, number>(),
}

test("a change is what all that was said of it says", () => {
  expect(foldChange(ALL)).toEqual({
    branch: "branch",
    commitIds: [HEAD, MERGE, SECOND].toSorted(),
    openedAt: at(1),
    begunAt: at(0),
    authors: ["ada"],
    firstReviewAt: at(6),
    approvedAt: at(8),
    reviews: 2,
    rounds: 1,
    checkedAt: at(7),
    failedChecks: 1,
    closedAt: at(9),
    mergedAt: at(9),
    deployedAt: at(10),
    revertedAt: at(11),
    restoredAt: null,
    abandonedAt: at(3),
    linesAdded: 9,
    linesRemoved: null,
    filesChanged: null,
    fileKinds: { source: 3, test: 0, docs: 0, generated: 0, lock_file: 0 },
    operations: ["blo1~2~one"],
  })
  expect(foldChange({ ...ALL, states: [] })).toBeNull()
})

test("in any order, and however often each is said, it is the same change", () => {
  const wanted = foldChange(ALL)
  const shuffled = <T>(events: readonly T[]) =>
    fc
      .array(fc.constantFrom(...events), { maxLength: 3 })
      .chain((again) => fc.shuffledSubarray([...events, ...again], { minLength: events.length + again.length }))
  const given = fc.record({
    states: shuffled(STATES),
    commits: shuffled(COMMITS),
    others: shuffled(OTHERS),
    reverting: shuffled<ChangeEvent>(REVERTING),
    changeOf: fc.constant(ALL.changeOf),
  })
  fc.assert(
    fc.property(given, (events) => {
      expect(foldChange(events)).toEqual(wanted)
    }),
  )
})

test("what its own branch took back, another branch did, or a change that is not merged says, reverts nothing", () => {
  const reverts = [MERGE, HEAD]
  const own = aCommit(8, { isDefault: true, reverts })
  const elsewhere = aCommit(12, { commitId: "d".repeat(40), reverts })
  const open = aState(11, { number: 8, revertsNumbers: [7] })
  expect(foldChange({ ...ALL, reverting: [own, elsewhere, open] })?.revertedAt).toBeNull()
  const unmerged = { ...ALL, states: STATES.filter((state) => state !== merged) }
  expect(foldChange(unmerged)).toMatchObject({ mergedAt: null, revertedAt: null, closedAt: null })
})

test("it stands again when all that took it back was taken back, and no more when that was too", () => {
  const [first, second] = ["d".repeat(40), "e".repeat(40)]
  const reapply = aCommit(14, { commitId: second, isDefault: true, reverts: [first] })
  const reverted = (reverting: readonly ChangeEvent[], changeOf: readonly [string, number][] = []) => {
    const change = foldChange({ ...ALL, reverting, changeOf: new Map(changeOf) })
    return [change?.revertedAt, change?.restoredAt]
  }
  // The change #8 was not taken back, unless the commit is its own.
  expect(reverted([...REVERTING, reapply])).toEqual([at(11), null])
  expect(reverted([...REVERTING, reapply], [[first, 8]])).toEqual([at(11), at(14)])
  const again = aState(15, { number: 9, mergedAt: at(15), closedAt: at(15), revertsNumbers: [8] })
  expect(reverted([...REVERTING, reapply, again])).toEqual([at(11), at(15)])
  const third = aCommit(16, { commitId: "f".repeat(40), isDefault: true, reverts: [second] })
  expect(reverted([...REVERTING, reapply, third], [[first, 8]])).toEqual([at(11), null])
  const anew = aCommit(17, { commitId: "9".repeat(40), isDefault: true, reverts: [MERGE] })
  expect(reverted([...REVERTING, reapply, anew], [[first, 8]])).toEqual([at(11), null])
  // Two that take each other back stand as little as they make sense.
  const circle = aCommit(18, { commitId: first, isDefault: true, reverts: [second, MERGE] })
  expect(reverted([circle, reapply])).toHaveLength(2)
})
