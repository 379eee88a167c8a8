import { spawn } from "node:child_process"
import { git } from "../git.ts"
import { type Hunk, parsePatch } from "./patches.ts"

/** Asks a repository for its files by commit and path. */
export interface Objects {
  /** Ids of what `commit:path` names; null where there is nothing. */
  idsOf(names: readonly string[]): Promise<readonly (string | null)[]>
  /** What makes one file of the other, spaces aside. */
  hunksBetween(before: string, after: string): readonly Hunk[]
  /** What makes files of one commit those of the other that are called the same; none of those that differ by spaces. */
  hunksOfPaths(before: string, after: string, paths: readonly string[]): ReadonlyMap<string, readonly Hunk[]>
  /** Paths of `before` that are called otherwise in `after`, with what they are called there. */
  renamesBetween(before: string, after: string): ReadonlyMap<string, string>
  close(): void
}

/** As many as a command line surely takes. */
const PATHS_AT_ONCE = 200

/** Texts are bytes, as `latin1`. */
export function openObjects(folder: string): Objects {
  const child = spawn("git", ["-C", folder, "cat-file", "--batch-check=%(objectname)"], {
    stdio: ["pipe", "pipe", "ignore"],
  })
  child.stdin.on("error", () => {})
  child.stdout.setEncoding("latin1")
  const waiting: { resolve: (line: string) => void; reject: (error: Error) => void }[] = []
  let rest = ""
  child.stdout.on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n")
    rest = lines.pop() ?? ""
    for (const line of lines) waiting.shift()?.resolve(line)
  })
  child.on("close", () => {
    for (const { reject } of waiting.splice(0)) reject(new Error("git cat-file ended"))
  })
  return {
    async idsOf(names) {
      const ids = names.map(async (name) => {
        // It is asked line by line.
        if (name.includes("\n")) return null
        const line = await new Promise<string>((resolve, reject) => {
          waiting.push({ resolve, reject })
          child.stdin.write(`${name}\n`, "latin1")
        })
        return line.endsWith(" missing") ? null : line
      })
      return Promise.all(ids)
    },
    hunksBetween(before, after) {
      const args = ["diff", "-U0", "-w", "--no-ext-diff", "--no-textconv", "--no-color", before, after]
      return parsePatch(git(folder, args, { encoding: "latin1" }))[0]?.hunks ?? []
    },
    hunksOfPaths(before, after, paths) {
      const hunks = new Map<string, readonly Hunk[]>()
      const options = ["-r", "-p", "-U0", "-w", "--no-renames", "--no-ext-diff", "--no-textconv"]
      for (let from = 0; from < paths.length; from += PATHS_AT_ONCE) {
        const some = paths.slice(from, from + PATHS_AT_ONCE).map((path) => Buffer.from(path, "latin1").toString())
        const args = ["--literal-pathspecs", "-c", "core.quotePath=false", "diff-tree", ...options, before, after, "--"]
        const files = parsePatch(git(folder, [...args, ...some], { encoding: "latin1" }))
        for (const file of files) hunks.set(file.path, file.hunks)
      }
      return hunks
    },
    renamesBetween(before, after) {
      const args = ["diff-tree", "-r", "-z", "-M", "--diff-filter=R", before, after]
      const fields = git(folder, args, { encoding: "latin1" }).split("\0")
      const renames = new Map<string, string>()
      for (let at = 0; at + 2 < fields.length; at += 3) renames.set(fields[at + 1] ?? "", fields[at + 2] ?? "")
      return renames
    },
    close: () => child.kill(),
  }
}
