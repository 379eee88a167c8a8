/**
 * What a shell command is called without its arguments: the one place that decides it, for the hooks that send it and
 * the server that reads other tools' telemetry.
 */

/** Programs whose first argument is a command of their own rather than data. */
const WITH_SUBCOMMANDS: ReadonlySet<string> = new Set([
  "apt",
  "apt-get",
  "aws",
  "az",
  "brew",
  "bun",
  "bundle",
  "cargo",
  "composer",
  "conda",
  "deno",
  "docker",
  "dotnet",
  "flutter",
  "gcloud",
  "gem",
  "gh",
  "git",
  "glab",
  "go",
  "gradle",
  "helm",
  "heroku",
  "kubectl",
  "mvn",
  "npm",
  "pip",
  "pip3",
  "pnpm",
  "podman",
  "poetry",
  "pulumi",
  "rustup",
  "supabase",
  "systemctl",
  "terraform",
  "uv",
  "wrangler",
  "yarn",
])

const SHELLS: ReadonlySet<string> = new Set(["bash", "sh", "zsh"])
const SCRIPT_FLAG = /^-l?c$/

/** `NAME=value` with a value that a shell takes as it stands: quoting could hide where the value ends. */
const ASSIGNMENT = /^[A-Za-z_][A-Za-z0-9_]*=[^\s'"\\$`()]*$/
/** A change of folder before the command proper; with quoting it could hide where the next command starts. */
const LEADING_CD = /^\s*cd [^\s'"\\$`();&|]+\s*(?:&&|;)\s*/
const SEPARATOR = /&&|\|\||[;|&\n]/
/** A word without quoting, expansion or escapes, so that it is all of what the shell would run. */
const PLAIN_WORD = /^[A-Za-z0-9_.+/-]+$/
const PROGRAM = /^[A-Za-z][A-Za-z0-9_.+-]{0,39}$/
const KEYWORDS: ReadonlySet<string> = new Set(["case", "for", "function", "if", "select", "until", "while"])
const SUBCOMMAND = /^[a-z][a-z-]{0,20}$/
/** As much of a command as can name its program; a script of megabytes is not searched. */
const MAX_READ = 1000

/**
 * The program and sub-command that a shell command starts with (`git push`, `ls`), never an argument. `command` is
 * a command line or an argument vector. Null when it is neither, or is not plain enough to be sure of that.
 */
export function toShellAction(command: unknown): string | null {
  if (typeof command === "string") return fromLine(command)
  return Array.isArray(command) ? fromArguments(command) : null
}

function fromLine(line: string): string | null {
  const start = line.slice(0, MAX_READ).replace(LEADING_CD, "")
  const [first = ""] = start.split(SEPARATOR, 1)
  return fromWords(first.trim().split(/\s+/))
}

function fromArguments(values: readonly unknown[]): string | null {
  const [program, flag, script] = values
  if (typeof program !== "string") return null
  // How an agent's own shell tool wraps a command line: ["bash", "-lc", "git push"].
  const isWrapped = SHELLS.has(baseName(program)) && typeof flag === "string" && SCRIPT_FLAG.test(flag)
  if (isWrapped) return typeof script === "string" ? fromLine(script) : null
  return fromWords(values.map((value) => (typeof value === "string" ? value : "")))
}

function fromWords(words: readonly string[]): string | null {
  const at = words.findIndex((word) => !ASSIGNMENT.test(word))
  const word = words[at] ?? ""
  const program = baseName(word)
  if (!PLAIN_WORD.test(word) || !PROGRAM.test(program) || KEYWORDS.has(program)) return null
  const subcommand = words[at + 1] ?? ""
  return WITH_SUBCOMMANDS.has(program) && SUBCOMMAND.test(subcommand) ? `${program} ${subcommand}` : program
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1)
}
