import { createHash } from "node:crypto"
import { streamGit } from "../git.ts"
import type { Commit, Step } from "./history.ts"
import { isSaying, matchMoved, type Owners, removedFrom, replaceLines, toText } from "./lines.ts"
import { type Objects, openObjects } from "./objects.ts"
import { type CommitPatch, type FilePatch, readPatches } from "./patches.ts"

/**
 * Follows the lines of agent work through a history, in one pass: of every file that has such lines it is known whose each
 * line is, in each commit that others are still to be made of. Only what changed is read.
 */

const DAY_MS = 86_400_000
export const POINTS = ["merge", "1d", "7d", "14d", "30d"] as const
type Point = (typeof POINTS)[number]
const DAYS: Record<Point, number> = { merge: 0, "1d": 1, "7d": 7, "14d": 14, "30d": 30 }

/** How many of the lines that an operation brought to the default branch were there at a time after that. */
export interface SurvivalCount {
  /** Its token. */
  readonly operation: string
  /** The commit of the default branch that brought the lines. */
  readonly commit: string
  readonly after: Point
  /** Milliseconds since the epoch. */
  readonly at: number
  /** That its commits added, without those that it took away again itself before they were merged. */
  readonly lines: number
  readonly standing: number
  /** Since when all of its commits were taken back, in milliseconds since the epoch; null while they stood. */
  readonly revertedAt: number | null
}

/** Commits that a rebase brought one by one have the same moment. */
const SAME_LANDING_MS = 60_000

interface Options {
  readonly folder: string
  readonly steps: readonly Step[]
  /** Of files that programs write. */
  readonly isWritten: (path: string) => boolean
  /** Milliseconds since the epoch; what is later is not counted yet. */
  readonly now: number
}

/** Counts at every point that has come, in the order of the points. */
export async function countSurvival({ folder, steps, isWritten, now }: Options): Promise<readonly SurvivalCount[]> {
  const objects = openObjects(folder)
  const replay = new Replay(steps, objects, isWritten)
  const args = ["-c", "core.quotePath=false", "diff-tree", "--stdin", "--always", "--root", "--no-renames", "-r", "-p"]
  // Pairs of commit and parent, so that a merge is what it brings.
  const input = replay.patched.map(({ id, parents: [parent = ""] }) => `${id} ${parent}`.trimEnd() + "\n").join("")
  const diff = streamGit(folder, [...args, "-U0", "-w", "--no-ext-diff", "--no-textconv"], input)
  const patches = readPatches(diff)
  try {
    for (const step of steps) {
      replay.goOn(step.at)
      for (const commit of step.brought) await replay.replay(commit, patches)
      await replay.replay(step.commit, patches)
      replay.land(step, now)
    }
    replay.goOn(now + 1)
    return replay.counts
  } finally {
    await patches.return(undefined)
    objects.close()
  }
}

type Files = Map<string, Owners>

/** Of a commit while it is followed; `number` is what its lines are marked with. */
interface Followed {
  readonly commit: Commit
  readonly number: number
  /** Of the step that it is on the default branch since; steps of one landing have the last one's. */
  readonly landing: number
  /** Lines that it added, without its operation's own drafts. */
  lines: number
  /** Of these, how many the default branch has now. */
  standing: number
  /** Milliseconds since the epoch; null while it stands. */
  takenBackAt: number | null
  /** What it says to take back, in words or by doing the opposite. */
  takesBack: readonly Followed[]
  /** Lines that it took away, by what they say: they come back when it is taken back. */
  readonly gone: Map<string, Gone[]>
}

interface Gone {
  readonly owner: Followed
  /** An agent's draft, which nobody was shown. */
  readonly isDraft: boolean
}

class Replay {
  readonly counts: SurvivalCount[] = []
  /** Commits whose patch is read, in the order in which they are replayed. */
  readonly patched: readonly Commit[]
  readonly #objects: Objects
  readonly #isWritten: (path: string) => boolean
  /** By number, from 1. */
  readonly #followed: (Followed | null)[] = [null]
  readonly #byId = new Map<string, Followed>()
  /** What a merge brought, to be taken back with it. */
  readonly #brought = new Map<string, readonly Commit[]>()
  readonly #childrenLeft = new Map<string, number>()
  readonly #states = new Map<string, Files>()
  /** The latest commit that does what the digest is of. */
  readonly #byDigest = new Map<string, Followed>()
  readonly #own: ReadonlySet<string>
  readonly #landings = new Map<number, Followed[]>()
  /** Of the step that is replayed. */
  #at = 0
  #due: { at: number; after: Point; step: Step; group: readonly Followed[] }[] = []

