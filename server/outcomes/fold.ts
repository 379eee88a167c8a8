import { FILE_KINDS } from "#sdk/file-kind.ts"
import type { ChangeEvent, CommitEvent, FileKinds, StateEvent } from "./events.ts"

/** A pull or merge request and what became of it. Times are ISO 8601 in UTC; null is what nobody said yet. */
export interface Change {
  readonly branch: string
  /** Its commits as far as they were told of, and the one it was merged as; sorted. */
  readonly commitIds: readonly string[]
  readonly openedAt: string
  /** When its first commit was made, or it was opened if that was before. */
  readonly begunAt: string
  /** Who made its commits, as `Identify` has them; sorted. Whoever merged it is none of them. */
  readonly authors: readonly string[]
  readonly firstReviewAt: string | null
  readonly approvedAt: string | null
  readonly reviews: number
  /** How often something was pushed after it was opened. */
  readonly rounds: number
  /** When a check or a pipeline first passed on one of its commits. */
  readonly checkedAt: string | null
  readonly failedChecks: number
  readonly closedAt: string | null
  readonly mergedAt: string | null
  /** When one of its commits first was in production. */
  readonly deployedAt: string | null
  /** When it was first taken back, after it was merged. */
  readonly revertedAt: string | null
  /** Since when it stands again, since what took it back was taken back itself; null while it does not. */
  readonly restoredAt: string | null
  /** When it was first closed without being merged; it may have been opened again. */
  readonly abandonedAt: string | null
  readonly linesAdded: number | null
  readonly linesRemoved: number | null
  readonly filesChanged: number | null
  readonly fileKinds: FileKinds
  /** Tokens of the operations that its commits and its description name; sorted. */
  readonly operations: readonly string[]
}

/** What states of a change say of where else to look for it. */
export function identityOfChange(states: readonly StateEvent[]) {
  const ordered = states.toSorted(byTime)
  const last = ordered.at(-1)
  if (last === undefined) return null
  const heads = new Set(ordered.flatMap(({ headCommit }) => (headCommit === null ? [] : [headCommit])))
  const mergeCommit = ordered.findLast((state) => state.mergeCommit !== null)?.mergeCommit ?? null
  return {
    branch: last.branch,
    openedAt: earliest(ordered.map((state) => state.openedAt)) ?? last.openedAt,
    closedAt: closedAtOf(ordered),
    heads,
    knownCommits: mergeCommit === null ? [...heads] : [...heads, mergeCommit],
  }
}

/**
 * A change from everything that is known of it. The order of the events means nothing; each may be there more than once.
 *
 * `commits` were pushed to its branch while it was its own, or are commits that its states name. `reverting` says to take
 * the change or one of its commits back, or to take that back.
 */
export function foldChange(given: {
  readonly states: readonly StateEvent[]
  readonly commits: readonly CommitEvent[]
  /** Reviews of it; checks and deployments of its commits. */
  readonly others: readonly ChangeEvent[]
  readonly reverting: readonly ChangeEvent[]
  /** The number of the other change that a commit is of. */
  readonly changeOf: ReadonlyMap<string, number>
}): Change | null {
  const identity = identityOfChange(given.states)
  if (identity === null) return null
  const states = given.states.toSorted(byTime)
  const last = <T>(of: (state: StateEvent) => T | null): T | null =>
    states.reduce<T | null>((known, state) => of(state) ?? known, null)
  const commits = new Map(given.commits.map((commit) => [commit.commitId, commit]))
  const commitIds = new Set([...identity.knownCommits, ...commits.keys()])
  const own = given.commits.filter(({ isDefault }) => !isDefault)

  const others = unique(given.others)
  const reviews = others.flatMap((event) => (event.kind === "review" ? [event] : []))
  const checks = others.flatMap((event) => (event.kind === "check" ? [event] : []))
  const timesOf = (events: readonly ChangeEvent[]) => events.map((event) => event.at)
  const mergedAt = earliest(states.flatMap((state) => state.mergedAt ?? []))
  const number = states[0]?.number ?? 0
  const changeOf = new Map([...given.changeOf, ...[...commitIds].map((commit) => [commit, number] as const)])
  const { revertedAt, restoredAt } = standingOf(`#${number}`, actsOf(given.reverting, changeOf))
  return {
    branch: identity.branch,
    commitIds: [...commitIds].toSorted(),
    openedAt: identity.openedAt,
    begunAt: earliest([identity.openedAt, ...own.flatMap(({ madeAt }) => madeAt ?? [])]) ?? identity.openedAt,
    authors: [...new Set(own.flatMap(({ author }) => author ?? []))].toSorted(),
    firstReviewAt: earliest(timesOf(reviews)),
    approvedAt: earliest(timesOf(reviews.filter(({ verdict }) => verdict === "approved"))),
    reviews: reviews.length,
    rounds: Math.max(0, identity.heads.size - 1),
    checkedAt: earliest(timesOf(checks.filter(({ conclusion }) => conclusion === "passed"))),
    failedChecks: checks.filter(({ conclusion }) => conclusion === "failed").length,
    closedAt: identity.closedAt,
    mergedAt,
    deployedAt: earliest(timesOf(others.filter((event) => event.kind === "deployment" && event.isProduction))),
    revertedAt: mergedAt === null ? null : revertedAt,
    restoredAt: mergedAt === null ? null : restoredAt,
    abandonedAt: earliest(states.flatMap((state) => (state.mergedAt === null ? (state.closedAt ?? []) : []))),
    linesAdded: last((state) => state.linesAdded),
    linesRemoved: last((state) => state.linesRemoved),
    filesChanged: last((state) => state.filesChanged),
    fileKinds: sumKinds([...commits.values()]),
    operations: [
      ...new Set([...states, ...commits.values()].flatMap(({ operations }: { operations: string[] }) => operations)),
    ].toSorted(),
  }
}

