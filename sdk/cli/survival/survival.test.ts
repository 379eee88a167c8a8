import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { text } from "node:stream/consumers"
import { expect, onTestFinished, test as base, vi } from "vitest"
import type { Host } from "../home.ts"
import { countSurvival } from "./replay.ts"
import { readSteps } from "./history.ts"
import { runSurvival } from "./survival.ts"
import { createRepository, DAY_0, type TestRepository, tokenOf } from "./test-repository.ts"

vi.setConfig({ testTimeout: 60_000 })

const DAY_MS = 86_400_000

const test = base.extend("repository", ({}, { onCleanup }) => {
  const repository = createRepository()
  onCleanup(() => repository.remove())
  repository.write("src/old.ts", humanLines("old", 6))
  repository.commit("By a person")
  repository.day = 1
  return repository
})

const humanLines = (name: string, count: number) =>
  Array.from({ length: count }, (_, at) => `a person wrote line ${at} of ${name} by hand`)
const agentLines = (name: string, count: number, from = 0) =>
  Array.from({ length: count }, (_, at) => `an agent wrote line ${from + at} of ${name} for somebody`)

/** Of each operation `standing/lines` at each point that has come, with a star where it is taken back. */
async function survival(repository: TestRepository, day: number): Promise<Readonly<Record<string, string>>> {
  const counts = await countSurvival({
    folder: repository.folder,
    steps: await readSteps(repository.folder, "main", null),
    isWritten: (name) => name.endsWith(".gen.ts"),
    now: DAY_0 + day * DAY_MS,
  })
  const byOperation = Object.groupBy(counts, ({ operation }) => operation.split("~")[2] ?? "")
  return Object.fromEntries(
    Object.entries(byOperation).map(([operation, own = []]) => [
      operation,
      own
        .map(
          ({ after, standing, lines, revertedAt }) => `${after} ${standing}/${lines}${revertedAt === null ? "" : "*"}`,
        )
        .join(", "),
    ]),
  )
}

test("lines that say something stand until somebody changes them", async ({ repository }) => {
  const lines = agentLines("a", 7)
  const written = [...lines.slice(0, 3), "", "  }", ...lines.slice(3), "});", ""]
  repository.write("src/a.ts", written)
  repository.write("src/api.gen.ts", agentLines("api", 400))
  repository.commit("Work", "task-1")
  repository.day = 3
  repository.write("src/a.ts", ["// a person's", ...written.with(0, "changed by hand").with(1, "this one too")])
  repository.commit("Edit two, and put one before them")
  repository.day = 10
  repository.write("src/a.ts", ["// a person's", ...written.slice(2, -3)])
  repository.commit("Remove what is left of those, and one more")
  expect(await survival(repository, 40)).toEqual({ "task-1": "merge 7/7, 1d 7/7, 7d 5/7, 14d 4/7, 30d 4/7" })
  // What is not yet is not said.
  expect(await survival(repository, 8)).toEqual({ "task-1": "merge 7/7, 1d 7/7, 7d 5/7" })
  repository.git("rm", "--quiet", "src/a.ts")
  repository.day = 20
  repository.commit("Give it up")
  expect(await survival(repository, 40)).toEqual({ "task-1": "merge 7/7, 1d 7/7, 7d 5/7, 14d 4/7, 30d 0/7" })
})

test("moved, renamed and indented lines survive, and what an agent moves is not its work", async ({ repository }) => {
  const lines = agentLines("a", 6)
  repository.write("src/a.ts", lines)
  repository.git("mv", "src/old.ts", "lib.ts")
  repository.write("src/old.ts", [])
  repository.git("mv", "-f", "lib.ts", "src/moved by an agent.ts")
  repository.commit("Work", "task-1")
  repository.day = 2
  repository.git("mv", "src/a.ts", 'src/bé "b".ts')
  repository.commit("Rename")
  repository.day = 3
  repository.write('src/bé "b".ts', lines.slice(0, 3))
  repository.write("src/c.ts", ["import everything", ...lines.slice(3), ...humanLines("c", 2)])
  repository.commit("Move half of it elsewhere")
  repository.day = 5
  repository.write("src/c.ts", [
    "if (true) {",
    ...lines.slice(3).map((line) => `\t${line}`),
    "}",
    ...humanLines("c", 2),
  ])
  repository.commit("Indent")
  repository.day = 6
  repository.write("src/c.ts", [...humanLines("c", 2), ...lines.slice(3, 5)])
  repository.commit("Move within the file, without one")
  expect(await survival(repository, 40)).toEqual({ "task-1": "merge 6/6, 1d 6/6, 7d 5/6, 14d 5/6, 30d 5/6" })
})

