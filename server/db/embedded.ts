import { type ChildProcess, spawn } from "node:child_process"
import { createHash, randomBytes, randomInt } from "node:crypto"
import { closeSync, constants, openSync } from "node:fs"
import {
  access,
  chmod,
  chown,
  lchown,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  writeFile,
} from "node:fs/promises"
import { createServer } from "node:net"
import { dirname, join, resolve } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"

import { lockDataFolder } from "./data-lock.ts"
import { findUnprivilegedUser, firstUnsearchable, type OsUser, userById } from "./os-user.ts"
import { type PostgresBinaries, preparePostgresBinaries } from "./postgres-binaries.ts"
import { listProcessesIn, processIdentity, worksIn } from "./processes.ts"

export interface EmbeddedPostgres {
  /** Database `belay` as its superuser `belay_owner`, by password over TCP on 127.0.0.1. Good for psql as well. */
  readonly url: string
  /** Stays the same when a killed server is started again. */
  readonly port: number
  /** Disconnects everybody, shuts the server down and unlocks the data folder. Idempotent. */
  readonly stop: () => Promise<void>
}

export interface EmbeddedPostgresOptions {
  /** Everything lives in here; created when missing. */
  readonly dataDir: string
  /** Server settings (postgresql.conf names) that replace or extend ours. */
  readonly settings?: Readonly<Record<string, string>>
  /** False trades the data's survival of a crash of the machine for speed. For tests. Default true. */
  readonly durable?: boolean
  /** Started as root only: where the data goes when Postgres' own user cannot reach `dataDir`. */
  readonly fallbackRoot?: string
  /** Told when the server was lost and when it is back, and when starting takes long. Silent by default. */
  readonly log?: (line: string) => void
}

const OWNER = "belay_owner"
const DATABASE = "belay"

/** For a small machine that Postgres shares with Belay. */
const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: "127.0.0.1",
  // TCP is all we use, and the path of a socket may not be longer than some 100 bytes.
  unix_socket_directories: "",
  max_connections: "100",
  shared_buffers: "256MB",
  max_wal_size: "2GB",
  synchronous_commit: "on",
  timezone: "UTC",
  log_timezone: "UTC",
  log_checkpoints: "off",
  // The log is for operating the server. Statements and the values they carry stay out of it.
  log_min_error_statement: "panic",
  log_error_verbosity: "terse",
}

const NOT_DURABLE: Readonly<Record<string, string>> = {
  fsync: "off",
  full_page_writes: "off",
  synchronous_commit: "off",
}

/** An ephemeral port could be lent to somebody's outgoing connection while the server is down; these are not. */
const PORTS = { first: 20_000, last: 32_000 }

const LOG_BYTES_MAX = 10 * 1024 * 1024
const STOP_MS_MAX = 60_000

/**
 * Starts the Postgres that npm installed, on a data folder of its own, and keeps it running: a server that dies is
 * started again on the same port within a second or so, while connections break and have to be made anew.
 *
 * The first start creates the cluster in `<dataDir>/postgres`. A cluster whose creation was interrupted, a server
 * left behind by a killed Belay and the marks of an unclean shutdown are dealt with here. Started as root, Postgres
 * runs as OS user `postgres` (or else `nobody`), and its data goes to `<fallbackRoot>/<hash>` when that user cannot
 * reach `dataDir`; `<dataDir>/LOCATION` then says where it is.
 *
 * Throws, with what to do and the last lines of `<dataDir>/postgres.log`: when another Belay uses the folder, when
 * the data belongs to another OS user or major version of Postgres, when the server does not start.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  if (process.platform === "win32") {
    throw new Error("On Windows Belay needs a Postgres of yours: set DATABASE_URL, or run Belay inside WSL.")
  }
  const dataDir = await openDataFolder(resolve(options.dataDir))
  const locks = [await lockDataFolder(dataDir)]
  const unlock = async () => {
    for (const lock of locks) await lock.release()
  }
  try {
    const { home, user } = await placeCluster(dataDir, options.fallbackRoot ?? "/var/lib/belay")
    // A copied data folder carries LOCATION along, and then two folders name one cluster.
    if (home !== dataDir) locks.push(await lockDataFolder(home))
    const cluster: Cluster = {
      binaries: await preparePostgresBinaries(home, user),
      user,
      home,
      directory: await realpathIfExists(join(home, "postgres")),
      logFile: join(dataDir, "postgres.log"),
      settings: { ...SETTINGS, ...(options.durable === false && NOT_DURABLE), ...options.settings },
      log: options.log ?? (() => {}),
    }
    const password = await openOrCreateCluster(cluster, join(dataDir, "postgres-password"))
    if (home !== dataDir) await writeFile(join(dataDir, "LOCATION"), `${home}\n`)
    await rotateLog(cluster.logFile)
    const server = await keepRunning(cluster)
    return {
      url: `postgres://${OWNER}:${encodeURIComponent(password)}@127.0.0.1:${server.port}/${DATABASE}`,
      port: server.port,
      async stop() {
        await server.stop()
        await unlock()
      },
    }
  } catch (cause) {
    await unlock()
    throw new Error(
      `Belay could not start its own Postgres: ${messageOf(cause)}\nTo use another Postgres (15 or newer), set DATABASE_URL.`,
      { cause },
    )
  }
}

interface Cluster {
  readonly binaries: PostgresBinaries
  /** Whom Postgres runs under; undefined: whoever Belay runs under. */
  readonly user: OsUser | undefined
  /** The data folder, or its stand-in when that is out of Postgres' reach. */
  readonly home: string
  /** Where `<home>/postgres` really is, because that is where the server's processes say that they work. */
  readonly directory: string
  readonly logFile: string
  readonly settings: Readonly<Record<string, string>>
  readonly log: (line: string) => void
}

