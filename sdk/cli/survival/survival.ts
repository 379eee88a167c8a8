import { parseArgs } from "node:util"
import { parseToken } from "../../token.ts"
import { askGit, git } from "../git.ts"
import { type Host, readSettings } from "../home.ts"
import { print } from "../print.ts"
import { isWritten, readMarked } from "../review-gate/changed-files.ts"
import { readSteps, type Step } from "./history.ts"
import { countSurvival, POINTS, type SurvivalCount } from "./replay.ts"

/** As long as the last point is away, and a month in which nobody ran this. */
const SINCE_DAYS = 60
const DAY_MS = 86_400_000
/** As many as Belay takes at once. */
const AT_ONCE = 1000
const TIMEOUT_MS = 30_000

/**
 * `belay survival`: how many of the lines that agents brought to the default branch are still there at the merge and 1, 7,
 * 14 and 30 days after it. Only counts are sent. Resolves to the exit code; rejects where it cannot be said.
 */
export async function runSurvival(args: readonly string[], host: Host): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      branch: { type: "string" },
      since: { type: "string" },
      "dry-run": { type: "boolean", default: false },
      json: { type: "boolean", default: false },
    },
  })
  const since = values.since === undefined ? host.now() - SINCE_DAYS * DAY_MS : Date.parse(values.since)
  if (Number.isNaN(since)) throw new Error("--since is no day: 2026-11-01")
  const { endpoint, key } = readSettings(host)
  const target = endpoint === undefined || key === undefined ? null : { endpoint, key }
  if (target === null && !values["dry-run"]) {
    throw new Error("where to? Set BELAY_ENDPOINT and BELAY_INGEST_KEY, or see what would be sent with --dry-run")
  }
  const branch = values.branch ?? defaultBranch(host)
  const counts = await readCounts(host, branch, since)
  const outcomes = counts === null ? [] : toOutcomes(counts)
  if (values.json) print([JSON.stringify({ outcomes })])
  else if (counts === null)
    print([`No commit of ${branch} since then has a trailer Belay-Operation: nothing to count.`])
  else print(countLines(branch, counts))
  if (target === null || values["dry-run"] || outcomes.length === 0) return 0
  const { taken, known } = await send(target, outcomes)
  if (!values.json) print([`${taken} sent, ${known} known already`])
  return 0
}

/** Null where no commit says that it is an agent's work. */
async function readCounts(host: Host, branch: string, since: number): Promise<readonly SurvivalCount[] | null> {
  const { cwd: folder } = host
  const isShallow = askGit(folder, ["rev-parse", "--is-shallow-repository"])
  if (isShallow === null) throw new Error("this is no git repository")
  if (isShallow === "true") {
    throw new Error(
      "this clone has no whole history: git fetch --unshallow, in CI fetch-depth: 0 (GitHub) or GIT_DEPTH: 0 (GitLab)",
    )
  }
  if (askGit(folder, ["rev-parse", "--verify", "--quiet", `${branch}^{commit}`]) === null) {
    throw new Error(`there is no ${branch}: fetch it, or say another with --branch`)
  }
  const before = new Date(since).toISOString()
  const base = git(folder, ["rev-list", "--first-parent", "-1", `--before=${before}`, branch, "--"]).trim()
  const steps = await readSteps(folder, branch, base === "" ? null : base)
  const first = steps.findIndex(isWork)
  if (first < 0) return null
  const work = steps.slice(first)
  return countSurvival({ folder, steps: work, isWritten: writtenIn(folder, work), now: host.now() })
}

function isWork({ commit, brought }: Step): boolean {
  return [commit, ...brought].some(({ operations }) => operations.length > 0)
}