  constructor(steps: readonly Step[], objects: Objects, isWritten: (path: string) => boolean) {
    this.#objects = objects
    this.#isWritten = isWritten
    this.#own = new Set(steps.map(({ commit }) => commit.id))
    const landings = landingsOf(steps)
    const patched: Commit[] = []
    for (const [index, { commit, brought }] of steps.entries()) {
      if (brought.length > 0) this.#brought.set(commit.id, brought)
      for (const one of [...brought, commit]) {
        this.#follow(one, landings[index] ?? index)
        for (const parent of one.parents) this.#childrenLeft.set(parent, (this.#childrenLeft.get(parent) ?? 0) + 1)
        if (one.parents.length < 2 || one === commit) patched.push(one)
      }
    }
    this.patched = patched
  }

  #follow(commit: Commit, landing: number): void {
    const followed: Followed = {
      commit,
      number: this.#followed.length,
      landing,
      lines: 0,
      standing: 0,
      takenBackAt: null,
      takesBack: [],
      gone: new Map(),
    }
    this.#followed.push(followed)
    this.#byId.set(commit.id, followed)
    if (commit.operations.length === 0) return
    const group = this.#landings.get(landing)
    if (group === undefined) this.#landings.set(landing, [followed])
    else group.push(followed)
  }

  /** Goes on to `at`, when it is noted how things stood for all that was to be looked at before. */
  goOn(at: number): void {
    this.#at = at
    for (const { at: dueAt, after, step, group } of this.#due.filter((due) => due.at < at)) {
      this.#count(step, group, after, dueAt)
    }
    this.#due = this.#due.filter((due) => due.at >= at)
  }

  /** The step is part of the default branch now. */
  land({ commit, brought, at }: Step, now: number): void {
    const followed = this.#byId.get(commit.id)
    const group = this.#landings.get(followed?.landing ?? -1)
    if (followed === undefined || group === undefined || !this.#isLastOfLanding(followed)) return
    const step = { commit, brought, at }
    // Another commit of the same rebase may still come.
    if (at + SAME_LANDING_MS > now) return
    for (const after of POINTS) {
      const dueAt = at + DAYS[after] * DAY_MS
      if (after === "merge") this.#count(step, group, after, dueAt)
      else if (dueAt <= now) this.#due.push({ at: dueAt, after, step, group })
    }
  }

  #isLastOfLanding({ number, landing }: Followed): boolean {
    return this.#followed[number + 1]?.landing !== landing
  }

  #count({ commit }: Step, group: readonly Followed[], after: Point, at: number): void {
    const byOperation = new Map<string, Followed[]>()
    for (const one of group) {
      for (const operation of one.commit.operations) {
        const own = byOperation.get(operation)
        if (own === undefined) byOperation.set(operation, [one])
        else own.push(one)
      }
    }
    for (const [operation, own] of byOperation) {
      const sum = (of: (one: Followed) => number) => own.reduce((total, one) => total + of(one), 0)
      const lines = sum((one) => one.lines)
      if (lines === 0) continue
      const takenBack = own.flatMap((one) => (one.lines === 0 ? [] : one.takenBackAt))
      const revertedAt = takenBack.reduce<number | null>(
        (last, one) => (last === null || one === null ? null : Math.max(last, one)),
        0,
      )
      const standing = Math.min(
        lines,
        sum((one) => one.standing),
      )
      this.counts.push({ operation, commit: commit.id, after, at, lines, standing, revertedAt })
    }
  }

  async replay(commit: Commit, patches: AsyncGenerator<CommitPatch>): Promise<void> {
    const followed = this.#byId.get(commit.id)
    if (followed === undefined) return
    const isOwn = this.#own.has(commit.id)
    let patch: CommitPatch | null = null
    if (commit.parents.length < 2 || isOwn) {
      const read = await patches.next()
      if (read.done === true || read.value.commit !== commit.id) throw new Error("git diff-tree left a commit out")
      patch = read.value
    }
    const before = this.#states.get(commit.parents[0] ?? "") ?? new Map<string, Owners>()
    const takesBack = this.#findTakenBack(followed, patch)
    const changed =
      commit.parents.length < 2
        ? this.#change(followed, before, patch?.files ?? [], takesBack)
        : await this.#merge(commit, patch)

    if (isOwn) {
      for (const [path, owners] of changed) {
        for (const owner of before.get(path) ?? []) this.#stand(owner, -1)
        for (const owner of owners ?? []) this.#stand(owner, 1)
      }
    }
    const state = this.#release(commit, before)
    for (const [path, owners] of changed) {
      if (owners === null) state.delete(path)
      else state.set(path, owners)
    }
    if ((this.#childrenLeft.get(commit.id) ?? 0) > 0) this.#states.set(commit.id, state)
  }

  #stand(owner: number, by: 1 | -1): void {
    const followed = this.#followed[owner]
    if (followed) followed.standing += by
  }

  /** The files of its first parent, to be written to; those of parents that nobody else needs are let go of. */
  #release(commit: Commit, before: Files): Files {
    let isShared = false
    for (const [index, parent] of commit.parents.entries()) {
      const left = (this.#childrenLeft.get(parent) ?? 1) - 1
      this.#childrenLeft.set(parent, left)
      if (left === 0) this.#states.delete(parent)
      else if (index === 0) isShared = true
    }
    return isShared ? new Map(before) : before
  }

  /** Commits that this one takes back; they are so from now on, and stand again when this one is taken back. */
  #findTakenBack(followed: Followed, patch: CommitPatch | null): readonly Followed[] {
    const { commit, landing } = followed
    const digests = patch === null ? null : digestsOf(patch.files)
    const undone = digests === null ? undefined : this.#byDigest.get(digests.backward)
    if (digests !== null) this.#byDigest.set(digests.forward, followed)
    const said = commit.reverts.flatMap((id) => this.#byId.get(id) ?? [])
    const earlier = said.filter(({ number }) => number < followed.number)
    const found = (earlier.length > 0 ? earlier : undone === undefined ? [] : [undone]).flatMap((one) => {
      const brought = this.#brought.get(one.commit.id) ?? []
      return [one, ...brought.flatMap(({ id }) => this.#byId.get(id) ?? [])]
    })
    followed.takesBack = found.filter((one) => one.number < followed.number)
    // What a branch took back before it was merged was never there.
    for (const one of followed.takesBack) if (one.landing !== landing) setTakenBack(one, true, this.#at)
    return followed.takesBack
  }

  /** Files whose lines have other owners after the commit. */
  #change(
    followed: Followed,
    before: Files,
    files: readonly FilePatch[],
    takesBack: readonly Followed[],
  ): ReadonlyMap<string, Owners | null> {
    const changed = new Map<string, Owners | null>()
    const isWork = followed.commit.operations.length > 0
    if (!isWork && takesBack.length === 0 && !files.some(({ path }) => before.has(path))) return changed

    const removed: { text: string; hunk: number; owner: number }[] = []
    const added: { text: string; hunk: number; owners: Owners; at: number }[] = []
    const open: { file: FilePatch; owners: (Owners | undefined)[] }[] = []
    let hunkNumber = 0
    for (const file of files) {
      const old = before.get(file.path)
      if (file.isOpaque) {
        if (old !== undefined) changed.set(file.path, null)
        continue
      }
      const isWritten = this.#isWritten(file.path)
      const owners = file.hunks.map((hunk) => {
        hunkNumber++
        const from = removedFrom(hunk)
        for (const [index, line] of hunk.removed.entries()) {
          const owner = old?.[from + index] ?? 0
          // Whose it is matters only where there is agent work; what an agent moved is not its work.
          if ((owner !== 0 || isWork) && isSaying(line)) removed.push({ text: toText(line), hunk: hunkNumber, owner })
        }
        if (isWritten || hunk.added.length === 0) return undefined
        const own = new Int32Array(hunk.added.length)
        for (const [at, line] of hunk.added.entries()) {
          if (isSaying(line)) added.push({ text: toText(line), hunk: hunkNumber, owners: own, at })
        }
        return own
      })
      open.push({ file, owners })
    }

    const from = matchMoved(removed, added)
    const isMoved = new Uint8Array(removed.length)
    const backAgain = new Returning(takesBack)
    for (const [index, { text, owners, at }] of added.entries()) {
      const place = from[index] ?? -1
      if (place >= 0) {
        isMoved[place] = 1
        owners[at] = removed[place]?.owner ?? 0
        continue
      }
      const returned = backAgain.take(text)
      if (returned !== undefined) {
        owners[at] = returned.owner.number
        if (returned.isDraft) returned.owner.lines++
      } else if (isWork) {
        owners[at] = followed.number
        followed.lines++
      }
    }
    for (const [index, { text, owner }] of removed.entries()) {
      if (owner !== 0 && isMoved[index] === 0) this.#takeAway(followed, owner, text)
    }
    for (const { file, owners } of open) {
      const old = before.get(file.path)
      const after = replaceLines(old, file.hunks, owners)
      if (old !== undefined || after !== null) changed.set(file.path, after)
    }
    return changed
  }

  #takeAway(by: Followed, owner: number, text: string): void {
    const of = this.#followed[owner]
    if (!of) return
    const isOwn = of.commit.operations.some((one) => by.commit.operations.includes(one))
    const gone = { owner: of, isDraft: isOwn && of.landing === by.landing && of.lines > 0 }
    if (gone.isDraft) of.lines--
    const others = by.gone.get(text)
    if (others === undefined) by.gone.set(text, [gone])
    else others.push(gone)
  }

  /** Files whose lines have other owners than at the merge's first parent. */
  async #merge(commit: Commit, patch: CommitPatch | null): Promise<ReadonlyMap<string, Owners | null>> {
    const changed = new Map<string, Owners | null>()
    const states = commit.parents.map((parent) => this.#states.get(parent) ?? new Map<string, Owners>())
    const [first = new Map<string, Owners>()] = states
    // What is as at the first parent needs no look; what is not there may be called otherwise.
    const isChanged = patch === null ? null : new Set(patch.files.map(({ path }) => path))
    const paths = new Set<string>()
    for (const state of states.slice(1)) {
      for (const [path, owners] of state) if (first.get(path) !== owners) paths.add(path)
      for (const path of first.keys()) if (!state.has(path)) paths.add(path)
    }
    const candidates = [...paths].filter((path) => isChanged === null || isChanged.has(path) || !first.has(path))
    if (candidates.length === 0) return changed

    const ids = await this.#objects.idsOf(candidates.map((path) => `${commit.id}:${path}`))
    const missing = new Set(candidates.filter((_, index) => ids[index] === null))
    /** Of each parent, what it calls the paths that are called otherwise in the merge. */
    const names = commit.parents.map((parent, index) => {
      const isNeeded = [...missing].some((path) => states[index]?.has(path) === true)
      const renames = isNeeded ? this.#objects.renamesBetween(parent, commit.id) : new Map<string, string>()
      return new Map([...renames].flatMap(([before, after]) => (missing.has(before) ? [[after, before] as const] : [])))
    })
    for (const path of missing) if (first.has(path)) changed.set(path, null)
    const present = candidates.filter((path) => !missing.has(path))
    const merged = [...new Set([...present, ...names.flatMap((of) => [...of.keys()])])]
    const sources = merged.map((path) =>
      commit.parents.map((parent, index) => {
        const name = names[index]?.get(path) ?? path
        return { name, object: `${parent}:${name}`, owners: states[index]?.get(name) }
      }),
    )
    const found = await this.#objects.idsOf(
      merged.flatMap((path, at) => [`${commit.id}:${path}`, ...(sources[at] ?? []).map(({ object }) => object)]),
    )
    const mixed: { path: string; id: string; from: readonly (Source & { id: string | null })[] }[] = []
    for (const [at, path] of merged.entries()) {
      const [id = null, ...ofParents] = found.slice(
        at * (commit.parents.length + 1),
        (at + 1) * (commit.parents.length + 1),
      )
      const from = (sources[at] ?? []).map((source, index) => ({ ...source, id: ofParents[index] ?? null }))
      const whole = from.find((source) => source.id === id)
      if (id !== null && whole === undefined) mixed.push({ path, id, from })
      else if (whole?.owners !== undefined || first.has(path)) changed.set(path, whole?.owners ?? null)
    }
    const hunks = commit.parents.map((parent, index) => {
      if (index === 0 && patch !== null) return new Map(patch.files.map((file) => [file.path, file.hunks]))
      const paths = mixed.flatMap(({ path, from }) => {
        const source = from[index]
        return source?.owners !== undefined && source.id !== null && source.name === path ? [path] : []
      })
      return this.#objects.hunksOfPaths(parent, commit.id, paths)
    })
    for (const { path, id, from } of mixed) {
      const owners = mergeOwners(
        from.map((source, index) => {
          if (source.owners === undefined || source.id === null) return null
          const isSame = source.name === path
          const between = isSame ? (hunks[index]?.get(path) ?? []) : this.#objects.hunksBetween(source.id, id)
          return replaceLines(source.owners, between, [])
        }),
      )
      if (owners !== null || first.has(path)) changed.set(path, owners)
    }
    return changed
  }
}