async function openDataFolder(path: string): Promise<string> {
  try {
    const folder = await createFolder(path)
    await access(`${folder}/.`, constants.W_OK | constants.X_OK)
    return folder
  } catch (cause) {
    throw new Error(
      `The data folder ${path} cannot be used: ${messageOf(cause)}. ` +
        "Set BELAY_DATA_DIR to a folder that this user can write to.",
      { cause },
    )
  }
}

/** Creates what is missing of `path`, searchable for Postgres' user when root does it, and returns the real path. */
async function createFolder(path: string): Promise<string> {
  const isMissing = (await stat(path).catch(ignoreMissing)) === undefined
  if (isMissing) {
    await createFolder(dirname(path))
    await mkdir(path).catch(ignoreExisting)
    await chmod(path, isRoot() ? 0o711 : 0o700)
  }
  return realpath(path)
}

/** Decides in which folder the cluster lives and under which user it runs. */
async function placeCluster(
  dataDir: string,
  fallbackRoot: string,
): Promise<{ home: string; user: OsUser | undefined }> {
  const noted = (await readIfExists(join(dataDir, "LOCATION")))?.trim()
  const home = noted ? await realpathIfExists(noted) : dataDir
  const owner = await clusterOwner(home)
  if (noted && owner === undefined) {
    throw new Error(
      `${join(dataDir, "LOCATION")} says that the data is in ${noted}, but it is not. ` +
        "Restore it there, or delete LOCATION to start with an empty database.",
    )
  }
  if (!isRoot()) {
    if (owner === undefined || owner.uid === process.getuid?.()) return { home, user: undefined }
    throw new Error(
      `The data in ${join(home, "postgres")} belongs to OS user ${owner.name}, perhaps because Belay was started as ` +
        "root before. Start it as root again, or make the data yours (chown -R).",
    )
  }

  // Data that root copied back from a backup is handed to Postgres' user when it is opened.
  const user = owner === undefined || owner.uid === 0 ? await findUnprivilegedUser() : owner
  const barrier = await firstUnsearchable(dirname(await realpathIfExists(join(home, "postgres"))), user)
  if (barrier === undefined) return { home, user }
  if (owner !== undefined) {
    throw new Error(
      `Postgres runs as OS user ${user.name}, which may not enter ${barrier} and so cannot reach its data in ${home}. ` +
        `Let it through (chmod o+x ${barrier}), or move the data folder.`,
    )
  }
  const hash = createHash("sha256").update(dataDir).digest("hex").slice(0, 16)
  const advice = "Set BELAY_DATA_DIR to a folder whose parents everybody may enter, such as /srv/belay."
  const fallback = await createFolder(join(fallbackRoot, hash)).catch((cause: unknown) => {
    throw new Error(
      `Postgres runs as OS user ${user.name}, which may not enter ${barrier}, and there is no place for its data in ` +
        `${fallbackRoot} either: ${messageOf(cause)}. ${advice}`,
      { cause },
    )
  })
  const second = await firstUnsearchable(fallback, user)
  if (second !== undefined) {
    throw new Error(
      `Postgres runs as OS user ${user.name}, which may enter neither ${barrier} nor ${second}. ${advice}`,
    )
  }
  return { home: fallback, user: (await clusterOwner(fallback)) ?? user }
}

async function clusterOwner(home: string): Promise<OsUser | undefined> {
  const info = await stat(join(home, "postgres")).catch(ignoreMissing)
  return info && (await userById(info.uid, info.gid))
}

