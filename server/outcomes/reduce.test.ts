import { hash } from "node:crypto"
import { expect, test } from "vitest"
import { readWebhook } from "../../test/code-host.ts"
import { fileKindOf } from "#sdk/file-kind.ts"
import { operationsIn, revertsIn } from "#sdk/commit-message.ts"
import { branchDigest } from "./events.ts"
import { reduceGithub } from "./github.ts"
import { reduceGitlab } from "./gitlab.ts"

const REPOSITORY = "acme/shop"
const [HEAD, MERGE, FIRST] = ["a".repeat(40), "b".repeat(40), "e".repeat(40)]
const TOKEN = "blo1~2~task-1~session-1"
const identify = (email: string) => hash("sha256", email, "hex")
const author = identify("mona@example.com")
const branch = branchDigest(REPOSITORY, "confidential-branch")
const STATE = { kind: "state", repository: REPOSITORY, number: 7, openedAt: "2026-11-10T09:00:00.000Z", branch }

const CASES = [
  [
    "github",
    "pull_request",
    "pull_request",
    [
      {
        ...STATE,
        at: "2026-11-10T09:00:00.000Z",
        closedAt: null,
        mergedAt: null,
        headCommit: HEAD,
        mergeCommit: null,
        linesAdded: 120,
        linesRemoved: 30,
        filesChanged: 6,
        operations: [TOKEN],
        revertsNumbers: [],
        reverts: [],
      },
    ],
  ],
  [
    "github",
    "pull_request_review",
    "pull_request_review",
    [{ kind: "review", repository: REPOSITORY, number: 7, at: "2026-11-10T11:00:00.000Z", verdict: "approved" }],
  ],
  [
    "github",
    "push",
    "push",
    [
      {
        kind: "commit",
        commitId: FIRST,
        madeAt: "2026-11-10T08:50:00.000Z",
        author,
        branch,
        isDefault: false,
        operations: [TOKEN],
        files: { source: 1, test: 1, docs: 0, generated: 0, lock_file: 1 },
      },
      { commitId: HEAD, operations: [], files: { source: 0, test: 0, docs: 1, generated: 1, lock_file: 0 } },
    ],
  ],
  [
    "github",
    "check_run",
    "check_run",
    [
      {
        kind: "check",
        repository: REPOSITORY,
        commitId: HEAD,
        at: "2026-11-10T09:05:00.000Z",
        conclusion: "failed",
      },
    ],
  ],
  ["github", "check_suite", "check_suite", [{ kind: "check", at: "2026-11-10T09:20:00.000Z", conclusion: "passed" }]],
  ["github", "workflow_run", "workflow_run", [{ kind: "check", at: "2026-11-10T09:21:00.000Z", conclusion: "passed" }]],
  [
    "github",
    "deployment_status",
    "deployment_status",
    [{ kind: "deployment", commitId: MERGE, at: "2026-11-10T14:00:00.000Z", isProduction: true }],
  ],
  [
    "gitlab",
    "Merge Request Hook",
    "merge_request",
    [
      {
        ...STATE,
        at: "2026-11-10T12:00:00.000Z",
        closedAt: "2026-11-10T12:00:00.000Z",
        mergedAt: "2026-11-10T12:00:00.000Z",
        headCommit: HEAD,
        mergeCommit: MERGE,
        operations: [TOKEN],
      },
    ],
  ],
  [
    "gitlab",
    "Note Hook",
    "note",
    [{ kind: "review", number: 7, at: "2026-11-10T10:00:00.000Z", verdict: "commented" }],
  ],
  [
    "gitlab",
    "Push Hook",
    "push",
    [
      {
        kind: "commit",
        commitId: HEAD,
        at: "2026-11-10T08:52:00.000Z",
        madeAt: "2026-11-10T08:52:00.000Z",
        author,
        isDefault: false,
        operations: [TOKEN],
        files: { source: 1, test: 1 },
      },
    ],
  ],
  [
    "gitlab",
    "Pipeline Hook",
    "pipeline",
    [{ kind: "check", commitId: HEAD, at: "2026-11-10T09:20:00.000Z", conclusion: "passed" }],
  ],
  [
    "gitlab",
    "Deployment Hook",
    "deployment",
    [{ kind: "deployment", commitId: MERGE, at: "2026-11-10T14:00:00.000Z", isProduction: true }],
  ],
] as const

test.each(CASES)("%s: %s says what matters and nothing of what people wrote", async (provider, event, file, wanted) => {
  const reduce = { github: reduceGithub, gitlab: reduceGitlab }[provider]
  const events = reduce(event, await readWebhook(`${provider}-${file}`), identify)
  expect(events).toMatchObject(wanted)
  expect(events).toHaveLength(wanted.length)
  expect(JSON.stringify(events)).not.toMatch(/confidential|mona|octocat|example\.com/i)
})

test("what is not as documented is refused, and what says nothing here is taken", async () => {
  const push = await readWebhook("github-push")
  expect(reduceGithub("push", { ...push, commits: [{ id: "short" }] }, identify)).toBeNull()
  expect(reduceGithub("push", [], identify)).toBeNull()
  const pull = await readWebhook("github-pull_request")
  expect(reduceGithub("pull_request", { ...pull, pull_request: { number: "7" } }, identify)).toBeNull()
  expect(reduceGithub("star", {}, identify)).toEqual([])
  expect(reduceGithub("constructor", {}, identify)).toEqual([])
  expect(reduceGitlab("Wiki Page Hook", {}, identify)).toEqual([])
})

test.each([
  ["src/a.ts", "source"],
  ["src/a.test.ts", "test"],
  ["pkg/a_test.go", "test"],
  ["tests/test_a.py", "test"],
  ["README.md", "docs"],
  ["docs/a.png", "docs"],
  ["go.sum", "lock_file"],
  ["web/package-lock.json", "lock_file"],
  ["api/a.pb.go", "generated"],
  ["dist/a.js", "generated"],
  ["src/contest.ts", "source"],
])("of the path %s its kind is kept: %s", (path, kind) => {
  expect(fileKindOf(path)).toBe(kind)
})

test("trailers and reverts are found where git and both hosts write them, and nothing that only looks like one", () => {
  const message = `Squash (#7)\n\n* one\n\nBelay-Operation: ${TOKEN}\n\n* two\n\n  belay-operation:  blo1~3~run-2\r\n`
  expect(operationsIn(message)).toEqual([TOKEN, "blo1~3~run-2"])
  expect(operationsIn(`Belay-Operation: not-a-token\nsee Belay-Operation: ${TOKEN}`)).toEqual([])
  expect(revertsIn(`Revert "x"\n\nThis reverts commit ${HEAD}.`)).toEqual([HEAD])
  expect(revertsIn("This reverts commit of yesterday")).toEqual([])
})
