import { execFileSync, spawn } from "node:child_process"
import { once } from "node:events"

const OUTPUT_BYTES_MAX = 256 * 1024 * 1024

/** What git prints. Throws in words for the person where it cannot say. */
export function git(
  folder: string,
  args: readonly string[],
  { input = "", encoding = "utf8" }: { readonly input?: string; readonly encoding?: "utf8" | "latin1" } = {},
): string {
  try {
    return execFileSync("git", ["-C", folder, ...args], {
      input: Buffer.from(input, encoding),
      maxBuffer: OUTPUT_BYTES_MAX,
      stdio: ["pipe", "pipe", "pipe"],
    }).toString(encoding)
  } catch (error) {
    const said = error instanceof Error && "stderr" in error ? String(error.stderr).trim().split("\n")[0] : ""
    throw new Error(`git ${nameOf(args)} did not work${said ? ` (${said})` : ""}; is the whole history fetched?`, {
      cause: error,
    })
  }
}

/** What git prints, or null where it says no: a name that is none, a setting that is not set. */
export function askGit(folder: string, args: readonly string[]): string | null {
  try {
    return execFileSync("git", ["-C", folder, ...args], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim()
  } catch {
    return null
  }
}

/** What git prints as it prints it, byte by byte as `latin1`; what is not read yet is not printed yet. */
export async function* streamGit(folder: string, args: readonly string[], input: string): AsyncGenerator<string> {
  const child = spawn("git", ["-C", folder, ...args], { stdio: ["pipe", "pipe", "pipe"] })
  const ended = once(child, "close")
  ended.catch(() => {})
  let said = ""
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said = (said + text).slice(0, 1000)))
  // A process that ends before it has read all says itself why.
  child.stdin.on("error", () => {})
  child.stdin.end(input, "latin1")
  child.stdout.setEncoding("latin1")
  try {
    for await (const chunk of child.stdout as AsyncIterable<string>) yield chunk
    const [code] = (await ended) as [number | null]
    if (code !== 0) throw new Error(`git ${nameOf(args)} did not work (${said.trim().split("\n")[0] ?? ""})`)
  } finally {
    child.kill()
  }
}

/** The command among options that are git's own. */
function nameOf(args: readonly string[]): string {
  return args.find((arg, index) => !arg.startsWith("-") && args[index - 1] !== "-c") ?? ""
}