/** Returns the owner's password. */
async function openOrCreateCluster(cluster: Cluster, passwordFile: string): Promise<string> {
  const noted = (await readIfExists(passwordFile))?.trim()
  const password = noted || randomBytes(24).toString("hex")
  // Written before the cluster is, so that there is never one whose password nobody knows.
  if (!noted) await writeDurably(passwordFile, `${password}\n`)

  const drafts = (await readdir(cluster.home)).filter((name) => name.startsWith(DRAFT_PREFIX))
  for (const draft of drafts) await rm(join(cluster.home, draft), { recursive: true, force: true, maxRetries: 5 })

  const version = await readIfExists(join(cluster.directory, "PG_VERSION"))
  if (version === undefined) {
    const contents = (await readdir(cluster.directory).catch(ignoreMissing)) ?? []
    if (contents.length > 0)
      throw new Error(`${cluster.directory} is not empty and holds no Postgres data. Move it away.`)
    await createCluster(cluster, password)
    return password
  }
  if (version.trim() !== cluster.binaries.majorVersion) {
    throw new Error(
      `The data in ${cluster.directory} was written by Postgres ${version.trim()}, and this Belay brings Postgres ` +
        `${cluster.binaries.majorVersion}, which cannot read it. Start the Belay that wrote it, save the data with ` +
        "pg_dump, move the data folder away, start this Belay and load the dump with psql.",
    )
  }
  if (cluster.user) await giveTo(cluster.directory, cluster.user)
  await stopLeftovers(cluster)
  if (!noted) await runSingleUser(cluster, cluster.directory, `alter role ${OWNER} password '${password}'`)
  return password
}

const DRAFT_PREFIX = "postgres.init-"

/** Built under another name and renamed when it is complete: an interrupted start leaves no half cluster. */
async function createCluster(cluster: Cluster, password: string): Promise<void> {
  const draft = await mkdtemp(join(cluster.home, DRAFT_PREFIX))
  const data = join(draft, "data")
  const passwordFile = join(draft, "password")
  await writeFile(passwordFile, password, { mode: 0o600 })
  if (cluster.user) await giveTo(draft, cluster.user)

  await run(cluster, draft, "initdb", [
    `--pgdata=${data}`,
    "--encoding=UTF8",
    "--locale=C",
    `--username=${OWNER}`,
    "--auth=scram-sha-256",
    `--pwfile=${passwordFile}`,
    ...(cluster.settings["fsync"] === "off" ? ["--no-sync"] : []),
  ])
  await runSingleUser(cluster, data, `create database ${DATABASE}`)
  await rename(data, cluster.directory)
  await syncFolder(cluster.home)
  await rm(draft, { recursive: true, force: true })
}

/** Hands a folder that root owns, and everything in it, to `user`. */
async function giveTo(path: string, user: OsUser): Promise<void> {
  const info = await stat(path)
  if (info.uid === user.uid) return
  await chown(path, user.uid, user.gid)
  await chmod(path, 0o700)
  for (const entry of await readdir(path, { withFileTypes: true, recursive: true })) {
    await lchown(join(entry.parentPath, entry.name), user.uid, user.gid)
  }
}

/** Runs one statement on a cluster that no server has open. */
async function runSingleUser(cluster: Cluster, directory: string, statement: string): Promise<void> {
  const args = ["--single", "-D", directory, ...settingArgs(cluster.settings), "postgres"]
  const output = await run(cluster, directory, "postgres", args, `${statement}\n`)
  // A failed statement does not change the exit code.
  if (output.includes("ERROR:")) throw new Error(`Postgres refused "${statement.split(" ", 2).join(" ")}": ${output}`)
}

/** Runs one of the programs to its end and returns what it printed. */
function run(cluster: Cluster, cwd: string, program: string, args: string[], input = ""): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const child = spawn(join(cluster.binaries.bin, program), args, { ...identity(cluster), cwd })
  let output = ""
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()))
  child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()))
  child.on("error", (error) => reject(explainSpawn(error, program)))
  child.on("close", (code, signal) => {
    if (code === 0) resolve(output)
    else reject(new Error(`${program} failed (${signal ?? `exit code ${code}`}):\n${output.trim()}`))
  })
  // It may end without having read all of it; how it ended is then the better message.
  child.stdin.on("error", () => {})
  child.stdin.end(input)
  return promise
}

function explainSpawn(error: Error, program: string): Error {
  return new Error(
    `${program} cannot be run (${error.message}). The programs that npm installs need a system with glibc (Alpine ` +
      "Linux has none) and a file system that allows running them.",
    { cause: error },
  )
}