/** Where a file of a merge is from. */
interface Source {
  /** What the parent calls it. */
  readonly name: string
  readonly owners: Owners | undefined
}

/** Each line is of whoever's it is to the first parent that it is anyone's to. */
function mergeOwners(all: readonly (Owners | null)[]): Owners | null {
  const merged = new Int32Array(Math.max(0, ...all.map((owners) => owners?.length ?? 0)))
  for (const owners of all) for (const [line, owner] of (owners ?? []).entries()) merged[line] ||= owner
  return merged.some((owner) => owner !== 0) ? merged : null
}

/** Of each step, the one that its work is counted as brought by: what a rebase brought at once is brought by its last. */
function landingsOf(steps: readonly Step[]): readonly number[] {
  const landings = steps.map((_, index) => index)
  for (let index = steps.length - 2; index >= 0; index--) {
    const [step, next] = [steps[index], steps[index + 1]]
    if (step === undefined || next === undefined || step.brought.length + next.brought.length > 0) continue
    const isSame = step.commit.operations.join(" ") === next.commit.operations.join(" ")
    const isAtOnce = next.at - step.at < SAME_LANDING_MS
    if (isSame && isAtOnce && step.commit.operations.length > 0) landings[index] = landings[index + 1] ?? index
  }
  return landings
}

