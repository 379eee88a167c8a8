import * as fs from "node:fs"
import { hostname } from "node:os"
import path from "node:path"
import { promisify } from "node:util"
import { decodeEntry, encodeFrame, encodeMeta, type EntryMeta } from "./spool-file.ts"

export type { EntryMeta }

/**
 * Requests that wait on disk until the endpoint takes them. Any number of processes may share one folder.
 *
 * A file is one request, and its name is all the bookkeeping there is: `<id>.<items>.<bytes>.ready` waits,
 * `<id>.<since>.<pid>.<host>.open` is being written and `….sent` is being sent by the process that is named. Names
 * change by `rename`, which one process wins. What belongs to a process that is gone is taken over, so a request may be
 * sent twice, never lost: Belay stores what it knows already once, by `belay.signal_id`.
 *
 * What was written outlives the process, killed or not. A power cut may take the last seconds: nothing is synced.
 */
export interface Spool {
  /** Where requests wait. */
  readonly folder: string
  /** Adds a whole request, before it returns; false when the disk does not take it. Never throws. */
  append(body: Uint8Array, meta: SpoolMeta): boolean
  /** Begins a request that is written bit by bit. Rejects when the disk does not take it. */
  open(meta: EntryMeta): Promise<SpoolWriter>
  /**
   * Sends what waits, oldest first, one at a time, until all is gone or `send` answers `retry` or throws. What is
   * `refused` is removed as well as what is `sent`. Never rejects.
   */
  drain(send: (entry: SpoolEntry) => Promise<SendResult>): Promise<DrainResult>
  /** What waits, and what was dropped since the folder was made. Reads the folder's names before it returns. Never throws. */
  status(): SpoolStatus
}

/** What is known of a request. */
export interface SpoolMeta extends Omit<EntryMeta, "tail"> {
  /** Signals in the request. */
  readonly items: number
}

/** A request that waited. */
export interface SpoolEntry extends SpoolMeta {
  /** What to send. */
  readonly body: Uint8Array<ArrayBuffer>
}

/** What came of sending a request: it was taken, shall be tried again, or never will be taken. */
export type SendResult = "sent" | "retry" | "refused"

/** A request in the making. Its calls are made one after the other. */
export interface SpoolWriter {
  /** Resolves when the operating system has it. */
  write(bytes: Uint8Array, items: number): Promise<void>
  /** As `write`, before it returns. */
  writeSync(bytes: Uint8Array, items: number): void
  /** Ends the request, which waits from now on. */
  seal(): Promise<void>
  /** As `seal`, before it returns. */
  sealSync(): void
}

/** What came of sending what waited. */
export interface DrainResult {
  /** Signals, by what became of them. */
  readonly sent: number
  /** Signals that the endpoint will never take. */
  readonly refused: number
  /** Whether the sending stopped before all was gone. */
  readonly isMoreLeft: boolean
}

/** Signals that were given up, by reason. */
export interface Dropped {
  /** The folder was full: the oldest went. */
  readonly full: number
  /** Files that could not be read; of those, how many signals were in them is not known. */
  readonly corrupt: number
}

/** What waits, and what was given up. */
export interface SpoolStatus {
  /** Requests. */
  readonly entries: number
  /** Signals in them. */
  readonly items: number
  /** Their size on disk. */
  readonly bytes: number
  /** Signals that were given up since the folder was made. */
  readonly dropped: Dropped
}

/** Where requests wait, and how many. */
export interface SpoolOptions {
  /** Made when it is not there. */
  readonly folder: string
  /** Of all requests that wait; 64 MiB unless said otherwise. */
  readonly bytesMax?: number | undefined
  /** Milliseconds since the epoch. */
  readonly now?: (() => number) | undefined
}

const BYTES_MAX = 64 * 1024 * 1024
/** So that reading the folder's names stays a matter of milliseconds. */
const ENTRIES_MAX = 16_384
/** What a process has held for longer, it does not hold any more: it writes and sends for seconds. */
const HELD_MS_MAX = 120_000
const DROPPED_FILE = "dropped"
const DROPPED_BYTES_MAX = 64 * 1024

const openFile = promisify(fs.open)
const writeFile = promisify(fs.write)
const truncateFile = promisify(fs.ftruncate)
const closeFile = promisify(fs.close)

interface Waiting {
  readonly name: string
  readonly items: number
  readonly bytes: number
}

