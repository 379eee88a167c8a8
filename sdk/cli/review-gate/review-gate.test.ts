import { execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { expect, test as base, vi } from "vitest"
import type { PolicyDocument, PolicyException } from "../../policy/document.ts"
import { sealed, startPolicyServer } from "../../policy/test-policy-server.ts"
import { type Host, readSettings } from "../home.ts"
import { openStoredPolicy } from "../hook/decide.ts"
import { pullPolicy } from "../refresh-policy.ts"
import { readChangedFiles } from "./changed-files.ts"
import { judgeChange, LABEL, runReviewGate } from "./review-gate.ts"
import { splitChange } from "./split.ts"

vi.setConfig({ testTimeout: 60_000 })

const test = base
  .extend("server", async ({}, { onCleanup }) => {
    const server = await startPolicyServer()
    onCleanup(() => server.stop())
    return server
  })
  .extend("folder", ({}, { onCleanup }) => {
    const folder = mkdtempSync(path.join(tmpdir(), "belay-gate-"))
    onCleanup(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
    git(folder, "init", "--quiet", "--initial-branch=main")
    write(folder, "src/old.ts", 100)
    write(folder, "src/kept.ts", 10)
    writeFileSync(path.join(folder, ".gitattributes"), "schema.ts linguist-generated\n*.gen.ts -linguist-generated\n")
    commit(folder)
    git(folder, "switch", "--quiet", "-c", "work")
    return folder
  })
  .extend("host", ({ server, folder }): Host => ({
    env: {
      BELAY_ENDPOINT: server.endpoint,
      BELAY_INGEST_KEY: "blk_0123456789abcdefghijklmn",
      BELAY_ENDUSER_ID: "ada@example.com",
    },
    home: folder,
    cwd: folder,
    platform: "linux",
    now: Date.now,
  }))

function git(folder: string, ...args: readonly string[]): void {
  const who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
  execFileSync("git", ["-C", folder, ...who, ...args], { stdio: "pipe" })
}

function write(folder: string, name: string, lines: number, text = "line"): void {
  mkdirSync(path.dirname(path.join(folder, name)), { recursive: true })
  writeFileSync(path.join(folder, name), Array.from({ length: lines }, (_, at) => `${text} ${at}\n`).join(""))
}

function commit(folder: string): void {
  git(folder, "add", "--all")
  git(folder, "commit", "--quiet", "--message", "A commit")
}

const limited = (review: NonNullable<PolicyDocument["review"]>): PolicyDocument => ({
  schema: "belay.policy/1",
  review,
})
const file = (name: string, lines: number, isGenerated = false) => ({ path: name, lines, isGenerated })

test("a change is what the branch did since it left: renames, binaries and generated files count as what they are", ({
  folder,
}) => {
  git(folder, "mv", "src/old.ts", "src/new name.ts")
  write(folder, "src/kept.ts", 14)
  write(folder, "package-lock.json", 900)
  write(folder, "src/schema.ts", 300)
  write(folder, "src/messages.gen.ts", 40)
  writeFileSync(path.join(folder, "logo.png"), Buffer.from([0, 1, 2, 0, 255]))
  commit(folder)
  git(folder, "switch", "--quiet", "main")
  write(folder, "src/theirs.ts", 50)
  commit(folder)
  expect(readChangedFiles(folder, "main", "work")).toEqual([
    file("logo.png", 0),
    file("package-lock.json", 900, true),
    file("src/kept.ts", 4),
    file("src/messages.gen.ts", 40),
    file("src/new name.ts", 0),
    file("src/schema.ts", 300, true),
  ])
  git(folder, "switch", "--quiet", "work")
  writeFileSync(path.join(folder, ".gitattributes"), "* linguist-generated\n")
  commit(folder)
  expect(readChangedFiles(folder, "main", "work").find(({ path: name }) => name === "src/kept.ts")).toEqual(
    file("src/kept.ts", 4),
  )
  expect(() => readChangedFiles(folder, "nowhere", "work")).toThrow(/is the whole history fetched/)
})

test("the limit warns, wants a label, or refuses, and an exception lifts it while it lasts", async ({
  server,
  host,
}) => {
  const files = [file("api/a.ts", 300), file("web/b.ts", 200), file("yarn.lock", 5000, true)]
  const judge = async (
    review: NonNullable<PolicyDocument["review"]>,
    { labels = [], exceptions = [] }: { labels?: readonly string[]; exceptions?: PolicyException[] } = {},
  ) => {
    server.publish(sealed(++version, "", { document: limited(review), exceptions }))
    await pullPolicy(host)
    return judgeChange({ files, inForce: openStoredPolicy(host, readSettings(host))?.inForce() ?? null, labels, host })
  }
  let version = 0
  expect(await judge({ effect: "deny", changedLines: 500 })).toMatchObject({
    result: "pass",
    lines: 500,
    files: 2,
    generated: 1,
    parts: [],
  })
  const refused = await judge({ effect: "deny", changedLines: 499, reason: "Nobody reads more." })
  expect(refused).toMatchObject({ result: "refused", limits: [{ standing: "over", reason: "Nobody reads more." }] })
  expect(refused.parts.map(({ folder: where, lines }) => [where, lines])).toEqual([
    ["api/", 300],
    ["web/", 200],
  ])
  expect(await judge({ effect: "deny", files: 1 })).toMatchObject({ result: "refused" })
  expect(await judge({ effect: "warn", changedLines: 100 })).toMatchObject({ result: "warn" })
  expect(await judge({ effect: "ask" })).toMatchObject({ result: "needs_label", limits: [{ limit: { lines: 400 } }] })
  const exception = {
    id: "x",
    rule: "review",
    scope: { kind: "organization" },
    reason: "A port.",
    approver: "ada",
  } as const
  const lasting = [{ ...exception, expiresAt: "2199-01-01T00:00:00Z" }]
  const lifted = await judge({ effect: "deny", changedLines: 10 }, { exceptions: lasting })
  expect(lifted).toMatchObject({ result: "pass", limits: [{ standing: "lifted" }] })
  const past = [{ ...exception, expiresAt: "2026-01-01T00:00:00Z" }]
  expect(await judge({ effect: "deny", changedLines: 10 }, { exceptions: past })).toMatchObject({ result: "refused" })
  expect(await judge({ effect: "ask" }, { labels: ["bug", LABEL] })).toMatchObject({ result: "warn" })
})

test("the command says so in CI, and never passes what it could not ask about", async ({ server, folder, host }) => {
  write(folder, "src/big.ts", 450)
  commit(folder)
  const inGithub: Host = { ...host, env: { ...host.env, GITHUB_BASE_REF: "main" } }
  await expect(runReviewGate([], host)).rejects.toThrow("--base origin/main")
  await expect(runReviewGate(["--base", "main"], { ...host, env: {} })).rejects.toThrow("BELAY_ENDPOINT")
  git(folder, "update-ref", "refs/remotes/origin/main", "main")
  const said: string[] = []
  const spy = vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    said.push(String(text))
    return true
  })
  try {
    expect(await runReviewGate([], inGithub)).toBe(0)
    server.publish(sealed(1, "", { document: limited({ effect: "ask" }) }))
    expect(await runReviewGate([], inGithub)).toBe(1)
    expect(await runReviewGate(["--labels", LABEL], inGithub)).toBe(0)
    expect(await runReviewGate(["--json"], inGithub)).toBe(1)
  } finally {
    spy.mockRestore()
  }
  const text = said.join("")
  expect(text).toContain("450 changed lines in 1 file. No policy is published.")
  expect(text).toContain("over the organization's limit of 400 lines, else ask")
  expect(text).toContain("It is one file: split it by what is done to it.")
  const json = JSON.parse(text.slice(text.lastIndexOf('{"result"'))) as { result: string; lines: number }
  expect(json).toMatchObject({ result: "needs_label", lines: 450 })
  await server.stop()
  const elsewhere = path.join(folder, "elsewhere")
  mkdirSync(elsewhere)
  await expect(runReviewGate([], { ...inGithub, home: elsewhere })).rejects.toThrow(/nothing can be said/)
})

test("a change is split along its folders, and every part fits but a file that is too large by itself", () => {
  const files = [
    file("a/x/1.ts", 150),
    file("a/x/2.ts", 150),
    file("a/y/3.ts", 90),
    file("b/4.ts", 120),
    file("c/huge.ts", 1000),
    file("readme.md", 5),
  ]
  const parts = splitChange(files, { lines: 400, files: Infinity })
  expect(parts.map(({ folder, lines, files: own }) => [folder, lines, own.length])).toEqual([
    ["a/", 390, 3],
    ["b/", 120, 1],
    ["c/", 1000, 1],
    ["", 5, 1],
  ])
  const narrow = splitChange(files, { lines: 400, files: 1 })
  expect(narrow.map(({ files: own }) => own.length)).toEqual([1, 1, 1, 1, 1, 1])
})
