import { execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { OPERATION_TRAILER, toToken } from "../../token.ts"

const DAY_MS = 86_400_000
/** Day 0 of a repository. */
export const DAY_0 = Date.parse("2026-09-01T12:00:00Z")

export const tokenOf = (operationId: string) => toToken({ rung: "agent", operationId, sessionId: undefined })

/** A real repository whose commits are made on days that a test says. */
export interface TestRepository {
  readonly folder: string
  /** Day of the next commits, from 0. */
  day: number
  write(name: string, lines: readonly string[]): void
  /** Commits all that was written; of the operations whose work it is. Returns the commit's id. */
  commit(message: string, ...operations: readonly string[]): string
  /** Returns what git prints. */
  git(...args: readonly string[]): string
  remove(): void
}

export function createRepository(): TestRepository {
  const folder = mkdtempSync(path.join(tmpdir(), "belay-survival-"))
  const repository: TestRepository = {
    folder,
    day: 0,
    write(name, lines) {
      mkdirSync(path.dirname(path.join(folder, name)), { recursive: true })
      writeFileSync(path.join(folder, name), lines.map((line) => `${line}\n`).join(""))
    },
    commit(message, ...operations) {
      repository.git("add", "--all")
      const trailers = operations.map((id) => `\n${OPERATION_TRAILER}: ${tokenOf(id)}`)
      repository.git("commit", "--quiet", "--allow-empty", "--message", `${message}\n${trailers.join("")}`)
      return repository.git("rev-parse", "HEAD")
    },
    git(...args) {
      const date = new Date(DAY_0 + repository.day * DAY_MS).toISOString()
      const env = [`GIT_COMMITTER_DATE=${date}`, `GIT_AUTHOR_DATE=${date}`, "GIT_CONFIG_GLOBAL=/dev/null"]
      const who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
      return execFileSync("env", [...env, "git", "-C", folder, ...who, ...args], { stdio: "pipe" })
        .toString()
        .trim()
    },
    remove: () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }),
  }
  repository.git("init", "--quiet", "--initial-branch=main")
  return repository
}
