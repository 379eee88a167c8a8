import { createHash, randomUUID } from "node:crypto"
import { link, readFile, rename, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"

import { processIdentity } from "./processes.ts"

export interface DataLock {
  /** Gives the folder free. Idempotent. */
  readonly release: () => Promise<void>
}

/**
 * Takes `<folder>/belay.lock`, which holds the id of this process, so that only one Belay works in the folder.
 *
 * The lock of a process that no longer runs is taken over, also when its id was given to another process since.
 * Never waits: throws when a live process holds the lock, this one included.
 */
export async function lockDataFolder(folder: string): Promise<DataLock> {
  const path = join(folder, "belay.lock")
  // The last line tells this lock from all others of the same process.
  const ours = `${process.pid}\n${await processIdentity(process.pid)}\n${randomUUID()}\n`
  const holder = await acquire(path, ours)
  if (holder !== undefined) {
    throw new Error(
      `Belay already runs with the data folder ${folder} (process ${holder}). ` +
        "Stop that one first, or give this one a folder of its own with BELAY_DATA_DIR.",
    )
  }
  return { release: () => remove(path, ours) }
}

/** Makes `path` hold `ours`, or returns the live process that has it. */
async function acquire(path: string, ours: string): Promise<number | undefined> {
  for (;;) {
    if (await publish(path, ours, link)) return undefined
    const held = await readIfExists(path)
    if (held === undefined) continue
    const holder = await liveHolder(held)
    if (holder !== undefined) return holder

    // Only who holds the lock on replacing this very content may replace it. Its holder may have died at that, too.
    const replacing = `${path}.${createHash("sha256").update(held).digest("hex").slice(0, 16)}`
    const rival = await acquire(replacing, ours)
    if (rival !== undefined) return rival
    try {
      const isStillStale = (await readIfExists(path)) === held
      if (isStillStale && (await publish(path, ours, rename))) return undefined
    } finally {
      await remove(replacing, ours)
    }
  }
}

/** Puts `content` at `path` in one step, so that nobody reads half of it. False when `put` found something there. */
async function publish(path: string, content: string, put: typeof link | typeof rename): Promise<boolean> {
  const draft = `${path}.${randomUUID()}`
  await writeFile(draft, content, { mode: 0o600 })
  try {
    await put(draft, path)
    return true
  } catch (error) {
    if (hasCode(error, "EEXIST")) return false
    throw error
  } finally {
    await rm(draft, { force: true })
  }
}

async function remove(path: string, ours: string): Promise<void> {
  if ((await readIfExists(path)) === ours) await rm(path, { force: true })
}

/** The process that holds a lock with this content; undefined when it runs no more. */
async function liveHolder(content: string): Promise<number | undefined> {
  const [id, identity] = content.split("\n")
  const pid = Number(id)
  if (!Number.isInteger(pid) || pid <= 0) return undefined
  return (await processIdentity(pid)) === identity ? pid : undefined
}

async function readIfExists(path: string): Promise<string | undefined> {
  return readFile(path, "utf8").catch((error: unknown) => {
    if (!hasCode(error, "ENOENT")) throw error
    return undefined
  })
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code
}