/** What takes something back. Changes go by `#7`, commits that are of none by their id. */
interface Act {
  readonly at: string
  readonly of: ReadonlySet<string>
}

/** A change and its commits are one act, however many events tell of it. */
function actsOf(events: readonly ChangeEvent[], changeOf: ReadonlyMap<string, number>): ReadonlyMap<string, Act> {
  const keyOf = (commit: string) => {
    const number = changeOf.get(commit)
    return number === undefined ? commit : `#${number}`
  }
  const acts = new Map<string, Act>()
  for (const event of events) {
    if (event.kind !== "commit" && event.kind !== "state") continue
    const at = event.kind === "state" ? event.mergedAt : event.isDefault ? event.at : null
    if (at === null) continue
    const key = event.kind === "state" ? `#${event.number}` : keyOf(event.commitId)
    const numbers = event.kind === "state" ? event.revertsNumbers.map((number) => `#${number}`) : []
    const before = acts.get(key)
    // What its own branch took back before the merge is no part of it.
    const of = [...(before?.of ?? []), ...event.reverts.map(keyOf), ...numbers].filter((target) => target !== key)
    acts.set(key, { at: earliest([at, before?.at ?? at]) ?? at, of: new Set(of) })
  }
  return acts
}

/** When it was first taken back, and since when it stands again. Which comes first is not asked: clocks differ. */
function standingOf(self: string, acts: ReadonlyMap<string, Act>) {
  const against = (key: string) => [...acts].filter(([, { of }]) => of.has(key))
  const isInForce = (key: string, asked: ReadonlySet<string>): boolean =>
    !against(key).some(([other]) => !asked.has(other) && isInForce(other, new Set([...asked, other])))
  const takenBack = against(self)
  const undone = takenBack.map(([key]) => {
    const inForce = against(key).filter(([other]) => other !== self && isInForce(other, new Set([self, key, other])))
    return earliest(inForce.map(([, { at }]) => at))
  })
  const isStanding = undone.every((at) => at !== null)
  return {
    revertedAt: earliest(takenBack.map(([, { at }]) => at)),
    restoredAt: isStanding ? (undone.toSorted().at(-1) ?? null) : null,
  }
}

/** Of states of one second the closed one is the later. */
function byTime(a: StateEvent, b: StateEvent): number {
  const [keyOfA, keyOfB] = [a, b].map((state) => [state.at, state.closedAt ?? "", JSON.stringify(state)].join(" "))
  return (keyOfA ?? "") < (keyOfB ?? "") ? -1 : 1
}

/** Since when it has been closed for good, as far as is known: the first word of it since it was last open. */
function closedAtOf(ordered: readonly StateEvent[]): string | null {
  const lastOpen = ordered.findLastIndex(({ closedAt }) => closedAt === null)
  return earliest(ordered.slice(lastOpen + 1).flatMap(({ closedAt }) => closedAt ?? []))
}

function earliest(times: readonly string[]): string | null {
  return times.toSorted()[0] ?? null
}

function unique(events: readonly ChangeEvent[]): readonly ChangeEvent[] {
  return [...new Map(events.map((event) => [JSON.stringify(event), event])).values()]
}

function sumKinds(commits: readonly CommitEvent[]): FileKinds {
  const sum = { source: 0, test: 0, docs: 0, generated: 0, lock_file: 0 }
  for (const { files } of commits) for (const kind of FILE_KINDS) sum[kind] += files[kind] ?? 0
  return sum
}
