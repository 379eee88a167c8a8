/** A run of lines that a commit put in place of others; nothing around it. */
export interface Hunk {
  /** Of the first line that is gone, or of the line before what is new; from 1. */
  readonly oldStart: number
  readonly newStart: number
  readonly removed: readonly string[]
  readonly added: readonly string[]
}

export interface FilePatch {
  readonly path: string
  /** Empty where only the mode or spaces differ. */
  readonly hunks: readonly Hunk[]
  /** Whether it is no file of lines any more: lines that were there are gone. */
  readonly isOpaque: boolean
}

export interface CommitPatch {
  readonly commit: string
  readonly files: readonly FilePatch[]
}

/** What `git diff-tree --stdin --always --no-renames -r -p -U0` prints, one commit after the other. */
export async function* readPatches(chunks: AsyncIterable<string>): AsyncGenerator<CommitPatch> {
  const reader = new PatchReader()
  let rest = ""
  for await (const chunk of chunks) {
    const lines = (rest + chunk).split("\n")
    rest = lines.pop() ?? ""
    for (const line of lines) {
      const whole = reader.take(line)
      if (whole !== null) yield whole
    }
  }
  const last = reader.end()
  if (last !== null) yield last
}

/** The files of one patch. */
export function parsePatch(text: string): readonly FilePatch[] {
  const reader = new PatchReader()
  for (const line of text.split("\n")) reader.take(line)
  return reader.end()?.files ?? []
}

const COMMIT = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/
const HUNK = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/
/** Links and other repositories have no lines. */
const NO_FILE = /^(?:new file mode|deleted file mode|old mode|new mode|index \S+) 1[26]0000$/

class PatchReader {
  #commit = ""
  #files: { path: string; hunks: Hunk[]; isOpaque: boolean }[] = []
  #hunk: { oldStart: number; newStart: number; removed: string[]; added: string[] } | null = null
  /** Lines of the hunk that are still to come: what is in a file may look like anything. */
  #removedLeft = 0
  #addedLeft = 0

  /** The commit before, when the line begins another. */
  take(line: string): CommitPatch | null {
    if (this.#removedLeft > 0 && line.startsWith("-")) {
      this.#removedLeft--
      this.#hunk?.removed.push(line.slice(1))
      return null
    }
    if (this.#addedLeft > 0 && line.startsWith("+")) {
      this.#addedLeft--
      this.#hunk?.added.push(line.slice(1))
      return null
    }
    const file = this.#files.at(-1)
    if (line.startsWith("@@ ")) {
      const [, oldStart, removed = "1", newStart, added = "1"] = HUNK.exec(line) ?? []
      this.#hunk = { oldStart: Number(oldStart), newStart: Number(newStart), removed: [], added: [] }
      this.#removedLeft = Number(removed)
      this.#addedLeft = Number(added)
      file?.hunks.push(this.#hunk)
    } else if (line.startsWith("diff --git ")) {
      this.#files.push({ path: pathOf(line.slice("diff --git ".length)), hunks: [], isOpaque: false })
    } else if (file !== undefined && (line.startsWith("Binary files ") || NO_FILE.test(line))) {
      file.isOpaque = true
    } else if (COMMIT.test(line)) {
      const before = this.end()
      this.#commit = line
      this.#files = []
      return before
    }
    return null
  }

  end(): CommitPatch | null {
    if (this.#commit === "" && this.#files.length === 0) return null
    return { commit: this.#commit, files: this.#files }
  }
}

const ESCAPES = new Map([
  ["n", "\n"],
  ["t", "\t"],
  ["r", "\r"],
])

/** Of `a/path b/path`, which is the same twice where nothing is renamed. */
function pathOf(both: string): string {
  const half = both.slice(0, (both.length - 1) / 2)
  if (!half.startsWith('"')) return half.slice(2)
  return half
    .slice(3, -1)
    .replace(/\\([0-7]{3}|.)/g, (_, code: string) =>
      code.length === 3 ? String.fromCharCode(Number.parseInt(code, 8)) : (ESCAPES.get(code) ?? code),
    )
}