test("a squash brings what was left; a rebase brings its commits at once, without an agent's drafts", async ({
  repository,
}) => {
  repository.git("switch", "--quiet", "-c", "squashed")
  repository.write("src/a.ts", agentLines("a", 10))
  repository.commit("One", "task-1")
  repository.write("src/a.ts", agentLines("a", 8))
  repository.commit("Two", "task-2")
  repository.git("switch", "--quiet", "main")
  repository.day = 2
  repository.git("merge", "--quiet", "--squash", "squashed")
  repository.commit("Squashed (#1)", "task-1", "task-2")

  repository.git("switch", "--quiet", "-c", "rebased", "main~1")
  repository.write("src/b.ts", agentLines("b", 5))
  repository.commit("Begin", "task-3")
  repository.write("src/b.ts", [...agentLines("b", 3), ...agentLines("b", 4, 10)])
  repository.commit("Go on: two were drafts", "task-3")
  repository.day = 4
  repository.git("rebase", "--quiet", "main")
  repository.git("switch", "--quiet", "main")
  repository.git("merge", "--quiet", "--ff-only", "rebased")
  repository.day = 6
  repository.write("src/b.ts", agentLines("b", 4, 10))
  repository.commit("The same task, when people had it: no draft", "task-3")
  expect(await survival(repository, 12)).toEqual({
    "task-1": "merge 8/8, 1d 8/8, 7d 8/8",
    "task-2": "merge 8/8, 1d 8/8, 7d 8/8",
    "task-3": "merge 7/7, 1d 7/7, 7d 4/7",
  })
})

test("a merge brings each commit's own lines, whatever the branch, the default branch and the merge itself did", async ({
  repository,
}) => {
  const shared = humanLines("shared", 12)
  repository.write("src/shared.ts", shared)
  repository.commit("By a person")
  repository.write("src/main.ts", agentLines("main", 5))
  repository.commit("Begin", "task-0")
  repository.git("switch", "--quiet", "-c", "work")
  repository.write("src/shared.ts", [...agentLines("shared", 4), ...shared])
  repository.write("src/new.ts", agentLines("new", 6))
  repository.commit("Work", "task-1")
  repository.write("src/new.ts", agentLines("new", 5))
  repository.commit("A person takes one away before anybody merges it")
  repository.write("src/other.ts", agentLines("other", 3))
  repository.commit("Other work", "task-2")
  repository.git("switch", "--quiet", "main")
  repository.day = 2
  repository.write("src/shared.ts", shared.with(11, "changed on the default branch"))
  repository.write("src/main.ts", agentLines("main", 4))
  repository.commit("Meanwhile")
  repository.git("switch", "--quiet", "work")
  repository.git("merge", "--quiet", "--no-edit", "main")
  repository.write("src/shared.ts", [...agentLines("shared", 3), ...shared.with(11, "changed on the default branch")])
  repository.commit("And one more of the first file")
  repository.git("switch", "--quiet", "main")
  repository.day = 4
  repository.git("merge", "--quiet", "--no-ff", "--no-edit", "work")
  expect(await survival(repository, 12)).toEqual({
    "task-0": "merge 5/5, 1d 4/5, 7d 4/5",
    "task-1": "merge 8/10, 1d 8/10, 7d 8/10",
    "task-2": "merge 3/3, 1d 3/3, 7d 3/3",
  })
})

