import { execFileSync } from "node:child_process"
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { expect, test as base, vi } from "vitest"
import { parseToken } from "../../token.ts"
import type { Host } from "../home.ts"
import { PAYLOADS } from "../hook/payloads.ts"
import { runHook } from "../hook/run-hook.ts"
import { runTrailer } from "./trailer.ts"

vi.setConfig({ testTimeout: 60_000 })

/** When the first commit was made. */
const STARTED_AT = Date.parse("2026-11-20T12:00:00Z")

const test = base.extend("repository", ({}, { onCleanup }) => {
  const folder = realpathSync(mkdtempSync(path.join(tmpdir(), "belay-trailer-")))
  onCleanup(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
  const home = path.join(folder, "home")
  const work = path.join(folder, "work")
  mkdirSync(work)
  let now = STARTED_AT
  const run = (cwd: string, program: string, ...args: readonly string[]) => {
    const date = `${Math.floor(now / 1000)} +0000`
    const who = [
      "GIT_AUTHOR_NAME=Ada",
      "GIT_AUTHOR_EMAIL=a@example.com",
      "GIT_COMMITTER_NAME=Ada",
      "GIT_COMMITTER_EMAIL=a@example.com",
    ]
    const env = [...who, `GIT_AUTHOR_DATE=${date}`, `GIT_COMMITTER_DATE=${date}`, "GIT_CONFIG_GLOBAL=/dev/null"]
    return execFileSync("env", [...env, program, ...args], { cwd, stdio: ["ignore", "pipe", "pipe"] })
      .toString()
      .trim()
  }
  const git = (...args: readonly string[]) => run(work, "git", ...args)
  git("init", "--quiet", "--initial-branch=main")
  git("commit", "--quiet", "--allow-empty", "--message", "Begin")
  const host: Host = { env: {}, home, cwd: work, platform: "linux", now: () => now }
  return {
    work,
    host,
    git,
    run,
    later: (seconds = 60) => (now += seconds * 1000),
    hook: (tool: string, payload: object) =>
      runHook({
        tool,
        read: () => JSON.stringify(payload),
        decide: () => null,
        unavailable: () => null,
        host,
        version: "0.0.0",
      }),
    setUp: (...args: readonly string[]) => {
      const spy = vi.spyOn(process.stdout, "write").mockReturnValue(true)
      try {
        return runTrailer(args, host)
      } finally {
        spy.mockRestore()
      }
    },
    /** A commit of something, as `args` say; what its trailers are. */
    commit: (...args: readonly string[]) => {
      writeFileSync(path.join(work, "file"), String(now + Math.random()))
      git("add", "file")
      git("commit", "--quiet", ...args)
      return git("log", "-1", "--format=%(trailers:key=Belay-Operation,valueonly)").split("\n").filter(Boolean)
    },
  }
})

const edited = (cwd: string) => ({ ...PAYLOADS["claude-code"].edited, cwd })

test("a commit after an agent's edit says whose work it is, once, and the next one without does not", async ({
  repository,
}) => {
  const { work, commit, hook, later, setUp, git } = repository
  await hook("claude-code", edited(work))
  expect(existsSync(path.join(work, ".git/belay"))).toBe(false)
  setUp()
  expect(setUp()).toBe(0)
  later()
  expect(commit("-m", "Nobody's that is known")).toEqual([])
  later()
  await hook("claude-code", edited(work))
  const note = path.join(work, ".git/belay/.git")
  expect(statSync(note).mode & 0o777).toBe(0o600)
  expect(readFileSync(note, "utf8")).not.toContain(work)
  later()
  const [token, ...more] = commit("-m", "Work")
  const { prompt_id: operationId, session_id: sessionId } = PAYLOADS["claude-code"].edited
  expect([parseToken(token), more]).toEqual([{ rung: "agent", operationId, sessionId }, []])
  expect(git("log", "-1", "--format=%B")).toBe(`Work\n\nBelay-Operation: ${token}`)
  later()
  expect(commit("-m", "A person's own")).toEqual([])
  // About to commit once more, as it says itself.
  const { preToolUse } = PAYLOADS["claude-code"]
  await hook("claude-code", { ...preToolUse, cwd: work, tool_input: { command: "git add . && git commit -m x" } })
  expect(commit("--no-verify", "-m", "More\n\nReviewed-by: Bob")).toEqual([token])
  expect(git("log", "-1", "--format=%B")).toContain(`Reviewed-by: Bob\nBelay-Operation: ${token}`)
  await hook("claude-code", edited(work))
  expect(commit("-m", "Told already\n\nBelay-Operation: blo1~2~other")).toEqual(["blo1~2~other"])
})

test("what is no new work keeps its message, and a message that is given up stays given up", async ({ repository }) => {
  const { work, commit, hook, later, setUp, git, run } = repository
  setUp()
  later()
  await hook("cursor", { ...PAYLOADS.cursor.edited, workspace_roots: [work] })
  expect(commit("-m", "fixup! Begin")).toEqual([])
  later()
  await hook("cursor", { ...PAYLOADS.cursor.edited, workspace_roots: [work] })
  later()
  const [token] = commit("-m", "Work")
  expect(parseToken(token)).toMatchObject({ operationId: PAYLOADS.cursor.edited.generation_id })
  git("switch", "--quiet", "-c", "other", "main~1")
  later()
  await hook("cursor", { ...PAYLOADS.cursor.edited, workspace_roots: [work] })
  git("merge", "--quiet", "--no-ff", "--message", "Merge", "--strategy-option", "theirs", "main")
  expect(git("log", "-1", "--format=%B")).toBe("Merge")
  await hook("cursor", { ...PAYLOADS.cursor.edited, workspace_roots: [work] })
  git("revert", "--no-edit", "main")
  expect(git("log", "-1", "--format=%B")).not.toContain("Belay-Operation")
  // An editor that is closed without a word, and one in which somebody writes.
  await hook("cursor", { ...PAYLOADS.cursor.edited, workspace_roots: [work] })
  expect(() => run(work, "env", "GIT_EDITOR=true", "git", "commit", "--allow-empty")).toThrow(/empty commit message/)
  run(work, "env", "GIT_EDITOR=sh -c 'echo Written >>\"$0\"'", "git", "commit", "--quiet", "--allow-empty")
  expect(git("log", "-1", "--format=%B")).toBe(`Written\n\nBelay-Operation: ${token}`)
})

test("hooks that are there go on working, wherever they are, and are as before once it is removed", async ({
  repository,
}) => {
  const { work, commit, hook, setUp, git, later } = repository
  const hooks = path.join(work, ".githooks")
  mkdirSync(hooks)
  git("config", "core.hooksPath", ".githooks")
  const own = '#!/usr/bin/env bash\nset -eu\necho "Checked-by: hook" >>"$1"\nexit 0\n'
  writeFileSync(path.join(hooks, "commit-msg"), own, { mode: 0o755 })
  setUp()
  expect(existsSync(path.join(work, ".git/hooks/commit-msg"))).toBe(false)
  later()
  await hook("codex", { ...PAYLOADS.codex.edited, cwd: work })
  const [token] = commit("-m", "Work")
  expect(parseToken(token)).toMatchObject({ operationId: PAYLOADS.codex.edited.turn_id })
  expect(git("log", "-1", "--format=%B")).toContain("Checked-by: hook")
  setUp("--remove")
  expect(readFileSync(path.join(hooks, "commit-msg"), "utf8")).toBe(own)
  expect([existsSync(path.join(hooks, "prepare-commit-msg")), existsSync(path.join(work, ".git/belay"))]).toEqual([
    false,
    false,
  ])
  expect(setUp("--remove")).toBe(0)
  const python = "#!/usr/bin/env python3\n"
  writeFileSync(path.join(hooks, "commit-msg"), python)
  expect(() => setUp()).toThrow(/no shell script/)
  expect(readFileSync(path.join(hooks, "commit-msg"), "utf8")).toBe(python)
  expect(existsSync(path.join(hooks, "prepare-commit-msg"))).toBe(false)
})

test("each worktree has its own work under way", async ({ repository }) => {
  const { work, hook, setUp, git, run, later, host } = repository
  setUp()
  const tree = path.join(path.dirname(work), "tree")
  git("worktree", "add", "--quiet", tree)
  later()
  await hook("claude-code", edited(tree))
  later()
  git("commit", "--quiet", "--allow-empty", "--message", "Elsewhere")
  expect(git("log", "-1", "--format=%B")).toBe("Elsewhere")
  run(tree, "git", "commit", "--quiet", "--allow-empty", "--message", "There")
  expect(run(tree, "git", "log", "-1", "--format=%B")).toContain("There\n\nBelay-Operation: blo1~2~")
  expect(() => runTrailer([], { ...host, cwd: tmpdir() })).toThrow("no git repository")
})