/** What is written by programs, as the repository says of the files that agents worked on, and as paths say. */
function writtenIn(folder: string, steps: readonly Step[]): (path: string) => boolean {
  const commits = steps.flatMap(({ commit, brought }) => [...brought, commit])
  const ids = commits.filter(({ operations }) => operations.length > 0).map(({ id }) => `${id}\n`)
  const names = git(folder, ["diff-tree", "--stdin", "--root", "--no-commit-id", "--name-only", "-r", "-z"], {
    input: ids.join(""),
  })
  const marked = readMarked(folder, [...new Set(names.split("\0").filter((path) => path !== ""))])
  const byBytes = new Map([...marked].map(([path, is]) => [Buffer.from(path, "utf8").toString("latin1"), is]))
  return (path) => byBytes.get(path) ?? isWritten(path)
}

/** As the clone or CI says, else by the names that are usual. */
function defaultBranch({ cwd, env }: Host): string {
  const said = askGit(cwd, ["symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD"])
  const named = [env["CI_DEFAULT_BRANCH"], "main", "master"].filter((name) => name !== undefined && name !== "")
  const names = [said ?? "", ...named.map((name) => `origin/${name}`), ...named.map((name) => `${name}`)]
  const found = names.find(
    (name) => name !== "" && askGit(cwd, ["rev-parse", "--verify", "--quiet", `${name}^{commit}`]) !== null,
  )
  return found ?? "main"
}

interface ReportedSurvival {
  /** The same whenever it is counted anew, so that Belay takes it once. */
  readonly id: string
  readonly operation: string
  readonly outcome: "survived"
  readonly at: string
  readonly survival: Pick<SurvivalCount, "after" | "commit" | "lines" | "standing"> & {
    readonly revertedAt: string | null
  }
}

function toOutcomes(counts: readonly SurvivalCount[]): readonly ReportedSurvival[] {
  return counts.map(({ operation, commit, after, at, lines, standing, revertedAt }) => ({
    id: `survival:${commit}:${parseToken(operation)?.operationId ?? ""}:${after}`,
    operation,
    outcome: "survived",
    at: new Date(at).toISOString(),
    survival: {
      after,
      commit,
      lines,
      standing,
      revertedAt: revertedAt === null ? null : new Date(revertedAt).toISOString(),
    },
  }))
}

/** Rejects with what a person can do when Belay does not take it; what was taken before that is known the next time. */
async function send(
  { endpoint, key }: { readonly endpoint: string; readonly key: string },
  outcomes: readonly ReportedSurvival[],
): Promise<{ readonly taken: number; readonly known: number }> {
  const url = `${new URL(endpoint).href.replace(/\/$/, "")}/v1/outcomes`
  const sum = { taken: 0, known: 0 }
  for (let from = 0; from < outcomes.length; from += AT_ONCE) {
    const body = JSON.stringify({ outcomes: outcomes.slice(from, from + AT_ONCE) })
    const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" }
    const response = await fetch(url, { method: "POST", headers, body, signal: AbortSignal.timeout(TIMEOUT_MS) })
    const answer = (await response.json().catch(() => ({}))) as Record<string, unknown>
    if (!response.ok) {
      const why = typeof answer["message"] === "string" ? `: ${answer["message"]}` : ""
      throw new Error(`${url} answered ${response.status}${why}; run it again, what was taken counts once`)
    }
    sum.taken += Number(answer["taken"] ?? 0)
    sum.known += Number(answer["known"] ?? 0)
  }
  return sum
}

function countLines(branch: string, counts: readonly SurvivalCount[]): readonly string[] {
  const operations = new Set(counts.map(({ operation }) => operation)).size
  return [
    `${branch}: ${operations} operation${operations === 1 ? "" : "s"} that added lines`,
    ...POINTS.flatMap((after) => {
      const own = counts.filter((count) => count.after === after)
      if (own.length === 0) return []
      const [lines, standing] = [own.map((one) => one.lines), own.map((one) => one.standing)].map((numbers) =>
        numbers.reduce((total, number) => total + number, 0),
      )
      const reverted = own.filter(({ revertedAt }) => revertedAt !== null).length
      const when = after === "merge" ? "at the merge" : `${after.slice(0, -1)} day${after === "1d" ? "" : "s"} after it`
      return `  ${when}: ${standing} of ${lines} lines stand, ${reverted} of ${own.length} taken back`
    }),
  ]
}
