import { readFileSync, statSync } from "node:fs"
import path from "node:path"

/** `owner/name` of the repository that `folder` is in, by where it is cloned from; undefined where that is not known. */
export function repositoryOf(folder: string): string | undefined {
  for (let at = folder; ; at = path.dirname(at)) {
    const entry = path.join(at, ".git")
    const found = statSync(entry, { throwIfNoEntry: false })
    if (found !== undefined) return readRepository(found.isDirectory() ? entry : commonFolder(entry))
    if (path.dirname(at) === at) return undefined
  }
}

function readRepository(folder: string | undefined): string | undefined {
  const config = folder === undefined ? undefined : readText(path.join(folder, "config"))
  const url = /^\[remote "origin"\][^[]*?^\s*url\s*=\s*(\S+)/m.exec(config ?? "")?.[1]
  return /[/:]([^/:]+\/[^/:]+?)(?:\.git)?\/?$/.exec(url ?? "")?.[1]
}

/** The folder that a worktree shares with its repository. */
function commonFolder(file: string): string | undefined {
  const link = /^gitdir: (.+)$/m.exec(readText(file) ?? "")?.[1]
  if (link === undefined) return undefined
  const folder = path.resolve(path.dirname(file), link)
  const common = readText(path.join(folder, "commondir"))?.trim()
  return common === undefined ? folder : path.resolve(folder, common)
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8")
  } catch {
    return undefined
  }
}
