/**
 * What the worst of an action may be, mildest first.
 * - `read_only`: tells something and changes nothing.
 * - `workspace`: runs what the project has, or writes in its folder.
 * - `network`: asks another machine, and changes nothing there.
 * - `destructive`: may take away what cannot be had back, reach others or run anything. Also whatever is not known.
 * - `credential`: may show a secret, or use one.
 */
export type Risk = "read_only" | "workspace" | "network" | "destructive" | "credential"

const listed = (risk: Risk, names: string): [string, Risk][] => names.split(", ").map((name) => [name, risk])

/** Commands with whatever arguments; the list is short on purpose. */
const COMMANDS: ReadonlyMap<string, Risk> = new Map([
  ...listed("read_only", "ls, pwd, whoami, id, uname, which, wc, stat, basename, dirname, df, du, true"),
  ...listed("read_only", "git status, git rev-parse, git ls-files, git describe, git shortlog, git blame"),
  ...listed(
    "read_only",
    "npm ls, npm list, pnpm list, yarn list, pip list, pip show, cargo tree, docker ps, docker images",
  ),
  ...listed(
    "workspace",
    "npm test, pnpm test, yarn test, bun test, cargo test, cargo check, cargo build, cargo clippy",
  ),
  ...listed(
    "workspace",
    "cargo fmt, go test, go build, go vet, go fmt, mvn test, gradle test, dotnet test, dotnet build",
  ),
  ...listed("workspace", "flutter test, pytest, vitest, jest, eslint, prettier, oxlint, oxfmt, tsc, ruff, mypy, mkdir"),
  ...listed("workspace", "git add"),
  ...listed("network", "npm view, npm outdated, npm search, pip index, cargo search"),
])

/** Of tools of MCP servers: what they do first, of what they may not be about. */
const ASKS = /^(?:get|list|search|find|describe)[_-]/
const SECRET =
  /secret|token|credential|passw|auth|login|vault|key|cert|session|cookie|env|config|file|content|mail|message/i
const MCP = /^[^/ ]+\/([^/ ]+)$/
/** Programs that have to do with secrets, or show any file. */
const OF_SECRETS =
  /^(?:ssh|scp|sftp|gpg|openssl|op|pass|vault|aws|az|gcloud|kubectl|heroku|env|printenv|cat|head|tail|less|more|grep|rg|curl|wget|nc|base64)(?: |$)/
/** Tools that read any file, or send to any address. */
const SHOWS_ANYTHING = new Set([
  "Read",
  "Grep",
  "read_file",
  "read_many_files",
  "search_file_content",
  "WebFetch",
  "web_fetch",
])

/**
 * The worst that an action may do, by its recorded name: with whatever arguments, since those are not on record. What is
 * not known to be harmless is `destructive`.
 */
export function riskOf(recorded: string): Risk {
  const command = COMMANDS.get(recorded)
  if (command !== undefined) return command
  const [, tool] = MCP.exec(recorded) ?? []
  if (tool !== undefined) {
    if (SECRET.test(recorded)) return "credential"
    return ASKS.test(tool) ? "network" : "destructive"
  }
  return OF_SECRETS.test(recorded) || SHOWS_ANYTHING.has(recorded) ? "credential" : "destructive"
}

/** Whether a rule that allows it may be proposed at all. */
export function mayBeProposed(risk: Risk): boolean {
  return risk !== "destructive" && risk !== "credential"
}