/** Whom to run as. Nothing of our environment is handed on: PG* variables would change what Postgres does. */
function identity({ user }: Cluster): { env: NodeJS.ProcessEnv; uid?: number; gid?: number } {
  const env: NodeJS.ProcessEnv = { LC_ALL: "C", NODE_ENV: "production" } // NODE_ENV only because the type asks for it
  return user ? { env, uid: user.uid, gid: user.gid } : { env }
}

function settingArgs(settings: Readonly<Record<string, string>>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])
}

/** Starts the server and starts it again whenever it ends, until stopped. */
async function keepRunning(cluster: Cluster): Promise<{ port: number; stop: () => Promise<void> }> {
  const stopping = new AbortController()
  let { server, port } = await startOnFreePort(cluster)

  const killAtExit = () => server.child.kill("SIGINT")
  process.once("exit", killAtExit)

  const watch = async () => {
    for (;;) {
      const end = await server.ended
      if (stopping.signal.aborted) return
      const lostAt = performance.now()
      cluster.log(`Postgres ended unexpectedly (${end}). Starting it again on port ${port}.`)
      const next = await restart()
      if (!next) return
      server = next
      if (stopping.signal.aborted) return shutDown(server)
      cluster.log(`Postgres is back after ${((performance.now() - lostAt) / 1000).toFixed(1)} s.`)
    }
  }

  /** Never gives up: a full disk, say, is made room on while Belay keeps running. */
  const restart = async (): Promise<Server | undefined> => {
    let lastReason = ""
    for (let waitMs = 100; !stopping.signal.aborted; waitMs = Math.min(waitMs * 2, 5_000)) {
      try {
        await stopLeftovers(cluster)
        return await startServer(cluster, port, stopping.signal)
      } catch (error) {
        const reason = messageOf(error)
        if (reason !== lastReason && !stopping.signal.aborted) cluster.log(`${reason}\nTrying again.`)
        lastReason = reason
        await sleep(waitMs, undefined, { ref: false, signal: stopping.signal }).catch(() => {})
      }
    }
    return undefined
  }

  const watching = watch()
  const stop = async () => {
    // The server does not hold the event loop open, so without this Belay could end before it.
    const hold = setInterval(() => {}, 1_000)
    stopping.abort()
    await shutDown(server)
    await watching
    process.off("exit", killAtExit)
    clearInterval(hold)
  }
  let stopped: Promise<void> | undefined
  return { port, stop: () => (stopped ??= stop()) }
}

interface Server {
  readonly child: ChildProcess
  /** Settles when the server is gone, with how it ended. */
  readonly ended: Promise<string>
}

async function startOnFreePort(cluster: Cluster): Promise<{ server: Server; port: number }> {
  for (let attempt = 1; ; attempt++) {
    const port = await findFreePort()
    try {
      return { server: await startServer(cluster, port), port }
    } catch (error) {
      const wasTaken = error instanceof Error && error.message.includes("could not bind")
      if (!wasTaken || attempt === 5) throw error
    }
  }
}

/**
 * Starts the server as a child, which tells us at once when it dies, and waits until it accepts connections.
 *
 * As long as it lives it is waited for: recovery after a crash takes as long as it takes, and interrupting it would
 * only start it over. Throws with the end of its log when it ends instead, also because of `signal`.
 */
async function startServer(cluster: Cluster, port: number, signal?: AbortSignal): Promise<Server> {
  const logStart = (await stat(cluster.logFile).catch(ignoreMissing))?.size ?? 0
  signal?.throwIfAborted()
  const logFd = openSync(cluster.logFile, "a", 0o600)
  const args = ["-D", cluster.directory, ...settingArgs({ ...cluster.settings, port: String(port) })]
  const child = spawn(join(cluster.binaries.bin, "postgres"), args, {
    ...identity(cluster),
    cwd: cluster.directory,
    stdio: ["ignore", logFd, logFd],
    // A session of its own, or Ctrl-C in the terminal would end it before Belay has finished with it.
    detached: true,
  })
  closeSync(logFd)
  child.unref()

  const { promise: ended, resolve: settle } = Promise.withResolvers<string>()
  child.on("error", (error) => settle(explainSpawn(error, "postgres").message))
  child.on("exit", (code, exitSignal) => settle(exitSignal ?? `exit code ${code}`))
  const onAbort = () => child.kill("SIGINT")
  signal?.addEventListener("abort", onAbort)

  const over = new AbortController()
  void ended.then(() => over.abort())
  const startedAt = performance.now()
  let reportedAt = startedAt
  let waitMs = 10
  while (!over.signal.aborted && !(await isReady(cluster, child.pid))) {
    await sleep(waitMs, undefined, { ref: signal === undefined, signal: over.signal }).catch(() => {})
    waitMs = Math.min(waitMs * 1.5, 200)
    if (performance.now() - reportedAt < 10_000) continue
    reportedAt = performance.now()
    const seconds = Math.round((reportedAt - startedAt) / 1000)
    cluster.log(`Postgres has been starting for ${seconds} s (see ${cluster.logFile}).`)
  }
  signal?.removeEventListener("abort", onAbort)
  if (!over.signal.aborted) return { child, ended }
  throw new Error(`The server ended while starting (${await ended}).\n${await readLogEnd(cluster.logFile, logStart)}`)
}

