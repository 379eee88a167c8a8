import { execFileSync } from "node:child_process"
import { fileKindOf } from "../../file-kind.ts"

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
  return files.map(({ path, lines }) => {
    const kind = fileKindOf(path)
    const isGenerated = marked.get(path) ?? (kind === "generated" || kind === "lock_file")
    return { path, lines, isGenerated }
  })
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

/**
 * What the repository itself says is generated, or is not (`linguist-generated` in .gitattributes, which code hosts go by
 * too); a file of which it says nothing is absent.
 */
function readMarked(folder: string, paths: readonly string[]): ReadonlyMap<string, boolean> {
  const marked = new Map<string, boolean>()
  if (paths.length === 0) return marked
  const fields = git(folder, ["check-attr", "-z", "--stdin", "linguist-generated"], paths.join("\0")).split("\0")
  for (let at = 0; at + 2 < fields.length; at += 3) {
    const [path = "", , value] = fields.slice(at, at + 3)
    if (value === "set" || value === "true") marked.set(path, true)
    else if (value === "unset" || value === "false") marked.set(path, false)
  }
  return marked
}

const OUTPUT_BYTES_MAX = 256 * 1024 * 1024

function git(folder: string, args: readonly string[], input = ""): string {
  try {
    return execFileSync("git", ["-C", folder, ...args], {
      encoding: "utf8",
      input,
      maxBuffer: OUTPUT_BYTES_MAX,
      stdio: ["pipe", "pipe", "pipe"],
    })
  } catch (error) {
    const said = error instanceof Error && "stderr" in error ? String(error.stderr).trim().split("\n")[0] : ""
    throw new Error(`git ${args[0] ?? ""} did not work${said ? ` (${said})` : ""}; is the whole history fetched?`, {
      cause: error,
    })
  }
}
