import { randomUUID } from "node:crypto"
import { link, readFile, rename, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"

import { processIdentity } from "./processes.ts"

export interface DataLock {
  /** Gives the folder free. Idempotent. */
  release(): Promise<void>
}

/**
 * Takes `<folder>/belay.lock`, which holds the id of this process, so that only one Belay works in the folder.
 *
 * The lock of a process that no longer runs is taken over, also when its id was given to another process since.
 * Never waits: throws when a live process holds the lock, this one included.
 */
export async function lockDataFolder(folder: string): Promise<DataLock> {
  const path = join(folder, "belay.lock")
  // The last line tells this lock from an earlier one of the same process.
  const ours = `${process.pid}\n${await processIdentity(process.pid)}\n${randomUUID()}\n`
  const draft = `${path}.${randomUUID()}`
  await writeFile(draft, ours, { mode: 0o600 })
  try {
    // Linking is atomic: nobody sees a half-written lock. Round again when somebody else was faster.
    while (!(await linkIfFree(draft, path))) {
      const held = await readIfExists(path)
      if (held === undefined) continue
      const pid = await holder(held)
      if (pid !== undefined) {
        throw new Error(
          `Belay already runs with the data folder ${folder} (process ${pid}). ` +
            "Stop that one first, or give this one a folder of its own with BELAY_DATA_DIR.",
        )
      }
      await discard(path, held)
    }
  } finally {
    await rm(draft, { force: true })
  }
  return {
    async release() {
      if ((await readIfExists(path)) === ours) await rm(path, { force: true })
    },
  }
}

/** The process that holds a lock with this content; undefined when it runs no more. */
async function holder(content: string): Promise<number | undefined> {
  const [id, identity] = content.split("\n")
  const pid = Number(id)
  if (!Number.isInteger(pid) || pid <= 0) return undefined
  return (await processIdentity(pid)) === identity ? pid : undefined
}

/** Removes the stale lock `content`, and nothing else: in the meantime another process may have taken over. */
async function discard(path: string, content: string): Promise<void> {
  const aside = `${path}.${randomUUID()}`
  await rename(path, aside).catch(ignoreMissing)
  const taken = await readIfExists(aside)
  if (taken !== undefined && taken !== content) await linkIfFree(aside, path)
  await rm(aside, { force: true })
}

async function linkIfFree(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if (hasCode(error, "EEXIST")) return false
    throw error
  }
}

async function readIfExists(path: string): Promise<string | undefined> {
  return readFile(path, "utf8").catch(ignoreMissing)
}

function ignoreMissing(error: unknown): undefined {
  if (!hasCode(error, "ENOENT")) throw error
  return undefined
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code
}