test("a merge whose files both sides changed, renamed and took away", async ({ repository }) => {
  repository.write("src/a.ts", humanLines("a", 9))
  repository.write("src/b.ts", humanLines("b", 9))
  repository.commit("By a person")
  repository.write("src/a.ts", [...agentLines("a", 9), ...humanLines("a", 9)])
  repository.write("src/b.ts", [...agentLines("b", 9), ...humanLines("b", 9)])
  repository.commit("Begin", "task-0")
  repository.git("switch", "--quiet", "-c", "work")
  repository.day = 2
  repository.write("src/a.ts", [...agentLines("a", 8), ...humanLines("a", 9), ...agentLines("end of a", 3)])
  repository.write("src/b.ts", [...agentLines("b", 9), ...humanLines("b", 9), ...agentLines("end of b", 4)])
  repository.commit("Work", "task-1")
  repository.git("switch", "--quiet", "main")
  repository.write("src/a.ts", [...agentLines("a", 9).slice(2), ...humanLines("a", 9)])
  repository.git("mv", "src/b.ts", "src/renamed.ts")
  repository.commit("Meanwhile: two less, and a rename")
  repository.day = 3
  repository.git("merge", "--quiet", "--no-ff", "--no-edit", "work")
  // Without the first two of a, and since the merge without its last.
  expect(await survival(repository, 5)).toEqual({ "task-0": "merge 18/18, 1d 16/18", "task-1": "merge 7/7, 1d 7/7" })
  repository.git("switch", "--quiet", "-c", "other", "main~1")
  repository.day = 4
  repository.write("src/renamed.ts", [...humanLines("b", 9), ...humanLines("other", 3)])
  repository.commit("A person takes an agent's lines away")
  repository.git("switch", "--quiet", "main")
  repository.git("merge", "--quiet", "--no-ff", "--no-edit", "other", "--strategy-option", "theirs")
  expect(await survival(repository, 20)).toMatchObject({ "task-0": "merge 18/18, 1d 16/18, 7d 6/18, 14d 6/18" })
})

test("a revert takes back, the revert of a revert brings back, in words or by doing the opposite", async ({
  repository,
}) => {
  repository.write("src/a.ts", agentLines("a", 5))
  repository.commit("Work", "task-1")
  repository.write("src/b.ts", agentLines("b", 4))
  const second = repository.commit("Other work", "task-2")
  repository.write("src/b.ts", [...agentLines("b", 4), ...humanLines("b", 2)])
  repository.commit("A person goes on")
  repository.day = 3
  // In words, although more was changed.
  repository.write("src/b.ts", humanLines("b", 2))
  const revert = repository.commit(`Revert\n\nThis reverts commit ${second}.`)
  // By doing the opposite.
  repository.git("rm", "--quiet", "src/a.ts")
  repository.commit("Away with it")
  expect(await survival(repository, 10)).toEqual({
    "task-1": "merge 5/5, 1d 5/5, 7d 0/5*",
    "task-2": "merge 4/4, 1d 4/4, 7d 0/4*",
  })
  repository.day = 10
  repository.write("src/b.ts", [...humanLines("b", 3), ...agentLines("b", 4)])
  repository.commit(`Reapply\n\nThis reverts commit ${revert}.`)
  repository.write("src/a.ts", agentLines("a", 5))
  repository.commit("There it is again", "task-3")
  expect(await survival(repository, 40)).toEqual({
    "task-1": "merge 5/5, 1d 5/5, 7d 0/5*, 14d 5/5, 30d 5/5",
    "task-2": "merge 4/4, 1d 4/4, 7d 0/4*, 14d 4/4, 30d 4/4",
  })
})

test("what a merge or a squash brought is taken back with it; a branch's own reverts are nobody's loss of trust", async ({
  repository,
}) => {
  repository.git("switch", "--quiet", "-c", "work")
  repository.write("src/a.ts", agentLines("a", 5))
  const tried = repository.commit("Try", "task-1")
  repository.git("revert", "--no-edit", tried)
  repository.write("src/b.ts", agentLines("b", 3))
  repository.commit("Do", "task-1")
  repository.write("src/c.ts", agentLines("c", 3))
  repository.commit("By nobody that it says")
  repository.git("switch", "--quiet", "main")
  repository.day = 2
  repository.git("merge", "--quiet", "--no-ff", "--message", `Merge\n\nBelay-Operation: ${tokenOf("task-2")}`, "work")
  expect(await survival(repository, 3)).toEqual({ "task-1": "merge 3/8, 1d 3/8", "task-2": "merge 3/3, 1d 3/3" })
  repository.day = 4
  repository.git("revert", "--no-edit", "--mainline", "1", "HEAD")
  repository.day = 12
  repository.git("revert", "--no-edit", "HEAD")
  expect(await survival(repository, 20)).toEqual({
    "task-1": "merge 3/8, 1d 3/8, 7d 0/8*, 14d 3/8",
    "task-2": "merge 3/3, 1d 3/3, 7d 0/3*, 14d 3/3",
  })
})

