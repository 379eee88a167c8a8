import { lstatSync, readlinkSync, realpathSync } from "node:fs"
import path from "node:path"

/** More links one after the other are a loop. */
const LINKS_MAX = 40

/**
 * The real path of an absolute path, for `resolveLinks` of a policy's context: of its nearest folder that exists, where it
 * does not exist itself, with the rest appended. A link to what does not exist leads where a file would be made. Null
 * where that cannot be found out. Never throws.
 */
export function resolveLinks(file: string): string | null {
  const rest: string[] = []
  let at = file
  for (let links = 0; links < LINKS_MAX;) {
    try {
      return path.join(realpathSync.native(at), ...rest)
    } catch (error) {
      if (!isMissing(error)) return null
    }
    const target = targetOf(at)
    if (target === null) return null
    if (target !== undefined) {
      at = target
      links++
      continue
    }
    const folder = path.dirname(at)
    if (folder === at) return null
    rest.unshift(path.basename(at))
    at = folder
  }
  return null
}

/** Where a link leads; undefined for what is none, null where that cannot be found out. */
function targetOf(file: string): string | null | undefined {
  try {
    if (!lstatSync(file).isSymbolicLink()) return undefined
    return path.resolve(realpathSync.native(path.dirname(file)), readlinkSync(file))
  } catch (error) {
    return isMissing(error) ? undefined : null
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT"
}
