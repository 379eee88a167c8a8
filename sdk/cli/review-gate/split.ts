import type { ChangedFile } from "./changed-files.ts"

/** Files that could be a change of their own. */
export interface Share {
  /** The folder that they have in common; empty for the repository itself. */
  readonly folder: string
  readonly files: readonly ChangedFile[]
  readonly lines: number
}

export interface ReviewLimit {
  readonly lines: number
  readonly files: number
}

/**
 * How a change could be split so that each part can be reviewed in one sitting, along its folders: a folder stays whole
 * where it fits, and small neighbours share a part. A single file that is too large is a part of its own.
 */
export function splitChange(files: readonly ChangedFile[], limit: ReviewLimit): readonly Share[] {
  return pack(cut("", files, limit), limit)
}

const linesOf = (files: readonly ChangedFile[]) => files.reduce((sum, { lines }) => sum + lines, 0)
const fits = (files: readonly ChangedFile[], limit: ReviewLimit) =>
  files.length <= limit.files && linesOf(files) <= limit.lines

/** Folders that fit, or single files. */
function cut(folder: string, files: readonly ChangedFile[], limit: ReviewLimit): readonly (readonly ChangedFile[])[] {
  if (files.length <= 1 || fits(files, limit)) return [files]
  const children = new Map<string, ChangedFile[]>()
  for (const file of files) {
    const rest = file.path.slice(folder.length)
    const slash = rest.indexOf("/")
    const child = slash < 0 ? file.path : folder + rest.slice(0, slash + 1)
    const found = children.get(child)
    if (found === undefined) children.set(child, [file])
    else found.push(file)
  }
  return [...children].toSorted(([a], [b]) => (a < b ? -1 : 1)).flatMap(([child, own]) => cut(child, own, limit))
}

/** Neighbours together, as long as they fit. */
function pack(groups: readonly (readonly ChangedFile[])[], limit: ReviewLimit): readonly Share[] {
  const shares: ChangedFile[][] = []
  for (const group of groups) {
    const last = shares.at(-1)
    if (last !== undefined && fits([...last, ...group], limit)) last.push(...group)
    else shares.push([...group])
  }
  return shares.map((files) => ({ folder: commonFolder(files.map(({ path }) => path)), files, lines: linesOf(files) }))
}

function commonFolder(paths: readonly string[]): string {
  const [first = "", ...others] = paths
  let folder = first.slice(0, first.lastIndexOf("/") + 1)
  for (const path of others) {
    while (!path.startsWith(folder)) folder = folder.slice(0, folder.lastIndexOf("/", folder.length - 2) + 1)
  }
  return folder
}