test("over many commits and merges it agrees with git blame, which looks at each file anew", async ({ repository }) => {
  const random = seeded(11)
  const pick = (below: number) => Math.floor(random() * below)
  const names = ["a.ts", "b.ts", "dir/c.ts"]
  const files = new Map(names.map((name) => [name, humanLines(name, 30)]))
  const operationOf = new Map<string, string>()
  let number = 0
  const change = (name: string) => {
    const lines = [...(files.get(name) ?? [])]
    number++
    lines.splice(pick(lines.length), pick(4), ...agentLines(`${name} in ${number}`, pick(5)))
    files.set(name, lines)
    repository.write(name, lines)
    const operations = random() < 0.6 ? [`task-${number}`] : []
    const commit = repository.commit("Change", ...operations)
    for (const operation of operations) operationOf.set(commit, operation)
  }
  for (const [name, lines] of files) repository.write(name, lines)
  repository.commit("Begin")
  for (let round = 0; round < 12; round++) {
    repository.day++
    repository.git("switch", "--quiet", "-c", `work-${round}`)
    for (let step = pick(3); step >= 0; step--) change("a.ts")
    repository.git("switch", "--quiet", "main")
    for (let step = pick(3); step >= 0; step--) change(names[1 + pick(2)] ?? "")
    if (round % 3 === 0) {
      repository.git("switch", "--quiet", `work-${round}`)
      repository.git("merge", "--quiet", "--no-edit", "main")
      change("a.ts")
      change("b.ts")
      repository.git("switch", "--quiet", "main")
    }
    repository.git("merge", "--quiet", "--no-ff", "--no-edit", `work-${round}`)
  }
  const blamed = new Map<string, number>()
  for (const name of names) {
    for (const [, commit = ""] of repository
      .git("blame", "--porcelain", "-w", "main", "--", name)
      .matchAll(/^([0-9a-f]{40}) /gm)) {
      const operation = operationOf.get(commit)
      if (operation !== undefined) blamed.set(operation, (blamed.get(operation) ?? 0) + 1)
    }
  }
  const counted = new Map<string, number>()
  const last = await countSurvival({
    folder: repository.folder,
    steps: await readSteps(repository.folder, "main", null),
    isWritten: () => false,
    now: DAY_0 + 100 * DAY_MS,
  })
  for (const { operation, after, standing } of last) {
    if (after === "30d" && standing > 0) counted.set(operation.split("~")[2] ?? "", standing)
  }
  expect(counted.size).toBeGreaterThan(15)
  expect(counted).toEqual(blamed)
})

function seeded(seed: number): () => number {
  let state = seed
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647
}

const KEY = "blk_0123456789abcdefghijklmn"

/** What takes outcomes, each id once. */
async function startTaker() {
  const taken = new Map<string, Record<string, unknown>>()
  const bodies: string[] = []
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      bodies.push(body)
      const isOurs = request.url === "/v1/outcomes" && request.headers.authorization === `Bearer ${KEY}`
      if (!isOurs) return response.writeHead(401).end('{"message":"Send a key that works."}')
      const { outcomes } = JSON.parse(body) as { outcomes: { id: string }[] }
      const fresh = outcomes.filter(({ id }) => !taken.has(id))
      for (const outcome of fresh) taken.set(outcome.id, outcome)
      return response.end(JSON.stringify({ taken: fresh.length, known: outcomes.length - fresh.length }))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  onTestFinished(() => new Promise<void>((resolve) => server.close(() => resolve())))
  return { endpoint: `http://127.0.0.1:${port}`, taken, bodies }
}

