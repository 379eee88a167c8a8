import { execFile } from "node:child_process"
import { readdir, readFile, readlink } from "node:fs/promises"

/**
 * What tells a running process from a later one that was given the same id: boot and start time, as one opaque string.
 *
 * Undefined when nothing runs under this id. A zombie counts as nothing: in a container whose first process reaps
 * nobody, a killed server stays in the process table for ever.
 */
export async function processIdentity(pid: number): Promise<string | undefined> {
  if (process.platform !== "linux") return ps(pid, "lstart=")
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined)
  if (stat === undefined) return undefined
  // The second field is the command in parentheses and may itself hold spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  const [state, startTicks] = [fields[0], fields[19]]
  if (state === "Z" || state === "X") return undefined
  const bootId = await readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => "")
  return `${bootId.trim()} ${startTicks}`
}

/**
 * Ids of the live processes whose working directory is `directory` (an absolute real path). Every process of a
 * Postgres cluster works in its data directory, and so stays findable after its parent was killed.
 *
 * Linux only; elsewhere the list is empty. Processes of other users are seen by root alone.
 */
export async function listProcessesIn(directory: string): Promise<number[]> {
  if (process.platform !== "linux") return []
  const ids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number)
  const found = await Promise.all(ids.map(async (id) => ((await workingDirectory(id)) === directory ? [id] : [])))
  return found.flat()
}

/** Whether `pid` is a server process of the cluster in `directory`, and not a stranger that was given its id. */
export async function worksIn(pid: number, directory: string): Promise<boolean> {
  if (process.platform === "linux") return (await workingDirectory(pid)) === directory
  const command = await ps(pid, "command=")
  return command !== undefined && command.includes("postgres") && command.includes(directory)
}

function workingDirectory(pid: number): Promise<string | undefined> {
  return readlink(`/proc/${pid}/cwd`).catch(() => undefined)
}

function ps(pid: number, column: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile("ps", ["-o", column, "-p", String(pid)], (error, stdout) => resolve(error ? undefined : stdout.trim()))
  })
}
