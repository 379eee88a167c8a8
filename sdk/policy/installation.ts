import { randomUUID } from "node:crypto"
import { readFileSync } from "node:fs"
import path from "node:path"
import { replaceFile } from "./note.ts"

const ID_LENGTH_MAX = 80

/**
 * What Belay knows an agent tool of this person on this machine by: made once and kept in `folder`. One of this process
 * alone where nothing can be kept.
 */
export function installationId(folder: string | null, agentTool: string): string {
  return `${folder === null ? randomUUID() : keptId(folder)}/${agentTool}`.slice(0, ID_LENGTH_MAX)
}

function keptId(folder: string): string {
  const file = path.join(folder, "installation")
  try {
    const kept = readFileSync(file, "utf8").trim()
    if (/^[0-9a-f-]{36}$/.test(kept)) return kept
  } catch {
    // It is made now.
  }
  const id = randomUUID()
  try {
    replaceFile(file, `${id}\n`)
  } catch {
    // Another process's, from now on.
  }
  return id
}