function setTakenBack(one: Followed, isTakenBack: boolean, at: number): void {
  one.takenBackAt = isTakenBack ? at : null
  for (const other of one.takesBack) {
    if (other.landing !== one.landing) setTakenBack(other, !isTakenBack, at)
  }
}

/** Lines that come back with what took them away; each once. */
class Returning {
  readonly #left = new Map<string, Gone[]>()

  constructor(takesBack: readonly Followed[]) {
    for (const { gone } of takesBack) {
      for (const [text, lines] of gone) this.#left.set(text, [...(this.#left.get(text) ?? []), ...lines])
    }
  }

  take(text: string): Gone | undefined {
    return this.#left.get(text)?.shift()
  }
}

/** Digests of what a commit does, and of its opposite; null of one that does nothing to lines. */
function digestsOf(files: readonly FilePatch[]): { readonly forward: string; readonly backward: string } | null {
  const [forward, backward] = [createHash("sha256"), createHash("sha256")]
  let isEmpty = true
  for (const { path, hunks } of files) {
    if (hunks.length === 0) continue
    isEmpty = false
    const removed = `\n-${hunks.flatMap((hunk) => hunk.removed).join("\n")}`
    const added = `\n+${hunks.flatMap((hunk) => hunk.added).join("\n")}`
    forward.update(`${path}\0${removed}\0${added}\0`, "latin1")
    backward.update(`${path}\0\n-${added.slice(2)}\0\n+${removed.slice(2)}\0`, "latin1")
  }
  return isEmpty ? null : { forward: forward.digest("hex"), backward: backward.digest("hex") }
}
