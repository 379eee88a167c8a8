import { readFileSync, statSync } from "node:fs"
import path from "node:path"

/** `owner/name` of the repository that `folder` is in, by where it is cloned from; undefined where that is not known. */
export function repositoryOf(folder: string): string | undefined {
  return readRepository(gitFoldersOf(folder)?.shared)
}

/** Git's folder of the worktree that `folder` is in, and the one that it shares with the others of its repository. */
export function gitFoldersOf(folder: string): { readonly own: string; readonly shared: string } | undefined {
  for (let at = folder; ; at = path.dirname(at)) {
    const entry = path.join(at, ".git")
    const found = statSync(entry, { throwIfNoEntry: false })
    if (found !== undefined) return found.isDirectory() ? { own: entry, shared: entry } : linkedFolders(entry)
    if (path.dirname(at) === at) return undefined
  }
}

/** The branch that is checked out, by git's folder of the worktree; undefined where it is none. */
export function branchOf(own: string): string | undefined {
  return /^ref: refs\/heads\/(.+)$/m.exec(readText(path.join(own, "HEAD")) ?? "")?.[1]
}

/** As `repositoryOf`, by the folder of git's that all worktrees share. */
export function readRepository(folder: string | undefined): string | undefined {
  const config = folder === undefined ? undefined : readText(path.join(folder, "config"))
  const url = /^\[remote "origin"\][^[]*?^\s*url\s*=\s*(\S+)/m.exec(config ?? "")?.[1]
  return /[/:]([^/:]+\/[^/:]+?)(?:\.git)?\/?$/.exec(url ?? "")?.[1]
}

function linkedFolders(file: string): { readonly own: string; readonly shared: string } | undefined {
  const link = /^gitdir: (.+)$/m.exec(readText(file) ?? "")?.[1]
  if (link === undefined) return undefined
  const own = path.resolve(path.dirname(file), link)
  const shared = readText(path.join(own, "commondir"))?.trim()
  return { own, shared: shared === undefined ? own : path.resolve(own, shared) }
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8")
  } catch {
    return undefined
  }
}
