import { createHash } from "node:crypto"
import { homedir } from "node:os"
import path from "node:path"

/**
 * The folder that all senders of one person to one endpoint with one key share. What waits is sent with the key of
 * whoever sends it, so that senders with another key have another folder.
 */
export function defaultSpoolFolder(target: { endpoint: string; ingestKey: string }, home = homedir()): string {
  const name = createHash("sha256").update(`${target.endpoint}\n${target.ingestKey}`).digest("hex").slice(0, 16)
  return path.join(home, ".belay", "spool", name)
}
