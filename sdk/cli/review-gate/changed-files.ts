import { fileKindOf } from "../../file-kind.ts"
import { git } from "../git.ts"

/** A file of a change. Nothing of its content is read. */
export interface ChangedFile {
  readonly path: string
  /** Added and removed ones; 0 for a binary file and for one that was only renamed. */
  readonly lines: number
  /** Nobody reviews what a program wrote: generated files and lock files. */
  readonly isGenerated: boolean
}

/** What `head` changed since it left `base`. Throws in words for the person where git cannot say. */
export function readChangedFiles(folder: string, base: string, head: string): readonly ChangedFile[] {
  const numbers = git(folder, ["diff", "--numstat", "-z", "-M", `${base}...${head}`])
  const files = parseNumbers(numbers)
  const paths = files.map(({ path }) => path)
  // A change is not believed about itself.
  const isMarking = paths.some((path) => /(^|\/)\.gitattributes$/.test(path))
  const marked = isMarking ? new Map<string, boolean>() : readMarked(folder, paths)
  return files.map(({ path, lines }) => ({ path, lines, isGenerated: marked.get(path) ?? isWritten(path) }))
}

/** `added TAB removed TAB path NUL`, and for a renamed file `added TAB removed TAB NUL before NUL after NUL`. */
function parseNumbers(text: string): readonly { readonly path: string; readonly lines: number }[] {
  const fields = text.split("\0")
  const files: { path: string; lines: number }[] = []
  for (let at = 0; at < fields.length; at++) {
    const [added, removed, path] = (fields[at] ?? "").split("\t")
    if (added === undefined || removed === undefined || path === undefined) continue
    // A binary file has a dash for both.
    const lines = (Number(added) || 0) + (Number(removed) || 0)
    if (path !== "") files.push({ path, lines })
    else files.push({ path: fields[(at += 2)] ?? "", lines })
  }
  return files
}

/** Whether a program wrote it, as far as its path says. */
export function isWritten(path: string): boolean {
  const kind = fileKindOf(path)
  return kind === "generated" || kind === "lock_file"
}

/**
 * What the repository itself says is generated, or is not (`linguist-generated` in .gitattributes, which code hosts go by
 * too); a file of which it says nothing is absent.
 */
export function readMarked(folder: string, paths: readonly string[]): ReadonlyMap<string, boolean> {
  const marked = new Map<string, boolean>()
  if (paths.length === 0) return marked
  const fields = git(folder, ["check-attr", "-z", "--stdin", "linguist-generated"], {
    input: paths.join("\0"),
  }).split("\0")
  for (let at = 0; at + 2 < fields.length; at += 3) {
    const [path = "", , value] = fields.slice(at, at + 3)
    if (value === "set" || value === "true") marked.set(path, true)
    else if (value === "unset" || value === "false") marked.set(path, false)
  }
  return marked
}