/** A spool in a folder. Touches no disk before it is used; never throws. */
export function openSpool(options: SpoolOptions): Spool {
  const { folder, bytesMax = BYTES_MAX, now = Date.now } = options
  const host = hostname()
    .replaceAll(/[^A-Za-z0-9-]/g, "-")
    .slice(0, 40)
  let named = 0
  // Unlike those of node:crypto, which takes a hook's process milliseconds to load, these tell senders apart and no more.
  const sender = `${process.pid.toString(36)}-${Math.random().toString(36).slice(2, 12)}`

  const at = (name: string) => path.join(folder, name)
  // Names sort by age; the count keeps those of one millisecond in order.
  const newName = () => `${String(now()).padStart(15, "0")}-${String(named++).padStart(6, "0")}-${sender}`
  const readyName = (id: string, items: number, bytes: number) => `${id}.${items}.${bytes}.ready`
  const heldName = (id: string, state: "open" | "sent") => `${id}.${now()}.${process.pid}.${host}.${state}`

  function sort(names: readonly string[]): { waiting: Waiting[]; orphans: string[] } {
    const waiting: Waiting[] = []
    const orphans: string[] = []
    for (const name of names.toSorted()) {
      const [, first = "", second = "", third = "", state] = name.split(".")
      if (name.endsWith(".ready")) waiting.push({ name, items: Number(first), bytes: Number(second) })
      else if ((state === "open" || state === "sent") && isGone(Number(first), Number(second), third))
        orphans.push(name)
    }
    return { waiting, orphans }
  }

  function isGone(since: number, pid: number, heldBy: string): boolean {
    if (Math.abs(now() - since) > HELD_MS_MAX) return true
    return heldBy === host && pid !== process.pid && !isAlive(pid)
  }

  function countDropped(reason: keyof Dropped, items: number): void {
    const file = at(DROPPED_FILE)
    try {
      fs.appendFileSync(file, droppedLine(reason, items), { mode: 0o600 })
      if (fs.statSync(file).size <= DROPPED_BYTES_MAX) return
      const { full, corrupt } = parseDropped(fs.readFileSync(file, "utf8"))
      const temporary = `${file}.${sender}`
      fs.writeFileSync(temporary, droppedLine("full", full) + droppedLine("corrupt", corrupt), { mode: 0o600 })
      fs.renameSync(temporary, file)
    } catch {
      // Of a disk that takes nothing, nothing more is to be had.
    }
  }

  const countDroppedLater = (reason: keyof Dropped, items: number) =>
    fs.promises.appendFile(at(DROPPED_FILE), droppedLine(reason, items), { mode: 0o600 }).catch(() => {})

  /** The oldest of what waits, as many as have to go before so many bytes have room; null when they never have. */
  function excessOf(names: readonly string[], bytes: number): readonly Waiting[] | null {
    if (bytes > bytesMax) return null
    const { waiting } = sort(names)
    let total = waiting.reduce((sum, entry) => sum + entry.bytes, bytes)
    let going = 0
    while (going < waiting.length && (total > bytesMax || waiting.length - going >= ENTRIES_MAX)) {
      total -= waiting[going]?.bytes ?? 0
      going++
    }
    return waiting.slice(0, going)
  }

  /** False when there is no room. */
  function makeRoomSync(bytes: number): boolean {
    const excess = excessOf(namesIn(folder), bytes)
    for (const entry of excess ?? []) if (removeSync(at(entry.name))) countDropped("full", entry.items)
    return excess !== null
  }

  async function makeRoom(bytes: number): Promise<boolean> {
    const excess = excessOf(await fs.promises.readdir(folder), bytes)
    for (const entry of excess ?? []) if (await remove(at(entry.name))) await countDroppedLater("full", entry.items)
    return excess !== null
  }

  return {
    folder,

    append(body, { items, ...meta }) {
      const id = newName()
      const temporary = at(heldName(id, "open"))
      try {
        fs.mkdirSync(folder, { recursive: true, mode: 0o700 })
        const file = Buffer.concat([encodeMeta(meta), encodeFrame(body, items)])
        if (!makeRoomSync(file.length)) {
          countDropped("full", items)
          return false
        }
        fs.writeFileSync(temporary, file, { mode: 0o600 })
        fs.renameSync(temporary, at(readyName(id, items, file.length)))
        return true
      } catch {
        removeSync(temporary)
        return false
      }
    },

    async open(meta) {
      await fs.promises.mkdir(folder, { recursive: true, mode: 0o700 })
      const id = newName()
      const name = at(heldName(id, "open"))
      const fd = await openFile(name, "wx", 0o600)
      let [items, bytes] = [0, 0]
      // What was written in part is written over by what comes next.
      const count = (written: number, frame: Buffer, added: number) => {
        if (written !== frame.length) throw new Error("the disk took a part only")
        bytes += frame.length
        items += added
      }
      const head = encodeMeta(meta)
      count((await writeFile(fd, head, 0, head.length, 0)).bytesWritten, head, 0)
      const sealedName = () => at(readyName(id, items, bytes))
      return {
        async write(body, added) {
          const frame = encodeFrame(body, added)
          count((await writeFile(fd, frame, 0, frame.length, bytes)).bytesWritten, frame, added)
        },
        writeSync(body, added) {
          const frame = encodeFrame(body, added)
          count(fs.writeSync(fd, frame, 0, frame.length, bytes), frame, added)
        },
        async seal() {
          await truncateFile(fd, bytes)
          await closeFile(fd)
          if (items === 0) await remove(name)
          else if (await makeRoom(bytes)) await fs.promises.rename(name, sealedName())
          else if (await remove(name)) await countDroppedLater("full", items)
        },
        sealSync() {
          fs.ftruncateSync(fd, bytes)
          fs.closeSync(fd)
          if (items === 0) removeSync(name)
          else if (makeRoomSync(bytes)) fs.renameSync(name, sealedName())
          else if (removeSync(name)) countDropped("full", items)
        },
      }
    },

    async drain(send) {
      let [sent, refused] = [0, 0]
      const { waiting, orphans } = sort(await fs.promises.readdir(folder).catch(() => []))
      for (const name of [...waiting.map((entry) => entry.name), ...orphans].toSorted()) {
        const held = at(heldName(idOf(name), "sent"))
        // Somebody else was faster.
        if (!(await rename(at(name), held))) continue
        const file = await fs.promises.readFile(held).catch(() => null)
        const entry = file === null ? null : decodeEntry(file)
        const isCut = entry === null || entry.wholeBytes !== file?.length
        // Half a frame at the end of what was being written is how a killed process leaves it; elsewhere it is damage.
        if (isCut && !name.endsWith(".open")) await countDroppedLater("corrupt", 1)
        if (entry === null) {
          await remove(held)
          continue
        }
        if (isCut) await fs.promises.truncate(held, entry.wholeBytes).catch(() => {})
        const result = await send(entry).catch((): SendResult => "retry")
        if (result === "retry") {
          await rename(held, at(readyName(idOf(name), entry.items, entry.wholeBytes)))
          return { sent, refused, isMoreLeft: true }
        }
        await remove(held)
        if (result === "sent") sent += entry.items
        else refused += entry.items
      }
      return { sent, refused, isMoreLeft: false }
    },

    status() {
      const { waiting } = sort(namesIn(folder))
      return {
        entries: waiting.length,
        items: waiting.reduce((sum, entry) => sum + entry.items, 0),
        bytes: waiting.reduce((sum, entry) => sum + entry.bytes, 0),
        dropped: parseDropped(textOf(at(DROPPED_FILE))),
      }
    },
  }
}

function idOf(name: string): string {
  return name.slice(0, name.indexOf("."))
}

function droppedLine(reason: keyof Dropped, items: number): string {
  return `${reason} ${items}\n`
}

function parseDropped(text: string): Dropped {
  const dropped = { full: 0, corrupt: 0 }
  for (const line of text.split("\n")) {
    const [reason, items] = line.split(" ")
    if (reason === "full" || reason === "corrupt") dropped[reason] += Number(items)
  }
  return dropped
}

function namesIn(folder: string): string[] {
  try {
    return fs.readdirSync(folder)
  } catch {
    return []
  }
}

function textOf(file: string): string {
  try {
    return fs.readFileSync(file, "utf8")
  } catch {
    return ""
  }
}

/** Of two processes that rename one file, one does. */
function rename(from: string, to: string): Promise<boolean> {
  return fs.promises.rename(from, to).then(
    () => true,
    () => false,
  )
}

function remove(file: string): Promise<boolean> {
  return fs.promises.unlink(file).then(
    () => true,
    () => false,
  )
}

function removeSync(file: string): boolean {
  try {
    fs.unlinkSync(file)
    return true
  } catch {
    return false
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM"
  }
}
