import { operationsIn, revertsIn } from "../../commit-message.ts"
import { streamGit } from "../git.ts"

/** A commit of the default branch or of what was merged into it, as far as survival goes by it. */
export interface Commit {
  readonly id: string
  readonly parents: readonly string[]
  /** Milliseconds since the epoch, of its committer. */
  readonly at: number
  /** Tokens of the operations whose work it is. */
  readonly operations: readonly string[]
  /** Commits that its message says to take back. */
  readonly reverts: readonly string[]
}

/** A step of the default branch itself, and the commits that came with it: none, unless it is a merge. */
export interface Step {
  readonly commit: Commit
  /** Parents before children. */
  readonly brought: readonly Commit[]
  /** When the branch was at this commit: no earlier than at the one before, whatever clocks said. */
  readonly at: number
}

/** The default branch since `base`, the oldest step first; from its beginning where that is null. */
export async function readSteps(folder: string, branch: string, base: string | null): Promise<readonly Step[]> {
  const range = base === null ? [branch] : [`${base}..${branch}`]
  const args = ["-c", "log.showSignature=false", "log", "-z", "--topo-order", "--reverse", "--format=%H%n%P%n%ct%n%B"]
  const commits = new Map<string, Commit>()
  let rest = ""
  const take = (text: string) => {
    const commit = parseCommit(text)
    if (commit !== null) commits.set(commit.id, commit)
  }
  for await (const chunk of streamGit(folder, [...args, ...range, "--"], "")) {
    const texts = (rest + chunk).split("\0")
    rest = texts.pop() ?? ""
    texts.forEach(take)
  }
  take(rest)
  return toSteps(commits)
}

function parseCommit(text: string): Commit | null {
  const [id = "", parents = "", seconds = "", ...message] = text.split("\n")
  if (id === "") return null
  const body = message.join("\n")
  return {
    id,
    parents: parents.split(" ").filter((parent) => parent !== ""),
    at: Number(seconds) * 1000,
    operations: operationsIn(body),
    reverts: revertsIn(body),
  }
}

/** `commits` have parents before children, so the newest is the last of the branch's own. */
function toSteps(commits: ReadonlyMap<string, Commit>): readonly Step[] {
  const own: Commit[] = []
  const order = new Map([...commits.keys()].map((id, index) => [id, index]))
  for (let at = [...commits.values()].at(-1); at !== undefined; at = commits.get(at.parents[0] ?? "")) own.push(at)
  own.reverse()

  const landed = new Set<string>()
  let at = 0
  return own.map((commit) => {
    landed.add(commit.id)
    const brought: Commit[] = []
    const open = commit.parents.slice(1)
    for (let id = open.pop(); id !== undefined; id = open.pop()) {
      const found = commits.get(id)
      if (found === undefined || landed.has(id)) continue
      landed.add(id)
      brought.push(found)
      open.push(...found.parents)
    }
    brought.sort((a, b) => (order.get(a.id) ?? 0) - (order.get(b.id) ?? 0))
    at = Math.max(at, commit.at)
    return { commit, brought: brought.map((one) => inherit(one, commit)), at }
  })
}

/** What a merge says of all that it brings holds for those of its commits that say nothing themselves. */
function inherit(commit: Commit, merge: Commit): Commit {
  if (commit.operations.length > 0 || commit.parents.length > 1) return commit
  return { ...commit, operations: merge.operations }
}