/** What the command prints, and how it ends. */
async function run(args: readonly string[], host: Host): Promise<{ code: number; said: string }> {
  const said: string[] = []
  const spy = vi.spyOn(process.stdout, "write").mockImplementation((line) => said.push(String(line)) > 0)
  try {
    const code = await runSurvival(args, host)
    return { code, said: said.join("") }
  } finally {
    spy.mockRestore()
  }
}

function hostOf(repository: TestRepository, env: Host["env"], day = 10): Host {
  const { folder } = repository
  return { env, home: folder, cwd: folder, platform: "linux", now: () => DAY_0 + day * DAY_MS }
}

test("the command sends counts and ids alone, once however often it runs", async ({ repository }) => {
  const secret = "hunter2 the secret plan"
  repository.write("src/secret plan.ts", [...agentLines(secret, 3), "}"])
  repository.write("src/generated.ts", agentLines("generated", 50))
  repository.write(".gitattributes", ["src/generated.ts linguist-generated"])
  const commit = repository.commit(secret, "task-1")
  const { endpoint, taken, bodies } = await startTaker()
  const host = hostOf(repository, { BELAY_ENDPOINT: endpoint, BELAY_INGEST_KEY: KEY })
  const dry = await run(["--dry-run"], host)
  expect(dry).toEqual({
    code: 0,
    said: "main: 1 operation that added lines\n  at the merge: 4 of 4 lines stand, 0 of 1 taken back\n  1 day after it: 4 of 4 lines stand, 0 of 1 taken back\n  7 days after it: 4 of 4 lines stand, 0 of 1 taken back\n",
  })
  expect(bodies).toEqual([])
  expect((await run([], host)).said).toContain("3 sent, 0 known already")
  expect((await run(["--branch", "main"], host)).said).toContain("0 sent, 3 known already")
  expect(taken.get(`survival:${commit}:task-1:7d`)).toEqual({
    id: `survival:${commit}:task-1:7d`,
    operation: tokenOf("task-1"),
    outcome: "survived",
    at: new Date(DAY_0 + 8 * DAY_MS).toISOString(),
    survival: { after: "7d", commit, lines: 4, standing: 4, revertedAt: null },
  })
  for (const word of ["hunter2", "secret", "src/", "Ada", "example.com", "main"])
    expect(bodies.join("")).not.toContain(word)
  const json = JSON.parse((await run(["--json", "--dry-run"], host)).said) as { outcomes: { id: string }[] }
  expect(json.outcomes.map(({ id }) => id)).toEqual([...taken.keys()])
  const wrong = { BELAY_ENDPOINT: endpoint, BELAY_INGEST_KEY: "another" }
  await expect(run([], hostOf(repository, wrong))).rejects.toThrow("answered 401: Send a key that works.")
  await expect(run([], hostOf(repository, {}))).rejects.toThrow("BELAY_ENDPOINT")
})

test("what cannot be counted is said", async ({ repository }) => {
  const host = hostOf(repository, {})
  expect(await run(["--dry-run"], host)).toMatchObject({
    code: 0,
    said: expect.stringContaining("nothing to count") as string,
  })
  await expect(run(["--dry-run", "--branch", "nowhere"], host)).rejects.toThrow("there is no nowhere")
  await expect(run(["--dry-run", "--since", "yesterday"], host)).rejects.toThrow("--since")
  repository.write("src/a.ts", agentLines("a", 3))
  repository.commit("Work", "task-1")
  // Before the days that are looked at.
  expect((await run(["--dry-run"], hostOf(repository, {}, 100))).said).toContain("nothing to count")
  expect((await run(["--dry-run", "--since", "2026-08-01"], hostOf(repository, {}, 100))).said).toContain(
    "30 days after it: 3 of 3",
  )
  const clone = createRepository()
  onTestFinished(() => clone.remove())
  clone.git("fetch", "--quiet", "--depth", "1", `file://${repository.folder}`, "main:refs/remotes/origin/main")
  await expect(run(["--dry-run"], hostOf(clone, {}))).rejects.toThrow("fetch-depth: 0")
  await expect(run(["--dry-run"], { ...host, cwd: tmpdir() })).rejects.toThrow("no git repository")
})
