import * as fs from "node:fs"
import path from "node:path"
import { parseArgs } from "node:util"
import { OPERATION_TRAILER } from "../../token.ts"
import { askGit, git } from "../git.ts"
import type { Host } from "../home.ts"
import { NOTES_FOLDER } from "../hook/under-way.ts"
import { print } from "../print.ts"

/**
 * Both, since neither is enough: an editor's message may still be given up after the first, and `--no-verify` leaves out
 * the second.
 */
const HOOKS = ["prepare-commit-msg", "commit-msg"] as const
const BEGIN = "# >>> belay trailer: says in a commit's message whose work it is; belay trailer --remove"
const END = "# <<< belay trailer"
const SHELL = "#!/bin/sh\n"
const IS_SHELL = /^#!\s*\S*(?:\/|env\s+)(?:sh|bash|dash|zsh|ksh)\b/

/**
 * Needs git and a shell alone, and ends well whatever it meets. Merges, squashes, picks, reverts, rebases and fix-ups keep
 * the message they have; so do amended commits, but for what was edited since.
 */
const BLOCK = `${BEGIN}
(
  case "$0:\${2-}" in *prepare-commit-msg:message) ;; *prepare-commit-msg:*) exit 0 ;; esac
  case "\${GIT_REFLOG_ACTION-}" in cherry-pick* | merge* | pull* | rebase* | revert*) exit 0 ;; esac
  own=$(git rev-parse --git-dir) && shared=$(git rev-parse --git-common-dir) || exit 0
  for state in MERGE_HEAD SQUASH_MSG CHERRY_PICK_HEAD REVERT_HEAD rebase-merge rebase-apply; do
    [ -e "$own/$state" ] && exit 0
  done
  sed '/^# -* >8 -*$/,$d' "$1" | git stripspace --strip-comments | grep -q . || exit 0
  head -n 1 "$1" | grep -qE '^(fixup|squash|amend)!' && exit 0
  grep -q '^This reverts commit ' "$1" && exit 0
  own=$(cd "$own" && pwd -P) && read -r token at <"$shared/${NOTES_FOLDER}/\${own##*/}" || exit 0
  head=$(git -c log.showSignature=false log -1 --format=%ct || echo 0)
  [ "$at" -ge "$head" ] || exit 0
  git interpret-trailers --in-place --if-exists doNothing --trailer "${OPERATION_TRAILER}: $token" "$1"
) 2>/dev/null || :
${END}
`

/**
 * `belay trailer`: has the repository's commits say whose work they are, where a hook of an agent tool notes it. Resolves to
 * the exit code; throws where a hook that is there cannot be added to.
 */
export function runTrailer(args: readonly string[], host: Host): number {
  const { values } = parseArgs({ args: [...args], options: { remove: { type: "boolean", default: false } } })
  const shared = askGit(host.cwd, ["rev-parse", "--git-common-dir"])
  if (shared === null) throw new Error("this is no git repository")
  const notes = path.resolve(host.cwd, shared, NOTES_FOLDER)
  const files = HOOKS.map((name) =>
    path.resolve(host.cwd, git(host.cwd, ["rev-parse", "--git-path", `hooks/${name}`]).trim()),
  )
  if (values.remove) {
    const removed = files.filter(removeBlock)
    fs.rmSync(notes, { recursive: true, force: true })
    print(removed.length === 0 ? ["There was nothing to remove."] : removed.map((file) => `removed from ${file}`))
    return 0
  }
  // All of it or nothing.
  const texts = files.map((file) => withBlock(file, readText(file)))
  for (const [index, file] of files.entries()) {
    fs.mkdirSync(path.dirname(file), { recursive: true })
    fs.writeFileSync(file, texts[index] ?? "")
    fs.chmodSync(file, (fs.statSync(file).mode & 0o777) | 0o111)
  }
  fs.mkdirSync(notes, { recursive: true, mode: 0o700 })
  print([
    ...files.map((file) => `written to ${file}`),
    `Commits of what an agent edited say ${OPERATION_TRAILER} from now on, where belay connect has set its hook up.`,
  ])
  return 0
}

/** The hook with the block, at its beginning: what is there already may end or become another program. */
function withBlock(file: string, text: string | null): string {
  if (text === null) return `${SHELL}${BLOCK}`
  const rest = withoutBlock(text)
  const end = rest.indexOf("\n") + 1
  const first = end === 0 ? rest : rest.slice(0, end)
  if (!IS_SHELL.test(first)) {
    throw new Error(
      `${file} is no shell script, so nothing was changed: have a shell script call it, then run this again`,
    )
  }
  return `${first.trimEnd()}\n${BLOCK}${rest.slice(first.length)}`
}

/** Whether there was something to remove. */
function removeBlock(file: string): boolean {
  const text = readText(file)
  if (text === null || !text.includes(BEGIN)) return false
  const rest = withoutBlock(text)
  if (rest === SHELL) fs.rmSync(file)
  else fs.writeFileSync(file, rest)
  return true
}

function withoutBlock(text: string): string {
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(`${END}\n`)]
  return begin < 0 || end < begin ? text : text.slice(0, begin) + text.slice(end + END.length + 1)
}

function readText(file: string): string | null {
  return fs.existsSync(file) ? fs.readFileSync(file, "utf8") : null
}