/** The eighth line of postmaster.pid is the server's state; this is what `pg_ctl start -w` waits for as well. */
async function isReady(cluster: Cluster, pid: number | undefined): Promise<boolean> {
  const lines = await readPidFile(cluster)
  return Number(lines[0]) === pid && lines[7]?.trim() === "ready"
}

async function shutDown({ child, ended }: Server): Promise<void> {
  child.kill("SIGINT")
  const timer = setTimeout(() => child.kill("SIGQUIT"), STOP_MS_MAX)
  await ended
  clearTimeout(timer)
}

/**
 * Ends what an earlier server on this cluster left running: a whole server whose Belay was killed, or the processes
 * of a killed server, which hold its shared memory until the statement they are in has finished.
 */
async function stopLeftovers(cluster: Cluster): Promise<void> {
  const pid = Number((await readPidFile(cluster))[0])
  if (pid > 0 && (await isRunning(pid))) {
    if (await worksIn(pid, cluster.directory)) {
      await signalAndWait([pid], "SIGINT", STOP_MS_MAX)
    } else {
      // Postgres would take the stranger that was given its old process id for another server on this data.
      await rm(join(cluster.directory, "postmaster.pid"), { force: true })
    }
  }
  for (const signal of ["SIGQUIT", "SIGKILL"] as const) {
    const rest = await listProcessesIn(cluster.directory)
    if (rest.length > 0) await signalAndWait(rest, signal, 5_000)
  }
}

async function signalAndWait(pids: number[], signal: NodeJS.Signals, waitMsMax: number): Promise<void> {
  for (const pid of pids) {
    try {
      process.kill(pid, signal)
    } catch {
      // Gone already, which is what we want.
    }
  }
  const deadline = performance.now() + waitMsMax
  for (const pid of pids) {
    while ((await processIdentity(pid)) !== undefined && performance.now() < deadline) await sleep(20)
  }
}

/** Also true for a zombie, which is how Postgres sees it. */
async function isRunning(pid: number): Promise<boolean> {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return hasCode(error, "EPERM")
  }
}

async function readPidFile(cluster: Cluster): Promise<string[]> {
  return (await readIfExists(join(cluster.directory, "postmaster.pid")))?.split("\n") ?? []
}

async function findFreePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = randomInt(PORTS.first, PORTS.last)
    if (await isFree(port)) return port
  }
  throw new Error(`No free port was found on 127.0.0.1 between ${PORTS.first} and ${PORTS.last}.`)
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once("error", () => resolve(false))
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)))
  })
}

async function rotateLog(path: string): Promise<void> {
  const info = await stat(path).catch(ignoreMissing)
  if (info && info.size > LOG_BYTES_MAX) await rename(path, `${path}.1`)
}

async function readLogEnd(path: string, from: number): Promise<string> {
  const log = await readFile(path)
  return log.subarray(from).toString().trim().split("\n").slice(-15).join("\n")
}

async function writeDurably(path: string, text: string): Promise<void> {
  const draft = `${path}.new`
  const file = await open(draft, "w", 0o600)
  await file.writeFile(text)
  await file.sync()
  await file.close()
  await rename(draft, path)
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r")
  await folder.sync()
  await folder.close()
}

async function realpathIfExists(path: string): Promise<string> {
  return (await realpath(path).catch(ignoreMissing)) ?? path
}

function isRoot(): boolean {
  return process.getuid?.() === 0
}

async function readIfExists(path: string): Promise<string | undefined> {
  return readFile(path, "utf8").catch(ignoreMissing)
}

function ignoreMissing(error: unknown): undefined {
  if (!hasCode(error, "ENOENT")) throw error
  return undefined
}

function ignoreExisting(error: unknown): undefined {
  if (!hasCode(error, "EEXIST")) throw error
  return undefined
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code
}
